//! What waits for one who attached, until they read it.
//!
//! Knows lines, their order and what is worth most. Holds at most [`LANE`] octets of each kind, whatever comes: the
//! oldest of that kind gives way, and is counted.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::analysis::event::Event;

/// Octets of one kind that may wait; a single line may be longer.
pub const LANE: usize = 2 << 20;
/// What is handed out at once, in octets; a single line may be longer.
const BATCH: usize = 64 << 10;

/// One event as it goes out, its place in the order of the run, and what it is worth.
#[derive(Clone, Debug)]
pub struct Line {
    pub number: u64,
    pub kind: Kind,
    /// JSON, and the end of the line.
    pub octets: Rc<[u8]>,
}

/// Segments are the most and the most fleeting, then flow changes and findings; the rest is the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Segment,
    Fleeting,
    Story,
}

impl Kind {
    pub fn of(event: &Event) -> Kind {
        match event {
            Event::Segment(_) => Kind::Segment,
            Event::Flow(_) | Event::Finding(_) | Event::Progress(_) => Kind::Fleeting,
            Event::Start(_) | Event::Alert(_) | Event::Device(_) => Kind::Story,
            Event::Capture(_) | Event::Marker(_) | Event::Summary(_) => Kind::Story,
        }
    }
}

/// Lines in the order of their numbers, in which they must come.
#[derive(Debug, Default)]
pub struct Queue {
    segments: Lane,
    fleeting: Lane,
    story: Lane,
    missed: u64,
}

#[derive(Debug, Default)]
struct Lane {
    lines: VecDeque<Line>,
    octets: usize,
}

impl Queue {
    pub fn push(&mut self, line: Line) {
        let lane = match line.kind {
            Kind::Segment => &mut self.segments,
            Kind::Fleeting => &mut self.fleeting,
            Kind::Story => &mut self.story,
        };
        self.missed += lane.push(line);
    }

    /// As many whole lines as go out at once; empty where nothing waits.
    pub fn take(&mut self) -> Vec<u8> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let lanes = [&mut self.segments, &mut self.fleeting, &mut self.story];
            let first = lanes.into_iter().filter(|lane| !lane.lines.is_empty());
            let Some(line) = first.min_by_key(|lane| lane.first()).and_then(Lane::pop) else { break };
            batch.extend_from_slice(&line.octets);
        }
        batch
    }

    pub fn is_empty(&self) -> bool {
        [&self.segments, &self.fleeting, &self.story].iter().all(|lane| lane.lines.is_empty())
    }

    /// Counts what was lost before it came here.
    pub fn lost(&mut self, events: u64) {
        self.missed += events;
    }

    /// Events that gave way since this was asked last.
    pub fn missed(&mut self) -> u64 {
        core::mem::take(&mut self.missed)
    }
}

impl Lane {
    fn first(&self) -> Option<u64> {
        self.lines.front().map(|line| line.number)
    }

    /// Returns how many gave way.
    fn push(&mut self, line: Line) -> u64 {
        self.octets += line.octets.len();
        self.lines.push_back(line);
        let mut gave_way = 0;
        while self.octets > LANE && self.lines.len() > 1 && self.pop().is_some() {
            gave_way += 1;
        }
        gave_way
    }

    fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.octets -= line.octets.len();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, kind: Kind, length: usize) -> Line {
        let octets = format!("{}{number}\n", " ".repeat(length)).into_bytes();
        Line { number, kind, octets: octets.into() }
    }

    fn all(queue: &mut Queue) -> Vec<u64> {
        let mut text = String::new();
        loop {
            match queue.take() {
                batch if batch.is_empty() => break,
                batch => text.push_str(&String::from_utf8(batch).unwrap()),
            }
        }
        text.lines().map(|line| line.trim().parse().unwrap()).collect()
    }

    #[test]
    fn lines_come_out_in_the_order_of_the_run_whatever_their_kind() {
        let mut queue = Queue::default();
        for (number, kind) in [Kind::Story, Kind::Segment, Kind::Fleeting, Kind::Segment, Kind::Story]
            .into_iter()
            .cycle()
            .take(9_000)
            .enumerate()
        {
            queue.push(line(number as u64, kind, 20));
        }
        assert_eq!(all(&mut queue), (0..9_000).collect::<Vec<_>>());
        assert_eq!(queue.missed(), 0);
    }

    #[test]
    fn who_never_reads_costs_so_much_and_no_more_and_keeps_the_story() {
        let mut queue = Queue::default();
        queue.push(line(0, Kind::Story, 99));
        queue.push(line(1, Kind::Fleeting, 99));
        for number in 2..100_000 {
            queue.push(line(number, Kind::Segment, 99));
        }
        let held: usize =
            [&queue.segments, &queue.fleeting, &queue.story].map(|lane| lane.octets).iter().sum();
        assert!(held <= LANE + 200, "{held}");
        let missed = queue.missed();
        let told = all(&mut queue);
        assert_eq!(told[..2], [0, 1]);
        assert_eq!(told.last(), Some(&99_999));
        assert_eq!(told.len() as u64 + missed, 100_000);
        assert_eq!(queue.missed(), 0, "told once");
    }

    #[test]
    fn a_line_that_is_longer_than_all_room_passes_alone() {
        let mut queue = Queue::default();
        queue.push(line(1, Kind::Story, 10));
        queue.push(line(2, Kind::Story, 2 * LANE));
        assert_eq!(all(&mut queue), [2]);
        assert_eq!(queue.missed(), 1);
    }
}
