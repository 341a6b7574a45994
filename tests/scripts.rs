//! Every trace of `tests/scripts/*.seg` through the engine: what fires, what stays silent, on which frames.

use std::{collections::BTreeMap, fs, path::Path};

use esp_tcpwatch::analysis::{
    detect::{Finding, REGISTRY},
    event::Summary,
    play,
    rule::{RuleSet, built_in_sources},
    wire::notation::{self, Expectation, Step, Trace},
};

#[test]
fn every_trace_gives_what_it_expects() {
    let mut run = 0;
    let mut faults = Vec::new();
    for (file, text) in scripts() {
        for trace in notation::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}")) {
            assert!(!trace.expectations.is_empty(), "{file}: trace `{}` expects nothing", trace.name);
            let (findings, summary) = play(&trace);
            for expectation in &trace.expectations {
                if let Err(fault) = holds(expectation, &findings, &summary) {
                    faults.push(format!("{file}:{}: trace `{}`: {fault}", expectation.line, trace.name));
                }
            }
            run += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(run >= 16, "only {run} traces were found");
}

/// An idle interface sends ticks, and a recording of it has none: the findings must be the same.
#[test]
fn ticks_between_the_frames_change_no_finding() {
    let (mut run, mut ticks) = (0, 0);
    for (file, text) in scripts() {
        for trace in notation::parse(&text).unwrap() {
            let mut ticking = trace.clone();
            ticking.steps.clear();
            let mut now = 0.0;
            for step in &trace.steps {
                if let Step::Frame { at_s, .. } | Step::Tick { at_s } = step {
                    // Longer silences are made up for in part only: two and a half minutes of them.
                    if now > 0.0 && at_s - now < 150.0 {
                        while now + 0.037 < *at_s {
                            now += 0.037;
                            ticking.steps.push(Step::Tick { at_s: now });
                            ticks += 1;
                        }
                    }
                    now = at_s.max(now);
                }
                ticking.steps.push(step.clone());
            }
            assert_eq!(play(&ticking).0, play(&trace).0, "{file}: trace `{}`", trace.name);
            run += 1;
        }
    }
    assert!(run >= 16 && ticks > 10_000, "{run} traces, {ticks} ticks");
}

#[test]
fn every_detector_has_its_rule_and_a_script_that_fires_and_one_that_does_not() {
    let rule_files: Vec<_> = names("rules", "toml");
    let script_files: Vec<_> = names("tests/scripts", "seg");
    let registry: Vec<_> = REGISTRY.iter().map(|detector| detector.id.to_owned()).collect();
    assert_eq!(rule_files, registry, "rules/*.toml and the registry, both sorted");
    assert_eq!(script_files, registry, "tests/scripts/*.seg and the registry, both sorted");
    assert_eq!(built_in_sources().iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(), registry);
    for (file, text) in scripts() {
        let id = Path::new(&file).file_stem().unwrap().to_string_lossy().into_owned();
        let counts: Vec<usize> = notation::parse(&text)
            .unwrap()
            .iter()
            .map(|trace| play(trace).0.iter().filter(|finding| finding.rule == id).count())
            .collect();
        assert!(counts.iter().any(|count| *count > 0), "{file}: no trace fires {id}");
        assert!(counts.contains(&0), "{file}: no trace leaves {id} silent");
    }
}

#[test]
fn an_expectation_that_does_not_hold_is_noticed() {
    let text = fs::read_to_string("tests/scripts/time-wait-collision.seg").unwrap();
    let trace = &notation::parse(&text).unwrap()[0];
    let (findings, summary) = play(trace);
    for wrong in [
        "time-wait-collision 3",
        "time-wait-collision 2 suspected",
        "ignored-rst frames 1,2,3",
        "behaves_as mixed",
        "nonsense 1",
    ] {
        let words = wrong.split(' ').map(str::to_owned).collect();
        assert!(
            holds(&Expectation { line: 1, words }, &findings, &summary).is_err(),
            "`{wrong}` was taken for true"
        );
    }
}

#[test]
fn notation_errors_name_the_line_and_what_was_expected() {
    for (text, line, what) in [
        ("trace x\n+0 A > B S 1:1(0) win 5\n+x A > B S 1:1(0)", 3, "expected a time"),
        ("+0 A > E S 1:1(0)", 1, "expected A, B, C, D or N"),
        ("+0 A > B who-has 1", 1, "nothing may follow"),
        ("+0 A:many > B S 1:1(0)", 1, "expected a port"),
        ("+0 A > B S 1:5(0)", 1, "do not end at 5"),
        ("+0 A > B Q 1:1(0)", 1, "flag `Q`"),
        ("+0 A > B . 1:1(0)", 1, "go together"),
        ("expect", 1, "expect` what"),
        ("gap many", 1, "number of frames"),
        ("tick 9", 1, "expected a time"),
        ("account A", 1, "expected a time"),
        ("account +5 E", 1, "expected A, B, C, D or N"),
        ("account +5 A msl", 1, "`msl` needs a number"),
        ("account +5 A/-1", 1, "expected seconds"),
        ("account +5 evicted some", 1, "expected a number"),
    ] {
        let error = notation::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text}");
        assert!(error.what.contains(what), "{text}: {error}");
    }
}

fn play(trace: &Trace) -> (Vec<Finding>, Summary) {
    let played = play::play(&trace.steps, RuleSet::built_in().unwrap());
    (played.findings, played.summary.expect("every run ends with a summary"))
}

fn holds(expectation: &Expectation, findings: &[Finding], summary: &Summary) -> Result<(), String> {
    let words: Vec<&str> = expectation.words.iter().map(String::as_str).collect();
    let device = summary.devices.first();
    let fact = |name: &str, got: Option<String>, wanted: &str| match got {
        Some(got) if got == wanted => Ok(()),
        got => Err(format!("{name} is {got:?}, expected {wanted}")),
    };
    let of_rule: Vec<&Finding> = findings.iter().filter(|finding| finding.rule == words[0]).collect();
    let is_rule = REGISTRY.iter().any(|detector| detector.id == words[0]);
    match words.as_slice() {
        [_, "frames", wanted @ ..] if is_rule => {
            let got: Vec<String> = of_rule
                .iter()
                .map(|finding| finding.frames.iter().map(u64::to_string).collect::<Vec<_>>().join(","))
                .collect();
            fact("frames", Some(got.join(" ")), &wanted.join(" "))
        }
        [rule, count, certainty @ ..] if is_rule => {
            fact(rule, Some(of_rule.len().to_string()), count)?;
            match (certainty, of_rule.last()) {
                ([wanted], Some(last)) => fact("certainty", Some(last.certainty.to_string()), wanted),
                ([], _) => Ok(()),
                _ => Err("a certainty needs a finding".to_owned()),
            }
        }
        ["incarnations", wanted] => fact("incarnations", Some(summary.incarnations.to_string()), wanted),
        ["alerts", wanted] => fact("alerts", Some(summary.alerts.values().sum::<u64>().to_string()), wanted),
        [name, wanted] => {
            let facts: BTreeMap<&str, Option<String>> = device.map_or_else(BTreeMap::new, |facts| {
                let number = |value: Option<f64>| value.map(|value| value.to_string());
                BTreeMap::from([
                    ("behaves_as", Some(facts.behaves_as.to_string())),
                    ("rst_in_time_wait", Some(facts.rst_in_time_wait.to_string())),
                    ("syn_in_time_wait", Some(facts.syn_in_time_wait.to_string())),
                    ("entered", Some(facts.time_wait.entered.to_string())),
                    ("syns", Some(facts.time_wait.syns.to_string())),
                    ("rsts", Some(facts.time_wait.rsts.to_string())),
                    ("accepted_from_s", number(facts.time_wait.accepted_from_s)),
                    ("msl_at_most", number(facts.msl_s.at_most)),
                    ("msl_at_least", number(facts.msl_s.at_least)),
                ])
            });
            fact(name, facts.get(name).cloned().flatten(), wanted)
        }
        _ => Err(format!("`{}` means nothing", words.join(" "))),
    }
}

fn scripts() -> Vec<(String, String)> {
    let mut files: Vec<_> =
        fs::read_dir("tests/scripts").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

fn names(dir: &str, extension: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
