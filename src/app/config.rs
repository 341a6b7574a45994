//! The configuration file: whose it is, whether it may be believed, and the `config` commands.
//!
//! Knows paths, owners and permissions. What may stand in the file is the `cli` room's.

use core::fmt::Write as _;
use std::env;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::OFlag;
use nix::unistd::{Uid, User};

use super::{
    exit::{self, usage},
    print::print,
    privilege::{self, Invoker},
};
use crate::cli::{
    config::{ConfigCommand, ConfigPlan},
    config_file,
    settings::{Origin, Setting, Settings},
};
use crate::text::escape;

/// Such a file is a page long; more is another file.
const LONGEST: u64 = 65_536;
const VARIABLE: &str = "ESP_TCPWATCH_CONFIG";

pub fn run(plan: ConfigPlan) -> Result<u8> {
    match plan.command {
        ConfigCommand::Path => print(place(plan.file.as_deref())?.path.display().to_string() + "\n")?,
        ConfigCommand::Show => {
            let place = place(plan.file.as_deref())?;
            print(listed(&settings(plan.file.as_deref())?, &place.path)?)?;
        }
    }
    Ok(exit::CLEAN)
}

/// What is set beneath the command line: the environment over the file.
pub fn settings(named: Option<&Path>) -> Result<Settings> {
    let environment =
        Settings::from_environment(|name| Some(env::var_os(name)?.to_string_lossy().into_owned()));
    let environment = environment.map_err(usage)?;
    Ok(environment.over(from_file(named)?))
}

/// Where the file is, and whether somebody asked for that one.
struct Place {
    path: PathBuf,
    is_named: bool,
}

fn place(named: Option<&Path>) -> Result<Place> {
    let from_environment = || env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    if let Some(path) = named.map(Path::to_owned).or_else(from_environment) {
        return Ok(Place { path, is_named: true });
    }
    let folder = match privilege::invoker()? {
        // Under sudo the variables may be root's or the user's; the user's home is in the system's own list.
        Some(Invoker { uid, .. }) => home_of(uid)?.join(".config"),
        None => match env::var_os("XDG_CONFIG_HOME").map(PathBuf::from) {
            // The specification says to ignore a relative one.
            Some(folder) if folder.is_absolute() => folder,
            _ => match env::var_os("HOME").map(PathBuf::from) {
                Some(home) if home.is_absolute() => home.join(".config"),
                _ => home_of(Uid::current())?.join(".config"),
            },
        },
    };
    Ok(Place { path: folder.join("esp-tcpwatch/config.toml"), is_named: false })
}

fn home_of(uid: Uid) -> Result<PathBuf> {
    let found = User::from_uid(uid).with_context(|| format!("cannot look up uid {uid}"))?;
    found.map(|user| user.dir).ok_or_else(|| {
        anyhow!("uid {uid} has no entry in passwd, so it is not known where its configuration is; name it: --config FILE")
    })
}

/// Reads the file with the rights of the person who asked, never with root's: what it holds may end up in a message.
fn from_file(named: Option<&Path>) -> Result<Settings> {
    // Whoever is nobody in passwd has no file, unless they name one.
    let Ok(Place { path, is_named }) = place(named) else { return Ok(Settings::default()) };
    let shown = path.display();
    let invoker = privilege::invoker()?;
    let file = match privilege::as_invoker(invoker, || open(&path))? {
        Ok(file) => file,
        // Not there, or in a folder that is not ours to look into, as after `su`, which keeps the other's $HOME.
        Err(_) if !is_named && path.symlink_metadata().is_err() => return Ok(Settings::default()),
        Err(error) => return Err(usage(format!("cannot read the configuration file {shown}: {error}"))),
    };
    let owner = invoker.map_or(Uid::current(), |invoker| invoker.uid);
    if let Some(why) = distrusted(&file, &path, owner).with_context(|| format!("cannot examine {shown}"))? {
        return Err(usage(format!("the configuration file {shown} is not used: {why}")));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| usage(format!("{shown}: {error}")))?;
    config_file::read(&text, &path).map_err(usage)
}

/// A FIFO in its place must not make us wait; a regular file takes no notice of the flag.
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
}

/// Why a file that decides what is run as root must not be believed.
fn distrusted(file: &File, path: &Path, user: Uid) -> std::io::Result<Option<String>> {
    let about = file.metadata()?;
    let (owner, mode) = (about.uid(), about.permissions().mode());
    Ok(if !about.is_file() {
        Some("it is not a regular file".to_owned())
    } else if owner != user.as_raw() && owner != 0 {
        Some(format!("it belongs to uid {owner}; it must be yours (uid {user}) or root's"))
    } else if mode & 0o022 != 0 {
        let path = path.display();
        Some(format!("others may write it (mode {:o})\n  type: chmod go-w {path}", mode & 0o7777))
    } else if about.len() >= LONGEST {
        Some(format!("it has {} octets, and a configuration has less than {LONGEST}", about.len()))
    } else {
        None
    })
}

/// A line for each setting: name, value, where it was written.
fn listed(settings: &Settings, path: &Path) -> Result<String> {
    let Settings {
        device,
        iface,
        filter,
        snaplen,
        rules,
        key_file,
        control,
        control_port,
        ascii,
        user,
        theme,
        keys,
    } = settings;
    let row = |name: &str, value: Option<(String, &Origin)>, built_in: &str| {
        let (value, origin) = match value {
            Some((value, origin)) => (value, origin.to_string()),
            None => (built_in.to_owned(), "built in".to_owned()),
        };
        (name.to_owned(), escape(&value).into_owned(), escape(&origin).into_owned())
    };
    let mut rows = vec![
        row("device", told(device, |names| names.join(", ")), "every device with an Espressif MAC address"),
        row("iface", told(iface, String::clone), "the one towards the device"),
        row("filter", told(filter, String::clone), "follows from the devices"),
        row("snaplen", told(snaplen, u32::to_string), &super::watch::DEFAULT_SNAPLEN.to_string()),
        row("rules", told(rules, |path| path.display().to_string()), "the built-in rules"),
        row("key_file", told(key_file, |path| path.display().to_string()), "none"),
        row("control", told(control, bool::to_string), "false"),
        row("control_port", told(control_port, u16::to_string), "7777"),
        row("ascii", told(ascii, bool::to_string), "false"),
        row("user", told(user, String::clone), "who called sudo, else nobody"),
        row("tui.theme", told(theme, String::clone), "the screen's own"),
    ];
    for (command, set) in keys {
        let value = Some((set.value.join(", "), &set.origin));
        rows.push(row(&format!("tui.keys.{}", escape(command)), value, ""));
    }
    let width = |of: fn(&(String, String, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (names, values) = (width(|row| row.0.chars().count()), width(|row| row.1.chars().count()));
    let is_there = if path.exists() { "" } else { " (which does not exist)" };
    let mut text = format!("The configuration file is {}{is_there}.\n", path.display());
    for (name, value, origin) in &rows {
        writeln!(text, "{name:<names$}  {value:<values$}  {origin}")?;
    }
    Ok(text)
}

fn told<T>(set: &Option<Setting<T>>, as_text: impl Fn(&T) -> String) -> Option<(String, &Origin)> {
    set.as_ref().map(|set| (as_text(&set.value), &set.origin))
}
