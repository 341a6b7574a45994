//! How a request can fail, told apart as far as the sockets of this machine can tell. Plain data.
//!
//! Knows in which phase it failed and by which name the system calls it. *Why* the device did so is not seen from here.

use std::fmt;
use std::io;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// This machine still holds the source port, or somebody else here has it. Nothing was sent.
    PortHeld(Errno),
    /// No route, or nobody on the local network who says to be the device.
    Unreachable(Errno),
    /// This machine would not even try: not permitted, out of descriptors. Nothing was sent.
    Unsent(Errno),
    /// No connection before our own deadline: for a refused port the usual end.
    ConnectDeadline,
    Connect(Errno),
    Send(Errno),
    Receive(Errno),
    /// Connected, and no whole answer before our own deadline.
    ResponseDeadline,
    /// The connection ended before the first octet of an answer.
    ClosedEarly,
    /// The connection ended inside the answer.
    Short,
    /// More came than was announced.
    TooLong,
    NotHttp,
    /// Answered, with a status of 400 or above.
    Status(u16),
    /// We were told to stop.
    Stopped,
    NotTried,
}

/// By the name the system calls it, such as `ECONNREFUSED`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Errno(String);

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not beyond this machine, as far as it knows.
    Local,
    Connect,
    Send,
    Receive,
    /// It was answered.
    Answer,
    /// Cut off, or never begun.
    Stop,
}

impl Failure {
    pub fn phase(&self) -> Phase {
        match self {
            Failure::PortHeld(_) | Failure::Unreachable(_) | Failure::Unsent(_) => Phase::Local,
            Failure::ConnectDeadline | Failure::Connect(_) => Phase::Connect,
            Failure::Send(_) => Phase::Send,
            Failure::Receive(_) | Failure::ResponseDeadline | Failure::ClosedEarly | Failure::Short => {
                Phase::Receive
            }
            Failure::TooLong | Failure::NotHttp | Failure::Status(_) => Phase::Answer,
            Failure::Stopped | Failure::NotTried => Phase::Stop,
        }
    }

    /// One word for programs; it does not change.
    pub fn kind(&self) -> &'static str {
        match self {
            Failure::PortHeld(_) => "port-held",
            Failure::Unreachable(_) => "unreachable",
            Failure::Unsent(_) => "unsent",
            Failure::ConnectDeadline => "connect-deadline",
            Failure::Connect(_) => "connect-failed",
            Failure::Send(_) => "send-failed",
            Failure::Receive(_) => "receive-failed",
            Failure::ResponseDeadline => "response-deadline",
            Failure::ClosedEarly => "closed-early",
            Failure::Short => "short-answer",
            Failure::TooLong => "long-answer",
            Failure::NotHttp => "not-http",
            Failure::Status(_) => "http-status",
            Failure::Stopped => "stopped",
            Failure::NotTried => "not-tried",
        }
    }

    pub fn errno(&self) -> Option<&Errno> {
        match self {
            Failure::PortHeld(errno)
            | Failure::Unreachable(errno)
            | Failure::Unsent(errno)
            | Failure::Connect(errno)
            | Failure::Send(errno)
            | Failure::Receive(errno) => Some(errno),
            Failure::ConnectDeadline
            | Failure::ResponseDeadline
            | Failure::ClosedEarly
            | Failure::Short
            | Failure::TooLong
            | Failure::NotHttp
            | Failure::Status(_)
            | Failure::Stopped
            | Failure::NotTried => None,
        }
    }

    /// What a failed bind or connect means.
    pub(super) fn of_connect(error: &io::Error) -> Failure {
        let errno = Errno::of(error);
        match errno.name() {
            "EADDRINUSE" | "EADDRNOTAVAIL" => Failure::PortHeld(errno),
            "ENETUNREACH" | "EHOSTUNREACH" | "ENETDOWN" | "EHOSTDOWN" => Failure::Unreachable(errno),
            "ECONNREFUSED" | "ECONNRESET" | "ECONNABORTED" | "ETIMEDOUT" | "EPROTO" => {
                Failure::Connect(errno)
            }
            // EACCES, EPERM (a firewall of this machine), EINVAL, EMFILE, ENOBUFS, …
            _ => Failure::Unsent(errno),
        }
    }
}

impl Errno {
    pub(super) fn of(error: &io::Error) -> Errno {
        #[cfg(unix)]
        if let Some(number) = error.raw_os_error() {
            return Errno(format!("{:?}", nix::errno::Errno::from_raw(number)));
        }
        Errno(error.kind().to_string())
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::PortHeld(errno) => write!(f, "source port held by this computer ({errno})"),
            Failure::Unreachable(errno) => write!(f, "no way to the device ({errno})"),
            Failure::Unsent(errno) => write!(f, "this computer would not send ({errno})"),
            Failure::ConnectDeadline => f.write_str("no connection before the deadline"),
            Failure::Connect(errno) => write!(f, "connect: {errno}"),
            Failure::Send(errno) => write!(f, "sending the request: {errno}"),
            Failure::Receive(errno) => write!(f, "waiting for the answer: {errno}"),
            Failure::ResponseDeadline => f.write_str("connected, but no whole answer before the deadline"),
            Failure::ClosedEarly => f.write_str("closed before any answer"),
            Failure::Short => f.write_str("closed inside the answer"),
            Failure::TooLong => f.write_str("more than the announced answer"),
            Failure::NotHttp => f.write_str("answered, but not in HTTP"),
            Failure::Status(status) => write!(f, "HTTP status {status}"),
            Failure::Stopped => f.write_str("cut off by the end"),
            Failure::NotTried => f.write_str("not tried"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_connect(error: nix::errno::Errno) -> Failure {
        Failure::of_connect(&io::Error::from_raw_os_error(error as i32))
    }

    #[test]
    fn errors_keep_the_names_people_search_for() {
        assert_eq!(of_connect(nix::errno::Errno::ECONNREFUSED).to_string(), "connect: ECONNREFUSED");
        assert_eq!(Errno::of(&io::Error::from(io::ErrorKind::TimedOut)).name(), "timed out");
    }

    #[test]
    fn what_never_left_is_told_from_what_was_refused() {
        use nix::errno::Errno::*;
        let table = [
            (EADDRINUSE, Phase::Local, "port-held"),
            (EADDRNOTAVAIL, Phase::Local, "port-held"),
            (ENETUNREACH, Phase::Local, "unreachable"),
            (EHOSTUNREACH, Phase::Local, "unreachable"),
            (EACCES, Phase::Local, "unsent"),
            (EINVAL, Phase::Local, "unsent"),
            (ECONNREFUSED, Phase::Connect, "connect-failed"),
            (ETIMEDOUT, Phase::Connect, "connect-failed"),
            (ECONNRESET, Phase::Connect, "connect-failed"),
        ];
        for (errno, phase, kind) in table {
            let failure = of_connect(errno);
            assert_eq!((failure.phase(), failure.kind()), (phase, kind), "{errno}");
            assert_eq!(failure.errno().map(Errno::name), Some(format!("{errno:?}").as_str()));
        }
    }
}
