//! The quantities of findings: which rule gives which number, in what unit.
//!
//! `tests/own_rules.rs` plays every trace and holds this table against what the detectors give, both ways.

/// What stands before a quantity's name in a condition.
pub const PREFIX: &str = "quantities.";

#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    pub name: &'static str,
    /// The rules whose findings have it.
    pub rules: &'static [&'static str],
    pub unit: &'static str,
    pub sample: f64,
    pub what: &'static str,
}

const fn row(
    name: &'static str,
    rules: &'static [&'static str],
    unit: &'static str,
    sample: f64,
    what: &'static str,
) -> Quantity {
    Quantity { name, rules, unit, sample, what }
}

/// By name.
#[rustfmt::skip]
pub static QUANTITIES: &[Quantity] = &[
    row("after_s", &["window-shrink"], "s", 0.2, "From the promise to the first segment that takes room back."),
    row("after_syn_s", &["accept-overflow", "stale-ack"], "s", 0.000412, "From the SYN to the answer."),
    row("agreed", &["ledger-mismatch"], "", 12.0, "Connections on which the device and the wire agreed in the same account."),
    row("asked", &["device-silent"], "", 3.0, "Requests since the device was heard last."),
    row("asked_for_s", &["device-silent"], "s", 5.5, "Since the first of those requests."),
    row("assumed_time_wait_s", &["time-wait-reuse"], "s", 120.0, "How long TIME-WAIT is taken to last."),
    row("attempt", &["time-wait-collision"], "", 3.0, "Which SYN refused in one TIME-WAIT life, from 1."),
    row("by_device", &["data-stall", "half-closed", "keepalive-failure", "window-shrink", "zero-window"], "1 or 0", 1.0, "1: the finding is about the device's side, 0: about the other."),
    row("client_repeats", &["handshake-stall"], "1 or 0", 0.0, "1: the client asked again."),
    row("closed_s", &["zero-window"], "s", 3.0, "How long the window stayed closed before it was told."),
    row("cycle", &["ignored-rst"], "", 2.0, "Which RST ignored in one TIME-WAIT life, from 1."),
    row("device_acks", &["ack-loop"], "", 21.0, "Equal ACKs of the device."),
    row("device_octets", &["reset-close"], "octets", 1024.0, "Payload that the device had sent."),
    row("gaps", &["capture-gap"], "", 2.0, "Times at which the capture itself lost frames."),
    row("heard_elsewhere", &["syn-unanswered"], "1 or 0", 1.0, "1: the device was heard on another connection meanwhile."),
    row("heard_meanwhile", &["data-stall"], "", 3.0, "Segments of the other side while the data waited."),
    row("held", &["time-wait-buildup"], "", 12.0, "Connections held in TIME-WAIT."),
    row("into_window", &["syn-reset-in-window"], "octets", 100.0, "How far into the old window the SYN's number lies."),
    row("lost_frames", &["capture-gap"], "", 17.0, "Frames that the capture itself lost."),
    row("missing_octets", &["capture-gap"], "octets", 536.0, "Sequence space that was acknowledged and never seen."),
    row("octets", &["window-shrink"], "octets", 1440.0, "Room taken back."),
    row("open_for_s", &["reset-close"], "s", 0.81, "From the SYN to the RST."),
    row("open_s", &["half-closed"], "s", 10.0, "How long one direction stayed open before it was told."),
    row("other_acks", &["ack-loop"], "", 21.0, "Equal ACKs of the other side."),
    row("pairs", &["rst-storm"], "", 51.0, "Stale ACKs with the RST that answers each."),
    row("pcb_cap", &["time-wait-buildup"], "", 16.0, "Connections that the device's stack has room for."),
    row("pings", &["device-silent"], "", 2.0, "Pings left unanswered besides."),
    row("probes", &["keepalive-failure", "zero-window"], "", 2.0, "Probes without an answer, or of the closed window."),
    row("repeated_for_s", &["zero-window"], "s", 2.5, "From the first to the last announcement of the closed window."),
    row("request_octets", &["app-stall"], "octets", 120.0, "Payload of the request."),
    row("request_sent", &["accept-overflow"], "1 or 0", 1.0, "1: the request was sent already."),
    row("resets", &["device-reboot"], "", 2.0, "Connections reset since the device announced itself."),
    row("retaken", &["device-reboot"], "", 1.0, "Connections taken anew although the device had seemed to hold them."),
    row("rst_seq", &["ignored-rst"], "sequence number", 1002.0, "Of the ignored RST."),
    row("sendings", &["data-stall"], "", 4.0, "How often the same data was sent."),
    row("silent_for_s", &["device-silent"], "s", 6.2, "Since the device was heard last."),
    row("silent_s", &["app-stall"], "s", 3.0, "Without an answer after the request was acknowledged."),
    row("since_announcement_s", &["device-reboot"], "s", 0.4, "From the announcement to the RST."),
    row("since_time_wait_s", &["syn-reset-in-window", "time-wait-collision", "time-wait-reuse"], "s", 0.2002, "Since TIME-WAIT was entered; absent where that was not seen."),
    row("span_s", &["ack-loop", "rst-storm"], "s", 5.0, "From the first to the last of them."),
    row("stale_ack", &["half-open", "stale-ack", "time-wait-collision"], "sequence number", 1002.0, "Acknowledgment number of the stale ACK."),
    row("stale_seq", &["half-open", "stale-ack", "time-wait-collision"], "sequence number", 5002.0, "Sequence number of the stale ACK."),
    row("syn_acks_repeated", &["handshake-stall"], "", 3.0, "SYN-ACKs sent again."),
    row("syn_is_newer", &["time-wait-collision"], "1 or 0", 1.0, "1: RFC 1122 would let a host accept the refused SYN."),
    row("syns", &["syn-unanswered"], "", 2.0, "SYNs of one attempt without an answer."),
    row("time_wait_s", &["time-wait-buildup"], "s", 120.0, "How long each is held."),
    row("tuples", &["ledger-mismatch"], "", 2.0, "Connections on which they disagreed."),
    row("unacked_s", &["data-stall"], "s", 3.0, "Since the data was sent first."),
    row("unanswered_s", &["keepalive-failure"], "s", 10.0, "Since the first probe."),
    row("until_ack_s", &["app-stall"], "s", 0.02, "From the request to its acknowledgment."),
    row("until_next_syn_s", &["ignored-rst"], "s", 0.0101, "From the RST to the client's next SYN."),
    row("usual_ack_s", &["data-stall"], "s", 0.02, "How long an ACK took before; absent where none was seen."),
    row("waited_s", &["half-open", "handshake-stall", "not-on-path", "syn-unanswered"], "s", 3.0, "How long who asked had waited by then."),
    row("window_scale", &["window-shrink"], "bits", 0.0, "The shift in force."),
];
