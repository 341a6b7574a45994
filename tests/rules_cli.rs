//! The `rules` commands as a person meets them: tests that rule files bring along, pages, overrides.

mod support;

use std::fs;
use std::path::Path;

use esp_tcpwatch::analysis::rule::wording::PLACEHOLDERS;
use support::{code, run, stderr, stdout};

/// `rules/<id>.toml` up to its own tests, and then `tests`.
fn rule_with(id: &str, tests: &str) -> String {
    let text = fs::read_to_string(format!("rules/{id}.toml")).unwrap();
    let (rule, _) = text.split_once("[[test]]").unwrap();
    format!("{rule}{tests}")
}

fn directory(file: &str, text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(file), text).unwrap();
    dir
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_tests_of_the_built_in_rules_hold() {
    let output = run(&["rules", "test"]);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    assert!(text.lines().any(|line| line.starts_with("ok      ignored-rst: ")), "{text}");
    assert!(text.lines().last().unwrap().starts_with("all "), "{text}");
}

#[test]
fn a_test_that_does_not_hold_is_told_with_its_place_its_frames_and_exit_code_1() {
    let good = fs::read_to_string("rules/time-wait-collision.toml").unwrap();
    let line = good.lines().position(|line| line == "[[test]]").unwrap() + 2;
    for (from, to, told) in [
        ("fires = 1", "fires = 3", "expected 3 findings of time-wait-collision, got 1"),
        ("fires = 1", "silent = true", "expected silence of time-wait-collision, got 1"),
    ] {
        let dir = directory("mine.toml", &good.replacen(from, to, 1));
        let output = run(&["rules", "test", name(dir.path())]);
        let text = stdout(&output);
        assert_eq!(code(&output), 1, "{text}{}", stderr(&output));
        let place = format!("{}:{line}: {told}", name(&dir.path().join("mine.toml")));
        for part in
            ["FAILED  time-wait-collision: a reused port", &place, "in frames ", "1 of ", "ok      ignored"]
        {
            assert!(text.contains(part), "`{part}` is missing in\n{text}");
        }
    }
}

#[test]
fn a_capture_beside_the_rule_file_is_a_test_too() {
    let tests = "[[test]]\nname = \"from the wire\"\ncapture = \"wire.pcap\"\nfires = 2\n";
    let dir = directory("mine.toml", &rule_with("time-wait-collision", tests));
    fs::write(dir.path().join("wire.pcap"), support::refused()).unwrap();
    let output = run(&["rules", "test", name(dir.path())]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("ok      time-wait-collision: from the wire\n"));

    fs::write(dir.path().join("wire.pcap"), support::accepted()).unwrap();
    assert_eq!(code(&run(&["rules", "test", name(dir.path())])), 1);

    fs::remove_file(dir.path().join("wire.pcap")).unwrap();
    let output = run(&["rules", "test", name(dir.path())]);
    assert_eq!(code(&output), 4);
    assert!(
        stderr(&output).contains("wire.pcap") && stderr(&output).contains("mine.toml:"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_pages_of_the_rules_are_what_the_rules_say() {
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(code(&run(&["rules", "docs", name(fresh.path())])), 0);
    let pages = |dir: &Path| -> Vec<(String, String)> {
        let mut pages: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        pages.sort();
        pages
    };
    let (generated, kept) = (pages(fresh.path()), pages(Path::new("docs/rules")));
    let names = |pages: &[(String, String)]| pages.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&generated), "docs/rules is out of date; run: make rule-docs");
    for ((page, text), (_, wanted)) in kept.iter().zip(&generated) {
        assert!(text == wanted, "docs/rules/{page} is out of date; run: make rule-docs");
        for placeholder in PLACEHOLDERS {
            assert!(
                !text.contains(&format!("{{{placeholder}}}")),
                "docs/rules/{page}: {placeholder} in braces"
            );
        }
    }
}

/// The alerts of `rule`, as (severity, count), and the certainties of its findings, with `overrides` in its file.
fn judged(capture: &[u8], rule: &str, overrides: &str) -> (Vec<(String, u64)>, Vec<String>) {
    let dir = directory("mine.toml", &rule_with(rule, overrides));
    let capture_file = dir.path().join("wire.pcap");
    fs::write(&capture_file, capture).unwrap();
    let output = run(&["-r", name(&capture_file), "--json", "--rules", name(dir.path())]);
    assert!(code(&output) < 2, "{}", stderr(&output));
    let events = support::events(&stdout(&output));
    let of_rule = |kind| support::of_type(&events, kind).into_iter().filter(|event| event["rule"] == rule);
    let ended = of_rule("alert").filter(|alert| alert["phase"] == "ended");
    (
        ended
            .map(|alert| (alert["severity"].as_str().unwrap().to_owned(), alert["count"].as_u64().unwrap()))
            .collect(),
        of_rule("finding").map(|finding| finding["certainty"].as_str().unwrap().to_owned()).collect(),
    )
}

#[test]
fn an_override_judges_its_port_and_its_device_alone() {
    let info = |place: &str| format!("[[override]]\n{place}\nseverity = \"info\"\n");
    let severity = |overrides: &str| {
        let (alerts, findings) = judged(&support::refused(), "time-wait-collision", overrides);
        assert_eq!(findings.len(), 2, "an override of severity hides nothing");
        alerts
    };
    let (is, stays) = (vec![("info".to_owned(), 2)], vec![("critical".to_owned(), 2)]);
    assert_eq!(severity(&info("port = 80")), is);
    assert_eq!(severity(&info("device = \"10.77.0.2\"")), is);
    assert_eq!(severity(&info("device = \"10.77.0.2\"\nport = 80")), is);
    assert_eq!(severity(&info("port = 8080")), stays);
    assert_eq!(severity(&info("device = \"10.77.0.3\"\nport = 80")), stays);
    let two = format!("{}[[override]]\nport = 80\nseverity = \"notice\"\n", info("port = 8080"));
    assert_eq!(severity(&two), [("notice".to_owned(), 2)]);
    assert_eq!(severity("[[override]]\nport = 80\npolicy.at_least = 3\n"), []);
    assert_eq!(severity("[[override]]\nport = 8080\npolicy.at_least = 3\n"), stays);
}

#[test]
fn an_override_of_a_parameter_reaches_the_detector_and_doubles_nothing() {
    let certainties = |place: &str| {
        let overrides = format!("[[override]]\n{place}\nparameters.confirm_cycles = 1\n");
        judged(&support::pcap_of("ignored-rst", 0), "ignored-rst", &overrides).1
    };
    assert_eq!(certainties("port = 80"), ["inferred", "inferred"]);
    assert_eq!(certainties("port = 8080"), ["suspected", "inferred"]);
}

#[test]
fn a_failed_test_names_few_of_many_findings_and_nothing_acts_on_the_terminal() {
    let cycle = |at: u32| {
        format!("+0.{at}1 A > B S 9000:9000(0) win 64240\n+0.{at}2 B > A . 5002:5002(0) ack 1002 win 5743\n")
    };
    let cycles: String = (10..40).map(cycle).collect();
    let tests = format!(
        "[[test]]\nname = \"a\\u001b[2Jb\"\nsilent = true\nscript = '''\n\
         +0 A > B S 1000:1000(0) win 64240\n+0.001 B > A S. 5000:5000(0) ack 1001 win 5744\n\
         +0.002 A > B . 1001:1001(0) ack 5001 win 64240\n+0.003 B > A F. 5001:5001(0) ack 1001 win 5744\n\
         +0.004 A > B F. 1001:1001(0) ack 5002 win 64240\n+0.005 B > A . 5002:5002(0) ack 1002 win 5743\n\
         {cycles}'''\n"
    );
    let dir = directory("mine.toml", &rule_with("time-wait-collision", &tests));
    let output = run(&["rules", "test", name(dir.path())]);
    let text = stdout(&output);
    assert_eq!(code(&output), 1, "{text}{}", stderr(&output));
    assert!(text.contains("expected silence of time-wait-collision, got 30"), "{text}");
    assert!(text.contains(" more\n") && text.lines().count() < 40 && !text.contains('\u{1b}'), "{text}");
}
