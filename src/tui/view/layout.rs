//! Where everything goes, at every size.
//!
//! Knows rows and columns. Refuses to draw. On a wide screen the explanation stands beside the lists, on a narrow
//! one below them, on a tiny one it gives way.

use ratatui::layout::Rect;

use super::{banner, devices};
use crate::tui::model::{Model, Pane, Screen};

/// From here on two columns are better than one.
const WIDE: u16 = 120;
/// Below so many rows lists and explanation cannot share.
const TINY: u16 = 13;
/// Below so many rows of the whole terminal there is no line for the screens' names.
const WITH_TABS: u16 = 12;
/// Rows the explanation should have at least, its title among them.
const EXPLANATION: u16 = 6;
/// Rows that a list must have to be worth its title.
const LIST: u16 = 4;

#[derive(Clone, Debug, Default)]
pub struct Areas {
    pub header: Rect,
    pub tabs: Option<Rect>,
    pub banner: Option<Rect>,
    pub body: Rect,
    pub footer: Rect,
    pub panes: Vec<(Pane, Rect)>,
    /// The line between two columns.
    pub column: Option<Rect>,
    pub explanation: Option<Rect>,
}

impl Areas {
    pub fn of(model: &Model, area: Rect) -> Areas {
        let mut rest = area;
        let header = take_top(&mut rest, 1);
        let tabs = (area.height >= WITH_TABS).then(|| take_top(&mut rest, 1));
        let footer = take_bottom(&mut rest, u16::from(area.height > 2));
        let banner_rows = banner::rows(model, area.width, area.height);
        let banner = (banner_rows > 0).then(|| take_top(&mut rest, banner_rows));
        let mut areas = Areas { header, tabs, banner, body: rest, footer, ..Areas::default() };
        match model.screen {
            Screen::Overview if rest.height < TINY => areas.tiny(model, rest),
            Screen::Overview if rest.width >= WIDE => areas.overview_in_columns(model, rest),
            Screen::Overview => areas.overview(model, rest),
            Screen::Alerts if model.open.is_none() => areas.alerts(model, rest),
            Screen::Flows => areas.panes.push((Pane::Flows, rest)),
            Screen::Alerts | Screen::Flow | Screen::Device | Screen::Help => {}
        }
        areas
    }

    fn tiny(&mut self, model: &Model, mut body: Rect) {
        let devices = if body.height < 4 { 0 } else { body.height / 2 };
        let devices = devices.min(wanted(model, Pane::Devices));
        let devices = take_top(&mut body, devices);
        self.panes.extend([(Pane::Devices, devices), (Pane::Alerts, body)]);
    }

    fn overview(&mut self, model: &Model, mut body: Rect) {
        let devices = wanted(model, Pane::Devices).min(body.height / 2);
        let devices = take_top(&mut body, devices);
        let alerts = wanted(model, Pane::Alerts).min(body.height.saturating_sub(EXPLANATION).max(LIST));
        let alerts = take_top(&mut body, alerts);
        self.panes.extend([(Pane::Devices, devices), (Pane::Alerts, alerts)]);
        self.explanation = Some(body);
    }

    fn overview_in_columns(&mut self, model: &Model, body: Rect) {
        let mut lists = self.in_columns(body);
        let devices = wanted(model, Pane::Devices).min(lists.height / 2);
        let devices = take_top(&mut lists, devices);
        let alerts = take_top(&mut lists, wanted(model, Pane::Alerts));
        self.panes.extend([(Pane::Devices, devices), (Pane::Alerts, alerts)]);
        // What is left would be empty: the latest flows.
        if lists.height >= LIST {
            self.panes.push((Pane::Flows, lists));
        }
    }

    fn alerts(&mut self, model: &Model, mut body: Rect) {
        if body.width >= WIDE {
            let list = self.in_columns(body);
            self.panes.push((Pane::Alerts, list));
        } else if body.height < TINY {
            self.panes.push((Pane::Alerts, body));
        } else {
            let list = wanted(model, Pane::Alerts).min(body.height / 2);
            self.panes.push((Pane::Alerts, take_top(&mut body, list)));
            self.explanation = Some(body);
        }
    }

    /// Gives the right column to the explanation and returns the left one.
    fn in_columns(&mut self, body: Rect) -> Rect {
        let left = (body.width / 2).max(70);
        self.column = Some(Rect { x: body.x + left, width: 1, ..body });
        self.explanation = Some(Rect { x: body.x + left + 1, width: body.width - left - 1, ..body });
        Rect { width: left, ..body }
    }
}

/// Rows that would show everything a list has, title included.
fn wanted(model: &Model, pane: Pane) -> u16 {
    let rows = match pane {
        Pane::Devices => devices::rows(model).max(1),
        Pane::Alerts => model.alerts().len().max(1),
        Pane::Flows => model.flows().len().max(1),
    };
    u16::try_from(rows + 1).unwrap_or(u16::MAX)
}

fn take_top(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let taken = Rect { height: rows, ..*rest };
    rest.y += rows;
    rest.height -= rows;
    taken
}

fn take_bottom(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    rest.height -= rows;
    Rect { y: rest.y + rest.height, height: rows, ..*rest }
}
