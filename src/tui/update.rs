//! The one place where the model changes.
//!
//! Knows what each message does. Refuses to draw and to act on the world: what must be done outside is returned.

use core::time::Duration;

use crossterm::event::{KeyEvent, KeyEventKind};

use super::keymap::{self, Command};
use super::model::{Model, Notice, Pane, Subject};
use super::view;
use crate::analysis::event::Event;

#[derive(Clone, Debug)]
pub enum Msg {
    Event(Box<Event>),
    /// The sender of events is gone; after a summary or without one.
    StreamOver,
    /// How long the stream has been silent, by a monotonic clock.
    Silent(Duration),
    Key(KeyEvent),
    Resized(u16, u16),
    /// What became of [`Effect::Export`].
    Exported(Result<String, String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Quit,
    /// Give the terminal back to the shell until it lets us go on.
    Suspend,
    Export,
}

pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Event(event) => model.fold(*event),
        Msg::StreamOver => model.stream_over = true,
        Msg::Silent(silence) => model.set_silent_for(silence),
        Msg::Key(key) => return pressed(model, &key),
        Msg::Resized(columns, rows) => {
            model.size = (columns, rows);
            keep_in_sight(model);
        }
        Msg::Exported(outcome) => {
            model.notice = Some(match outcome {
                Ok(path) => Notice { text: format!("report written: {path}"), is_error: false },
                Err(why) => Notice { text: format!("no report: {why}"), is_error: true },
            });
        }
    }
    Vec::new()
}

fn pressed(model: &mut Model, key: &KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    model.notice = None;
    let Some(command) = keymap::command(model, key) else { return Vec::new() };
    match command {
        Command::Quit => return vec![Effect::Quit],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Export => return vec![Effect::Export],
        Command::Help => model.help = if model.help.is_some() { None } else { Some(0) },
        Command::Back => back(model),
        Command::Open => {
            model.open = model.explained();
            model.scroll = 0;
        }
        Command::NextPane => model.pane = model.pane.next(),
        Command::PreviousPane => model.pane = model.pane.previous(),
        Command::Pick(pane) => model.pane = pane,
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
    }
}

fn back(model: &mut Model) {
    if model.help.take().is_none() {
        model.open = None;
        model.scroll = 0;
    }
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
    if let Some(at) = model.help {
        model.help = Some(step.from(at, view::help_end(model)));
    } else if model.open.is_some() {
        model.scroll = step.from(model.scroll, view::open_end(model));
    } else {
        choose(model, step);
    }
}

fn choose(model: &mut Model, step: Step) {
    let pane = model.pane;
    let listed = model.listed(pane);
    let at = step.from(model.chosen_index(pane, &listed), listed.len().saturating_sub(1));
    // The top is followed, whatever comes to stand there.
    let chosen = listed.get(at).filter(|_| at > 0);
    match pane {
        Pane::Devices => model.chosen.device = None,
        Pane::Alerts => model.chosen.alert = None,
        Pane::Flows => model.chosen.flow = None,
    }
    match chosen {
        Some(Subject::Device(address)) => model.chosen.device = Some(*address),
        Some(Subject::Alert(id)) => model.chosen.alert = Some(*id),
        Some(Subject::Flow(key)) => model.chosen.flow = Some(*key),
        None => {}
    }
}

/// A smaller text, or a larger window, must not leave the reader behind the end.
fn keep_in_sight(model: &mut Model) {
    if let Some(at) = model.help {
        model.help = Some(at.min(view::help_end(model)));
    }
    if model.open.is_some() {
        model.scroll = model.scroll.min(view::open_end(model));
    }
}
