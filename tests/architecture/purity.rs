//! What no file of `src/` may hold, and what the files of `src/analysis` may not.

use super::{
    Complaint,
    mentions::{Named, mentions},
    tokens::{Token, tokens},
};

/// Lines a file may have, its tests not counted.
const LONGEST: usize = 400;

/// What analysis must not name, tests included: it is deaf and blind.
const NOT_IN_ANALYSIS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::path",
    "std::process",
    "std::thread",
    "std::time",
    "anyhow",
    "caps",
    "clap",
    "crossterm",
    "nix",
    "pcap",
    "pcap_file",
    "pcap_parser",
    "ratatui",
    "tokio",
];

/// Macros that speak or open.
const MACROS_NOT_IN_ANALYSIS: &[&str] = &["dbg", "eprint", "eprintln", "print", "println"];

/// Rooms that answer a person: the only ones that may drop an error's type.
const MAY_USE_ANYHOW: &[&str] = &["app", "experiment", "main.rs"];

/// Complaints about what one file of `src/` holds; `islands` are the files that may hold `unsafe`.
pub fn check(islands: &[String], file: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = house(file, text);
    if !islands.iter().any(|island| island == file) {
        let unsafe_ones = tokens(text).into_iter().filter(|token| token.text == "unsafe");
        complaints.extend(unsafe_ones.map(|token| {
            let rule = "`unsafe` outside the islands that docs/architecture.md names".to_owned();
            Complaint::new(file, token.line, rule)
        }));
    }
    if file.starts_with("analysis/") {
        complaints.extend(analysis(file, text));
    }
    complaints
}

fn house(file: &str, text: &str) -> Vec<Complaint> {
    let complain = |line, rule: &str| Complaint::new(file, line, rule.to_owned());
    let tokens = tokens(text);
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push(complain(1, "a module opens with `//!`: what it knows, what it refuses to know"));
    }
    let lines = lines_without_tests(text, &tokens);
    if lines > LONGEST && !file.ends_with("/tests.rs") {
        let rule = format!("{lines} lines without tests; one idea a file, {LONGEST} lines at most");
        complaints.push(Complaint::new(file, LONGEST + 1, rule));
    }
    for pair in attributes(&tokens).flat_map(|attribute| attribute.windows(2)) {
        if (pair[0].text, pair[1].text) == ("allow", "(") {
            let rule = "no bare `allow`: write `#[expect(lint, reason = \"…\")]`";
            complaints.push(complain(pair[0].line, rule));
        }
    }
    for window in tokens.windows(3) {
        let line = window[0].line;
        match [window[0].text, window[1].text, window[2].text] {
            ["[", "path", "="] => complaints.push(complain(line, "`#[path]` hides which room a file is in")),
            ["include", "!", _] => {
                complaints.push(complain(line, "`include!` hides which room a text is in"))
            }
            ["extern", "crate", _] => {
                complaints.push(complain(line, "`extern crate` gives a crate a second name"));
            }
            _ => {}
        }
    }
    let room = file.split('/').next().unwrap_or_default();
    if !MAY_USE_ANYHOW.contains(&room) {
        complaints.extend(names_one_of(file, text, &["anyhow"], |name| {
            format!("names `{name}`: a room has its own error type; `anyhow` is for app, experiment and main")
        }));
    }
    if file == "main.rs" {
        if let Some(token) = tokens.iter().find(|token| token.text == "mod") {
            complaints.push(complain(token.line, "main.rs owns nothing but the exit code: no modules"));
        }
        if lines > 60 {
            complaints.push(complain(61, "main.rs owns nothing but the exit code: 60 lines at most"));
        }
    }
    complaints
}

fn analysis(file: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = names_one_of(file, text, NOT_IN_ANALYSIS, |name| {
        format!(
            "names `{name}`: analysis has no clock, file, socket, thread or terminal (core::net and core::time are right)"
        )
    });
    for window in tokens(text).windows(2) {
        if MACROS_NOT_IN_ANALYSIS.contains(&window[0].text) && window[1].text == "!" {
            let rule = format!("`{}!`: analysis prints nothing", window[0].text);
            complaints.push(Complaint::new(file, window[0].line, rule));
        }
    }
    complaints
}

/// Complaints about mentions of the given paths of other crates, or of the whole of `std` at once (`use std as s`).
fn names_one_of(file: &str, text: &str, banned: &[&str], rule: impl Fn(&str) -> String) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for mention in mentions(file, text) {
        let Named::Other(path) = &mention.path else { continue };
        let path = path.join("::");
        let within = |banned: &&str| {
            path.strip_prefix(banned).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if banned.iter().any(within) || (matches!(path.as_str(), "std" | "std::*") && banned.len() > 1) {
            complaints.push(Complaint::new(file, mention.line, rule(&path)));
        }
    }
    complaints
}

/// The tokens inside each `#[…]` and `#![…]`.
fn attributes<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = &'t [Token<'a>]> {
    tokens.iter().enumerate().filter(|(_, token)| token.text == "#").filter_map(|(at, _)| {
        let after = &tokens[at + 1..];
        let opened = after.iter().take(2).position(|token| token.text == "[")?;
        let mut depth = 0usize;
        let length = after[opened..].iter().position(|token| {
            match token.text {
                "[" => depth += 1,
                "]" => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        Some(&after[opened..opened + length?])
    })
}

/// Lines before the file's test module, or all of them.
fn lines_without_tests(text: &str, tokens: &[Token<'_>]) -> usize {
    let opens = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let module = tokens.windows(opens.len()).find(|window| window.iter().map(|token| token.text).eq(opens));
    module.map_or_else(|| text.lines().count(), |window| window[0].line - 1)
}
