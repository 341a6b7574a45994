//! Running the probe and looking at what is there and what is left: processes, namespaces, interfaces.
//!
//! Knows /proc and where cargo puts things. Judges only that nothing is left.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde_json::Value;

/// A probe to be started.
pub struct Probe {
    binary: PathBuf,
    twin: PathBuf,
    seed: u64,
    through: Vec<String>,
    args: Vec<String>,
    twin_args: Vec<String>,
}

impl Probe {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let seed = (u64::from(std::process::id()) << 20) + NEXT.fetch_add(1, Ordering::Relaxed);
        let (binary, twin) = (probe(), twin());
        Probe { binary, twin, seed, through: vec![], args: vec![], twin_args: vec![] }
    }

    pub fn binary(self, binary: &Path) -> Self {
        Probe { binary: binary.to_owned(), ..self }
    }

    pub fn twin(self, twin: &Path) -> Self {
        Probe { twin: twin.to_owned(), ..self }
    }

    /// A command that runs the probe.
    pub fn through(self, words: &[&str]) -> Self {
        Probe { through: words.iter().map(ToString::to_string).collect(), ..self }
    }

    pub fn args(mut self, words: &[&str]) -> Self {
        self.args.extend(words.iter().map(ToString::to_string));
        self
    }

    pub fn twin_args(mut self, words: &[&str]) -> Self {
        self.twin_args.extend(words.iter().map(ToString::to_string));
        self
    }

    pub fn start(self) -> Running {
        let interfaces = interfaces();
        let mut words = self.through;
        words.push(self.binary.to_str().unwrap().to_owned());
        words.extend(["--seed".to_owned(), self.seed.to_string(), "--twin".to_owned()]);
        words.push(self.twin.to_str().unwrap().to_owned());
        words.extend(self.args);
        words.push("--".to_owned());
        words.extend(self.twin_args);
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdin, stdout, lines: vec![], seed: self.seed, interfaces }
    }

    pub fn run(self) -> Ended {
        self.start().end()
    }
}

pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
    lines: Vec<Value>,
    seed: u64,
    interfaces: BTreeSet<String>,
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Reads on until a line has `key`.
    pub fn until(&mut self, key: &str) -> Value {
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).unwrap() == 0 {
                let mut stderr = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
                panic!("the probe ended before it said {key:?}: {stderr}");
            }
            let line: Value = serde_json::from_str(&line).unwrap();
            self.lines.push(line.clone());
            if line.get(key).is_some() {
                return line;
            }
        }
    }

    /// The twin's process, which must be there (or its later absence would show nothing), and the network it is in.
    pub fn twin_and_namespace(&self) -> (u32, PathBuf) {
        let twins = twins_with(self.seed);
        assert_eq!(twins.len(), 1, "one twin was to run");
        let namespace = network_of(twins[0]).unwrap();
        assert_eq!(network_of(self.child.id()).unwrap(), namespace);
        (twins[0], namespace)
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub fn end(mut self) -> Ended {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        let mut lines = self.lines;
        lines.extend(rest.lines().map(|line| serde_json::from_str(line).unwrap()));
        Ended { status, lines, stderr, seed: self.seed, interfaces: self.interfaces }
    }
}

pub struct Ended {
    pub status: ExitStatus,
    lines: Vec<Value>,
    pub stderr: String,
    seed: u64,
    interfaces: BTreeSet<String>,
}

impl Ended {
    pub fn lines_with(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line.get(key).is_some())
    }

    pub fn line(&self, key: &str) -> &Value {
        let totals = |line: &&Value| key != "ports" || line.get("port").is_none();
        let found = self.lines_with(key).find(totals);
        found.unwrap_or_else(|| panic!("no {key:?} in {:?}; it said: {}", self.lines, self.stderr))
    }

    /// No twin of this run, and no interface that was not there before it. The twin of a killed process may need a
    /// moment to notice.
    pub fn nothing_is_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(3);
        while !twins_with(self.seed).is_empty() {
            assert!(Instant::now() < deadline, "a twin is left: {:?}", twins_with(self.seed));
            std::thread::sleep(Duration::from_millis(10));
        }
        let new: Vec<String> = interfaces().difference(&self.interfaces).cloned().collect();
        assert!(!new.iter().any(|name| name.starts_with("tap")), "interfaces are left: {new:?}");
    }
}

/// Processes with `--seed N` in their command line that are not the probe: the twin, or what poses as one.
pub fn twins_with(seed: u64) -> Vec<u32> {
    let seed = seed.to_string();
    let is_one = |pid: &u32| {
        let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let words: Vec<&[u8]> = line.split(|&octet| octet == 0).collect();
        words.iter().any(|word| *word == b"--tap-fd")
            && words.windows(2).any(|pair| pair[0] == b"--seed" && pair[1] == seed.as_bytes())
    };
    processes().filter(is_one).collect()
}

pub fn inhabitants(namespace: &Path) -> Vec<u32> {
    processes().filter(|&pid| network_of(pid).is_some_and(|network| network == namespace)).collect()
}

pub fn network_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn interfaces() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/dev").unwrap();
    table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Why there can be no lab here, found out by other means than the lab's own.
pub fn no_tap() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(|| {
        if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
            return Some(format!("/dev/net/tun: {error}"));
        }
        let flags = if nix::unistd::geteuid().is_root() { "-n" } else { "-Un" };
        match Command::new("unshare").args([flags, "true"]).output() {
            Ok(tried) if !tried.status.success() => {
                Some(String::from_utf8_lossy(&tried.stderr).trim().to_owned())
            }
            // Without the tool there is nothing against it; the tests will tell.
            _ => None,
        }
    })
    .as_deref()
}

pub fn may_open_tun_as_nobody() -> bool {
    let Ok(found) = fs::metadata("/dev/net/tun") else { return false };
    found.permissions().mode() & 0o006 == 0o006
}

/// target/<profile>/examples/lab_probe, next to this test in target/<profile>/deps.
pub fn probe() -> PathBuf {
    let path = profile_folder().join("examples/lab_probe");
    assert!(
        path.is_file(),
        "no {}: run `cargo build --example lab_probe`, or plain `cargo test`",
        path.display()
    );
    path
}

pub fn twin() -> PathBuf {
    let named = std::env::var_os("ESP_TCPWATCH_TWIN").map(PathBuf::from);
    let target = profile_folder();
    let made = target.ancestors().skip(1).take(2).map(|folder| folder.join("twin/esp-tcpwatch-twin"));
    let found = named.into_iter().chain(made).find(|path| path.is_file());
    found.expect("no twin: run make twin")
}

fn profile_folder() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// A folder every user may look into.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// By another process: a descriptor of ours that is open for writing could be inherited by a child that another test
/// is just starting, and the file would be "busy".
pub fn copied(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(file.file_name().unwrap());
    assert!(Command::new("cp").arg(file).arg(&copy).status().unwrap().success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// By another process, as above.
pub fn write_script(path: &Path, text: &str) {
    let write = r#"printf %s "$1" > "$2" && chmod 755 "$2""#;
    assert!(Command::new("sh").args(["-c", write, "sh", text]).arg(path).status().unwrap().success());
}
