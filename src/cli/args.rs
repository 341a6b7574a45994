//! What was typed: clap's picture of the command line, and its help.
//!
//! Knows names, defaults and spelling. Whether options make sense together is `plan`'s business.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::config::{ConfigCommand, TuiSettings};
use super::confine::ConfineArgs;
use super::rules::RulesCommand;
use super::settings::SNAPLEN;

const EXAMPLES: &str = "\
Examples:
  esp-tcpwatch demo                              see the bug caught, without any hardware
  sudo esp-tcpwatch -d 192.168.4.1               watch a device; its route names the interface
  sudo esp-tcpwatch -i wlan0 --json              every ESP32 on wlan0, one JSON object a line
  esp-tcpwatch -r trace.pcapng                   the same over a capture; needs no privilege
  ssh router tcpdump -U -s 128 -w - host 192.168.4.1 | esp-tcpwatch -r - -d 192.168.4.1
  esp-tcpwatch report trace.pcapng -o report.md  a report to attach to a bug report
  esp-tcpwatch drive -d 192.168.4.1              the traffic that provokes the bug, counted

Exit codes:
  0  nothing alerted (demo: the bug was shown and caught)
  1  at least one alert of severity warning or critical (rules test: a test does not hold)
  2  the command line or a rule file is wrong
  3  not permitted to capture
  4  the capture or an input failed (demo: the bug was not shown;
     drive: not one request could be sent)";

/// Watch TCP to and from an ESP32 and say in plain words why it stopped answering.
#[derive(Debug, Parser)]
#[command(name = "esp-tcpwatch", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, infer_subcommands = false)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings for what is left out here [default: $ESP_TCPWATCH_CONFIG, then esp-tcpwatch/config.toml in
    /// $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub watch: WatchArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch an interface, a capture or a stream (what happens when no command is given)
    #[command(after_help = EXAMPLES)]
    Watch(WatchArgs),
    /// Write a report of a capture or of a saved --json run
    Report(ReportArgs),
    /// Show the bug and catch it, without hardware: the real lwIP, a client that reuses ports, and the watcher
    Demo(DemoArgs),
    /// Send a device the traffic that provokes the bug, and count how it takes it; needs no root
    Drive(super::drive::DriveArgs),
    /// Show what a device's test firmware says of itself, or switch its remedies
    Mode(super::mode::ModeArgs),
    /// The rules that turn what is seen into alerts
    #[command(subcommand)]
    Rules(RulesCommand),
    /// The test firmware for boards: write it into a directory, or onto a MicroPython board
    #[command(subcommand)]
    Firmware(super::firmware::FirmwareCommand),
    /// What is set for the command line by the configuration file and the environment
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List the interfaces that can be captured
    Interfaces,
    /// Print a shell's completion script
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// How the events are shown and kept: what every watching command has in common.
#[derive(Debug, Default, Args)]
pub struct OutputArgs {
    /// Plain lines even where stdout is a terminal
    #[arg(long, help_heading = "Output")]
    pub headless: bool,
    /// One JSON object a line on stdout, and nothing else there
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Also write these events: flow (a connection opened, changed state, closed)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND", help_heading = "Output")]
    pub events: Vec<EventKind>,
    /// Record the frames while watching
    #[arg(short, long, value_name = "FILE.pcapng", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub write: Option<PathBuf>,
    /// Write a Markdown report at the end; in a directory it gets a name with the time
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath, help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Draw with ASCII only
    #[arg(long, help_heading = "Output")]
    pub ascii: bool,
    /// Rule files (*.toml): each replaces the built-in rule of its id, or is a rule of one's own
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub rules: Option<PathBuf>,
    /// Of the configuration file alone.
    #[arg(skip)]
    pub tui: TuiSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventKind {
    Flow,
}

#[derive(Debug, Default, Args)]
pub struct WatchArgs {
    /// Interface to capture on; left out, the route to the device names it
    #[arg(short, long, value_name = "IF")]
    pub iface: Option<String>,
    /// Devices, by address or name; left out, they are recognised by Espressif's MAC addresses
    #[arg(short, long, value_name = "IP", value_delimiter = ',')]
    pub device: Vec<String>,
    /// A capture (pcap, pcapng) instead of an interface; - is stdin, live when it is a stream
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub read: Option<PathBuf>,
    /// Capture filter in libpcap's language; left out, it follows from the devices
    #[arg(short, long, value_name = "BPF")]
    pub filter: Option<String>,
    /// Stop after this time, as in 30s, 5m, 1h
    #[arg(long, value_name = "TIME", value_parser = super::span::parse)]
    pub duration: Option<Duration>,
    /// Octets kept of each frame: enough for headers and options by default
    #[arg(long, value_name = "OCTETS", value_parser = snaplen())]
    pub snaplen: Option<u32>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

fn snaplen() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*SNAPLEN.start())..=i64::from(*SNAPLEN.end()))
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A capture, a saved --json run, or - for stdin
    #[arg(value_name = "RUN|CAPTURE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// Devices, by address or name (captures only: a saved run has its devices)
    #[arg(short, long, value_name = "IP", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Where to write; stdout when left out
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = ReportFormat::Markdown)]
    pub format: ReportFormat,
    /// Rule files (*.toml): each replaces the built-in rule of its id, or is a rule of one's own
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub rules: Option<PathBuf>,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Markdown,
}

#[derive(Debug, Args)]
#[command(after_help = DEMO_NOTES)]
pub struct DemoArgs {
    /// Source ports that the client uses twice
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub ports: u16,
    /// What the device does to a reused port
    #[arg(long, value_enum, default_value_t = DemoMode::Unfixed)]
    pub mode: DemoMode,
    /// One remedy over the mode, on its own; may be given again: msl_ms=6000, rst_in_time_wait=honour,
    /// syn_in_time_wait=accept, close=keep-alive, pcb_cap=12
    #[arg(long, value_name = "REMEDY=VALUE")]
    pub remedy: Vec<String>,
    /// How long the client keeps trying to get in again [default: 4s, in a terminal 12s]
    #[arg(long, value_name = "TIME", value_parser = super::span::parse)]
    pub duration: Option<Duration>,
    /// Seed of the device's random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The twin's executable [default: $ESP_TCPWATCH_TWIN, then where `make twin` puts it]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub twin: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

const DEMO_NOTES: &str = "\
The device is the real lwIP with ESP-IDF's settings on a TAP of its own network namespace.
Exit code 0: the bug was shown and caught. 4: it was not, and the last lines say why;
that includes --mode fixed, where the device has no bug to show.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DemoMode {
    /// As ESP-IDF ships: a reused port is refused for two minutes
    Unfixed,
    /// With the remedies: a reused port is accepted
    Fixed,
}

impl DemoMode {
    /// The word the twin's command line has for it.
    pub fn word(self) -> &'static str {
        match self {
            DemoMode::Unfixed => "unfixed",
            DemoMode::Fixed => "fixed",
        }
    }
}
