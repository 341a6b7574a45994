//! What refusals and expiries say of the device's maximum segment lifetime.
//!
//! lwIP counts 2·MSL in ticks of 500 ms, from the last segment it received before the application's close():
//! the bracket allows for both.

use super::{facts::MslBracket, hold::Hold};
use crate::analysis::{flow::FourTuple, time::Timestamp};

/// One slow-timer tick of lwIP (`TCP_SLOW_INTERVAL`), seconds.
const TICK_S: f64 = 0.5;

#[derive(Clone, Debug, Default)]
pub struct Bracket {
    at_least: Option<f64>,
    at_most: Option<f64>,
    refused_until: Option<(f64, FourTuple)>,
    refused_until_elsewhere: Option<f64>,
    accepted_from: Option<f64>,
}

impl Bracket {
    /// A SYN at `time` was still refused.
    pub fn refused(&mut self, hold: &Hold, time: Timestamp) {
        let after_entry = time.seconds_after(hold.entered);
        match self.refused_until {
            Some((longest, tuple)) if tuple != hold.tuple => {
                let other = longest.min(after_entry);
                self.refused_until_elsewhere =
                    Some(self.refused_until_elsewhere.map_or(other, |s| s.max(other)));
                if after_entry > longest {
                    self.refused_until_elsewhere = Some(longest);
                    self.refused_until = Some((after_entry, hold.tuple));
                }
            }
            Some((longest, _)) if longest >= after_entry => {}
            _ => self.refused_until = Some((after_entry, hold.tuple)),
        }
        let bound = (time.seconds_after(hold.latest_start) - TICK_S) / 2.0;
        if bound > 0.0 {
            self.at_least = Some(self.at_least.map_or(bound, |known| known.max(bound)));
        }
    }

    /// A SYN at `time` was accepted because TIME-WAIT had run out.
    pub fn expired(&mut self, hold: &Hold, time: Timestamp) {
        let after_entry = time.seconds_after(hold.entered);
        self.accepted_from = Some(self.accepted_from.map_or(after_entry, |known| known.min(after_entry)));
        let bound = time.seconds_after(hold.earliest_start) / 2.0;
        self.at_most = Some(self.at_most.map_or(bound, |known| known.min(bound)));
    }

    /// What is known of the same device under another address, whose tuples are others.
    pub fn take_in(&mut self, other: &Bracket) {
        let least = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.min(b)).or(a).or(b);
        let most = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.max(b)).or(a).or(b);
        self.at_least = most(self.at_least, other.at_least);
        self.at_most = least(self.at_most, other.at_most);
        self.accepted_from = least(self.accepted_from, other.accepted_from);
        let (shorter, longer) = match (self.refused_until, other.refused_until) {
            (Some(a), Some(b)) if a.0 > b.0 => (Some(b), Some(a)),
            (a, Some(b)) => (a, Some(b)),
            (a, None) => (None, a),
        };
        self.refused_until = longer;
        let elsewhere = most(self.refused_until_elsewhere, other.refused_until_elsewhere);
        self.refused_until_elsewhere = most(elsewhere, shorter.map(|(longest, _)| longest));
    }

    /// Seconds after entry; the longest refusal on any tuple but this one.
    pub fn refused_elsewhere(&self, tuple: FourTuple) -> Option<f64> {
        match self.refused_until {
            Some((longest, other)) if other != tuple => Some(longest),
            _ => self.refused_until_elsewhere,
        }
    }

    pub fn refused_until_s(&self) -> Option<f64> {
        self.refused_until.map(|(longest, _)| longest)
    }

    pub fn accepted_from_s(&self) -> Option<f64> {
        self.accepted_from
    }

    /// The two bounds exclude each other: the device was changed, or is not what it is taken for.
    pub fn contradicts_itself(&self) -> bool {
        self.at_least.zip(self.at_most).is_some_and(|(least, most)| least > most)
    }

    pub fn msl(&self) -> MslBracket {
        if self.contradicts_itself() {
            return MslBracket::default();
        }
        MslBracket { at_least: self.at_least, at_most: self.at_most }
    }

    /// How long after the latest possible start a tuple is counted as held, seconds.
    pub fn assumed_time_wait_s(&self) -> f64 {
        self.msl().assumed_time_wait_s() + TICK_S
    }
}
