//! What was typed: clap's picture of the command line, and its help.
//!
//! Knows names, defaults and spelling. Whether options make sense together is `plan`'s business.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::config::{ConfigCommand, TuiSettings};
use super::confine::ConfineArgs;
use super::recorder::RecorderArgs;
use super::redaction::RedactArgs;
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
  esp-tcpwatch report trace.pcapng --format pcapng -o evidence.pcapng   and the packets it cites
  esp-tcpwatch drive -d 192.168.4.1              the traffic that provokes the bug, counted

Exit codes:
  0  nothing alerted (demo: the bug was shown and caught)
  1  at least one alert of severity warning or critical (rules test: a test does not hold;
     experiment: an arm that declares the bug gone shows it)
  2  the command line or a rule file is wrong
  3  not permitted to capture
  4  the capture or an input failed (demo: the bug was not shown;
     drive: not one request could be sent; experiment: not measurable)";

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
    /// Look at a run that was started with --socket, as it goes on
    Attach(super::attach::AttachArgs),
    /// Write a report of a capture, of a saved --json run or of an experiment's results
    Report(ReportArgs),
    /// Show the bug and catch it, without hardware: the real lwIP, a client that reuses ports, and the watcher
    Demo(DemoArgs),
    /// Send a device the traffic that provokes the bug, and count how it takes it; needs no root
    Drive(super::drive::DriveArgs),
    /// Show what a device's test firmware says of itself, or switch its remedies
    Mode(super::mode::ModeArgs),
    /// Prove which remedy helps: switch a device's test firmware, provoke the bug, watch and compare
    Experiment(super::experiment::ExperimentArgs),
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
    /// Also write these events: flow (a connection opened, changed state, closed), segment (each segment)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND", help_heading = "Output")]
    pub events: Vec<EventKind>,
    /// Record the frames while watching
    #[arg(short, long, value_name = "FILE.pcapng", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub write: Option<PathBuf>,
    /// Write a report at the end: FILE.md, FILE.html, FILE.json, or FILE.pcapng for the packets that it would cite; in a
    /// directory Markdown under a name with the time, and those packets beside it
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath, help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Write over a report that exists, without asking
    #[arg(long, help_heading = "Output")]
    pub force: bool,
    /// Draw with ASCII only
    #[arg(long, help_heading = "Output")]
    pub ascii: bool,
    /// Rule files (*.toml): each replaces the built-in rule of its id, or is a rule of one's own
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub rules: Option<PathBuf>,
    /// Of the configuration file alone.
    #[arg(skip)]
    pub tui: TuiSettings,
    /// What the analysis may take, as in 64M or 1G; where it is too little for all connections, those without an answer
    /// are forgotten first, then those quiet for longest [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = super::size::memory)]
    pub memory: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventKind {
    Flow,
    Segment,
}

#[derive(Debug, Default, Args)]
pub struct WatchArgs {
    /// Interface to capture on; left out, the route to the device names it
    #[arg(short, long, value_name = "IF")]
    pub iface: Option<String>,
    /// Devices, by address or name; left out, they are recognised by Espressif's MAC addresses
    #[arg(short, long, value_name = "IP", value_delimiter = ',')]
    pub device: Vec<String>,
    /// A capture (pcap, pcapng) or a saved --json run instead of an interface; - is a capture on stdin, live when it is a
    /// stream
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
    /// Ask the test firmware of the named devices for its mode and its own list of connections, once a second: sends
    /// them UDP, which nothing else here does
    #[arg(long, help_heading = "Test firmware")]
    pub control: bool,
    /// UDP port of the devices' control channel, with what --control does [default: 7777]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Test firmware")]
    pub control_port: Option<u16>,
    /// The key that their firmware was built or started with, so that the screen can switch them; does what --control
    /// does
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Test firmware")]
    pub key_file: Option<PathBuf>,
    /// Serve the run's numbers to Prometheus at http://ADDRESS:PORT/metrics; PORT alone means 127.0.0.1, port 0 any that
    /// is free
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = super::endpoint::parse, help_heading = "Output")]
    pub metrics: Option<SocketAddr>,
    /// Let `esp-tcpwatch attach` look at the run, as its user or root [default for PATH: esp-tcpwatch/watch.sock in the
    /// user's folder in /run/user, else in /run]
    #[arg(long, value_name = "PATH", num_args = 0..=1, value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub socket: Option<Option<PathBuf>>,
    /// Let the members of this group attach as well [default for --socket's PATH: esp-tcpwatch/watch.sock in /run, where
    /// they can get]
    #[arg(long, value_name = "NAME", requires = "socket", help_heading = "Output")]
    pub socket_group: Option<String>,

    #[command(flatten)]
    pub events_file: super::events_file::EventsFileArgs,
    #[command(flatten)]
    pub recorder: RecorderArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub redact: RedactArgs,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

fn snaplen() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*SNAPLEN.start())..=i64::from(*SNAPLEN.end()))
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A capture, a saved --json run, the results of an experiment, or - for stdin
    #[arg(value_name = "RUN|CAPTURE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// Devices, by address or name (captures only: a saved run has its devices)
    #[arg(short, long, value_name = "IP", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Where to write; stdout when left out
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// What to write; left out, the ending of FILE tells it (.md, .html, .json, .pcapng), and without one it is Markdown
    #[arg(long, value_enum)]
    pub format: Option<ReportFormat>,
    /// Whose issue form the headings are for; what the wire cannot know is left as a marked blank
    #[arg(long, value_enum, default_value_t = ReportTemplate::Generic)]
    pub template: ReportTemplate,
    /// Write over FILE where it exists, without asking
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub redact: RedactArgs,
    /// Rule files (*.toml): each replaces the built-in rule of its id, or is a rule of one's own
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub rules: Option<PathBuf>,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a bug issue: never longer than GitHub takes
    Markdown,
    /// One file to read, with a picture of the run over time
    Html,
    /// For programs
    Json,
    /// The packets that the findings cite, with comments; from a capture only
    Pcapng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportTemplate {
    /// Nobody's form: what convinces comes first
    Generic,
    /// The bug report of micropython/micropython
    Micropython,
    /// The runtime bug report of espressif/esp-idf
    EspIdf,
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
    /// How long the client keeps trying to get in again [default: 4s, in a terminal 12s, in an experiment 20s]
    #[arg(long, value_name = "TIME", value_parser = super::span::parse)]
    pub duration: Option<Duration>,
    /// Seed of the device's random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The twin's executable [default: $ESP_TCPWATCH_TWIN, then where `make twin` puts it]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub twin: Option<PathBuf>,
    /// Compare the device's remedies instead, as `esp-tcpwatch experiment` does; about two minutes
    #[arg(long, conflicts_with_all = ["mode", "remedy", "ports", "events", "write", "recorder", "rules"], help_heading = "Experiment")]
    pub experiment: bool,
    #[command(flatten)]
    pub shape: super::experiment::ShapeArgs,
    #[command(flatten)]
    pub recorder: RecorderArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

const DEMO_NOTES: &str = "\
The device is the real lwIP with ESP-IDF's settings on a TAP of its own network namespace.
Exit code 0: the bug was shown and caught. 4: it was not, and the last lines say why;
that includes --mode fixed, where the device has no bug to show.
With --experiment: 0 every arm behaves as it declares; 1 an arm that declares the bug gone
shows it; 4 not measurable. `esp-tcpwatch experiment --help` tells how it is done.";

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
