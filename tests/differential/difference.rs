//! What the two may disagree about, and by what, besides the two readings, a disagreement is known to be one of those
//! that docs/differences.md explains. An explanation is a condition over the octets, never a mere pair of words.

use esp_tcpwatch::analysis::event::SegmentEvent;
use esp_tcpwatch::analysis::flow::Belongs;
use esp_tcpwatch::analysis::tcp::Kind;

use super::history::{End, History, distance};
use super::tshark::{ACK, FIN, RST, Row, SYN};

/// What both tell of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    PortsReused,
    SentAgain,
    BeyondAHole,
    KeepAlive,
    WindowProbe,
    DuplicateAck,
    WindowUpdate,
}

impl Ground {
    pub const ALL: [Ground; 7] = [
        Ground::PortsReused,
        Ground::SentAgain,
        Ground::BeyondAHole,
        Ground::KeepAlive,
        Ground::WindowProbe,
        Ground::DuplicateAck,
        Ground::WindowUpdate,
    ];

    pub fn theirs(self, row: &Row) -> bool {
        let said = row.said;
        match self {
            Ground::PortsReused => said.reused_ports,
            Ground::SentAgain => said.retransmission || said.out_of_order,
            Ground::BeyondAHole => said.lost_segment,
            Ground::KeepAlive => said.keep_alive,
            Ground::WindowProbe => said.zero_window_probe,
            Ground::DuplicateAck => said.duplicate_ack,
            Ground::WindowUpdate => said.window_update,
        }
    }

    pub fn ours(self, segment: &SegmentEvent) -> bool {
        let is_another_life_of_the_tuple = segment.place == Belongs::NewLife && segment.incarnation > 1;
        let Some(kind) = segment.kind else { return false };
        match self {
            Ground::PortsReused => is_another_life_of_the_tuple,
            Ground::SentAgain => matches!(kind, Kind::Again | Kind::SynAgain | Kind::SynAckAgain),
            Ground::BeyondAHole => kind == Kind::BeyondAHole,
            Ground::KeepAlive => kind == Kind::KeepAlive,
            Ground::WindowProbe => kind == Kind::WindowProbe,
            Ground::DuplicateAck => kind == Kind::DuplicateAck,
            Ground::WindowUpdate => kind == Kind::WindowUpdate,
        }
    }
}

/// Each has its heading in docs/differences.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    AnotherLife,
    AfterAnotherLife,
    SeenTwice,
    Within,
    CutShort,
    OutOfOrder,
    LateOctets,
    PartlyNew,
    AckBeyondAHole,
    ProbeOfAnOldOctet,
    NothingUnderWay,
    AgainstTheFurthestAck,
    WindowOfZero,
}

impl Difference {
    pub const ALL: [Difference; 13] = [
        Difference::AnotherLife,
        Difference::AfterAnotherLife,
        Difference::SeenTwice,
        Difference::Within,
        Difference::CutShort,
        Difference::OutOfOrder,
        Difference::LateOctets,
        Difference::PartlyNew,
        Difference::AckBeyondAHole,
        Difference::ProbeOfAnOldOctet,
        Difference::NothingUnderWay,
        Difference::AgainstTheFurthestAck,
        Difference::WindowOfZero,
    ];

    /// Its heading.
    pub fn name(self) -> &'static str {
        match self {
            Difference::AnotherLife => "another-life",
            Difference::AfterAnotherLife => "after-another-life",
            Difference::SeenTwice => "seen-twice",
            Difference::Within => "within",
            Difference::CutShort => "cut-short",
            Difference::OutOfOrder => "out-of-order",
            Difference::LateOctets => "late-octets",
            Difference::PartlyNew => "partly-new",
            Difference::AckBeyondAHole => "ack-beyond-a-hole",
            Difference::ProbeOfAnOldOctet => "probe-of-an-old-octet",
            Difference::NothingUnderWay => "nothing-under-way",
            Difference::AgainstTheFurthestAck => "against-the-furthest-ack",
            Difference::WindowOfZero => "window-of-zero",
        }
    }
}

/// Why the two disagree over `ground`, where it is known.
pub fn explain(ground: Ground, row: &Row, segment: &SegmentEvent, history: &History) -> Option<Difference> {
    if segment.place == Belongs::AnotherLife {
        return is_of_another_life(row, history).then_some(Difference::AnotherLife);
    }
    let (sender, receiver) = (history.end(row.stream, row.source), history.end(row.stream, row.destination));
    if sender.is_misled() {
        return Some(Difference::AfterAnotherLife);
    }
    let theirs = ground.theirs(row);
    match ground {
        Ground::PortsReused => None,
        Ground::SentAgain if theirs && segment.kind == Some(Kind::News) => {
            is_partly_new(row, &sender).then_some(Difference::PartlyNew)
        }
        Ground::BeyondAHole if theirs => {
            let is_beyond = sender.next.is_some_and(|next| distance(next, row.seq) > 0);
            (is_beyond && row.seq_len() == 0).then_some(Difference::AckBeyondAHole)
        }
        Ground::KeepAlive | Ground::WindowProbe | Ground::SentAgain => {
            let is_old = sender.next.is_some_and(|next| distance(next, row.seq) == -1);
            (is_old && row.len <= 1 && receiver.window == Some(0)).then_some(Difference::ProbeOfAnOldOctet)
        }
        Ground::DuplicateAck if theirs && segment.kind == Some(Kind::IdleAck) => {
            let nothing_under_way = match (receiver.next, sender.acked) {
                (Some(next), Some(acked)) => distance(next, acked) >= 0,
                (None, _) | (_, None) => true,
            };
            nothing_under_way.then_some(Difference::NothingUnderWay)
        }
        Ground::WindowUpdate | Ground::DuplicateAck if !theirs && row.said.zero_window => {
            Some(Difference::WindowOfZero)
        }
        Ground::WindowUpdate | Ground::DuplicateAck => {
            let is_behind = sender.acked.is_some_and(|acked| distance(acked, row.ack) < 0);
            is_behind.then_some(Difference::AgainstTheFurthestAck)
        }
        Ground::BeyondAHole => None,
    }
}

/// Its numbers are those of an earlier stream of the tuple; or it is a RST that answers such a segment.
pub fn is_of_another_life(row: &Row, history: &History) -> bool {
    let answers = history
        .end(row.stream, row.destination)
        .last
        .is_some_and(|last| last.has(ACK) && last.ack == row.seq);
    let is_rst = row.has(RST) && answers;
    is_rst || history.earlier_streams(row).any(|stream| history.end(stream, row.source).holds(row.seq))
}

/// The same frame, within a millisecond: nothing of what both can see has changed.
pub fn is_seen_twice(row: &Row, history: &History) -> bool {
    history.end(row.stream, row.source).last.is_some_and(|last| {
        row.nanos - last.nanos < 1_000_000
            && (row.seq, row.ack, row.len, row.flags, row.window, row.ip_id)
                == (last.seq, last.ack, last.len, last.flags, last.window, last.ip_id)
    })
}

fn is_partly_new(row: &Row, sender: &End) -> bool {
    sender.next.is_some_and(|next| distance(row.seq, next) > 0 && distance(next, row.seq_end()) > 0)
}

/// It fills a hole, or comes so soon behind later octets that tshark takes it for that.
pub fn is_late(row: &Row, segment: &SegmentEvent, history: &History) -> bool {
    let sender = history.end(row.stream, row.source);
    row.said.out_of_order
        && segment.kind == Some(Kind::Again)
        && row.flags & (SYN | FIN | RST) == row.flags & FIN
        && sender.next.is_some_and(|next| distance(row.seq_end(), next) >= 0)
}
