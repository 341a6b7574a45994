//! An interface that goes away while it is watched: the run waits, goes on by itself, and says what it missed.
//!
//! In a network namespace of its own, with a pair of veth interfaces; the other end is nobody, so that only SYNs pass.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{not_run, summary};

const MAKE: &str =
    "ip link add va address 02:00:00:00:00:01 type veth peer name vb && ip addr add 10.9.0.1/24 dev va";
const UP: &str = "ip link set va up && ip link set vb up && \
                  ip neigh replace 10.9.0.2 lladdr 24:0a:c4:00:00:02 dev va";
/// A SYN that nobody answers.
const KNOCK: &str = "timeout 0.3 bash -c 'exec 3<>/dev/tcp/10.9.0.2/80' 2>&-; true";

/// A watch in a namespace of its own.
struct Watch {
    child: Child,
    out: BufReader<ChildStdout>,
    text: String,
}

impl Watch {
    /// `None`, and said loudly, where it cannot be tried.
    fn start(test: &str) -> Option<Watch> {
        if !support::has_namespaces(test) {
            return None;
        }
        let words = support::program(&["-i", "va", "-d", "10.9.0.2", "--json"]);
        let script = format!("{MAKE} && {UP} && exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", &script]).arg(words.get_program()).args(words.get_args());
        command.env_remove("SUDO_UID").env_remove("SUDO_GID").env("XDG_CONFIG_HOME", "/nonexistent");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut watch = Watch { child, out, text: String::new() };
        watch.next("start");
        Some(watch)
    }

    /// In the same namespace.
    fn there(&self, script: &str) {
        let target = self.child.id().to_string();
        let status =
            Command::new("nsenter").args(["-t", &target, "-n", "sh", "-c", script]).status().unwrap();
        assert!(status.success(), "{script}");
    }

    /// The next event of this kind. The end of the stream is none.
    fn next(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "no {kind} in {}", self.text);
            self.text.push_str(&line);
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// How many descriptors and threads it has, and how much memory in kiB.
    fn holds(&self) -> (usize, usize, u64) {
        let about = |name: &str| format!("/proc/{}/{name}", self.child.id());
        let count = |name: &str| fs::read_dir(about(name)).unwrap().count();
        let status = fs::read_to_string(about("status")).unwrap();
        let memory = support::threads::field(&status, "VmRSS").trim_end_matches(" kB").parse().unwrap();
        (count("fd"), count("task"), memory)
    }

    fn end(mut self) -> (Value, Option<i32>) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.out.read_to_string(&mut self.text).unwrap();
        (summary(&self.text), self.child.wait().unwrap().code())
    }
}

fn says(event: &Value, words: &str) {
    assert!(event["text"].as_str().unwrap().contains(words), "{event}");
}

#[test]
fn an_interface_that_is_made_again_is_watched_again() {
    let Some(mut watch) = Watch::start("an_interface_that_is_made_again_is_watched_again") else { return };
    watch.there(KNOCK);
    watch.there("ip link del va");
    let began = Instant::now();
    says(&watch.next("capture"), "went away or down. It is waited for");
    std::thread::sleep(Duration::from_millis(600));
    // Made first and set up later, as a USB adapter is.
    watch.there(MAKE);
    watch.there("sleep 0.2");
    watch.there(UP);
    let back = watch.next("capture");
    says(&back, "was away for ");
    let away = back["text"].as_str().unwrap().split(' ').find_map(|word| word.parse::<f64>().ok()).unwrap();
    assert!((0.7..=began.elapsed().as_secs_f64() + 0.1).contains(&away), "{away}");
    assert_eq!((&back["gaps"], &back["dropped"]), (&1.into(), &0.into()));
    let finding = watch.next("finding");
    assert_eq!((&finding["rule"], &finding["certainty"]), (&"capture-gap".into(), &"inferred".into()));
    watch.there(KNOCK);
    std::thread::sleep(Duration::from_millis(200));
    let (last, exit) = watch.end();
    assert_eq!(exit, Some(0));
    // A SYN before and one after; each may have been sent twice.
    assert!(last["flows"] == 2 && last["frames"].as_u64().unwrap() >= 2, "{last}");
    assert_eq!(last["capture"]["gaps"], 1, "{last}");
}

#[test]
fn an_interface_that_was_down_is_watched_on_and_the_hole_is_told() {
    let Some(mut watch) = Watch::start("an_interface_that_was_down_is_watched_on_and_the_hole_is_told")
    else {
        return;
    };
    watch.there("ip link set va down");
    says(&watch.next("capture"), "went away or down");
    watch.there(UP);
    says(&watch.next("capture"), "was away for 0.");
    watch.there(KNOCK);
    std::thread::sleep(Duration::from_millis(200));
    let (last, exit) = watch.end();
    assert_eq!((&last["flows"], exit), (&1.into(), Some(0)), "{last}");
}

/// A night of a loose plug: set down and up, and pulled out and made again, by turns. Nothing of it stays behind.
#[test]
fn fifty_flaps_are_told_one_by_one_and_leave_nothing_behind() {
    let Some(mut watch) = Watch::start("fifty_flaps_are_told_one_by_one_and_leave_nothing_behind") else {
        return;
    };
    let mut held = Vec::new();
    for flap in 0..50 {
        watch.there(if flap % 2 == 0 { "ip link set va down" } else { "ip link del va" });
        says(&watch.next("capture"), "went away or down");
        watch.there(&if flap % 2 == 0 { UP.to_owned() } else { format!("{MAKE} && {UP}") });
        let back = watch.next("capture");
        says(&back, "was away for ");
        assert_eq!(back["gaps"], flap + 1, "{back}");
        if flap % 10 == 9 {
            held.push(watch.holds());
        }
    }
    // After the first ten it has all that it takes.
    let ((descriptors, threads, first), (_, _, last)) = (held[0], held[4]);
    assert!(held.iter().all(|held| (held.0, held.1) == (descriptors, threads)), "{held:?}");
    assert!(last <= first + 1_024, "kiB: {held:?}");
    watch.there(KNOCK);
    std::thread::sleep(Duration::from_millis(200));
    let (last, exit) = watch.end();
    assert_eq!((&last["flows"], &last["capture"]["gaps"], exit), (&1.into(), &50.into(), Some(0)), "{last}");
}

#[test]
fn a_signal_ends_a_run_whose_interface_is_away() {
    let Some(mut watch) = Watch::start("a_signal_ends_a_run_whose_interface_is_away") else { return };
    watch.there("ip link del va");
    watch.next("capture");
    let began = Instant::now();
    let (last, exit) = watch.end();
    assert_eq!(exit, Some(0), "{last}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// `tests/source/live.rs` looks at the frames of either kind.
#[test]
fn another_kind_of_link_under_the_same_name_is_watched_on_and_told() {
    let test = "another_kind_of_link_under_the_same_name_is_watched_on_and_told";
    let Some(mut watch) = Watch::start(test) else { return };
    watch.there("ip link del va");
    says(&watch.next("capture"), "went away or down");
    // An interface without Ethernet headers; where the kernel has no such driver there is nothing to try.
    let target = watch.child.id().to_string();
    let made = Command::new("nsenter")
        .args(["-t", &target, "-n", "ip", "tuntap", "add", "dev", "va", "mode", "tun"])
        .status()
        .unwrap();
    if !made.success() {
        watch.end();
        return not_run(test, "no tun device can be made");
    }
    says(&watch.next("capture"), "another kind of link: raw IP, and it was Ethernet.");
    watch.there("ip link set va up");
    says(&watch.next("capture"), "was away for ");
    watch.there("ip link del va");
    says(&watch.next("capture"), "went away or down");
    watch.there(&format!("{MAKE} && {UP}"));
    says(&watch.next("capture"), "another kind of link: Ethernet, and it was raw IP.");
    says(&watch.next("capture"), "was away for ");
    watch.there(KNOCK);
    std::thread::sleep(Duration::from_millis(200));
    let (last, exit) = watch.end();
    assert_eq!((&last["flows"], &last["capture"]["gaps"], exit), (&1.into(), &2.into(), Some(0)), "{last}");
}
