//! One end of a connection: what it sent, what was offered to it, and the state that follows.
//!
//! There is no `update`: whoever feeds a segment must say on which side of it this endpoint stood.

use super::{
    known::Known,
    reset::RstValidity,
    state::{StateView, TcpState},
    timing::RoundTrip,
    transition,
    window::{ReceiveWindow, Scaling},
};
use crate::analysis::{
    time::Timestamp,
    wire::{Flags, Note, Segment, SeqNum, right_edge},
};

/// One endpoint in one incarnation (RFC 9293 §3.3.1 names).
///
/// There are two of them in each flow, so what is optional is kept without [`Option`]: [`Known`] says what is there. The numbers,
/// which every segment moves, come first and fill one cache line; the segments that may be cited fill another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Endpoint {
    /// Payload octets put on the wire for the first time.
    pub payload: u64,
    /// How long the other side takes to acknowledge what this one sends.
    pub round_trip: RoundTrip,
    iss: SeqNum,
    snd_nxt: SeqNum,
    snd_una: SeqNum,
    rcv_nxt: SeqNum,
    /// Acknowledgment and window, unscaled, of the segment that announced the furthest right edge.
    edge_ack: SeqNum,
    edge_window: u16,
    window: u16,
    /// What its SYNs said of window scaling.
    pub scaling: Scaling,
    pub view: StateView,
    known: Known,
    /// The last segment with payload, retransmissions included.
    pub last_data: Option<Note>,
    /// Its FIN, once there was one; before that the segment that announced the furthest right edge.
    landmark: Option<Note>,
}

impl Endpoint {
    #[inline]
    pub const fn iss(&self) -> Option<SeqNum> {
        self.known.of(Known::ISS, self.iss)
    }

    /// Past the furthest octet it sent.
    #[inline]
    pub const fn snd_nxt(&self) -> Option<SeqNum> {
        self.known.of(Known::SND_NXT, self.snd_nxt)
    }

    /// The furthest acknowledgment offered to it.
    #[inline]
    pub const fn snd_una(&self) -> Option<SeqNum> {
        self.known.of(Known::SND_UNA, self.snd_una)
    }

    /// The furthest acknowledgment it sent.
    #[inline]
    pub const fn rcv_nxt(&self) -> Option<SeqNum> {
        self.known.of(Known::RCV_NXT, self.rcv_nxt)
    }

    /// The window that it last announced, unscaled; those of SYN and RST segments do not count.
    #[inline]
    pub const fn window(&self) -> Option<u16> {
        self.known.of(Known::WINDOW, self.window)
    }

    /// Acknowledgment and window, unscaled, that announced the furthest right edge; SYN and RST segments do not count, nor
    /// does an ACK of what was not seen. See [`Endpoint::right_edge`].
    #[inline]
    pub const fn edge(&self) -> Option<(SeqNum, u16)> {
        self.known.of(Known::EDGE, (self.edge_ack, self.edge_window))
    }

    /// The segment that announced it; forgotten once this endpoint has sent a FIN.
    #[inline]
    pub const fn widest(&self) -> Option<Note> {
        if self.has_fin() { None } else { self.landmark }
    }

    /// The FIN as it was first seen on the wire.
    #[inline]
    pub const fn fin(&self) -> Option<Note> {
        if self.has_fin() { self.landmark } else { None }
    }

    /// It sent a FIN.
    #[inline]
    pub const fn has_fin(&self) -> bool {
        self.known.has(Known::FIN)
    }

    /// This endpoint put `segment` on the wire: its transition is proven, where the table knows one.
    #[inline]
    pub fn sent(&mut self, segment: &Segment, peer: &Endpoint) {
        let flags = segment.flags;
        if flags.has(Flags::RST) {
            return self.proven(transition::after_own_rst);
        }
        let (len, end) = (segment.seq_len(), segment.seq_end());
        if len > 0 {
            self.time(segment, end, peer);
        }
        let news = self.advance(len, end);
        self.payload += u64::from(news.min(segment.len));
        if flags.has(Flags::SYN) {
            return self.sent_syn(segment);
        }
        self.window = segment.window;
        self.known.add(Known::WINDOW);
        if segment.len > 0 {
            self.last_data = Some(Note::from(segment));
        }
        if let Some(ack) = segment.acknowledges() {
            self.announce(segment, ack, peer);
            self.acknowledge(segment, ack, peer);
        }
        if flags.has(Flags::FIN) {
            self.sent_fin(segment, peer);
        }
    }

    fn sent_syn(&mut self, segment: &Segment) {
        self.scaling = self.scaling.after(&segment.options);
        // Its first SYN of this life: whatever it was in before, it has left.
        let from = match self.iss() {
            Some(_) => self.view.state().unwrap_or(TcpState::Closed),
            None => TcpState::Closed,
        };
        self.iss = segment.seq;
        self.known.add(Known::ISS);
        if let Some(ack) = segment.acknowledges() {
            self.rcv_nxt = ack;
            self.known.add(Known::RCV_NXT);
            return self.prove(transition::after_own_syn_ack(from));
        }
        self.prove(transition::after_own_syn(from));
    }

    fn sent_fin(&mut self, segment: &Segment, peer: &Endpoint) {
        if !self.has_fin() {
            self.landmark = Some(Note::from(segment));
            self.known.add(Known::FIN);
        }
        let from = match self.view {
            // Its FIN does not acknowledge the peer's: the two crossed, and it had not read the peer's yet.
            StateView::Inferred(TcpState::CloseWait) if !acks_fin_of(peer, segment) => TcpState::Established,
            view => view.state().unwrap_or(TcpState::Established),
        };
        self.prove(transition::after_own_fin(from));
    }

    /// `segment` was put on the wire towards this endpoint: if it arrived, this follows.
    #[inline]
    pub fn offered(&mut self, segment: &Segment, peer: &Endpoint) {
        let flags = segment.flags;
        if flags.has(Flags::RST) {
            if self.rst_validity(segment, peer) == RstValidity::Exact {
                self.infer(self.view.state().and_then(transition::offered_rst));
            }
            return;
        }
        if flags.is_opening() {
            let to = self.view.state().unwrap_or(TcpState::Listen);
            return self.infer(transition::offered_syn(to));
        }
        if let Some(ack) = segment.acknowledges() {
            self.offered_ack(ack, segment.time);
        }
        if flags.has(Flags::FIN) {
            // Only in order: a FIN beyond a hole is not acted upon.
            let in_order = self.rcv_nxt().is_none_or(|next| next.reaches(segment.seq));
            if in_order && peer.has_fin() {
                let to = self.view.state().unwrap_or(TcpState::Established);
                self.infer(transition::offered_fin(to, self.fin_acked()));
            }
        } else if let Some(fin) = peer.fin()
            && self.view.is(TcpState::FinWait2)
            && self.rcv_nxt().is_some_and(|next| next.reaches(fin.seq.plus(fin.len)))
        {
            // The two FINs crossed: the peer's was offered before this endpoint's own was on the wire.
            self.infer(transition::offered_fin(TcpState::FinWait2, true));
        }
    }

    /// The peer acknowledged this endpoint's FIN, on the wire.
    #[inline]
    pub fn fin_acked(&self) -> bool {
        match (self.fin(), self.snd_una()) {
            (Some(fin), Some(una)) => una.reaches(fin.seq_end()),
            _ => false,
        }
    }

    /// It sent octets, or a FIN, that were not captured, or only after what came behind them.
    ///
    /// Of an endpoint whose SYN was not captured nothing is said.
    pub fn has_hole(&self) -> bool {
        let (Some(iss), Some(next)) = (self.iss(), self.snd_nxt()) else { return false };
        let seen = iss.plus(1).plus(self.payload as u32).plus(u32::from(self.has_fin()));
        seen != next
    }

    /// Frames were lost: nothing about now is proven any more.
    pub fn weaken(&mut self) {
        self.view = self.view.weakened();
        self.round_trip.forget_timed();
    }

    /// How far its windows are shifted (RFC 7323 §2.2); `None` where that was not seen.
    pub fn shift(&self, peer: &Endpoint) -> Option<u8> {
        self.scaling.shift(peer.scaling)
    }

    /// Past the furthest octet that it allowed the peer to send.
    ///
    /// RFC 9293 §3.8.6: an edge should not move back, so the furthest one stands whatever came later.
    pub fn right_edge(&self, peer: &Endpoint) -> Option<SeqNum> {
        let (ack, window) = self.edge()?;
        Some(right_edge(ack, window, self.shift(peer)?))
    }

    /// The numbers that it takes, as far as its own segments tell.
    pub fn receive_window(&self, peer: &Endpoint) -> Option<ReceiveWindow> {
        Some(ReceiveWindow::up_to(self.rcv_nxt()?, self.right_edge(peer)?))
    }

    /// RFC 9293 §3.10.7.4: would it take `segment`? `None` where its window was not seen.
    pub fn accepts(&self, segment: &Segment, peer: &Endpoint) -> Option<bool> {
        self.receive_window(peer).map(|window| window.accepts(segment.seq, segment.seq_len()))
    }

    /// What a RST from `peer` is to it.
    pub fn rst_validity(&self, segment: &Segment, peer: &Endpoint) -> RstValidity {
        if self.view.is(TcpState::SynSent) {
            // RFC 9293 §3.10.7.3: before the peer's SYN, a RST counts by what it acknowledges.
            let is_answer = segment.acknowledges().is_some_and(|ack| Some(ack) == self.snd_nxt());
            return if is_answer { RstValidity::Exact } else { RstValidity::OutOfWindow };
        }
        // What the peer sent last may have arrived although no ACK of it was seen yet.
        let arrived = peer.snd_nxt().filter(|sent| self.rcv_nxt().is_none_or(|next| sent.reaches(next)));
        if self.rcv_nxt() == Some(segment.seq) || arrived == Some(segment.seq) {
            return RstValidity::Exact;
        }
        match self.receive_window(peer) {
            Some(window) if window.contains(segment.seq) => RstValidity::InWindow,
            Some(_) => RstValidity::OutOfWindow,
            None => RstValidity::Unknown,
        }
    }

    /// Times `segment`, which takes numbers up to `end`, by Karn's rule; before [`Endpoint::advance`].
    fn time(&mut self, segment: &Segment, end: SeqNum, peer: &Endpoint) {
        match self.snd_nxt() {
            // Beyond a hole it waits for what is missing.
            Some(next) if next.precedes(segment.seq) => {}
            Some(next) if next != segment.seq => self.round_trip.sent_again(segment.seq),
            // The capture may hold its ACK before it.
            Some(_) | None if peer.rcv_nxt().is_some_and(|acked| acked.reaches(end)) => {}
            Some(_) | None => self.round_trip.sent_news(end, segment.time),
        }
    }

    /// Keeps `segment`, which acknowledges `ack`, if it moves the right edge on.
    fn announce(&mut self, segment: &Segment, ack: SeqNum, peer: &Endpoint) {
        if !peer.snd_nxt().is_some_and(|sent| sent.reaches(ack)) {
            return;
        }
        let Some(shift) = self.shift(peer) else { return };
        let edge = right_edge(ack, segment.window, shift);
        if self.edge().is_some_and(|(ack, window)| !right_edge(ack, window, shift).precedes(edge)) {
            return;
        }
        (self.edge_ack, self.edge_window) = (ack, segment.window);
        self.known.add(Known::EDGE);
        if !self.has_fin() {
            self.landmark = Some(Note::from(segment));
        }
    }

    /// This endpoint has sent `len` numbers up to `end`; returns how many of them are new.
    fn advance(&mut self, len: u32, end: SeqNum) -> u32 {
        let news = match self.snd_nxt() {
            Some(next) if !next.precedes(end) => return 0,
            Some(next) => next.distance_to(end) as u32,
            None => len,
        };
        self.snd_nxt = end;
        self.known.add(Known::SND_NXT);
        news
    }

    #[inline(always)]
    fn acknowledge(&mut self, segment: &Segment, ack: SeqNum, peer: &Endpoint) {
        let known = self.rcv_nxt();
        // An ACK that says nothing new may still come from SYN-RECEIVED; payload or a further ACK may not.
        let is_news = segment.len > 0 || known != Some(ack);
        self.rcv_nxt = known.map_or(ack, |next| next.later_of(ack));
        self.known.add(Known::RCV_NXT);
        match self.view {
            StateView::Unknown => self.prove(Some(TcpState::Established)),
            StateView::Inferred(
                from @ (TcpState::SynSent | TcpState::SynReceived | TcpState::Established),
            )
            | StateView::Proven(from @ (TcpState::SynSent | TcpState::SynReceived))
                if is_news =>
            {
                self.prove(transition::after_own_ack_of_syn(from));
            }
            StateView::Inferred(_) | StateView::Proven(_) => {}
        }
        if let (Some(fin), Some(from)) = (peer.fin(), self.view.state())
            && ack.reaches(fin.seq_end())
        {
            let next = transition::after_own_ack_of_fin(from, self.fin_acked());
            // Accepting the peer's FIN proves that this endpoint also took what that segment acknowledged.
            let saw_ack_of_own = self.fin().is_none_or(|own| fin.ack.reaches(own.seq_end()));
            match next {
                Some(TcpState::TimeWait) if !saw_ack_of_own && !self.view.is(TcpState::TimeWait) => {
                    self.infer(next)
                }
                _ => self.prove(next),
            }
        }
    }

    #[inline(always)]
    fn offered_ack(&mut self, ack: SeqNum, at: Timestamp) {
        // Nobody acknowledges what was never sent; such a number belongs to another life.
        if self.snd_nxt().is_some_and(|next| next.precedes(ack)) {
            return;
        }
        self.snd_una = self.snd_una().map_or(ack, |una| una.later_of(ack));
        self.known.add(Known::SND_UNA);
        self.round_trip.acknowledged(ack, at);
        // Only in these two does it matter (see the table).
        let opens = matches!(self.view.state(), Some(TcpState::SynSent | TcpState::SynReceived));
        if opens && self.iss().is_some_and(|iss| ack.reaches(iss.plus(1))) {
            self.infer_change(transition::offered_ack_of_syn);
        }
        if self.fin_acked() {
            self.infer_change(transition::offered_ack_of_fin);
        }
    }

    fn proven(&mut self, table: fn(TcpState) -> Option<TcpState>) {
        let next = self.view.state().map_or(Some(TcpState::Closed), table);
        self.prove(next);
    }

    fn infer_change(&mut self, table: fn(TcpState) -> Option<TcpState>) {
        let next = self.view.state().and_then(table);
        self.infer(next);
    }

    fn prove(&mut self, next: Option<TcpState>) {
        if let Some(state) = next {
            self.view = StateView::Proven(state);
        }
    }

    /// A state that stays what it was keeps its proof.
    fn infer(&mut self, next: Option<TcpState>) {
        if let Some(state) = next
            && !self.view.is(state)
        {
            self.view = StateView::Inferred(state);
        }
    }
}

fn acks_fin_of(peer: &Endpoint, segment: &Segment) -> bool {
    peer.fin().is_some_and(|fin| segment.acknowledges().is_some_and(|ack| ack.reaches(fin.seq_end())))
}
