//! What went before a segment, put together from tshark's rows alone: a naive second opinion on both readings.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::tshark::{ACK, RST, Row, SYN};

/// How far `later` lies beyond `earlier`, modulo 2^32.
pub fn distance(earlier: u32, later: u32) -> i32 {
    later.wrapping_sub(earlier) as i32
}

/// All that one side put on the wire in one of tshark's streams.
#[derive(Clone, Debug, Default)]
pub struct End {
    pub first: Option<u32>,
    /// Past the furthest octet: of all that tshark has in the stream, and of what is of the stream's own life.
    pub next: Option<u32>,
    pub next_of_life: Option<u32>,
    pub last: Option<Row>,
    /// The furthest acknowledgment.
    pub acked: Option<u32>,
    /// The last window that counts: none of SYN or RST.
    pub window: Option<u16>,
    /// The first of its frames of which the capture holds only the beginning.
    pub cut: Option<u64>,
    payload: Payload,
}

/// Octets of payload, by where they stand behind the side's first number.
#[derive(Clone, Debug, Default)]
struct Payload {
    /// Disjoint, by their start.
    spans: BTreeMap<i64, i64>,
    /// Those that came behind later ones, into a hole.
    late: u64,
}

impl End {
    /// Octets of payload, each counted once.
    pub fn payload(&self) -> u64 {
        self.payload.spans.iter().map(|(start, end)| (end - start) as u64).sum()
    }

    /// Those of them that came only after what stands behind them.
    pub fn late(&self) -> u64 {
        self.payload.late
    }

    /// Does `seq` lie among the numbers of this side, its next one included?
    pub fn holds(&self, seq: u32) -> bool {
        matches!((self.first, self.next), (Some(first), Some(next)) if distance(first, seq) >= 0 && distance(seq, next) >= 0)
    }

    /// Segments of another life stand in the stream and are ahead of its own: what tshark compares with is theirs.
    pub fn is_misled(&self) -> bool {
        self.next != self.next_of_life
    }

    fn take(&mut self, row: &Row, is_of_life: bool) {
        let first = *self.first.get_or_insert(row.seq);
        let further = |next: Option<u32>, end: u32| next.is_none_or(|next| distance(next, end) > 0);
        if !row.has(RST) && further(self.next, row.seq_end()) {
            self.next = Some(row.seq_end());
        }
        if is_of_life && !row.has(RST) {
            let start = i64::from(distance(first, row.seq)) + i64::from(row.has(SYN));
            let before = self.payload();
            self.payload.add(start, start + i64::from(row.len));
            let news = self.payload() - before;
            let ahead = self.next_of_life.map_or(row.len, |next| distance(next, row.seq_end()).max(0) as u32);
            self.payload.late += news - news.min(u64::from(ahead.min(row.len)));
            if further(self.next_of_life, row.seq_end()) {
                self.next_of_life = Some(row.seq_end());
            }
            if !row.has(SYN) {
                self.window = Some(row.window);
            }
            if row.has(ACK) && further(self.acked, row.ack) {
                self.acked = Some(row.ack);
            }
        }
        self.cut = self.cut.or(row.is_cut.then_some(row.frame));
        self.last = Some(row.clone());
    }
}

impl Payload {
    fn add(&mut self, mut start: i64, mut end: i64) {
        if start == end {
            return;
        }
        let touched: Vec<i64> = self
            .spans
            .iter()
            .filter(|(from, to)| **from <= end && **to >= start)
            .map(|(from, _)| *from)
            .collect();
        for from in touched {
            let to = self.spans.remove(&from).unwrap();
            (start, end) = (start.min(from), end.max(to));
        }
        self.spans.insert(start, end);
    }
}

#[derive(Default)]
pub struct History {
    ends: HashMap<(u32, SocketAddr), End>,
    /// By the two sockets, the smaller first; in the order in which tshark began them.
    streams: HashMap<(SocketAddr, SocketAddr), Vec<u32>>,
}

pub fn tuple(row: &Row) -> (SocketAddr, SocketAddr) {
    (row.source.min(row.destination), row.source.max(row.destination))
}

impl History {
    pub fn end(&self, stream: u32, socket: SocketAddr) -> End {
        self.ends.get(&(stream, socket)).cloned().unwrap_or_default()
    }

    /// The streams of the same four-tuple that came before `row`'s.
    pub fn earlier_streams(&self, row: &Row) -> impl Iterator<Item = u32> {
        self.streams.get(&tuple(row)).into_iter().flatten().copied().filter(|stream| *stream != row.stream)
    }

    /// `row` is behind us. `is_of_life`: it is a segment of the life that its stream stands for.
    pub fn take(&mut self, row: &Row, is_of_life: bool) {
        let streams = self.streams.entry(tuple(row)).or_default();
        if !streams.contains(&row.stream) {
            streams.push(row.stream);
        }
        self.ends.entry((row.stream, row.source)).or_default().take(row, is_of_life);
    }
}
