//! The text of a rule file: read, and where it is in order, in force over a trace that fires many rules.

use esp_tcpwatch::analysis::{
    play,
    rule::{RuleSet, Scene, load},
    wire::notation::{self, Step},
};

/// The trace of the defect that this program was made for.
const TRACE: &str = include_str!("../../tests/scripts/ignored-rst.seg");
const FILE: &str = "fuzz.toml";
/// Tests of the rule's own, and steps of each, that are played.
const TESTS: usize = 4;
const STEPS: usize = 100;

thread_local! {
    static STEPS_OF_TRACE: Vec<Step> = {
        let mut traces = notation::parse(TRACE).expect("it is played by the tests as well");
        traces.swap_remove(0).steps
    };
}

pub fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Err(fault) = load::parse(FILE, text) {
        return assert!(fault.line <= text.lines().count() + 1, "{fault}");
    }
    let rules = RuleSet::with_files(&[(FILE.to_owned(), text.to_owned())]);
    let rules = rules.expect("a rule that is in order alone is in order among the others");
    let once = STEPS_OF_TRACE.with(|steps| play::play(steps, rules.clone()));
    let again = STEPS_OF_TRACE.with(|steps| play::play(steps, rules.clone()));
    assert_eq!(once, again);
    for rule in rules.iter().filter(|rule| rule.file == FILE) {
        for test in rule.tests.iter().take(TESTS) {
            let Scene::Script(steps) = &test.scene else { continue };
            if steps.len() <= STEPS {
                let played = play::play(steps, rules.clone());
                let _ = test.judge(&rule.id, &played.findings);
            }
        }
    }
}
