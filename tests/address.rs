//! A device that changes its address while the program watches the old one, on real stacks.
//!
//! `needs_tap_…`: these need root, `ip` and `nsenter`, the first `/dev/net/tun` and the twin (`make twin`) besides. In network
//! namespaces of their own.
#![cfg(target_os = "linux")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{events, of_type, summary};

/// The program in a network namespace of its own.
struct Watch {
    child: Child,
    out: BufReader<ChildStdout>,
    text: String,
}

/// Ends with its test.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Watch {
    /// `make` makes the interface. `None`, and said loudly, where it cannot be tried.
    fn start(test: &str, make: &str, words: &[&str]) -> Option<Watch> {
        if !support::has_namespaces(test) {
            return None;
        }
        // A stream that ends tells a test that what it waits for does not come.
        let words = support::program(&[words, &["--duration", "60s"]].concat());
        let script = format!("{make} && exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", &script]).arg(words.get_program()).args(words.get_args());
        command.env_remove("SUDO_UID").env_remove("SUDO_GID").env("XDG_CONFIG_HOME", "/nonexistent");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut watch = Watch { child, out, text: String::new() };
        watch.until(|event| event["type"] == "start");
        Some(watch)
    }

    /// A command in the network namespace of process `of`.
    fn in_net(of: u32, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &of.to_string(), "-n"]).args(words);
        command.env_remove("SUDO_UID").env_remove("SUDO_GID").env("XDG_CONFIG_HOME", "/nonexistent");
        command
    }

    fn there(&self, script: &str) {
        sh(self.child.id(), script);
    }

    /// The next event of which this is so. The end of the stream is none.
    fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "no such event in {}", self.text);
            self.text.push_str(&line);
            let event: Value = serde_json::from_str(&line).unwrap();
            if is_it(&event) {
                return event;
            }
        }
    }

    fn end(mut self) -> (Vec<Value>, Value, Option<i32>) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.out.read_to_string(&mut self.text).unwrap();
        (events(&self.text), summary(&self.text), self.child.wait().unwrap().code())
    }
}

fn sh(of: u32, script: &str) {
    assert!(Watch::in_net(of, &["bash", "-c", script]).status().unwrap().success(), "{script}");
}

const OLD: &str = "10.77.0.2";
const NEW: &str = "10.77.0.9";

/// The twin starts anew under another address, as a board does to which DHCP gives another: the old one is dead, the new one is
/// announced by gratuitous ARP, and the bug shows on it. The recording holds what the wider filter let through.
#[test]
fn needs_tap_a_collision_on_an_address_that_nobody_named_is_reported() {
    let test = "needs_tap_a_collision_on_an_address_that_nobody_named_is_reported";
    let Some(twin) = support::lab::twin(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    support::give_to_successor(folder.path());
    let recording = folder.path().join("moved.pcapng");
    let make = "ip tuntap add dev tap0 mode tap && ip addr add 10.77.0.1/24 dev tap0 && ip link set tap0 up";
    let words = ["-i", "tap0", "-d", OLD, "--json", "-w", recording.to_str().unwrap()];
    let Some(mut watch) = Watch::start(test, make, &words) else { return };
    let target = watch.child.id();
    let device = |ip: &str| {
        let words = [&twin, "--tap", "tap0", "--ip", ip, "--netmask", "255.255.255.0"];
        let child =
            Watch::in_net(target, &words).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // It listens, and has shown itself.
        std::thread::sleep(Duration::from_millis(700));
        Beside(child)
    };
    let knock = |ip: &str| {
        let script = format!(
            "exec 3<>/dev/tcp/{ip}/80 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3 >/dev/null; true"
        );
        sh(target, &format!("timeout 1.5 bash -c '{}' 2>&-; true", script.replace('\'', "'\\''")));
    };
    let old = device(OLD);
    knock(OLD);
    drop(old);
    let _new = device(NEW);
    // The client tries the old one first.
    watch.there("ip neigh flush dev tap0");
    knock(OLD);
    knock(OLD);
    knock(OLD);
    let moved = watch.until(|event| event["type"] == "marker" && event["formerly"] == OLD);
    assert_eq!(moved["device"], NEW, "{moved}");
    assert!(moved["frame"].as_u64().is_some_and(|frame| frame > 0), "{moved}");
    // The filter lets the new address through a moment later.
    std::thread::sleep(Duration::from_millis(300));
    let drive = support::program(&["drive", "-d", NEW, "--source-ports", "40000", "--requests", "3"]);
    let mut driving = vec![drive.get_program().to_str().unwrap().to_owned()];
    driving.extend(drive.get_args().map(|word| word.to_str().unwrap().to_owned()));
    let driving: Vec<&str> = driving.iter().map(String::as_str).collect();
    let _driving = Beside(Watch::in_net(target, &driving).stdout(Stdio::null()).spawn().unwrap());
    let finding = watch.until(|event| event["type"] == "finding" && event["rule"] == "time-wait-collision");
    assert_eq!((&finding["device"], &finding["certainty"]), (&NEW.into(), &"proven".into()), "{finding}");
    let (all, last, exit) = watch.end();
    assert_eq!(exit, Some(1), "{last}");
    assert_eq!(of_type(&all, "marker").len(), 1);
    // A replay of the recording tells the same, by the same name.
    let replay = support::run(&["-r", recording.to_str().unwrap(), "-d", OLD, "--json"]);
    let told = events(&support::stdout(&replay));
    let moves: Vec<_> = of_type(&told, "marker").into_iter().map(|marker| marker["frame"].clone()).collect();
    assert_eq!(moves, [moved["frame"].clone()]);
    assert!(of_type(&told, "finding").iter().any(|finding| finding["device"] == NEW));
}

/// Two Linux hosts on a wire; what the peer has is changed while it is watched.
fn wire(test: &str) -> Option<(Watch, Beside)> {
    let make =
        "ip link add va type veth peer name vb && ip addr add 10.77.0.1/24 dev va && ip link set va up";
    let watch = Watch::start(test, make, &["-i", "va", "-d", OLD, "--json"])?;
    let mut peer = Watch::in_net(watch.child.id(), &["unshare", "-n", "cat"]);
    let peer = Beside(peer.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    // nsenter and unshare become cat; before that they are where they came from.
    std::thread::sleep(Duration::from_millis(300));
    watch.there(&format!("ip link set vb netns {}", peer.0.id()));
    sh(peer.0.id(), &format!("ip addr add {OLD}/24 dev vb && ip link set vb up"));
    Some((watch, peer))
}

/// Asks for the address's MAC address, and for a connection that is refused.
fn ask(watch: &Watch, address: &str) {
    watch.there("ip neigh flush dev va");
    watch.there(&format!("timeout 0.4 bash -c 'exec 3<>/dev/tcp/{address}/80' 2>&-; true"));
}

#[test]
fn needs_tap_a_host_that_takes_an_alias_is_met_with_silence() {
    let Some((watch, peer)) = wire("needs_tap_a_host_that_takes_an_alias_is_met_with_silence") else {
        return;
    };
    ask(&watch, OLD);
    sh(peer.0.id(), &format!("ip addr add {NEW}/24 dev vb"));
    for _ in 0..4 {
        ask(&watch, NEW);
        std::thread::sleep(Duration::from_millis(1_200));
        ask(&watch, OLD);
    }
    let (all, last, exit) = watch.end();
    assert!(of_type(&all, "marker").is_empty() && of_type(&all, "alert").is_empty(), "{all:?}");
    assert_eq!((last["devices"].as_array().unwrap().len(), exit), (1, Some(0)), "{last}");
    assert!(last["frames"].as_u64().unwrap() > 16, "{last}");
}

#[test]
fn needs_tap_a_host_that_changes_its_address_is_followed() {
    let Some((mut watch, peer)) = wire("needs_tap_a_host_that_changes_its_address_is_followed") else {
        return;
    };
    ask(&watch, OLD);
    sh(peer.0.id(), &format!("ip addr del {OLD}/24 dev vb && ip addr add {NEW}/24 dev vb"));
    ask(&watch, NEW);
    for _ in 0..4 {
        ask(&watch, OLD);
        std::thread::sleep(Duration::from_secs(1));
    }
    let moved = watch.until(|event| event["type"] == "marker");
    assert_eq!((&moved["formerly"], &moved["device"]), (&OLD.into(), &NEW.into()), "{moved}");
    std::thread::sleep(Duration::from_millis(300));
    ask(&watch, NEW);
    std::thread::sleep(Duration::from_millis(300));
    let (_, last, _) = watch.end();
    let new = last["devices"].as_array().unwrap().iter().find(|facts| facts["address"] == NEW).unwrap();
    assert_eq!((&new["formerly"], &new["mac"]), (&OLD.into(), &last["devices"][0]["mac"]), "{last}");
    // One connection to each: the filter lets the new address through.
    assert_eq!(last["flows"], 2, "{last}");
}
