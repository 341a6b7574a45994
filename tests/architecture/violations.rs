//! Each check fails when violated, and lets innocent text pass.

use std::fs;

use super::{circle, islands, page, purity, rooms, root, strangers, unbanned};

/// Complaints of all checks about one imagined file, as lines.
fn complaints(file: &str, text: &str) -> Vec<String> {
    let table = rooms::table(&page());
    let text = format!("//! {file}\n{text}");
    let mut found = rooms::check(&table, file, &text);
    found.extend(purity::check(&islands(&page()), file, &text));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_room_that_names_a_forbidden_one_is_caught() {
    // File, its text from line 2 on, and what the complaint must say.
    let cases = [
        ("sink/json.rs", "use crate::tui::run;", "src/sink/json.rs:2: `sink` names `tui` (crate::tui::run)"),
        ("sink/json.rs", "\nfn f() { crate::tui::run(); }", "src/sink/json.rs:3: `sink` names `tui`"),
        ("sink/json.rs", "use super::super::report::model::Report;", "`sink` names `report`"),
        ("sink/mod.rs", "use super::app;", "`sink` names `app`"),
        ("report/model.rs", "use crate::{analysis::event::Event, sink::Sink};", "`report` names `sink`"),
        (
            "tui/view/flows.rs",
            "use crate::{\n    text::escape,\n    source::{feed, file::CaptureFile},\n};",
            "src/tui/view/flows.rs:4: `tui` names `source` (crate::source::feed)",
        ),
        ("source/live.rs", "type S = dyn crate::sink::Sink;", "`source` names `sink`"),
        ("source/live.rs", "use crate::*;", "`source` names the whole house at once"),
        ("source/live.rs", "use crate as house;", "`source` names the whole house at once"),
        ("source/live.rs", "use esp_tcpwatch::cli::Plan;", "`source` names `cli`"),
        ("firmware/client.rs", "use crate::analysis::time::Timestamp;", "`firmware` names `analysis::time`"),
        ("firmware/client.rs", "use crate::analysis;", "`firmware` names the whole of analysis at once"),
        (
            "load/driver.rs",
            "use crate::lab::Lab;",
            "`load` names `lab` (crate::lab::Lab); it may name no other room",
        ),
        ("lab/mod.rs", "fn f() -> super::load::Totals { todo!() }", "`lab` names `load`"),
        ("cli/plan.rs", "use crate::app::run;", "`cli` names `app`"),
        ("text.rs", "use crate::analysis::event::Event;", "`text` names `analysis::event`"),
        ("main.rs", "use esp_tcpwatch::source::Source;", "`main` names `source`"),
        ("main.rs", "fn main() { esp_tcpwatch::tui::run(); }", "`main` names `tui`"),
        (
            "app/mod.rs",
            "use crate::kitchen::Sink;",
            "`app` names `crate::kitchen::Sink`, which is in no room",
        ),
        ("kitchen/mod.rs", "", "room `kitchen` has no row in the table"),
        ("analysis/attic.rs", "", "room `analysis::attic` has no row in the table"),
        ("lib.rs", "pub use crate::sink::Sink;", "lib.rs declares rooms and hands on no names"),
        (
            "analysis/mod.rs",
            "mod wire;\npub use wire::Segment;",
            "src/analysis/mod.rs:3: analysis/mod.rs declares rooms",
        ),
        ("sink/json.rs", "unsafe fn f() {}", "src/sink/json.rs:2: `unsafe` outside the islands"),
        // Inside analysis.
        (
            "analysis/wire/decode.rs",
            "use crate::analysis::tcp::TcpState;",
            "`analysis::wire` names `analysis::tcp`",
        ),
        (
            "analysis/wire/decode.rs",
            "use super::super::engine::Engine;",
            "`analysis::wire` names `analysis::engine`",
        ),
        ("analysis/wire/mod.rs", "use super::rule::Alert;", "`analysis::wire` names `analysis::rule`"),
        (
            "analysis/tcp/state.rs",
            "fn f(_: &super::super::flow::Flow) {}",
            "`analysis::tcp` names `analysis::flow`",
        ),
        (
            "analysis/flow/table.rs",
            "use super::super::{wire::Segment, host::Device};",
            "`analysis::flow` names `analysis::host`",
        ),
        (
            "analysis/host/device.rs",
            "use crate::analysis::{flow::{Flow, Side}, detect::{self, Finding}};",
            "`analysis::host` names `analysis::detect`",
        ),
        (
            "analysis/detect/evidence.rs",
            "use super::super::rule::Severity;",
            "`analysis::detect` names `analysis::rule`",
        ),
        (
            "analysis/rule/policy.rs",
            "use crate::analysis::engine;",
            "`analysis::rule` names `analysis::engine`",
        ),
        ("analysis/time.rs", "use super::input::Frame;", "`analysis::time` names `analysis::input`"),
        (
            "analysis/wire/seq.rs",
            "use crate::analysis::*;",
            "`analysis::wire` names the whole of analysis at once",
        ),
        (
            "analysis/wire/seq.rs",
            "use super::super as all;",
            "`analysis::wire` names the whole of analysis at once",
        ),
        ("analysis/engine.rs", "use crate::sink::Sink;", "`analysis::engine` names `sink`"),
        // Tests are no exception, and `super` counts from inside them.
        (
            "analysis/wire/seq.rs",
            "#[cfg(test)]\nmod tests {\n    use super::super::super::engine::Engine;\n}",
            "src/analysis/wire/seq.rs:4: `analysis::wire` names `analysis::engine`",
        ),
        (
            "analysis/wire/seq.rs",
            "mod a { mod b {} fn f() {} }\nuse super::super::engine::Engine;",
            "`analysis::wire` names `analysis::engine`",
        ),
        (
            "analysis/wire/seq.rs",
            "macro_rules! m { () => { $crate::report::model::Report }; }",
            "`analysis::wire` names `report`",
        ),
        // After a string or a quote has ended, code is code again.
        ("sink/json.rs", "const A: &str = r#\"a\"b\"#; use crate::tui::run;", "`sink` names `tui`"),
        (
            "sink/json.rs",
            "const A: char = '\"'; use crate::tui::run; const B: char = '\"';",
            "`sink` names `tui`",
        ),
        ("sink/json.rs", "const A: &str = \"\\\\\"; use crate::tui::run;", "`sink` names `tui`"),
        ("sink/json.rs", "fn f<'a>(_: &'a str) {} /* /* */ */ use crate::tui::run;", "`sink` names `tui`"),
    ];
    for (file, text, expected) in cases {
        let found = complaints(file, text);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{file}: {text}\nexpected: {expected}\nfound: {found:#?}"
        );
    }
}

#[test]
fn what_a_file_must_not_hold_is_caught() {
    let cases = [
        (
            "analysis/engine.rs",
            "use std::net::IpAddr;",
            "src/analysis/engine.rs:2: names `std::net::IpAddr`: analysis has no clock",
        ),
        ("analysis/engine.rs", "use std::{collections::BTreeMap, fs};", "names `std::fs`"),
        ("analysis/engine.rs", "fn f() { std::thread::yield_now() }", "names `std::thread::yield_now`"),
        ("analysis/engine.rs", "fn f() { ::std::env::args(); }", "names `std::env::args`"),
        ("analysis/engine.rs", "use std::process;", "names `std::process`"),
        ("analysis/engine.rs", "use std::io::{self, Write};", "names `std::io`"),
        ("analysis/engine.rs", "use std::time::{Duration, Instant};", "names `std::time::Instant`"),
        ("analysis/engine.rs", "use std as s;", "names `std`"),
        ("analysis/engine.rs", "use std::*;", "names `std::*`"),
        ("analysis/engine.rs", "use nix::sys::socket;", "names `nix::sys::socket`"),
        ("analysis/engine.rs", "fn f() { println!(\"\"); }", "`println!`: analysis prints nothing"),
        (
            "analysis/rule/load.rs",
            "#[cfg(test)]\nmod tests {\n    use std::fs::read;\n}",
            "src/analysis/rule/load.rs:4: names `std::fs::read`",
        ),
        ("sink/json.rs", "#[allow(dead_code)]\nfn f() {}", "src/sink/json.rs:2: no bare `allow`"),
        ("sink/json.rs", "#![allow(dead_code)]", "no bare `allow`"),
        ("sink/json.rs", "#[cfg_attr(test, allow(dead_code))]\nfn f() {}", "no bare `allow`"),
        (
            "sink/json.rs",
            "fn f() -> anyhow::Result<()> { Ok(()) }",
            "names `anyhow::Result`: a room has its own error type",
        ),
        ("sink/json.rs", "#[path = \"../tui/mod.rs\"]\nmod tui;", "`#[path]` hides"),
        ("sink/json.rs", "include!(\"../tui/mod.rs\");", "`include!` hides"),
        ("sink/json.rs", "extern crate std as s;", "`extern crate` gives"),
        ("main.rs", "mod helpers;", "main.rs owns nothing but the exit code: no modules"),
    ];
    for (file, text, expected) in cases {
        let found = complaints(file, text);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{file}: {text}\nexpected: {expected}\nfound: {found:#?}"
        );
    }
    let body = "fn f() {}\n".repeat(400);
    let tests = "#[cfg(test)]\nmod tests {\n}\n".to_owned() + &"//\n".repeat(400);
    assert_eq!(
        complaints("sink/json.rs", &format!("{}{tests}", &body[..body.len() - 20])),
        Vec::<String>::new()
    );
    assert!(complaints("sink/json.rs", &body)[0].contains("401 lines without tests"));
    // A test-only item is not the test module.
    assert!(complaints("sink/json.rs", &format!("#[cfg(test)]\nuse a::b;\n{body}"))[0].contains("403 lines"));
    assert!(complaints("main.rs", &body).iter().any(|line| line.contains("60 lines at most")));
    let silent = purity::check(&[], "sink/json.rs", "// a plain comment\n");
    assert!(silent[0].rule.contains("opens with `//!`"));
}

#[test]
fn innocent_text_is_left_alone() {
    let cases = [
        (
            "sink/json.rs",
            "use crate::analysis::{event::Event, engine::Engine, *};\nuse super::Sink;\nuse crate::text::escape;",
        ),
        (
            "sink/json.rs",
            "// use crate::tui::run;\n/* crate::tui::run /* nested */ crate::report */\n/// See [`crate::tui`].\nfn f() {}",
        ),
        (
            "sink/json.rs",
            "const A: &str = \"crate::tui::run #[allow(x)]\";\nconst B: &str = r##\"crate::tui \"# std::fs\"##;\nconst C: &[u8] = b\"\\\"crate::tui::run\";",
        ),
        (
            "sink/json.rs",
            "fn f<'a>(c: &'a str) -> char { 'x' }\nconst Q: char = '\\'';\nconst R: char = 'ä';",
        ),
        ("sink/json.rs", "use std::{fs, io, net};\nfn r#type(allow: u8) { allow (); }"),
        (
            "sink/record.rs",
            "use super::json::JsonLines;\nuse crate::sink::lines;\npub(in crate::sink) fn f() {}\npub(crate) fn g() {}",
        ),
        (
            "analysis/wire/seq.rs",
            "pub(in crate::analysis) fn f() {}\nuse core::net::IpAddr;\nuse core::time::Duration;\nuse super::super::{time::Timestamp, input::FrameNo};",
        ),
        (
            "analysis/wire/seq.rs",
            "#[cfg(test)]\nmod tests {\n    use super::*;\n    use super::super::flags::Flags;\n    use crate::analysis::time::Timestamp;\n}",
        ),
        (
            "analysis/engine.rs",
            "use super::{detect::Finding, wire::decode, summary, event::Event};\nfn f(map: Time::Instant) -> impl Sized + use<'_> { std::collections::BTreeMap::<u8, u8>::new() }",
        ),
        ("analysis/mod.rs", "#![deny(clippy::disallowed_methods)]\npub mod wire;\nmod tcp;"),
        ("lib.rs", "pub mod analysis;\n#[cfg(feature = \"tui\")]\npub mod tui;"),
        (
            "app/mod.rs",
            "mod watch;\nuse watch::Watch;\nuse crate::{cli::Plan, lab::Lab, sink::Sink, tui};\nuse anyhow::Context;",
        ),
        ("main.rs", "use esp_tcpwatch::{app::{self, exit}, cli::Plan};\nfn main() {}"),
    ];
    for (file, text) in cases {
        assert_eq!(complaints(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn a_stranger_at_the_top_level_and_a_lost_ban_are_caught() {
    let names = ["src", "README.md", "notes.txt", "Dockerfile"].map(str::to_owned);
    assert_eq!(strangers(&names), ["notes.txt", "Dockerfile"]);
    let clippy = fs::read_to_string(root().join("clippy.toml")).unwrap();
    let weakened =
        clippy.replace("    { path = \"std::thread::sleep\"", "    # { path = \"std::thread::sleep\"");
    assert_eq!(unbanned(&weakened), ["std::thread::sleep"]);
}

#[test]
fn the_table_is_read_from_the_page() {
    let page = "# x\n## Before\n| `no` | `no` |\n## Who may name whom\ntext\n| room | may name |\n| --- | --- |\n\
                | `a` | nothing else |\n| `b` | `a`, `c` and so on |\n## After\n| `z` | `a` |\n";
    let table = rooms::table(page);
    assert_eq!(table.len(), 2);
    assert!(table["a"].is_empty());
    assert_eq!(table["b"], ["a", "c"]);
    assert_eq!(rooms::room_of("analysis/wire/seq.rs"), "analysis::wire");
    let round = page.replace("| `a` | nothing else |", "| `a` | `d` |\n| `d` | `b` |");
    assert_eq!(circle(&rooms::table(&round)), ["a", "b", "d"]);
}
