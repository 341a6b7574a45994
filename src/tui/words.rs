//! Numbers and facts in words short enough for a screen.
//!
//! Knows plain language. Refuses to know colours and layout.

use core::time::Duration;

use super::watched::Watched;
use crate::analysis::{
    host::{Behaviour, DeviceFacts, RstInTimeWait, Stack, SynInTimeWait, espressif::is_espressif},
    rule::{Alert, Severity},
};

/// A span as a person says it: `0.03 ms`, `204 ms`, `3.27 s`, `67.7 s`, `2 m 14 s`, `1 h 02 m`.
pub fn span(seconds: f64) -> String {
    let s = seconds.max(0.0);
    if s < 0.001 {
        format!("{:.2} ms", s * 1e3)
    } else if s < 0.01 {
        format!("{:.1} ms", s * 1e3)
    } else if s < 1.0 {
        format!("{:.0} ms", s * 1e3)
    } else if s < 10.0 {
        format!("{s:.2} s")
    } else if s < 100.0 {
        format!("{s:.1} s")
    } else if s < 3600.0 {
        format!("{} m {:02} s", s as u64 / 60, s as u64 % 60)
    } else {
        format!("{} h {:02} m", s as u64 / 3600, s as u64 / 60 % 60)
    }
}

/// A span that nobody knows exactly: `5 s`, `40 s`, `3 m`, `1 h 20 m`.
pub fn roughly(seconds: f64) -> String {
    let s = seconds.max(0.0);
    if s < 20.0 {
        format!("{:.0} s", s.ceil())
    } else if s < 100.0 {
        format!("{:.0} s", (s / 10.0).ceil() * 10.0)
    } else if s < 3_600.0 {
        format!("{:.0} m", (s / 60.0).ceil())
    } else {
        format!("{} h {:02} m", s as u64 / 3_600, s as u64 / 60 % 60)
    }
}

/// How long ago, in whole units: `0 s`, `59 s`, `3 m`, `2 h`, `4 d`.
pub fn age(span: Duration) -> String {
    match span.as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} m", s / 60),
        s @ 3_600..86_400 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// `00:01:12`, the hours growing as they must.
pub fn clock(span: Duration) -> String {
    let s = span.as_secs();
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

pub fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        10_000_000..10_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

pub fn stack(facts: &DeviceFacts) -> String {
    let name = match facts.stack {
        Stack::Unknown => return "stack not known yet".to_owned(),
        Stack::Lwip => "lwIP",
        Stack::Linux => "Linux",
    };
    match facts.stack_certainty {
        Some(certainty) => format!("{name} ({certainty})"),
        None => name.to_owned(),
    }
}

/// The MAC address and whose it is, as far as that is told by Espressif's blocks; `None` where the link showed none.
pub fn mac(facts: &DeviceFacts) -> Option<String> {
    let text = facts.mac.as_ref()?;
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    let parsed = octets.iter_mut().all(|octet| {
        parts.next().and_then(|part| u8::from_str_radix(part, 16).ok()).map(|value| *octet = value).is_some()
    });
    let vendor = if parsed && parts.next().is_none() && is_espressif(octets) { "Espressif" } else { "MAC" };
    let formerly = facts.formerly.map_or_else(String::new, |address| format!(", formerly {address}"));
    Some(format!("{vendor} {text}{formerly}"))
}

pub fn behaviour(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::Unknown => "behaviour not seen yet",
        Behaviour::Unfixed => "behaves as unfixed",
        Behaviour::HonoursRst => "behaves as honours-rst",
        Behaviour::AcceptsSyn => "behaves as accepts-syn",
        Behaviour::Mixed => "behaves as mixed: its lives contradict each other",
    }
}

pub fn msl(facts: &DeviceFacts, at_least: &str) -> String {
    match (facts.msl_s.at_least, facts.msl_s.at_most) {
        (Some(least), Some(most)) => format!("MSL {least:.1} to {most:.1} s"),
        (Some(least), None) => format!("MSL {at_least} {least:.1} s"),
        (None, Some(most)) => format!("MSL at most {most:.1} s"),
        (None, None) => "MSL not known".to_owned(),
    }
}

/// Whose connection an alert is about.
pub fn client(alert: &Alert) -> String {
    match alert.client {
        _ if alert.is_of_device() => "the whole device".to_owned(),
        Some(client) => client.to_string(),
        None => "several clients".to_owned(),
    }
}

/// How many connection blocks there are; `None` while nothing is known of it.
pub fn room(facts: &DeviceFacts) -> Option<String> {
    match (facts.pcb_cap.at_least, facts.pcb_cap.at_most) {
        (Some(least), Some(most)) if least == most => {
            Some(format!("room for {least} (inferred), the oldest gives way"))
        }
        (Some(least), Some(most)) => {
            Some(format!("room for {least} to {most} (inferred), the oldest gives way"))
        }
        (None, Some(most)) => Some(format!("room for at most {most} (inferred), the oldest gives way")),
        (Some(least), None) => Some(format!("room for at least {least} (inferred)")),
        (None, None) => None,
    }
}

/// What the device does in TIME-WAIT, in plain words.
pub fn in_time_wait(facts: &DeviceFacts) -> String {
    let syn = match facts.syn_in_time_wait {
        SynInTimeWait::Unknown => "no SYN judged yet",
        SynInTimeWait::Refused => "a new SYN is refused",
        SynInTimeWait::Accepted => "a new SYN is accepted",
    };
    let rst = match facts.rst_in_time_wait {
        RstInTimeWait::Unknown => "no RST judged yet",
        RstInTimeWait::Ignored => "an exact RST is ignored",
        RstInTimeWait::Honoured => "an exact RST frees the port",
    };
    format!("In TIME-WAIT {syn}, {rst}.")
}

/// The same in half the words.
pub fn in_time_wait_briefly(facts: &DeviceFacts) -> String {
    let syn = match facts.syn_in_time_wait {
        SynInTimeWait::Unknown => "no SYN judged yet",
        SynInTimeWait::Refused => "a SYN is refused",
        SynInTimeWait::Accepted => "a newer SYN is let in",
    };
    let rst = match facts.rst_in_time_wait {
        RstInTimeWait::Unknown => "no RST",
        RstInTimeWait::Ignored => "a RST ignored",
        RstInTimeWait::Honoured => "a RST honoured",
    };
    format!("{syn}, {rst}")
}

/// What clients waited for; `None` where every connection came about at once.
pub fn delays(facts: &DeviceFacts) -> Option<String> {
    let delays = &facts.delays;
    let mut parts = Vec::new();
    for (count, what) in [
        (delays.waiting, "waiting now"),
        (delays.delayed, "let in late"),
        (delays.reset, "reset"),
        (delays.unfinished, "not seen to get in"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if let Some(longest) = delays.longest {
        parts.push(format!(
            "longest {} over {} from {}",
            span(longest.waited_s),
            crate::text::counted(longest.syns.into(), "SYN"),
            longest.client
        ));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What the device says of itself, beside the wire; `None` where it says nothing.
pub fn own_list(facts: &DeviceFacts) -> Option<String> {
    let account = facts.own_account?;
    Some(format!(
        "{} in TIME-WAIT, compared {}: {} agreed, {} unsure, {} not",
        account.time_wait,
        crate::text::times(account.accounts),
        account.agreed,
        account.unsure,
        account.disagreements,
    ))
}

/// The last word on one device, in a sentence, and how grave it is.
pub fn verdict(watched: &Watched, facts: &DeviceFacts) -> (Option<Severity>, String) {
    let worst = watched
        .alerts
        .iter()
        .filter(|entry| entry.alert.device == facts.address)
        .max_by_key(|entry| (entry.alert.severity, entry.last));
    match worst {
        Some(entry) => {
            let over = entry.last.since(entry.alert.first).as_secs_f64();
            let title = entry.alert.title.trim_end_matches('.');
            // Numbers first: a narrow card cuts the end.
            let said = match entry.count {
                1 => format!("Once: {title}."),
                count => format!("{} times in {}: {title}.", count, span(over)),
            };
            (Some(entry.alert.severity), said)
        }
        None if facts.accepted > 0 => (
            None,
            format!("Nothing wrong seen: {} accepted.", crate::text::counted(facts.accepted, "connection")),
        ),
        None => (None, "Nothing asked of it yet.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        for (seconds, said) in [
            (-1.0, "0.00 ms"),
            (0.000_03, "0.03 ms"),
            (0.0023, "2.3 ms"),
            (0.2043, "204 ms"),
            (3.2717, "3.27 s"),
            (67.72, "67.7 s"),
            (134.2, "2 m 14 s"),
            (3_725.0, "1 h 02 m"),
            (f64::NAN, "0.00 ms"),
        ] {
            assert_eq!(span(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn what_nobody_knows_exactly_is_round() {
        for (seconds, said) in [
            (-3.0, "0 s"),
            (4.2, "5 s"),
            (31.0, "40 s"),
            (130.0, "3 m"),
            (4_860.0, "1 h 21 m"),
            (f64::NAN, "0 s"),
        ] {
            assert_eq!(roughly(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn ages_and_clocks_never_grow_wide() {
        for (seconds, aged, clocked) in [
            (0, "0 s", "00:00:00"),
            (59, "59 s", "00:00:59"),
            (60, "1 m", "00:01:00"),
            (3_599, "59 m", "00:59:59"),
            (90_061, "1 d", "25:01:01"),
        ] {
            let span = Duration::from_secs(seconds);
            assert_eq!((age(span).as_str(), clock(span).as_str()), (aged, clocked));
        }
    }
}
