//! What a device that drops its oldest TIME-WAIT shows, and what it may not be taken for: traces of several tuples.

use core::fmt::Write as _;

use esp_tcpwatch::analysis::{
    host::{Behaviour, DeviceFacts, PcbCap, SynInTimeWait},
    play,
    rule::RuleSet,
    wire::notation,
};

/// A trace that is written as it happens.
#[derive(Default)]
struct Wire(String);

impl Wire {
    /// A page is fetched from `port`; the device closes first and enters TIME-WAIT after 14 ms.
    fn fetch(&mut self, at_s: f64, port: u16, isn: u32) -> &mut Wire {
        self.let_in(at_s, port, isn);
        let (own, s) = (isn + 1, at_s);
        let mut say = |after: f64, what: String| writeln!(self.0, "+{:.4} {what}", s + after).unwrap();
        say(0.003, format!("A:{port} > B P. {own}:{}(30) ack 5001 win 64240", own + 30));
        say(0.012, format!("B > A:{port} F. 5001:5001(0) ack {} win 5714", own + 30));
        say(0.013, format!("A:{port} > B F. {0}:{0}(0) ack 5002 win 64240", own + 30));
        say(0.014, format!("B > A:{port} . 5002:5002(0) ack {} win 5713", own + 31));
        self
    }

    /// A SYN is answered by SYN-ACK.
    fn let_in(&mut self, at_s: f64, port: u16, isn: u32) -> &mut Wire {
        let own = isn + 1;
        writeln!(self.0, "+{at_s:.4} A:{port} > B S {isn}:{isn}(0) win 64240 mss 1460").unwrap();
        writeln!(self.0, "+{:.4} B > A:{port} S. 5000:5000(0) ack {own} win 5744 mss 1440", at_s + 0.001)
            .unwrap();
        writeln!(self.0, "+{:.4} A:{port} > B . {own}:{own}(0) ack 5001 win 64240", at_s + 0.002).unwrap();
        self
    }

    /// A SYN is answered by the stale ACK of a `fetch` with `old_isn`, and the client resets.
    fn refuse(&mut self, at_s: f64, port: u16, old_isn: u32, isn: u32) -> &mut Wire {
        let rn = old_isn + 32;
        writeln!(self.0, "+{at_s:.4} A:{port} > B S {isn}:{isn}(0) win 64240 mss 1460").unwrap();
        writeln!(self.0, "+{:.4} B > A:{port} . 5002:5002(0) ack {rn} win 5713", at_s + 0.001).unwrap();
        writeln!(self.0, "+{:.4} A:{port} > B R {rn}:{rn}(0) win 0", at_s + 0.002).unwrap();
        self
    }

    fn say(&mut self, line: &str) -> &mut Wire {
        writeln!(self.0, "{line}").unwrap();
        self
    }

    fn facts(&self) -> DeviceFacts {
        let trace = notation::parse(&self.0).unwrap().swap_remove(0);
        let played = play::play(&trace.steps, RuleSet::built_in().unwrap());
        played.summary.unwrap().devices.swap_remove(0)
    }
}

fn cap(at_least: Option<u32>, at_most: Option<u32>) -> PcbCap {
    PcbCap { at_least, at_most }
}

/// Pages fetched from `ports` ports, one every 100 ms.
fn fetched(ports: u16) -> Wire {
    let mut wire = Wire::default();
    for nth in 0..ports {
        wire.fetch(f64::from(nth) * 0.1, 50_000 + nth, 1_000);
    }
    wire
}

/// A device with a cap of four, six ports: the third is still there, the second has given way.
fn capped() -> Wire {
    let mut wire = fetched(6);
    wire.refuse(0.7, 50_002, 1_000, 9_000).let_in(0.8, 50_001, 9_000).refuse(0.9, 50_005, 1_000, 9_000);
    wire
}

#[test]
fn the_bracket_closes_on_the_cap() {
    let mut wire = capped();
    assert_eq!(wire.facts().pcb_cap, cap(Some(4), None), "nothing was refused at a greater age yet");
    // The third gave way to the second's new connection; the fourth is the oldest now.
    wire.refuse(1.5, 50_003, 1_000, 9_000);
    let facts = wire.facts();
    assert_eq!(facts.pcb_cap, cap(Some(4), Some(4)));
    assert_eq!(facts.syn_in_time_wait, SynInTimeWait::Refused);
    assert_ne!(facts.behaves_as, Behaviour::AcceptsSyn);
    assert_eq!((facts.time_wait.accepted_from_s, facts.msl_s.at_most), (None, None));
    assert_eq!(facts.time_wait.held_now, 4, "no more than there is room for");
    assert_eq!(facts.note, None);
}

#[test]
fn a_device_without_a_cap_has_a_lower_bound_only() {
    let mut wire = fetched(6);
    wire.refuse(0.7, 50_000, 1_000, 9_000).refuse(0.8, 50_005, 1_000, 9_000);
    let facts = wire.facts();
    assert_eq!(facts.pcb_cap, cap(Some(6), None));
    let mut one = fetched(1);
    one.refuse(0.7, 50_000, 1_000, 9_000);
    assert!(one.facts().pcb_cap.is_unknown(), "room for one goes without saying");
}

#[test]
fn a_tuple_that_gave_way_after_a_refusal_bounds_no_msl() {
    let mut wire = fetched(3);
    wire.refuse(0.4, 50_000, 1_000, 9_000);
    for nth in 3..9 {
        wire.fetch(f64::from(nth) * 0.2, 50_000 + nth, 1_000);
    }
    // The oldest of three was refused; six connections later it is let in.
    wire.let_in(2.0, 50_000, 9_000);
    let facts = wire.facts();
    assert_eq!((facts.time_wait.accepted_from_s, facts.msl_s.at_most), (None, None));
    assert!(facts.note.unwrap().contains("the oldest gave way"));
    // With nothing in between it is the end of TIME-WAIT.
    let mut alone = fetched(3);
    alone.refuse(0.4, 50_000, 1_000, 9_000).let_in(2.0, 50_000, 9_000);
    let facts = alone.facts();
    assert_eq!(facts.time_wait.accepted_from_s, Some(1.986));
    assert_eq!(facts.note, None);
}

#[test]
fn an_end_of_time_wait_is_told_from_an_eviction_where_more_was_held_before() {
    let mut wire = fetched(3);
    for nth in 0..3 {
        wire.refuse(0.4 + f64::from(nth) * 0.01, 50_000 + nth, 1_000, 9_000);
    }
    for nth in 0..3 {
        wire.let_in(6.0 + f64::from(nth) * 0.01, 50_000 + nth, 9_000);
    }
    let facts = wire.facts();
    // The third was let in after two others, but three had been held at once.
    assert_eq!(facts.time_wait.accepted_from_s, Some(5.806));
    assert_eq!(facts.note, None);
}

#[test]
fn without_a_refusal_an_eviction_looks_like_an_accepted_syn() {
    let mut wire = fetched(8);
    for nth in 0..8 {
        wire.fetch(0.9 + f64::from(nth) * 0.02, 50_000 + nth, 9_000);
    }
    let facts = wire.facts();
    assert_eq!((facts.behaves_as, facts.syn_in_time_wait), (Behaviour::Unknown, SynInTimeWait::Unknown));
    assert!(facts.pcb_cap.is_unknown());
    assert!(facts.note.unwrap().contains("has room for 7 connections or fewer"));
    // The port that was closed last has nothing that could have taken its place.
    wire.let_in(1.2, 50_007, 19_000);
    let facts = wire.facts();
    assert_eq!(facts.behaves_as, Behaviour::AcceptsSyn);
    // So few blocks no stack has.
    let mut few = fetched(3);
    few.let_in(0.4, 50_000, 9_000);
    assert_eq!(few.facts().behaves_as, Behaviour::AcceptsSyn);
}

#[test]
fn a_restart_is_no_eviction() {
    // Silent for as long as a start takes, between the entry and the SYN that is let in; refused are younger ones only.
    let mut wire = fetched(3);
    for nth in 3..6 {
        wire.fetch(3.0 + f64::from(nth) * 0.1, 50_000 + nth, 1_000);
    }
    wire.let_in(4.0, 50_000, 9_000).refuse(9.0, 50_004, 1_000, 9_000);
    assert_eq!(wire.facts().pcb_cap.at_most, None);
    // One that it still holds from before the silence rules the restart out.
    let mut ran_on = fetched(3);
    ran_on.refuse(2.9, 50_002, 1_000, 9_000);
    for nth in 3..6 {
        ran_on.fetch(3.0 + f64::from(nth) * 0.1, 50_000 + nth, 1_000);
    }
    ran_on.let_in(4.0, 50_000, 9_000).refuse(9.0, 50_004, 1_000, 9_000);
    assert_eq!(ran_on.facts().pcb_cap.at_most, Some(5));
}

#[test]
fn an_announcement_as_after_a_start_makes_a_hold_say_nothing() {
    let mut wire = fetched(6);
    wire.refuse(0.7, 50_002, 1_000, 9_000).say("+0.75 B > B probe").let_in(0.8, 50_001, 9_000);
    wire.let_in(1.1, 50_002, 19_000).refuse(1.5, 50_003, 1_000, 9_000);
    let facts = wire.facts();
    assert_eq!(facts.pcb_cap.at_most, None);
    assert_eq!((facts.time_wait.accepted_from_s, facts.msl_s.at_most), (None, None));
}

#[test]
fn connections_that_live_count_beside_those_that_wait() {
    let mut wire = Wire::default();
    wire.let_in(0.0, 49_000, 1_000).let_in(0.01, 49_001, 1_000);
    for nth in 1..7 {
        wire.fetch(f64::from(nth) * 0.1, 50_000 + nth, 1_000);
    }
    wire.let_in(0.8, 50_002, 9_000).refuse(1.5, 50_005, 1_000, 9_000);
    // Two that live, and four made after it.
    assert_eq!(wire.facts().pcb_cap.at_most, Some(6));
}

#[test]
fn a_reset_of_what_was_held_is_an_eviction_too() {
    let mut wire = fetched(6);
    wire.say("+0.7 A:50001 > B F. 1031:1031(0) ack 5002 win 64240")
        .say("+0.7010 B > A:50001 R. 5002:5002(0) ack 1032 win 28694")
        .refuse(1.5, 50_003, 1_000, 9_000);
    assert_eq!(wire.facts().pcb_cap, cap(Some(3), Some(4)));
}

#[test]
fn lost_frames_bound_nothing() {
    let mut wire = fetched(6);
    wire.say("gap 3");
    wire.let_in(0.8, 50_001, 9_000).refuse(1.5, 50_003, 1_000, 9_000);
    let facts = wire.facts();
    assert!(facts.pcb_cap.is_unknown(), "{:?}", facts.pcb_cap);
}
