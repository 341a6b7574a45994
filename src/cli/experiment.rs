//! The `experiment` command: what was typed, and what it means.
//!
//! Knows which options make sense together. Which remedies a device takes, and what a file of results holds, is `app`'s.

use core::time::Duration;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::args::{OutputArgs, RedactArgs, ReportFormat};
use super::config::TuiSettings;
use super::confine::{ConfineArgs, Confinement};
use super::plan::{DeviceName, OutputPlan, PlanError, RedactPlan, device, error, format_of, output, redact};

const NOTES: &str = "\
Which remedy helps how much: switch the test firmware, provoke the bug, watch,
and compare. The device runs the esp-tcpwatch test firmware, with a key.

  sudo esp-tcpwatch experiment -d 192.168.4.1 --key-file key
  sudo esp-tcpwatch experiment -d 192.168.4.1 --key-file key -o proof.html \\
       --arms unfixed,msl_ms=6000,close=keep-alive,pcb_cap=12,fixed
  esp-tcpwatch experiment --resume proof.jsonl     shows a finished one again
  esp-tcpwatch report proof.jsonl -o proof.html    its report, made again
  esp-tcpwatch demo --experiment                   all of it without hardware

An arm is a mode (unfixed, fixed, fixed-app, fixed-all), a remedy over unfixed
(REMEDY=VALUE, as `esp-tcpwatch mode --help` lists them), or several with +.

First, unfixed must show the bug; if it does not, the set-up is not measuring
it, and that is the end (exit code 4). Then blocks of all arms, in a drawn and
mirrored order. In a block each source port is new to the device and fetches
one page; then the newest and the oldest of them are used again. Results are
written after each block, to FILE.jsonl; a block in which the device restarted,
went silent or left its mode is done again, at most three times.
The same -o, or --resume, goes on after an interruption. While it runs, the
device is asked once a second for its own list of connections in TIME-WAIT.

The more arms, the surer each must be: p-values are corrected for their number
(Holm), and three arms or more take three rounds.

--keep DIR leaves each block's packets in a file of its own, named by its number
and its arm; the report names them, and `esp-tcpwatch -r` reads them.

In a terminal the screens show the traffic as it comes, and the device's (5) how
far the experiment is; q interrupts it. --headless tells each block in a line.

--json prints one object at the end: type \"experiment\", schema, spec,
comparison (control, arms, differences, conclusion) and section.

Exit code 0: every arm behaves as it declares. 1: an arm that declares the bug
gone shows it. 2: the command line, the key or a file of results is wrong.
3: not permitted to capture. 4: not measurable, interrupted, or failed.";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub struct ExperimentArgs {
    /// The device, by address or name
    #[arg(short, long, value_name = "IP")]
    pub device: Option<String>,
    /// The port of its web server
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// UDP port of its control channel
    #[arg(long, default_value_t = 7777, value_parser = clap::value_parser!(u16).range(1..))]
    pub control_port: u16,
    /// The key that its firmware was built or started with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// Interface to capture on; left out, the route to the device names it
    #[arg(short, long, value_name = "IF")]
    pub iface: Option<String>,
    /// Source ports there are to use
    #[arg(long, value_name = "FIRST-LAST", default_value = "20000-59999", value_parser = range)]
    pub source_ports: (u16, u16),
    /// Ports used again, of the newest and of the oldest each
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub reuse: u16,
    /// Ports used once between them: with these, more than a device's cap on connections
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub between: u16,
    /// Seed of the order of the blocks
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long a second connection may take
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = super::span::parse)]
    pub patience: Duration,
    /// Write a report at the end: FILE.md, FILE.html or FILE.json; in a directory Markdown under a name with the time
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub report: Option<PathBuf>,
    /// Write over a report that exists, without asking
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub redact: RedactArgs,
    /// Go on with these results, or show them again
    #[arg(long, value_name = "FILE.jsonl", value_hint = ValueHint::FilePath, conflicts_with = "output")]
    pub resume: Option<PathBuf>,
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// The comparison as one JSON object on stdout, and nothing else there
    #[arg(long)]
    pub json: bool,
    /// Plain lines even where stdout is a terminal
    #[arg(long)]
    pub headless: bool,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Of the configuration file alone.
    #[arg(skip)]
    pub tui: TuiSettings,
    #[command(flatten)]
    pub confine: ConfineArgs,
}

/// What an experiment and the demo of one have in common.
#[derive(Debug, Default, Args)]
pub struct ShapeArgs {
    /// What is compared, each against the first that declares the bug [default: unfixed,fixed]
    #[arg(long, value_name = "ARMS", value_delimiter = ',', help_heading = "Experiment")]
    pub arms: Vec<String>,
    /// Rounds: two blocks of each arm in each [default: 2, with three arms or more 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=500), help_heading = "Experiment")]
    pub rounds: Option<u32>,
    /// The results (JSON Lines); with .md or .html the report, and the results beside it [default: a name with the time]
    #[arg(short, long, value_name = "FILE.jsonl|FILE.md|FILE.html", value_hint = ValueHint::FilePath, help_heading = "Experiment")]
    pub output: Option<PathBuf>,
    /// Keep the packets of each block, as block-NUMBER-ARM.pcapng
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Experiment")]
    pub keep: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ExperimentPlan {
    /// Absent only where results are shown again or gone on with: they name it.
    pub device: Option<DeviceName>,
    pub port: u16,
    pub control_port: u16,
    pub key_file: Option<PathBuf>,
    pub interface: Option<String>,
    pub resume: Option<PathBuf>,
    pub shape: Shape,
    pub output: OutputPlan,
    pub confinement: Confinement,
}

/// The experiment itself, as it was typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub arms: Vec<String>,
    /// `None`: as many as there must be for so many arms.
    pub rounds: Option<u32>,
    pub seed: u64,
    pub reuse: u16,
    pub between: u16,
    pub patience: Duration,
    pub source_ports: (u16, u16),
    /// Of the results; `None`: a name with the time.
    pub output: Option<PathBuf>,
    /// The directory of the recordings.
    pub keep: Option<PathBuf>,
    pub page: PagePlan,
}

/// The report, where one is asked for; its ending tells the format.
#[derive(Clone, Debug, PartialEq)]
pub struct PagePlan {
    pub report: Option<PathBuf>,
    /// One that exists is written over.
    pub force: bool,
    pub redact: RedactPlan,
}

impl PagePlan {
    pub fn format(&self) -> ReportFormat {
        format_of(self.report.as_deref())
    }
}

pub(super) fn experiment(args: ExperimentArgs) -> Result<ExperimentPlan, PlanError> {
    if args.resume.is_none() && args.device.is_none() {
        return Err(error(
            "no device is named",
            "give it, as in -d 192.168.4.1; `demo --experiment` needs none",
        ));
    }
    if args.resume.is_none() && args.key_file.is_none() {
        return Err(error(
            "an experiment switches the device, and needs its key",
            "--key-file FILE, with the key that its firmware was built or started with",
        ));
    }
    if args.redact.map.is_some() && args.report.is_none() && !is_page(args.shape.output.as_deref()) {
        return Err(error("--map is the map of a report's stand-ins", "add --report FILE"));
    }
    let page = PagePlan { report: args.report, force: args.force, redact: redact(args.redact)? };
    let mut shape = shape(args.shape, page)?;
    shape.seed = args.seed;
    shape.reuse = args.reuse;
    shape.between = args.between;
    shape.patience = args.patience;
    shape.source_ports = args.source_ports;
    Ok(ExperimentPlan {
        device: args.device.as_deref().map(|name| device(name.trim())).transpose()?,
        port: args.port,
        control_port: args.control_port,
        key_file: args.key_file,
        interface: args.iface,
        resume: args.resume,
        shape,
        output: output(
            OutputArgs {
                json: args.json,
                headless: args.headless,
                ascii: args.ascii,
                tui: args.tui,
                ..OutputArgs::default()
            },
            RedactPlan::Redact { map: None },
        )?,
        confinement: args.confine.into(),
    })
}

impl ShapeArgs {
    pub(super) fn is_empty(&self) -> bool {
        self.arms.is_empty() && self.rounds.is_none() && self.output.is_none() && self.keep.is_none()
    }
}

/// What the demo takes of it; the rest is as `experiment` has it where nothing is said.
pub(super) fn shape(args: ShapeArgs, mut page: PagePlan) -> Result<Shape, PlanError> {
    let mut output = args.output;
    if is_page(output.as_deref()) {
        if page.report.is_some() {
            return Err(error(
                "-o and --report both name a report",
                "give the results to -o: -o proof.jsonl",
            ));
        }
        let results = output.as_ref().map(|page| page.with_extension("jsonl"));
        page.report = core::mem::replace(&mut output, results);
    }
    if page.report.as_ref().is_some_and(|report| report.as_os_str() == "-") {
        return Err(error("--report - is not supported: stdout carries the comparison", "name a file"));
    }
    if page.report.is_some() && page.format() == ReportFormat::Pcapng {
        return Err(error(
            "a report of an experiment holds no packets",
            "--keep DIR keeps those of each block; name the report .md, .html or .json",
        ));
    }
    if page.report.is_some() && page.report == output {
        return Err(error("--report would overwrite the results", "give another name to --report"));
    }
    let left_out = ["unfixed", "fixed"].map(str::to_owned).to_vec();
    Ok(Shape {
        arms: if args.arms.is_empty() { left_out } else { args.arms },
        rounds: args.rounds,
        seed: 1,
        reuse: 5,
        between: 10,
        patience: Duration::from_secs(20),
        source_ports: (20_000, 59_999),
        output,
        keep: args.keep,
        page,
    })
}

/// `-o` names a report, and the results are beside it.
fn is_page(output: Option<&Path>) -> bool {
    let ending = output.and_then(Path::extension).and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["md", "html", "htm"].contains(&ending.to_ascii_lowercase().as_str()))
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let ends = text.split_once('-').and_then(|(first, last)| {
        Some((first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?))
    });
    match ends {
        Some((first, last)) if first >= 1024 && first <= last => Ok((first, last)),
        _ => Err(format!("`{text}`: give FIRST-LAST, from 1024 to 65535, as in 20000-59999")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Plan, args::Cli, plan::View};

    fn plan(words: &str) -> Result<ExperimentPlan, String> {
        let words = ["esp-tcpwatch", "experiment"].into_iter().chain(words.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        match Plan::try_from(cli).map_err(|error| error.to_string())? {
            Plan::Experiment(plan) => Ok(plan),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_is_unfixed_against_fixed() {
        let plan = plan("-d 10.0.0.2 --key-file k").unwrap();
        let page = PagePlan { report: None, force: false, redact: RedactPlan::Redact { map: None } };
        assert_eq!(plan.shape, shape(ShapeArgs::default(), page).unwrap());
        assert_eq!(
            (plan.shape.arms, plan.shape.rounds),
            (vec!["unfixed".to_owned(), "fixed".to_owned()], None)
        );
        assert_eq!((plan.port, plan.control_port, plan.output.view), (80, 7777, View::Auto));
    }

    #[test]
    fn a_page_has_its_results_beside_it() {
        let places = |words: &str| {
            let shape = plan(&format!("-d 10.0.0.2 --key-file k {words}"))?.shape;
            let name = |path: Option<PathBuf>| path.map_or(String::new(), |path| path.display().to_string());
            Ok::<_, String>((name(shape.output), name(shape.page.report)))
        };
        let both = |results: &str, report: &str| Ok((results.to_owned(), report.to_owned()));
        assert_eq!(places(""), both("", ""));
        assert_eq!(places("-o p.jsonl"), both("p.jsonl", ""));
        assert_eq!(places("-o p.md"), both("p.jsonl", "p.md"));
        assert_eq!(places("-o p.html"), both("p.jsonl", "p.html"));
        assert_eq!(places("-o p --report q.json"), both("p", "q.json"));
        assert_eq!(places("--report q.html"), both("", "q.html"));
        for (words, next) in [
            ("-o p.md --report q.md", "-o proof.jsonl"),
            ("-o p.jsonl --report p.jsonl", "another name"),
            ("--report -", "name a file"),
            ("--report p.pcapng", "--keep DIR"),
            ("--map m", "add --report"),
        ] {
            let message = places(words).unwrap_err();
            assert!(message.contains(next), "{words}: {message}");
        }
    }

    #[test]
    fn an_experiment_needs_a_device_and_its_key_but_not_to_be_shown_again() {
        assert!(plan("--key-file k").unwrap_err().contains("no device is named"));
        assert!(plan("-d 10.0.0.2").unwrap_err().contains("--key-file FILE"));
        assert_eq!(plan("--resume r.jsonl").unwrap().resume, Some("r.jsonl".into()));
        assert!(plan("--resume r.jsonl -o x").is_err());
        assert!(plan("-d 10.0.0.2 --key-file k --rounds 1").is_err());
        for ports in ["5", "80-90", "30000-20000", "a-b"] {
            assert!(plan(&format!("-d 10.0.0.2 --key-file k --source-ports {ports}")).is_err(), "{ports}");
        }
        let arms =
            plan("-d 10.0.0.2 --key-file k --arms unfixed,msl_ms=6000,close=keep-alive").unwrap().shape.arms;
        assert_eq!(arms, ["unfixed", "msl_ms=6000", "close=keep-alive"]);
    }
}
