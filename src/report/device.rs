//! What was learned of a device, as a table in words.

use super::{
    page::{Table, Text, text},
    safe::shown,
    words::span,
};
use crate::analysis::host::{
    Behaviour, DeviceFacts, MslBracket, PcbCap, RstInTimeWait, Stack, SynInTimeWait,
};
use crate::text::{counted, times};

/// The facts of one device.
pub fn table(facts: &DeviceFacts) -> Table {
    let mut table = Table::new(&[&facts.address.to_string(), "what was seen"]);
    table.rows = rows(facts).into_iter().map(|(name, value)| vec![Text::plain(name), value]).collect();
    table
}

fn rows(facts: &DeviceFacts) -> Vec<(&'static str, Text)> {
    let held = &facts.time_wait;
    let mut rows = Vec::new();
    let mut says = |name, value: Text| rows.push((name, value));
    if let Some(mac) = &facts.mac {
        says("MAC address", Text::code(shown(mac, 60)));
    }
    if let Some(formerly) = facts.formerly {
        says("Formerly", text!("{}, by its MAC address", formerly));
    }
    if let Some(mode) = &facts.mode {
        says("Mode of its test firmware", text!("`{}`, in its own words", shown(mode, 100)));
    }
    says("TCP stack", Text::plain(stack(facts)));
    says("Accepted", text!("{} answered with SYN-ACK", counted(facts.accepted, "connection")));
    says(
        "TIME-WAIT",
        if held.entered == 0 {
            text!("never seen to enter it")
        } else {
            text!("entered {}, {} held at the end of what was seen", times(held.entered), held.held_now)
        },
    );
    if held.syns > 0 || held.rsts > 0 {
        says("Met there", text!("{} and {}", counted(held.syns, "SYN"), counted(held.rsts, "RST")));
    }
    if let Some(until) = held.refused_until_s {
        says("Still refused", text!("a SYN {} after TIME-WAIT began", span(until)));
    }
    if let Some(from) = held.accepted_from_s {
        says("Accepted again", text!("a SYN {} after TIME-WAIT began", span(from)));
    }
    says("MSL, as bounded by this", Text::plain(msl(facts.msl_s)));
    if let Some(room) = room(facts.pcb_cap) {
        says("Connection blocks (PCBs)", Text::plain(room));
    }
    says("A SYN in TIME-WAIT is", Text::plain(syn(facts.syn_in_time_wait)));
    says("An exact RST in TIME-WAIT is", Text::plain(rst(facts.rst_in_time_wait)));
    says("Behaves as", text!("**{}**: {}", facts.behaves_as, behaviour(facts.behaves_as)));
    if let Some(account) = &facts.own_account {
        says(
            "By its own list",
            text!(
                "{} in TIME-WAIT when it was asked last; compared {}: the wire agreed on {}, was unsure of {}, and \
                 disagreed on {}",
                account.time_wait,
                times(account.accounts),
                account.agreed,
                account.unsure,
                account.disagreements,
            ),
        );
    }
    if let Some(note) = &facts.note {
        says("Note", Text::plain(shown(note, 900)));
    }
    rows
}

/// Whose TCP it is, and how sure that is.
pub fn stack(facts: &DeviceFacts) -> String {
    let name = match facts.stack {
        Stack::Unknown => return "not recognised".to_owned(),
        Stack::Lwip => "lwIP",
        Stack::Linux => "Linux",
    };
    match facts.stack_certainty {
        Some(certainty) => format!("{name} ({certainty})"),
        None => name.to_owned(),
    }
}

fn msl(bracket: MslBracket) -> String {
    let both = |msl: f64| format!("{} (TIME-WAIT: {})", span(msl), span(2.0 * msl));
    match (bracket.at_least, bracket.at_most) {
        (Some(least), Some(most)) => format!("at least {}, at most {}", both(least), both(most)),
        (Some(least), None) => {
            format!(
                "at least {}; not bounded above, for no SYN was seen to be accepted after it",
                both(least)
            )
        }
        (None, Some(most)) => format!("at most {}", both(most)),
        (None, None) => {
            "not bounded by what was seen; lwIP as shipped has 60 s (TIME-WAIT: 120 s)".to_owned()
        }
    }
}

fn room(cap: PcbCap) -> Option<String> {
    let gives_way = "when it needs one more, its oldest TIME-WAIT gives way (inferred, as far as all of its \
                     connections were seen)";
    match (cap.at_least, cap.at_most) {
        (Some(least), Some(most)) if least == most => Some(format!("{least}; {gives_way}")),
        (Some(least), Some(most)) => Some(format!("between {least} and {most}; {gives_way}")),
        (None, Some(most)) => Some(format!("at most {most}; {gives_way}")),
        (Some(least), None) => Some(format!("at least {least}: so many were held at once (inferred)")),
        (None, None) => None,
    }
}

fn syn(answer: SynInTimeWait) -> &'static str {
    match answer {
        SynInTimeWait::Unknown => "not known: none was seen, or they contradict each other",
        SynInTimeWait::Refused => "refused with a stale ACK",
        SynInTimeWait::Accepted => "accepted, as RFC 1122 4.2.2.13 allows",
    }
}

fn rst(answer: RstInTimeWait) -> &'static str {
    match answer {
        RstInTimeWait::Unknown => "not known: none was seen whose effect could be told",
        RstInTimeWait::Ignored => "ignored (RFC 1337 allows it; plain lwIP does it)",
        RstInTimeWait::Honoured => "honoured: the old connection is forgotten at once",
    }
}

fn behaviour(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::Unknown => "no reused port put it to the test",
        Behaviour::Unfixed => "plain lwIP, which refuses a reused port until TIME-WAIT ends",
        Behaviour::HonoursRst => "the client's RST frees the port, and its next SYN is accepted",
        Behaviour::AcceptsSyn => "a newer SYN replaces the old connection at once",
        Behaviour::Mixed => {
            "different connections met different treatment: it was changed or restarted meanwhile"
        }
    }
}
