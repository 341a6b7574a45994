//! The evidence file: the frames that the findings cite, as pcapng with comments.
//!
//! Puts together what the report room kept, what its redaction leaves of it, and the sink that writes pcapng. Knows the
//! words of the comments; knows nothing of what is inside a frame.

use core::fmt::Write;
use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::analysis::{
    event::CaptureQuality,
    input::{Frame, FrameNo},
};
use crate::report::{
    check::file_name,
    excerpt::Excerpt,
    model::{EvidenceFile, Report},
    redact::Redactor,
    ring::Kept,
};
use crate::sink::record::{Recorder, RecorderInfo};
use crate::text::counted;

/// What is said of the file before the packets; a comment has no more room.
const VERDICT: usize = 2_000;

/// The file, and where each cited frame stands in it.
pub struct Evidence {
    pub octets: Vec<u8>,
    pub file: EvidenceFile,
}

/// A frame as it will be written.
struct Shown<'a> {
    kept: &'a Kept,
    comments: &'a [Arc<str>],
    data: Vec<u8>,
}

/// The file called `name`. `report` is the one for whom it is evidence, redacted already where the frames are to be.
pub fn file(
    report: &Report,
    excerpt: &Excerpt,
    redactor: Option<&mut Redactor>,
    name: &str,
) -> Result<Evidence> {
    let mut redactor = redactor;
    let mut left_out = 0;
    let mut shown = Vec::new();
    for (kept, comments) in excerpt.frames() {
        let data = match &mut redactor {
            None => Some(kept.data.clone()),
            Some(redactor) => redactor.frame(kept.link, &kept.data),
        };
        match data {
            Some(data) => shown.push(Shown { kept, comments, data }),
            None => left_out += 1,
        }
    }
    let start = report.start.clone().unwrap_or_default();
    let info = RecorderInfo {
        application: start.tool.clone(),
        interface: if start.source == "live" { start.name.clone() } else { String::new() },
        filter: start.filter.clone(),
        snaplen: start.snaplen.unwrap_or(0),
        comment: Some(about(report, excerpt, &shown, left_out, redactor.is_some())),
    };
    let written = write(&shown, info, redactor).context("cannot make the evidence file")?;
    let here = shown.iter().zip(1..);
    let frames =
        here.filter(|(shown, _)| !shown.comments.is_empty()).map(|(shown, here)| (shown.kept.number, here));
    let file = EvidenceFile { name: name.to_owned(), frames: frames.collect() };
    Ok(Evidence { octets: written, file })
}

fn write(
    shown: &[Shown<'_>],
    info: RecorderInfo,
    mut redactor: Option<&mut Redactor>,
) -> io::Result<Vec<u8>> {
    let mut recorder = Recorder::new(Vec::new(), info);
    for (Shown { kept, comments, data }, here) in shown.iter().zip(1_u64..) {
        let told = comments
            .iter()
            .map(|comment| match &mut redactor {
                Some(redactor) => redactor.text(comment),
                None => comment.to_string(),
            })
            .collect();
        recorder.on_commented(&Frame { data, ..kept.frame() }, &placed(kept.number, here, told))?;
    }
    if shown.is_empty() {
        recorder.flush()?;
    }
    let quality = CaptureQuality { received: shown.len() as u64, ..CaptureQuality::default() };
    recorder.finish(quality)
}

/// What is told of a frame, after where it stands in the capture and `here`, in the file that is written.
pub fn placed(number: FrameNo, here: u64, mut told: Vec<String>) -> Vec<String> {
    let place = format!("Frame {number} of the capture, frame {here} here");
    match told.first_mut() {
        Some(first) => *first = format!("{place}. {first}"),
        None => told.push(format!("{place}. Context: no finding cites it.")),
    }
    told
}

/// The comment of the section: verdict, what is here, what is not, and what was done to it.
fn about(
    report: &Report,
    excerpt: &Excerpt,
    shown: &[Shown<'_>],
    left_out: u64,
    is_redacted: bool,
) -> String {
    let verdict = report.summary.as_ref().map_or("The run had not ended.", |summary| &summary.verdict);
    let verdict: String = verdict.chars().take(VERDICT).collect();
    let mut out = format!("Verdict: {verdict}\n");
    let cited = shown.iter().filter(|shown| !shown.comments.is_empty()).count();
    let name = report.start.as_ref().map_or("", |start| file_name(&start.name));
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "An excerpt of {name} by esp-tcpwatch: {}, of which findings cite {cited}. Each has its number in the capture, \
         its rule and what it shows as a comment; texts and the report name the capture's numbers. Times and original \
         lengths are the capture's.",
        counted(shown.len() as u64, "frame")
    );
    let missing = excerpt.missing() as u64;
    for (what, count, noun, why) in [
        ("Missing", missing, "cited frame", "no longer at hand, or without room"),
        ("Missing", excerpt.frames_omitted, "frame", "around those cited, without room"),
        ("Left out", left_out, "frame", "which could not be redacted"),
        ("Not commented", excerpt.findings_omitted, "finding", "beyond what is kept"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "{what}: {}, {why}.", counted(count, noun));
        }
    }
    out.push_str(if is_redacted {
        "Redacted: addresses have stand-ins, which are the same in the report; payload is cut, so each frame is captured \
         shorter than it was. A TCP checksum that was right is right for the whole segment, payload included, with \
         the new addresses."
    } else {
        "Not redacted: addresses and whatever was captured of the payload are as they were."
    });
    out
}
