//! What happened when: markers, switches of a device's mode, losses of the capture, and when each alert began.

use super::{
    model::Report,
    page::{Text, text},
    safe::shown,
    words::utc,
};
use crate::analysis::{event::MarkerEvent, rule::Severity, time::Timestamp};

/// Alerts told at most.
const ALERTS: usize = 20;

/// In the order of time; empty where there is nothing but the frames themselves.
pub fn entries(report: &Report) -> Vec<Text> {
    let mut entries: Vec<(Timestamp, Text)> = Vec::new();
    entries.extend(report.losses.iter().map(|loss| (loss.epoch, Text::plain(shown(&loss.text, 500)))));
    entries.extend(report.markers.iter().map(|marker| (marker.when.0, told(marker))));
    let notable = report.alerts.values().filter(|alert| alert.severity > Severity::Info);
    entries.extend(notable.take(ALERTS).map(|alert| {
        let mode = alert.mode.as_ref().map_or(String::new(), |mode| {
            format!(", while the device's test firmware was in mode {}", shown(mode, 100))
        });
        let what = text!(
            "alert {} ({}), first of {}: {}{}",
            alert.id,
            alert.severity,
            alert.count,
            shown(&alert.title, 200),
            mode
        );
        (alert.first, what)
    }));
    // Stable: what came first in the stream stays first.
    entries.sort_by_key(|(at, _)| *at);
    let mut said: Vec<Text> = entries.into_iter().map(|(at, what)| text!("{}: {}", utc(at), what)).collect();
    let omitted = report.losses_omitted.saturating_add(report.markers_omitted);
    if omitted > 0 {
        said.push(text!("… and {} more losses or markers.", omitted));
    }
    said
}

/// A marker, and what it says of a device's mode.
pub fn told(marker: &MarkerEvent) -> Text {
    let mut what = text!("**marker**: {}", shown(&marker.text, 500));
    if marker.mode_changed {
        what = what.and(text!(" (the device was changed on purpose here)"));
    }
    match (&marker.device, &marker.mode) {
        (Some(device), Some(mode)) => {
            what.and(text!("; from here on the mode of {} is `{}`", device, shown(mode, 100)))
        }
        (None, Some(mode)) => what.and(text!("; from here on the mode is `{}`", shown(mode, 100))),
        (_, None) => what,
    }
}
