//! The `rules` commands as a person meets them: tests that rule files bring along, pages, overrides.

mod support;

use std::fs;
use std::path::Path;

use esp_tcpwatch::analysis::rule::{RuleSet, wording::PLACEHOLDERS};
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
fn every_built_in_rule_brings_a_test_that_fires_and_one_that_is_silent() {
    let (with, without) = (RuleSet::read_with_tests(&[]).unwrap(), RuleSet::built_in().unwrap());
    for (rule, bare) in with.iter().zip(without.iter()) {
        // They stand last in the file, so nothing else is left out where they are.
        let mut stripped = rule.clone();
        stripped.tests.clear();
        assert_eq!(&stripped, bare);
        assert!(rule.tests.iter().any(|test| test.fires > 0), "rules/{}.toml: no test fires", rule.id);
        assert!(rule.tests.iter().any(|test| test.fires == 0), "rules/{}.toml: no test is silent", rule.id);
    }
    assert!(!stdout(&run(&["rules", "test"])).contains("without a test"));
}

#[test]
fn a_rule_that_was_broken_fails_its_own_test() {
    for (id, from, to, told) in [
        ("zero-window", "closed_s = 3.0", "closed_s = 60.0", "expected 1 finding of zero-window, got 0"),
        ("zero-window", "closed_s = 3.0", "closed_s = 1.0", "expected silence of zero-window, got 1"),
        ("rst-storm", "pairs = 50", "pairs = 500", "expected 1 finding of rst-storm, got 0"),
    ] {
        let good = fs::read_to_string(format!("rules/{id}.toml")).unwrap();
        assert!(good.contains(from), "rules/{id}.toml changed: {from}");
        let dir = directory("mine.toml", &good.replacen(from, to, 1));
        let output = run(&["rules", "test", name(dir.path())]);
        let text = stdout(&output);
        assert_eq!(code(&output), 1, "{text}{}", stderr(&output));
        for part in [&format!("FAILED  {id}: "), told, "mine.toml:", "1 of "] {
            assert!(text.contains(part), "`{part}` is missing in\n{text}");
        }
    }
}

const OWN: &str = r#"id = "web-refused"
severity = "notice"
listens_to = "finding"
when = 'rule == "time-wait-collision" && server_port == 80 && quantities.attempt >= 2.0'
title = "{device} refused {client} twice"
why = ""
remedies = []
references = []

[policy]
at_least = 1
within_s = 60.0
cooldown_s = 60.0
group_by = "device"

[[test]]
name = "twice refused"
fires = 1
capture = "wire.pcap"
"#;

#[test]
fn a_rule_of_ones_own_is_listed_shown_checked_and_tested() {
    let dir = directory("mine.toml", OWN);
    let at = name(dir.path());
    fs::write(dir.path().join("wire.pcap"), support::refused()).unwrap();

    let list = stdout(&run(&["rules", "list", "--rules", at]));
    assert!(list.contains("notice    web-refused "), "{list}");
    assert_eq!(list.lines().filter(|line| line.contains("  (own) ")).count(), 1, "{list}");
    assert!(!stdout(&run(&["rules", "list"])).contains("(own)"));

    let shown = stdout(&run(&["rules", "show", "web-refused", "--rules", at]));
    assert!(shown.starts_with(OWN), "{shown}");
    for part in ["#   rule == \"time-wait-collision\"", "# server_port ", "# quantities.attempt ", "may use"]
    {
        assert!(shown.contains(part), "`{part}` is missing in\n{shown}");
    }
    let again = directory("again.toml", &shown);
    assert_eq!(code(&run(&["rules", "check", name(again.path())])), 0, "what is shown is a rule file");

    assert!(stdout(&run(&["rules", "check", at])).contains("1 rule files are sound"));
    let output = run(&["rules", "test", at]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("ok      web-refused: twice refused\n"));

    let unknown = run(&["rules", "show", "nothing", "--rules", at]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("web-refused"), "{}", stderr(&unknown));
}

#[test]
fn a_failed_test_of_ones_own_rule_tells_what_it_heard_and_what_it_looked_at() {
    let dir = directory("mine.toml", &OWN.replace(">= 2.0", ">= 9.0"));
    fs::write(dir.path().join("wire.pcap"), support::refused()).unwrap();
    let output = run(&["rules", "test", name(dir.path())]);
    let text = stdout(&output);
    assert_eq!(code(&output), 1, "{text}");
    for part in [
        "FAILED  web-refused: twice refused",
        "mine.toml:17: expected 1 finding of web-refused, got 0",
        "heard: time-wait-collision in frames 10, 11: it does not hold; ",
        "quantities.attempt is 1.0, rule is \"time-wait-collision\", server_port is 80",
        "heard: ignored-rst in frames ",
        "quantities.attempt is absent",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let flow = OWN.replace("\"finding\"", "\"flow\"").replacen(
        "rule == \"time-wait-collision\"",
        "client_bytes > 9000",
        1,
    );
    let flow = flow.replace(" && quantities.attempt >= 2.0", "");
    fs::write(dir.path().join("mine.toml"), flow).unwrap();
    let output = run(&["rules", "test", name(dir.path())]);
    let text = stdout(&output);
    assert_eq!(code(&output), 1, "{text}{}", stderr(&output));
    assert!(text.contains("heard: flow in frames 1: it does not hold; client_bytes is 0"), "{text}");
}

#[test]
fn every_fault_of_every_file_is_told_at_once() {
    let dir = directory("a.toml", &OWN.replace("server_port", "serverport").replace("{client}", "{who}"));
    fs::write(dir.path().join("b.toml"), OWN.replace("at_least = 1", "at_least = 0").replace("web-", "Web-"))
        .unwrap();
    fs::write(dir.path().join("c.toml"), "id = \n").unwrap();
    fs::write(dir.path().join("wire.pcap"), support::refused()).unwrap();
    let output = run(&["rules", "check", name(dir.path())]);
    assert_eq!(code(&output), 2);
    let text = stderr(&output);
    for part in [
        "a.toml:4:42: key `when`: `serverport` is no field",
        "a.toml:5:27: key `title`: nobody fills {who}",
        "b.toml:1:1: key `id`",
        "b.toml:11:1: key `at_least`",
        "c.toml:1:",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    // The same from a command that would only use them.
    let watch = run(&["-r", name(&dir.path().join("wire.pcap")), "--headless", "--rules", name(dir.path())]);
    assert_eq!((code(&watch), stderr(&watch)), (2, text));
}

#[test]
fn the_fields_are_listed_and_the_page_holds_the_same_list() {
    let all = stdout(&run(&["rules", "fields"]));
    let one = stdout(&run(&["rules", "fields", "device"]));
    for part in ["listens_to = \"device\"", "time_wait.held_now ", "has(FIELD)"] {
        assert!(all.contains(part) && one.contains(part), "`{part}` is missing");
    }
    assert!(all.contains("quantities.attempt ") && !one.contains("quantities."), "{one}");
    assert_eq!(code(&run(&["rules", "fields", "alert"])), 2);

    let fresh = tempfile::tempdir().unwrap();
    let page = fresh.path().join("page.md");
    let kept = fs::read_to_string("docs/writing-rules.md").unwrap();
    fs::write(&page, &kept).unwrap();
    let output = run(&["rules", "docs", name(&fresh.path().join("rules")), "--fields", name(&page)]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        fs::read_to_string(&page).unwrap() == kept,
        "docs/writing-rules.md is out of date; run: make rule-docs"
    );
    assert!(kept.contains("| `time_wait.held_now` | int |  | `4` |"));
    fs::write(&page, "# nothing\n").unwrap();
    let output = run(&["rules", "docs", name(&fresh.path().join("rules")), "--fields", name(&page)]);
    assert!(code(&output) == 4 && stderr(&output).contains("page.md"), "{}", stderr(&output));
}

#[test]
fn a_rule_of_ones_own_alerts_like_any_other() {
    let dir = directory("mine.toml", &OWN.replace("\"notice\"", "\"critical\""));
    let wire = dir.path().join("wire.pcap");
    fs::write(&wire, support::refused()).unwrap();
    let output = run(&["-r", name(&wire), "--json", "--rules", name(dir.path())]);
    assert_eq!(code(&output), 1);
    let events = support::events(&stdout(&output));
    let start = &support::of_type(&events, "start")[0];
    assert_eq!(start["rules"].as_array().unwrap().last().unwrap(), "web-refused");
    let mine = |kind: &str| -> Vec<_> {
        support::of_type(&events, kind).into_iter().filter(|event| event["rule"] == "web-refused").collect()
    };
    let (findings, alerts) = (mine("finding"), mine("alert"));
    assert_eq!((findings.len(), alerts.len()), (1, 2), "raised and ended");
    assert_eq!(alerts[0]["findings"], serde_json::json!([findings[0]["id"]]));
    let cause = findings[0]["caused_by"][0].as_u64().unwrap();
    let heard = support::of_type(&events, "finding").into_iter().find(|event| event["id"] == cause).unwrap();
    assert_eq!((&heard["rule"], &heard["frames"]), (&"time-wait-collision".into(), &findings[0]["frames"]));
    assert_eq!(support::summary(&stdout(&output))["alerts"]["web-refused"], 1);
    let lines = stdout(&run(&["-r", name(&wire), "--headless", "--rules", name(dir.path())]));
    assert!(lines.contains("CRITICAL web-refused (proven) 10.77.0.1:40000 -> 10.77.0.2:80: "), "{lines}");
    let report = stdout(&run(&["report", name(&wire)]));
    assert!(!report.contains("web-refused"), "without the directory it is not in force");
}

#[test]
fn a_rule_over_flows_hears_them_also_where_they_are_not_written() {
    let flow = OWN.replace("\"finding\"", "\"flow\"").replacen(
        "rule == \"time-wait-collision\"",
        "change == \"opened\"",
        1,
    );
    let dir = directory("mine.toml", &flow.replace(" && quantities.attempt >= 2.0", ""));
    let wire = dir.path().join("wire.pcap");
    fs::write(&wire, support::accepted()).unwrap();
    let written = |more: &[&str]| {
        let events = support::events(&stdout(&run(&[
            &["-r", name(&wire), "--json", "--rules", name(dir.path())],
            more,
        ]
        .concat())));
        let mine =
            support::of_type(&events, "finding").into_iter().filter(|event| event["rule"] == "web-refused");
        (
            support::of_type(&events, "flow").len(),
            mine.map(|event| event["frames"].clone()).collect::<Vec<_>>(),
        )
    };
    let ((none, quiet), (some, loud)) = (written(&[]), written(&["--events", "flow"]));
    assert!(none == 0 && some > 2 && quiet.len() == 2, "{quiet:?}");
    assert_eq!(quiet, loud);
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

/// The three requests in vain lie at 1, 2 and 3 s, and nothing of a device that is silent has a port.
#[test]
fn an_override_reaches_a_rule_that_lives_on_signs_of_life() {
    let told = |numbers: &str| {
        let overrides = format!("[[override]]\ndevice = \"10.77.0.2\"\n{numbers}\n");
        judged(&support::pcap_of("device-silent", 1), "device-silent", &overrides).1.len()
    };
    let as_built_in = told("parameters.asked = 3.0");
    assert!(as_built_in > 0, "the numbers are the rule's own, and it fires");
    assert_eq!(told("parameters.asked = 900.0"), 0);
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
    let told = text.lines().filter(|line| line.starts_with("         ")).count();
    assert!(text.contains(" more\n") && told < 20 && !text.contains('\u{1b}'), "{text}");
}
