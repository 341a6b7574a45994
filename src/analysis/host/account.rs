//! A device's own account of its TIME-WAIT set, beside the ledger: where the two must agree, and where they do not.
//!
//! Takes nothing from the one into the other. Silent where either may be right: while frames are on their way, about
//! what began before the capture or was lost, and as far as the beginning and the length of TIME-WAIT are uncertain
//! (see [`bracket`](super::bracket)). An eviction is not on the wire; as many as the device owns to are granted.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use super::{
    event::Story,
    facts::{AccountFacts, MslBracket},
    hold::Hold,
    ledger::Ledger,
};
use crate::analysis::{
    flow::FourTuple,
    input::{Account, FrameNo, Told},
    time::Timestamp,
};

/// What happened this close to the account may be in it or not; and so long the ledger waits for frames on their way.
pub const IN_FLIGHT: Duration = Duration::from_millis(300);
/// lwIP's slow timer (`TCP_SLOW_INTERVAL`): TIME-WAIT is counted in these.
const TICK: Duration = Duration::from_millis(500);
/// A device's TIME-WAIT may last longer than it counts, by one part in so many: lwIP arms its TCP timer of 250 ms anew when
/// the last one has run (timeouts.c, tcpip_tcp_timer) and never catches up, and FreeRTOS rounds up to its tick, often 10 ms.
const SLOWER_BY: u32 = 20;
/// Disagreements kept of one account; the others are counted.
const MAX_KEPT: usize = 256;

/// What the wire says, at the moment of comparing.
pub struct Wire<'a> {
    pub address: IpAddr,
    pub ledger: &'a Ledger,
    pub msl: MslBracket,
    /// It was seen to ignore RSTs in TIME-WAIT more than once, and never to honour one.
    pub ignores_rst: bool,
    /// The capture's first frame.
    pub first: Timestamp,
    pub last_gap: Option<Timestamp>,
    /// The last frame that the device sent.
    pub heard: Option<FrameNo>,
}

/// One account, compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub device: IpAddr,
    pub at: Timestamp,
    /// Tuples on which both agree, and those of which one of the two cannot be sure.
    pub agreed: u64,
    pub unsure: u64,
    pub disagreements: Vec<Disagreement>,
    /// Disagreements beyond those kept.
    pub more: u64,
    /// The last frame of the device: so far goes what the wire says. None where nothing was heard of it, or
    /// since the clock was set.
    pub heard: Option<FrameNo>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    pub tuple: FourTuple,
    /// The other end of the connection.
    pub peer: SocketAddr,
    pub opinions: Opinions,
    /// What was seen of the close; absent where nothing was.
    pub story: Option<Story>,
}

/// What the device says, and what the wire says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opinions {
    /// By the wire the device holds the tuple; it does not list it.
    NotTold,
    /// It lists a tuple whose close was not seen, though it must have been.
    NotSeen,
    /// It lists a tuple whose time, by the wire, has run out.
    Overdue { over_for_s: f64 },
    /// Its timer was started outside the time in which, by the wire, it must have been.
    Timer { told_s: f64, at_least_s: f64, at_most_s: f64 },
}

impl Opinions {
    /// The same kind of disagreement, whatever its numbers.
    pub fn is_like(&self, other: &Opinions) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other)
    }
}

/// What is remembered of the accounts of one device.
#[derive(Debug, Default)]
pub struct Accounts {
    facts: Option<AccountFacts>,
    msl: Option<Duration>,
    evicted: u64,
    /// Evictions that the device owned to, and of which no hold was missed so far: by when, and how many.
    owned: Vec<(Timestamp, u64)>,
    /// Holds that an eviction accounts for, with the time of their entry.
    granted: Vec<(FourTuple, Timestamp)>,
    /// What began before this is not judged: the MSL was another.
    settled_from: Timestamp,
}

impl Accounts {
    pub fn facts(&self) -> Option<AccountFacts> {
        self.facts
    }

    /// Compares what the device said with what the wire said by then. To be called once the frames that were on
    /// their way have come.
    pub fn compare(&mut self, account: &Account, wire: &Wire<'_>) -> Comparison {
        if self.msl.is_some() && self.msl != account.msl {
            self.settled_from = account.answered.saturating_add(IN_FLIGHT);
        }
        self.msl = account.msl;
        let scope = Scope::of(account, wire, self.settled_from);
        let mut comparison = Comparison {
            device: wire.address,
            at: account.answered,
            agreed: 0,
            unsure: 0,
            disagreements: Vec::new(),
            more: 0,
            heard: wire.heard,
        };
        let mut told = HashSet::with_capacity_and_hasher(account.held.len(), RandomState::default());
        for entry in &account.held {
            let (tuple, _) = FourTuple::between(entry.device, entry.peer);
            if !told.insert(tuple) {
                continue;
            }
            comparison.note(tuple, entry.peer, scope.judge(tuple, entry), &scope);
        }
        self.own_up(account, &scope);
        self.granted
            .retain(|(tuple, entered)| wire.ledger.get(*tuple).is_some_and(|hold| hold.entered == *entered));
        for hold in wire.ledger.iter() {
            if told.contains(&hold.tuple) || !account.complete || !scope.must_be_held(hold) {
                continue;
            }
            let key = (hold.tuple, hold.entered);
            if self.granted.contains(&key) {
                continue;
            }
            // The oldest is evicted first, and the ledger tells the oldest first.
            if let Some((_, left)) = self.owned.iter_mut().find(|(by, left)| *left > 0 && hold.entered <= *by)
            {
                *left -= 1;
                self.granted.push(key);
                continue;
            }
            let peer = hold.tuple.socket(hold.device.other());
            comparison.note(hold.tuple, peer, Judgement::Disagree(Opinions::NotTold), &scope);
        }
        // What was evicted young is missed only now; what nobody has missed by now was nothing that we were sure of.
        self.owned.retain(|(by, left)| *left > 0 && by.saturating_add(IN_FLIGHT) >= account.asked);
        let facts = self.facts.get_or_insert_default();
        facts.accounts += 1;
        facts.time_wait = account.held.len() as u64;
        facts.agreed += comparison.agreed;
        facts.unsure += comparison.unsure;
        facts.disagreements += comparison.disagreements.len() as u64 + comparison.more;
        comparison
    }
}

impl Accounts {
    fn own_up(&mut self, account: &Account, scope: &Scope<'_>) {
        let Some(evicted) = account.evicted else { return };
        let new = evicted.saturating_sub(self.evicted);
        self.evicted = evicted;
        if new > 0 {
            self.owned.push((scope.latest(), new));
        }
    }
}

impl Comparison {
    fn note(&mut self, tuple: FourTuple, peer: SocketAddr, judgement: Judgement, scope: &Scope<'_>) {
        match judgement {
            Judgement::Agree => self.agreed += 1,
            Judgement::Unsure => self.unsure += 1,
            Judgement::Disagree(_) if self.disagreements.len() >= MAX_KEPT => self.more += 1,
            Judgement::Disagree(opinions) => {
                let hold = scope.wire.ledger.get(tuple);
                let story = hold.map(|hold| hold.story(scope.wire.address, 0, scope.wire.last_gap));
                self.disagreements.push(Disagreement { tuple, peer, opinions, story });
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Judgement {
    Agree,
    Unsure,
    Disagree(Opinions),
}

/// One account and the wire, with all that is uncertain about them.
struct Scope<'a> {
    account: &'a Account,
    wire: &'a Wire<'a>,
    settled_from: Timestamp,
    /// The device started no later than this.
    started: Timestamp,
    /// TIME-WAIT lasts at least and at most so long from its start, as far as anything bounds it.
    shortest: Option<Duration>,
    longest: Option<Duration>,
}

impl<'a> Scope<'a> {
    fn of(account: &'a Account, wire: &'a Wire<'a>, settled_from: Timestamp) -> Scope<'a> {
        let twice = |msl_s: f64| Duration::try_from_secs_f64(2.0 * msl_s).unwrap_or(Duration::MAX);
        let (shortest, longest) = match account.msl {
            // lwIP divides: what is left over of a tick does not count.
            Some(msl) => {
                let ticks = msl.saturating_mul(2).as_millis() / TICK.as_millis();
                let whole = TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX));
                (Some(whole), Some(whole.saturating_add(TICK)))
            }
            None => {
                (wire.msl.at_least.map(twice), wire.msl.at_most.map(|msl| twice(msl).saturating_add(TICK)))
            }
        };
        let uptime = account.uptime.unwrap_or(Duration::MAX);
        let started = account.answered.saturating_sub(uptime).saturating_add(IN_FLIGHT);
        Scope { account, wire, settled_from, started, shortest, longest }
    }

    /// A tuple that the device lists.
    fn judge(&self, tuple: FourTuple, told: &Told) -> Judgement {
        let (from, to) = (self.account.asked.saturating_sub(IN_FLIGHT), self.latest());
        let hold = self.wire.ledger.get(tuple).filter(|hold| hold.begun() <= to);
        let Some(hold) = hold else {
            let explained = self.wire.ledger.left_since(tuple, from) || self.may_be_unseen(tuple, told);
            return if explained { Judgement::Unsure } else { Judgement::Disagree(Opinions::NotSeen) };
        };
        if !self.is_settled(hold) || hold.close.is_none() {
            return Judgement::Unsure;
        }
        let over = self
            .longest
            .map(|longest| hold.latest_start.saturating_add(longest.saturating_add(longest / SLOWER_BY)));
        if let Some(over) = over
            && over.saturating_add(IN_FLIGHT) < self.account.asked
        {
            let over_for_s = self.account.asked.seconds_after(over);
            return Judgement::Disagree(Opinions::Overdue { over_for_s });
        }
        match told.age.and_then(|age| self.timer(hold, age)) {
            Some(opinions) => Judgement::Disagree(opinions),
            None => Judgement::Agree,
        }
    }

    /// Was the timer started when the wire says that it was?
    fn timer(&self, hold: &Hold, age: Duration) -> Option<Opinions> {
        // A start that moved after the account, by a FIN that came again, says nothing of then.
        if hold.earliest_start > self.account.asked || !hold.start_is_known {
            return None;
        }
        let slack = TICK + IN_FLIGHT;
        let at_least_s = self.account.asked.seconds_after(hold.latest_start);
        let at_most_s = self.account.answered.seconds_after(hold.earliest_start);
        let told_s = age.as_secs_f64();
        let slowest_s = at_least_s - at_least_s / f64::from(SLOWER_BY);
        let fits = told_s + slack.as_secs_f64() >= slowest_s && told_s <= at_most_s + slack.as_secs_f64();
        (!fits).then_some(Opinions::Timer { told_s, at_least_s, at_most_s })
    }

    /// The close of a tuple that the device lists may have been before the capture, or among lost frames, or other
    /// than it seemed.
    fn may_be_unseen(&self, tuple: FourTuple, told: &Told) -> bool {
        let since = match (told.age, told.remaining, self.longest) {
            (Some(age), _, _) => age.saturating_add(TICK),
            (None, Some(remaining), Some(longest)) => longest.saturating_sub(remaining),
            (None, None, Some(longest)) => longest,
            (None, _, None) => return true,
        };
        let began = self.account.asked.saturating_sub(since.saturating_add(IN_FLIGHT));
        began <= self.wire.first
            || self.wire.last_gap.is_some_and(|gap| gap >= began)
            || began <= self.wire.ledger.forgotten_until()
            || self.wire.ledger.closed_second_since(tuple, began)
    }

    /// By the wire, and without any doubt, the device held this tuple when it gave its account.
    fn must_be_held(&self, hold: &Hold) -> bool {
        let Some(shortest) = self.shortest else { return false };
        let ends = hold.earliest_start.saturating_add(shortest);
        hold.is_proven()
            && (self.wire.ignores_rst || !hold.is_in_doubt)
            && hold.start_is_known
            && self.is_settled(hold)
            && hold.entered.saturating_add(IN_FLIGHT) < self.account.asked
            && hold.entered > self.started
            && ends > self.latest()
    }

    /// Nothing came between since it began that would make the two differ.
    fn is_settled(&self, hold: &Hold) -> bool {
        !hold.mode_changed
            && hold.earliest_start >= self.settled_from
            && self.wire.last_gap.is_none_or(|gap| gap < hold.earliest_start)
    }

    fn latest(&self) -> Timestamp {
        self.account.answered.saturating_add(IN_FLIGHT)
    }
}
