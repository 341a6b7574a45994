//! The timeline as a picture: TIME-WAIT, refusals and connect times over one axis, as SVG to stand inside a page.
//!
//! Knows shapes and scales. Colours are the page's (`class`), so that they follow its light and its dark; every number
//! that a shape stands for is written beside it as well.

use core::fmt::Write;

use super::{
    model::Report,
    safe::{html, shown},
    series::{Bucket, Series},
    words::span,
};
use crate::analysis::time::Timestamp;

pub(super) const WIDTH: f64 = 420.0;
pub(super) const LEFT: f64 = 8.0;
pub(super) const RIGHT: f64 = 412.0;
/// Of one panel: its words, then its shapes.
const WORDS: f64 = 16.0;
const SHAPES: f64 = 56.0;
const PANEL: f64 = WORDS + SHAPES + 10.0;
const AXIS: f64 = 26.0;
const SIGNS: usize = 12;

/// `None` where nothing has a time.
pub fn draw(report: &Report) -> Option<String> {
    let series = &report.series;
    let start = series.start?;
    let width_s = series.width.as_secs_f64();
    let whole_s = width_s * series.buckets.len() as f64;
    if whole_s <= 0.0 {
        return None;
    }
    let panels = [held(series), refused(series), connect(series)];
    let signs = signs(report);
    let height = PANEL * panels.len() as f64 + AXIS;
    let mut out = String::new();
    let summary: Vec<&str> = panels.iter().map(|panel| panel.words.as_str()).collect();
    put(
        &mut out,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n",
            html(&summary.join("; "))
        ),
    );
    for (nth, panel) in panels.iter().enumerate() {
        panel.draw(&mut out, nth as f64 * PANEL, series.buckets.len());
    }
    for (number, (at, _)) in signs.iter().enumerate() {
        let x = LEFT + (RIGHT - LEFT) * (at.seconds_after(start) / whole_s).clamp(0.0, 1.0);
        let bottom = height - AXIS;
        put(
            &mut out,
            format_args!(
                "<line class=\"sign\" x1=\"{x:.1}\" y1=\"{WORDS}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\n"
            ),
        );
        put(
            &mut out,
            format_args!(
                "<text class=\"sign\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                x + 2.0,
                bottom - 2.0,
                number + 1
            ),
        );
    }
    let bottom = height - 8.0;
    let (middle, each) = ((LEFT + RIGHT) / 2.0, span(width_s));
    put(&mut out, format_args!("<text x=\"{LEFT}\" y=\"{bottom}\">0 s</text>\n"));
    put(
        &mut out,
        format_args!("<text x=\"{middle}\" y=\"{bottom}\" text-anchor=\"middle\">{each} a bar</text>\n"),
    );
    put(
        &mut out,
        format_args!(
            "<text x=\"{RIGHT}\" y=\"{bottom}\" text-anchor=\"end\">{}</text>\n</svg>\n",
            span(whole_s)
        ),
    );
    if !signs.is_empty() {
        out.push_str("<ol>\n");
        for (_, words) in &signs {
            put(&mut out, format_args!("<li>{}</li>\n", html(words)));
        }
        out.push_str("</ol>\n");
    }
    Some(out)
}

struct Panel {
    class: &'static str,
    words: String,
    values: Vec<f64>,
}

impl Panel {
    fn draw(&self, out: &mut String, top: f64, buckets: usize) {
        put(out, format_args!("<text x=\"{LEFT}\" y=\"{:.1}\">{}</text>\n", top + 12.0, html(&self.words)));
        let floor = top + WORDS + SHAPES;
        let most = self.values.iter().copied().fold(0.0, f64::max);
        let wide = (RIGHT - LEFT) / buckets.max(1) as f64;
        for (at, value) in self.values.iter().enumerate().filter(|(_, value)| **value > 0.0) {
            // Whatever there is can be seen.
            let tall = (value / most * SHAPES).max(1.5);
            put(
                out,
                format_args!(
                    "<rect class=\"{}\" x=\"{:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{tall:.1}\"/>\n",
                    self.class,
                    LEFT + at as f64 * wide,
                    floor - tall,
                    wide.max(0.8)
                ),
            );
        }
        put(
            out,
            format_args!(
                "<line class=\"floor\" x1=\"{LEFT}\" y1=\"{floor:.1}\" x2=\"{RIGHT}\" y2=\"{floor:.1}\"/>\n"
            ),
        );
    }
}

fn held(series: &Series) -> Panel {
    let values = values(series, |bucket| bucket.held as f64);
    let most = series.buckets.iter().map(|bucket| bucket.held).max().unwrap_or(0);
    Panel { class: "held", words: format!("Held in TIME-WAIT: at most {most} at once"), values }
}

fn refused(series: &Series) -> Panel {
    let total = super::words::total(series.buckets.iter().map(|bucket| bucket.refused));
    Panel {
        class: "refused",
        words: format!("Refused SYNs: {total} in all"),
        values: values(series, |bucket| bucket.refused as f64),
    }
}

fn connect(series: &Series) -> Panel {
    let slowest = series.buckets.iter().filter_map(|bucket| bucket.slowest_connect_s).max_by(f64::total_cmp);
    let count = super::words::total(series.buckets.iter().map(|bucket| bucket.connected));
    let words = match slowest {
        Some(slowest) => format!("Connect time of the {count} let in: at most {}", span(slowest)),
        None => "Connect time: none was seen from its SYN to its answer".to_owned(),
    };
    Panel {
        class: "connect",
        words,
        values: values(series, |bucket| bucket.slowest_connect_s.unwrap_or(0.0)),
    }
}

fn values(series: &Series, of: fn(&Bucket) -> f64) -> Vec<f64> {
    series.buckets.iter().map(of).collect()
}

/// What stands on the axis: markers and losses, in the order of time.
fn signs(report: &Report) -> Vec<(Timestamp, String)> {
    let mut signs: Vec<(Timestamp, String)> = Vec::new();
    signs.extend(
        report.markers.iter().map(|marker| (marker.when.0, super::timeline::told(marker).to_plain())),
    );
    signs.extend(report.losses.iter().map(|loss| (loss.epoch, shown(&loss.text, 300))));
    signs.sort_by_key(|(at, _)| *at);
    signs.truncate(SIGNS);
    signs
}

pub(super) fn put(out: &mut String, words: core::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(words);
}
