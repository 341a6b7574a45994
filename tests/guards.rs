//! Cargo and clippy refuse what they must: a copy of the crate is broken in one place at a time.
//!
//! The text of the source is `tests/architecture.rs`'s business; here only the compiler's own word counts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A copy of this package under another name (so that its build does not disturb ours), with one more
/// module in `src/analysis`.
fn broken(module: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guards");
    let _ = fs::remove_dir_all(&copy);
    for folder in ["src", "rules"] {
        copy_folder(&root.join(folder), &copy.join(folder));
    }
    fs::copy(root.join("clippy.toml"), copy.join("clippy.toml")).unwrap();
    for file in ["Cargo.toml", "Cargo.lock"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let text = text.replacen("name = \"esp-tcpwatch\"", "name = \"esp-tcpwatch-guards\"", 1);
        fs::write(copy.join(file), if file == "Cargo.toml" { library_only(&text) } else { text }).unwrap();
    }
    let analysis = copy.join("src/analysis/mod.rs");
    let text = fs::read_to_string(&analysis).unwrap();
    fs::write(&analysis, text + "\npub mod intruder;\n").unwrap();
    fs::write(copy.join("src/analysis/intruder.rs"), format!("//! An intruder.\n{module}\n")).unwrap();
    copy
}

/// The manifest without its binaries and examples, as a workspace of its own (the copy lies inside ours).
fn library_only(manifest: &str) -> String {
    let mut kept = String::new();
    let mut keep = true;
    for line in manifest.lines() {
        if line.starts_with('[') {
            keep = !line.starts_with("[[");
        }
        if keep {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept + "\n[workspace]\n"
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// What `cargo COMMAND --lib --no-default-features` says of the copy with this intruder: whether it passed, and stderr.
fn verdict(command: &str, module: &str) -> (bool, String) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .args([command, "--lib", "--no-default-features", "--offline", "--color=never"])
        .current_dir(broken(module))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_impure_analysis_is_refused() {
    // One test, since the cases share one copy. An innocent intruder first: the refusals below are the intruders' own.
    let (passed, said) = verdict("clippy", "/// Nothing.\npub fn nothing() {}");
    assert!(passed, "the copy itself does not pass; is clippy there (rustup component add clippy)?\n{said}");

    let impure = r#"
/// A clock.
pub fn now() -> u64 {
    std::time::Instant::now().elapsed().as_secs()
}
/// A socket.
pub fn open(_: &std::net::TcpStream) {}
/// A file.
pub fn read() -> Option<String> {
    std::fs::read_to_string("/etc/hostname").ok()
}
/// An order that changes from run to run.
pub fn walk(map: &std::collections::HashMap<u8, u8>) -> Vec<u8> {
    let mut all = Vec::new();
    for (key, _) in map {
        all.push(*key);
    }
    all
}
/// The same with the faster map, which clippy's own lint does not know.
pub fn walk_faster(map: &hashbrown::HashMap<u8, u8>, table: &hashbrown::HashTable<u8>) -> Vec<u8> {
    map.keys().chain(table.iter()).copied().collect()
}
"#;
    let refusals = [
        "disallowed method `std::time::Instant::now`",
        "disallowed type `std::net::TcpStream`",
        "disallowed method `std::fs::read_to_string`",
        "clippy::iter_over_hash_type",
        "disallowed method `hashbrown::HashMap::keys`",
        "disallowed method `hashbrown::HashTable::iter`",
    ];
    refuses("clippy", impure, &refusals);

    let optional = "use pcap::Device as A;\nuse ratatui::Frame as B;\nuse crossterm::style::Color as C;\nuse tokio::task as D;";
    let refusals = ["pcap", "ratatui", "crossterm", "tokio"].map(|name| format!("`{name}`"));
    refuses("check", optional, &refusals.each_ref().map(String::as_str));
}

/// Asserts that the command fails on this intruder and says each of `refusals` in an error.
fn refuses(command: &str, module: &str, refusals: &[&str]) {
    let (passed, said) = verdict(command, module);
    assert!(!passed, "cargo {command} passes\n{module}");
    for refusal in refusals {
        let told = said.split("\n\n").any(|message| message.contains("error") && message.contains(refusal));
        assert!(told, "cargo {command} must say {refusal} of\n{module}\n{said}");
    }
}
