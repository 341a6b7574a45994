//! A sample of each kind of event, with every field present: conditions are tried on it when they are loaded, and
//! `rules fields` shows its values.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{
    heard::{Heard, HeardDevice, Kind},
    quantity::QUANTITIES,
};
use crate::analysis::{
    certainty::Certainty,
    detect::Finding,
    flow::{FlowChange, FlowEvent},
    host::{
        AccountFacts, Behaviour, DelayFacts, DeviceFacts, MslBracket, PcbCap, RstInTimeWait, Stack,
        SynInTimeWait, TimeWaitFacts,
    },
    time::{Timestamp, When},
};

const DEVICE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)), 40_000);
const SERVER: SocketAddr = SocketAddr::new(DEVICE, 80);
const AT: When = When(Timestamp::from_micros(1_795_391_028_323_001));

#[derive(Debug)]
pub enum Sample {
    Finding(Box<Finding>),
    Flow(Box<FlowEvent>),
    Device(Box<DeviceFacts>),
}

impl Sample {
    pub fn new(kind: Kind) -> Sample {
        match kind {
            Kind::Finding => Sample::Finding(Box::new(finding())),
            Kind::Flow => Sample::Flow(Box::new(flow())),
            Kind::Device => Sample::Device(Box::new(device())),
        }
    }

    pub fn heard(&self) -> Heard<'_> {
        match self {
            Sample::Finding(finding) => Heard::Finding(finding),
            Sample::Flow(flow) => Heard::Flow(flow),
            Sample::Device(facts) => Heard::Device(HeardDevice { when: AT, facts, frame: Some(11) }),
        }
    }
}

fn finding() -> Finding {
    Finding {
        id: 3,
        rule: "time-wait-collision".into(),
        certainty: Certainty::Proven,
        when: AT,
        device: DEVICE,
        client: CLIENT,
        server: SERVER,
        incarnation: 2,
        frames: vec![10, 11],
        quantities: QUANTITIES.iter().map(|row| (row.name.into(), row.sample)).collect(),
        text: "10.77.0.2:80 answered the SYN from 10.77.0.1:40000 with a stale ACK.".to_owned(),
        caused_by: Vec::new(),
        evidence: Vec::new(),
    }
}

fn flow() -> FlowEvent {
    FlowEvent {
        when: AT,
        change: FlowChange::Closed,
        client: CLIENT,
        server: SERVER,
        device: Some(DEVICE),
        incarnation: 2,
        frame: 12,
        client_state: "TIME-WAIT (proven)".to_owned(),
        server_state: "CLOSED (inferred)".to_owned(),
        client_bytes: 120,
        server_bytes: 1_024,
    }
}

fn device() -> DeviceFacts {
    DeviceFacts {
        address: DEVICE,
        mac: Some("24:0a:c4:00:00:02".to_owned()),
        formerly: None,
        stack: Stack::Lwip,
        stack_certainty: Some(Certainty::Inferred),
        time_wait: TimeWaitFacts {
            entered: 12,
            held_now: 4,
            refused_until_s: Some(67.6),
            accepted_from_s: Some(120.2),
            syns: 11,
            rsts: 10,
        },
        msl_s: MslBracket { at_least: Some(33.55), at_most: Some(60.1) },
        pcb_cap: PcbCap { at_least: Some(12), at_most: Some(16) },
        rst_in_time_wait: RstInTimeWait::Ignored,
        syn_in_time_wait: SynInTimeWait::Refused,
        behaves_as: Behaviour::Unfixed,
        accepted: 20,
        delays: DelayFacts {
            waiting: 1,
            delayed: 2,
            reset: 1,
            unfinished: 3,
            waited_s: 204.6,
            longest: None,
        },
        own_account: Some(AccountFacts {
            time_wait: 4,
            accounts: 10,
            agreed: 38,
            unsure: 2,
            disagreements: 0,
        }),
        mode: Some("unfixed".to_owned()),
        note: Some("what cannot be said in numbers".to_owned()),
    }
}
