//! The one place where the model changes.
//!
//! Knows what each message does. Refuses to draw and to act on the world: what must be done outside is returned.

use core::net::IpAddr;
use core::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};

use super::dialogue::{self, Dialogue};
use super::keymap::{self, Command};
use super::model::{Model, Notice, Pane, Screen};
use super::view::{self, Target};
use super::{Answer, copy};
use crate::analysis::event::Event;
use crate::text::escape;

/// Rows that one step of the wheel goes.
const WHEEL: isize = 3;

#[derive(Clone, Debug)]
pub enum Msg {
    Event(Box<Event>),
    /// The sender of events is gone; after a summary or without one.
    StreamOver,
    /// How long the stream has been silent, by a monotonic clock.
    Silent(Duration),
    Key(KeyEvent),
    Mouse(MouseEvent),
    Pasted(String),
    Resized(u16, u16),
    /// What became of [`Effect::Export`].
    Exported(Result<String, String>),
    /// What became of [`Effect::Mark`].
    Marked(Result<(), String>),
    /// Whether what [`Effect::Switch`] wants could be tried.
    Asked(IpAddr, Result<(), String>),
    /// What came of it.
    Answered(Answer),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Quit,
    /// Give the terminal back to the shell until it lets us go on.
    Suspend,
    Export,
    /// Put this text on the clipboard of whoever sits before the terminal.
    Copy(String),
    /// Put this note into the stream.
    Mark(String),
    /// Have this change made on the test firmware of this device.
    Switch(IpAddr, String),
}

pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Event(event) => model.fold(*event),
        Msg::StreamOver => model.stream_over = true,
        Msg::Silent(silence) => model.set_silent_for(silence),
        Msg::Key(key) => return pressed(model, &key),
        Msg::Mouse(mouse) => return pointed(model, mouse),
        Msg::Pasted(text) => dialogue::pasted(model, &text),
        Msg::Resized(columns, rows) => {
            model.size = (columns, rows);
            keep_in_sight(model);
        }
        Msg::Exported(outcome) => {
            say(model, outcome.map(|path| format!("report written: {path}")), "no report");
        }
        Msg::Marked(outcome) => say(model, outcome.map(|()| "note dropped".to_owned()), "no note"),
        Msg::Asked(device, outcome) => {
            let asked = outcome.map(|()| format!("asked {device}; what it answers shows here"));
            say(model, asked, &format!("{device} is not switched"));
        }
        Msg::Answered(Answer { device, outcome }) => {
            let now = outcome.map(|mode| format!("{device} is in mode {mode} now"));
            say(model, now, &format!("{device} is not switched"));
        }
    }
    Vec::new()
}

fn say(model: &mut Model, outcome: Result<String, String>, failed: &str) {
    model.notice = Some(match outcome {
        Ok(text) => Notice { text, is_error: false },
        Err(why) => Notice { text: format!("{failed}: {why}"), is_error: true },
    });
}

fn pressed(model: &mut Model, key: &KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    model.notice = None;
    if model.dialogue.is_some() {
        return dialogue::pressed(model, key);
    }
    let Some(command) = keymap::command(model, key) else { return Vec::new() };
    match command {
        Command::Quit => return vec![Effect::Quit],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Export => return vec![Effect::Export],
        Command::Copy => return copied(model),
        Command::Help => model.toggle_help(),
        Command::Back => model.back(),
        Command::Open => {
            if let Some(subject) = model.can_open() {
                model.open(subject);
            }
        }
        Command::NextScreen => model.show(model.screen.next()),
        Command::PreviousScreen => model.show(model.screen.previous()),
        Command::Show(screen) => model.show(screen),
        Command::NextDevice => choose(model, Pane::Devices, Step::By(1)),
        Command::PreviousDevice => choose(model, Pane::Devices, Step::By(-1)),
        Command::Filter => {
            if let Some(pane) = model.filtered_pane() {
                let before = model.filter(pane).cloned().unwrap_or_default();
                model.dialogue = Some(Dialogue::filter(pane, before));
            }
        }
        Command::Sort => model.flow_order.column = model.flow_order.column.next(),
        Command::Reverse => model.flow_order.reversed = !model.flow_order.reversed,
        Command::Mode => model.dialogue = model.device_meant().map(Dialogue::mode),
        Command::Mark => model.dialogue = Some(Dialogue::Note(tui_input::Input::default())),
        Command::Freeze => {
            model.toggle_freeze();
            keep_in_sight(model);
        }
        Command::NextLife => to_life(model, true),
        Command::PreviousLife => to_life(model, false),
        Command::Up => go(model, Step::By(-1)),
        Command::Down => go(model, Step::By(1)),
        Command::PageUp => go(model, Step::By(-page(model))),
        Command::PageDown => go(model, Step::By(page(model))),
        Command::Top => go(model, Step::Top),
        Command::Bottom => go(model, Step::Bottom),
    }
    Vec::new()
}

fn to_life(model: &mut Model, forward: bool) {
    if let Some(line) = view::other_life(model, forward) {
        model.scroll = line;
        model.follows = false;
    }
}

/// A click chooses, one on what is chosen opens it; the wheel moves. A question is answered by keys.
fn pointed(model: &mut Model, mouse: MouseEvent) -> Vec<Effect> {
    if model.dialogue.is_some() {
        return Vec::new();
    }
    match mouse.kind {
        MouseEventKind::ScrollDown => go(model, Step::By(WHEEL)),
        MouseEventKind::ScrollUp => go(model, Step::By(-WHEEL)),
        MouseEventKind::Down(MouseButton::Left) => {
            model.notice = None;
            match view::at(model, mouse.column, mouse.row) {
                Some(Target::Screen(screen)) => model.show(screen),
                Some(Target::Row(pane, subject)) => {
                    if model.chosen_in(pane) == Some(subject) {
                        model.open(subject);
                    } else {
                        model.choose(pane, Some(subject));
                    }
                }
                None => {}
            }
        }
        MouseEventKind::Down(MouseButton::Middle | MouseButton::Right)
        | MouseEventKind::Up(_)
        | MouseEventKind::Drag(_)
        | MouseEventKind::Moved
        | MouseEventKind::ScrollLeft
        | MouseEventKind::ScrollRight => {}
    }
    Vec::new()
}

fn copied(model: &mut Model) -> Vec<Effect> {
    let Some((what, text)) = model.explained().and_then(|subject| copy::text(model, subject)) else {
        return Vec::new();
    };
    let text = escape(&text).into_owned();
    say(model, Ok(format!("copied {what}: {text}")), "");
    vec![Effect::Copy(text)]
}

#[derive(Clone, Copy)]
enum Step {
    By(isize),
    Top,
    Bottom,
}

impl Step {
    fn from(self, at: usize, last: usize) -> usize {
        match self {
            Step::By(lines) => at.saturating_add_signed(lines).min(last),
            Step::Top => 0,
            Step::Bottom => last,
        }
    }
}

fn page(model: &Model) -> isize {
    isize::try_from(view::page(model)).unwrap_or(isize::MAX).max(1)
}

fn go(model: &mut Model, step: Step) {
    match model.moving_pane() {
        Some(pane) => choose(model, pane, step),
        None => {
            let end = view::text_end(model);
            let before = model.first_line(end);
            model.scroll = step.from(before, end);
            model.follows = model.screen == Screen::Flow && model.scroll == end && !model.is_over();
        }
    }
}

fn choose(model: &mut Model, pane: Pane, step: Step) {
    let listed = model.listed(pane);
    let at = step.from(model.chosen_index(pane, &listed), listed.len().saturating_sub(1));
    // The top is followed, whatever comes to stand there.
    model.choose(pane, listed.get(at).filter(|_| at > 0).copied());
    if pane == Pane::Devices {
        // Another device, another text.
        model.scroll = 0;
    }
}

/// A smaller text, or a larger window, must not leave the reader behind the end.
fn keep_in_sight(model: &mut Model) {
    if model.moving_pane().is_none() {
        model.scroll = model.scroll.min(view::text_end(model));
    }
}
