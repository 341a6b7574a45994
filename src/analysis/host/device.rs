//! One device: folds what its flows show into a ledger, a bracket, a fingerprint and a behaviour.

use core::net::IpAddr;
use core::time::Duration;

use super::{
    account::{Accounts, Comparison, Wire},
    attempt::Attempts,
    behaviour::Behaviours,
    blocks::Blocks,
    bracket::Bracket,
    event::{Close, HostEvent},
    facts::RstInTimeWait,
    fingerprint::Fingerprint,
    hold::{Answer, CONFIRMING_CYCLES, Hold},
    isn_clock::IsnClock,
    ledger::Ledger,
    listed::{Held, Listed},
    liveness::Liveness,
    pcb_cap::Evictions,
    uptime::Uptime,
    whereabouts::Whereabouts,
};
use crate::analysis::{
    certainty::Certainty,
    flow::{Before, Belongs, Flow, Side},
    input::Account,
    tcp::{StateView, TcpState},
    time::Timestamp,
    wire::{Flags, Note, Segment, Sign, SignKind},
};

mod ending;
mod inheriting;
mod refusing;
mod restart;
mod telling;

#[derive(Debug)]
pub struct Device {
    pub address: IpAddr,
    /// Its place among all that were ever met, from 0: no other device of the run gets it.
    pub number: usize,
    pub mac: Option<[u8; 6]>,
    /// The address that its host had before this one, and the one that it has now in this one's place.
    pub formerly: Option<IpAddr>,
    pub left_for: Option<IpAddr>,
    pub whereabouts: Whereabouts,
    /// The mode of its test firmware, as it was last told.
    pub mode: Option<String>,
    pub fingerprint: Fingerprint,
    pub behaviours: Behaviours,
    pub accepted: u64,
    /// Segments to or from it.
    pub segments: u64,
    pub refusals: u64,
    pub ignored_rsts: u64,
    pub liveness: Liveness,
    /// It sent a TCP segment.
    pub spoke_tcp: bool,
    entered: u64,
    syns: u64,
    rsts: u64,
    attempts: Attempts,
    pub(super) bracket: Bracket,
    pub(super) evictions: Evictions,
    blocks: Blocks,
    uptime: Uptime,
    isn_clock: IsnClock,
    ledger: Ledger,
    accounts: Accounts,
    last_gap: Option<Timestamp>,
}

impl Device {
    /// `tuples`: how many it is remembered to hold at once.
    pub fn new(address: IpAddr, tuples: usize) -> Device {
        Device {
            address,
            number: 0,
            mac: None,
            formerly: None,
            left_for: None,
            whereabouts: Whereabouts::default(),
            mode: None,
            fingerprint: Fingerprint::default(),
            behaviours: Behaviours::default(),
            accepted: 0,
            segments: 0,
            refusals: 0,
            ignored_rsts: 0,
            liveness: Liveness::default(),
            spoke_tcp: false,
            entered: 0,
            syns: 0,
            rsts: 0,
            bracket: Bracket::default(),
            attempts: Attempts::default(),
            evictions: Evictions::default(),
            blocks: Blocks::default(),
            uptime: Uptime::default(),
            isn_clock: IsnClock::default(),
            ledger: Ledger::of(tuples),
            accounts: Accounts::default(),
            last_gap: None,
        }
    }

    pub fn numbered(self, number: usize) -> Device {
        Device { number, ..self }
    }

    /// A segment that `from` sent on one of its flows, after the flow has taken it; `before` is the flow's life before that,
    /// `device` its own side, `listed` what is kept of it with the flow. What follows is appended to `events`, which is empty.
    #[inline]
    pub fn observe(
        &mut self,
        segment: &Segment,
        (from, device): (Side, Side),
        (flow, before): (&Flow, &Before),
        place: Belongs,
        listed: &mut Listed,
        events: &mut Vec<HostEvent>,
    ) {
        if !listed.is_by(self.number) {
            *listed = Listed::met_by(self.number, &self.ledger, &self.attempts, &self.blocks);
        } else if place == Belongs::NewLife {
            listed.of_new_life();
        }
        self.segments += 1;
        if from == device {
            self.spoke_tcp = true;
            self.whereabouts.used(segment.time);
            self.liveness.heard(segment.frame, segment.time, segment.destination_ip());
            self.fingerprint.read(segment);
            self.mac = segment.source_mac.or(self.mac);
            // Neither a SYN-ACK nor a RST needs a memory.
            let needs_none = segment.flags.has(Flags::SYN) || segment.flags.has(Flags::RST);
            let remembers = !needs_none && place == Belongs::ThisLife;
            self.uptime.sent(segment.time, if remembers { flow.life.opening.time } else { segment.time });
            self.observe_own(segment, flow, (place, device), listed, events);
            if place != Belongs::AnotherLife {
                self.blocks.sent(flow, device, listed);
            }
        } else {
            if segment.seq_len() > 0 && !segment.flags.has(Flags::RST) {
                self.whereabouts.written_to(segment.time);
            }
            let flags = segment.flags;
            if flags.has(Flags::SYN) || flags.has(Flags::RST) || flags.has(Flags::FIN) {
                self.observe_peer(segment, flow, place, listed, events);
            }
        }
        let state = flow.life.endpoint(device).view.state();
        if state == Some(TcpState::Closed) {
            self.blocks.gone(&flow.tuple, listed);
        }
        if state == Some(TcpState::TimeWait) && place != Belongs::AnotherLife {
            self.enter(segment, flow, device, listed);
        }
        if Attempts::are_concerned(listed, place, events) {
            self.attempts.observe(segment, from == device, (flow, before), (place, events), listed);
        }
    }

    /// A frame that holds no TCP segment, from this device or asking for it.
    pub fn observe_sign(&mut self, sign: &Sign) {
        if sign.from == Some(self.address)
            || (sign.from.is_none() && sign.mac.is_some() && sign.mac == self.mac)
        {
            if sign.from.is_some() {
                self.whereabouts.used(sign.time);
            }
            self.liveness.heard(sign.frame, sign.time, sign.to.unwrap_or(self.address));
            if sign.is_local() {
                self.mac = sign.mac.or(self.mac);
            }
            if sign.is_of_a_start() {
                self.may_have_restarted();
            } else {
                self.uptime.sent(sign.time, sign.time);
            }
        } else if !matches!(sign.kind, SignKind::Lease { .. }) {
            self.whereabouts.written_to(sign.time);
            // Nobody is to answer there any more.
            if self.left_for.is_none() {
                self.liveness.asked(sign);
            }
        }
    }

    /// Time went on.
    pub fn advance(&mut self, now: Timestamp) {
        self.ledger.advance(now, Duration::from_secs_f64(self.bracket.assumed_time_wait_s()));
        self.attempts.advance(now);
    }

    /// Nothing more will come.
    pub fn finish(&mut self, now: Timestamp) {
        self.advance(now);
        self.attempts.finish();
    }

    /// Frames were lost: what was begun before is no longer proven.
    pub fn note_gap(&mut self, at: Timestamp) {
        self.last_gap = Some(at);
        self.liveness.note_gap();
    }

    /// The device was switched on purpose: what was learned of its behaviour no longer binds.
    pub fn note_mode_change(&mut self) {
        self.syns += self.accepted_beside();
        self.behaviours = Behaviours::default();
        self.bracket = Bracket::default();
        self.evictions = Evictions::default();
        self.ledger.mark_mode_change();
    }

    /// What it says of itself, beside what the wire says; `first` is the time of the capture's first frame.
    pub fn compare(&mut self, account: &Account, first: Timestamp) -> Comparison {
        let wire = Wire {
            address: self.address,
            ledger: &self.ledger,
            msl: self.bracket.msl(),
            ignores_rst: self.behaviours.rst() == RstInTimeWait::Ignored
                && self.ignored_rsts >= u64::from(CONFIRMING_CYCLES),
            first,
            last_gap: self.last_gap,
            heard: self.liveness.last_heard().map(|(frame, _)| frame),
        };
        self.accounts.compare(account, &wire)
    }

    #[inline]
    fn observe_own(
        &mut self,
        segment: &Segment,
        flow: &Flow,
        (place, device): (Belongs, Side),
        listed: &mut Listed,
        events: &mut Vec<HostEvent>,
    ) {
        if segment.flags.is_syn_ack() && place != Belongs::AnotherLife {
            self.accepted += 1;
            let after = Note::from(segment);
            if let Some(before) = self.isn_clock.answered(flow.tuple, after) {
                self.may_have_restarted();
                events.push(HostEvent::ClockRestarted { device: self.address, before, after });
            }
        }
        if segment.flags.has(Flags::FIN) && flow.life.endpoint(device).view.is(TcpState::LastAck) {
            self.ledger.closed_second(flow.tuple, segment.time);
        }
        if !segment.is_pure_ack() {
            if let Some(hold) = listed.hold(&mut self.ledger, flow.tuple) {
                match hold.device_answered(segment) {
                    Answer::OfOldLife => {}
                    Answer::ResetInWindow { syn, incarnation } => {
                        self.syns += 1;
                        self.reset_in_window(segment, syn, incarnation, flow, events);
                    }
                    Answer::Accepted { syn } => self.accept(flow, syn, segment.time),
                    Answer::Unknowing => self.forgotten(segment, flow),
                }
            }
            return;
        }
        // A pure ACK matters while a SYN waits for its answer, and while the close is being completed.
        let waiting = flow.life.awaits_answer();
        if !waiting && flow.life.endpoint(device).view.state() != Some(TcpState::TimeWait) {
            return;
        }
        if waiting && place == Belongs::AnotherLife {
            self.presume(segment, flow, device, listed);
        }
        let Some(hold) = listed.hold(&mut self.ledger, flow.tuple) else { return };
        let refusals = hold.device_acked(Note::from(segment));
        if refusals.is_empty() && hold.close.is_none_or(|close| close.entered.is_none()) {
            return;
        }
        if hold.close.is_some() && flow.life.endpoint(device).view == StateView::Proven(TcpState::TimeWait) {
            hold.certainty = Certainty::Proven;
        }
        if !hold.counted {
            self.entered += u64::from(hold.close.is_some());
            self.ledger.begin(flow.tuple);
        }
        for refusal in refusals {
            self.refused(&refusal, flow, events);
        }
    }

    /// A SYN, a RST or a FIN to the device.
    fn observe_peer(
        &mut self,
        segment: &Segment,
        flow: &Flow,
        place: Belongs,
        listed: &mut Listed,
        events: &mut Vec<HostEvent>,
    ) {
        let flags = segment.flags;
        let Some(hold) = listed.hold(&mut self.ledger, flow.tuple) else { return };
        if flags.has(Flags::RST) {
            self.rsts += u64::from(hold.is_established() || hold.refused > 0);
            hold.offer_rst(Note::from(segment));
        } else if flags.is_opening() {
            hold.offer_syn(Note::from(segment), flow.life.number);
            if place == Belongs::NewLife {
                self.reused(segment, flow, events);
            }
        } else if flags.has(Flags::FIN) && hold.offer_fin(segment) {
            self.ledger.restarted(flow.tuple);
        }
    }

    /// The flow shows the device in TIME-WAIT: make the hold, or complete it.
    fn enter(&mut self, segment: &Segment, flow: &Flow, device: Side, listed: &mut Listed) {
        let (own, peer) = (flow.life.endpoint(device), flow.life.endpoint(device.other()));
        let (Some(device_fin), Some(client_fin)) = (own.fin(), peer.fin()) else { return };
        let numbers = (device_fin.seq_end(), client_fin.seq_end());
        if listed.hold(&mut self.ledger, flow.tuple).is_some_and(|hold| (hold.sn, hold.rn) == numbers) {
            return;
        }
        let acked = own.rcv_nxt().is_some_and(|next| next.reaches(client_fin.seq_end()));
        let close = Close {
            incarnation: flow.life.number,
            request: peer.last_data.filter(|data| data.frame < device_fin.frame),
            device_fin,
            client_fin,
            entered: acked.then(|| Note::from(segment)),
        };
        let proven = acked && matches!(own.view, StateView::Proven(_));
        let certainty = if proven { Certainty::Proven } else { Certainty::Inferred };
        let mut hold = Hold::closed(flow.tuple, device, client_fin.seq_end(), close, certainty)
            .since(flow.life.saw_open.then_some(flow.life.opening.time));
        hold.beside = self.beside(&hold);
        let counted = hold.counted;
        listed.held = Held::At(self.ledger.insert(hold));
        if counted {
            self.entered += 1;
            self.ledger.begin(flow.tuple);
        }
    }

    /// A SYN was answered by a pure ACK of other numbers and no close was seen: perhaps a TIME-WAIT from
    /// before the capture began. Nothing is said of it until the client's RSTs have been ignored.
    fn presume(&mut self, segment: &Segment, flow: &Flow, device: Side, listed: &mut Listed) {
        let known = listed.hold(&mut self.ledger, flow.tuple);
        if known.is_some_and(|hold| hold.close.is_some() || (hold.sn, hold.rn) == (segment.seq, segment.ack))
        {
            return;
        }
        let mut hold = Hold::presumed(flow.tuple, device, segment.seq, segment.ack, segment.time);
        hold.offer_syn(flow.life.opening, flow.life.number);
        listed.held = Held::At(self.ledger.insert(hold));
    }
}
