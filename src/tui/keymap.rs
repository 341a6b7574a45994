//! The one table of keys: lookup, footer and help are all made from it, so none of them can lie.
//!
//! Knows which key asks for what, and when that does something. Refuses to do it: see [`super::update`].

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Model, Pane};
use super::view;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Quit,
    Suspend,
    Help,
    Back,
    Open,
    Up,
    Down,
    Top,
    Bottom,
    PageUp,
    PageDown,
    NextPane,
    PreviousPane,
    Pick(Pane),
    NextLife,
    PreviousLife,
    Freeze,
    Export,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub code: KeyCode,
    pub ctrl: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub keys: &'static [Key],
    pub command: Command,
    /// What it does, for the help.
    pub label: &'static str,
    /// What it does in a word, for the footer; absent where a hint beside it says enough.
    pub hint: Option<&'static str>,
}

const fn plain(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

const fn char(c: char) -> Key {
    plain(KeyCode::Char(c))
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: true }
}

/// In the order of the footer.
pub const BINDINGS: &[Binding] = &[
    Binding {
        keys: &[plain(KeyCode::Esc), plain(KeyCode::Backspace)],
        command: Command::Back,
        label: "back out of what is open",
        hint: Some("back"),
    },
    Binding {
        keys: &[plain(KeyCode::Enter)],
        command: Command::Open,
        label: "open what is chosen on the whole screen",
        hint: Some("open"),
    },
    Binding {
        keys: &[plain(KeyCode::Tab)],
        command: Command::NextPane,
        label: "next pane",
        hint: Some("pane"),
    },
    Binding {
        keys: &[plain(KeyCode::BackTab)],
        command: Command::PreviousPane,
        label: "previous pane",
        hint: None,
    },
    Binding { keys: &[char('1')], command: Command::Pick(Pane::Devices), label: "devices", hint: None },
    Binding { keys: &[char('2')], command: Command::Pick(Pane::Alerts), label: "alerts", hint: None },
    Binding { keys: &[char('3')], command: Command::Pick(Pane::Flows), label: "flows", hint: None },
    Binding {
        keys: &[char('j'), plain(KeyCode::Down)],
        command: Command::Down,
        label: "down",
        hint: Some("down"),
    },
    Binding { keys: &[char('k'), plain(KeyCode::Up)], command: Command::Up, label: "up", hint: Some("up") },
    Binding {
        keys: &[plain(KeyCode::PageDown), char(' ')],
        command: Command::PageDown,
        label: "a page down",
        hint: None,
    },
    Binding { keys: &[plain(KeyCode::PageUp)], command: Command::PageUp, label: "a page up", hint: None },
    Binding {
        keys: &[char('g'), plain(KeyCode::Home)],
        command: Command::Top,
        label: "to the top, and follow it",
        hint: None,
    },
    Binding {
        keys: &[char('G'), plain(KeyCode::End)],
        command: Command::Bottom,
        label: "to the bottom",
        hint: None,
    },
    Binding {
        keys: &[char(']')],
        command: Command::NextLife,
        label: "the next life of a flow that is open",
        hint: None,
    },
    Binding { keys: &[char('[')], command: Command::PreviousLife, label: "the life before", hint: None },
    Binding {
        keys: &[char('e')],
        command: Command::Export,
        label: "export the report",
        hint: Some("export"),
    },
    Binding {
        keys: &[char('p')],
        command: Command::Freeze,
        label: "freeze the view, or let it go on; capture goes on either way",
        hint: Some("freeze"),
    },
    Binding { keys: &[char('?')], command: Command::Help, label: "this help", hint: Some("help") },
    Binding { keys: &[char('q'), ctrl('c')], command: Command::Quit, label: "quit", hint: Some("quit") },
    Binding { keys: &[ctrl('z')], command: Command::Suspend, label: "suspend to the shell", hint: None },
];

/// What a key asks for now, if it does anything now.
pub fn command(model: &Model, event: &KeyEvent) -> Option<Command> {
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let pressed = Key { code: event.code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL) };
    BINDINGS
        .iter()
        .find(|binding| binding.keys.contains(&pressed))
        .map(|binding| binding.command)
        .filter(|command| does_something(model, *command))
}

/// Whether `command` would change anything now.
pub fn does_something(model: &Model, command: Command) -> bool {
    acts(model, command, || position(model))
}

/// The same; where the moving keys stand is measured by the caller, who may know it already.
fn acts(model: &Model, command: Command, position: impl Fn() -> (usize, usize)) -> bool {
    let overview = model.open.is_none() && model.help.is_none();
    match command {
        Command::Quit | Command::Suspend | Command::Help => true,
        Command::Back => !overview,
        Command::Open => overview && model.explained().is_some(),
        Command::NextPane | Command::PreviousPane => overview,
        Command::Pick(pane) => overview && model.pane != pane,
        Command::NextLife => view::other_life(model, true).is_some(),
        Command::PreviousLife => view::other_life(model, false).is_some(),
        Command::Freeze => model.is_frozen() || !model.is_over(),
        Command::Export => model.events() > 0,
        Command::Up | Command::Top | Command::PageUp => position().0 > 0,
        Command::Down | Command::Bottom | Command::PageDown => {
            let (at, last) = position();
            at < last
        }
    }
}

/// Where the keys that move stand, and the last place they can reach.
fn position(model: &Model) -> (usize, usize) {
    if let Some(at) = model.help {
        (at, view::help_end(model))
    } else if model.open.is_some() {
        (model.scroll, view::open_end(model))
    } else {
        let listed = model.listed(model.pane);
        (model.chosen_index(model.pane, &listed), listed.len().saturating_sub(1))
    }
}

/// A hint of the footer: the key, and what it does.
pub fn hints(model: &Model) -> Vec<(String, &'static str)> {
    let mut hints = Vec::new();
    // Measured once: it means laying out all that is open.
    let position = position(model);
    let acts = |command| acts(model, command, || position);
    for binding in BINDINGS {
        let Some(hint) = binding.hint.filter(|_| acts(binding.command)) else { continue };
        let Some(key) = binding.keys.first() else { continue };
        let both = |other| acts(binding.command) && acts(other);
        let said = match binding.command {
            // Two keys, one hint, where both do something.
            Command::Down if both(Command::Up) => {
                hints.push((format!("{}/k", key.name()), "move"));
                continue;
            }
            Command::Up if both(Command::Down) => continue,
            Command::Freeze if model.is_frozen() => "unfreeze",
            Command::Help if model.help.is_some() => continue,
            _ => hint,
        };
        hints.push((key.name(), said));
    }
    hints
}

impl Key {
    pub fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) if self.ctrl => c.to_ascii_uppercase().to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            other => other.to_string(),
        };
        if self.ctrl { format!("Ctrl-{name}") } else { name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        let keys: Vec<_> = BINDINGS.iter().flat_map(|binding| binding.keys).collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{} is bound twice", key.name());
        }
    }

    #[test]
    fn keys_have_names_that_people_know() {
        let names: Vec<_> = BINDINGS.iter().flat_map(|binding| binding.keys).map(|key| key.name()).collect();
        for name in ["Esc", "Enter", "Tab", "Shift-Tab", "j", "Down", "PgDn", "Space", "Home", "Ctrl-C", "?"]
        {
            assert!(names.iter().any(|known| known == name), "{name} is missing from {names:?}");
        }
    }
}
