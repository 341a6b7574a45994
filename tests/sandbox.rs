//! What a run can still do once it looks at strangers' octets, tried from inside (`tests/privilege/confined.rs`).
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::libc::SIGSYS;
use support::{code, not_run, of_type, stderr, stdout};

/// Files inside and outside of what the sandbox leaves open.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        for name in ["reads", "writes", "removes", "outside"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("file"), "x").unwrap();
        }
        Place { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What came of trying `action` in the sandbox: `done`, `refused: …`, or `killed`.
    fn attempt(&self, sockets: &str, action: &str, argument: &str) -> String {
        let example = Path::new(support::PROGRAM).parent().unwrap().join("examples/confined");
        let argument =
            if argument.is_empty() { String::new() } else { self.path(argument).display().to_string() };
        let output = Command::new(&example)
            .args([self.path("reads"), self.path("writes"), self.path("removes")])
            .args([sockets, action, &argument])
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo builds it with the tests", example.display()));
        if output.status.signal() == Some(SIGSYS) {
            return "killed".to_owned();
        }
        assert_eq!(code(&output), 0, "{action}: {}", stderr(&output));
        stdout(&output).trim().to_owned()
    }
}

/// `None` where the kernel has both halves.
fn lacking() -> Option<&'static str> {
    let filter = fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Seccomp:"));
    // A kernel without Landlock answers that it is none of its calls; the program then says so.
    let output = support::program(&["report", "-"]).stdin(Stdio::null()).output().unwrap();
    if !filter {
        Some("this kernel has no seccomp")
    } else if stderr(&output).contains("Landlock") {
        Some("this kernel has no Landlock, or an old one")
    } else {
        None
    }
}

#[test]
fn files_are_open_only_where_the_run_needs_them() {
    if let Some(lack) = lacking() {
        return not_run("files_are_open_only_where_the_run_needs_them", lack);
    }
    let place = Place::new();
    for (action, argument, allowed) in [
        ("read", "reads/file", true),
        ("list", "reads", true),
        ("write", "reads/file", false),
        ("write", "reads/new", false),
        ("remove", "reads/file", false),
        ("write", "writes/new", true),
        ("read", "writes/file", true),
        ("remove", "writes/file", true),
        ("read", "removes/file", false),
        ("write", "removes/file", false),
        ("write", "removes/new", false),
        ("list", "removes", false),
        ("remove", "removes/file", true),
        ("read", "outside/file", false),
        ("list", "outside", false),
        ("write", "outside/file", false),
        ("write", "outside/new", false),
        ("remove", "outside/file", false),
        ("read", "writes/../outside/file", false),
        ("held", "", true),
        ("thread", "", true),
    ] {
        let outcome = place.attempt("none", action, argument);
        if allowed {
            assert_eq!(outcome, "done", "{action} {argument}");
        } else {
            assert!(outcome.starts_with("refused: Permission denied"), "{action} {argument}: {outcome}");
        }
    }
    assert!(place.path("outside/file").exists() && !place.path("outside/new").exists());
}

#[test]
fn what_no_run_does_ends_it_and_the_rest_is_refused() {
    if let Some(lack) = lacking() {
        return not_run("what_no_run_does_ends_it_and_the_rest_is_refused", lack);
    }
    let place = Place::new();
    for action in ["exec", "mount", "unshare", "packet", "raw", "raw6", "type"] {
        for sockets in ["none", "network"] {
            assert_eq!(place.attempt(sockets, action, ""), "killed", "{action}, sockets: {sockets}");
        }
    }
    for action in ["spawn", "code"] {
        let outcome = place.attempt("network", action, "");
        assert!(outcome.starts_with("refused: Function not implemented"), "{action}: {outcome}");
    }
}

#[test]
fn sockets_are_made_only_where_the_run_needs_them() {
    if let Some(lack) = lacking() {
        return not_run("sockets_are_made_only_where_the_run_needs_them", lack);
    }
    let place = Place::new();
    for (action, none, local, network) in
        [("tcp", false, false, true), ("udp", false, false, true), ("interfaces", false, true, true)]
    {
        for (sockets, allowed) in [("none", none), ("local", local), ("network", network)] {
            let outcome = place.attempt(sockets, action, "");
            assert_eq!(outcome == "done", allowed, "{action}, sockets: {sockets}: {outcome}");
            assert!(allowed || outcome.starts_with("refused: "), "{outcome}");
        }
    }
}

/// A stream can be looked at while it is read: every thread of the run, of whoever runs the tests.
#[test]
fn a_stranger_s_stream_is_read_in_the_sandbox_unless_one_says_so() {
    for sandboxed in [true, false] {
        let words = ["-r", "-", "--json", "--no-sandbox"];
        let mut command = support::program(&words[..if sandboxed { 3 } else { 4 }]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut run = command.spawn().unwrap();
        let mut stdin = run.stdin.take().unwrap();
        stdin.write_all(&support::refused()).unwrap();
        let mut out = BufReader::new(run.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("\"type\":\"finding\"") {
            assert!(out.read_line(&mut text).unwrap() > 0, "{text}");
        }
        let tasks: Vec<_> = fs::read_dir(format!("/proc/{}/task", run.id())).unwrap().collect();
        assert!(tasks.len() >= 3, "{}", tasks.len());
        for task in tasks {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let has = |line: &str| status.lines().any(|one| one == line);
            assert!(has("NoNewPrivs:\t1") && has("CapEff:\t0000000000000000"), "{status}");
            assert!(!has("Uid:\t0\t0\t0\t0"), "{status}");
            assert!(has(if sandboxed { "Seccomp:\t2" } else { "Seccomp:\t0" }), "{status}");
        }
        drop(stdin);
        std::io::Read::read_to_string(&mut out, &mut text).unwrap();
        let output = run.wait_with_output().unwrap();
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let told = of_type(&support::events(&text), "marker");
        assert_eq!(
            told.iter().any(|marker| marker["text"].as_str().unwrap().contains("NO SANDBOX")),
            !sandboxed
        );
        assert_eq!(stderr(&output).contains("NO SANDBOX"), !sandboxed, "{}", stderr(&output));
    }
}
