//! Arbitrary events: whatever the types allow, as a saved run from a stranger may hold it.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use esp_tcpwatch::analysis::{
    certainty::Certainty,
    detect::{EvidenceSegment, Finding, Words},
    event::{
        CaptureEvent, CaptureQuality, DeviceEvent, Event, FlowChange, FlowEvent, MarkerEvent, ProgressEvent,
        SegmentEvent, Start, Summary,
    },
    flow::Belongs,
    host::{
        AccountFacts, Behaviour, Blocked, Delay, DelayFacts, DeviceFacts, MslBracket, Outcome, PcbCap,
        RstInTimeWait, Stack, SynInTimeWait, TimeWaitFacts,
    },
    input::{ArmProgress, Doing, Progress},
    rule::{Alert, AlertPhase, Severity},
    tcp::{Kind, StateView, TcpState},
    time::{Timestamp, When},
    wire::Flags,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::HOSTILE;

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        Just(HOSTILE.to_owned()),
        Just(String::new()),
        // The characters whose escapes are longest.
        (1_usize..3_000).prop_map(|length| "\u{e0041}".repeat(length)),
        (1_usize..3_000).prop_map(|length| "`|$&@\\".repeat(length)),
    ]
    .boxed()
}

/// Few enough that findings meet each other.
fn rule() -> BoxedStrategy<String> {
    prop_oneof![
        3 => select(vec!["time-wait-collision", "ignored-rst", "stale-ack"]).prop_map(str::to_owned),
        1 => text(),
    ]
    .boxed()
}

fn role() -> BoxedStrategy<String> {
    let known = vec![
        "request",
        "device closes first",
        "client ACKs the FIN",
        "client closes",
        "device ACKs: TIME-WAIT begins",
        "client opens again",
        "stale ACK",
        "client resets",
        "SYN again",
        "same stale ACK",
        "SYN-ACK",
    ];
    prop_oneof![4 => select(known).prop_map(str::to_owned), 1 => text()].boxed()
}

fn flags() -> BoxedStrategy<String> {
    let known = select(vec!["S", "S.", ".", "P.", "F.", "R", "R."]).prop_map(str::to_owned);
    prop_oneof![6 => known, 1 => text()].boxed()
}

/// Any time that survives being written: whole microseconds within the precision of its number.
fn time() -> BoxedStrategy<Timestamp> {
    prop_oneof![
        3 => (0_u64..200_000_000).prop_map(super::at),
        1 => (0_u64..4_000_000_000_000_000).prop_map(Timestamp::from_micros),
    ]
    .boxed()
}

fn when() -> BoxedStrategy<When> {
    time().prop_map(When).boxed()
}

fn ip() -> BoxedStrategy<IpAddr> {
    prop_oneof![4 => Just("10.77.0.2".parse().unwrap()), 1 => any::<IpAddr>()].boxed()
}

/// Without scope and flow label: they are not on the wire.
fn socket() -> BoxedStrategy<SocketAddr> {
    (ip(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port)).boxed()
}

fn client() -> BoxedStrategy<SocketAddr> {
    prop_oneof![
        3 => (40_000_u16..40_040).prop_map(|port| SocketAddr::new("10.77.0.1".parse().unwrap(), port)),
        1 => socket(),
    ]
    .boxed()
}

/// Numbers that any parser reads back exactly.
fn number() -> BoxedStrategy<f64> {
    prop_oneof![
        (-1_000_000_i64..1_000_000).prop_map(|number| number as f64 / 64.0),
        any::<u32>().prop_map(f64::from),
        Just(f64::MAX),
        Just(0.0),
    ]
    .boxed()
}

fn certainty() -> BoxedStrategy<Certainty> {
    select(vec![Certainty::Suspected, Certainty::Inferred, Certainty::Proven]).boxed()
}

fn evidence() -> BoxedStrategy<EvidenceSegment> {
    (
        0_u64..200,
        time(),
        any::<bool>(),
        flags(),
        any::<u32>(),
        any::<Option<u32>>(),
        any::<u32>(),
        any::<u16>(),
        role(),
    )
        .prop_map(|(frame, epoch, from_client, flags, seq, ack, len, window, role)| EvidenceSegment {
            frame,
            epoch,
            from_client,
            flags: flags.into(),
            seq,
            ack,
            len,
            window,
            role: role.into(),
        })
        .boxed()
}

fn finding() -> BoxedStrategy<Event> {
    (
        (any::<u64>(), rule(), certainty(), when(), ip(), client(), socket(), 0_u32..3),
        (vec(any::<u64>(), 0..40), vec(any::<u64>(), 0..4)),
        proptest::collection::btree_map(text().prop_map(Words::from), number(), 0..4),
        text(),
        vec(evidence(), 0..60),
    )
        .prop_map(
            |(
                (id, rule, certainty, when, device, client, server, incarnation),
                (frames, caused_by),
                quantities,
                text,
                evidence,
            )| {
                Event::Finding(Finding {
                    id,
                    rule: rule.into(),
                    certainty,
                    when,
                    device,
                    client,
                    server,
                    incarnation,
                    frames,
                    quantities,
                    text,
                    caused_by,
                    evidence,
                })
            },
        )
        .boxed()
}

fn alert() -> BoxedStrategy<Event> {
    let severity = select(vec![Severity::Info, Severity::Notice, Severity::Warning, Severity::Critical]);
    let phase = select(vec![AlertPhase::Raised, AlertPhase::Grown, AlertPhase::Ended]);
    (
        (any::<u64>(), rule(), severity, phase, certainty(), any::<u64>()),
        (when(), time(), time(), ip(), option::of(client()), socket()),
        (vec(any::<u64>(), 0..80), vec(any::<u64>(), 0..80), any::<u64>()),
        (text(), text(), vec(text(), 0..14), vec(text(), 0..14)),
    )
        .prop_map(
            |(
                (id, rule, severity, phase, certainty, count),
                (when, first, last, device, client, server),
                (findings, frames, frames_omitted),
                (title, why, remedies, references),
            )| {
                Event::Alert(Alert {
                    mode: (id % 2 == 0).then(|| title.clone()),
                    id,
                    rule,
                    severity,
                    phase,
                    certainty,
                    count,
                    when,
                    first,
                    last,
                    device,
                    client,
                    server,
                    findings,
                    frames,
                    frames_omitted,
                    title,
                    why,
                    remedies,
                    references,
                })
            },
        )
        .boxed()
}

fn facts() -> BoxedStrategy<DeviceFacts> {
    (
        (
            ip(),
            option::of(text()),
            select(vec![Stack::Unknown, Stack::Lwip, Stack::Linux]),
            option::of(certainty()),
        ),
        (any::<u64>(), any::<u64>(), option::of(number()), option::of(number()), any::<u64>(), any::<u64>()),
        (option::of(number()), option::of(number())),
        select(vec![RstInTimeWait::Unknown, RstInTimeWait::Ignored, RstInTimeWait::Honoured]),
        select(vec![SynInTimeWait::Unknown, SynInTimeWait::Refused, SynInTimeWait::Accepted]),
        select(vec![
            Behaviour::Unknown,
            Behaviour::Unfixed,
            Behaviour::HonoursRst,
            Behaviour::AcceptsSyn,
            Behaviour::Mixed,
        ]),
        any::<u64>(),
        (delays(), option::of(text()), (option::of(any::<u32>()), option::of(any::<u32>()))),
    )
        .prop_map(
            |(
                (address, mac, stack, stack_certainty),
                (entered, held_now, refused_until_s, accepted_from_s, syns, rsts),
                (at_least, at_most),
                rst_in_time_wait,
                syn_in_time_wait,
                behaves_as,
                accepted,
                (delays, note, room),
            )| DeviceFacts {
                address,
                mac,
                formerly: (accepted % 5 == 0).then_some(address),
                stack,
                stack_certainty,
                time_wait: TimeWaitFacts { entered, held_now, refused_until_s, accepted_from_s, syns, rsts },
                msl_s: MslBracket { at_least, at_most },
                pcb_cap: PcbCap { at_least: room.0, at_most: room.1 },
                rst_in_time_wait,
                syn_in_time_wait,
                behaves_as,
                accepted,
                delays,
                note,
                mode: (accepted % 3 == 0).then(|| "unfixed".to_owned()),
                own_account: (accepted % 2 == 0).then_some(AccountFacts {
                    time_wait: held_now,
                    accounts: accepted,
                    agreed: entered,
                    unsure: syns,
                    disagreements: rsts,
                }),
            },
        )
        .boxed()
}

fn delays() -> BoxedStrategy<DelayFacts> {
    let longest = (
        (client(), socket(), 0_u32..3, any::<u32>(), any::<u32>()),
        (any::<u64>(), any::<u64>(), number()),
        select(vec![Outcome::Accepted, Outcome::Reset, Outcome::Unfinished]),
        option::of(
            (0_u32..3, any::<u64>()).prop_map(|(incarnation, closed_in)| Blocked { incarnation, closed_in }),
        ),
    )
        .prop_map(
            |(
                (client, server, incarnation, syns, refused),
                (first_frame, last_frame, waited_s),
                outcome,
                blocked_by,
            )| Delay {
                client,
                server,
                incarnation,
                syns,
                refused,
                first_frame,
                last_frame,
                waited_s,
                outcome,
                blocked_by,
            },
        );
    (any::<(u64, u64, u64, u64)>(), number(), option::of(longest))
        .prop_map(|((waiting, delayed, reset, unfinished), waited_s, longest)| DelayFacts {
            waiting,
            delayed,
            reset,
            unfinished,
            waited_s,
            longest,
        })
        .boxed()
}

fn quality() -> BoxedStrategy<CaptureQuality> {
    (any::<u64>(), any::<u64>(), any::<u64>())
        .prop_map(|(received, dropped, gaps)| CaptureQuality { received, dropped, gaps })
        .boxed()
}

fn start() -> BoxedStrategy<Event> {
    let source = prop_oneof![select(vec!["live", "file", "stream"]).prop_map(str::to_owned), text()];
    (
        any::<u32>(),
        text(),
        source,
        text(),
        option::of(text()),
        vec(ip(), 0..70),
        vec(text(), 0..70),
        any::<Option<u32>>(),
    )
        .prop_map(|(schema, tool, source, name, filter, devices, rules, snaplen)| {
            Event::Start(Start { schema, tool, source, name, filter, devices, rules, snaplen })
        })
        .boxed()
}

fn flow() -> BoxedStrategy<Event> {
    let change = select(vec![FlowChange::Opened, FlowChange::State, FlowChange::Closed]);
    let state = || prop_oneof![Just("ESTABLISHED (proven)".to_owned()), text()];
    (
        when(),
        change,
        client(),
        socket(),
        option::of(ip()),
        0_u32..3,
        any::<u64>(),
        state(),
        state(),
        any::<(u64, u64)>(),
    )
        .prop_map(
            |(
                when,
                change,
                client,
                server,
                device,
                incarnation,
                frame,
                client_state,
                server_state,
                bytes,
            )| {
                Event::Flow(FlowEvent {
                    when,
                    change,
                    client,
                    server,
                    device,
                    incarnation,
                    frame,
                    client_state,
                    server_state,
                    client_bytes: bytes.0,
                    server_bytes: bytes.1,
                })
            },
        )
        .boxed()
}

fn state() -> BoxedStrategy<StateView> {
    let states = select(vec![
        TcpState::Closed,
        TcpState::SynSent,
        TcpState::SynReceived,
        TcpState::Established,
        TcpState::TimeWait,
    ]);
    prop_oneof![
        1 => Just(StateView::Unknown),
        2 => states.clone().prop_map(StateView::Inferred),
        2 => states.prop_map(StateView::Proven),
    ]
    .boxed()
}

/// Few enough that lives and frames meet each other.
pub fn segment() -> BoxedStrategy<SegmentEvent> {
    let place = select(vec![Belongs::NewLife, Belongs::SameSyn, Belongs::ThisLife, Belongs::AnotherLife]);
    let kind = select(vec![Kind::Syn, Kind::SynAgain, Kind::News, Kind::BeyondAHole, Kind::IdleAck]);
    let number = || prop_oneof![4 => 0_u64..60, 1 => any::<u64>()];
    (
        (when(), number(), number(), client(), socket(), option::of(ip())),
        (prop_oneof![4 => 0_u32..5, 1 => any::<u32>()], place, option::of(kind), any::<bool>(), 0_u8..64),
        (any::<u32>(), option::of(any::<u32>()), any::<u32>(), any::<u16>(), state(), state()),
    )
        .prop_map(
            |(
                (when, frame, number, client, server, device),
                (incarnation, place, kind, from_client, flags),
                (seq, ack, len, window, client_state, server_state),
            )| SegmentEvent {
                when,
                frame,
                number,
                client,
                server,
                device,
                incarnation,
                place,
                kind,
                from_client,
                flags: Flags(flags),
                seq,
                ack,
                len,
                window,
                client_state,
                server_state,
            },
        )
        .boxed()
}

fn counts() -> BoxedStrategy<BTreeMap<String, u64>> {
    proptest::collection::btree_map(text(), any::<u64>(), 0..6).boxed()
}

fn summary() -> BoxedStrategy<Event> {
    (
        (when(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()),
        (counts(), counts(), counts(), counts()),
        vec(facts(), 0..6),
        any::<u64>(),
        quality(),
        number(),
        text(),
    )
        .prop_map(
            |(
                (when, frames, segments, flows, incarnations),
                (skipped, findings, alerts, unevaluated),
                devices,
                devices_omitted,
                capture,
                duration_s,
                verdict,
            )| {
                Event::Summary(Summary {
                    when,
                    frames,
                    segments,
                    skipped,
                    flows,
                    incarnations,
                    findings,
                    alerts,
                    unevaluated,
                    devices,
                    devices_omitted,
                    capture,
                    duration_s,
                    verdict,
                })
            },
        )
        .boxed()
}

fn progress() -> BoxedStrategy<Event> {
    let doing = select(vec![Doing::Control, Doing::Block, Doing::Settling, Doing::Waiting, Doing::Over]);
    let arm = (text(), any::<(u64, u64, u64, u64)>(), any::<(u64, u64, u64)>(), option::of(text())).prop_map(
        |(arm, (blocks, planned, reuses, failed), (stalled, collisions, ignored_rsts), verdict)| {
            ArmProgress { arm, blocks, planned, reuses, failed, stalled, collisions, ignored_rsts, verdict }
        },
    );
    (
        (when(), ip(), doing, option::of(text())),
        any::<(u64, u64, u64)>(),
        vec(arm, 0..8),
        (option::of(number()), option::of(text()), option::of(text())),
    )
        .prop_map(|((when, device, doing, arm), (block, blocks, requests), arms, (left_s, last, verdict))| {
            let progress =
                Progress { device, doing, arm, block, blocks, requests, arms, left_s, last, verdict };
            Event::Progress(ProgressEvent { when, progress })
        })
        .boxed()
}

pub fn event() -> BoxedStrategy<Event> {
    prop_oneof![
        1 => start(),
        3 => flow(),
        3 => segment().prop_map(Event::Segment),
        12 => finding(),
        6 => alert(),
        3 => (when(), facts()).prop_map(|(when, facts)| Event::Device(DeviceEvent { when, facts })),
        2 => (when(), quality(), text()).prop_map(|(when, quality, text)| Event::Capture(CaptureEvent { when, quality, text })),
        2 => (when(), text(), any::<bool>(), option::of(ip()))
            .prop_map(|(when, text, mode_changed, device)| Event::Marker(MarkerEvent {
                when,
                mode: mode_changed.then(|| text.clone()),
                text,
                mode_changed,
                device,
                formerly: device,
                frame: device.map(|_| 7),
            })),
        1 => progress(),
        1 => summary(),
    ]
    .boxed()
}
