//! Facts that the wire supports, one file a detector. Code proves; the rule's TOML judges.
//!
//! To add one: its file here, `rules/<id>.toml`, `tests/scripts/<id>.seg`, and the two lines below (`mod` and the
//! registry). `tests/scripts.rs` holds the four one to one.

pub mod chain;
pub mod evidence;
pub mod finding;
pub mod hearing;
pub mod seen;
pub mod watch;

mod accept_overflow;
mod ack_loop;
mod app_stall;
mod capture_gap;
mod data_stall;
mod device_reboot;
mod device_silent;
mod half_closed;
mod half_open;
mod handshake_stall;
mod ignored_rst;
mod keepalive_failure;
mod ledger_mismatch;
mod not_on_path;
mod reset_close;
mod rst_storm;
mod stale_ack;
mod syn_reset_in_window;
mod syn_unanswered;
mod time_wait_buildup;
mod time_wait_collision;
mod time_wait_reuse;
mod window_shrink;
mod zero_window;

pub use finding::{EvidenceSegment, Finding, Words};
pub use hearing::{Detectors, Listening, Occasions};
pub use seen::{LastSegments, Seen};

use super::{
    flow::FourTuple,
    host::{Comparison, Device, HostEvent},
    input::Gap,
    time::Timestamp,
    wire::Sign,
};

/// All detectors, by rule id.
pub static REGISTRY: &[&Spec] = &[
    &accept_overflow::SPEC,
    &ack_loop::SPEC,
    &app_stall::SPEC,
    &capture_gap::SPEC,
    &data_stall::SPEC,
    &device_reboot::SPEC,
    &device_silent::SPEC,
    &half_closed::SPEC,
    &half_open::SPEC,
    &handshake_stall::SPEC,
    &ignored_rst::SPEC,
    &keepalive_failure::SPEC,
    &ledger_mismatch::SPEC,
    &not_on_path::SPEC,
    &reset_close::SPEC,
    &rst_storm::SPEC,
    &stale_ack::SPEC,
    &syn_reset_in_window::SPEC,
    &syn_unanswered::SPEC,
    &time_wait_buildup::SPEC,
    &time_wait_collision::SPEC,
    &time_wait_reuse::SPEC,
    &window_shrink::SPEC,
    &zero_window::SPEC,
];

/// What is known of a detector before it runs.
#[derive(Debug)]
pub struct Spec {
    /// The rule id, also the name of the file in `rules/`.
    pub id: &'static str,
    /// What a rule file may set, in the order in which `new` gets the values.
    pub parameters: &'static [Parameter],
    pub new: fn(settings: &[f64]) -> Box<dyn Detector>,
}

/// Turns what happened into findings of one rule. It may remember, within a bound of its own; time is the packets'.
/// The engine sets the `id` of what is put into `findings`.
pub trait Detector: core::fmt::Debug + Send {
    /// On which occasions it is to hear a segment of a tuple that it does not wait for: where it would otherwise do
    /// something. Too many cost time, one too few costs findings.
    fn hears(&self) -> Occasions {
        Occasions::ALWAYS
    }

    /// Whether that changes as it goes: then it is asked again after everything that it is called for.
    fn hears_vary(&self) -> bool {
        false
    }

    /// Whether it remembers something of `tuple`, so that it must hear of each of its segments.
    fn waits_for(&self, _tuple: FourTuple) -> bool {
        false
    }

    /// From the start, it may wait for so many tuples at once.
    fn keep_to(&mut self, _tuples: usize) {}

    /// A segment of a flow with a device, after the flow took it.
    fn on_segment(&mut self, _seen: &Seen<'_>, _findings: &mut Vec<Finding>) {}

    /// Hears a segment, and tells whether it [waits for](Detector::waits_for) its tuple then.
    fn hear(&mut self, seen: &Seen<'_>, findings: &mut Vec<Finding>) -> bool {
        self.on_segment(seen, findings);
        self.waits_for(seen.flow.tuple)
    }

    /// Something happened to a device.
    fn on_host(&mut self, _event: &HostEvent, _findings: &mut Vec<Finding>) {}

    /// Something that is not TCP came from `device` or asked for it; the device has taken it.
    fn on_sign(&mut self, _sign: &Sign, _device: &Device, _findings: &mut Vec<Finding>) {}

    /// What a device said of itself was compared with what the wire says.
    fn on_account(&mut self, _comparison: &Comparison, _findings: &mut Vec<Finding>) {}

    /// Where it hears [`Occasions::TIME`]: the first time at which [`Detector::on_time`] would do something, or one before it.
    fn due(&self) -> Timestamp {
        Timestamp::ZERO
    }

    /// Time went on; called at most every 100 ms of packet time, and before the segment that brought the time. `last`: the
    /// last segment of each device before that.
    fn on_time(&mut self, _now: Timestamp, _last: &LastSegments, _findings: &mut Vec<Finding>) {}

    /// Frames were lost: what did not come may have come unseen.
    fn on_gap(&mut self, _gap: &Gap, _last: &LastSegments) {}
}

/// A threshold that a rule file may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    pub name: &'static str,
    pub default: f64,
    pub least: f64,
    pub most: f64,
    /// What it means, for `rules show` and for the error that refuses a value.
    pub what: &'static str,
}
