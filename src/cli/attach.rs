//! The `attach` command, and where a run is met: what was typed, and what it means.
//!
//! Knows which options there are. Whether a run answers there is `app`'s to find out.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::args::{EventKind, OutputArgs};
use super::config::TuiSettings;
use super::confine::{ConfineArgs, Confinement};
use super::plan::{OutputPlan, PlanError, RedactPlan, output};

const NOTES: &str = "\
The run is one that was started with --socket, as

  sudo esp-tcpwatch -d 192.168.4.1 --headless --socket

and its user may attach, root, and with --socket-group a group. You see what has passed, as far as the run
remembers it, and then what comes. Leaving changes nothing for the run.

Exit code: as that of a run, of what was shown. 2: no run is there.
3: it is another user's. 4: it broke off.";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub struct AttachArgs {
    /// The run's socket [default: the one that answers in the folders esp-tcpwatch of $XDG_RUNTIME_DIR and of /run]
    #[arg(value_name = "SOCKET", value_hint = ValueHint::FilePath)]
    pub socket: Option<PathBuf>,
    /// Plain lines even where stdout is a terminal
    #[arg(long, help_heading = "Output")]
    pub headless: bool,
    /// One JSON object a line on stdout, and nothing else there
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Also write these events: flow (a connection opened, changed state, closed), segment (each segment)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND", help_heading = "Output")]
    pub events: Vec<EventKind>,
    /// Draw with ASCII only
    #[arg(long, help_heading = "Output")]
    pub ascii: bool,
    /// Of the configuration file alone.
    #[arg(skip)]
    pub tui: TuiSettings,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AttachPlan {
    /// `None`: where it is met when none is named.
    pub socket: Option<PathBuf>,
    /// Nothing is recorded or reported there.
    pub output: OutputPlan,
    pub confinement: Confinement,
}

/// Where others attach to a run, and who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketPlan {
    pub place: SocketPlace,
    /// Whose members may, too: a name or a number.
    pub group: Option<String>,
}

/// Where others attach to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketPlace {
    /// Where `attach` looks when none is named.
    Usual,
    At(PathBuf),
}

pub fn attach(args: AttachArgs) -> Result<AttachPlan, PlanError> {
    let shown = OutputArgs {
        headless: args.headless,
        json: args.json,
        events: args.events,
        ascii: args.ascii,
        tui: args.tui,
        ..OutputArgs::default()
    };
    Ok(AttachPlan {
        socket: args.socket,
        output: output(shown, RedactPlan::Keep)?,
        confinement: args.confine.into(),
    })
}

/// As `--socket` and `--socket-group` were typed.
pub(super) fn socket(socket: Option<Option<PathBuf>>, group: Option<String>) -> Option<SocketPlan> {
    socket.map(|path| SocketPlan { place: path.map_or(SocketPlace::Usual, SocketPlace::At), group })
}
