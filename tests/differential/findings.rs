//! Two findings held against what tshark marks: a window of zero that stood, and a port that was used again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use esp_tcpwatch::analysis::detect::Finding;

use super::history::distance;
use super::tshark::{ACK, FIN, RST, Row, SYN};

/// `closed_s` of rules/zero-window.toml, nanoseconds.
const CLOSED: u128 = 3_000_000_000;

/// What tshark marked, gathered row by row.
#[derive(Default)]
pub struct Marks {
    /// First frame and time of the windows of zero that stand, by stream and who announced them.
    standing: HashMap<(u32, SocketAddr), (u64, u128)>,
    /// The same of all that ever stood, with how long.
    stood: BTreeMap<u64, u128>,
    /// Where a side's sequence ended with its FIN.
    fins: HashMap<(u32, SocketAddr), u32>,
    streams: HashMap<u64, u32>,
    /// Streams that began with a port that was used again.
    reused: BTreeSet<u32>,
    zero_windows: BTreeSet<u64>,
    last: u128,
}

impl Marks {
    /// A segment of the life that its stream stands for.
    pub fn take(&mut self, row: &Row) {
        self.place(row);
        let (here, there) = ((row.stream, row.source), (row.stream, row.destination));
        if row.has(RST) {
            self.open(here, row);
            return self.open(there, row);
        }
        if row.has(FIN) {
            self.fins.insert(here, row.seq_end());
        }
        if row.has(SYN) {
            return;
        }
        let is_needed =
            !self.fins.get(&there).is_some_and(|end| row.has(ACK) && distance(*end, row.ack) >= 0);
        if row.window > 0 || !is_needed {
            return self.open(here, row);
        }
        if row.said.zero_window {
            self.zero_windows.insert(row.frame);
            self.standing.entry(here).or_insert((row.frame, row.nanos));
        }
    }

    /// A segment that only says where it stands.
    pub fn place(&mut self, row: &Row) {
        self.last = self.last.max(row.nanos);
        self.streams.insert(row.frame, row.stream);
        if row.said.reused_ports && !row.has(ACK) {
            self.reused.insert(row.stream);
        }
    }

    fn open(&mut self, end: (u32, SocketAddr), row: &Row) {
        if let Some((frame, since)) = self.standing.remove(&end) {
            self.stood.insert(frame, row.nanos - since);
        }
    }

    /// What in `findings` tshark's marks contradict, and what they ask for that is not there.
    pub fn contradict(mut self, findings: &[Finding]) -> Vec<String> {
        for (frame, since) in self.standing.values() {
            self.stood.insert(*frame, self.last - since);
        }
        let mut faults = Vec::new();
        let mut told = BTreeSet::new();
        for finding in findings {
            let holds = match finding.rule.as_ref() {
                "zero-window" => {
                    told.insert(finding.frames[0]);
                    self.stood.contains_key(&finding.frames[0])
                        && finding.frames.iter().all(|frame| self.zero_windows.contains(frame))
                }
                "time-wait-collision" | "time-wait-reuse" => {
                    finding.frames.iter().any(|frame| self.reused.contains(&self.streams[frame]))
                }
                _ => true,
            };
            if !holds {
                faults.push(format!("nothing of this by tshark: {finding:?}"));
            }
        }
        for (frame, nanos) in self.stood {
            if nanos >= CLOSED && !told.contains(&frame) {
                faults.push(format!(
                    "the window of zero in frame {frame} stood for {nanos} ns, and is not told"
                ));
            }
        }
        faults
    }
}
