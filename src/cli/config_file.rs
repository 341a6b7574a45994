//! The text of a configuration file becomes a layer of settings.
//!
//! Knows TOML and the names that may stand there. Refuses to know whose file it is and how it was found.

use core::fmt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{NAMES, Origin, Settings, THEME, Written};

/// Where a file is wrong, and how. `line` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    place: String,
    line: usize,
    what: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place, self.line, self.what)
    }
}

/// Reads `text`, which stands in the file `path`. Relative paths in it are meant from the file's folder.
///
/// # Errors
/// The first thing that is no TOML, no setting, or no value for its setting.
pub fn read(text: &str, path: &Path) -> Result<Settings, FileError> {
    let file = File { text, path };
    let table = DeTable::parse(text).map_err(|error| {
        // The message alone: toml's own picture of the place repeats the line, and the line may hold a secret.
        file.error(error.span().map_or(0, |span| span.start), format!("not TOML: {}", error.message()))
    })?;
    let mut settings = Settings::default();
    for (name, value) in in_order(table.get_ref()) {
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("tui", DeValue::Table(tui)) => file.read_tui(tui, &mut settings)?,
            ("tui", other) => {
                return Err(file.error(name.span().start, format!("`tui` is a table, not {}", kind(other))));
            }
            (known, _) if NAMES.contains(&known) => file.set(&mut settings, known, name, value)?,
            (unknown, _) => {
                let all = NAMES.iter().copied().chain(["tui"]);
                return Err(file.unknown(name, unknown, "", all.collect()));
            }
        }
    }
    Ok(settings)
}

struct File<'a> {
    text: &'a str,
    path: &'a Path,
}

impl File<'_> {
    fn read_tui(&self, tui: &DeTable<'_>, settings: &mut Settings) -> Result<(), FileError> {
        for (name, value) in in_order(tui) {
            match (name.get_ref().as_ref(), value.get_ref()) {
                (THEME, _) => self.set(settings, THEME, name, value)?,
                ("keys", DeValue::Table(keys)) => {
                    for (command, value) in in_order(keys) {
                        let at = name_at(command);
                        settings
                            .set_keys(command.get_ref(), written(value.get_ref()), self.origin(at))
                            .map_err(|what| self.error(at, format!("`{}`: {what}", shown(command))))?;
                    }
                }
                ("keys", other) => {
                    let what = format!("`keys` is a table, as in [tui.keys], not {}", kind(other));
                    return Err(self.error(name_at(name), what));
                }
                (unknown, _) => return Err(self.unknown(name, unknown, "tui.", vec![THEME, "keys"])),
            }
        }
        Ok(())
    }

    fn set(
        &self,
        settings: &mut Settings,
        known: &str,
        name: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), FileError> {
        let at = name_at(name);
        let base = self.path.parent().unwrap_or(Path::new(""));
        settings
            .set(known, written(value.get_ref()), self.origin(at), base)
            .map_err(|what| self.error(at, format!("`{known}`: {what}")))
    }

    fn unknown(
        &self,
        name: &Spanned<toml::de::DeString<'_>>,
        unknown: &str,
        under: &str,
        mut known: Vec<&str>,
    ) -> FileError {
        known.sort_by_key(|known| strsim::damerau_levenshtein(unknown, known));
        let near = known.first().filter(|known| strsim::damerau_levenshtein(unknown, known) <= 3);
        let meant = near.map_or_else(String::new, |near| format!(" (did you mean `{under}{near}`?)"));
        let what = format!(
            "`{under}{}` is no setting{meant}; there are {}",
            shown(name),
            known.iter().map(|known| format!("{under}{known}")).collect::<Vec<_>>().join(", ")
        );
        self.error(name_at(name), what)
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: self.line(at) }
    }

    fn error(&self, at: usize, what: String) -> FileError {
        FileError { place: self.path.display().to_string(), line: self.line(at), what }
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes().iter().take(at).filter(|octet| **octet == b'\n').count()
    }
}

fn name_at(name: &Spanned<toml::de::DeString<'_>>) -> usize {
    name.span().start
}

/// A name as it may be shown: a file may hold anything.
fn shown(name: &Spanned<toml::de::DeString<'_>>) -> String {
    name.get_ref().escape_debug().to_string()
}

type Entry<'t, 'i> = (&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>);

/// As they stand in the file, so that the first fault is the first one there.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<Entry<'t, 'i>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name_at(name));
    entries
}

fn written(value: &DeValue<'_>) -> Written {
    match value {
        DeValue::String(text) => Written::Text(text.clone().into_owned()),
        DeValue::Boolean(flag) => Written::Flag(*flag),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Written::Other("a number too large"), Written::Number),
        DeValue::Array(list) => {
            let texts = list.iter().map(|one| one.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map_or(Written::Other("a list of something else"), Written::List)
        }
        other @ (DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_)) => Written::Other(kind(other)),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_here(text: &str) -> Result<Settings, String> {
        read(text, Path::new("/home/me/.config/esp-tcpwatch/config.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn each_value_knows_its_line() {
        let settings = read_here(
            "# mine\ndevice = [\"10.0.0.2\",\n  \"esp32.local\"]\niface = \"wlan0\"\n\nsnaplen = 0x100\n\
             key_file = \"key\"\ncontrol_port = 7777\nascii = true\n[tui]\ntheme = \"dark\"\n\
             keys.freeze = [\"f\", \"space\"]\n[tui.keys]\nquit = \"Q\"\n",
        );
        // A dotted key and a table of the same name do not go together in TOML.
        assert!(settings.unwrap_err().contains(":13: not TOML"));
        let settings = read_here(
            "# mine\ndevice = [\"10.0.0.2\",\n  \"esp32.local\"]\niface = \"wlan0\"\n\nsnaplen = 0x100\n\
             key_file = \"key\"\ncontrol_port = 7777\nascii = true\n[tui]\ntheme = \"dark\"\n\
             [tui.keys]\nfreeze = [\"f\", \"space\"]\nquit = \"Q\"\n",
        )
        .unwrap();
        let device = settings.device.unwrap();
        assert_eq!(device.value, ["10.0.0.2", "esp32.local"]);
        assert_eq!(device.origin.to_string(), "/home/me/.config/esp-tcpwatch/config.toml:2");
        assert_eq!(settings.snaplen.unwrap().value, 256);
        assert_eq!(settings.key_file.unwrap().value, Path::new("/home/me/.config/esp-tcpwatch/key"));
        assert_eq!(settings.control_port.unwrap().value, 7777);
        assert!(settings.ascii.unwrap().value);
        assert_eq!(settings.theme.unwrap().value, "dark");
        assert_eq!(settings.keys["freeze"].value, ["f", "space"]);
        assert!(settings.keys["quit"].origin.to_string().ends_with(":14"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_next_step() {
        for (text, told) in [
            ("\ndevise = \"x\"", ":2: `devise` is no setting (did you mean `device`?)"),
            ("a = 1\nzzz = 1", ":1: `a` is no setting"),
            ("key = \"k\"", "key_file"),
            ("[tui]\nthem = \"x\"", ":2: `tui.them` is no setting (did you mean `tui.theme`?)"),
            ("tui = 1", ":1: `tui` is a table, not a number"),
            ("[tui]\nkeys = 1", ":2: `keys` is a table"),
            ("[tui.keys]\nfreeze = 1", ":2: `freeze`: expected a string or a list"),
            ("iface = 3", ":1: `iface`: expected a string, as in \"…\", found a number"),
            ("device = [1]", "found a list of something else"),
            ("device = []", "is empty"),
            ("\ndevice = \"10.0.0.2:80\"", ":2: `device`: --device `10.0.0.2:80`"),
            ("snaplen = \"a\"", "expected a number from 96 to 262144, found a string"),
            ("snaplen = 12", "expected a number from 96 to 262144"),
            ("snaplen = 99999999999999999999", "too large"),
            ("control_port = -1", "1 to 65535"),
            ("ascii = \"yes\"", "expected true or false, found a string"),
            ("rules = 1.5", "found a fraction"),
            ("iface = \"a\"\niface = \"b\"", ":2: not TOML"),
            ("\n\niface = [", ":3: not TOML"),
            ("\"\\u001b[31m\" = 1", "`\\u{1b}[31m` is no setting"),
        ] {
            let error = read_here(text).unwrap_err();
            assert!(error.contains(told), "{text:?}: {error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn what_stands_in_a_file_that_is_no_configuration_is_not_repeated() {
        for text in ["root:secret:1", "secret", "x = secret", "iface = \"a\" secret"] {
            let error = read_here(text).unwrap_err();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }
}
