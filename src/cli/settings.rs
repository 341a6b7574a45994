//! The layers beneath the command line: what the configuration file and the environment set, and which of them wins.
//!
//! Knows names, types and bounds, and remembers where each value was written. Reads no file and no environment: both
//! come in as text. What a theme or a key's spelling means is the screen's.

use core::fmt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::plan::device;

/// A value, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `line` counts from 1.
    File {
        path: PathBuf,
        line: usize,
    },
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => f.write_str(name),
        }
    }
}

/// One layer, or several laid over one another. `None`: not set here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub device: Option<Setting<Vec<String>>>,
    pub iface: Option<Setting<String>>,
    pub filter: Option<Setting<String>>,
    /// Octets kept of each frame.
    pub snaplen: Option<Setting<u32>>,
    pub rules: Option<Setting<PathBuf>>,
    pub key_file: Option<Setting<PathBuf>>,
    /// Ask the test firmware of the devices while they are watched.
    pub control: Option<Setting<bool>>,
    /// UDP port of a device's control channel.
    pub control_port: Option<Setting<u16>>,
    pub ascii: Option<Setting<bool>>,
    /// As whom a run that root started goes on.
    pub user: Option<Setting<String>>,
    pub theme: Option<Setting<String>>,
    /// A command of the screen, and the keys that mean it.
    pub keys: BTreeMap<String, Setting<Vec<String>>>,
}

/// What stands at the top of the file. In the environment it is `ESP_TCPWATCH_` and the name in capitals.
pub const NAMES: [&str; 10] =
    ["device", "iface", "filter", "snaplen", "rules", "key_file", "control", "control_port", "ascii", "user"];
/// What stands under `[tui]`; `theme` is `ESP_TCPWATCH_THEME` in the environment.
pub const THEME: &str = "theme";
const PREFIX: &str = "ESP_TCPWATCH_";

/// A value as it was written, before it is known whether it fits its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A string of the file.
    Text(String),
    List(Vec<String>),
    Number(i64),
    Flag(bool),
    /// Of the environment, which knows no types.
    Words(String),
    /// What no setting takes: a float, a date, a table.
    Other(&'static str),
}

impl Settings {
    /// Sets `name` to `value`. A relative path is meant from `base`.
    ///
    /// # Errors
    /// What was expected, and what stands there.
    ///
    /// `name` must be one of [`NAMES`] or [`THEME`]; anything else is refused like a wrong value.
    pub fn set(&mut self, name: &str, value: Written, origin: Origin, base: &Path) -> Result<(), String> {
        match name {
            "device" => {
                let value = texts(value)?;
                // Checked here, where it is still known which file or variable is to be mended.
                for name in &value {
                    device(name.trim()).map_err(|error| error.to_string())?;
                }
                self.device = Some(Setting { value, origin });
            }
            "iface" => self.iface = Some(Setting { value: text(value)?, origin }),
            "filter" => self.filter = Some(Setting { value: text(value)?, origin }),
            "snaplen" => {
                let value = number(value, SNAPLEN)?;
                self.snaplen = Some(Setting { value, origin });
            }
            "rules" => self.rules = Some(Setting { value: base.join(text(value)?), origin }),
            "key_file" => self.key_file = Some(Setting { value: base.join(text(value)?), origin }),
            "control" => self.control = Some(Setting { value: flag(value)?, origin }),
            "control_port" => {
                let value = number(value, 1..=u32::from(u16::MAX))?;
                self.control_port = Some(Setting { value: value as u16, origin });
            }
            "ascii" => self.ascii = Some(Setting { value: flag(value)?, origin }),
            "user" => self.user = Some(Setting { value: text(value)?, origin }),
            THEME => self.theme = Some(Setting { value: text(value)?, origin }),
            _ => return Err("is no setting".to_owned()),
        }
        Ok(())
    }

    /// Sets which keys mean `command`.
    ///
    /// # Errors
    /// What was expected, and what stands there.
    pub fn set_keys(&mut self, command: &str, value: Written, origin: Origin) -> Result<(), String> {
        let value = texts(value)?;
        self.keys.insert(command.to_owned(), Setting { value, origin });
        Ok(())
    }

    /// This layer over `lower`: what is set here wins, command by command for keys.
    #[must_use]
    pub fn over(self, lower: Settings) -> Settings {
        let mut keys = lower.keys;
        keys.extend(self.keys);
        Settings {
            device: self.device.or(lower.device),
            iface: self.iface.or(lower.iface),
            filter: self.filter.or(lower.filter),
            snaplen: self.snaplen.or(lower.snaplen),
            rules: self.rules.or(lower.rules),
            key_file: self.key_file.or(lower.key_file),
            control: self.control.or(lower.control),
            control_port: self.control_port.or(lower.control_port),
            ascii: self.ascii.or(lower.ascii),
            user: self.user.or(lower.user),
            theme: self.theme.or(lower.theme),
            keys,
        }
    }

    /// The layer of the environment: `value_of` gives the value of a variable. An empty one sets nothing.
    ///
    /// # Errors
    /// The variable, and what was expected of it.
    pub fn from_environment(value_of: impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
        let mut settings = Settings::default();
        for name in NAMES.iter().chain([&THEME]) {
            let variable = variable(name);
            let Some(value) = value_of(&variable).filter(|value| !value.is_empty()) else { continue };
            let origin = Origin::Environment(variable.clone());
            settings
                .set(name, Written::Words(value), origin, Path::new(""))
                .map_err(|what| format!("{variable} {what}"))?;
        }
        Ok(settings)
    }
}

/// The environment's name of a setting.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

/// The bounds of `--snaplen`, in octets.
pub const SNAPLEN: core::ops::RangeInclusive<u32> = 96..=262_144;

fn text(value: Written) -> Result<String, String> {
    match value {
        Written::Text(text) | Written::Words(text) if text.trim().is_empty() => {
            Err("is empty; leave it out instead".to_owned())
        }
        Written::Text(text) | Written::Words(text) => Ok(text),
        other => Err(unfit("a string, as in \"…\"", &other)),
    }
}

fn texts(value: Written) -> Result<Vec<String>, String> {
    let listed = match value {
        Written::List(list) => list,
        Written::Text(one) => vec![one],
        Written::Words(words) => words.split(',').map(|word| word.trim().to_owned()).collect(),
        other => return Err(unfit("a string or a list of strings, as in [\"…\", \"…\"]", &other)),
    };
    if listed.is_empty() || listed.iter().any(|one| one.trim().is_empty()) {
        return Err("is empty, or has an empty part; leave it out instead".to_owned());
    }
    Ok(listed)
}

fn flag(value: Written) -> Result<bool, String> {
    match value {
        Written::Flag(flag) => Ok(flag),
        Written::Words(word) => match word.as_str() {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err("expected true or false (or 1, 0)".to_owned()),
        },
        other => Err(unfit("true or false", &other)),
    }
}

fn number(value: Written, bounds: core::ops::RangeInclusive<u32>) -> Result<u32, String> {
    let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
    let found = match &value {
        Written::Number(number) => u32::try_from(*number).ok(),
        Written::Words(words) => words.trim().parse().ok(),
        other => return Err(unfit(&expected, other)),
    };
    found.filter(|number| bounds.contains(number)).ok_or_else(|| format!("expected {expected}"))
}

/// The value itself is not repeated: it may be a secret in the wrong place.
fn unfit(expected: &str, found: &Written) -> String {
    let found = match found {
        Written::Text(_) | Written::Words(_) => "a string",
        Written::List(_) => "a list",
        Written::Number(_) => "a number",
        Written::Flag(_) => "true or false",
        Written::Other(what) => what,
    };
    format!("expected {expected}, found {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::from_environment(|name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn file(line: usize) -> Origin {
        Origin::File { path: "c.toml".into(), line }
    }

    #[test]
    fn the_environment_is_read_by_name_and_type() {
        let settings = environment(&[
            ("ESP_TCPWATCH_DEVICE", "10.0.0.2, esp32.local"),
            ("ESP_TCPWATCH_IFACE", "wlan0"),
            ("ESP_TCPWATCH_FILTER", "tcp"),
            ("ESP_TCPWATCH_SNAPLEN", "128"),
            ("ESP_TCPWATCH_RULES", "my/rules"),
            ("ESP_TCPWATCH_KEY_FILE", "/k"),
            ("ESP_TCPWATCH_CONTROL_PORT", "7778"),
            ("ESP_TCPWATCH_ASCII", "1"),
            ("ESP_TCPWATCH_USER", "tcpwatch"),
            ("ESP_TCPWATCH_THEME", "dark"),
        ])
        .unwrap();
        assert_eq!(settings.device.as_ref().unwrap().value, ["10.0.0.2", "esp32.local"]);
        assert_eq!(settings.device.unwrap().origin.to_string(), "ESP_TCPWATCH_DEVICE");
        assert_eq!(settings.iface.unwrap().value, "wlan0");
        assert_eq!(settings.filter.unwrap().value, "tcp");
        assert_eq!(settings.snaplen.unwrap().value, 128);
        assert_eq!(settings.rules.unwrap().value, Path::new("my/rules"));
        assert_eq!(settings.key_file.unwrap().value, Path::new("/k"));
        assert_eq!(settings.control_port.unwrap().value, 7778);
        assert!(settings.ascii.unwrap().value);
        assert_eq!(settings.user.unwrap().value, "tcpwatch");
        assert_eq!(settings.theme.unwrap().value, "dark");
        assert_eq!(environment(&[("ESP_TCPWATCH_DEVICE", "")]), Ok(Settings::default()));
    }

    #[test]
    fn a_variable_that_does_not_fit_is_named() {
        for (name, value, told) in [
            ("ESP_TCPWATCH_SNAPLEN", "12", "96 to 262144"),
            ("ESP_TCPWATCH_SNAPLEN", "many", "96 to 262144"),
            ("ESP_TCPWATCH_CONTROL_PORT", "0", "1 to 65535"),
            ("ESP_TCPWATCH_CONTROL_PORT", "65536", "1 to 65535"),
            ("ESP_TCPWATCH_ASCII", "maybe", "true or false"),
            ("ESP_TCPWATCH_DEVICE", "10.0.0.2,,", "empty part"),
            ("ESP_TCPWATCH_IFACE", " ", "empty"),
        ] {
            let error = environment(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name) && error.contains(told), "{error}");
        }
    }

    #[test]
    fn what_lies_over_wins_name_by_name() {
        let here = Path::new("/etc/x");
        let mut lower = Settings::default();
        lower.set("iface", Written::Text("eth0".into()), file(1), here).unwrap();
        lower.set("rules", Written::Text("rules".into()), file(2), here).unwrap();
        lower.set_keys("freeze", Written::Text("f".into()), file(3)).unwrap();
        lower.set_keys("quit", Written::Text("q".into()), file(4)).unwrap();
        let mut upper = environment(&[("ESP_TCPWATCH_IFACE", "wlan0")]).unwrap();
        upper.set_keys("freeze", Written::List(vec!["F".into(), "space".into()]), file(9)).unwrap();
        let both = upper.over(lower);
        assert_eq!(both.iface.unwrap().value, "wlan0");
        assert_eq!(both.rules.unwrap().value, Path::new("/etc/x/rules"), "from where it was written");
        assert_eq!(both.keys["freeze"].value, ["F", "space"]);
        assert_eq!(both.keys["quit"].origin.to_string(), "c.toml:4");
    }

    #[test]
    fn every_name_can_be_set() {
        for name in NAMES.iter().chain([&THEME]) {
            let value = Written::Words(match *name {
                "ascii" | "control" => "1".to_owned(),
                "device" => "10.0.0.1".to_owned(),
                _ => "100".to_owned(),
            });
            let mut settings = Settings::default();
            settings.set(name, value, file(1), Path::new("")).unwrap();
            assert_ne!(settings, Settings::default(), "{name}");
            assert_eq!(settings.clone().over(Settings::default()), settings, "{name}");
            assert_eq!(Settings::default().over(settings.clone()), settings, "{name}");
        }
    }
}
