//! The house keeps its shape: `docs/architecture.md` held against the source text.
//!
//! The checks are functions from (path, text) to complaints, so that `violations` shows each of them to fail.

#[path = "architecture/mentions.rs"]
mod mentions;
#[path = "architecture/purity.rs"]
mod purity;
#[path = "architecture/rooms.rs"]
mod rooms;
#[path = "architecture/tokens.rs"]
mod tokens;
#[path = "architecture/violations.rs"]
mod violations;

use std::{collections::BTreeSet, fmt, fs, path::Path, process::Command};

const TOP_LEVEL: &[&str] = &[
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "benches",
    "clippy.toml",
    "deny.toml",
    "docs",
    "firmware",
    "fuzz",
    "packaging",
    "rules",
    "rustfmt.toml",
    "src",
    "tests",
];

/// What clippy must refuse inside analysis; `tests/guards.rs` shows that it does.
const CLIPPY_BANS: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::fs::read",
    "std::fs::write",
    "std::fs::File::open",
    "std::io::stdout",
    "std::net::TcpStream",
    "std::net::UdpSocket",
];
const ANALYSIS_DENIES: &str =
    "#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]";

/// One broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Complaint {
    file: String,
    line: usize,
    rule: String,
}

impl Complaint {
    fn new(file: &str, line: usize, rule: String) -> Complaint {
        Complaint { file: file.to_owned(), line, rule }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.rule)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("docs/architecture.md")).unwrap()
}

/// Every Rust file under `src/`: its path from there, with `/`, and its text.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else if name.ends_with(".rs") {
                found.push((name, fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), "", &mut found);
    found.sort();
    found
}

fn hold(complaints: &[Complaint]) {
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n(see docs/architecture.md)", lines.join("\n"));
}

#[test]
fn rooms_name_only_whom_they_may() {
    let table = rooms::table(&page());
    let complaints: Vec<_> =
        sources().iter().flat_map(|(file, text)| rooms::check(&table, file, text)).collect();
    hold(&complaints);
}

#[test]
fn every_row_of_the_table_is_a_room_and_names_rooms() {
    let table = rooms::table(&page());
    let exist: BTreeSet<String> = sources().iter().map(|(file, _)| rooms::room_of(file)).collect();
    for (room, others) in &table {
        assert!(
            exist.contains(room),
            "docs/architecture.md has a row for `{room}`, which src/ does not have"
        );
        for other in others {
            assert!(exist.contains(other), "docs/architecture.md lets `{room}` name `{other}`: no such room");
        }
    }
}

#[test]
fn the_table_leads_downwards_only() {
    assert_eq!(circle(&rooms::table(&page())), Vec::<&str>::new(), "these rooms name each other in a circle");
}

/// Rooms that are named, however long the way, by a room they name.
fn circle(table: &rooms::Table) -> Vec<&str> {
    let mut open: Vec<&str> = table.keys().map(String::as_str).collect();
    loop {
        let is_open = |other: &String| {
            open.iter().any(|room| room == other || (other == "analysis" && room.starts_with("analysis::")))
        };
        let (stuck, settled): (Vec<&str>, Vec<&str>) =
            open.iter().partition(|room| table[**room].iter().any(is_open));
        if settled.is_empty() {
            return stuck;
        }
        open = stuck;
    }
}

#[test]
fn every_file_keeps_the_rules_of_the_house() {
    let islands = islands(&page());
    let complaints: Vec<_> =
        sources().iter().flat_map(|(file, text)| purity::check(&islands, file, text)).collect();
    hold(&complaints);
}

#[test]
fn every_island_of_unsafe_code_is_still_one() {
    let islands = islands(&page());
    assert!(!islands.is_empty(), "docs/architecture.md has no list of islands");
    for island in islands {
        let text = fs::read_to_string(root().join("src").join(&island)).unwrap_or_default();
        assert!(
            text.contains("unsafe_code"),
            "src/{island} needs no `unsafe`: take it off docs/architecture.md"
        );
        let (blocks, reasons) = (text.matches("unsafe {").count(), text.matches("// SAFETY: ").count());
        assert_eq!(blocks, reasons, "src/{island}: every unsafe block says why it is sound");
    }
}

/// The files that may hold `unsafe`, from `src/` on: the list items beneath the heading that says so.
fn islands(page: &str) -> Vec<String> {
    let section = page.split("\n## ").find(|section| section.starts_with("Unsafe code"));
    let items = section.into_iter().flat_map(str::lines).filter_map(|line| line.strip_prefix("- `src/"));
    items.filter_map(|item| item.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn the_top_level_holds_only_what_it_may() {
    assert_eq!(strangers(&top_level()), Vec::<String>::new(), "not allowed at the top level");
}

/// What git tracks; in a source archive, what lies there.
fn top_level() -> Vec<String> {
    let git = Command::new("git").args(["ls-files", "--cached", "-z"]).current_dir(root()).output();
    let tracked = git.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    match tracked.filter(|names| !names.is_empty()) {
        Some(names) => {
            let names = String::from_utf8(names).unwrap();
            let tops: BTreeSet<&str> =
                names.split_terminator('\0').filter_map(|name| name.split('/').next()).collect();
            tops.into_iter().map(str::to_owned).collect()
        }
        None => {
            let lying =
                fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            lying
                .filter(|name| !matches!(name.as_str(), "target" | ".git" | ".cargo-ok" | "Cargo.toml.orig"))
                .collect()
        }
    }
}

fn strangers(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| !TOP_LEVEL.contains(&name.as_str())).cloned().collect()
}

#[test]
fn clippy_is_told_to_keep_analysis_pure() {
    let clippy = fs::read_to_string(root().join("clippy.toml")).unwrap();
    assert_eq!(unbanned(&clippy), Vec::<&str>::new(), "missing from clippy.toml");
    let analysis = fs::read_to_string(root().join("src/analysis/mod.rs")).unwrap();
    assert!(analysis.contains(ANALYSIS_DENIES), "src/analysis/mod.rs must say {ANALYSIS_DENIES}");
}

fn unbanned(clippy: &str) -> Vec<&'static str> {
    let rules: Vec<&str> =
        clippy.lines().map(str::trim_start).filter(|line| !line.starts_with('#')).collect();
    let banned = |path: &str| rules.iter().any(|line| line.contains(&format!("\"{path}\"")));
    CLIPPY_BANS.iter().copied().filter(|path| !banned(path)).collect()
}
