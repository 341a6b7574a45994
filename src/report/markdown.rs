//! The report as Markdown. (being written)

use super::model::Report;

pub fn render(report: &Report) -> String {
    format!("# Report\n\n{} events\n", report.events())
}
