//! How long the other side takes to acknowledge, as seen from where the frames were captured.
//!
//! This is not the sender's own round trip: it begins where the capture was taken. Next to the client, what is measured
//! of the client's data is the way to the device, the device's answer time and the way back; what is measured of
//! the device's data is little more than the client's own delay. By Karn's rule (RFC 6298 §3) no segment that was
//! sent twice is measured: nobody can tell which of the two was acknowledged.

use core::time::Duration;

use crate::analysis::{time::Timestamp, wire::SeqNum};

/// The estimate of RFC 6298 §2, in microseconds to keep it small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundTrip {
    /// When the segment that is being timed was sent, and where it ends.
    sent: Timestamp,
    timed: SeqNum,
    smoothed_us: u32,
    variation_us: u32,
    /// As far as can be counted so.
    samples: u16,
    is_timing: bool,
}

impl RoundTrip {
    /// SRTT; `None` before the first sample.
    pub fn smoothed(&self) -> Option<Duration> {
        (self.samples > 0).then(|| Duration::from_micros(u64::from(self.smoothed_us)))
    }

    /// RTTVAR.
    pub fn variation(&self) -> Option<Duration> {
        (self.samples > 0).then(|| Duration::from_micros(u64::from(self.variation_us)))
    }

    /// At most 65,535 are counted.
    pub fn samples(&self) -> u16 {
        self.samples
    }

    /// Sent for the first time, up to `end`, and right after what was sent before.
    pub fn sent_news(&mut self, end: SeqNum, at: Timestamp) {
        if !self.is_timing {
            (self.is_timing, self.timed, self.sent) = (true, end, at);
        }
    }

    /// Sent again, from `seq` on: what is being timed is ambiguous from here if it lies at or after that.
    pub fn sent_again(&mut self, seq: SeqNum) {
        if seq.precedes(self.timed) {
            self.is_timing = false;
        }
    }

    pub fn acknowledged(&mut self, ack: SeqNum, at: Timestamp) {
        if self.is_timing && ack.reaches(self.timed) {
            self.is_timing = false;
            // Not through a Duration: that divides by what takes seconds and microseconds apart.
            self.sample(at.nanos().saturating_sub(self.sent.nanos()) / 1_000);
        }
    }

    /// Frames were lost: the acknowledgment of what is being timed may be among them.
    pub fn forget_timed(&mut self) {
        self.is_timing = false;
    }

    fn sample(&mut self, taken_us: u64) {
        let taken = u32::try_from(taken_us).unwrap_or(u32::MAX);
        (self.smoothed_us, self.variation_us) = if self.samples == 0 {
            (taken, taken / 2)
        } else {
            let (smoothed, variation) = (self.smoothed_us, self.variation_us);
            (weighted(smoothed, 7, taken, 8), weighted(variation, 3, smoothed.abs_diff(taken), 4))
        };
        self.samples = self.samples.saturating_add(1);
    }
}

/// `share` parts of `old` and one of `new`, by `parts`.
fn weighted(old: u32, share: u64, new: u32, parts: u64) -> u32 {
    ((share * u64::from(old) + u64::from(new)) / parts) as u32
}

#[cfg(test)]
mod tests {
    use super::{Duration, RoundTrip, SeqNum, Timestamp};
    use proptest::prelude::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    fn millis(span: Option<Duration>) -> Option<u128> {
        span.map(|span| span.as_millis())
    }

    #[test]
    fn the_first_sample_counts_whole_and_the_next_an_eighth() {
        let mut trip = RoundTrip::default();
        assert_eq!((trip.smoothed(), trip.variation(), trip.samples()), (None, None, 0));
        trip.sent_news(SeqNum(10), at(0));
        trip.acknowledged(SeqNum(9), at(50));
        assert_eq!(trip.samples(), 0, "an ACK of less says nothing");
        trip.acknowledged(SeqNum(10), at(80));
        assert_eq!((millis(trip.smoothed()), millis(trip.variation())), (Some(80), Some(40)));
        trip.sent_news(SeqNum(20), at(100));
        trip.acknowledged(SeqNum(20), at(260));
        // 7/8 · 80 + 1/8 · 160; 3/4 · 40 + 1/4 · |80 − 160|.
        assert_eq!((millis(trip.smoothed()), millis(trip.variation())), (Some(90), Some(50)));
        trip.acknowledged(SeqNum(20), at(900));
        assert_eq!(trip.samples(), 2, "one segment, one sample");
    }

    #[test]
    fn a_segment_that_was_sent_again_is_not_measured() {
        let mut trip = RoundTrip::default();
        trip.sent_news(SeqNum(3), at(0));
        trip.sent_again(SeqNum(u32::MAX - 6));
        trip.acknowledged(SeqNum(3), at(300));
        assert_eq!(trip.samples(), 0);
        trip.sent_news(SeqNum(13), at(400));
        trip.sent_again(SeqNum(13));
        trip.acknowledged(SeqNum(13), at(401));
        assert_eq!(trip.samples(), 1, "what lies after the timed segment does not concern it");
        trip.sent_news(SeqNum(23), at(500));
        trip.forget_timed();
        trip.acknowledged(SeqNum(23), at(900));
        assert_eq!(trip.samples(), 1, "frames were lost meanwhile");
    }

    proptest! {
        /// No panic, and an estimate never leaves the range of its samples.
        #[test]
        fn an_estimate_lies_among_its_samples(samples in prop::collection::vec(any::<u64>(), 1..50)) {
            let mut trip = RoundTrip::default();
            for taken in &samples {
                trip.sent_news(SeqNum(1), Timestamp::ZERO);
                trip.acknowledged(SeqNum(1), Timestamp::from_nanos(*taken));
            }
            let (smoothed, most) = (trip.smoothed().unwrap(), *samples.iter().max().unwrap());
            prop_assert!(smoothed <= Duration::from_nanos(most));
            let least = (samples.iter().min().unwrap() / 1_000).min(u64::from(u32::MAX));
            prop_assert!(smoothed + Duration::from_micros(samples.len() as u64) >= Duration::from_micros(least));
        }
    }
}
