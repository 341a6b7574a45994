//! The screens, drawn from the model and from nothing else.
//!
//! Knows what goes where. Refuses to change anything: a view reads the model, and what it measures
//! (how far one can scroll) is told to those who ask.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};

use super::model::{Model, Pane, Subject};
use super::words;
use layout::Areas;

mod alerts;
mod banner;
mod bars;
mod detail;
mod devices;
mod fit;
mod flow;
mod flows;
mod help;
mod ladder;
mod layout;
mod numbers;
mod trail;

pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let areas = Areas::of(model, frame.area());
    frame.render_widget(bars::header(model, areas.header.width), areas.header);
    if let Some(area) = areas.banner {
        frame.render_widget(banner::banner(model, area), area);
    }
    if model.help.is_some() {
        help::render(model, frame, areas.body);
    } else if let Some(subject) = model.open {
        let lines = detail::lines(model, subject, detail_width(areas.body.width));
        let title = detail::title(model, subject);
        let body =
            titled(model, frame, areas.body, &title, true, position(model.scroll, lines.len(), areas.body));
        let first = model.scroll.min(end(lines.len(), body.height));
        scrolled(frame, body, lines, first);
    } else {
        overview(model, frame, &areas);
    }
    frame.render_widget(bars::footer(model, areas.footer.width), areas.footer);
}

/// The last line that the help can begin with.
pub fn help_end(model: &Model) -> usize {
    let body = Areas::of(model, whole(model)).body;
    end(help::lines(model, body.width).len(), body.height.saturating_sub(1))
}

/// The last line that what is open can begin with.
pub fn open_end(model: &Model) -> usize {
    let Some(subject) = model.open else { return 0 };
    let body = Areas::of(model, whole(model)).body;
    end(detail::lines(model, subject, detail_width(body.width)).len(), body.height.saturating_sub(1))
}

/// The first line to show for the next life of the flow that is open, or for the one before; `None` where there is
/// none to go to.
pub fn other_life(model: &Model, forward: bool) -> Option<usize> {
    let Some(Subject::Flow(key)) = model.open.filter(|_| model.help.is_none()) else { return None };
    let body = Areas::of(model, whole(model)).body;
    let entry = model.shown().flows.get(&key)?;
    let (at, last) = (model.scroll, open_end(model));
    let mut lives =
        flow::lives(model, key, entry, detail_width(body.width)).into_iter().map(|life| life.min(last));
    if forward { lives.find(|life| *life > at) } else { lives.rfind(|life| *life < at) }
}

/// Lines in a page of what the keys move in.
pub fn page(model: &Model) -> usize {
    let areas = Areas::of(model, whole(model));
    let area = if model.help.is_some() || model.open.is_some() {
        Some(areas.body)
    } else {
        areas.panes.iter().find(|(pane, _)| *pane == model.pane).map(|(_, area)| *area)
    };
    area.map_or(1, |area| usize::from(area.height.saturating_sub(2)))
}

fn overview(model: &Model, frame: &mut Frame<'_>, areas: &Areas) {
    for (pane, area) in &areas.panes {
        let listed = model.listed(*pane);
        let at = if listed.is_empty() { 0 } else { model.chosen_index(*pane, &listed) + 1 };
        let title = match listed.len() {
            0 => format!("{} {}", pane.number(), pane.name()),
            count => format!("{} {} {at}/{count}", pane.number(), pane.name()),
        };
        let focused = *pane == model.pane;
        let aside = forgotten(model, *pane).or_else(|| remark(model, *pane));
        let body = titled(model, frame, *area, &title, focused, aside);
        let (lines, chosen) = match pane {
            Pane::Devices => devices::lines(model, body, focused),
            Pane::Alerts => alerts::lines(model, body.width, focused),
            Pane::Flows => flows::lines(model, body.width, focused),
        };
        let first = first_shown(lines.len(), &chosen, usize::from(body.height));
        scrolled(frame, body, lines, first);
    }
    if let Some(area) = areas.column {
        let bars = vec![Line::styled(model.theme.glyphs().column, model.theme.quiet()); area.height.into()];
        frame.render_widget(Paragraph::new(bars), area);
    }
    if let Some(area) = areas.explanation {
        detail::explanation(model, frame, area);
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

/// The last marker or loss, beside the devices that it concerns.
fn remark(model: &Model, pane: Pane) -> Option<String> {
    let (at, text) = model.shown().remark.as_ref().filter(|_| pane == Pane::Devices)?;
    Some(format!("{} ago: {}", words::age(model.now().since(*at)), model.theme.show(text)))
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

/// The first line shown of a list, so that the `chosen` lines are in sight.
fn first_shown(lines: usize, chosen: &core::ops::Range<usize>, height: usize) -> usize {
    let first = chosen.end.saturating_sub(height);
    first.min(chosen.start).min(lines.saturating_sub(height))
}

fn end(lines: usize, height: u16) -> usize {
    lines.saturating_sub(height.into())
}

/// Prose wider than this is hard to read, and the ladder needs no more.
fn detail_width(width: u16) -> u16 {
    width.min(132)
}

fn whole(model: &Model) -> Rect {
    Rect::new(0, 0, model.size.0, model.size.1)
}
