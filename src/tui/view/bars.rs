//! The lines around the panes: header, titles, footer.
//!
//! Knows what must always be in sight: what is watched, for how long, how well. Refuses to explain anything.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::{fit, question};
use crate::analysis::rule::Severity;
use crate::tui::dialogue::Dialogue;
use crate::tui::keymap::{self, Command};
use crate::tui::model::{Model, Screen};
use crate::tui::words;

/// ` esp-tcpwatch | demo | live tap0            00:01:12 | 46 frames | no loss `
pub fn header(model: &Model, width: u16) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let room = usize::from(width);
    let mut right = Vec::new();
    if model.is_frozen() {
        right.push((format!("FROZEN, {} unseen", model.unseen()), theme.warn()));
    } else if model.is_over() {
        right.push(("ended".to_owned(), theme.strong()));
    }
    right.push((words::clock(model.shown().elapsed(model.now())), Style::new()));
    let (quality, lossless) = quality(model);
    right.push((quality, if lossless { theme.good() } else { theme.warn() }));
    let wide: usize = right.iter().map(|(text, _)| fit::width(text)).sum();
    let separator =
        if wide + 3 * right.len() < room { format!(" {} ", glyphs.column) } else { " ".to_owned() };
    let used: usize = right.iter().map(|(text, _)| fit::width(text)).sum::<usize>()
        + (right.len() - 1) * fit::width(&separator);
    let left_room = room.saturating_sub(used + 4);
    let mut spans = vec![Span::raw(" ")];
    if left_room > 0 {
        let (name, rest) = left(model);
        let name = fit::cut(&name, left_room, glyphs.ellipsis);
        let rest = fit::left(&rest, left_room - fit::width(&name), glyphs.ellipsis);
        spans.push(Span::styled(name, theme.strong()));
        spans.push(Span::raw(rest));
        spans.push(Span::raw("  "));
    }
    for (at, (text, style)) in right.into_iter().enumerate() {
        if at > 0 {
            spans.push(Span::styled(separator.clone(), theme.quiet()));
        }
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

fn left(model: &Model) -> (String, String) {
    let theme = model.theme;
    let column = theme.glyphs().column;
    let mut rest = String::new();
    let title = theme.show(&model.title);
    if !title.is_empty() {
        rest.push_str(&format!(" {column} {title}"));
    }
    if let Some(start) = &model.shown().start {
        // The header's title may be the file's name already.
        let source = match start.name == model.title {
            true => start.source.clone(),
            false => format!("{} {}", start.source, start.name),
        };
        rest.push_str(&format!(" {column} {}", theme.show(&source)));
    }
    ("esp-tcpwatch".to_owned(), rest)
}

/// How well the stream was captured, and whether nothing is known to be lost.
fn quality(model: &Model) -> (String, bool) {
    let glyphs = model.theme.glyphs();
    let watched = model.shown();
    let (frames, exact) = watched.frames();
    // Only the summary knows how many frames there were; until then, at least as many as were named.
    let more = if exact || frames == 0 { "" } else { glyphs.at_least };
    let quality = watched.capture.quality;
    let lossless = quality.dropped == 0 && quality.gaps == 0;
    let loss = if lossless {
        format!("{} no loss", glyphs.good)
    } else {
        format!("{} {} lost, {}", glyphs.bad, quality.dropped, crate::text::counted(quality.gaps, "gap"))
    };
    (format!("{more}{} {} {loss}", crate::text::counted(frames, "frame"), glyphs.column), lossless)
}

/// ` 1 Overview  2 Alerts 3  3 Flows 12  4 Flow  5 Device  6 Help`
pub fn tabs(model: &Model, width: u16) -> Line<'static> {
    let theme = model.theme;
    let worst =
        model.shown().alerts.iter().filter(|entry| !entry.ended()).map(|entry| entry.alert.severity).max();
    let mut spans = vec![Span::raw(" ")];
    for (screen, text) in named(model, width) {
        let style = if screen == model.screen {
            theme.accent().add_modifier(Modifier::BOLD | Modifier::REVERSED)
        } else {
            match worst.filter(|worst| screen == Screen::Alerts && *worst >= Severity::Warning) {
                Some(worst) => theme.severity(worst),
                None => Style::new(),
            }
        };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// The screen whose name stands at this column of the tabs.
pub fn tab_at(model: &Model, width: u16, column: u16) -> Option<Screen> {
    let mut end = 1;
    named(model, width).into_iter().find_map(|(screen, text)| {
        let start = end;
        end += fit::width(&text);
        (start..end).contains(&usize::from(column)).then_some(screen)
    })
}

/// Each screen by its key and name; where there is no room, the others than this one by their keys alone.
fn named(model: &Model, width: u16) -> Vec<(Screen, String)> {
    let watched = model.shown();
    let full = Screen::ALL.map(|screen| {
        let key = match screen {
            // Its first key is in the footer.
            Screen::Help => model.keymap.keys(Command::Help).last().copied(),
            Screen::Overview | Screen::Alerts | Screen::Flows | Screen::Flow | Screen::Device => {
                model.keymap.first(Command::Show(screen))
            }
        };
        let key = key.map_or_else(String::new, |key| format!("{key} "));
        let count = match screen {
            Screen::Alerts => watched.alerts.len(),
            Screen::Flows => watched.flows.len(),
            Screen::Overview | Screen::Flow | Screen::Device | Screen::Help => 0,
        };
        let count = if count == 0 { String::new() } else { format!(" {count}") };
        (screen, key.clone(), format!(" {key}{}{count} ", screen.name()))
    });
    let wide: usize = full.iter().map(|(_, _, text)| fit::width(text)).sum();
    let fits = wide < usize::from(width);
    full.into_iter()
        .map(
            |(screen, key, text)| {
                if fits || screen == model.screen { (screen, text) } else { (screen, format!(" {key}")) }
            },
        )
        .collect()
}

/// A rule with a title in it.
pub fn title(model: &Model, width: u16, title: &str, focused: bool, right: Option<&str>) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let room = usize::from(width);
    let rule = if focused { theme.accent() } else { theme.quiet() };
    let name = if focused {
        theme.accent().add_modifier(Modifier::BOLD | Modifier::REVERSED)
    } else {
        theme.strong()
    };
    let focus = if focused { glyphs.focus } else { "" };
    let name_text = fit::cut(&format!(" {focus}{title} "), room.saturating_sub(2), glyphs.ellipsis);
    let used = 1 + fit::width(&name_text);
    let right_text = match right {
        Some(text) if used + 8 < room => {
            format!(" {} ", fit::cut(text, room.saturating_sub(used + 6), glyphs.ellipsis))
        }
        Some(_) | None => String::new(),
    };
    let fill = room.saturating_sub(used + fit::width(&right_text));
    Line::from(vec![
        Span::styled(glyphs.rule, rule),
        Span::styled(name_text, name),
        Span::styled(glyphs.rule.repeat(fill.saturating_sub(usize::from(!right_text.is_empty()))), rule),
        Span::styled(right_text.clone(), theme.quiet()),
        Span::styled(if right_text.is_empty() { "" } else { glyphs.rule }, rule),
    ])
}

/// The answer to the last key, else the keys that do something now.
pub fn footer(model: &Model, width: u16) -> Line<'static> {
    let theme = model.theme;
    let glyphs = theme.glyphs();
    let room = usize::from(width);
    if let Some(notice) = &model.notice {
        let (mark, style) =
            if notice.is_error { (glyphs.bad, theme.bad()) } else { (glyphs.good, theme.good()) };
        let text = format!(" {mark} {}", theme.show(&notice.text));
        return Line::styled(fit::cut(&text, room, glyphs.ellipsis), style);
    }
    let hints = keymap::hints(model);
    let wide = |hint: &(String, &str)| fit::width(&hint.0) + fit::width(hint.1) + 3;
    let kept_hints = keymap::kept_hints(model);
    let kept: usize = hints.iter().rev().take(kept_hints).map(wide).sum();
    let mut spans = vec![Span::raw(" ")];
    if let Some((name, input)) = typed(model) {
        let room = room.saturating_sub(hints.iter().map(wide).sum::<usize>() + fit::width(name) + 4);
        spans.push(Span::styled(name, theme.strong()));
        spans.extend(question::typed_in(theme, input, room));
        spans.push(Span::raw("   "));
    }
    let mut left = room.saturating_sub(kept + spans.iter().map(Span::width).sum::<usize>());
    let count = hints.len();
    for (at, hint) in hints.into_iter().enumerate() {
        let last_ones = at + kept_hints >= count;
        if !last_ones {
            if wide(&hint) > left {
                continue;
            }
            left -= wide(&hint);
        }
        spans.push(Span::styled(hint.0, theme.accent().add_modifier(Modifier::BOLD)));
        spans.push(Span::raw(format!(" {}  ", hint.1)));
    }
    Line::from(spans)
}

/// What is being typed into the footer, and what it is for.
fn typed(model: &Model) -> Option<(&'static str, &tui_input::Input)> {
    match model.dialogue.as_ref()? {
        Dialogue::Filter { input, .. } => Some(("Filter: ", input)),
        Dialogue::Note(input) => Some(("Note: ", input)),
        Dialogue::Mode(_) => None,
    }
}
