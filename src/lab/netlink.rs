//! Setting an interface up and giving it an address, in rtnetlink's own words. Knows these two requests and their
//! answer, and no namespace.
//!
//! Netlink rather than the old ioctls: only here can an IPv6 address be exempted from duplicate detection in the same
//! step (by ioctl it would be unusable for its first second; the sysctl is read-only in many containers).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType};

use super::error::LabError;
use super::namespace;

pub(super) struct Route {
    socket: OwnedFd,
    sequence: u32,
}

/// A request the kernel turned down.
#[derive(Debug)]
pub(super) struct Refused {
    what: String,
    errno: Errno,
}

impl Refused {
    /// IPv6 is not in this kernel, or is switched off: for a lab no reason to give up.
    pub(super) fn is_lack_of_ipv6(&self) -> bool {
        matches!(self.errno, Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP | Errno::EACCES)
    }
}

impl From<Refused> for LabError {
    fn from(refused: Refused) -> Self {
        let cause = io::Error::from(refused.errno);
        let advice = match refused.errno {
            Errno::EPERM | Errno::EACCES => namespace::advice_about(&cause),
            _ => "the kernel is not known to refuse this; `dmesg` may know more".to_owned(),
        };
        LabError::Configure { what: refused.what, cause, advice }
    }
}

impl Route {
    /// A socket belongs to the namespace it was opened in.
    pub(super) fn open() -> Result<Self, Refused> {
        let opened = socket::socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        );
        match opened {
            Ok(socket) => Ok(Route { socket, sequence: 0 }),
            Err(errno) => Err(Refused { what: "open a netlink socket".to_owned(), errno }),
        }
    }

    pub(super) fn up(&mut self, interface: &str, mac: Option<[u8; 6]>) -> Result<(), Refused> {
        self.ask(format!("set {interface} up"), |sequence| {
            Ok(Message::link_up(sequence, if_nametoindex(interface)?, mac))
        })
    }

    pub(super) fn add_address(
        &mut self,
        interface: &str,
        address: IpAddr,
        prefix: u8,
    ) -> Result<(), Refused> {
        self.ask(format!("give {interface} the address {address}/{prefix}"), |sequence| {
            Ok(Message::add_address(sequence, if_nametoindex(interface)?, address, prefix))
        })
    }

    fn ask(
        &mut self,
        what: String,
        message: impl FnOnce(u32) -> Result<Vec<u8>, Errno>,
    ) -> Result<(), Refused> {
        self.sequence += 1;
        let sequence = self.sequence;
        let fd = self.socket.as_raw_fd();
        let mut answer = [0u8; 1024];
        message(sequence)
            .and_then(|message| socket::send(fd, &message, MsgFlags::empty()))
            .and_then(|_| socket::recv(fd, &mut answer, MsgFlags::empty()))
            .and_then(|length| acknowledged(answer.get(..length).unwrap_or(&[]), sequence))
            .map_err(|errno| Refused { what, errno })
    }
}

/// One request, octet for octet: `nlmsghdr`, a fixed part, attributes. All numbers in the host's order.
struct Message(Vec<u8>);

impl Message {
    /// `ifinfomsg`: the one flag that is to change, and to what.
    fn link_up(sequence: u32, index: u32, mac: Option<[u8; 6]>) -> Vec<u8> {
        let mut message = Message::new(libc::RTM_NEWLINK, 0, sequence);
        message.put(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        message.put(&index.to_ne_bytes());
        let up = libc::IFF_UP as u32;
        message.put(&up.to_ne_bytes());
        message.put(&up.to_ne_bytes());
        if let Some(mac) = mac {
            message.attribute(libc::IFLA_ADDRESS, &mac);
        }
        message.finish()
    }

    /// `ifaddrmsg`, then the address as ours and as the network's.
    fn add_address(sequence: u32, index: u32, address: IpAddr, prefix: u8) -> Vec<u8> {
        let (family, flags, octets) = match address {
            IpAddr::V4(address) => (libc::AF_INET, 0, address.octets().to_vec()),
            IpAddr::V6(address) => (libc::AF_INET6, libc::IFA_F_NODAD, address.octets().to_vec()),
        };
        let flags_of_request = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        let mut message = Message::new(libc::RTM_NEWADDR, flags_of_request, sequence);
        message.put(&[family as u8, prefix, flags as u8, libc::RT_SCOPE_UNIVERSE]);
        message.put(&index.to_ne_bytes());
        message.attribute(libc::IFA_LOCAL, &octets);
        message.attribute(libc::IFA_ADDRESS, &octets);
        message.finish()
    }

    fn new(kind: u16, flags: u16, sequence: u32) -> Self {
        let flags = flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut message = Message(Vec::with_capacity(64));
        message.put(&0u32.to_ne_bytes()); // the length, once it is known
        message.put(&kind.to_ne_bytes());
        message.put(&flags.to_ne_bytes());
        message.put(&sequence.to_ne_bytes());
        message.put(&0u32.to_ne_bytes()); // to the kernel
        message
    }

    fn put(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.put(&(value.len() as u16 + 4).to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() as u32).to_ne_bytes();
        for (to, from) in self.0.iter_mut().zip(length) {
            *to = from;
        }
        self.0
    }
}

/// The answer to a request is NLMSG_ERROR with a negated errno, zero for done.
fn acknowledged(answer: &[u8], sequence: u32) -> Result<(), Errno> {
    let word = |at: usize| -> Result<[u8; 4], Errno> {
        answer.get(at..at + 4).and_then(|octets| octets.try_into().ok()).ok_or(Errno::EBADMSG)
    };
    let [k0, k1, _, _] = word(4)?;
    let is_ours = u32::from_ne_bytes(word(8)?) == sequence;
    if i32::from(u16::from_ne_bytes([k0, k1])) != libc::NLMSG_ERROR || !is_ours {
        return Err(Errno::EBADMSG);
    }
    match i32::from_ne_bytes(word(16)?) {
        0 => Ok(()),
        negated => Err(Errno::from_raw(negated.wrapping_neg())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_says_and_aligned() {
        let messages = [
            (Message::link_up(7, 3, None), 32),
            (Message::link_up(7, 3, Some([2, 0x77, 0, 0, 0, 1])), 32 + 12),
            (Message::add_address(7, 3, "10.77.0.1".parse().unwrap(), 24), 24 + 8 + 8),
            (Message::add_address(7, 3, "fd77::1".parse().unwrap(), 64), 24 + 20 + 20),
        ];
        for (message, length) in messages {
            assert_eq!(message.len(), length);
            assert_eq!(message[..4], (length as u32).to_ne_bytes());
            assert_eq!(message[8..12], 7u32.to_ne_bytes());
        }
    }

    #[test]
    fn an_ipv6_address_is_usable_at_once() {
        let message = Message::add_address(1, 2, "fd77::1".parse().unwrap(), 64);
        assert_eq!(message[16..20], [libc::AF_INET6 as u8, 64, 0x02, 0]); // IFA_F_NODAD
    }

    #[test]
    fn the_answer_is_read_with_suspicion() {
        let answer = |kind: u16, sequence: u32, error: i32| {
            let mut octets = 36u32.to_ne_bytes().to_vec();
            octets.extend(kind.to_ne_bytes());
            octets.extend([0, 0]);
            octets.extend(sequence.to_ne_bytes());
            octets.extend([0; 4]);
            octets.extend(error.to_ne_bytes());
            octets
        };
        assert_eq!(acknowledged(&answer(2, 5, 0), 5), Ok(()));
        assert_eq!(acknowledged(&answer(2, 5, -1), 5), Err(Errno::EPERM));
        assert_eq!(acknowledged(&answer(2, 4, 0), 5), Err(Errno::EBADMSG));
        assert_eq!(acknowledged(&answer(3, 5, 0), 5), Err(Errno::EBADMSG));
        assert_eq!(acknowledged(&answer(2, 5, i32::MIN), 5), Err(Errno::UnknownErrno));
        for end in 0..20 {
            assert_eq!(acknowledged(&answer(2, 5, 0)[..end], 5), Err(Errno::EBADMSG));
        }
    }
}
