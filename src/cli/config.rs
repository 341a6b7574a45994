//! The `config` commands, and how settings fill what was left out on the command line.
//!
//! Knows which settings mean something to which command. A capture that is read has its own devices and interface:
//! settings that are for live runs say nothing about it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;

use super::args::{Cli, Command, OutputArgs, WatchArgs};
use super::rules::RulesCommand;
use super::settings::{Setting, Settings};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting, its value, and where that was written
    Show,
    /// Print the path of the configuration file, whether it exists or not
    Path,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConfigPlan {
    pub command: ConfigCommand,
    /// The file that was named; `None`: the one that is looked for.
    pub file: Option<PathBuf>,
}

/// What the file sets for the screen, still as it was written: the screen knows its themes and commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TuiSettings {
    pub theme: Option<Setting<String>>,
    /// A command, and the keys that mean it.
    pub keys: BTreeMap<String, Setting<Vec<String>>>,
}

impl Cli {
    /// Whether settings would change what this means. A damaged file must not stand in the way of the rest.
    pub fn takes_settings(&self) -> bool {
        match &self.command {
            None
            | Some(Command::Watch(_) | Command::Report(_) | Command::Demo(_))
            | Some(Command::Drive(_) | Command::Mode(_) | Command::Experiment(_))
            | Some(Command::Rules(RulesCommand::List { .. } | RulesCommand::Show { .. })) => true,
            Some(Command::Rules(
                RulesCommand::Fields { .. }
                | RulesCommand::Check { .. }
                | RulesCommand::Docs { .. }
                | RulesCommand::Test { .. },
            )) => false,
            Some(Command::Firmware(_) | Command::Config(_) | Command::Interfaces) => false,
            Some(Command::Completions { .. } | Command::Man) => false,
        }
    }

    /// What was typed, and from `settings` what was not.
    #[must_use]
    pub fn filled(mut self, settings: &Settings) -> Cli {
        match &mut self.command {
            None => watch(&mut self.watch, settings),
            Some(Command::Watch(args)) => watch(args, settings),
            Some(Command::Report(args)) => {
                fill(&mut args.rules, &settings.rules);
                fill(&mut args.confine.user, &settings.user);
            }
            Some(Command::Demo(args)) => {
                output(&mut args.output, settings);
                fill(&mut args.confine.user, &settings.user);
            }
            Some(Command::Drive(args)) => {
                one_device(&mut args.device, settings);
                fill(&mut args.confine.user, &settings.user);
            }
            Some(Command::Mode(args)) => {
                one_device(&mut args.device, settings);
                fill(&mut args.key_file, &settings.key_file);
                fill(&mut args.port, &settings.control_port);
                fill(&mut args.confine.user, &settings.user);
            }
            Some(Command::Experiment(args)) if args.resume.is_none() => {
                one_device(&mut args.device, settings);
                fill(&mut args.key_file, &settings.key_file);
                fill(&mut args.iface, &settings.iface);
                fill(&mut args.confine.user, &settings.user);
                look(&mut args.ascii, &mut args.tui, settings);
            }
            // Its results name the device.
            Some(Command::Experiment(args)) => {
                fill(&mut args.confine.user, &settings.user);
                look(&mut args.ascii, &mut args.tui, settings);
            }
            Some(Command::Rules(RulesCommand::List { rules } | RulesCommand::Show { rules, .. })) => {
                fill(rules, &settings.rules);
            }
            Some(Command::Rules(_) | Command::Firmware(_) | Command::Config(_)) => {}
            Some(Command::Interfaces | Command::Completions { .. } | Command::Man) => {}
        }
        self
    }
}

fn watch(args: &mut WatchArgs, settings: &Settings) {
    if args.read.is_none() {
        if let (true, Some(device)) = (args.device.is_empty(), &settings.device) {
            args.device.clone_from(&device.value);
        }
        fill(&mut args.iface, &settings.iface);
        fill(&mut args.filter, &settings.filter);
        fill(&mut args.snaplen, &settings.snaplen);
        // A key that lies ready is no wish to send anything, and without a named device there is nobody to ask.
        args.control |= settings.control.as_ref().is_some_and(|asks| asks.value) && !args.device.is_empty();
        if args.control || args.control_port.is_some() || args.key_file.is_some() {
            fill(&mut args.control_port, &settings.control_port);
            fill(&mut args.key_file, &settings.key_file);
        }
    }
    output(&mut args.output, settings);
    fill(&mut args.confine.user, &settings.user);
}

fn output(args: &mut OutputArgs, settings: &Settings) {
    fill(&mut args.rules, &settings.rules);
    look(&mut args.ascii, &mut args.tui, settings);
}

/// How a screen is to look.
fn look(ascii: &mut bool, tui: &mut TuiSettings, settings: &Settings) {
    *ascii |= settings.ascii.as_ref().is_some_and(|ascii| ascii.value);
    *tui = TuiSettings { theme: settings.theme.clone(), keys: settings.keys.clone() };
}

/// For commands that speak to one device. All are handed on where several are set, so that the command refuses them.
fn one_device(device: &mut Option<String>, settings: &Settings) {
    if let (None, Some(set)) = (&device, &settings.device) {
        *device = Some(set.value.join(","));
    }
}

fn fill<T: Clone>(typed: &mut Option<T>, set: &Option<Setting<T>>) {
    if typed.is_none() {
        *typed = set.as_ref().map(|set| set.value.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::cli::{
        Plan, config_file,
        plan::{DeviceName, From, WatchPlan},
    };

    const FILE: &str = "device = \"10.0.0.9\"\niface = \"eth9\"\nfilter = \"tcp\"\nsnaplen = 200\nrules = \"r\"\n\
                        key_file = \"k\"\ncontrol_port = 7000\nascii = true\n[tui]\ntheme = \"dark\"\n[tui.keys]\nquit = \"Q\"\n";

    fn plan_with(text: &str, words: &str) -> Result<Plan, String> {
        let settings =
            config_file::read(text, Path::new("/etc/c.toml")).map_err(|error| error.to_string())?;
        let words = std::iter::once("esp-tcpwatch").chain(words.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        Plan::try_from(cli.filled(&settings)).map_err(|error| error.to_string())
    }

    fn watch_plan(words: &str) -> WatchPlan {
        match plan_with(FILE, words) {
            Ok(Plan::Watch(plan)) => plan,
            other => panic!("{words}: {other:?}"),
        }
    }

    fn named(plan: &WatchPlan) -> Vec<&DeviceName> {
        plan.devices.iter().collect()
    }

    #[test]
    fn a_setting_stands_where_nothing_was_typed() {
        let plan = watch_plan("");
        assert_eq!(named(&plan), [&DeviceName::Address("10.0.0.9".parse().unwrap())]);
        let From::Live { interface, filter, snaplen } = &plan.from else { panic!("{plan:?}") };
        assert_eq!(
            (interface.as_deref(), filter.as_deref(), *snaplen),
            (Some("eth9"), Some("tcp"), Some(200))
        );
        assert_eq!(plan.output.rules.as_deref(), Some(Path::new("/etc/r")));
        assert!(plan.output.ascii);
        assert_eq!(plan.output.tui.theme.as_ref().unwrap().value, "dark");
        assert_eq!(plan.output.tui.keys["quit"].value, ["Q"]);
    }

    #[test]
    fn what_was_typed_wins() {
        let plan = watch_plan("watch -d 10.0.0.1 -i lo -f udp --snaplen 100 --rules x");
        assert_eq!(named(&plan), [&DeviceName::Address("10.0.0.1".parse().unwrap())]);
        let From::Live { interface, filter, snaplen } = &plan.from else { panic!("{plan:?}") };
        assert_eq!((interface.as_deref(), filter.as_deref(), *snaplen), (Some("lo"), Some("udp"), Some(100)));
        assert_eq!(plan.output.rules.as_deref(), Some(Path::new("x")));
    }

    #[test]
    fn a_capture_that_is_read_has_its_own_devices() {
        let plan = watch_plan("-r trace.pcap");
        assert_eq!((plan.devices.len(), &plan.from), (0, &From::File("trace.pcap".into())));
        assert_eq!(plan.output.rules.as_deref(), Some(Path::new("/etc/r")));
        match plan_with(FILE, "report trace.pcap").unwrap() {
            Plan::Report(plan) => {
                assert!(plan.devices.is_empty());
                assert_eq!(plan.rules.as_deref(), Some(Path::new("/etc/r")));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_watch_asks_the_devices_only_where_that_was_asked_for() {
        let asked = |file: &str, words: &str| match plan_with(file, words).unwrap() {
            Plan::Watch(plan) => plan.control.map(|control| (control.port, control.key_file)),
            other => panic!("{other:?}"),
        };
        let theirs = Some((7000, Some("/etc/k".into())));
        assert_eq!(asked(FILE, ""), None, "a key file alone sends nothing");
        assert_eq!(asked(FILE, "--control"), theirs);
        let file = format!("control = true\n{FILE}");
        assert_eq!(asked(&file, ""), theirs);
        assert_eq!(asked(&file, "-r trace.pcap"), None);
        let nobody = file.replace("device = \"10.0.0.9\"", "");
        assert_eq!(asked(&nobody, "-i lo"), None, "nobody is named");
    }

    #[test]
    fn commands_for_one_device_take_it_its_key_file_and_its_port() {
        match plan_with(FILE, "mode fixed").unwrap() {
            Plan::Mode(plan) => {
                assert_eq!(plan.device, DeviceName::Address("10.0.0.9".parse().unwrap()));
                assert_eq!((plan.port, plan.key_file.as_deref()), (7000, Some(Path::new("/etc/k"))));
            }
            other => panic!("{other:?}"),
        }
        match plan_with(FILE, "mode -d 10.0.0.1 --port 1 --key-file z").unwrap() {
            Plan::Mode(plan) => {
                assert_eq!(plan.device, DeviceName::Address("10.0.0.1".parse().unwrap()));
                assert_eq!((plan.port, plan.key_file.as_deref()), (1, Some(Path::new("z"))));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(plan_with(FILE, "drive"), Ok(Plan::Drive(_))));
        let two = "device = [\"10.0.0.1\", \"10.0.0.2\"]";
        for words in ["drive", "mode"] {
            assert!(plan_with(two, words).unwrap_err().contains("one device"), "{words}");
            assert!(plan_with("", words).unwrap_err().contains("--device"), "{words}");
        }
    }
}
