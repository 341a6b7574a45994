//! The lab, seen from outside: a probe process enters it (never this one: a test harness has threads), and what it
//! does and leaves behind is looked at in /proc.
//!
//! Tests whose name begins with `needs_tap` want /dev/net/tun and leave to make a network namespace. Where that is
//! not to be had they say NOT RUN on standard error.

#![cfg(all(target_os = "linux", feature = "control"))]

#[path = "lab/running.rs"]
mod running;

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use running::{
    Probe, copied, inhabitants, may_open_tun_as_nobody, network_of, no_tap, open_folder, probe, twin,
    write_script,
};

macro_rules! needs_tap {
    ($name:literal) => {
        if let Some(why) = no_tap() {
            // Not eprintln!, whose words the harness keeps to itself when a test passes.
            writeln!(std::io::stderr(), "NOT RUN: {}: {why}", $name).unwrap();
            return;
        }
    };
}

#[test]
fn needs_tap_the_device_answers_and_refuses_a_reused_port() {
    needs_tap!("needs_tap_the_device_answers_and_refuses_a_reused_port");
    let run = Probe::new().args(&["--ports", "2"]).run();
    let entered = run.line("entered");
    assert_eq!(entered["interfaces"], serde_json::json!(["lo", "tap0"]), "nothing of the host's network");
    assert_eq!(entered["interface"], "tap0");
    assert!(entered["stack"].as_str().unwrap().starts_with("lwIP 2."), "{entered}");
    assert!(entered["ready_ms"].as_u64().unwrap() < 2000, "{entered}");
    for port in run.lines_with("port") {
        assert_eq!(port["first"]["answered"], true, "{port}");
        assert!(port["first"]["bytes"].as_u64().unwrap() > 20, "{port}");
        assert_eq!(port["second"]["failed"], "no connection before the deadline", "{port}");
    }
    let totals = run.line("ports");
    assert_eq!((&totals["first_answered"], &totals["reuse_refused"]), (&2.into(), &2.into()), "{totals}");
    assert_eq!(run.line("finished")["interfaces"], serde_json::json!(["lo"]));
    assert!(run.status.success());
    run.nothing_is_left();
}

#[test]
fn needs_tap_a_fixed_device_takes_the_port_again() {
    needs_tap!("needs_tap_a_fixed_device_takes_the_port_again");
    let run = Probe::new().args(&["--ports", "4", "--parallel", "2"]).twin_args(&["--mode", "fixed"]).run();
    let totals = run.line("ports");
    assert_eq!((&totals["reuse_answered"], &totals["reuse_refused"]), (&4.into(), &0.into()), "{totals}");
    run.nothing_is_left();
}

#[test]
fn needs_tap_over_ipv6_it_is_the_same() {
    needs_tap!("needs_tap_over_ipv6_it_is_the_same");
    let run = Probe::new().args(&["--ports", "1", "--ipv6"]).run();
    let port = run.line("port");
    assert_eq!(port["first"]["answered"], true, "{port}");
    // The address was usable at once: no second of duplicate detection.
    assert!(port["first"]["connect_ms"].as_f64().unwrap() < 500.0, "{port}");
    assert_eq!(port["second"]["failed"], "no connection before the deadline", "{port}");
}

#[test]
fn needs_tap_an_answer_of_announced_length_is_an_answer() {
    needs_tap!("needs_tap_an_answer_of_announced_length_is_an_answer");
    // With keep-alive nobody has to close for the answer to be over. (Our `Connection: close` is heeded or not.)
    let run = Probe::new().args(&["--ports", "1"]).twin_args(&["--close", "keep-alive"]).run();
    assert_eq!(run.line("port")["first"]["answered"], true);
    assert!(run.line("ports")["took_ms"].as_u64().unwrap() < 5000);
}

#[test]
fn needs_tap_a_stop_is_heard_in_the_midst_of_it() {
    needs_tap!("needs_tap_a_stop_is_heard_in_the_midst_of_it");
    let long = ["--ports", "50", "--parallel", "3", "--connect-ms", "60000", "--stop-after", "300"];
    let run = Probe::new().args(&long).run();
    let totals = run.line("ports");
    assert_eq!(totals["stopped"], true);
    assert_eq!((&totals["ports"], &totals["reuse_refused"]), (&3.into(), &0.into()), "{totals}");
    assert!(totals["took_ms"].as_u64().unwrap() < 1000, "{totals}");
}

#[test]
fn needs_tap_nothing_is_left_after_any_kind_of_end() {
    needs_tap!("needs_tap_nothing_is_left_after_any_kind_of_end");
    for (end, expected) in [("normal", 0), ("drop", 0), ("error", 1), ("panic", 101)] {
        let run = Probe::new().args(&["--end", end]).run();
        assert_eq!(run.status.code(), Some(expected), "{end}: {}", run.stderr);
        run.nothing_is_left();
    }
}

#[test]
fn needs_tap_nothing_is_left_after_any_signal() {
    needs_tap!("needs_tap_nothing_is_left_after_any_signal");
    for signal in
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGABRT, Signal::SIGKILL]
    {
        let mut running = Probe::new().args(&["--end", "wait"]).start();
        running.until("entered");
        let (_, namespace) = running.twin_and_namespace();
        assert_ne!(network_of(std::process::id()).unwrap(), namespace);
        kill(running.pid(), signal).unwrap();
        let run = running.end();
        assert_eq!(run.status.signal(), Some(signal as i32));
        run.nothing_is_left();
        assert!(inhabitants(&namespace).is_empty(), "the namespace outlived {signal}");
    }
}

#[test]
fn needs_tap_another_child_does_not_keep_the_twin_alive() {
    needs_tap!("needs_tap_another_child_does_not_keep_the_twin_alive");
    let mut running = Probe::new().args(&["--end", "wait", "--child"]).start();
    let child = running.until("child")["child"].as_u64().unwrap();
    running.twin_and_namespace();
    kill(running.pid(), Signal::SIGKILL).unwrap();
    let run = running.end();
    run.nothing_is_left();
    let child = Pid::from_raw(i32::try_from(child).unwrap());
    kill(child, Signal::SIGKILL).expect("the child was to outlive the twin, or this shows nothing");
}

#[test]
fn needs_tap_a_ctrl_c_of_the_terminal_is_ours_to_answer() {
    needs_tap!("needs_tap_a_ctrl_c_of_the_terminal_is_ours_to_answer");
    // As a terminal does it: to the whole foreground group. The probe ignores it; the twin must not be in the group.
    let mut running = Probe::new()
        .args(&["--end", "wait"])
        .through(&["sh", "-c", "trap '' INT; exec \"$@\"", "sh"])
        .start();
    running.until("entered");
    let (twin, _) = running.twin_and_namespace();
    nix::sys::signal::killpg(running.pid(), Signal::SIGINT).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(Path::new(&format!("/proc/{twin}")).exists(), "the twin died of the terminal's Ctrl-C");
    running.close_stdin();
    let run = running.end();
    assert!(run.status.success(), "{}", run.stderr);
    run.nothing_is_left();
}

#[test]
fn needs_tap_a_twin_that_died_meanwhile_is_told_of() {
    needs_tap!("needs_tap_a_twin_that_died_meanwhile_is_told_of");
    let mut running = Probe::new().args(&["--end", "wait"]).start();
    running.until("entered");
    let (twin, _) = running.twin_and_namespace();
    kill(Pid::from_raw(twin.cast_signed()), Signal::SIGSEGV).unwrap();
    running.close_stdin();
    let run = running.end();
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("ended before its time, signal: 11"), "{}", run.stderr);
}

#[test]
fn needs_tap_the_twin_has_no_privilege() {
    needs_tap!("needs_tap_the_twin_has_no_privilege");
    let mut users = vec![None];
    if nix::unistd::geteuid().is_root() {
        users.push(Some("65534"));
    }
    for user in users {
        let folder = open_folder();
        let twin = copied(&twin(), folder.path());
        let mut probe = Probe::new().args(&["--end", "wait"]).twin(&twin);
        if let Some(id) = user {
            probe = probe.args(&["--twin-user", id]);
        }
        let mut running = probe.start();
        running.until("entered");
        let (twin, _) = running.twin_and_namespace();
        let status = fs::read_to_string(format!("/proc/{twin}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        assert_eq!(field("NoNewPrivs"), "1");
        if let Some(id) = user {
            assert_eq!((field("Uid"), field("Groups")), ([id; 4].join(" "), String::new()));
        }
        running.close_stdin();
        assert!(running.end().status.success());
    }
}

#[test]
fn needs_tap_a_twin_that_does_not_work_is_told_of_in_its_own_words() {
    needs_tap!("needs_tap_a_twin_that_does_not_work_is_told_of_in_its_own_words");
    let folder = open_folder();
    let table = [
        (
            "echo 'no stack today' >&2; exit 3",
            "ended before its time, exit status: 3; it said: no stack today",
        ),
        ("echo 'still thinking' >&2; exec sleep 60", "was not ready within 5 s; it said: still thinking"),
        ("echo hello; exec sleep 60", "said \"hello\" where it should have said that it is ready"),
        ("echo '{\"ready\":true}'; exec sleep 60", "did not end within 2 s of being asked to and was killed"),
        // More than a pipe holds, before and after: it is neither stopped by it nor believed.
        ("head -c 300000 /dev/zero >&2; echo '{\"ready\":true}'; read -r _; exit 0", ""),
    ];
    let runs: Vec<_> = table
        .iter()
        .enumerate()
        .map(|(number, (script, _))| {
            let path = folder.path().join(format!("twin-{number}"));
            write_script(&path, &format!("#!/bin/sh\n{script}\n"));
            Probe::new().twin(&path).start()
        })
        .collect();
    for (running, (script, expected)) in runs.into_iter().zip(table) {
        let run = running.end();
        assert_eq!(run.status.success(), expected.is_empty(), "{script}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{script}: {}", run.stderr);
        run.nothing_is_left();
    }
}

#[test]
fn needs_tap_through_a_user_namespace_it_is_the_same() {
    needs_tap!("needs_tap_through_a_user_namespace_it_is_the_same");
    if !nix::unistd::geteuid().is_root() {
        return; // every other test is this one then
    }
    // A container's root: it may open /dev/net/tun and has not the capabilities for the direct way.
    for lacking in ["sys_admin", "net_admin", "net_raw"] {
        let (bounding, inheritable) =
            (format!("--bounding-set=-{lacking}"), format!("--inh-caps=-{lacking}"));
        let less = ["setpriv", &bounding, &inheritable];
        // There is no uid 65534 in there to become: the twin stays what we are.
        let run = Probe::new().through(&less).args(&["--ports", "1", "--twin-user", "65534"]).run();
        assert!(run.status.success(), "without {lacking}: {}", run.stderr);
        assert_eq!(run.line("entered")["has_other_users"], false);
        assert_eq!(run.line("entered")["uid"], 0, "the same user inside as outside");
        assert_eq!(run.line("port")["first"]["answered"], true);
        run.nothing_is_left();
    }
}

#[test]
fn an_ordinary_user_gets_a_lab_or_is_told_what_is_shut() {
    if !nix::unistd::geteuid().is_root() {
        return; // every other test is this one then
    }
    let folder = open_folder();
    let probe = copied(&probe(), folder.path());
    let twin = copied(&twin(), folder.path());
    let become_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let run = Probe::new().binary(&probe).twin(&twin).through(&become_nobody).args(&["--ports", "1"]).run();
    if may_open_tun_as_nobody() {
        assert!(run.status.success(), "{}", run.stderr);
        assert_eq!(run.line("entered")["uid"], 65534, "the same user inside as outside");
        assert_eq!(run.line("port")["first"]["answered"], true);
    } else {
        assert_eq!(run.status.code(), Some(1));
        let told = ["/dev/net/tun is closed to this process", "sudo", "chmod 0666 /dev/net/tun"];
        let missing = ["/dev/net/tun is missing", "modprobe tun", "--device /dev/net/tun"];
        let all = |words: &[&str]| words.iter().all(|word| run.stderr.contains(word));
        assert!(all(&told) || all(&missing), "{}", run.stderr);
    }
    run.nothing_is_left();
}

#[test]
fn without_a_twin_the_error_says_how_to_make_one() {
    let run = Probe::new().twin(Path::new("/nowhere/esp-tcpwatch-twin")).run();
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("no twin at /nowhere/esp-tcpwatch-twin: run `make twin`"), "{}", run.stderr);
}

#[test]
fn a_process_with_threads_is_turned_away() {
    needs_tap!("a_process_with_threads_is_turned_away");
    let run = Probe::new().args(&["--thread-first"]).run();
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("before the first thread; this process has 2"), "{}", run.stderr);
}
