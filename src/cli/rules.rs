//! The `rules` commands: what was typed, and what it means.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum, ValueHint};

const TEST_NOTES: &str = "\
A test stands in its rule file:

  [[test]]
  name = \"a reused port is refused\"
  script = \"\"\"
  +0      A > B  S   1000:1000(0)            win 64240  mss 1460
  +0.001  B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440
  \"\"\"
  fires = 1

A is the client (C and D are further ports of it), B the device; the numbers are as on the wire.
`capture = \"run.pcap\"`, a file beside the rule file, may stand for `script`,
and `silent = true` for `fires`. Exit code 0: all hold. 1: one does not. 2: a rule file is wrong.";

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// One line a rule: severity, id, title
    List {
        /// Rule files (*.toml): each replaces the built-in rule of its id, or is a rule of one's own
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        rules: Option<PathBuf>,
    },
    /// Print a rule's file, as a start for one's own
    Show {
        #[arg(value_name = "ID")]
        id: String,
        /// Rule files (*.toml): each replaces the built-in rule of its id, or is a rule of one's own
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        rules: Option<PathBuf>,
    },
    /// List what a rule of one's own can listen to, and the fields that its condition may use
    Fields {
        /// All kinds of event when left out
        #[arg(value_name = "EVENT")]
        event: Option<RuleEvent>,
    },
    /// Check the rule files of a directory (the built-in ones when left out)
    Check {
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Write a page for every built-in rule, and an index, into a directory (what `make rule-docs` does)
    #[command(hide = true)]
    Docs {
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// A page whose list of fields is written again, between its two markers
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        fields: Option<PathBuf>,
    },
    /// Run the tests that rule files bring along: the built-in ones, and those of a directory in their place
    #[command(after_help = TEST_NOTES)]
    Test {
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// What `listens_to` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuleEvent {
    Finding,
    Flow,
    Device,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RulesPlan {
    List { rules: Option<PathBuf> },
    Show { id: String, rules: Option<PathBuf> },
    Fields { event: Option<RuleEvent> },
    Check { dir: Option<PathBuf> },
    Test { dir: Option<PathBuf> },
    Docs { dir: PathBuf, fields: Option<PathBuf> },
}

/// Every such command means what it says.
impl From<RulesCommand> for RulesPlan {
    fn from(command: RulesCommand) -> RulesPlan {
        match command {
            RulesCommand::List { rules } => RulesPlan::List { rules },
            RulesCommand::Show { id, rules } => RulesPlan::Show { id, rules },
            RulesCommand::Fields { event } => RulesPlan::Fields { event },
            RulesCommand::Check { dir } => RulesPlan::Check { dir },
            RulesCommand::Test { dir } => RulesPlan::Test { dir },
            RulesCommand::Docs { dir, fields } => RulesPlan::Docs { dir, fields },
        }
    }
}
