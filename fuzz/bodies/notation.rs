//! A trace as text (`.seg`), and what the engine makes of it.

use esp_tcpwatch::analysis::{
    play,
    rule::RuleSet,
    wire::notation::{self, Step},
};

/// Steps that are played: more of them only take longer.
const STEPS: usize = 200;

thread_local! {
    static RULES: RuleSet = RuleSet::built_in().expect("the built-in rules are in order");
}

pub fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let traces = match notation::parse(text) {
        Ok(traces) => traces,
        Err(error) => return assert!((1..=text.lines().count()).contains(&error.line), "{error}"),
    };
    let mut steps = 0;
    for trace in traces {
        for step in &trace.steps {
            if let Step::Frame { at_s, .. } | Step::Tick { at_s } | Step::Account { at_s, .. } = step {
                assert!(at_s.is_finite() && *at_s >= 0.0, "a step at {at_s} s");
            }
        }
        steps += trace.steps.len();
        if steps > STEPS {
            return;
        }
        let played = play::play(&trace.steps, RULES.with(RuleSet::clone));
        let frames = trace.steps.iter().filter(|step| matches!(step, Step::Frame { .. })).count() as u64;
        let summary = played.summary.expect("the last word is a summary");
        assert_eq!(summary.frames, frames);
        for finding in &played.findings {
            assert!(finding.frames.iter().all(|frame| (1..=frames).contains(frame)), "{finding:?}");
        }
    }
}
