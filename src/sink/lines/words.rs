//! The words of plain lines: devices, numbers, lists.
//!
//! Knows how a log says a thing shortly. Every text that came from outside leaves here escaped.

use core::fmt;

use crate::analysis::{
    event::CaptureQuality,
    host::{Behaviour, DeviceFacts, PcbCap, RstInTimeWait, Stack, SynInTimeWait},
};
use crate::text::{counted, escape, times};

/// Frames listed on one line.
const FRAMES: usize = 12;

/// One line on a device: what it is and how it treats TIME-WAIT.
pub fn facts(facts: &DeviceFacts) -> String {
    let mut said = format!("{}: ", facts.address);
    let mut parts = Vec::new();
    parts.push(match (facts.stack, facts.stack_certainty) {
        (Stack::Unknown, _) => "TCP stack unknown".to_owned(),
        (Stack::Lwip, Some(certainty)) => format!("lwIP ({certainty})"),
        (Stack::Lwip, None) => "lwIP".to_owned(),
        (Stack::Linux, Some(certainty)) => format!("Linux ({certainty})"),
        (Stack::Linux, None) => "Linux".to_owned(),
    });
    if let Some(formerly) = facts.formerly {
        parts.push(format!("formerly {formerly}"));
    }
    if let Some(mode) = &facts.mode {
        parts.push(format!("test firmware in mode {}", prose(mode)));
    }
    let held = &facts.time_wait;
    if held.entered > 0 {
        parts.push(format!("TIME-WAIT entered {}, held now {}", times(held.entered), held.held_now));
    }
    if let Some(until) = held.refused_until_s {
        parts.push(format!("still refused a reused port {until:.1} s after"));
    }
    if let Some(from) = held.accepted_from_s {
        parts.push(format!("accepted one {from:.1} s after"));
    }
    match (facts.msl_s.at_least, facts.msl_s.at_most) {
        (Some(least), Some(most)) => parts.push(format!("MSL between {least:.1} and {most:.1} s")),
        (Some(least), None) => parts.push(format!("MSL at least {least:.1} s")),
        (None, Some(most)) => parts.push(format!("MSL at most {most:.1} s")),
        (None, None) => {}
    }
    if let Some(room) = room(facts.pcb_cap) {
        parts.push(room);
    }
    match facts.syn_in_time_wait {
        SynInTimeWait::Unknown => {}
        SynInTimeWait::Refused => parts.push("refuses a SYN in TIME-WAIT".to_owned()),
        SynInTimeWait::Accepted => parts.push("accepts a newer SYN in TIME-WAIT".to_owned()),
    }
    match facts.rst_in_time_wait {
        RstInTimeWait::Unknown => {}
        RstInTimeWait::Ignored => parts.push("ignores an exact RST in TIME-WAIT".to_owned()),
        RstInTimeWait::Honoured => parts.push("honours an exact RST in TIME-WAIT".to_owned()),
    }
    match facts.behaves_as {
        Behaviour::Unknown => {}
        known @ (Behaviour::Unfixed | Behaviour::HonoursRst | Behaviour::AcceptsSyn | Behaviour::Mixed) => {
            parts.push(format!("behaves as {known}"));
        }
    }
    if let Some(note) = &facts.note {
        parts.push(prose(note));
    }
    said.push_str(&parts.join("; "));
    said
}

/// Where the device is seen to drop its oldest TIME-WAIT, or to hold many at once.
fn room(cap: PcbCap) -> Option<String> {
    const GIVES_WAY: &str = "connection blocks, the oldest TIME-WAIT gives way (inferred)";
    match (cap.at_least, cap.at_most) {
        (Some(least), Some(most)) if least == most => Some(format!("room for {least} {GIVES_WAY}")),
        (Some(least), Some(most)) => Some(format!("room for {least} to {most} {GIVES_WAY}")),
        (None, Some(most)) => Some(format!("room for at most {most} {GIVES_WAY}")),
        (Some(least), None) => Some(format!("room for at least {least} connection blocks (inferred)")),
        (None, None) => None,
    }
}

pub fn quality(quality: &CaptureQuality) -> String {
    if quality.dropped == 0 && quality.gaps == 0 {
        return format!("{} frames received, none known lost", quality.received);
    }
    format!(
        "{} frames received, {} lost in {}",
        quality.received,
        quality.dropped,
        counted(quality.gaps, "gap")
    )
}

/// Text that came from outside, on one line: line breaks and runs of blanks become one blank, the rest is escaped.
pub fn prose(text: &str) -> String {
    escape(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

/// The first frames, and how many more there are.
pub fn frames(frames: &[u64], omitted: u64) -> String {
    if frames.is_empty() && omitted == 0 {
        // Something that should have been seen, and was not.
        return "none".to_owned();
    }
    let shown = &frames[..frames.len().min(FRAMES)];
    let more = ((frames.len() - shown.len()) as u64).saturating_add(omitted);
    if more == 0 { list(shown) } else { format!("{} and {more} more", list(shown)) }
}

pub fn span(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}

pub fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::host::Device;

    #[test]
    fn the_mode_is_said_where_it_is_known() {
        let mut device = Device::new([10, 0, 0, 2].into(), 16).facts();
        assert_eq!(facts(&device), "10.0.0.2: TCP stack unknown");
        device.mode = Some("fixed\u{1b}[2J msl_ms=3000".to_owned());
        let said = facts(&device);
        assert!(said.ends_with("; test firmware in mode fixed\\u{1b}[2J msl_ms=3000"), "{said}");
    }
}
