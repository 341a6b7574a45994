//! The one table of keys: lookup, footer and help are all made from it, so none of them can lie.
//!
//! Knows which command exists, which keys ask for it, and when it does something. Refuses to do it: see
//! [`super::update`]. How keys are spelt and bound anew is in [`super::keys`].

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::keys::{Key, Keymap, char, ctrl, plain};
use super::model::{Model, Pane, Screen, Subject};
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
    NextScreen,
    PreviousScreen,
    NextDevice,
    PreviousDevice,
    Show(Screen),
    Filter,
    Sort,
    Reverse,
    Mode,
    Mark,
    NextLife,
    PreviousLife,
    Freeze,
    Export,
    Copy,
}

#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// What a configuration calls the command.
    pub name: &'static str,
    /// Unless the configuration says otherwise.
    pub keys: &'static [Key],
    pub command: Command,
    /// What it does, for the help.
    pub label: &'static str,
    /// What it does in a word, for the footer; absent where a hint beside it says enough.
    pub hint: Option<&'static str>,
}

const fn binding(
    name: &'static str,
    keys: &'static [Key],
    command: Command,
    hint: Option<&'static str>,
    label: &'static str,
) -> Binding {
    Binding { name, keys, command, label, hint }
}

/// In the order of the footer.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    binding("back", &[plain(KeyCode::Esc), plain(KeyCode::Backspace)], Command::Back, Some("back"),
        "back out of what is open; where nothing is, clear the filter"),
    binding("open", &[plain(KeyCode::Enter)], Command::Open, Some("open"),
        "open what is chosen; from an alert, its flow"),
    binding("down", &[char('j'), plain(KeyCode::Down)], Command::Down, Some("down"), "down"),
    binding("up", &[char('k'), plain(KeyCode::Up)], Command::Up, Some("up"), "up"),
    binding("page-down", &[plain(KeyCode::PageDown), char(' ')], Command::PageDown, None, "a page down"),
    binding("page-up", &[plain(KeyCode::PageUp)], Command::PageUp, None, "a page up"),
    binding("top", &[char('g'), plain(KeyCode::Home)], Command::Top, None, "to the top, and follow it"),
    binding("bottom", &[char('G'), plain(KeyCode::End)], Command::Bottom, None,
        "to the bottom, and follow the flow that is open"),
    binding("next-device", &[plain(KeyCode::Right), char('l')], Command::NextDevice, Some("device"), "next device"),
    binding("previous-device", &[plain(KeyCode::Left), char('h')], Command::PreviousDevice, Some("device"),
        "previous device"),
    binding("next-life", &[char(']')], Command::NextLife, Some("life"), "the next life of the flow"),
    binding("previous-life", &[char('[')], Command::PreviousLife, Some("life"), "the life before"),
    binding("filter", &[char('/')], Command::Filter, Some("filter"),
        "list only what has all of these words; without one: all of it"),
    binding("sort", &[char('s')], Command::Sort, Some("sort"), "sort the flows by the next column"),
    binding("reverse", &[char('S')], Command::Reverse, None, "sort them the other way round"),
    binding("mode", &[char('m')], Command::Mode, Some("mode"),
        "switch the device's test firmware; asks before it does"),
    binding("export", &[char('e')], Command::Export, Some("export"), "export the report"),
    binding("mark", &[char('M')], Command::Mark, Some("note"), "drop a marker with a note into the stream"),
    binding("copy", &[char('c')], Command::Copy, Some("copy"),
        "copy what is chosen to the clipboard (OSC 52: the terminal must allow it)"),
    binding("freeze", &[char('p')], Command::Freeze, Some("freeze"),
        "freeze the view, or let it go on; capture goes on either way"),
    binding("next-screen", &[plain(KeyCode::Tab)], Command::NextScreen, Some("screen"), "next screen"),
    binding("previous-screen", &[plain(KeyCode::BackTab)], Command::PreviousScreen, None, "previous screen"),
    binding("overview", &[char('1')], Command::Show(Screen::Overview), None, "overview"),
    binding("alerts", &[char('2')], Command::Show(Screen::Alerts), None, "alerts"),
    binding("flows", &[char('3')], Command::Show(Screen::Flows), None, "flows"),
    binding("flow", &[char('4')], Command::Show(Screen::Flow), None, "the chosen flow, packet by packet"),
    binding("device", &[char('5')], Command::Show(Screen::Device), None, "the chosen device"),
    binding("help", &[char('?'), char('6')], Command::Help, Some("help"), "this help"),
    binding("quit", &[char('q'), ctrl('c')], Command::Quit, Some("quit"), "quit"),
    binding("suspend", &[ctrl('z')], Command::Suspend, None, "suspend to the shell"),
];

/// What a key asks for now, if it does anything now.
pub fn command(model: &Model, event: &KeyEvent) -> Option<Command> {
    meant(&model.keymap, event).filter(|command| does_something(model, *command))
}

/// What a key is bound to.
pub fn meant(keymap: &Keymap, event: &KeyEvent) -> Option<Command> {
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    keymap.command(Key { code: event.code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL) })
}

/// Whether `command` would change anything now.
pub fn does_something(model: &Model, command: Command) -> bool {
    acts(model, command, || position(model))
}

/// The same; where the moving keys stand is measured by the caller, who may know it already.
fn acts(model: &Model, command: Command, position: impl Fn() -> (usize, usize)) -> bool {
    match command {
        Command::Quit | Command::Suspend | Command::Help | Command::NextScreen | Command::PreviousScreen => {
            true
        }
        Command::Back => model.can_go_back(),
        Command::Open => model.can_open().is_some(),
        Command::NextDevice => device_position(model).is_some_and(|(at, last)| at < last),
        Command::PreviousDevice => device_position(model).is_some_and(|(at, _)| at > 0),
        Command::NextLife => view::other_life(model, true).is_some(),
        Command::PreviousLife => view::other_life(model, false).is_some(),
        Command::Show(screen) => model.screen != screen || model.open.is_some() && screen == Screen::Alerts,
        Command::Filter => model.filtered_pane().is_some(),
        Command::Sort | Command::Reverse => {
            model.screen == Screen::Flows && model.let_through().next().is_some()
        }
        // What is over cannot be switched any more, and what an experiment switches is its own.
        Command::Mode => {
            !model.is_over() && model.shown().progress.is_none() && model.device_meant().is_some()
        }
        Command::Mark => !model.is_over(),
        Command::Freeze => model.is_frozen() || !model.is_over(),
        Command::Export => model.events() > 0,
        Command::Copy => model.explained().is_some(),
        Command::Up | Command::Top | Command::PageUp => position().0 > 0,
        Command::Down | Command::Bottom | Command::PageDown => {
            let (at, last) = position();
            at < last
        }
    }
}

/// Where the chosen device stands among the devices, and the last place; `None` on screens that do not go by it.
fn device_position(model: &Model) -> Option<(usize, usize)> {
    matches!(model.screen, Screen::Overview | Screen::Device).then(|| {
        let listed = model.listed(Pane::Devices);
        (model.chosen_index(Pane::Devices, &listed), listed.len().saturating_sub(1))
    })
}

/// Where the keys that move stand, and the last place they can reach.
fn position(model: &Model) -> (usize, usize) {
    match model.moving_pane() {
        Some(pane) => {
            let listed = model.listed(pane);
            (model.chosen_index(pane, &listed), listed.len().saturating_sub(1))
        }
        None => {
            let end = view::text_end(model);
            (model.first_line(end), end)
        }
    }
}

/// A hint of the footer: the key, and what it does.
pub fn hints(model: &Model) -> Vec<(String, &'static str)> {
    if let Some(dialogue) = &model.dialogue {
        return dialogue.hints();
    }
    let mut hints = Vec::new();
    // Measured once: it means laying out all that is open.
    let position = position(model);
    let acts = |command| acts(model, command, || position);
    for binding in BINDINGS {
        let Some(hint) = binding.hint.filter(|_| acts(binding.command)) else { continue };
        let Some(key) = model.keymap.first(binding.command) else { continue };
        let pair = |other| model.keymap.first(other).filter(|_| acts(other));
        let said = match binding.command {
            // Two keys, one hint, where both do something.
            Command::Down => match pair(Command::Up) {
                Some(up) => {
                    hints.push((format!("{}/{}", key.name(), up.name()), "move"));
                    continue;
                }
                None => hint,
            },
            Command::Up if pair(Command::Down).is_some() => continue,
            Command::NextDevice => match pair(Command::PreviousDevice) {
                Some(previous) => {
                    hints.push((format!("{}/{}", previous.name(), key.name()), hint));
                    continue;
                }
                None => hint,
            },
            Command::PreviousDevice if pair(Command::NextDevice).is_some() => continue,
            Command::Open => match model.can_open() {
                Some(Subject::Flow(_)) if model.screen == Screen::Alerts => "its flow",
                Some(Subject::Device(_) | Subject::Alert(_) | Subject::Flow(_)) | None => hint,
            },
            Command::Back if model.clears_a_filter() => "all of it",
            Command::Freeze if model.is_frozen() => "unfreeze",
            Command::Help if model.screen == Screen::Help => continue,
            _ => hint,
        };
        hints.push((key.name(), said));
    }
    hints
}

/// Where a footer has no room for all, so many of the last stay: help and quit.
pub fn kept_hints(model: &Model) -> usize {
    if model.dialogue.is_some() || model.screen == Screen::Help { 1 } else { 2 }
}
