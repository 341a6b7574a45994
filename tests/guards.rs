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
        // A workspace of its own: it lies inside ours.
        let workspace = if file == "Cargo.toml" { "\n[workspace]\n" } else { "" };
        fs::write(copy.join(file), text + workspace).unwrap();
    }
    let analysis = copy.join("src/analysis/mod.rs");
    let text = fs::read_to_string(&analysis).unwrap();
    fs::write(&analysis, text + "\npub mod intruder;\n").unwrap();
    fs::write(copy.join("src/analysis/intruder.rs"), format!("//! An intruder.\n{module}\n")).unwrap();
    copy
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
    let cases = [
        (
            "clippy",
            "/// A clock.\npub fn now() -> u64 {\n    std::time::Instant::now().elapsed().as_secs()\n}",
            "disallowed method `std::time::Instant::now`",
        ),
        (
            "clippy",
            "/// A socket.\npub fn open(_: &std::net::TcpStream) {}",
            "disallowed type `std::net::TcpStream`",
        ),
        (
            "clippy",
            "/// A file.\npub fn read() -> Option<String> {\n    std::fs::read_to_string(\"/etc/hostname\").ok()\n}",
            "disallowed method `std::fs::read_to_string`",
        ),
        (
            "clippy",
            "/// An order that changes from run to run.\n\
             pub fn walk(map: &std::collections::HashMap<u8, u8>) -> Vec<u8> {\n\
             let mut all = Vec::new();\nfor (key, _) in map {\nall.push(*key);\n}\nall\n}",
            "clippy::iter_over_hash_type",
        ),
        ("check", "pub use pcap::Device;", "unresolved import `pcap`"),
        ("check", "pub use ratatui::Frame;", "unresolved import `ratatui`"),
        ("check", "pub use tokio::time::sleep;", "unlinked crate `tokio`"),
    ];
    for (command, module, expected) in cases {
        let (passed, said) = verdict(command, module);
        assert!(
            !passed && said.contains(expected),
            "cargo {command} must refuse\n{module}\nwith: {expected}\n{said}"
        );
    }
}
