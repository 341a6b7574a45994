//! The report: what a maintainer needs to be convinced, folded from the event stream and rendered.
//!
//! Knows the events, and nothing of where they came from: a live run half-way through, a capture file
//! and a saved run give the same report. Opens no file: who asked for the report decides where it goes.
//!
//! - [`model`] folds, with bounded memory; [`episode`] is one connection that met trouble, with its frames; [`series`] is
//!   the run over time, in buckets that merge.
//! - [`page`] is what a report is made of before it is a format; [`outline`] has its parts and their order,
//!   [`template`] the headings that a project's issue form asks for.
//! - The parts: [`opening`] says title and verdict, [`story`] tells the causal chain, [`ladder`] and [`mermaid`] draw it,
//!   [`cost`] counts, [`device`] puts a device's facts in words, [`certainty`] says how sure it is and what was ruled
//!   out, [`vantage`] how it was captured, [`check`] how to verify, [`advice`] gives the remedies with their true
//!   arithmetic, [`timeline`] what happened when.
//! - [`experiment`] is what a report says of an experiment instead of a run.
//! - [`markdown`], [`html`] (with [`chart`]) and [`json`] render.
//! - [`redact`] gives what identifies people a stand-in, in the model and in frames; [`excerpt`] keeps the frames cited.
//! - [`words`] writes numbers and times; [`safe`] lets no text from outside be more than text.

pub mod advice;
pub mod certainty;
pub mod chart;
pub mod check;
pub mod comments;
pub mod cost;
pub mod device;
pub mod episode;
pub mod excerpt;
pub mod experiment;
pub mod html;
pub mod json;
pub mod ladder;
pub mod markdown;
pub mod mermaid;
pub mod model;
pub mod opening;
pub mod outline;
pub mod page;
pub mod redact;
pub mod ring;
pub mod safe;
pub mod series;
pub mod story;
pub mod template;
pub mod timeline;
pub mod vantage;
pub mod words;

use model::Report;
use template::Template;

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Markdown,
    Html,
    Json,
}

/// What is known so far, as `format`. JSON has no headings: `template` changes nothing there.
pub fn render(report: &Report, format: Format, template: Template) -> String {
    match format {
        Format::Markdown => markdown::render(&template::page(report, template)),
        Format::Html => html::render(&template::page(report, template), &pictures(report)),
        Format::Json => json::render(report),
    }
}

fn pictures(report: &Report) -> Vec<html::Picture> {
    if let Some(experiment) = &report.experiment {
        return experiment::plot::pictures(experiment);
    }
    let over_time = |svg| html::Picture { heading: "Over time", caption: String::new(), svg };
    chart::draw(report).map(over_time).into_iter().collect()
}
