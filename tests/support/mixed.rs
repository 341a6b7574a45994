//! Running `lab_mixed`: mixed traffic against the twin, whose own list of connections is compared at each poll.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::{events, of_type, stderr, stdout, summary};

/// One run: how the twin is started, and what is done to it.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub twin: &'a [&'a str],
    pub options: &'a [&'a str],
    pub seconds: u32,
    /// The twin closes first, and so holds connections in TIME-WAIT.
    pub closes_first: bool,
}

/// What came of it.
pub struct Compared {
    pub name: String,
    pub accounts: u64,
    pub agreed: u64,
    pub unsure: u64,
    pub disagreements: u64,
    /// Findings of `ledger-mismatch`, in words.
    pub told: Vec<String>,
    /// Entries into TIME-WAIT that the wire showed.
    pub entered: u64,
    pub dropped: u64,
}

impl Run<'_> {
    pub fn go(&self, twin: &str) -> Compared {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let seed = (u64::from(std::process::id()) << 20) + NEXT.fetch_add(1, Ordering::Relaxed);
        let example = Path::new(super::PROGRAM).with_file_name("examples").join("lab_mixed");
        assert!(
            example.is_file(),
            "no {}: run `cargo build --example lab_mixed`, or plain `cargo test`",
            example.display()
        );
        let output = Command::new(example)
            .args(["--twin", twin, "--seed", &seed.to_string(), "--seconds", &self.seconds.to_string()])
            .args(self.options)
            .arg("--")
            .args(self.twin)
            .output()
            .unwrap();
        let name = format!("{} {}", self.twin.join(" "), self.options.join(" "));
        assert!(output.status.success(), "{name}, seed {seed}: {}", stderr(&output));
        let text = stdout(&output);
        let last = summary(&text);
        let account = &last["devices"][0]["own_account"];
        let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{name}, seed {seed}: {last}"));
        Compared {
            accounts: number(&account["accounts"]),
            agreed: number(&account["agreed"]),
            unsure: number(&account["unsure"]),
            disagreements: number(&account["disagreements"]),
            told: of_type(&events(&text), "finding")
                .iter()
                .filter(|finding| finding["rule"] == "ledger-mismatch")
                .map(|finding| finding["text"].to_string())
                .collect(),
            entered: number(&last["devices"][0]["time_wait"]["entered"]),
            dropped: number(&last["capture"]["dropped"]),
            name: format!("{}, seed {seed}", name.trim()),
        }
    }
}

impl Compared {
    /// At no poll did the two differ, and the polls did compare something.
    pub fn agrees(&self, run: &Run<'_>) {
        println!(
            "{}: {} polls, {} tuples alike, {} that one could not be sure of, {} not alike; {} entered \
             TIME-WAIT; {} frames lost",
            self.name,
            self.accounts,
            self.agreed,
            self.unsure,
            self.disagreements,
            self.entered,
            self.dropped
        );
        assert_eq!(self.disagreements, 0, "{}: {:?}", self.name, self.told);
        assert_eq!(self.told, Vec::<String>::new(), "{}", self.name);
        // Four a second; a busy machine may manage half.
        assert!(self.accounts >= u64::from(run.seconds) * 2, "{}: {} polls", self.name, self.accounts);
        if run.closes_first {
            // It holds something at most polls.
            assert!(self.agreed >= self.accounts, "{}: hardly anything was compared", self.name);
        }
    }
}
