//! The ledger tuple by tuple: since when each is held, until when at most, and whether it has given way already.

use core::net::SocketAddr;
use core::time::Duration;

use super::{bracket::Bracket, facts::PcbCap, hold::Hold, ledger::Ledger};
use crate::analysis::time::Timestamp;

/// One tuple that entered TIME-WAIT on the device, as it is believed to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub entered: Timestamp,
    /// The client's FIN came again, and started the timer anew if it arrived.
    pub restarted: Option<Timestamp>,
    /// Not over before this; absent while nothing was refused.
    pub expires_from: Option<Timestamp>,
    /// Over by this, with the 2·MSL that was measured, or else lwIP's default.
    pub expires_until: Timestamp,
    /// There is room for no more than the younger ones: it was dropped for a new connection.
    pub is_evicted: bool,
}

/// Every tuple whose entry was seen, the oldest first. `cap`: how many there is room for.
pub fn of(ledger: &Ledger, bracket: &Bracket, cap: PcbCap) -> Vec<Held> {
    let room = cap.at_most.map_or(usize::MAX, |most| most as usize);
    let mut rows: Vec<Held> = ledger
        .newest_first()
        .filter(|hold| hold.counted && hold.close.is_some())
        .enumerate()
        .map(|(younger, hold)| held(hold, bracket, younger >= room))
        .collect();
    rows.reverse();
    rows
}

fn held(hold: &Hold, bracket: &Bracket, is_evicted: bool) -> Held {
    let span = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let closed = hold.close.map_or(hold.entered, |close| close.client_fin.time);
    let least = bracket.msl().at_least;
    Held {
        client: hold.tuple.socket(hold.device.other()),
        server: hold.tuple.socket(hold.device),
        entered: hold.entered,
        restarted: (hold.latest_start > closed).then_some(hold.latest_start),
        expires_from: least.map(|msl| hold.earliest_start.saturating_add(span(2.0 * msl))),
        expires_until: hold.latest_start.saturating_add(span(bracket.assumed_time_wait_s())),
        is_evicted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{
        certainty::Certainty,
        flow::FourTuple,
        host::Close,
        wire::{Flags, Note, Segment, SeqNum, SynOptions},
    };

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    /// A FIN of the client, whose sequence ends at 1001.
    fn fin(port: u16, ms: u64) -> Segment {
        Segment {
            frame: ms,
            time: at(ms),
            source: SocketAddr::from(([10, 77, 0, 1], port)),
            destination: SocketAddr::from(([10, 77, 0, 2], 80)),
            seq: SeqNum(1_000),
            ack: SeqNum(5_001),
            flags: Flags(Flags::FIN.0 | Flags::ACK.0),
            window: 64_240,
            len: 0,
            options: SynOptions::default(),
            ip_id: None,
            source_mac: None,
            destination_mac: None,
        }
    }

    fn hold(port: u16, ms: u64) -> Hold {
        let client_fin = fin(port, ms);
        let (tuple, client) = FourTuple::of(&client_fin);
        let note = Note::from(&client_fin);
        let (mut device_fin, mut entered) = (note, note);
        (device_fin.time, entered.time) = (at(ms - 1), at(ms + 1));
        let close =
            Close { incarnation: 1, request: None, device_fin, client_fin: note, entered: Some(entered) };
        Hold::closed(tuple, client.other(), client_fin.seq_end(), close, Certainty::Proven)
    }

    #[test]
    fn rows_are_in_the_order_in_which_they_give_way() {
        let mut ledger = Ledger::of(16);
        for port in [40_000, 40_001, 40_002] {
            ledger.insert(hold(port, 1_000 + u64::from(port - 40_000) * 100));
        }
        let mut bracket = Bracket::default();
        let tuple = hold(40_000, 1_000).tuple;
        assert!(ledger.get_mut(tuple).unwrap().offer_fin(&fin(40_000, 5_000)));
        ledger.restarted(tuple);
        bracket.refused(ledger.get_mut(tuple).unwrap(), at(25_500));
        let rows = of(&ledger, &bracket, PcbCap { at_least: None, at_most: Some(2) });
        let ports: Vec<u16> = rows.iter().map(|row| row.client.port()).collect();
        assert_eq!(ports, [40_001, 40_002, 40_000], "the FIN made the first one the youngest");
        assert_eq!(rows.iter().map(|row| row.is_evicted).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!((rows[2].entered, rows[2].restarted), (at(1_001), Some(at(5_000))));
        assert_eq!(rows[0].restarted, None);
        // Refused 20 s after the restart: 2·MSL is at least 20 s less a tick.
        assert_eq!(rows[2].expires_from, Some(at(999 + 20_000)));
        assert_eq!(rows[2].expires_until, at(5_000 + 120_500));
        assert_eq!(rows[0].expires_until, at(1_100 + 120_500));
    }
}
