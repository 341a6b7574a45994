//! What is said of frames: which finding cites each, and what else explains it.
//!
//! Knows findings and the numbers of frames. How many findings are worth a comment is for others to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::safe::clip;
use crate::analysis::{detect::Finding, input::FrameNo};

/// Frames of one finding, and comments on one frame.
const CITED: usize = 64;
const COMMENTS: usize = 8;

/// Comments by the frame that they are on.
#[derive(Debug, Default)]
pub struct Comments(BTreeMap<FrameNo, Vec<Arc<str>>>);

impl Comments {
    /// On each frame that `finding` cites its rule and its text, on each that explains it its role.
    pub fn cite(&mut self, finding: &Finding) {
        let said = said(finding);
        for frame in finding.frames.iter().take(CITED) {
            self.add(*frame, said.clone());
        }
        let rule = clip(&finding.rule, 64);
        let explaining = finding.evidence.iter().filter(|row| !finding.frames.contains(&row.frame));
        for row in explaining.take(CITED) {
            let role = clip(&row.role, 120);
            // What it is for one finding it is for the next.
            if !self.of(row.frame).iter().any(|known| known.starts_with(role.as_ref())) {
                self.add(row.frame, format!("{role} (to explain {rule})").into());
            }
        }
    }

    /// At most a few on one frame, and none twice.
    pub fn add(&mut self, frame: FrameNo, text: Arc<str>) {
        let comments = self.0.entry(frame).or_default();
        if comments.len() < COMMENTS && !comments.contains(&text) {
            comments.push(text);
        }
    }

    /// Empty for a frame that nothing is said of.
    pub fn of(&self, frame: FrameNo) -> &[Arc<str>] {
        self.0.get(&frame).map_or(&[], Vec::as_slice)
    }

    pub fn has(&self, frame: FrameNo) -> bool {
        self.0.contains_key(&frame)
    }

    /// The frames that something is said of.
    pub fn frames(&self) -> impl Iterator<Item = FrameNo> {
        self.0.keys().copied()
    }

    /// Forgets what is said of frames before `first`, and of the oldest beyond `most` frames.
    pub fn keep(&mut self, first: FrameNo, most: usize) {
        while self.0.first_key_value().is_some_and(|(frame, _)| *frame < first || self.0.len() > most) {
            self.0.pop_first();
        }
    }
}

/// A finding in one line: its rule, how sure it is, and its text.
pub fn said(finding: &Finding) -> Arc<str> {
    let rule = clip(&finding.rule, 64);
    format!("{rule} ({}): {}", finding.certainty, clip(&finding.text, 600)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_few_and_told_once_and_the_old_ones_go() {
        let mut comments = Comments::default();
        for number in 0..20 {
            comments.add(7, format!("{}", number % 10).into());
        }
        assert_eq!(comments.of(7).len(), COMMENTS);
        assert!(comments.has(7) && !comments.has(8) && comments.of(8).is_empty());
        (8..=20).for_each(|frame| comments.add(frame, "x".into()));
        comments.keep(10, 100);
        assert_eq!(comments.frames().next(), Some(10));
        comments.keep(0, 2);
        assert_eq!(comments.frames().collect::<Vec<_>>(), [19, 20]);
    }
}
