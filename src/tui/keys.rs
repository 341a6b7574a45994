//! Keys: how they are spelt, and which command each is bound to.
//!
//! Knows spellings, and that no key means two things. Refuses to know what a command does.

use core::fmt;
use std::collections::BTreeMap;

use crossterm::event::KeyCode;

use super::keymap::{BINDINGS, Binding, Command};
use crate::text::escape;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub code: KeyCode,
    pub ctrl: bool,
}

pub(super) const fn plain(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

pub(super) const fn char(c: char) -> Key {
    plain(KeyCode::Char(c))
}

pub(super) const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: true }
}

/// Keys that have a name, as they are spelt in help and configuration.
const NAMED: &[(&str, KeyCode)] = &[
    ("Esc", KeyCode::Esc),
    ("Enter", KeyCode::Enter),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Space", KeyCode::Char(' ')),
    ("Backspace", KeyCode::Backspace),
    ("Del", KeyCode::Delete),
    ("Ins", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
];

impl Key {
    /// As it is spelt in help and configuration: `j`, `G`, `Space`, `PgDn`, `F5`, `Ctrl-C`.
    pub fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(c) if self.ctrl => c.to_ascii_uppercase().to_string(),
            KeyCode::F(number) => format!("F{number}"),
            code => match (NAMED.iter().find(|(_, named)| *named == code), code) {
                (Some((name, _)), _) => (*name).to_owned(),
                (None, KeyCode::Char(c)) => c.to_string(),
                (None, other) => other.to_string(),
            },
        };
        if self.ctrl { format!("Ctrl-{name}") } else { name }
    }

    /// From its spelling; names in any case, single characters as they are.
    fn parse(spelling: &str) -> Option<Key> {
        if let Some(letter) = strip(spelling, "Ctrl-") {
            let mut letters = letter.chars();
            let (letter, None) = (letters.next()?, letters.next()) else { return None };
            return letter.is_ascii_alphabetic().then(|| ctrl(letter.to_ascii_lowercase()));
        }
        let mut characters = spelling.chars();
        if let (Some(c), None) = (characters.next(), characters.next()) {
            return (!c.is_control() && c != ' ').then(|| char(c));
        }
        if let Some((_, code)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(spelling)) {
            return Some(plain(*code));
        }
        let number: u8 = strip(spelling, "F")?.parse().ok()?;
        (1..=24).contains(&number).then(|| plain(KeyCode::F(number)))
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The table of keys as it is in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    bound: Vec<(Command, Vec<Key>)>,
}

impl Default for Keymap {
    fn default() -> Keymap {
        Keymap { bound: BINDINGS.iter().map(|binding| (binding.command, binding.keys.to_vec())).collect() }
    }
}

/// Why keys cannot be bound so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    #[error("there is no command `{0}`; there are {commands}", commands = commands())]
    Command(String),
    #[error(
        "`{key}`, for `{command}`, is no key; write one character, Ctrl- and a letter, F1 to F24, or {named}",
        named = named()
    )]
    Key { command: &'static str, key: String },
    #[error("{key} is bound to `{first}` and to `{second}`; give one of them another key")]
    Conflict { key: String, first: &'static str, second: &'static str },
    #[error("`{0}` needs a key: without it there is no way {way}", way = if *.0 == "quit" { "out" } else { "back" })]
    Needed(&'static str),
}

fn commands() -> String {
    BINDINGS.iter().map(|binding| binding.name).collect::<Vec<_>>().join(", ")
}

fn named() -> String {
    NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl Keymap {
    /// The built-in table with other keys for some commands: command name to spellings, as `freeze = ["f"]`. The keys
    /// given replace those that the command had; none at all unbinds it.
    ///
    /// # Errors
    /// A command or key that is not there, a key that would mean two things, or no key to quit or to go back.
    pub fn with<C: AsRef<str>, K: AsRef<str>>(
        changes: impl IntoIterator<Item = (C, Vec<K>)>,
    ) -> Result<Keymap, KeymapError> {
        let mut keymap = Keymap::default();
        for (name, spellings) in changes {
            let Some(at) = BINDINGS.iter().position(|binding| binding.name == name.as_ref()) else {
                return Err(KeymapError::Command(escape(name.as_ref()).into_owned()));
            };
            let Some(Binding { name: command, .. }) = BINDINGS.get(at) else { continue };
            let keys = spellings
                .iter()
                .map(|spelling| {
                    Key::parse(spelling.as_ref()).ok_or_else(|| KeymapError::Key {
                        command,
                        key: escape(spelling.as_ref()).into_owned(),
                    })
                })
                .collect::<Result<Vec<Key>, KeymapError>>()?;
            if let Some((_, bound)) = keymap.bound.get_mut(at) {
                *bound = keys;
            }
        }
        keymap.check()?;
        Ok(keymap)
    }

    fn check(&self) -> Result<(), KeymapError> {
        let mut seen: BTreeMap<String, &'static str> = BTreeMap::new();
        for ((command, keys), binding) in self.bound.iter().zip(BINDINGS) {
            if keys.is_empty() && matches!(command, Command::Quit | Command::Back) {
                return Err(KeymapError::Needed(binding.name));
            }
            for key in keys {
                let before = seen.insert(key.name(), binding.name);
                if let Some(first) = before.filter(|first| *first != binding.name) {
                    return Err(KeymapError::Conflict { key: key.name(), first, second: binding.name });
                }
            }
        }
        Ok(())
    }

    pub fn command(&self, key: Key) -> Option<Command> {
        self.bound.iter().find(|(_, keys)| keys.contains(&key)).map(|(command, _)| *command)
    }

    /// The keys of `command`, the one that hints name first.
    pub fn keys(&self, command: Command) -> &[Key] {
        self.bound.iter().find(|(bound, _)| *bound == command).map_or(&[], |(_, keys)| keys.as_slice())
    }

    pub fn first(&self, command: Command) -> Option<Key> {
        self.keys(command).first().copied()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(&str, &[&str])]) -> Result<Keymap, String> {
        Keymap::with(changes.iter().map(|(name, keys)| (*name, keys.to_vec())))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn no_key_means_two_things() {
        Keymap::default().check().unwrap();
    }

    #[test]
    fn every_key_of_the_table_can_be_spelt_as_help_spells_it() {
        for key in BINDINGS.iter().flat_map(|binding| binding.keys) {
            assert_eq!(Key::parse(&key.name()), Some(*key), "{key}");
        }
        for (spelling, key) in [
            ("ctrl-x", ctrl('x')),
            ("ESC", plain(KeyCode::Esc)),
            ("f12", plain(KeyCode::F(12))),
            ("F", char('F')),
            ("é", char('é')),
            ("-", char('-')),
        ] {
            assert_eq!(Key::parse(spelling), Some(key), "{spelling}");
        }
        for spelling in ["", " ", "Ctrl-", "Ctrl-xy", "Ctrl-1", "F0", "F25", "F1é", "jj", "\u{1b}", "Alt-x"]
        {
            assert_eq!(Key::parse(spelling), None, "{spelling}");
        }
    }

    #[test]
    fn keys_given_replace_those_there_were() {
        let keymap = with(&[("freeze", &["f", "F5"]), ("mark", &[])]).unwrap();
        assert_eq!(keymap.command(char('f')), Some(Command::Freeze));
        assert_eq!(keymap.command(plain(KeyCode::F(5))), Some(Command::Freeze));
        assert_eq!(keymap.command(char('p')), None);
        assert_eq!(keymap.keys(Command::Mark), []);
        // A key that another command gave up is free.
        let keymap = with(&[("freeze", &["f"]), ("mode", &["p"])]).unwrap();
        assert_eq!(keymap.command(char('p')), Some(Command::Mode));
    }

    #[test]
    fn what_cannot_be_bound_is_told_with_a_way_out() {
        for (changes, says) in [
            (&[("freze", &["f"][..])][..], "there is no command `freze`; there are back, open, down"),
            (&[("fre\u{1b}", &["f"])], "`fre\\u{1b}`"),
            (&[("freeze", &["ff"])], "`ff`, for `freeze`, is no key; write one character"),
            (&[("freeze", &["e"])], "e is bound to `export` and to `freeze`"),
            (&[("quit", &[])], "`quit` needs a key: without it there is no way out"),
            (&[("back", &[])], "`back` needs a key: without it there is no way back"),
        ] {
            let error = with(changes).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
