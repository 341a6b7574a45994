//! The program at a terminal: the screen comes up where stdout is one, and every way out leaves the terminal as found.
#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::libc;
use nix::pty::Winsize;
use nix::sys::signal::Signal;
use nix::sys::termios::{SetArg, tcsetattr};
use support::lab::twin;
use terminal::{DOWN, Terminal, UP, cells};

impl Terminal {
    fn replay(scene: &tempfile::TempDir) -> Terminal {
        let capture = scene.path().join("run.pcap");
        std::fs::write(&capture, support::refused()).unwrap();
        let mut terminal = Terminal::run(support::program(&["-r", capture.to_str().unwrap()]));
        terminal.until("time-wait-collision");
        assert!(terminal.text.contains(UP));
        assert_ne!(terminal.local_flags(), terminal.before.local_flags, "keys come one by one");
        terminal
    }
}

#[test]
fn q_and_ctrl_c_leave_the_terminal_as_found() {
    for keys in ["q", "\u{3}"] {
        let scene = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::replay(&scene);
        terminal.press(keys);
        assert_eq!(terminal.end(), Some(1), "{keys:?}");
    }
}

#[test]
fn signals_leave_the_terminal_as_found() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let scene = tempfile::tempdir().unwrap();
        let terminal = Terminal::replay(&scene);
        terminal.signal(signal);
        assert_eq!(terminal.end(), Some(1), "{signal}");
    }
}

#[test]
fn sigusr1_writes_a_report_and_the_screen_stays() {
    let scene = tempfile::tempdir().unwrap();
    support::give_to_successor(scene.path());
    let capture = scene.path().join("run.pcap");
    std::fs::write(&capture, support::refused()).unwrap();
    // Of a run that is saved, and of one that is made.
    let run = scene.path().join("run.jsonl");
    std::fs::write(&run, support::run(&["-r", capture.to_str().unwrap(), "--json"]).stdout).unwrap();
    let mut written = 0;
    for read in [&capture, &run] {
        let mut command = support::program(&["-r", read.to_str().unwrap()]);
        command.current_dir(scene.path());
        let mut terminal = Terminal::run(command);
        terminal.shows("time-wait-collision");
        for _ in 0..2 {
            terminal.signal(Signal::SIGUSR1);
            written += 1;
            let deadline = Instant::now() + Duration::from_secs(20);
            while reports_in(scene.path()).len() < written {
                assert!(
                    Instant::now() < deadline,
                    "no report {written}:\n{}",
                    terminal.seen.screen().contents()
                );
                terminal.wait_for(Duration::from_millis(50));
            }
            terminal.shows("report written: esp-tcpwatch-");
        }
        terminal.press("q");
        assert_eq!(terminal.end(), Some(1));
    }
    let reports = reports_in(scene.path());
    assert!(reports.len() == 4 && reports.iter().all(|text| text.contains("time-wait-collision")));
}

fn reports_in(folder: &std::path::Path) -> Vec<String> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let reports = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    reports.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn an_error_is_told_after_the_screen() {
    let scene = tempfile::tempdir().unwrap();
    let capture = scene.path().join("run.pcap");
    let mut octets = support::refused();
    octets.truncate(octets.len() - 10);
    std::fs::write(&capture, octets).unwrap();
    let mut terminal = Terminal::run(support::program(&["-r", capture.to_str().unwrap()]));
    terminal.until("time-wait-collision");
    terminal.press("q");
    assert_eq!(terminal.wait(), Some(4));
    terminal.until(DOWN);
    // The screen tells it as well: only what comes after the screen counts.
    terminal.text = terminal.text.split_off(terminal.text.rfind(DOWN).unwrap());
    terminal.until("damaged at byte");
}

#[test]
fn at_a_terminal_a_report_that_exists_is_asked_about() {
    for (answer, exit, text) in [("n\n", 2, "mine"), ("\n", 2, "mine"), ("y\n", 0, "# ")] {
        let scene = tempfile::tempdir().unwrap();
        let (capture, report) = (scene.path().join("run.pcap"), scene.path().join("there.md"));
        std::fs::write(&capture, support::refused()).unwrap();
        std::fs::write(&report, "mine").unwrap();
        let words = ["report", capture.to_str().unwrap(), "-o", report.to_str().unwrap()];
        let mut terminal = Terminal::run(support::program(&words));
        terminal.until("there.md exists. Write over it? [y/N]");
        terminal.press(answer);
        assert_eq!(terminal.wait(), Some(exit), "{answer:?}");
        assert!(std::fs::read_to_string(&report).unwrap().starts_with(text), "{answer:?}");
    }
}

#[test]
fn without_privilege_the_terminal_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(support::program_for_everybody(dir.path()));
    command.args(["-i", "lo"]);
    if support::is_root() {
        command.uid(65534).gid(65534);
    }
    let mut terminal = Terminal::run(command);
    assert_eq!(terminal.wait(), Some(3));
    terminal.until("sudo setcap");
    assert!(!terminal.text.contains('\u{1b}'), "{}", terminal.text);
}

#[test]
fn headless_and_json_have_no_screen() {
    let scene = tempfile::tempdir().unwrap();
    let capture = scene.path().join("run.pcap");
    std::fs::write(&capture, support::refused()).unwrap();
    for option in ["--headless", "--json"] {
        let mut terminal = Terminal::run(support::program(&["-r", capture.to_str().unwrap(), option]));
        assert_eq!(terminal.wait(), Some(1));
        terminal.until("time-wait-collision");
        assert!(!terminal.text.contains('\u{1b}'), "{option}: {}", terminal.text);
    }
}

/// What comes of a switch asked for from the demo's screen.
const ANSWER: &str = "10.77.0.2 is in mode fixed now";

#[test]
fn needs_tap_the_twins_alert_leads_to_its_flow_a_question_and_a_report() {
    let Some(twin) = twin("needs_tap_the_twins_alert_leads_to_its_flow_a_question_and_a_report") else {
        return;
    };
    let scene = tempfile::tempdir().unwrap();
    support::give_to_successor(scene.path());
    let mut command = support::program(&["demo", "--twin", &twin]);
    command.current_dir(scene.path());
    let mut terminal = Terminal::run(command);
    terminal.shows("CRITICAL: 10.77.0.2 refused a new connection");
    // The device's own list is on its card before its alert is opened.
    terminal.shows("Own list: ");
    terminal.press("\r");
    terminal.shows("What happened");
    terminal.press("\r");
    terminal.shows("numbers from each life's ISN");
    terminal.press("]");
    terminal.shows("stale ACK");
    terminal.press("m");
    terminal.shows("Switch 10.77.0.2");
    terminal.press("j\r");
    terminal.shows("esp-tcpwatch mode fixed -d 10.77.0.2");
    terminal.press("\r");
    terminal.shows(ANSWER);
    terminal.press("e");
    terminal.shows("report written: esp-tcpwatch-");
    terminal.press("q");
    assert_eq!(terminal.end(), Some(0));
    let reports: Vec<_> =
        std::fs::read_dir(scene.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(
        reports.iter().any(|path| std::fs::read_to_string(path).unwrap().contains("time-wait-collision")),
        "{reports:?}"
    );
}

/// A terminal is one more thing to hold; it gives nothing back.
#[test]
fn no_thread_of_a_live_watch_at_a_terminal_keeps_a_capability() {
    if !support::is_root() {
        return support::not_run(
            "no_thread_of_a_live_watch_at_a_terminal_keeps_a_capability",
            "live capture needs root",
        );
    }
    let mut terminal = Terminal::run(support::program(&["-i", "lo", "-d", "127.0.0.1"]));
    terminal.until(UP);
    let threads = support::threads::threads(terminal.child.id(), &["capture", "engine", "signals"]);
    support::threads::assert_powerless(&threads);
    support::threads::assert_ids(&threads, 65_534);
    terminal.press("q");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn needs_tap_sigterm_before_the_twin_leaves_the_terminal_as_found() {
    let Some(twin) = twin("needs_tap_sigterm_before_the_twin_leaves_the_terminal_as_found") else { return };
    let scene = tempfile::tempdir().unwrap();
    support::give_to_successor(scene.path());
    let mut command = support::program(&["demo", "--twin", &twin]);
    command.current_dir(scene.path());
    let mut terminal = Terminal::run(command);
    terminal.shows("CRITICAL: 10.77.0.2 refused a new connection");
    terminal.signal(Signal::SIGUSR1);
    terminal.shows("report written: esp-tcpwatch-");
    terminal.signal(Signal::SIGTERM);
    terminal.end();
    assert_eq!(reports_in(scene.path()).len(), 1);
}

#[test]
fn needs_tap_an_experiment_is_shown_interrupted_and_gone_on_with() {
    let Some(twin) = twin("needs_tap_an_experiment_is_shown_interrupted_and_gone_on_with") else { return };
    let scene = tempfile::tempdir().unwrap();
    support::give_to_successor(scene.path());
    let run = || {
        let words = ["demo", "--experiment", "--duration", "2s", "-o", "r.jsonl", "--twin", &twin];
        let mut command = support::program(&words);
        command.current_dir(scene.path());
        Terminal::run(command)
    };
    let mut terminal = run();
    terminal.shows("experiment: the positive control");
    terminal.press("5");
    terminal.shows("Positive control (unfixed): it must show the bug first");
    terminal.shows("Block 1 of 8");
    terminal.shows("Last block: control unfixed 10 of 10 reused ports suffered");
    assert!(!terminal.seen.screen().contents().contains("m mode"), "what it switches is its own");
    terminal.signal(Signal::SIGUSR1);
    terminal.shows("report written: esp-tcpwatch-");
    terminal.press("q");
    assert_eq!(terminal.wait(), Some(4), "interrupted");
    // Its conclusion stands where the shell goes on.
    terminal.until(DOWN);
    terminal.text = terminal.text.split_off(terminal.text.rfind(DOWN).unwrap());
    terminal.until("Not finished: 0 of 8 blocks are there");

    let mut terminal = run();
    terminal.press("5");
    terminal.shows("Block ");
    terminal.shows_within(Duration::from_secs(120), "Every arm behaves as it declares.");
    terminal.shows("Over.");
    terminal.shows("4/4");
    terminal.press("q");
    assert_eq!(terminal.wait(), Some(0));
    terminal.until(DOWN);
    terminal.text = terminal.text.split_off(terminal.text.rfind(DOWN).unwrap());
    terminal.until("Every arm behaves as it declares.");
}

#[test]
fn a_panic_leaves_the_terminal_as_found_and_its_message_after_the_screen() {
    for (option, keys) in [("--panic-on-export", "e"), ("--panic-after", "")] {
        let mut command = Command::new(support::example("tui_replay"));
        command.args(["tests/data/refused-port.jsonl", "--live", option]);
        if option == "--panic-after" {
            command.arg("0.5");
        }
        let mut terminal = Terminal::run(command);
        terminal.shows("time-wait-collision");
        terminal.press(keys);
        terminal.until("asked to panic");
        assert!(terminal.text.rfind("asked to panic") > terminal.text.rfind(DOWN), "{}", terminal.text);
        assert_ne!(terminal.end(), Some(0));
    }
}

#[test]
fn a_stop_from_outside_ends_with_the_screen_as_it_was() {
    let scene = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::replay(&scene);
    terminal.signal(Signal::SIGSTOP);
    // As a shell does that gets the terminal back.
    tcsetattr(terminal.slave.as_fd(), SetArg::TCSANOW, &terminal.before).unwrap();
    let once = terminal.text.matches(UP).count();
    terminal.signal(Signal::SIGCONT);
    let deadline = Instant::now() + Duration::from_secs(10);
    while terminal.text.matches(UP).count() == once {
        assert!(terminal.reads(deadline), "the screen is not entered again");
    }
    terminal.shows("time-wait-collision");
    assert_ne!(terminal.local_flags(), terminal.before.local_flags, "keys come one by one again");
    terminal.press("q");
    assert_eq!(terminal.end(), Some(1));
}

#[test]
fn a_saved_run_opens_in_the_same_screens_and_ends_as_it_did() {
    let scene = tempfile::tempdir().unwrap();
    support::give_to_successor(scene.path());
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/refused-port.jsonl");
    let mut command = support::program(&["-r", run]);
    command.current_dir(scene.path());
    let mut terminal = Terminal::run(command);
    terminal.shows("Ended. 10.77.0.2 refused 11 SYNs");
    terminal.press("3");
    terminal.shows("Flows 1/1");
    terminal.press("e");
    terminal.shows("report written: esp-tcpwatch-");
    // A click on a screen's name, as a terminal tells it.
    terminal.press("\u{1b}[<0;4;2M\u{1b}[<0;4;2m");
    terminal.shows("Devices 1/1");
    terminal.press("q");
    assert_eq!(terminal.end(), Some(1));
}

#[test]
fn copying_hands_the_text_to_the_terminal() {
    let scene = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::replay(&scene);
    terminal.press("5c");
    // OSC 52 with the address in base64.
    terminal.until("\u{1b}]52;c;");
    terminal.shows("copied the address: ");
    terminal.press("q");
    terminal.end();
}

#[test]
fn a_window_made_tiny_and_large_again_shows_all_again() {
    let scene = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::replay(&scene);
    for (columns, rows) in [(1, 1), (3, 2), (100, 30)] {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open and the structure is whole.
        #[expect(unsafe_code, reason = "an ioctl")]
        let set = unsafe { libc::ioctl(terminal.keys.as_raw_fd(), libc::TIOCSWINSZ as _, &size) };
        assert_eq!(set, 0);
        terminal.signal(Signal::SIGWINCH);
        terminal.seen.screen_mut().set_size(cells(rows), cells(columns));
        std::thread::sleep(Duration::from_millis(150));
    }
    terminal.shows("time-wait-collision");
    terminal.shows("1 Overview");
    terminal.press("q");
    assert_eq!(terminal.end(), Some(1));
}

/// Run it by name with `--ignored --nocapture` for the numbers of docs/screen.md; the bounds are those of any machine.
#[test]
#[ignore = "it takes 20 seconds and measures: cargo test --test screen measured -- --ignored --nocapture"]
fn measured_under_ten_thousand_events_a_second_and_idle() {
    let mut command = Command::new(support::example("tui_replay"));
    command.args(["tests/data/refused-port.jsonl", "--flood", "10000"]);
    let mut terminal = Terminal::run(command);
    terminal.shows("time-wait-collision");
    let begun = Instant::now();
    let (cpu_before, drawn_before) = (cpu(terminal.child.id()), frames(&terminal.text));
    let mut waits = Vec::new();
    let mut memory = Vec::new();
    // The keys lead to screens that differ in their first lines.
    for round in 0..20 {
        let (key, shown) = if round % 2 == 0 { ("3", "client → server") } else { ("1", "Devices 1/1") };
        terminal.wait_for(Duration::from_millis(450));
        let pressed = Instant::now();
        terminal.press(key);
        terminal.shows(shown);
        waits.push(pressed.elapsed());
        memory.push(resident_kib(terminal.child.id()));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let busy = (cpu(terminal.child.id()) - cpu_before) / seconds;
    let rate = (frames(&terminal.text) - drawn_before) as f64 / seconds;
    waits.sort_unstable();
    println!(
        "10,000 events a second: key to screen {:?} in the middle, {:?} at most; {:.0} % of a core; {rate:.1} frames a \
         second; {} KiB resident after 1 s, {} KiB after {seconds:.0} s",
        waits[waits.len() / 2],
        waits[waits.len() - 1],
        100.0 * busy,
        memory[1],
        memory[memory.len() - 1],
    );
    assert!(rate <= 31.0, "{rate} frames a second");
    assert!(waits[waits.len() / 2] < Duration::from_millis(250), "{waits:?}");
    assert!(memory[memory.len() - 1] < memory[memory.len() / 2] * 5 / 4, "{memory:?}");
    terminal.press("q");
    terminal.end();

    let scene = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::replay(&scene);
    terminal.wait_for(Duration::from_millis(500));
    let (cpu_before, octets) = (cpu(terminal.child.id()), terminal.text.len());
    terminal.wait_for(Duration::from_secs(5));
    let busy = (cpu(terminal.child.id()) - cpu_before) / 5.0;
    println!("idle: {:.2} % of a core, {} octets written", 100.0 * busy, terminal.text.len() - octets);
    assert_eq!(terminal.text.len(), octets, "nothing is drawn where nothing changes");
    assert!(busy < 0.02, "{busy}");
    terminal.press("q");
    terminal.end();
}

/// Seconds that the process has computed.
fn cpu(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    let ticks: u64 = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // SAFETY: a question without a pointer.
    #[expect(unsafe_code, reason = "a question to the system")]
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    ticks as f64 / per_second as f64
}

fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Frames that were begun in `text`.
fn frames(text: &str) -> usize {
    text.matches("\u{1b}[?2026h").count()
}
