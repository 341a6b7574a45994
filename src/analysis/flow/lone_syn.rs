//! A SYN that nobody has answered yet: all that there is of most flows in a flood.
//!
//! Kept as far as a flow is made of it, in a fifth of the room; that is done when a second segment comes.

use super::{
    flow_state::Flow,
    tuple::{FourTuple, Side},
};
use crate::analysis::{
    tcp::Scaling,
    wire::{Note, Segment},
};

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct LoneSyn {
    pub tuple: FourTuple,
    syn: Note,
    /// All of its options that a flow is made of.
    scaling: Scaling,
    ip_id: Option<u16>,
    from: Side,
    /// Frames were lost since.
    is_weakened: bool,
}

impl LoneSyn {
    pub fn of(tuple: FourTuple, segment: &Segment, from: Side) -> LoneSyn {
        let scaling = Scaling::default().after(&segment.options);
        LoneSyn { tuple, syn: Note::from(segment), scaling, ip_id: segment.ip_id, from, is_weakened: false }
    }

    /// The flow as it is after this SYN.
    pub fn flow(&self) -> Flow {
        let segment = Segment {
            frame: self.syn.frame,
            time: self.syn.time,
            source: self.tuple.socket(self.from),
            destination: self.tuple.socket(self.from.other()),
            seq: self.syn.seq,
            ack: self.syn.ack,
            flags: self.syn.flags,
            window: self.syn.window,
            len: self.syn.len,
            options: self.scaling.options(),
            ip_id: self.ip_id,
            source_mac: None,
            destination_mac: None,
        };
        let mut flow = Flow::open(self.tuple, &segment, self.from);
        if self.is_weakened {
            flow.weaken();
        }
        flow
    }

    /// Nothing about its flow's present is proven any more: frames were lost.
    pub fn weaken(&mut self) {
        self.is_weakened = true;
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::analysis::{
        time::Timestamp,
        wire::{Flags, SeqNum, SynOptions},
    };

    prop_compose! {
        fn opening()(
            seq: u32, ack: u32, window: u16, len in 0u32..2_000, others: u8, ip_id: Option<u16>, mss: Option<u16>,
            window_scale: Option<u8>, whole: bool, is_v6: bool, is_up: bool, nanos: u64,
        ) -> Segment {
            let [low, high]: [SocketAddr; 2] = match is_v6 {
                true => ["[fe80::1]:80".parse().unwrap(), "[fe80::2]:40000".parse().unwrap()],
                false => ["10.77.0.1:40000".parse().unwrap(), "10.77.0.2:80".parse().unwrap()],
            };
            let (source, destination) = if is_up { (low, high) } else { (high, low) };
            let not_opening = Flags::ACK.0 | Flags::RST.0;
            Segment {
                frame: 7,
                time: Timestamp::from_nanos(nanos),
                source,
                destination,
                seq: SeqNum(seq),
                ack: SeqNum(ack),
                flags: Flags(others & !not_opening | Flags::SYN.0),
                window,
                len,
                options: SynOptions { mss, window_scale, whole, ..SynOptions::default() },
                ip_id,
                source_mac: Some([1; 6]),
                destination_mac: None,
            }
        }
    }

    proptest! {
        /// What was put away comes out as it would be had it never been.
        #[test]
        fn the_flow_made_of_a_syn_is_the_flow_that_it_opened(segment in opening(), weakened: bool) {
            let (tuple, from) = FourTuple::of(&segment);
            let mut kept = LoneSyn::of(tuple, &segment, from);
            let mut flow = Flow::open(tuple, &segment, from);
            if weakened {
                kept.weaken();
                flow.weaken();
            }
            prop_assert!(flow.is_embryonic());
            prop_assert_eq!(format!("{:?}", kept.flow()), format!("{flow:?}"));
            prop_assert!(kept.flow().is_duplicate(&segment, from));
        }
    }
}
