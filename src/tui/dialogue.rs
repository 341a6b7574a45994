//! What the screens ask of the person: a filter's words, a note, and what to switch on a device.
//!
//! Knows the steps of each question and which keys answer it. Refuses to act: an answer becomes an effect, and nothing
//! is sent to a device before the person has read what would be.

use core::net::IpAddr;

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

use super::keymap::{self, Command};
use super::model::{Model, Notice, Pane};
use super::order::Filter;
use super::update::Effect;

/// Characters of a note, a filter or a change; the rest of a paste is left out.
const LONGEST: usize = 200;

#[derive(Clone, Debug)]
pub enum Dialogue {
    /// Follows what is typed; `before` comes back where it is given up.
    Filter {
        pane: Pane,
        input: Input,
        before: Filter,
    },
    Note(Input),
    Mode(ModeDialogue),
}

#[derive(Clone, Debug)]
pub struct ModeDialogue {
    pub device: IpAddr,
    /// Which of [`CHOICES`]; one past them is a change in the person's own words.
    pub at: usize,
    pub step: ModeStep,
}

#[derive(Clone, Debug)]
pub enum ModeStep {
    Choose,
    Type(Input),
    /// What would be sent, and not yet is.
    Confirm(String),
}

/// A change that the test firmware knows, and what it does there.
pub struct Choice {
    pub change: &'static str,
    pub says: &'static str,
}

/// The named modes first, then the remedies one by one, as `esp-tcpwatch mode` takes them.
pub const CHOICES: &[Choice] = &[
    Choice { change: "unfixed", says: "as ESP-IDF ships: a port is refused for 2 minutes" },
    Choice { change: "fixed", says: "the next four together; the server still closes first" },
    Choice { change: "fixed-app", says: "keep-alive alone: the client closes first" },
    Choice { change: "fixed-all", says: "both" },
    Choice { change: "syn_in_time_wait=accept", says: "a newer SYN is accepted in TIME-WAIT (RFC 1122)" },
    Choice { change: "rst_in_time_wait=honour", says: "an exact RST ends TIME-WAIT" },
    Choice { change: "msl_ms=6000", says: "TIME-WAIT lasts 12 s" },
    Choice { change: "pcb_cap=12", says: "12 connection blocks; the oldest gives way" },
    Choice { change: "close=keep-alive", says: "the connection stays open for the next request" },
];

impl Dialogue {
    pub fn filter(pane: Pane, before: Filter) -> Dialogue {
        Dialogue::Filter { pane, input: Input::from(before.text()), before }
    }

    pub fn mode(device: IpAddr) -> Dialogue {
        Dialogue::Mode(ModeDialogue { device, at: 0, step: ModeStep::Choose })
    }

    /// For the footer: the keys that answer, and what they do.
    pub fn hints(&self) -> Vec<(String, &'static str)> {
        let hints: &[(&str, &'static str)] = match self {
            Dialogue::Filter { .. } => &[("Enter", "keep"), ("Esc", "as it was")],
            Dialogue::Note(_) => &[("Enter", "drop it"), ("Esc", "leave it")],
            Dialogue::Mode(mode) => match mode.step {
                ModeStep::Choose => &[("Enter", "choose"), ("Esc", "leave it")],
                ModeStep::Type(_) => &[("Enter", "go on"), ("Esc", "back")],
                ModeStep::Confirm(_) => &[("Enter", "send it"), ("Esc", "back")],
            },
        };
        hints.iter().map(|(key, hint)| ((*key).to_owned(), *hint)).collect()
    }
}

/// A key while a question is open. Enter, Esc and Ctrl-C mean what they always do; the rest is text, or moves.
pub(super) fn pressed(model: &mut Model, key: &KeyEvent) -> Vec<Effect> {
    let Some(mut dialogue) = model.dialogue.take() else { return Vec::new() };
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return vec![Effect::Quit];
    }
    match (key.code, &mut dialogue) {
        (KeyCode::Enter, _) => return answered(model, dialogue),
        (KeyCode::Esc, _) => {
            given_up(model, dialogue);
            return Vec::new();
        }
        (_, Dialogue::Filter { pane, input, .. }) => {
            typed(input, key);
            model.set_filter(*pane, Filter::of(input.value()));
        }
        (_, Dialogue::Note(input)) => typed(input, key),
        (_, Dialogue::Mode(mode)) => match &mut mode.step {
            ModeStep::Choose => moved(model, mode, key),
            ModeStep::Type(input) => typed(input, key),
            ModeStep::Confirm(_) => {}
        },
    }
    model.dialogue = Some(dialogue);
    Vec::new()
}

/// Text that was pasted: into what is typed, its lines as one. Without an open question it means nothing.
pub(super) fn pasted(model: &mut Model, text: &str) {
    let Some(dialogue) = &mut model.dialogue else { return };
    let input = match dialogue {
        Dialogue::Filter { input, .. } | Dialogue::Note(input) => input,
        Dialogue::Mode(ModeDialogue { step: ModeStep::Type(input), .. }) => input,
        Dialogue::Mode(_) => return,
    };
    for c in text.chars() {
        insert(input, if c.is_control() { ' ' } else { c });
    }
    if let Dialogue::Filter { pane, input, .. } = dialogue {
        let (pane, filter) = (*pane, Filter::of(input.value()));
        model.set_filter(pane, filter);
    }
}

fn typed(input: &mut Input, key: &KeyEvent) {
    match key.code {
        KeyCode::Char(c) if (key.modifiers - KeyModifiers::SHIFT).is_empty() => insert(input, c),
        _ => {
            input.handle_event(&TerminalEvent::Key(*key));
        }
    }
}

fn insert(input: &mut Input, c: char) {
    if input.value().chars().count() < LONGEST {
        input.handle(InputRequest::InsertChar(c));
    }
}

fn moved(model: &Model, mode: &mut ModeDialogue, key: &KeyEvent) {
    let last = CHOICES.len();
    mode.at = match keymap::meant(&model.keymap, key) {
        Some(Command::Up) => mode.at.saturating_sub(1),
        Some(Command::Down) => (mode.at + 1).min(last),
        Some(Command::Top) => 0,
        Some(Command::Bottom) => last,
        Some(_) | None => mode.at,
    };
}

fn answered(model: &mut Model, dialogue: Dialogue) -> Vec<Effect> {
    match dialogue {
        Dialogue::Filter { .. } => Vec::new(),
        Dialogue::Note(input) => {
            let note = input.value().trim().to_owned();
            if note.is_empty() {
                model.notice = Some(Notice { text: "an empty note is none".to_owned(), is_error: true });
                return Vec::new();
            }
            vec![Effect::Mark(note)]
        }
        Dialogue::Mode(mut mode) => {
            mode.step = match mode.step {
                ModeStep::Choose => match CHOICES.get(mode.at) {
                    Some(choice) => ModeStep::Confirm(choice.change.to_owned()),
                    None => ModeStep::Type(Input::from("msl_ms=")),
                },
                ModeStep::Type(input) => match input.value().trim() {
                    "" => ModeStep::Type(input),
                    change => ModeStep::Confirm(change.to_owned()),
                },
                ModeStep::Confirm(change) => return vec![Effect::Switch(mode.device, change)],
            };
            model.dialogue = Some(Dialogue::Mode(mode));
            Vec::new()
        }
    }
}

fn given_up(model: &mut Model, dialogue: Dialogue) {
    match dialogue {
        Dialogue::Filter { pane, before, .. } => model.set_filter(pane, before),
        Dialogue::Note(_) => {}
        Dialogue::Mode(mut mode) => {
            mode.step = match mode.step {
                ModeStep::Choose => return,
                ModeStep::Confirm(change) if mode.at >= CHOICES.len() => ModeStep::Type(Input::from(change)),
                ModeStep::Type(_) | ModeStep::Confirm(_) => ModeStep::Choose,
            };
            model.dialogue = Some(Dialogue::Mode(mode));
        }
    }
}
