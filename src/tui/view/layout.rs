//! Where everything goes, at every size.
//!
//! Knows rows and columns. Refuses to draw. On a wide screen the explanation stands beside the lists, on a narrow
//! one between them, on a tiny one only the pane that has the keys is shown.

use ratatui::layout::Rect;

use super::{banner, devices};
use crate::tui::model::{Model, Pane};

/// From here on two columns are better than one.
const WIDE: u16 = 120;
/// Below so many rows the panes cannot share.
const TINY: u16 = 13;
/// Rows the explanation should have at least, its title among them.
const EXPLANATION: u16 = 6;

#[derive(Clone, Debug, Default)]
pub struct Areas {
    pub header: Rect,
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
        let footer = take_bottom(&mut rest, u16::from(area.height > 2));
        let banner_rows = banner::rows(model, area.width, area.height);
        let banner = (banner_rows > 0).then(|| take_top(&mut rest, banner_rows));
        let mut areas = Areas { header, banner, body: rest, footer, ..Areas::default() };
        if rest.height < TINY {
            areas.one_pane(model, rest);
        } else if rest.width >= WIDE {
            areas.side_by_side(model, rest);
        } else {
            areas.stacked(model, rest);
        }
        areas
    }

    fn one_pane(&mut self, model: &Model, mut body: Rect) {
        let wanted = wanted(model, model.pane, body.width);
        // A device's card explains itself.
        let list = if model.pane == Pane::Devices || body.height < 6 {
            body.height
        } else {
            wanted.min(body.height / 2).max(2)
        };
        self.panes.push((model.pane, take_top(&mut body, list)));
        self.explanation = (body.height > 1).then_some(body);
    }

    fn stacked(&mut self, model: &Model, mut body: Rect) {
        let heights = share(model, body.width, body.height.saturating_sub(EXPLANATION), |pane| {
            if pane == model.pane { body.height / 2 } else { body.height / 4 }
        });
        for pane in Pane::ALL {
            let height = heights[usize::from(pane.number() - 1)];
            if pane == Pane::Flows {
                let flows = take_bottom(&mut body, height);
                self.panes.push((pane, flows));
            } else {
                self.panes.push((pane, take_top(&mut body, height)));
            }
        }
        self.explanation = Some(body);
    }

    fn side_by_side(&mut self, model: &Model, body: Rect) {
        let left = (body.width / 2).max(70);
        let mut lists = Rect { width: left, ..body };
        let heights = share(model, left, body.height, |_| body.height);
        for pane in Pane::ALL {
            let height =
                if pane == Pane::Flows { lists.height } else { heights[usize::from(pane.number() - 1)] };
            self.panes.push((pane, take_top(&mut lists, height)));
        }
        self.column = Some(Rect { x: body.x + left, width: 1, ..body });
        self.explanation = Some(Rect { x: body.x + left + 1, width: body.width - left - 1, ..body });
    }
}

/// Rows for each pane, title included: first what each needs at least, then the focused pane grows, then the rest.
fn share(model: &Model, width: u16, rows: u16, cap: impl Fn(Pane) -> u16) -> [u16; 3] {
    let mut heights = [0; 3];
    let mut left = rows;
    let focused_first = [model.pane].into_iter().chain([Pane::Alerts, Pane::Devices, Pane::Flows]);
    let floor = |pane| match pane {
        Pane::Devices => 5,
        Pane::Alerts => 4,
        Pane::Flows => 3,
    };
    let mut grow = |pane: Pane, to: u16| {
        let height = &mut heights[usize::from(pane.number() - 1)];
        let more = to.saturating_sub(*height).min(left);
        *height += more;
        left -= more;
    };
    for pane in Pane::ALL {
        grow(pane, floor(pane).min(wanted(model, pane, width)));
    }
    for pane in focused_first {
        grow(pane, wanted(model, pane, width).min(cap(pane).max(floor(pane))));
    }
    heights
}

/// Rows that would show everything a pane has, title included.
fn wanted(model: &Model, pane: Pane, width: u16) -> u16 {
    let watched = model.shown();
    let rows = match pane {
        Pane::Devices => watched.devices.len().max(1) * devices::card_rows(width),
        Pane::Alerts => watched.alerts.len().max(1),
        Pane::Flows => watched.flows.len().max(1),
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
