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
    end(text(model, body.width).1.len(), body.height.saturating_sub(1))
}

/// The first line to show for the next life of the flow that is open, or for the one before; `None` where there is
/// none to go to.
pub fn other_life(model: &Model, forward: bool) -> Option<usize> {
    let Some(Subject::Flow(key)) = model.whole() else { return None };
    let body = Areas::of(model, all(model)).body;
    let entry = model.shown().flows.get(&key)?;
    let (at, last) = (model.scroll, text_end(model));
    let mut lives =
        flow::lives(model, key, entry, detail_width(body.width)).into_iter().map(|life| life.min(last));
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

/// The title and the text of a screen that is one text.
fn text(model: &Model, width: u16) -> (String, Vec<Line<'static>>) {
    let width = detail_width(width);
    match model.whole() {
        Some(subject) => (detail::title(model, subject), detail::lines(model, subject, width)),
        None if model.screen == Screen::Help => ("Help".to_owned(), help::lines(model, width)),
        None => {
            if let Some(told) = model.shown().progress.as_ref().filter(|_| model.screen == Screen::Device) {
                return (model.screen.name().to_owned(), experiment::lines(model, told, width));
            }
            let what = if model.screen == Screen::Device { "device" } else { "connection" };
            let text =
                if model.is_over() { format!("No {what} was seen.") } else { format!("No {what} seen yet.") };
            (model.screen.name().to_owned(), vec![Line::styled(format!(" {text}"), model.theme.quiet())])
        }
    }
}

fn whole(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let (title, lines) = text(model, area.width);
    let aside = position(model.scroll, lines.len(), area);
    let body = titled(model, frame, area, &title, true, aside);
    let first = model.scroll.min(end(lines.len(), body.height));
    scrolled(frame, body, lines, first);
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

/// An experiment that runs, or the last marker or loss, beside the devices that it concerns.
fn remark(model: &Model, pane: Pane) -> Option<String> {
    let watched = model.shown();
    if pane == Pane::Devices
        && let Some(told) = watched.progress.as_ref().filter(|_| watched.is_experiment())
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

fn position(scroll: usize, lines: usize, area: Rect) -> Option<String> {
    let height = usize::from(area.height.saturating_sub(1));
    let last = (scroll + height).min(lines);
    (lines > height).then(|| format!("{}-{last} of {lines}", (scroll + 1).min(last)))
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
