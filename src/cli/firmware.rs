//! The `firmware` commands: what was typed, and what it means.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::plan::{PlanError, error};

const INSTALL_NOTES: &str = "\
  esp-tcpwatch firmware install esp-idf my-board       a project for idf.py
  esp-tcpwatch firmware install micropython my-board   files, to look at and copy
  esp-tcpwatch firmware install micropython --port auto
                                                       straight onto a board

It makes a control key and puts it in two places: a key file for this computer
(`mode --key-file`), and where the firmware takes it from. A key file that is
there already is used as it is. Files that are there are left alone, and the
command ends; --force replaces sources, but never a key file, nor the file with
your Wi-Fi in it.

Wi-Fi name and password are left blank in files. For a board at --port they are
asked for on the terminal; nothing of them is on a command line.

--port needs mpremote, MicroPython's own tool: pipx install mpremote.

Exit code 0: all is written. 2: the command line or a key file is wrong.
4: it could not be written; what is missing is told.";

#[derive(Debug, Subcommand)]
pub enum FirmwareCommand {
    /// The test firmware that comes with this program: version, boards, what it can switch
    List,
    /// Print where the sources lie on this computer, or how to write them
    Path {
        /// One of them; all when left out
        #[arg(value_enum, value_name = "NAME")]
        name: Option<FirmwareName>,
    },
    /// Write the sources, with a fresh control key, into a directory or onto a MicroPython board
    #[command(after_help = INSTALL_NOTES)]
    Install(InstallArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FirmwareName {
    /// An ESP-IDF project in C, for ESP32, ESP32-S3, ESP32-C3
    EspIdf,
    /// A script for a stock MicroPython board
    Micropython,
}

impl FirmwareName {
    /// As it is typed; the name of its folder as well.
    pub fn word(self) -> &'static str {
        match self {
            FirmwareName::EspIdf => "esp-idf",
            FirmwareName::Micropython => "micropython",
        }
    }
}

#[derive(Debug, Args)]
pub struct InstallArgs {
    #[arg(value_enum, value_name = "NAME")]
    pub name: FirmwareName,
    /// Where to; made if it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: Option<PathBuf>,
    /// The serial port of a board with MicroPython on it, as in /dev/ttyUSB0; auto takes the first
    #[arg(long, value_name = "PORT", conflicts_with = "directory", value_hint = ValueHint::FilePath)]
    pub port: Option<String>,
    /// The key file for this computer [default: control.key in DIR; with --port here]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
    /// Replace sources that are there
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FirmwarePlan {
    List,
    Path(Option<FirmwareName>),
    Install(InstallPlan),
}

#[derive(Clone, Debug, PartialEq)]
pub struct InstallPlan {
    pub to: InstallTo,
    pub key_file: PathBuf,
    pub force: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum InstallTo {
    Directory(FirmwareName, PathBuf),
    /// A MicroPython board, by mpremote's name of its port.
    Board(String),
}

const KEY_FILE: &str = "control.key";

pub(super) fn firmware(command: FirmwareCommand) -> Result<FirmwarePlan, PlanError> {
    Ok(match command {
        FirmwareCommand::List => FirmwarePlan::List,
        FirmwareCommand::Path { name } => FirmwarePlan::Path(name),
        FirmwareCommand::Install(args) => FirmwarePlan::Install(install(args)?),
    })
}

fn install(args: InstallArgs) -> Result<InstallPlan, PlanError> {
    let name = args.name.word();
    let (to, beside) = match (args.directory, args.port, args.name) {
        (Some(directory), _, _) if directory.as_os_str().is_empty() => {
            return Err(error(
                "DIR is empty",
                format!("name one: esp-tcpwatch firmware install {name} my-board"),
            ));
        }
        (Some(directory), _, firmware) => {
            (InstallTo::Directory(firmware, directory.clone()), directory.join(KEY_FILE))
        }
        (None, Some(port), FirmwareName::Micropython) => {
            if port.trim().is_empty() || port.starts_with('-') {
                return Err(error("--port names no serial port", "give one, as in /dev/ttyUSB0, or auto"));
            }
            (InstallTo::Board(port), PathBuf::from(KEY_FILE))
        }
        (None, Some(_), FirmwareName::EspIdf) => {
            return Err(error(
                "--port is for micropython: esp-idf has to be built first",
                "give a directory, and in it type: idf.py -p PORT build flash monitor",
            ));
        }
        (None, None, FirmwareName::EspIdf) => {
            return Err(error(
                "where to?",
                "give a directory: esp-tcpwatch firmware install esp-idf my-board",
            ));
        }
        (None, None, FirmwareName::Micropython) => {
            return Err(error("where to?", "give a directory, or --port PORT (or auto) for a board"));
        }
    };
    Ok(InstallPlan { to, key_file: args.key_file.unwrap_or(beside), force: args.force })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Plan, args::Cli};

    fn plan(words: &str) -> Result<InstallPlan, String> {
        let words = ["esp-tcpwatch", "firmware", "install"].into_iter().chain(words.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|e| e.to_string())?;
        match Plan::try_from(cli).map_err(|e| e.to_string())? {
            Plan::Firmware(FirmwarePlan::Install(plan)) => Ok(plan),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_key_file_lies_beside_what_it_opens() {
        let key_file = |words| plan(words).unwrap().key_file;
        assert_eq!(key_file("esp-idf d"), PathBuf::from("d/control.key"));
        assert_eq!(key_file("micropython d --key-file k"), PathBuf::from("k"));
        assert_eq!(key_file("micropython --port auto"), PathBuf::from("control.key"));
        assert_eq!(plan("micropython --port auto").unwrap().to, InstallTo::Board("auto".into()));
    }

    #[test]
    fn what_makes_no_sense_says_what_to_type() {
        for (words, next) in [
            ("", "NAME"),
            ("twin d", "esp-idf, micropython"),
            ("esp-idf", "give a directory"),
            ("micropython", "--port"),
            ("esp-idf --port auto", "idf.py -p PORT"),
            ("micropython --port=-x", "/dev/ttyUSB0"),
            ("micropython d --port auto", "cannot be used with"),
        ] {
            let message = plan(words).expect_err(words);
            assert!(message.contains(next), "{words}: {message}");
        }
    }
}
