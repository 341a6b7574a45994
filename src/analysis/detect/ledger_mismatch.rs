//! `ledger-mismatch`: the device's own list of connections in TIME-WAIT is not the one that follows from the wire.
//!
//! Taken as a disagreement: the same one about the same tuple in two accounts on end. One alone may be a frame that
//! came between; what both sides cannot know is left out before (host room, account). It says that one of the two is
//! wrong, and never which.

use core::net::IpAddr;

use super::{
    Detector, Finding, Occasions, Spec,
    evidence::{of_close, seconds},
};
use crate::analysis::{
    certainty::Certainty,
    flow::FourTuple,
    host::{Comparison, Disagreement, Opinions},
    input::FrameNo,
};

pub const SPEC: Spec = Spec {
    id: "ledger-mismatch",
    parameters: &[],
    new: |_| Box::new(LedgerMismatch { devices: Vec::new() }),
};

/// Devices followed: those that gave an account first.
const MAX_DEVICES: usize = 64;
/// Tuples named in a finding; the others are counted.
const MAX_NAMED: usize = 8;

#[derive(Debug)]
struct LedgerMismatch {
    devices: Vec<Followed>,
}

#[derive(Debug)]
struct Followed {
    device: IpAddr,
    /// The last account's disagreements, and whether each was told.
    last: Vec<(FourTuple, Opinions, bool)>,
}

impl Detector for LedgerMismatch {
    fn hears(&self) -> Occasions {
        Occasions::NEVER
    }

    fn on_account(&mut self, comparison: &Comparison, findings: &mut Vec<Finding>) {
        // Of a device of which the wire showed nothing there are no two opinions.
        let Some(heard) = comparison.heard else { return };
        let Some(followed) = self.follow(comparison.device) else { return };
        let mut confirmed: Vec<&Disagreement> = Vec::new();
        let mut now = Vec::with_capacity(comparison.disagreements.len());
        for disagreement in &comparison.disagreements {
            let Disagreement { tuple, opinions, .. } = disagreement;
            let before =
                followed.last.iter().find(|(known, what, _)| known == tuple && what.is_like(opinions));
            if before.is_some_and(|(.., told)| !told) {
                confirmed.push(disagreement);
            }
            now.push((*tuple, *opinions, before.is_some()));
        }
        followed.last = now;
        if !confirmed.is_empty() {
            findings.push(tell(comparison, &confirmed, heard));
        }
    }
}

impl LedgerMismatch {
    fn follow(&mut self, device: IpAddr) -> Option<&mut Followed> {
        let known = self.devices.iter().position(|followed| followed.device == device);
        let at = match known {
            Some(at) => at,
            None if self.devices.len() >= MAX_DEVICES => return None,
            None => {
                self.devices.push(Followed { device, last: Vec::new() });
                self.devices.len() - 1
            }
        };
        self.devices.get_mut(at)
    }
}

/// `heard` is the device's last frame.
fn tell(comparison: &Comparison, confirmed: &[&Disagreement], heard: FrameNo) -> Finding {
    let named = &confirmed[..confirmed.len().min(MAX_NAMED)];
    let mut sentences: Vec<String> = named.iter().map(|disagreement| opinions(disagreement)).collect();
    let others = (confirmed.len() - named.len()) as u64 + comparison.more;
    if others > 0 {
        sentences.push(format!("and so for {others} more"));
    }
    let mut frames: Vec<FrameNo> = Vec::new();
    let mut evidence = Vec::new();
    for story in named.iter().filter_map(|disagreement| disagreement.story.as_ref()) {
        let rows = of_close(story);
        frames.extend(rows.iter().map(|row| row.frame));
        evidence.extend(rows);
    }
    let mut explained = explanations(confirmed);
    if frames.is_empty() {
        explained.push_str(&format!(
            " Up to frame {heard}, the device's last, the wire showed no close of those named."
        ));
        frames.push(heard);
    }
    frames.sort_unstable();
    frames.dedup();
    let count = confirmed.len();
    Finding::of_device(
        SPEC.id,
        Certainty::Inferred,
        comparison.at,
        comparison.device,
        frames,
        format!(
            "Twice in a row the list of connections that {} gave does not fit the wire: {}. {explained}",
            comparison.device,
            sentences.join("; "),
        ),
    )
    .with_quantity("tuples", count as f64)
    .with_quantity("agreed", comparison.agreed as f64)
    .with_evidence(evidence)
}

/// Both opinions about one tuple.
fn opinions(disagreement: &Disagreement) -> String {
    let peer = disagreement.peer;
    let since = disagreement.story.and_then(|story| story.close).map_or_else(String::new, |close| {
        let frame = close.entered.unwrap_or(close.client_fin).frame;
        format!(" since frame {frame}")
    });
    match disagreement.opinions {
        Opinions::NotTold => {
            format!("by the wire it holds {peer} in TIME-WAIT{since}, and it does not list it")
        }
        Opinions::NotSeen => {
            format!("it lists {peer} in TIME-WAIT, and the wire did not show how it came to that")
        }
        Opinions::Overdue { over_for_s } => format!(
            "it lists {peer} in TIME-WAIT, and by the wire{since} that was over {:.3} s before",
            seconds(over_for_s)
        ),
        Opinions::Timer { told_s, at_least_s, at_most_s } => format!(
            "it says that TIME-WAIT of {peer} has lasted {told_s:.1} s, and by the wire{since} it is {:.3} to {:.3} s",
            seconds(at_least_s),
            seconds(at_most_s)
        ),
    }
}

/// What would make both right, for the kinds of disagreement at hand.
fn explanations(confirmed: &[&Disagreement]) -> String {
    let is_any =
        |kind: fn(&Opinions) -> bool| confirmed.iter().any(|disagreement| kind(&disagreement.opinions));
    let mut ways = Vec::new();
    if is_any(|opinions| matches!(opinions, Opinions::NotTold)) {
        ways.push("it ended the connection early to make room, or by a remedy, or it restarted");
    }
    if is_any(|opinions| matches!(opinions, Opinions::NotSeen)) {
        ways.push("frames of its close were lost on the air, or went another way than past this capture");
    }
    if is_any(|opinions| matches!(opinions, Opinions::Overdue { .. } | Opinions::Timer { .. })) {
        ways.push("its timer was restarted by a segment that was not captured, or it counts time otherwise than lwIP");
    }
    format!("It would be explained if {}. Else one of the two is wrong.", ways.join("; or if "))
}
