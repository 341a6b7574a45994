//! Rules of a user's own: what a condition may say, what it is told when it may not, and what follows when it holds.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use esp_tcpwatch::analysis::{
    certainty::Certainty,
    detect::{Finding, Words},
    event::FlowEvent,
    host::DeviceFacts,
    play::{self, Played},
    rule::{
        RuleSet, load,
        own::{
            Condition, Heard, Kind, fields,
            quantity::QUANTITIES,
            sample::Sample,
            scan::{BRACKET, DEPTH, LENGTH, SIGNS},
        },
    },
    time::{Timestamp, When},
    wire::notation::{self, Step},
};
use proptest::prelude::*;

/// A rule file; `rest` are the keys that make it a user's own, on lines of their own from line 2 on.
fn rule(id: &str, rest: &str) -> String {
    format!(
        "id = \"{id}\"\n{rest}\nseverity = \"warning\"\ntitle = \"{{device}} is in the way\"\nwhy = \"\"\nremedies = []\n\
         references = []\n[policy]\nat_least = 1\nwithin_s = 60.0\ncooldown_s = 60.0\ngroup_by = \"device\"\n"
    )
}

fn listening(kind: &str, when: &str) -> String {
    rule("mine", &format!("listens_to = \"{kind}\"\nwhen = '''{when}'''"))
}

fn faults(text: &str) -> Vec<String> {
    let files = [("my/mine.toml".to_owned(), text.to_owned())];
    RuleSet::read(&files).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

fn played(rules: &[&str], script: &str, index: usize) -> Played {
    let files: Vec<_> =
        rules.iter().enumerate().map(|(at, text)| (format!("{at}.toml"), (*text).to_owned())).collect();
    let rules = RuleSet::with_files(&files).unwrap_or_else(|error| panic!("{error}"));
    play::play(&steps(script, index), rules)
}

fn steps(script: &str, index: usize) -> Vec<Step> {
    let text = fs::read_to_string(format!("tests/scripts/{script}.seg")).unwrap();
    notation::parse(&text).unwrap().swap_remove(index).steps
}

fn of<'a>(played: &'a Played, rule: &str) -> Vec<&'a Finding> {
    played.findings.iter().filter(|finding| finding.rule == rule).collect()
}

#[test]
fn a_rule_over_findings_is_as_sure_as_what_it_heard_and_names_it() {
    let text =
        listening("finding", "rule == 'time-wait-collision' && quantities.attempt > 1 && server_port == 80");
    let played = played(&[&text], "time-wait-collision", 0);
    let (collisions, mine) = (of(&played, "time-wait-collision"), of(&played, "mine"));
    assert_eq!((collisions.len(), mine.len()), (2, 1));
    let (cause, finding) = (collisions[1], mine[0]);
    assert_eq!(finding.caused_by, [cause.id]);
    assert_eq!(finding.id, cause.id + 1, "it comes right after");
    assert_eq!(
        (
            &finding.frames,
            finding.certainty,
            finding.client,
            finding.server,
            finding.incarnation,
            &finding.evidence
        ),
        (&cause.frames, cause.certainty, cause.client, cause.server, cause.incarnation, &cause.evidence)
    );
    assert!(
        finding.text.starts_with("10.77.0.2 is in the way (time-wait-collision in finding "),
        "{}",
        finding.text
    );
    assert!(finding.text.contains("quantities.attempt 2.0") && finding.text.contains("server_port 80"));
}

#[test]
fn a_rule_over_a_device_or_a_flow_is_no_surer_than_it_says() {
    let device = rule(
        "held",
        "listens_to = \"device\"\ncertainty = \"inferred\"\nwhen = \"time_wait.entered >= 1 && stack != 'linux'\"",
    );
    let flow = rule("gone", "listens_to = \"flow\"\nwhen = \"change == 'closed' && server_port == 80\"");
    let played = played(&[&device, &flow], "time-wait-collision", 3);
    let held = of(&played, "held");
    assert!(!held.is_empty());
    for finding in &held {
        assert!(finding.is_of_device() && finding.certainty == Certainty::Inferred, "{finding:?}");
        assert_eq!(finding.quantities, BTreeMap::from([("time_wait.entered".into(), 1.0)]));
        assert_eq!(finding.frames.len(), 1);
    }
    let gone = of(&played, "gone");
    assert_eq!(gone.len(), 1, "one life was closed");
    assert_eq!((gone[0].certainty, gone[0].frames.len()), (Certainty::Suspected, 1));
    assert_eq!(gone[0].client.to_string(), "10.77.0.1:40000");
    assert!(gone[0].text.contains("change \"closed\", server_port 80"), "{}", gone[0].text);
}

#[test]
fn a_rule_never_hears_rules_like_it() {
    let every = |id: &str| rule(id, "listens_to = \"finding\"\nwhen = \"size(frames) >= 0\"");
    let played = played(&[&every("one"), &every("other")], "time-wait-collision", 0);
    let built_in =
        played.findings.iter().filter(|finding| !["one", "other"].contains(&finding.rule.as_ref()));
    let built_in = built_in.count();
    assert!(built_in >= 3);
    assert_eq!((of(&played, "one").len(), of(&played, "other").len()), (built_in, built_in));
    let ids: Vec<u64> = played.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
}

#[test]
fn rules_of_ones_own_change_nothing_of_the_others() {
    let every = listening("finding", "true");
    for (script, index) in [("time-wait-collision", 0), ("rst-storm", 0), ("zero-window", 0)] {
        let strip = |played: Played| -> Vec<(String, Vec<u64>, String)> {
            let built_in = played.findings.into_iter().filter(|finding| finding.rule != "mine");
            built_in.map(|finding| (finding.rule.into_owned(), finding.frames, finding.text)).collect()
        };
        assert_eq!(strip(played(&[&every], script, index)), strip(played(&[], script, index)));
    }
}

#[test]
fn a_missing_field_makes_the_condition_false_and_is_counted() {
    let asks = |when: &str| {
        let played = played(&[&listening("finding", when)], "time-wait-collision", 0);
        let failed = played.summary.as_ref().unwrap().unevaluated.get("mine").copied().unwrap_or(0);
        (of(&played, "mine").len(), failed)
    };
    let (_, failed) = asks("quantities.cycle >= 1.0");
    assert!(failed >= 2, "the collisions have no such quantity");
    assert_eq!(asks("rule == 'ignored-rst' && quantities.cycle >= 1.0").1, 0);
    assert_eq!(asks("has(quantities.cycle) && quantities.cycle >= 1.0").1, 0);
    assert_eq!(asks("!has(quantities.cycle) && rule == 'time-wait-collision'"), (2, 0));
    // An int that runs over, at run time alone.
    assert_eq!(asks("1000000000000 * incarnation * (incarnation - 2) * 100000000 > 0").0, 0);
}

#[test]
fn without_such_rules_the_summary_says_nothing_of_them() {
    let summary = played(&[], "time-wait-collision", 0).summary.unwrap();
    assert!(!serde_json::to_string(&summary).unwrap().contains("unevaluated"));
}

#[test]
fn a_bad_condition_is_told_where_and_what_was_expected() {
    for (kind, when, column, words) in [
        ("finding", "rul == 'x'", 1, &["`rul`", "no field of a finding", "one of `rule`"][..]),
        (
            "finding",
            "server_port == 80 && quantities.atempt > 1",
            22,
            &["`quantities.atempt`", "one of `quantities.attempt`"],
        ),
        ("flow", "client_sate == 'x'", 1, &["no field of a flow", "one of `client_state`"]),
        ("device", "time_wait.held > 1", 1, &["no field of a device", "`time_wait.held_now`"]),
        ("device", "time_wait > 1", 1, &["`time_wait`"]),
        (
            "finding",
            "rule == 'time-wait-colision'",
            9,
            &["never \"time-wait-colision\"", "one of `time-wait-collision`"],
        ),
        ("finding", "rule in ['ignored-rst', 'stale']", 25, &["never \"stale\"", "`stale-ack`"]),
        ("finding", "'sure' == certainty", 1, &["suspected"]),
        ("finding", "device == '10.0.0.300'", 11, &["an IP address"]),
        ("finding", "server_port == '80'", 13, &["an int never equals a string"]),
        ("finding", "server_port", 1, &["gives an int", "expected a bool"]),
        ("finding", "server_port && true", 13, &["`&&` does not take int and bool"]),
        ("finding", "quantities.attempt * 2 > 3.0", 20, &["do not mix", "`2.0`"]),
        ("finding", "frames.exists(f, f > 1)", 14, &["`exists`", "no loops"]),
        ("finding", "frames.all(f, f > 1)", 11, &["`all`", "no loops"]),
        ("finding", "size(frames.map(f, f)) > 1", 16, &["`map`", "no loops"]),
        ("finding", "size(frames.filter(f, true)) > 1", 19, &["`filter`", "no loops"]),
        ("finding", "matches(text, 'a*')", 8, &["`matches`", "expected one of has, size"]),
        ("finding", "frames[0] == 1", 7, &["`in`"]),
        ("finding", "has(text.size)", 5, &["`text.size`"]),
        ("finding", "contains(text, 'a')", 9, &["FIELD.contains"]),
        ("finding", "size(1) == 1", 5, &["a string or a list"]),
        ("finding", "server_port in []", 16, &["empty list"]),
        ("finding", "server_port in [80, 'x']", 21, &["either numbers or strings"]),
        ("finding", "{'a': 1} == {}", 1, &["builds no maps"]),
        ("finding", "server_port == 80u", 16, &["unsigned"]),
        ("finding", "text == null", 9, &["null"]),
        ("finding", "server_port = 80", 13, &["write `==`"]),
        ("finding", "true & false", 6, &["write `&&`"]),
        ("finding", "text == 'a", 9, &["not closed"]),
        ("finding", "server_port ==", 15, &["ends too early"]),
        ("finding", "server_port == 80 81", 19, &["no CEL expression"]),
        ("finding", "server_port == 99999999999999999999", 16, &["no CEL expression"]),
        ("finding", "text == 'ü' && rul == 'x'", 16, &["`rul`"]),
        ("finding", "text == 'ü' 1", 13, &["no CEL expression"]),
        ("finding", "ü", 1, &["`ü` has no place"]),
        ("finding", " ", 1, &["empty"]),
        ("finding", "1 / (incarnation - 2) > 0", 1, &["fails on a sample", "zero"]),
    ] {
        let told = faults(&listening(kind, when));
        let place = format!("my/mine.toml:3:{}: key `when`: ", "when = '''".len() + column);
        assert_eq!(told.len(), 1, "{when}: {told:?}");
        assert!(told[0].starts_with(&place), "{when}: `{}` should begin with `{place}`", told[0]);
        for word in words {
            assert!(told[0].contains(word), "{when}: `{}` should contain `{word}`", told[0]);
        }
    }
}

#[test]
fn every_fault_of_a_condition_is_told_also_behind_escapes_and_over_lines() {
    let text = rule("mine", "listens_to = \"finding\"\nwhen = \"rule == \\\"stale\\\" || rul == 1\"");
    let told = faults(&text);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("my/mine.toml:3:17: ") && told[1].starts_with("my/mine.toml:3:30: "),
        "{told:?}"
    );
    let text = rule("mine", "listens_to = \"finding\"\nwhen = '''\nserver_port == 80\n  && prt == 1'''");
    assert!(faults(&text)[0].starts_with("my/mine.toml:5:6: "), "{:?}", faults(&text));
}

#[test]
fn what_makes_a_rule_ones_own_is_checked_key_by_key() {
    let long = "a".repeat(65);
    let device = "listens_to = \"device\"\nwhen = \"accepted > 1\"";
    for (text, place, words) in [
        (rule("Mine", device), "1:1", "small letters"),
        (rule("mine-", device), "1:1", "small letters"),
        (rule("1st", device), "1:1", "small letters"),
        (rule(&long, device), "1:1", "at most 64"),
        (rule("ignored-rst", device), "3:1", "needs another id"),
        (rule("mine", "when = \"true\""), "2:1", "`listens_to` is missing"),
        (rule("mine", "listens_to = \"flow\""), "2:14", "`when` is missing"),
        (rule("mine", "listens_to = \"alert\"\nwhen = \"true\""), "2:14", "listen to the finding"),
        (
            rule("mine", "listens_to = \"moon\"\nwhen = \"true\""),
            "2:14",
            "expected `finding`, `flow` or `device`",
        ),
        (
            rule("mine", "listens_to = \"finding\"\ncertainty = \"inferred\"\nwhen = \"true\""),
            "3:13",
            "as sure as the finding",
        ),
        (
            rule("mine", "listens_to = \"flow\"\ncertainty = \"proven\"\nwhen = \"true\""),
            "3:13",
            "proves nothing",
        ),
        (rule("mine", device).replace("{device} is", "{client} is"), "5:10", "no {client}"),
        (format!("{}[parameters]\nlimit = 3\n", rule("mine", device)), "15:1", "has none"),
        (
            format!("{}[[override]]\nport = 80\nseverity = \"info\"\n", rule("mine", device)),
            "15:8",
            "has no port",
        ),
        (
            format!("{}[[override]]\ndevice = \"10.0.0.1\"\nparameters.x = 1\n", rule("mine", device)),
            "16:16",
            "no such parameter",
        ),
        (rule("mine", ""), "1:1", "`listens_to` and `when`"),
    ] {
        let told = faults(&text);
        assert_eq!(told.len(), 1, "{text}\n{told:?}");
        assert!(told[0].starts_with(&format!("my/mine.toml:{place}: ")), "{text}\n{told:?}");
        assert!(told[0].contains(words), "{text}\n{told:?}");
    }
    let certain = good_built_in().replacen("severity", "certainty = \"proven\"\nseverity", 1);
    assert!(faults(&certain)[0].contains("a detector knows"), "{:?}", faults(&certain));
}

fn good_built_in() -> String {
    fs::read_to_string("rules/stale-ack.toml").unwrap()
}

#[test]
fn an_override_judges_a_users_rule_too() {
    let text = format!(
        "{}[[override]]\nport = 80\npolicy.at_least = 2\nseverity = \"info\"\n",
        listening("finding", "rule == 'time-wait-collision'")
    );
    let rules = RuleSet::with_files(&[("x.toml".to_owned(), text)]).unwrap();
    let mine = rules.get("mine").unwrap();
    assert_eq!((mine.policy_at(Some(0)).at_least, mine.policy_at(None).at_least), (2, 1));
    assert_eq!(rules.iter().last().unwrap().id, "mine", "users' rules come last");
}

#[test]
fn there_is_a_bound_to_the_number_of_such_rules() {
    let file = |at: usize| {
        (format!("{at}.toml"), rule(&format!("mine-{at}"), "listens_to = \"flow\"\nwhen = \"true\""))
    };
    let files: Vec<_> = (0..65).map(file).collect();
    assert!(RuleSet::with_files(&files[..64]).is_ok());
    assert!(RuleSet::with_files(&files).unwrap_err().to_string().contains("more than 64"));
}

#[test]
fn length_nesting_and_signs_are_bounded() {
    let read = |when: &str| {
        Condition::read(Kind::Finding, when).map(|_| ()).map_err(|faults| faults[0].what.clone())
    };
    let nested = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(read(&nested(DEPTH / BRACKET)), Ok(()));
    assert!(read(&nested(DEPTH / BRACKET + 1)).unwrap_err().contains("too deep"));
    assert!(read(&format!("{}+1) > 0", "(".repeat(20))).unwrap_err().contains("too deep"));
    // Terms beside each other do not add up, brackets around a row of operators do.
    assert_eq!(read(&["1 + 2 * 3 > 4"; 9].join(" && ")), Ok(()));
    assert_eq!(read(&format!("(1{} > 0)", "+1".repeat(DEPTH - BRACKET - 1))), Ok(()));
    assert!(read(&format!("(1{} > 0)", "+1".repeat(DEPTH - BRACKET))).unwrap_err().contains("too deep"));
    assert!(
        read(&format!("(((1+1)){}) > 0", "+1".repeat(DEPTH - BRACKET))).unwrap_err().contains("too deep")
    );
    let many = |terms: usize| vec!["true"; terms].join("&&");
    assert_eq!(read(&many(SIGNS / 2)), Ok(()));
    assert!(read(&many(SIGNS / 2 + 1)).unwrap_err().contains("more than"));
    assert!(read(&format!("'{}' == ''", "x".repeat(LENGTH))).unwrap_err().contains("octets"));
    // As deep as the signs allow, on the small stack of a test's thread.
    for deep in ["-", "!", "1+", "true?true:", "true||", "a.", "[", "(", "-(", "1<", "1 in ", "(1+", "f("] {
        let _ = read(&format!("{}1", deep.repeat(SIGNS / deep.len())));
        let _ = read(&deep.repeat(LENGTH / deep.len()));
    }
}

#[test]
fn the_table_of_quantities_is_what_detectors_give() {
    let mut given: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in fs::read_dir("tests/scripts").unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for trace in notation::parse(&text).unwrap() {
            for finding in play::play(&trace.steps, RuleSet::built_in().unwrap()).findings {
                for name in finding.quantities.into_keys() {
                    given.entry(name.into_owned()).or_default().insert(finding.rule.to_string());
                }
            }
        }
    }
    let table: BTreeMap<String, BTreeSet<String>> = QUANTITIES
        .iter()
        .map(|row| (row.name.to_owned(), row.rules.iter().map(|rule| (*rule).to_owned()).collect()))
        .collect();
    assert_eq!(table, given, "src/analysis/rule/own/quantity.rs and what the traces give");
    assert!(QUANTITIES.is_sorted_by_key(|row| row.name));
}

#[test]
fn every_field_has_a_sample_of_its_type_and_its_word() {
    for kind in Kind::ALL {
        let sample = Sample::new(kind);
        for name in fields::names(kind) {
            let known = fields::find(kind, &name).unwrap();
            let datum =
                fields::value(sample.heard(), &name).unwrap_or_else(|| panic!("{kind} {name} has no sample"));
            let same = match known.kind().to_string().as_str() {
                "string" => format!("{name} == {datum}"),
                "int" | "double" => format!("{name} == {datum}"),
                _ => format!("size({name}) == 2 && 10 in {name}"),
            };
            let condition =
                Condition::read(kind, &same).unwrap_or_else(|faults| panic!("{same}: {faults:?}"));
            assert_eq!(condition.holds(sample.heard()), Ok(true), "{same}");
            assert!(Condition::read(kind, &format!("has({name})")).unwrap().holds(sample.heard()).unwrap());
        }
    }
}

#[test]
fn the_examples_of_the_page_hold() {
    let page = fs::read_to_string("docs/writing-rules.md").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 3);
    for (at, example) in examples.iter().enumerate() {
        assert_eq!(example.matches("[[test]]").count(), 2, "one that fires, one that is silent");
        fs::write(dir.path().join(format!("{at}.toml")), example).unwrap();
    }
    let output = support::run(&["rules", "test", dir.path().to_str().unwrap()]);
    let text = support::stdout(&output);
    assert_eq!(support::code(&output), 0, "{text}{}", support::stderr(&output));
    for id in ["web-refused-often", "not-the-fixed-firmware", "nothing-served"] {
        assert_eq!(text.matches(&format!("ok      {id}: ")).count(), 2, "{text}");
    }
}

/// Expressions that look like conditions, right and wrong ones.
fn expression() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "rule",
        "server_port",
        "quantities.attempt",
        "quantities.nothing",
        "frames",
        "text",
        "epoch",
        "device",
        "nobody",
        "1",
        "0",
        "-1",
        "2.5",
        "9223372036854775807",
        "-9223372036854775808",
        "1e308",
        "'a'",
        "\"\\u00e4\"",
        "''",
        "[1, 2]",
        "['a']",
        "true",
        "false",
        "null",
        "r'\\'",
    ]);
    name.prop_map(str::to_owned).prop_recursive(6, 48, 3, |inner| {
        let operator = prop::sample::select(vec![
            "==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*", "/", "%", "in", ".", "?", ":", "=",
            "",
        ]);
        let function = prop::sample::select(vec![
            "size", "has", "int", "double", "string", "contains", "exists", "map", "!", "-", "[", "{", "",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, sign, b)| format!("{a} {sign} {b}")),
            (function, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).startsWith({b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.prop_map(|a| format!("[{a}]")),
        ]
    })
}

/// Numbers that no detector gives.
fn hostile_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            -0.0,
            1e300,
            9.3e18
        ]),
    ]
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let quantities = prop::collection::btree_map(
        prop::sample::select(QUANTITIES.iter().map(|row| Words::from(row.name)).collect::<Vec<_>>()),
        hostile_number(),
        0..6,
    );
    (
        any::<String>(),
        any::<String>(),
        any::<u64>(),
        any::<[u8; 16]>(),
        prop::collection::vec(any::<u64>(), 0..9),
        quantities,
    )
        .prop_map(|(rule, text, time, address, frames, quantities)| Finding {
            rule: rule.into(),
            text,
            when: When(Timestamp::from_nanos(time)),
            device: address.into(),
            server: (address, u16::MAX).into(),
            frames,
            quantities,
            incarnation: u32::MAX,
            ..Finding::of_device(
                "",
                Certainty::Suspected,
                Timestamp::ZERO,
                address.into(),
                Vec::new(),
                String::new(),
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_expression_and_no_event_makes_a_condition_panic(
        when in prop_oneof![
            4 => expression(),
            1 => "[a-z0-9 .()\\[\\]'\"\\\\+<=>!&|?:,%*/_-]{0,60}",
            1 => any::<String>(),
        ],
        finding in any_finding(),
    ) {
        for kind in Kind::ALL {
            match Condition::read(kind, &when) {
                Err(faults) => {
                    prop_assert!(!faults.is_empty());
                    for fault in faults {
                        prop_assert!(fault.at <= when.len() && !fault.what.is_empty());
                    }
                }
                Ok(condition) => {
                    let _ = condition.holds(Heard::Finding(&finding));
                    let _ = condition.holds(Sample::new(kind).heard());
                }
            }
            // The place in a file is one of the file, however the condition was written.
            let text = listening(&kind.to_string(), &when);
            let _ = load::parse("x.toml", &text);
        }
    }

    #[test]
    fn hostile_values_make_a_condition_true_false_or_counted(finding in any_finding(), facts in any_facts(), flow in any_flow()) {
        for when in [
            "quantities.attempt > 3.0 && rule == 'ignored-rst'",
            "int(quantities.attempt) % 7 == 3",
            "quantities.attempt / quantities.cycle > quantities.span_s * 1e300",
            "incarnation * incarnation * incarnation > 0",
            "size(text) > 3 && text.contains(rule) || 3 in frames",
            "-quantities.cycle < double(server_port)",
        ] {
            let condition = Condition::read(Kind::Finding, when).unwrap();
            let _ = condition.holds(Heard::Finding(&finding));
        }
        let condition = Condition::read(Kind::Device, "msl_s.at_least * 2.0 > 1.0 && accepted + 1 > time_wait.syns").unwrap();
        let _ = condition.holds(Heard::device(When(Timestamp::ZERO), &facts, None));
        let condition = Condition::read(Kind::Flow, "client_bytes + server_bytes > 0 && frame * 2 > 1").unwrap();
        let _ = condition.holds(Heard::Flow(&flow));
    }
}

fn any_facts() -> impl Strategy<Value = DeviceFacts> {
    (any::<u64>(), any::<u64>(), prop::option::of(hostile_number()), prop::option::of(any::<String>()))
        .prop_map(|(accepted, syns, at_least, mac)| {
            let Sample::Device(facts) = Sample::new(Kind::Device) else { unreachable!() };
            let mut facts = *facts;
            (facts.accepted, facts.time_wait.syns, facts.msl_s.at_least, facts.mac) =
                (accepted, syns, at_least, mac);
            facts
        })
}

fn any_flow() -> impl Strategy<Value = FlowEvent> {
    (any::<u64>(), any::<u64>(), any::<u64>(), any::<String>()).prop_map(|(client, server, frame, state)| {
        let Sample::Flow(flow) = Sample::new(Kind::Flow) else { unreachable!() };
        let mut flow = *flow;
        (flow.client_bytes, flow.server_bytes, flow.frame, flow.client_state) =
            (client, server, frame, state);
        flow
    })
}
