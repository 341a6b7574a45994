//! One address of one host: when it was used last, when somebody wrote to it last, and what speaks for another in its place.
//!
//! Knows the host by the MAC address that ARP tells for the address (RFC 826), and by no other: a router has its own on
//! everybody's packets. What follows from it for other addresses is not known here.

use core::net::IpAddr;
use core::time::Duration;

use crate::analysis::{input::FrameNo, time::Timestamp, wire::Sign};

/// So long an address may leave what is sent to it without a word: power save takes a second, and a frame may be lost.
const UNANSWERED: Duration = Duration::from_secs(3);
/// Where nobody writes to the old address, so long nothing may come from it.
const UNUSED: Duration = Duration::from_secs(60);
/// A host that came here no longer ago than this is not believed to be on its way again by DHCP alone: whoever sends such frames
/// in its name would be told of with each of them.
const SETTLING: Duration = Duration::from_secs(10);
/// What was on its way when the address changed.
const LATE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Whereabouts {
    /// The MAC address that goes with it, as ARP told it last.
    pub mac: Option<[u8; 6]>,
    /// Its host uses other addresses at the same time: one of them that is quiet says nothing.
    pub is_shared: bool,
    /// When its host took it; `ZERO`: before anybody looked.
    taken: Timestamp,
    /// The latest frame from it, and to it; `ZERO`: none.
    used: Timestamp,
    written_to: Timestamp,
    /// Its host asked for an address by DHCP and had none.
    asked_for_one: Option<Timestamp>,
    /// A DHCP server gave this to its host.
    offered: Option<(IpAddr, Timestamp)>,
    /// Its host uses another address, in place of this one or beside it.
    shown: Option<Shown>,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    to: IpAddr,
    /// The ARP frame that showed it first.
    sign: Sign,
    /// More ARP came from it, later.
    is_shown_again: bool,
    /// Since when this address leaves frames without an answer.
    in_vain: Option<Timestamp>,
}

/// What may be said of an address beside which another was shown.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    NotYet,
    /// Both are in use, as this frame and a later one show.
    Shared(IpAddr, FrameNo),
    Left(Left),
}

#[derive(Clone, Copy, Debug)]
pub struct Left {
    pub to: IpAddr,
    /// The ARP frame that shows the new address.
    pub sign: Sign,
    pub why: Why,
}

/// What shows that the old address is no longer used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its host took the new one by DHCP.
    Dhcp,
    /// It left unanswered what was sent to it, for so long.
    Unanswered(Duration),
    /// Nothing came from it for so long.
    Unused(Duration),
}

impl Whereabouts {
    /// A frame from this address.
    #[inline]
    pub fn used(&mut self, time: Timestamp) {
        self.used = time;
    }

    /// A frame to this address.
    #[inline]
    pub fn written_to(&mut self, time: Timestamp) {
        self.written_to = time;
    }

    pub fn last_used(&self) -> Timestamp {
        self.used
    }

    /// Its host, which has this MAC address, takes it in place of another.
    pub fn taken(&mut self, mac: Option<[u8; 6]>, time: Timestamp) {
        (self.mac, self.taken) = (mac, time);
    }

    /// Its host asks for an address and has none.
    pub fn asks_for_one(&mut self, time: Timestamp) {
        self.asked_for_one = Some(time);
    }

    pub fn is_offered(&mut self, address: IpAddr, time: Timestamp) {
        self.offered = Some((address, time));
    }

    /// Its host uses `to`, as the ARP frame `sign` shows. What that is worth shows later, by [`Whereabouts::judge`], or by
    /// DHCP at once.
    pub fn show(&mut self, to: IpAddr, sign: &Sign) -> Verdict {
        let unused_since = |time: Timestamp| self.used <= time;
        let is_by_dhcp = self.asked_for_one.is_some_and(unused_since)
            || self.offered.is_some_and(|(offered, time)| offered == to && unused_since(time));
        let is_settled = self.taken == Timestamp::ZERO || sign.time.since(self.taken) > SETTLING;
        if is_by_dhcp && is_settled {
            return Verdict::Left(Left { to, sign: *sign, why: Why::Dhcp });
        }
        match &mut self.shown {
            Some(shown) if shown.to == to => {
                shown.is_shown_again |= sign.time > shown.sign.time.saturating_add(LATE);
            }
            _ if self.is_shared => {}
            shown => *shown = Some(Shown { to, sign: *sign, is_shown_again: false, in_vain: None }),
        }
        Verdict::NotYet
    }

    /// The other address of which it is not known yet whether it takes the place of this one.
    pub fn other(&self) -> Option<IpAddr> {
        self.shown.map(|shown| shown.to)
    }

    pub fn judge(&mut self, now: Timestamp) -> Verdict {
        let Some(shown) = &mut self.shown else { return Verdict::NotYet };
        let (to, sign) = (shown.to, shown.sign);
        if self.used > sign.time.saturating_add(LATE) {
            self.is_shared = true;
            self.shown = None;
            return Verdict::Shared(to, sign.frame);
        }
        if shown.in_vain.is_some_and(|since| self.used >= since) {
            shown.in_vain = None;
        }
        if self.written_to > sign.time.max(self.used) {
            shown.in_vain.get_or_insert(self.written_to);
        }
        let unanswered = shown.in_vain.map(|since| now.since(since)).filter(|span| *span >= UNANSWERED);
        let unused = now.since(sign.time.max(self.used));
        let unused = Some(unused).filter(|span| shown.is_shown_again && *span >= UNUSED);
        match unanswered.map(Why::Unanswered).or(unused.map(Why::Unused)) {
            Some(why) => Verdict::Left(Left { to, sign, why }),
            None => Verdict::NotYet,
        }
    }

    /// It was left, or what was known of other addresses has no meaning any more.
    pub fn settle(&mut self) {
        (self.shown, self.asked_for_one, self.offered) = (None, None, None);
    }

    /// The clock was set: what was seen when means nothing now.
    pub fn forget_times(&mut self) {
        self.settle();
        (self.used, self.written_to, self.taken) = (Timestamp::ZERO, Timestamp::ZERO, Timestamp::ZERO);
    }
}
