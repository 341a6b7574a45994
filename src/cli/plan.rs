//! What the command line means: validated, plain data.
//!
//! Everything that can be decided from the words alone is decided here, so that a plan can be carried out.
//! What needs the world (does the file exist, which address has the name, is stdout a terminal) is left to `app`.

use core::net::{IpAddr, SocketAddr};
use core::{fmt, time::Duration};
use std::path::{Path, PathBuf};

use clap_complete::Shell;

use super::args::{Cli, Command, EventKind, OutputArgs, ReportArgs, ReportFormat, ReportTemplate, WatchArgs};
use super::attach::{AttachPlan, SocketPlan, attach, socket};
use super::config::{ConfigPlan, TuiSettings};
use super::confine::Confinement;
use super::demo::demo;
use super::drive::{DrivePlan, drive};
use super::events_file::{EventsFile, events_file};
use super::experiment::{ExperimentPlan, experiment};
use super::firmware::{FirmwarePlan, firmware};
use super::mode::{ModePlan, mode};
use super::recorder::{RecorderPlan, over_a_file, recorder};
use super::redaction::redact;

pub use super::demo::DemoPlan;
pub use super::redaction::RedactPlan;
pub use super::rules::RulesPlan;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    Watch(WatchPlan),
    Attach(AttachPlan),
    Report(ReportPlan),
    Demo(DemoPlan),
    Drive(DrivePlan),
    Mode(ModePlan),
    Experiment(ExperimentPlan),
    Rules(RulesPlan),
    Firmware(FirmwarePlan),
    Config(ConfigPlan),
    Interfaces,
    Completions(Shell),
    Man,
}

#[derive(Clone, Debug, PartialEq)]
pub struct WatchPlan {
    pub from: From,
    pub devices: Vec<DeviceName>,
    /// Stop after this much wall-clock time.
    pub duration: Option<Duration>,
    /// Ask the test firmware of the devices.
    pub control: Option<ControlPlan>,
    /// Where the run's numbers are served.
    pub metrics: Option<SocketAddr>,
    /// Where others attach to the run.
    pub socket: Option<SocketPlan>,
    /// A file for the events.
    pub events: Option<EventsFile>,
    /// What writes the frames before and after each alert.
    pub recorder: Option<RecorderPlan>,
    pub output: OutputPlan,
    pub confinement: Confinement,
}

/// How the test firmware of the devices is asked, and with what it can be switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlan {
    pub port: u16,
    pub key_file: Option<PathBuf>,
}

/// Where the frames come from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// `interface`: `None` means the one towards the first device.
    Live {
        interface: Option<String>,
        filter: Option<String>,
        snaplen: Option<u32>,
    },
    File(PathBuf),
    Stdin,
}

/// A device as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceName {
    Address(IpAddr),
    Name(String),
}

/// How the events are shown and kept.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputPlan {
    pub view: View,
    pub flow_events: bool,
    pub segment_events: bool,
    pub record: Option<PathBuf>,
    pub report: Option<PathBuf>,
    /// Of the report; its ending tells it.
    pub report_format: ReportFormat,
    /// A report that exists is written over.
    pub force: bool,
    pub redact: RedactPlan,
    pub rules: Option<PathBuf>,
    /// What the analysis may take, octets.
    pub memory: Option<u64>,
    pub ascii: bool,
    /// Checked by the screen, which knows its themes and commands.
    pub tui: TuiSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The screen where stdout is a terminal, plain lines otherwise.
    Auto,
    Lines,
    Json,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReportPlan {
    /// `None`: stdin.
    pub input: Option<PathBuf>,
    pub devices: Vec<DeviceName>,
    /// `None`: stdout.
    pub output: Option<PathBuf>,
    pub format: ReportFormat,
    pub template: ReportTemplate,
    pub force: bool,
    pub redact: RedactPlan,
    pub rules: Option<PathBuf>,
    pub confinement: Confinement,
}

/// A command line that means nothing: which part, and what to type instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PlanError {
    what: String,
    next: String,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.what, self.next)
    }
}

pub(super) fn error(what: impl Into<String>, next: impl Into<String>) -> PlanError {
    PlanError { what: what.into(), next: next.into() }
}

impl TryFrom<Cli> for Plan {
    type Error = PlanError;

    fn try_from(cli: Cli) -> Result<Plan, PlanError> {
        match cli.command {
            None => watch(cli.watch).map(Plan::Watch),
            Some(Command::Watch(args)) => watch(args).map(Plan::Watch),
            Some(Command::Attach(args)) => attach(args).map(Plan::Attach),
            Some(Command::Report(args)) => report(args).map(Plan::Report),
            Some(Command::Demo(args)) => demo(args).map(Plan::Demo),
            Some(Command::Drive(args)) => drive(args).map(Plan::Drive),
            Some(Command::Mode(args)) => mode(args).map(Plan::Mode),
            Some(Command::Experiment(args)) => experiment(args).map(Plan::Experiment),
            Some(Command::Rules(command)) => Ok(Plan::Rules(command.into())),
            Some(Command::Firmware(command)) => firmware(command).map(Plan::Firmware),
            Some(Command::Config(command)) => Ok(Plan::Config(ConfigPlan { command, file: cli.config })),
            Some(Command::Interfaces) => Ok(Plan::Interfaces),
            Some(Command::Completions { shell }) => Ok(Plan::Completions(shell)),
            Some(Command::Man) => Ok(Plan::Man),
        }
    }
}

fn watch(args: WatchArgs) -> Result<WatchPlan, PlanError> {
    let devices = devices(&args.device)?;
    let control = control(&args);
    if control.is_some() && args.read.is_none() && devices.is_empty() {
        return Err(error(
            "--control asks the devices that are named, and none is",
            "name them with -d IP: nobody else is sent anything",
        ));
    }
    let live_only = [
        ("--iface", args.iface.is_some(), "the capture says itself where it was taken"),
        ("--filter", args.filter.is_some(), "choose hosts with --device instead"),
        ("--snaplen", args.snaplen.is_some(), "the frames are as long as they were captured"),
        ("--control", control.is_some(), "watch the device itself, with -d IP"),
    ];
    let endless_only = [
        ("--metrics", args.metrics.is_some(), "leave it out; --json tells the same numbers in its last line"),
        (
            "--events-to",
            args.events_file.events_to.is_some(),
            "leave it out, and send what --json writes to a file",
        ),
        ("--socket", args.socket.is_some(), "leave it out; -r shows the file to whoever reads it"),
        ("--duration", args.duration.is_some(), "leave it out, or cut the file with `editcap -A … -B …`"),
    ];
    let from = match args.read {
        None => {
            if args.iface.is_none() && devices.is_empty() {
                return Err(error(
                    "nothing to watch: no interface, device or capture is named",
                    "name one: -d IP, -i IF (see `esp-tcpwatch interfaces`) or -r FILE; \
                     `esp-tcpwatch demo` needs none of them; `esp-tcpwatch config path` is where one can be set",
                ));
            }
            if args.iface.as_deref().is_some_and(|name| name.trim().is_empty()) {
                return Err(error("--iface is empty", "`esp-tcpwatch interfaces` lists the names"));
            }
            From::Live { interface: args.iface, filter: args.filter, snaplen: args.snaplen }
        }
        Some(path) => {
            if let Some((option, _, next)) = live_only.iter().find(|(_, given, _)| *given) {
                return Err(error(format!("{option} is for live capture and cannot go with --read"), *next));
            }
            if path.as_os_str() == "-" {
                From::Stdin
            } else if let Some((option, _, next)) = endless_only.iter().find(|(_, given, _)| *given) {
                return Err(error(
                    format!("{option} is for live capture and streams: a file is over at once"),
                    *next,
                ));
            } else if args.recorder.recorder.is_some() {
                return Err(over_a_file());
            } else {
                From::File(path)
            }
        }
    };
    if let (From::File(read), Some(write)) = (&from, &args.output.write)
        && read == write
    {
        return Err(error(
            format!("--write would overwrite {}, the capture that is read", read.display()),
            "give another name to --write",
        ));
    }
    if args.redact.map.is_some() && args.output.report.is_none() {
        return Err(error("--map is the map of a report's stand-ins", "add --report FILE|DIR"));
    }
    let redact = redact(args.redact)?;
    let others = [("--write", args.output.write.as_deref()), ("--report", args.output.report.as_deref())];
    let events = events_file(args.events_file, &others)?;
    Ok(WatchPlan {
        from,
        devices,
        duration: args.duration,
        control,
        metrics: args.metrics,
        socket: socket(args.socket, args.socket_group),
        events,
        recorder: recorder(args.recorder)?,
        output: output(args.output, redact)?,
        confinement: args.confine.into(),
    })
}

/// Whoever names a port or a key means to ask.
fn control(args: &WatchArgs) -> Option<ControlPlan> {
    let asks = args.control || args.control_port.is_some() || args.key_file.is_some();
    asks.then(|| ControlPlan {
        port: args.control_port.unwrap_or(super::mode::PORT),
        key_file: args.key_file.clone(),
    })
}

fn report(args: ReportArgs) -> Result<ReportPlan, PlanError> {
    let input = (args.input.as_os_str() != "-").then_some(args.input);
    if let (Some(input), Some(output)) = (&input, &args.output)
        && input == output
    {
        return Err(error(
            format!("-o would overwrite {}, which is read", input.display()),
            "give another name to -o",
        ));
    }
    let format = args.format.unwrap_or_else(|| format_of(args.output.as_deref()));
    let has_headings = matches!(format, ReportFormat::Markdown | ReportFormat::Html);
    if !has_headings && args.template != ReportTemplate::Generic {
        return Err(error(
            "--template is for Markdown and HTML: the others have no headings",
            "leave it out, or give --format markdown",
        ));
    }
    Ok(ReportPlan {
        input,
        devices: devices(&args.device)?,
        output: args.output,
        format,
        template: args.template,
        force: args.force,
        redact: redact(args.redact)?,
        rules: args.rules,
        confinement: args.confine.into(),
    })
}

/// What the ending of a report's name asks for; Markdown where it asks for nothing that we know.
pub(super) fn format_of(path: Option<&Path>) -> ReportFormat {
    let ending = path.and_then(Path::extension).and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" => ReportFormat::Html,
        "json" => ReportFormat::Json,
        "pcapng" => ReportFormat::Pcapng,
        _ => ReportFormat::Markdown,
    }
}

pub(super) fn output(args: OutputArgs, redact: RedactPlan) -> Result<OutputPlan, PlanError> {
    if args.write.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        return Err(error(
            "--write - is not supported: stdout carries the events",
            "name a file: -w run.pcapng",
        ));
    }
    if args.report.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        return Err(error(
            "--report - is not supported: stdout carries the events",
            "name a file, or use `esp-tcpwatch report`, which prints",
        ));
    }
    let view = match (args.json, args.headless) {
        (true, _) => View::Json,
        (false, true) => View::Lines,
        (false, false) => View::Auto,
    };
    Ok(OutputPlan {
        view,
        flow_events: args.events.contains(&EventKind::Flow),
        segment_events: args.events.contains(&EventKind::Segment),
        record: args.write,
        report_format: format_of(args.report.as_deref()),
        report: args.report,
        force: args.force,
        redact,
        rules: args.rules,
        memory: args.memory,
        ascii: args.ascii,
        tui: args.tui,
    })
}

fn devices(names: &[String]) -> Result<Vec<DeviceName>, PlanError> {
    names.iter().map(|name| device(name.trim())).collect()
}

/// For a command that speaks to one device: `named`, unless it is none or several.
pub(super) fn one_device(named: Option<&str>, command: &str) -> Result<DeviceName, PlanError> {
    let Some(name) = named else {
        return Err(error(
            format!("{command} needs a device"),
            "name it with --device IP, or set `device` (`esp-tcpwatch config path` is where)",
        ));
    };
    if name.contains(',') {
        return Err(error(
            format!("{command} asks one device at a time"),
            "name one with -d, and run it again, or beside it, for another",
        ));
    }
    device(name.trim())
}

pub(super) fn device(name: &str) -> Result<DeviceName, PlanError> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    if let Ok(address) = bare.parse::<IpAddr>() {
        if address.is_unspecified() || address.is_multicast() {
            return Err(error(
                format!("--device {name} is not the address of one device"),
                "give the device's own address, as in -d 192.168.4.1",
            ));
        }
        return Ok(DeviceName::Address(address));
    }
    let next = if name.contains('/') {
        "networks are not taken; give the devices' addresses, separated by commas"
    } else if name.contains(':') {
        "give the address alone, without a port"
    } else {
        "give an address (192.168.4.1) or a name (esp32.local)"
    };
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    // Digits and dots only: an address with a slip in it, not a name to trouble a resolver with.
    let is_name = name.chars().all(letters) && name.chars().any(|c| c.is_ascii_alphabetic());
    if !is_name {
        return Err(error(format!("--device `{name}` is neither an address nor a name"), next));
    }
    Ok(DeviceName::Name(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn plan(words: &str) -> Result<Plan, String> {
        let words = std::iter::once("esp-tcpwatch").chain(words.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|e| e.to_string())?;
        Plan::try_from(cli).map_err(|e| e.to_string())
    }

    fn watch_plan(words: &str) -> WatchPlan {
        match plan(words) {
            Ok(Plan::Watch(plan)) => plan,
            other => panic!("{words}: {other:?}"),
        }
    }

    #[test]
    fn watch_is_what_no_command_means() {
        assert_eq!(plan("-d 10.0.0.2"), plan("watch -d 10.0.0.2"));
        assert_eq!(plan("-r a.pcap --json"), plan("watch -r a.pcap --json"));
    }

    #[test]
    fn devices_come_with_commas_or_repeats() {
        let plan = watch_plan("-d 10.0.0.2,esp32.local -d fe80::1");
        assert_eq!(
            plan.devices,
            [
                DeviceName::Address("10.0.0.2".parse().unwrap()),
                DeviceName::Name("esp32.local".into()),
                DeviceName::Address("fe80::1".parse().unwrap()),
            ]
        );
    }

    #[test]
    fn a_dash_is_stdin() {
        assert_eq!(watch_plan("-r -").from, From::Stdin);
        assert_eq!(watch_plan("-r x").from, From::File("x".into()));
    }

    #[test]
    fn json_wins_over_headless() {
        assert_eq!(watch_plan("-r x --json --headless").output.view, View::Json);
        assert_eq!(watch_plan("-r x --headless").output.view, View::Lines);
        assert_eq!(watch_plan("-r x").output.view, View::Auto);
    }

    #[test]
    fn a_key_or_a_port_means_to_ask() {
        let asked = |words: &str| watch_plan(words).control;
        let plan = |port, key: Option<&str>| Some(ControlPlan { port, key_file: key.map(PathBuf::from) });
        assert_eq!(asked("-d 10.0.0.2"), None, "nobody is sent anything unasked");
        assert_eq!(asked("-d 10.0.0.2 --control"), plan(7777, None));
        assert_eq!(asked("-d 10.0.0.2 --key-file k"), plan(7777, Some("k")));
        assert_eq!(asked("watch -d 10.0.0.2 --control-port 7"), plan(7, None));
    }

    #[test]
    fn what_makes_no_sense_says_what_to_type() {
        let table = [
            ("", "-d IP"),
            ("-r x -i lo", "--iface"),
            ("-r x -f tcp", "--device"),
            ("-r x --duration 3s", "editcap"),
            ("-r x -w x", "another name"),
            ("-r x -w -", "-w run.pcapng"),
            ("-d 10.0.0.300", "192.168.4.1"),
            ("-d 10.0.0.2:80", "without a port"),
            ("-d 10.0.0.0/24", "separated by commas"),
            ("-d 0.0.0.0", "own address"),
            ("-d 10.0.0.2 --duration 5", "with units"),
            ("-r x --socket", "leave it out"),
            ("-i lo --control", "-d IP"),
            ("-r x --key-file k", "--control is for live capture"),
            ("-d 10.0.0.2 --control-port 0", "1..=65535"),
            ("demo --duration 1s", "1500ms"),
            ("-d 10.0.0.2 --snaplen 10", "96"),
            ("report x -o x", "another name"),
            ("report x -o x.json --template esp-idf", "--format markdown"),
            ("report x --no-redact --map y", "leave --map"),
            ("-r x --map y", "add --report"),
            ("-i lo --disk-budget 1G", "--recorder DIR"),
            ("-i lo --recorder x --recorder-size 2M --disk-budget 1M", "smaller --recorder-size"),
            ("-i lo --recorder x --recorder-size 64", "64M"),
            ("-r x --recorder y", "--format pcapng"),
            ("mode", "--device"),
            ("mode fixed -d 10.0.0.2", "--key-file"),
            ("drive", "--device"),
            ("experiment", "demo --experiment"),
        ];
        for (words, next) in table {
            let message = plan(words).expect_err(words);
            assert!(message.contains(next), "{words}: {message}");
        }
    }

    #[test]
    fn the_ending_of_a_report_tells_its_format_and_an_option_overrides_it() {
        let formats = [
            ("a.md", ReportFormat::Markdown),
            ("a.HTML", ReportFormat::Html),
            ("b/a.json", ReportFormat::Json),
        ];
        for (name, format) in
            formats.into_iter().chain([("a", ReportFormat::Markdown), ("a.txt", ReportFormat::Markdown)])
        {
            assert_eq!(watch_plan(&format!("-r x --report {name}")).output.report_format, format, "{name}");
            let Ok(Plan::Report(plan)) = plan(&format!("report x -o {name}")) else { panic!("{name}") };
            assert_eq!(plan.format, format, "{name}");
        }
        let Ok(Plan::Report(plan)) = plan("report x -o a.md --format json") else {
            panic!("it means something")
        };
        assert_eq!(plan.format, ReportFormat::Json);
    }

    #[test]
    fn clap_finds_no_fault_in_the_definition() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
