//! Rule files: what is replaced, and what a bad one is told.

use esp_tcpwatch::analysis::rule::{RuleSet, Severity, built_in_sources};

fn good() -> String {
    built_in_sources().iter().find(|(id, _)| *id == "ignored-rst").unwrap().1.to_owned()
}

fn error(text: &str) -> String {
    RuleSet::with_files(&[("my/ignored-rst.toml".to_owned(), text.to_owned())]).unwrap_err().to_string()
}

#[test]
fn a_file_replaces_the_built_in_rule_of_its_id() {
    let text = good()
        .replace("severity = \"warning\"", "severity = \"info\"")
        .replace("confirm_cycles = 2", "confirm_cycles = 5");
    let rules = RuleSet::with_files(&[("x.toml".to_owned(), text)]).unwrap();
    let rule = rules.get("ignored-rst").unwrap();
    assert_eq!((rule.severity, rule.settings.as_slice()), (Severity::Info, &[5.0][..]));
    assert_eq!(rules.get("time-wait-collision").unwrap().severity, Severity::Critical);
}

#[test]
fn a_bad_file_is_told_file_line_column_key_and_what_was_expected() {
    for (from, to, place, words) in [
        (
            "severity = \"warning\"",
            "severity = \"loud\"",
            "my/ignored-rst.toml:2:12: ",
            &["`severity`", "loud", "`critical`"][..],
        ),
        ("severity =", "severty =", "my/ignored-rst.toml:2:1: ", &["`severty`", "expected", "`severity`"]),
        ("at_least = 1", "at_least = \"one\"", ":16:12: ", &["`at_least`", "expected u64"]),
        ("at_least = 1", "at_least = 0", ":16:1: ", &["`at_least`", "1 or more"]),
        ("cooldown_s = 120.0", "cooldown_s = -1.0", ":18:1: ", &["`cooldown_s`", "above 0"]),
        ("group_by = \"device\"", "group_by = \"moon\"", ":19:12: ", &["`group_by`", "`tuple`"]),
        ("confirm_cycles = 2", "confirm_cycles = 0", ":23:1: ", &["`parameters.confirm_cycles`", "1 to 100"]),
        ("confirm_cycles = 2", "cycles = 2", ":23:1: ", &["`parameters.cycles`", "`confirm_cycles`"]),
        ("title = \"{device}", "title = \"{devise}", ":3:10: ", &["`title`", "{devise}", "{device}"]),
        (
            "id = \"ignored-rst\"",
            "id = \"ignored\"",
            ":1:1: ",
            &["`id`", "expected one of", "ignored-rst", "time-wait-collision", "app-stall"],
        ),
        ("[policy]", "[policy", ":14:", &["]"]),
    ] {
        assert!(good().contains(from), "the sample changed: {from}");
        let error = error(&good().replacen(from, to, 1));
        assert!(error.contains(place), "{to}: `{error}` should contain `{place}`");
        for word in words {
            assert!(error.contains(word), "{to}: `{error}` should contain `{word}`");
        }
    }
}

#[test]
fn a_missing_key_is_named() {
    let error = error(&good().replace("severity = \"warning\"\n", ""));
    assert!(error.contains("severity"), "{error}");
}

#[test]
fn one_rule_in_two_files_is_refused() {
    let files = [("a.toml".to_owned(), good()), ("b.toml".to_owned(), good())];
    let error = RuleSet::with_files(&files).unwrap_err().to_string();
    assert!(error.contains("b.toml") && error.contains("a.toml") && error.contains("ignored-rst"), "{error}");
}

#[test]
fn a_bad_test_table_is_told_file_line_and_what_was_expected() {
    let (rule, _) = good().split_once("[[test]]").map(|(rule, rest)| (rule.to_owned(), rest.len())).unwrap();
    let first = rule.lines().count() + 1;
    let script = "script = \"\"\"\n+0 A > B S 1:1(0)\n\"\"\"\n";
    for (test, line, words) in [
        ("name = \"x\"\nfires = 1\n".to_owned(), 1, "`script` and `capture`"),
        (format!("name = \"x\"\n{script}"), 1, "`fires` and `silent`"),
        (format!("name = \"x\"\n{script}fires = 1\nsilent = true\n"), 1, "`fires` and `silent`"),
        (format!("name = \"x\"\nfires = 0\n{script}"), 2, "`silent = true`"),
        (format!("name = \"x\"\nsilent = false\n{script}"), 2, "expected true"),
        (format!("name = \" \"\nfires = 1\n{script}"), 1, "needs a name"),
        (format!("nam = \"x\"\nfires = 1\n{script}"), 1, "`nam`"),
        ("name = \"x\"\nfires = 1\ncapture = \"/x.pcap\"\n".to_owned(), 3, "relative to this file"),
        (
            "name = \"x\"\nfires = 1\nscript = \"\"\"\n+0 A > E S 1:1(0)\"\"\"\n".to_owned(),
            4,
            "expected A, B",
        ),
        ("name = \"x\"\nfires = 1\nscript = \"+0 A > E S 1:1(0)\"\n".to_owned(), 3, "expected A, B"),
        ("name = \"x\"\nfires = 1\nscript = \"\"\n".to_owned(), 3, "no segment"),
        ("name = \"x\"\nfires = 1\nscript = \"\"\"\ngap 3\n\"\"\"\n".to_owned(), 4, "no segment"),
        (
            "name = \"x\"\nfires = 1\nscript = \"\"\"\n+0 A > B S 1:1(0)\nexpect ignored-rst 1\n\"\"\"\n"
                .to_owned(),
            5,
            "`fires = N`",
        ),
        ("name = \"x\"\nfires = 1\nscript = \"\"\"\ntrace a\ntrace b\n\"\"\"\n".to_owned(), 4, "2 traces"),
    ] {
        let error = error(&format!("{rule}[[test]]\n{test}"));
        let place = format!("my/ignored-rst.toml:{}:", first + line);
        assert!(error.starts_with(&place), "{test}: `{error}` should begin with `{place}`");
        assert!(error.contains(words), "{test}: `{error}` should contain `{words}`");
    }
}

#[test]
fn a_bad_override_is_told_file_line_column_and_what_was_expected() {
    let (rule, _) = good().split_once("[[test]]").map(|(rule, rest)| (rule.to_owned(), rest.len())).unwrap();
    let first = rule.lines().count() + 1;
    for (table, line, column, words) in [
        ("severity = \"info\"\n", 0, 1, "`port`, `device` or both"),
        ("port = 80\n", 0, 1, "changes nothing"),
        ("port = 0\nseverity = \"info\"\n", 1, 8, "1 to 65535"),
        ("port = 70000\nseverity = \"info\"\n", 1, 8, "u16"),
        ("device = \"moon\"\nseverity = \"info\"\n", 1, 10, "IP address"),
        ("port = 80\nseverity = \"loud\"\n", 2, 12, "`critical`"),
        ("port = 80\npolicy.at_least = 0\n", 2, 19, "1 or more"),
        ("port = 80\npolicy.cooldown_s = 0.0\n", 2, 21, "above 0"),
        ("port = 80\npolicy.often = 3\n", 2, 8, "`often`"),
        ("port = 80\nparameters.confirm_cycles = 0\n", 2, 29, "1 to 100"),
        ("port = 80\nparameters.cycles = 3\n", 2, 21, "`confirm_cycles`"),
        ("port = 80\ntitle = \"x\"\n", 2, 1, "`title`"),
        (
            "port = 80\nseverity = \"info\"\n[[override]]\nport = 80\ndevice = \"10.0.0.1\"\nseverity = \"info\"\n",
            3,
            1,
            "number 1 before it",
        ),
    ] {
        let error = error(&format!("{rule}[[override]]\n{table}"));
        let place = format!("my/ignored-rst.toml:{}:{column}: ", first + line);
        assert!(error.starts_with(&place), "{table}: `{error}` should begin with `{place}`");
        assert!(error.contains(words), "{table}: `{error}` should contain `{words}`");
    }
}

#[test]
fn an_override_keeps_what_it_does_not_set() {
    let text = good().replace(
        "[[test]]\nname = \"the exact",
        "[[override]]\ndevice = \"192.168.1.50\"\nport = 8080\npolicy.at_least = 3\n\n[[test]]\nname = \"the exact",
    );
    let rules = RuleSet::with_files(&[("x.toml".to_owned(), text)]).unwrap();
    let rule = rules.get("ignored-rst").unwrap();
    let place = &rule.overrides[0];
    assert_eq!((place.port, place.device), (Some(8080), Some("192.168.1.50".parse().unwrap())));
    assert_eq!(
        (place.severity, place.policy.at_least, place.policy.cooldown_s),
        (Severity::Warning, 3, 120.0)
    );
    assert_eq!(place.settings, None);
    assert_eq!(rule.policy.at_least, 1, "elsewhere the rule stands");
}
