//! What the tests of the program have in common: captures made from the traces of `tests/scripts`, and the program
//! itself, run as somebody would run it.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file takes what it needs")]

pub mod lab;
pub mod mixed;
pub mod threads;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use esp_tcpwatch::analysis::wire::notation::{self, Step};
use serde_json::Value;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_esp-tcpwatch");

/// A classic pcap (microseconds, Ethernet) of the trace at `index` in `tests/scripts/<rule>.seg`.
pub fn pcap_of(rule: &str, index: usize) -> Vec<u8> {
    let text = std::fs::read_to_string(format!("tests/scripts/{rule}.seg")).unwrap();
    let trace = notation::parse(&text).unwrap().swap_remove(index);
    let mut pcap = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        pcap.extend(word.to_le_bytes());
    }
    for step in trace.steps {
        let Step::Frame { at_s, octets } = step else { continue };
        let micros = (at_s * 1e6).round() as u32;
        let length = octets.len() as u32;
        for word in [1_700_000_000 + micros / 1_000_000, micros % 1_000_000, length, length] {
            pcap.extend(word.to_le_bytes());
        }
        pcap.extend(octets);
    }
    pcap
}

/// Two collisions and one ignored RST.
pub fn refused() -> Vec<u8> {
    pcap_of("time-wait-collision", 0)
}

/// The device accepts the newer SYN: nothing to alert.
pub fn accepted() -> Vec<u8> {
    pcap_of("time-wait-collision", 3)
}

pub fn program(words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    // Whoever runs the tests, through sudo or with a configuration of their own, is not meant by them.
    command.args(words).env_remove("SUDO_UID").env_remove("SUDO_GID").env_remove("NO_COLOR");
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    command
}

/// target/<profile>/examples/NAME, beside the program.
pub fn example(name: &str) -> std::path::PathBuf {
    let path = Path::new(PROGRAM).with_file_name("examples").join(name);
    assert!(
        path.exists(),
        "no {}: run `cargo build --example {name}`, or plain `cargo test`",
        path.display()
    );
    path
}

pub fn run(words: &[&str]) -> Output {
    program(words).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// Every line of `text` as an event.
pub fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn of_type(events: &[Value], kind: &str) -> Vec<Value> {
    events.iter().filter(|event| event["type"] == kind).cloned().collect()
}

/// The last event, which must be the summary.
pub fn summary(text: &str) -> Value {
    let last = events(text).pop().unwrap();
    assert_eq!(last["type"], "summary", "{last}");
    last
}

/// A run that root starts goes on as nobody: gives them `path`, as a folder of their own would be.
pub fn give_to_successor(path: &Path) {
    if is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap();
        let ids = nobody.map_or((65_534, 65_534), |user| (user.uid.as_raw(), user.gid.as_raw()));
        std::os::unix::fs::chown(path, Some(ids.0), Some(ids.1)).unwrap();
    }
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Says that a test did not run. Not through `eprintln!`, which the test harness keeps to itself.
pub fn not_run(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "\nnot run: {test}: {reason}");
}

/// Whether a live capture in a network namespace can be tried; says loudly where it cannot.
pub fn has_namespaces(test: &str) -> bool {
    if !is_root() {
        not_run(test, "live capture and namespaces need root");
        return false;
    }
    for (tool, version) in
        [("unshare", "--version"), ("nsenter", "--version"), ("ip", "-V"), ("bash", "--version")]
    {
        if Command::new(tool).arg(version).output().is_err() {
            not_run(test, &format!("{tool} is not installed"));
            return false;
        }
    }
    true
}

/// The program where everybody may run it, whatever the permissions of the build directory.
pub fn program_for_everybody(dir: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.join("esp-tcpwatch");
    // Not by this process: another thread's child would hold it open for writing, and then it cannot be run.
    assert!(Command::new("cp").arg(PROGRAM).arg(&copy).status().unwrap().success());
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// Ethernet, and IPv4 without options.
const PORTS_AT: usize = 34;

/// Where a frame comes from.
pub fn source_port(octets: &[u8]) -> u16 {
    u16::from_be_bytes([octets[PORTS_AT], octets[PORTS_AT + 1]])
}

/// Gives the client another port; checksums are not looked at.
pub fn renumber(octets: &mut [u8], client: u16, port: u16) {
    for at in [PORTS_AT, PORTS_AT + 2] {
        if octets[at..at + 2] == client.to_be_bytes() {
            octets[at..at + 2].copy_from_slice(&port.to_be_bytes());
        }
    }
}
