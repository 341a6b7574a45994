//! The results as text: JSON Lines, a line written whole or not at all.
//!
//! The first line is the experiment, and then each attempt at a block has two: that its source ports are in use from now
//! on, and what came of it. A run that was killed leaves at most half a line at the end, which is not read. Knows no file.

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::schedule::order;
use super::spec::{Spec, SpecError};

/// Version of the lines' field names.
pub const SCHEMA: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    Experiment {
        schema: u32,
        tool: String,
        #[serde(flatten)]
        spec: Spec,
    },
    /// An attempt begins.
    Begin {
        turn: u64,
    },
    Block(Box<Block>),
}

/// What a file of results holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub spec: Spec,
    pub blocks: Vec<Block>,
    /// The first turn whose source ports nobody used.
    pub next_turn: u64,
    /// Octets up to the end of the last whole line; what comes after it is to be cut off.
    pub whole: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("line {line} is no line of an experiment's results: {error}")]
    Line { line: usize, error: serde_json::Error },
    #[error("the first line does not say which experiment this is")]
    NoExperiment,
    #[error("it is of schema {0}, and this program reads {SCHEMA}: use the program that wrote it")]
    Schema(u32),
    #[error("line {line} begins another experiment")]
    Another { line: usize },
    #[error("{0}")]
    Spec(#[from] SpecError),
    #[error("line {line} is of an arm or of a place that the experiment does not have")]
    Stray { line: usize },
}

impl Line {
    /// With its end of line.
    ///
    /// # Errors
    /// None in practice: every line is plain data.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

/// Reads results. `None` where there is not one whole line.
///
/// # Errors
/// [`StoreError`] for the first line that cannot be one of an experiment.
pub fn parse(text: &str) -> Result<Option<Stored>, StoreError> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut stored: Option<Stored> = None;
    let mut places = Vec::new();
    for (number, line) in text.get(..whole).unwrap_or_default().lines().enumerate() {
        let number = number + 1;
        let line = serde_json::from_str(line).map_err(|error| StoreError::Line { line: number, error })?;
        match (line, &mut stored) {
            (Line::Experiment { schema, .. }, _) if schema != SCHEMA => {
                return Err(StoreError::Schema(schema));
            }
            (Line::Experiment { .. }, Some(_)) => return Err(StoreError::Another { line: number }),
            (Line::Experiment { spec, .. }, None) => {
                spec.check()?;
                places = order(&spec);
                stored = Some(Stored { spec, blocks: Vec::new(), next_turn: 0, whole });
            }
            (Line::Begin { .. } | Line::Block(_), None) => return Err(StoreError::NoExperiment),
            (Line::Begin { turn }, Some(stored)) => {
                stored.next_turn = stored.next_turn.max(turn.saturating_add(1))
            }
            (Line::Block(block), Some(stored)) => {
                let arm = block.slot.map(|slot| places.get(slot).and_then(|arm| stored.spec.arms.get(*arm)));
                let is_known = match arm {
                    None => block.arm == CONTROL,
                    Some(arm) => arm.is_some_and(|arm| arm.label == block.arm),
                };
                if !is_known {
                    return Err(StoreError::Stray { line: number });
                }
                stored.next_turn = stored.next_turn.max(block.turn.saturating_add(1));
                stored.blocks.push(*block);
            }
        }
    }
    Ok(stored)
}

/// The arm of the positive control.
pub const CONTROL: &str = "unfixed";

impl Stored {
    /// Nothing was run yet.
    pub fn new(spec: Spec) -> Self {
        Stored { spec, blocks: Vec::new(), next_turn: 0, whole: 0 }
    }

    /// The positive control, where it counts.
    pub fn control(&self) -> Option<&Block> {
        self.blocks.iter().find(|block| block.slot.is_none() && block.counts())
    }

    /// The block of `slot`, where it counts.
    pub fn of_slot(&self, slot: usize) -> Option<&Block> {
        self.blocks.iter().find(|block| block.slot == Some(slot) && block.counts())
    }

    /// The first place that has no block yet.
    pub fn next_slot(&self) -> Option<usize> {
        (0..self.spec.blocks()).find(|slot| self.of_slot(*slot).is_none())
    }

    /// About how long the blocks take that are missing, seconds: each as its own arm's took so far, or, of an arm that has
    /// none, as all of them did. `None` while there is none at all.
    pub fn left_s(&self) -> Option<f64> {
        let mean = |blocks: &mut dyn Iterator<Item = &Block>| {
            let (sum, count) =
                blocks.fold((0.0, 0.0), |(sum, count), block| (sum + block.took_s, count + 1.0));
            (count > 0.0).then(|| sum / count)
        };
        let counted = || self.blocks.iter().filter(|block| block.counts());
        let any = mean(&mut counted())?;
        let of_arm = |label: &str| mean(&mut counted().filter(|block| block.arm == label)).unwrap_or(any);
        let places = order(&self.spec).into_iter().enumerate();
        let missing = places.filter(|(slot, _)| self.of_slot(*slot).is_none());
        Some(missing.filter_map(|(_, arm)| self.spec.arms.get(arm)).map(|arm| of_arm(&arm.label)).sum())
    }

    pub fn is_complete(&self) -> bool {
        self.control().is_some() && self.next_slot().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::block::Firsts;
    use crate::experiment::spec::tests::spec;

    fn block(turn: u64, slot: Option<usize>, arm: &str) -> Block {
        Block {
            turn,
            slot,
            arm: arm.to_owned(),
            began: "2026-11-24T12:00:00Z".to_owned(),
            took_s: 1.5,
            spoilt: None,
            firsts: Firsts { asked: 20, answered: 20 },
            reuses: Vec::new(),
            wire: None,
            device: None,
            held: Default::default(),
            recording: None,
        }
    }

    fn boxed(turn: u64, slot: Option<usize>, arm: &str) -> Box<Block> {
        Box::new(block(turn, slot, arm))
    }

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| line.text().unwrap()).collect()
    }

    fn head() -> Line {
        Line::Experiment {
            schema: SCHEMA,
            tool: "esp-tcpwatch 0".to_owned(),
            spec: spec(&["unfixed", "fixed"]),
        }
    }

    #[test]
    fn what_was_written_is_read_and_half_a_line_is_not() {
        let arms = order(&spec(&["unfixed", "fixed"]));
        let label = |slot: usize| ["unfixed", "fixed"][arms[slot]];
        let mut lines = vec![head(), Line::Begin { turn: 0 }, Line::Block(boxed(0, None, CONTROL))];
        lines.push(Line::Block(boxed(1, Some(0), label(0))));
        let spoilt = Block { spoilt: Some("the device restarted".to_owned()), ..block(2, Some(1), label(1)) };
        lines.push(Line::Block(Box::new(spoilt)));
        let whole = text(&lines);
        let torn = whole.clone() + &Line::Begin { turn: 3 }.text().unwrap();
        let stored = parse(&torn[..torn.len() - 4]).unwrap().unwrap();
        assert_eq!((stored.whole, stored.next_turn), (whole.len(), 3));
        assert_eq!(
            (stored.control().is_some(), stored.next_slot()),
            (true, Some(1)),
            "a spoilt one does not count"
        );
        // It was killed inside a block: its ports are used, and nothing came of them.
        assert_eq!(parse(&torn).unwrap().unwrap().next_turn, 4);
        assert!(!stored.is_complete());
        for end in 0..torn.len() {
            assert!(parse(&torn[..end]).is_ok(), "cut at {end}");
        }
    }

    #[test]
    fn what_is_left_takes_as_long_as_what_is_done() {
        let spec = spec(&["unfixed", "fixed"]);
        let arms = order(&spec);
        let mut stored = Stored::new(spec);
        assert_eq!(stored.left_s(), None);
        stored.blocks.push(Block { took_s: 6.0, ..block(0, None, CONTROL) });
        assert_eq!(stored.left_s(), Some(8.0 * 6.0), "nothing is known of fixed yet");
        let slot = arms.iter().position(|arm| *arm == 1).unwrap();
        stored.blocks.push(Block { took_s: 1.0, ..block(1, Some(slot), "fixed") });
        assert_eq!(stored.left_s(), Some(4.0 * 6.0 + 3.0 * 1.0));
        let spoilt =
            Block { took_s: 100.0, spoilt: Some("it restarted".to_owned()), ..block(2, Some(slot), "fixed") };
        stored.blocks.push(spoilt);
        assert_eq!(stored.left_s(), Some(4.0 * 6.0 + 3.0 * 1.0), "what is spoilt says nothing");
    }

    #[test]
    fn what_is_no_experiment_is_refused_by_line() {
        let parse = |text: &str| parse(text).unwrap_err().to_string();
        assert!(parse("{}\n").starts_with("line 1 is no line"));
        assert!(parse(&text(&[Line::Begin { turn: 0 }])).contains("does not say which experiment"));
        assert!(parse(&text(&[head(), head()])).contains("line 2 begins another"));
        let stray = text(&[head(), Line::Block(boxed(0, Some(8), "fixed"))]);
        assert!(parse(&stray).contains("line 2 is of an arm"));
        let older = text(&[head()]).replacen("\"schema\":1", "\"schema\":9", 1);
        assert!(parse(&older).contains("schema 9"));
    }
}
