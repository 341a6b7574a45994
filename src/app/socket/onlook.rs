//! The `attach` command: somebody else's run, as it goes on.
//!
//! Reads the stream as that of a saved run is read, and trusts it no more. Asks nothing of the run: notes, switches and
//! reports are for those who started it.

use core::time::Duration;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    super::{
        exit::{self, NotPermitted, usage},
        look, privilege, sandbox,
        sandbox::Needs,
        saved_run,
        session::{self, Shown},
        shutdown::{self, Stop},
        successor::successor,
        terminal,
    },
    meeting::{Met, met},
};
use crate::analysis::{event::Event, rule::Severity};
use crate::cli::attach::AttachPlan;
use crate::text::escape;
use crate::tui::{self, Host, TuiOptions};

/// Events on their way to the screen; behind them the run keeps what it can, and tells what it cannot.
const IN_FLIGHT: usize = 2_048;
/// How often it is looked whether the run is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub fn run(plan: AttachPlan) -> Result<u8> {
    let shown = Shown::of(plan.output.view);
    let look = look::of(&plan.output)?;
    let successor = successor(plan.confinement.user.as_deref())?;
    let (stream, path) = connect(plan.socket)?;
    let needs = Needs { terminal: shown == Shown::Screen, ..Needs::default() };
    sandbox::enter(successor, &plan.confinement, &needs)?;

    let stop = Stop::default();
    shutdown::listen(&stop, None, terminal::restore)?;
    let name = path.display().to_string();
    let input = BufReader::new(UntilStopped { stream, stop: stop.clone() });
    let came = match session::sink(shown, plan.output.flow_events) {
        None => on_screen(input, name, look, &stop)?,
        Some(mut sink) => through(input, &name, &stop, |event| {
            if !saved_run::wanted(&plan.output).takes(&event) {
                return Ok(true);
            }
            saved_run::printed(sink.on_event(&event).and_then(|()| sink.flush()))
        }),
    };
    match came.error {
        Some(error) => Err(error),
        None if came.worst >= Some(Severity::Warning) => Ok(exit::ALERTED),
        None => Ok(exit::CLEAN),
    }
}

const START_ONE: &str = "start one that can be attached to: sudo esp-tcpwatch -d IP --headless --socket";

fn connect(named: Option<PathBuf>) -> Result<(UnixStream, PathBuf)> {
    let Some(path) = named else {
        return the_only(met(privilege::invoker()?.map(|invoker| invoker.uid)));
    };
    match UnixStream::connect(&path) {
        Ok(stream) => Ok((stream, path)),
        Err(error) => Err(refused(&path, error)),
    }
}

/// The run that is met, where it is one.
fn the_only(mut met: Met) -> Result<(UnixStream, PathBuf)> {
    if let [_, _, ..] = met.runs[..] {
        let runs: Vec<_> =
            met.runs.iter().map(|(path, _)| format!("  esp-tcpwatch attach {}", shown(path))).collect();
        return Err(usage(format!("{} runs answer; name one:\n{}", runs.len(), runs.join("\n"))));
    }
    match (met.runs.pop(), met.refused) {
        (Some((path, stream)), _) => Ok((stream, path)),
        (None, Some((path, error))) => Err(refused(&path, error)),
        (None, None) => {
            let places: Vec<_> = met.places.iter().map(|path| path.display().to_string()).collect();
            Err(usage(format!(
                "no run is met at {}\n  {START_ONE}, or name its socket",
                places.join(" or at ")
            )))
        }
    }
}

fn refused(path: &Path, error: io::Error) -> anyhow::Error {
    let place = escape(&path.to_string_lossy()).into_owned();
    match error.kind() {
        ErrorKind::NotFound => usage(format!("there is no {place}\n  {START_ONE}")),
        ErrorKind::ConnectionRefused => {
            usage(format!("the run of {place} is gone, or it is no run's\n  {START_ONE}"))
        }
        ErrorKind::PermissionDenied => NotPermitted(format!(
            "{place} is another user's\n  attach as the user whose run it is, as a member of its group where it has one \
             (--socket-group), or as root: sudo esp-tcpwatch attach {}",
            shown(path)
        ))
        .into(),
        _ => anyhow!(error).context(format!("cannot attach to {place}")),
    }
}

/// As a shell and a terminal may have it.
fn shown(path: &Path) -> String {
    escape(&privilege::quoted(&path.to_string_lossy())).into_owned()
}

/// The stream of the run, which ends for us when `stop` goes up.
struct UntilStopped {
    stream: UnixStream,
    stop: Stop,
}

impl Read for UntilStopped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let patience = PollTimeout::try_from(LOOK_EVERY).unwrap_or(PollTimeout::ZERO);
        while !self.stop.is_raised() {
            match poll(&mut [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)], patience) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return self.stream.read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }
}

/// What came of the reading.
struct Came {
    worst: Option<Severity>,
    error: Option<anyhow::Error>,
}

/// Hands every event on until the run's last, until `stop`, or until `show` says that nobody reads any more.
fn through(
    input: impl BufRead,
    name: &str,
    stop: &Stop,
    mut show: impl FnMut(Event) -> Result<bool>,
) -> Came {
    let (mut worst, mut is_first) = (None, true);
    for event in saved_run::events(input, name) {
        let event = match event {
            Ok(event) => event,
            // Half a line is left where we ended it ourselves.
            Err(_) if stop.is_raised() => break,
            Err(error) => return Came { worst, error: Some(error) },
        };
        is_first = false;
        if let Event::Alert(alert) = &event {
            worst = worst.max(Some(alert.severity));
        }
        let is_last = matches!(event, Event::Summary(_));
        match show(event) {
            Ok(true) if !is_last => {}
            Ok(_) => return Came { worst, error: None },
            Err(error) => return Came { worst, error: Some(error) },
        }
    }
    let error = match (stop.is_raised(), is_first) {
        (true, _) => None,
        (false, true) => Some(anyhow!(
            "the run of {name} hung up at once: it takes its own user, its group where it has one, and root, and sixteen at a time"
        )),
        (false, false) => Some(anyhow!(
            "the run of {name} broke off without its summary: it was killed, or it failed\n  its own stderr says more"
        )),
    };
    Came { worst, error }
}

fn on_screen(
    input: impl BufRead + Send + 'static,
    name: String,
    look: TuiOptions,
    stop: &Stop,
) -> Result<Came> {
    let options = TuiOptions { title: format!("attached to {name}"), ..look };
    let (to_screen, received) = sync_channel(IN_FLIGHT);
    let stopped = stop.clone();
    let thread = std::thread::Builder::new()
        .name("attached".into())
        .spawn(move || through(input, &name, &stopped, |event| Ok(to_screen.send(event).is_ok())))
        .context("cannot make the thread that reads the run")?;
    terminal::screen_is_up(true);
    let shown = tui::run(received, options, stop.flag(), &mut Onlooker);
    terminal::screen_is_up(false);
    stop.raise();
    let mut came = thread.join().map_err(|_| anyhow!("reading the run stopped with a programming error"))?;
    if let Err(error) = shown {
        came.error = Some(anyhow!(error).context("the terminal cannot be used; try --headless"));
    }
    Ok(came)
}

/// What a screen asks for and cannot have here.
struct Onlooker;

impl Host for Onlooker {
    fn export_report(&mut self) -> Result<String, String> {
        Err("this screen has not seen all of the run; --report where it was started has".to_owned())
    }

    fn mark(&mut self, _: &str) -> Result<(), String> {
        Err("this screen looks on; notes are made where the run was started".to_owned())
    }

    fn switch(&mut self, _: core::net::IpAddr, _: &str) -> Result<(), String> {
        Err("this screen looks on; esp-tcpwatch mode switches a device".to_owned())
    }
}
