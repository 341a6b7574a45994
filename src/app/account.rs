//! What the device says of its own connections, as an input of analysis.
//!
//! Knows how an answer of the control channel becomes one; analysis knows nothing of the channel. Judges nothing.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::analysis::{
    input::{Account, Told},
    time::Timestamp,
};
use crate::firmware::{
    self,
    pcbs::{Pcb, PcbState},
};

/// What `told` says of `device`, which may have more addresses than this one.
pub fn account(device: IpAddr, told: &firmware::Told) -> Account {
    let list = &told.list;
    Account {
        device,
        asked: timestamp(told.asked),
        answered: timestamp(told.answered),
        held: list.blocks.iter().filter_map(|block| held(device, block)).collect(),
        complete: list.is_complete(),
        msl: Some(Duration::from_millis(list.msl_ms.into())),
        uptime: Some(Duration::from_millis(list.uptime_ms)),
        evicted: Some(list.evicted.into()),
    }
}

fn held(device: IpAddr, block: &Pcb) -> Option<Told> {
    if block.state != PcbState::TimeWait || block.local.ip() != device {
        return None;
    }
    let span = |ms: Option<u32>| ms.map(|ms| Duration::from_millis(ms.into()));
    // As on the wire: without the scope that an address of the device's own link has.
    let plain = |socket: SocketAddr| SocketAddr::new(socket.ip(), socket.port());
    Some(Told {
        device: plain(block.local),
        peer: plain(block.remote?),
        remaining: span(block.left_ms),
        age: span(block.age_ms),
    })
}

/// A live capture has the time of this host, as we have.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::pcbs::PcbList;

    #[test]
    fn only_what_this_address_holds_in_time_wait_is_an_account() {
        let block = |state, local: &str, remote: Option<&str>| Pcb {
            state,
            local: local.parse().unwrap(),
            remote: remote.map(|remote| remote.parse().unwrap()),
            left_ms: Some(500),
            age_ms: Some(1_500),
        };
        let told = firmware::Told {
            asked: UNIX_EPOCH + Duration::from_millis(7),
            answered: UNIX_EPOCH + Duration::from_millis(9),
            list: PcbList {
                uptime_ms: 4_000,
                tick_ms: 500,
                msl_ms: 1_000,
                pcb_cap: 4,
                evicted: 3,
                total: 6,
                blocks: vec![
                    block(PcbState::TimeWait, "10.77.0.2:80", Some("10.77.0.1:40000")),
                    block(PcbState::Established, "10.77.0.2:80", Some("10.77.0.1:40001")),
                    block(PcbState::TimeWait, "[fe80::2%1]:80", Some("[fe80::1%1]:40002")),
                    block(PcbState::Listen, "0.0.0.0:80", None),
                    block(PcbState::TimeWait, "10.77.0.2:80", None),
                ],
            },
        };
        let of_v4 = account("10.77.0.2".parse().unwrap(), &told);
        let expected = Told {
            device: "10.77.0.2:80".parse().unwrap(),
            peer: "10.77.0.1:40000".parse().unwrap(),
            remaining: Some(Duration::from_millis(500)),
            age: Some(Duration::from_millis(1_500)),
        };
        assert_eq!(of_v4.held, [expected]);
        assert_eq!((of_v4.complete, of_v4.evicted), (false, Some(3)));
        assert_eq!((of_v4.msl, of_v4.uptime), (Some(Duration::from_secs(1)), Some(Duration::from_secs(4))));
        assert_eq!((of_v4.asked.nanos(), of_v4.answered.nanos()), (7_000_000, 9_000_000));
        let of_v6 = account("fe80::2".parse().unwrap(), &told);
        assert_eq!(of_v6.held[0].peer, "[fe80::1]:40002".parse().unwrap(), "as on the wire, without scope");
    }
}
