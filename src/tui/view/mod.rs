//! The screens, drawn from the model and from nothing else.
//!
//! Knows what goes where. Refuses to change anything: a view reads the model, and what it measures
//! (how far one can scroll, what stands under the mouse) is told to those who ask.

use core::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Color;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};

use super::keymap::Command;
use super::model::{Model, Pane, Screen, Subject};
use super::words;
use layout::Areas;

mod alerts;
mod banner;
mod bars;
mod detail;
mod device;
mod devices;
mod experiment;
mod fit;
mod flow;
mod flows;
mod gauge;
mod help;
mod ladder;
mod layout;
mod numbers;
mod question;
mod trail;

/// What a click means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Screen(Screen),
    Row(Pane, Subject),
}

/// The lines of a list that are in sight, and what each is about.
#[derive(Clone, Debug, Default)]
struct Listing {
    lines: Vec<Line<'static>>,
    subjects: Vec<Option<Subject>>,
}

impl Listing {
    /// A line instead of a list.
    fn nothing(model: &Model, text: &str) -> Listing {
        Listing { lines: vec![Line::styled(format!(" {text}"), model.theme.quiet())], subjects: vec![None] }
    }

    fn push(&mut self, line: Line<'static>, subject: Option<Subject>) {
        self.lines.push(line);
        self.subjects.push(subject);
    }
}

pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let areas = Areas::of(model, frame.area());
    frame.render_widget(bars::header(model, areas.header.width), areas.header);
    if let Some(area) = areas.tabs {
        frame.render_widget(bars::tabs(model, area.width), area);
    }
    if let Some(area) = areas.banner {
        frame.render_widget(banner::banner(model, area), area);
    }
    if areas.panes.is_empty() {
        whole(model, frame, areas.body);
    } else {
        lists(model, frame, &areas);
    }
    frame.render_widget(bars::footer(model, areas.footer.width), areas.footer);
    question::render(model, frame, areas.body);
    colour_the_ground(model, frame);
}

/// The last line that the text on the screen can begin with.
pub fn text_end(model: &Model) -> usize {
    let body = Areas::of(model, all(model)).body;
    let text = text(model, body);
    end(text.lines.len(), text.height)
}

/// The first line to show for the next life of the flow that is open, or for the one before; `None` where there is
/// none to go to.
pub fn other_life(model: &Model, forward: bool) -> Option<usize> {
    let Some(Subject::Flow(key)) = model.whole() else { return None };
    let body = Areas::of(model, all(model)).body;
    let entry = model.shown().flows.get(&key)?;
    let text = text(model, body);
    let last = end(text.lines.len(), text.height);
    let at = model.first_line(last);
    let before =
        usize::from(text.pinned.is_empty()) * flow::pinned(model, key, entry, detail_width(body.width)).len();
    let mut lives =
        flow::lives(model, key, detail_width(body.width)).into_iter().map(|life| (life + before).min(last));
    if forward { lives.find(|life| *life > at) } else { lives.rfind(|life| *life < at) }
}

/// Lines in a page of what the keys move in.
pub fn page(model: &Model) -> usize {
    let areas = Areas::of(model, all(model));
    let pane = model.moving_pane();
    let area =
        areas.panes.iter().find(|(listed, _)| Some(*listed) == pane).map_or(areas.body, |(_, area)| *area);
    usize::from(area.height.saturating_sub(2))
}

/// What stands at this cell.
pub fn at(model: &Model, column: u16, row: u16) -> Option<Target> {
    let areas = Areas::of(model, all(model));
    let position = Position { x: column, y: row };
    if let Some(area) = areas.tabs.filter(|area| area.contains(position)) {
        return bars::tab_at(model, area.width, column - area.x).map(Target::Screen);
    }
    let (pane, area) = areas.panes.iter().find(|(_, area)| area.contains(position))?;
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..*area };
    let line = usize::from(row.checked_sub(body.y)?);
    let subject = listing(model, *pane, body, false).subjects.get(line).copied().flatten()?;
    Some(Target::Row(*pane, subject))
}

/// A screen that is one text.
struct Text {
    title: String,
    /// Stays in sight above the lines.
    pinned: Vec<Line<'static>>,
    lines: Vec<Line<'static>>,
    /// Rows for the lines.
    height: u16,
}

fn text(model: &Model, area: Rect) -> Text {
    let width = detail_width(area.width);
    let height = area.height.saturating_sub(1);
    let (title, lines) = match model.whole() {
        Some(Subject::Flow(key)) => {
            if let Some(entry) = model.shown().flows.get(&key) {
                let pinned = flow::pinned(model, key, entry, width);
                let rows = u16::try_from(pinned.len()).unwrap_or(u16::MAX);
                if height / 2 >= rows {
                    let title = detail::title(model, Subject::Flow(key));
                    let lines = flow::packets(model, key, width);
                    return Text { title, pinned, lines, height: height - rows };
                }
            }
            (detail::title(model, Subject::Flow(key)), detail::lines(model, Subject::Flow(key), width))
        }
        Some(subject) => (detail::title(model, subject), detail::lines(model, subject, width)),
        None if model.screen == Screen::Help => ("Help".to_owned(), help::lines(model, width)),
        None => (model.screen.name().to_owned(), nothing(model, width)),
    };
    Text { title, pinned: Vec::new(), lines, height }
}

/// Where there is nothing yet that could fill the screen.
fn nothing(model: &Model, width: u16) -> Vec<Line<'static>> {
    if let Some(told) = model.shown().progress.as_ref().filter(|_| model.screen == Screen::Device) {
        return experiment::lines(model, told, width);
    }
    let what = if model.screen == Screen::Device { "device" } else { "connection" };
    let text = if model.is_over() { format!("No {what} was seen.") } else { format!("No {what} seen yet.") };
    vec![Line::styled(format!(" {text}"), model.theme.quiet())]
}

fn whole(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let text = text(model, area);
    let first = model.first_line(end(text.lines.len(), text.height));
    let aside = [follow(model), position(first, text.lines.len(), text.height)];
    let aside: Vec<_> = aside.into_iter().flatten().collect();
    let aside = (!aside.is_empty()).then(|| aside.join(&format!(" {} ", model.theme.glyphs().dot)));
    let body = titled(model, frame, area, &text.title, true, aside);
    let rows = body.height.saturating_sub(text.height);
    scrolled(frame, Rect { height: rows, ..body }, text.pinned, 0);
    scrolled(frame, Rect { y: body.y + rows, height: body.height - rows, ..body }, text.lines, first);
}

/// Whether the end is followed as the flow goes on, or which key would.
fn follow(model: &Model) -> Option<String> {
    if model.screen != Screen::Flow || model.is_over() || model.whole().is_none() {
        return None;
    }
    if model.follows {
        return Some("follows".to_owned());
    }
    model.keymap.first(Command::Bottom).map(|key| format!("{key}: follow"))
}

fn lists(model: &Model, frame: &mut Frame<'_>, areas: &Areas) {
    for (pane, area) in &areas.panes {
        let listed = model.listed(*pane);
        let at = if listed.is_empty() { 0 } else { model.chosen_index(*pane, &listed) + 1 };
        let mut title = match listed.len() {
            0 => pane.name().to_owned(),
            count => format!("{} {at}/{count}", pane.name()),
        };
        if let Some(filter) = model.filter(*pane).filter(|filter| !filter.is_empty()) {
            title.push_str(&format!(" with \"{}\"", model.theme.show(&filter.text())));
        }
        let focused = model.moving_pane() == Some(*pane);
        let aside = forgotten(model, *pane).or_else(|| remark(model, *pane)).or_else(|| order(model, *pane));
        let body = titled(model, frame, *area, &title, focused, aside);
        scrolled(frame, body, listing(model, *pane, body, focused).lines, 0);
    }
    if let Some(area) = areas.column {
        let bars = vec![Line::styled(model.theme.glyphs().column, model.theme.quiet()); area.height.into()];
        frame.render_widget(Paragraph::new(bars), area);
    }
    if let Some(area) = areas.explanation {
        detail::explanation(model, frame, area);
    }
}

fn listing(model: &Model, pane: Pane, body: Rect, focused: bool) -> Listing {
    match pane {
        Pane::Devices => devices::listing(model, body),
        Pane::Alerts => alerts::listing(model, body, focused),
        Pane::Flows => flows::listing(model, body, focused),
    }
}

/// What was dropped from a list to keep memory bounded is said, never hidden.
fn forgotten(model: &Model, pane: Pane) -> Option<String> {
    let forgotten = model.shown().forgotten;
    let count = match pane {
        Pane::Devices => forgotten.devices,
        Pane::Alerts => forgotten.alerts,
        Pane::Flows => forgotten.flows,
    };
    (count > 0).then(|| format!("{count} older not kept"))
}

/// How far an experiment is, or the last marker or loss, beside the devices that it concerns.
fn remark(model: &Model, pane: Pane) -> Option<String> {
    let watched = model.shown();
    if pane == Pane::Devices
        && let Some(told) = &watched.progress
    {
        return Some(experiment::briefly(model, told));
    }
    let (at, text) = watched.remark.as_ref().filter(|_| pane == Pane::Devices)?;
    Some(format!("{} ago: {}", words::age(model.now().since(*at)), model.theme.show(text)))
}

/// What the flows are sorted by.
fn order(model: &Model, pane: Pane) -> Option<String> {
    let order = model.flow_order;
    (pane == Pane::Flows).then(|| {
        format!("by {}{}", order.column.name(), if order.reversed { ", the other way round" } else { "" })
    })
}

/// A rule with a title, and what is left below it.
fn titled(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    focused: bool,
    right: Option<String>,
) -> Rect {
    if area.is_empty() {
        return area;
    }
    let line = bars::title(model, area.width, title, focused, right.as_deref());
    frame.render_widget(line, Rect { height: 1, ..area });
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

/// `first`: the first line in sight, from 0.
fn position(first: usize, lines: usize, height: u16) -> Option<String> {
    let height = usize::from(height);
    let last = (first + height).min(lines);
    (lines > height).then(|| format!("{}-{last} of {lines}", (first + 1).min(last)))
}

fn scrolled(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>, first: usize) {
    let shown: Vec<_> = lines.into_iter().skip(first).take(area.height.into()).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(shown), area);
}

/// The part of a list of `lines` that is shown in `height`, so that the `chosen` lines are in sight.
fn in_sight(lines: usize, chosen: &Range<usize>, height: usize) -> Range<usize> {
    let first = chosen.end.saturating_sub(height).min(chosen.start).min(lines.saturating_sub(height));
    first..(first + height).min(lines)
}

fn end(lines: usize, height: u16) -> usize {
    lines.saturating_sub(height.into())
}

/// Prose wider than this is hard to read, and the ladder needs no more.
fn detail_width(width: u16) -> u16 {
    width.min(132)
}

fn all(model: &Model) -> Rect {
    Rect::new(0, 0, model.size.0, model.size.1)
}

/// A theme with a ground of its own gives it to every cell that has no colour yet.
fn colour_the_ground(model: &Model, frame: &mut Frame<'_>) {
    let (ink, ground) = model.theme.ground();
    if (ink, ground) == (Color::Reset, Color::Reset) {
        return;
    }
    for cell in &mut frame.buffer_mut().content {
        if cell.fg == Color::Reset {
            cell.fg = ink;
        }
        if cell.bg == Color::Reset {
            cell.bg = ground;
        }
    }
}
