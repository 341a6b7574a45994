//! The report of an experiment, made from results alone: held by snapshots, read by its readers' parsers, and told to nobody
//! whose business it is not.

#[path = "report/read.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "tests/report_formats.rs takes more of it")]
mod read;
mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{code, run, stderr, stdout};

/// Made on the twin: `demo --experiment --duration 4s --keep DIR -o FILE`.
const TWO_ARMS: &str = "tests/data/unfixed-against-fixed.jsonl";
/// Every remedy, by the command in `docs/remedies.md`.
const ALL_ARMS: &str = "tests/data/remedies.jsonl";
/// From a program that did not note what was held, nor which firmware it met.
const OLDER: &str = "tests/data/unfixed-against-unfixed.jsonl";

const TEMPLATES: [&str; 3] = ["generic", "micropython", "esp-idf"];

fn report(results: &str, words: &[&str]) -> String {
    let words = [&["report", results][..], words].concat();
    let output = run(&words);
    assert_eq!(code(&output), 0, "{words:?}: {}", stderr(&output));
    stdout(&output)
}

/// `results` with each line as `change` has it; `None`: without the line.
fn changed(results: &str, dir: &Path, change: &mut dyn FnMut(&mut Value) -> Option<()>) -> String {
    let mut text = String::new();
    for line in fs::read_to_string(results).unwrap().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if change(&mut line).is_some() {
            // As the program writes it: what a line is stands first.
            let kind = line.as_object_mut().unwrap().remove("type").unwrap();
            text.push_str(&format!("{{\"type\":{kind},{}\n", &line.to_string()[1..]));
        }
    }
    let path = dir.join(format!("{}.jsonl", fs::read_dir(dir).unwrap().count()));
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn is_block(line: &Value) -> bool {
    line["type"] == "block"
}

/// A head line, and nothing else.
fn nothing_measured(dir: &Path) -> String {
    changed(TWO_ARMS, dir, &mut |line| (line["type"] == "experiment").then_some(()))
}

/// The control answered at once.
fn control_failed(dir: &Path) -> String {
    changed(TWO_ARMS, dir, &mut |line| {
        if is_block(line) && line["slot"].is_null() {
            line["wire"]["findings"] = json!({});
            line["device"]["stale_acks"] = 0.into();
            for reuse in line["reuses"].as_array_mut().unwrap() {
                reuse["outcome"] = "answered".into();
                (reuse["connect_s"], reuse["took_s"]) = (0.002.into(), 0.004.into());
            }
        }
        (!is_block(line) || line["slot"].is_null()).then_some(())
    })
}

/// Its ports were held by the client's computer, though the device held them too.
fn one_arm_not_measurable(dir: &Path) -> String {
    changed(TWO_ARMS, dir, &mut |line| {
        if is_block(line) && line["arm"] == "fixed" {
            for reuse in line["reuses"].as_array_mut().unwrap() {
                (reuse["outcome"], reuse["connect_s"]) = ("port-held".into(), Value::Null);
            }
        }
        Some(())
    })
}

/// A device that says what it likes, under a name of its own.
fn hostile(dir: &Path) -> String {
    let text = "</script><img src=x onerror=alert(1)> | `a` **b** [c](javascript:d) @e \u{1b}[2J \u{202e} 192.168.7.9";
    changed(TWO_ARMS, dir, &mut |line| {
        if line["type"] == "experiment" {
            line["device"] = "kitchen.local".into();
        }
        if is_block(line) {
            line["device"]["firmware"] = text.into();
            line["began"] = text.into();
            line["recording"] = format!("/home/alice/{text}").into();
            if line["slot"] == 1 {
                line["spoilt"] = format!("kitchen.local went silent: {text}").into();
            }
        }
        Some(())
    })
}

fn odd(dir: &Path) -> Vec<String> {
    vec![nothing_measured(dir), control_failed(dir), one_arm_not_measurable(dir), hostile(dir)]
}

#[test]
fn two_arms_in_every_format() {
    insta::assert_snapshot!("two_arms_markdown", report(TWO_ARMS, &[]));
    let html = report(TWO_ARMS, &["--format", "html"]);
    // The style is a file of its own.
    let (head, rest) = html.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    insta::assert_snapshot!("two_arms_html", format!("{head}{rest}"));
    // Of points and dots a few stand for all.
    let mut json: Value = serde_json::from_str(&report(TWO_ARMS, &["--format", "json"])).unwrap();
    for arm in json["experiment"]["arms"].as_array_mut().unwrap() {
        assert_eq!(
            (arm["connects"].as_array().unwrap().len(), arm["held"].as_array().unwrap().len()),
            (40, 61)
        );
        arm["connects"].as_array_mut().unwrap().truncate(2);
        arm["held"].as_array_mut().unwrap().truncate(2);
    }
    insta::assert_snapshot!("two_arms_json", serde_json::to_string_pretty(&json).unwrap());
    insta::assert_snapshot!("two_arms_micropython", report(TWO_ARMS, &["--template", "micropython"]));
}

#[test]
fn every_remedy() {
    insta::assert_snapshot!("all_arms_markdown", report(ALL_ARMS, &[]));
}

#[test]
fn a_failed_control_and_an_arm_that_could_not_be_tried_are_said_first() {
    let dir = tempfile::tempdir().unwrap();
    let page = report(&control_failed(dir.path()), &[]);
    assert!(page.contains("\n**Not measurable: unfixed, and with 10 ports used again, 0 suffered"), "{page}");
    assert!(page.contains("**The positive control failed**"), "{page}");
    let page = report(&one_arm_not_measurable(dir.path()), &[]);
    assert!(
        page.contains("fixed: not measurable. 40 of 40 ports could not be used again by this computer"),
        "{page}"
    );
    assert!(page.contains("| `fixed` | not measurable | 4 |"), "{page}");
    let page = report(&nothing_measured(dir.path()), &[]);
    assert!(page.contains("**The positive control did not come about.** Nothing was compared."), "{page}");
    assert!(page.contains("0 blocks of 8 planned"), "{page}");
}

#[test]
fn an_interrupted_one_says_how_far_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let some = changed(TWO_ARMS, dir.path(), &mut |line| {
        (line["slot"].as_u64().is_none_or(|slot| slot < 5)).then_some(())
    });
    assert!(report(&some, &[]).contains("**Not finished: 5 of 8 blocks are there."));
    let json: Value = serde_json::from_str(&report(&some, &["--format", "json"])).unwrap();
    assert_eq!((&json["complete"], &json["experiment"]["set_up"]["blocks_done"]), (&false.into(), &5.into()));
    let whole: Value = serde_json::from_str(&report(TWO_ARMS, &["--format", "json"])).unwrap();
    assert_eq!(
        (&whole["complete"], &whole["experiment"]["conclusion"]),
        (&true.into(), &"as-declared".into())
    );
}

#[test]
fn its_readers_read_it_as_it_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let usual = [TWO_ARMS, ALL_ARMS, OLDER].map(str::to_owned);
    for results in usual.into_iter().chain(odd(dir.path())) {
        for template in TEMPLATES {
            let text = report(&results, &["--template", template]);
            let read = read::markdown(&text);
            assert_eq!(read.foreign, Vec::<String>::new(), "{results} {template}");
            assert_eq!(read.opened, read.closed, "{results} {template}");
            assert!(read.links.is_empty() && text.chars().count() < 65_536, "{results} {:?}", read.links);
            assert!(read.headings.iter().any(|heading| heading == "How it was done"), "{:?}", read.headings);
            let html = report(&results, &["--template", template, "--format", "html"]);
            let read = read::html(&html);
            assert_eq!((read.errors, read.foreign), (vec![], vec![]), "{results} {template}");
        }
    }
}

/// What the pictures draw is what was measured, and it is in words too.
#[test]
fn the_pictures_have_a_shape_for_everything_that_was_measured() {
    let html = report(TWO_ARMS, &["--format", "html"]);
    let count = |class: &str| html.matches(&format!("<rect class=\"{class}\"")).count();
    assert_eq!((count("connect"), count("refused")), (40, 40));
    assert!(count("held") > 4 && html.matches("<line class=\"own\"").count() > 2);
    for words in [
        "unfixed: none of 40 let in, given up after 4.00",
        "fixed: 40 of 40 let in, half within",
        "fixed: most by the wire 20, by its own list 12",
    ] {
        assert_eq!(html.matches(words).count(), 2, "{words}");
    }
    // Results of an older program: connects are drawn, and what was not noted is not.
    let older = report(OLDER, &["--format", "html"]);
    assert!(older.contains("How long connect() took") && !older.contains("<h2>Held in TIME-WAIT</h2>"));
    assert!(older.contains("Its firmware was not told."));
}

#[test]
fn a_report_names_nobody_unless_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let results = hostile(dir.path());
    let map = dir.path().join("map");
    for format in ["markdown", "html", "json"] {
        let shown = report(&results, &["--format", format, "--map", map.to_str().unwrap()]);
        for secret in ["kitchen", "alice", "192.168.7.9", "\u{1b}", "\u{202e}"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("host-1"), "{shown}");
        assert!(report(&results, &["--format", format, "--no-redact"]).contains("kitchen.local"));
    }
    let map = fs::read_to_string(map).unwrap();
    assert!(map.contains("kitchen.local") && map.contains("192.168.7.9"), "{map}");
    assert!(!report(TWO_ARMS, &[]).contains("10.77.0.2"));
}

#[test]
fn the_command_of_the_experiment_makes_the_same_page_from_results() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("p.html");
    let words = ["experiment", "--resume", TWO_ARMS, "--report", page.to_str().unwrap()];
    let output = run(&words);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&page).unwrap(), report(TWO_ARMS, &["--format", "html"]));
    // What holds something is not written over unasked.
    let output = run(&words);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(code(&run(&[&words[..], &["--force"]].concat())), 0);
    let packets = dir.path().join("x.pcapng");
    let packets = packets.to_str().unwrap();
    for (words, told) in [
        (&["report", TWO_ARMS, "--format", "pcapng", "-o", packets][..], "--keep DIR"),
        (&["report", TWO_ARMS, "-d", "10.77.0.2"], "leave -d out"),
        (&["experiment", "--resume", TWO_ARMS, "--report", packets], "--keep DIR"),
    ] {
        let output = run(words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(stderr(&output).contains(told), "{words:?}: {}", stderr(&output));
    }
}
