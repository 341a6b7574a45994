//! `drive` as a person or a script meets it: against small servers of this machine, each with one misbehaviour, and
//! against the real lwIP.
//!
//! Tests whose name begins with `needs_tap` want /dev/net/tun, leave to make a network namespace, and the twin.

#![cfg(target_os = "linux")]

#[path = "lab/running.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "tests/lab.rs takes more of it")]
mod running;
#[path = "drive/server.rs"]
mod server;
mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{Backlog, listen};
use nix::unistd::Pid;
use serde_json::{Value, json};

use running::{Ended, Probe, no_tap};
use server::{HELLO, HELLO_AND_STAY, Server, request_of};
use support::{PROGRAM, code, not_run, program, run, stderr, stdout};

/// The numbers of a run against `server`, which must have ended well and said nothing else.
fn numbers(server: &Server, words: &[&str]) -> Value {
    let port = server.port();
    let pace: &[&str] = if words.contains(&"--interval") { &[] } else { &["--interval", "1ms"] };
    let output = run(&[&["drive", "-d", "127.0.0.1", "--port", &port, "--json"], pace, words].concat());
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{words:?}");
    object(&stdout(&output))
}

/// The one line, in which no request is lost or counted twice.
fn object(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    let object: Value = serde_json::from_str(text).unwrap();
    let requests = |name: &str| object["requests"][name].as_u64().unwrap();
    let parts = ["answered", "failed", "unsent", "unfinished", "not_begun"].map(requests);
    assert_eq!(parts.iter().sum::<u64>(), requests("planned"), "{object}");
    let rows = object["outcomes"].as_array().unwrap().iter().map(|row| row["requests"].as_u64().unwrap());
    assert_eq!(rows.sum::<u64>() + requests("not_begun"), requests("planned"), "{object}");
    object
}

/// How many requests ended in `outcome`.
fn ended_in(object: &Value, outcome: &str) -> u64 {
    let rows = object["outcomes"].as_array().unwrap().iter().filter(|row| row["outcome"] == outcome);
    rows.map(|row| row["requests"].as_u64().unwrap()).sum()
}

/// Source ports above those the kernel hands out itself, and no two tests' the same.
fn ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(63000);
    NEXT.fetch_add(count, Ordering::Relaxed)
}

#[test]
fn every_request_is_made_once_and_closed_like_a_good_client() {
    let server = Server::saying(HELLO);
    let object = numbers(&server, &["--requests", "30", "--path", "/a?b=c"]);
    assert_eq!(object["requests"]["answered"], 30, "{object}");
    assert_eq!(
        object["connections"],
        json!({"opened": 30, "closed_by_device": 30, "reset_by_device": 0, "closed_by_us": 0})
    );
    assert_eq!((&object["connect_s"]["count"], &object["response_s"]["count"]), (&json!(30), &json!(30)));
    assert_eq!(object["body_octets"], json!({"at_least": 5, "at_most": 5}));
    assert_eq!((&object["ended"], &object["lost_s"]), (&json!("done"), &json!(0.0)), "{object}");
    let asked: Vec<_> = (0..30).map(|_| server.next()).collect();
    let expected = format!("GET /a?b=c HTTP/1.1\r\nHost: {}\r\nUser-Agent: esp-tcpwatch/", server.address);
    assert!(asked.iter().all(|one| one.request.starts_with(&expected)), "{asked:?}");
    assert!(server.rest().is_empty());
}

#[test]
fn the_interval_is_from_start_to_start() {
    let server = Server::saying(HELLO);
    let object = numbers(&server, &["--requests", "6", "--interval", "100ms"]);
    let took = object["duration_s"].as_f64().unwrap();
    assert!((0.5..10.0).contains(&took), "{object}");
}

#[test]
fn one_port_is_used_again_and_again_and_a_range_in_turn() {
    let server = Server::saying(HELLO);
    let first = ports(4);
    numbers(&server, &["--requests", "4", "--source-ports", &first.to_string()]);
    let from: Vec<u16> = (0..4).map(|_| server.next().from).collect();
    assert_eq!(from, [first; 4]);
    let range = format!("{}-{}", first + 1, first + 3);
    numbers(&server, &["--requests", "7", "--source-ports", &range]);
    let from: Vec<u16> = (0..7).map(|_| server.next().from - first).collect();
    assert_eq!(from, [1, 2, 3, 1, 2, 3, 1]);
}

#[test]
fn clients_ask_side_by_side_and_never_more_of_them() {
    let (here, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all_of_them = Barrier::new(4);
    let counted = (here.clone(), most.clone());
    let server = Server::new(move |stream| {
        let now = counted.0.fetch_add(1, Ordering::SeqCst) + 1;
        counted.1.fetch_max(now, Ordering::SeqCst);
        let request = request_of(stream);
        // Nobody is answered before four are here.
        all_of_them.wait();
        counted.0.fetch_sub(1, Ordering::SeqCst);
        stream.write_all(HELLO).unwrap();
        request
    });
    let first = ports(8);
    let range = format!("{first}-{}", first + 7);
    let object = numbers(&server, &["--requests", "24", "--clients", "4", "--source-ports", &range]);
    assert_eq!(object["requests"]["answered"], 24, "{object}");
    assert_eq!(most.load(Ordering::SeqCst), 4);
    let mut from: Vec<u16> = (0..24).map(|_| server.next().from - first).collect();
    from.sort_unstable();
    let thrice: Vec<u16> = (0..8).flat_map(|port| [port; 3]).collect();
    assert_eq!(from, thrice);
}

#[test]
fn each_misbehaviour_has_a_name() {
    let table: &[(&'static [u8], &str)] = &[
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "short-answer"),
        (b"HTTP/1.1 200 O", "short-answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "short-answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello", "long-answer"),
        (b"hello", "not-http"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "http-status"),
        (b"HTTP/1.1 404 None\r\n\r\n", "http-status"),
        (b"HTTP/1.1 399 Odd\r\n\r\n", "answered"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "answered"),
        (b"", "closed-early"),
    ];
    for (answer, outcome) in table {
        let server = Server::new(|stream| {
            let request = request_of(stream);
            let _ = stream.write_all(answer);
            request
        });
        let object = numbers(&server, &["--requests", "3"]);
        assert_eq!(ended_in(&object, outcome), 3, "{}: {object}", String::from_utf8_lossy(answer));
        assert_eq!(object["requests"]["answered"], if *outcome == "answered" { 3 } else { 0 }, "{object}");
    }
}

/// A RST would take the connection from the device, and with it the TIME-WAIT that is to be shown.
#[test]
fn an_answer_that_makes_no_sense_is_read_to_its_end_all_the_same() {
    static NO_HTTP: [u8; 200_000] = [b'x'; 200_000];
    let long: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello";
    for (answer, outcome) in [(&NO_HTTP[..], "not-http"), (long, "long-answer")] {
        let server = Server::saying(answer);
        let object = numbers(&server, &["--requests", "3"]);
        assert_eq!(ended_in(&object, outcome), 3, "{object}");
        assert_eq!(object["connections"]["closed_by_device"], 3, "{object}");
        // The server found a FIN and no RST, or it would tell of nobody.
        (0..3).for_each(|_| drop(server.next()));
    }
}

#[test]
fn a_reset_is_called_a_reset_and_is_told_from_a_close() {
    // To close with something unread is to reset.
    let server = Server::new(|stream| {
        stream.peek(&mut [0]).unwrap();
        String::new()
    });
    let object = numbers(&server, &["--requests", "3"]);
    assert_eq!(ended_in(&object, "receive-failed"), 3, "{object}");
    let row = &object["outcomes"][1];
    assert_eq!(
        (&row["errno"], &row["text"]),
        (&json!("ECONNRESET"), &json!("waiting for the answer: ECONNRESET"))
    );
    assert_eq!(object["connections"]["reset_by_device"], 3, "{object}");
}

#[test]
fn a_closed_port_is_told_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let words = ["drive", "-d", "127.0.0.1", "--port", &address.port().to_string(), "--requests", "5"];
    let output = run(&[&words[..], &["--interval", "1ms", "--json"]].concat());
    assert_eq!(code(&output), 0, "the device failed, drive did its work: {}", stderr(&output));
    let object = object(&stdout(&output));
    assert_eq!(ended_in(&object, "connect-failed"), 5, "{object}");
    assert_eq!(
        (&object["outcomes"][1]["errno"], &object["connect_s"]),
        (&json!("ECONNREFUSED"), &Value::Null)
    );
}

#[test]
fn a_device_that_never_answers_ends_in_bounded_time_with_clear_numbers() {
    // Reads, and waits for the client to go.
    let server = Server::new(|stream| {
        let request = request_of(stream);
        let _gone = stream.read(&mut [0]);
        request
    });
    let began = Instant::now();
    let object = numbers(&server, &["--requests", "3", "--response-timeout", "1100ms"]);
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(ended_in(&object, "response-deadline"), 3, "{object}");
    assert_eq!(object["stalls"], json!({"over_s": 1.0, "requests": 3}));
    assert_eq!((&object["connect_s"]["count"], &object["response_s"]), (&json!(3), &Value::Null));
    // With nothing answered there is no median: all of it is lost.
    let lost = object["lost_s"].as_f64().unwrap();
    assert!((3.3..9.0).contains(&lost), "{object}");
}

#[test]
fn a_backlog_nobody_takes_from_lets_one_in_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let words =
        ["drive", "-d", "127.0.0.1", "--port", &port, "--requests", "3", "--interval", "1ms", "--json"];
    let output = run(&[&words[..], &["--connect-timeout", "300ms", "--response-timeout", "200ms"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let object = object(&stdout(&output));
    assert_eq!(
        (ended_in(&object, "response-deadline"), ended_in(&object, "connect-deadline")),
        (1, 2),
        "{object}"
    );
}

#[test]
fn a_connection_is_kept_for_as_many_requests_as_the_server_allows() {
    for (at_most, connections) in [(20, 1), (5, 4), (1, 20)] {
        let server = Server::new(move |stream| {
            let mut requests = String::new();
            for _ in 0..at_most {
                let request = request_of(stream);
                if request.is_empty() {
                    break;
                }
                stream.write_all(HELLO_AND_STAY).unwrap();
                requests.push_str(&request);
            }
            requests
        });
        let object = numbers(&server, &["--requests", "20", "--keep-alive"]);
        assert_eq!(object["requests"]["answered"], 20, "{at_most}: {object}");
        assert_eq!(object["connections"]["opened"], connections, "{at_most}: {object}");
        assert_eq!(object["connect_s"]["count"], connections, "{at_most}: {object}");
        let asked: Vec<_> = (0..connections).map(|_| server.next()).collect();
        let requests: usize = asked.iter().map(|one| one.request.matches("GET / HTTP/1.1\r\n").count()).sum();
        assert_eq!(requests, 20);
        assert!(asked.iter().all(|one| one.request.contains("Connection: keep-alive\r\n")));
    }
}

#[test]
fn kept_connections_go_round_the_ports_as_they_are_opened() {
    let server = Server::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    let first = ports(2);
    let range = format!("{first}-{}", first + 1);
    numbers(&server, &["--requests", "4", "--keep-alive", "--source-ports", &range]);
    let from: Vec<u16> = (0..4).map(|_| server.next().from - first).collect();
    assert_eq!(from, [0, 1, 0, 1]);
}

#[test]
fn large_answers_are_read_to_the_end_and_measured() {
    for head in ["HTTP/1.1 200 OK\r\nContent-Length: 10240\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
        let server = Server::new(move |stream| {
            let request = request_of(stream);
            stream.write_all(head.as_bytes()).unwrap();
            for _ in 0..1024 {
                stream.write_all(b"0123456789").unwrap();
            }
            request
        });
        let object = numbers(&server, &["--requests", "5", "--path", "/big?10240"]);
        assert_eq!(object["requests"]["answered"], 5, "{object}");
        assert_eq!(object["body_octets"], json!({"at_least": 10240, "at_most": 10240}));
    }
}

#[test]
fn a_port_that_somebody_else_has_is_told_apart_and_nothing_is_sent() {
    let server = Server::saying(HELLO);
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let target = server.port();
    let words = ["drive", "-d", "127.0.0.1", "--port", &target, "--source-ports", &port, "--json"];
    let began = Instant::now();
    let output = run(&words);
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains(&format!("ss -tan sport = :{port}")), "{}", stderr(&output));
    let object = object(&stdout(&output));
    // Not a thousand times two seconds: where nothing was ever sent, three are enough.
    assert!(began.elapsed() < Duration::from_secs(12));
    assert_eq!((ended_in(&object, "port-held"), &object["ended"]), (3, &json!("unsendable")), "{object}");
    assert_eq!((&object["lost_s"], &object["requests"]["failed"]), (&json!(0.0), &json!(0)), "{object}");
    assert!(server.rest().is_empty());
}

#[test]
fn where_we_close_first_the_port_is_held_here_and_that_is_no_failure_of_the_device() {
    // Announces its length and waits for us to close, which leaves TIME-WAIT with us.
    let server = Server::new(|stream| {
        let request = request_of(stream);
        stream.write_all(HELLO_AND_STAY).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        request
    });
    let port = ports(1).to_string();
    let object = numbers(&server, &["--requests", "2", "--source-ports", &port]);
    // Linux lets a connection to itself take over such a port after a second, and may be set otherwise.
    let requests = &object["requests"];
    assert_eq!(requests["answered"].as_u64().unwrap() + requests["unsent"].as_u64().unwrap(), 2, "{object}");
    assert_eq!(object["connections"]["closed_by_us"], requests["answered"], "{object}");
    // However long our own kernel was waited for.
    assert_eq!((&object["stalls"]["requests"], &object["lost_s"]), (&json!(0), &json!(0.0)), "{object}");
}

#[test]
fn nothing_that_could_be_sent_ends_with_4_and_the_next_step() {
    let table = [
        (["drive", "-d", "esp-tcpwatch.invalid"], "-d 192.168.4.1", false),
        (["drive", "-d", "fe80::1"], "fe80::1", true),
    ];
    for (words, next, page) in table {
        let output = run(&words);
        assert_eq!(code(&output), 4, "{words:?}: {}", stdout(&output));
        assert!(stderr(&output).contains(next), "{words:?}: {}", stderr(&output));
        assert_eq!(stdout(&output).contains("given up"), page, "{words:?}");
    }
}

#[test]
fn a_slip_on_the_command_line_ends_with_2_before_anything_is_sent() {
    for words in
        [&["drive"][..], &["drive", "-d", "127.0.0.1", "--path", "x"], &["drive", "-d", "255.255.255.255"]]
    {
        let output = run(words);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{words:?}");
        assert!(!stderr(&output).is_empty());
    }
}

#[test]
fn the_page_fits_a_terminal_and_says_where_to_look() {
    let server = Server::saying(b"HTTP/1.1 500 Oh\r\n\r\n");
    let port = server.port();
    let output = run(&["drive", "-d", "127.0.0.1", "--port", &port, "--requests", "2", "--interval", "1ms"]);
    let text = stdout(&output);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    for part in ["HTTP status 500    ", "p50", "stalls       0 requests", "sudo esp-tcpwatch -d 127.0.0.1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A run that would go on for long, once `server` has been asked five times.
fn under_way(server: &Server, stderr: Stdio) -> Child {
    let port = server.port();
    let words =
        ["drive", "-d", "127.0.0.1", "--port", &port, "--requests", "100000", "--interval", "5ms", "--json"];
    let child = program(&words).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
    (0..5).for_each(|_| drop(server.next()));
    child
}

fn interrupted(mut child: Child, signal: Signal) -> Value {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    let object = object(&text);
    assert_eq!(object["ended"], "interrupted", "{object}");
    object
}

#[test]
fn a_signal_ends_it_with_the_numbers_so_far() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let server = Server::saying(HELLO);
        let object = interrupted(under_way(&server, Stdio::null()), signal);
        // The client hears of its last answer after the server does.
        assert!(object["requests"]["answered"].as_u64().unwrap() >= 4, "{object}");
        assert!(object["requests"]["not_begun"].as_u64().unwrap() > 90_000, "{object}");
    }
}

#[test]
fn a_signal_is_heard_while_an_answer_is_waited_for() {
    let asked = Arc::new(Barrier::new(2));
    let heard = asked.clone();
    let server = Server::new(move |stream| {
        let request = request_of(stream);
        heard.wait();
        let _gone = stream.read(&mut [0]);
        request
    });
    let port = server.port();
    let words = ["drive", "-d", "127.0.0.1", "--port", &port, "--response-timeout", "1h", "--json"];
    let child = program(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    asked.wait();
    let object = interrupted(child, Signal::SIGINT);
    assert_eq!((ended_in(&object, "stopped"), &object["requests"]["unfinished"]), (1, &json!(1)), "{object}");
}

#[test]
fn its_time_may_be_limited() {
    let server = Server::saying(HELLO);
    let began = Instant::now();
    let object = numbers(&server, &["--requests", "1000000", "--interval", "5ms", "--duration", "300ms"]);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(object["ended"], "duration");
    assert!(object["requests"]["answered"].as_u64().unwrap() > 0, "{object}");
    assert!(object["duration_s"].as_f64().unwrap() >= 0.3, "{object}");
}

#[test]
fn at_a_terminal_there_is_a_bar_that_goes_away() {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let server = Server::saying(HELLO);
    let port = server.port();
    let words = ["drive", "-d", "127.0.0.1", "--port", &port, "--requests", "100000", "--interval", "5ms"];
    let mut command = program(&words);
    command.env("TERM", "xterm-256color").stdout(Stdio::piped()).stderr(pty.slave);
    let mut child = command.spawn().unwrap();
    drop(command); // and with it our end of the terminal
    let mut screen = std::fs::File::from(pty.master);
    let mut drawn = String::new();
    let mut octets = [0; 4096];
    while !drawn.contains("/100000  ") || !drawn.contains("0 failed, 0 stalled, median ") {
        let length = screen.read(&mut octets).expect("the bar does not show");
        drawn.push_str(&String::from_utf8_lossy(&octets[..length]));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    // Read until the program has gone, which is an error at a terminal.
    while let Ok(length @ 1..) = screen.read(&mut octets) {
        drawn.push_str(&String::from_utf8_lossy(&octets[..length]));
    }
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(text.contains("answered") && !text.contains('\u{1b}'), "{text}");
    assert!(drawn.ends_with("\r\u{1b}[K"), "the line stays: {drawn:?}");
    // What a terminal adds of its own, `^C`, finds room in every line.
    let widest = drawn.split('\r').map(|line| line.trim_end_matches("\u{1b}[K").len()).max().unwrap();
    assert!((50..=77).contains(&widest), "{widest}: {drawn:?}");
}

/// `drive` in the lab, and what it says.
fn in_the_lab(words: &str, twin_args: &[&str]) -> (Value, Ended) {
    let command = format!("{PROGRAM} drive -d 10.77.0.2 --json {words}");
    let run = Probe::new().args(&["--run", &command]).twin_args(twin_args).run();
    let ran = run.line("ran");
    assert_eq!(ran["ran"], 0, "{ran}");
    let object = object(ran["stdout"].as_str().unwrap());
    let http = &ran["account"]["http"];
    // Both count the same: each connection that came about, and each answer that was given.
    assert_eq!(http["accepted"], object["connections"]["opened"], "{http} {object}");
    assert_eq!(http["served"], object["requests"]["answered"], "{http} {object}");
    run.nothing_is_left();
    (object, run)
}

macro_rules! needs_tap {
    ($name:literal) => {
        if let Some(why) = no_tap() {
            not_run($name, why);
            return;
        }
    };
}

#[test]
fn needs_tap_a_port_used_again_is_refused_and_that_shows_in_the_numbers() {
    needs_tap!("needs_tap_a_port_used_again_is_refused_and_that_shows_in_the_numbers");
    let words = "--requests 4 --interval 50ms --source-ports 40000 --connect-timeout 1500ms";
    let (object, run) = in_the_lab(words, &[]);
    assert_eq!((ended_in(&object, "answered"), ended_in(&object, "connect-deadline")), (1, 3), "{object}");
    assert_eq!(
        (&object["stalls"]["requests"], &object["connections"]["closed_by_device"]),
        (&json!(3), &json!(1))
    );
    assert!(object["lost_s"].as_f64().unwrap() > 4.0, "{object}");
    let met = run.line("ran")["account"]["time_wait"]["syns"].as_u64().unwrap();
    assert!(met >= 6, "each of the three tried at least twice, not {met} times in all");
}

#[test]
fn needs_tap_with_a_shorter_msl_it_gets_in_late() {
    needs_tap!("needs_tap_with_a_shorter_msl_it_gets_in_late");
    let words = "--requests 2 --interval 50ms --source-ports 40000 --connect-timeout 20s";
    let (object, _) = in_the_lab(words, &["--msl-ms", "1000"]);
    assert_eq!(
        (&object["requests"]["answered"], &object["stalls"]["requests"]),
        (&json!(2), &json!(1)),
        "{object}"
    );
    let late = object["connect_s"]["max"].as_f64().unwrap();
    assert!((1.5..8.0).contains(&late), "TIME-WAIT of two seconds, and the client's next try: {object}");
}

#[test]
fn needs_tap_a_fixed_device_takes_each_port_at_once() {
    needs_tap!("needs_tap_a_fixed_device_takes_each_port_at_once");
    let words = "--requests 60 --interval 25ms --source-ports 40000-40002 --clients 3";
    let (object, _) = in_the_lab(words, &["--mode", "fixed"]);
    assert_eq!(
        (&object["requests"]["answered"], &object["stalls"]["requests"]),
        (&json!(60), &json!(0)),
        "{object}"
    );
}

#[test]
fn needs_tap_keep_alive_shows_none_of_it() {
    needs_tap!("needs_tap_keep_alive_shows_none_of_it");
    let words = "--requests 50 --interval 10ms --source-ports 40000 --keep-alive";
    let (object, _) = in_the_lab(words, &["--close", "keep-alive"]);
    assert_eq!(
        (&object["requests"]["answered"], &object["connections"]["opened"]),
        (&json!(50), &json!(1)),
        "{object}"
    );
    assert_eq!((&object["stalls"]["requests"], &object["lost_s"]), (&json!(0), &json!(0.0)), "{object}");
}

#[test]
fn needs_tap_ten_kilobytes_arrive_whole() {
    needs_tap!("needs_tap_ten_kilobytes_arrive_whole");
    for close in ["server-first", "keep-alive"] {
        let words = "--requests 10 --interval 20ms --path /big?10240";
        let (object, _) = in_the_lab(words, &["--close", close]);
        assert_eq!(object["requests"]["answered"], 10, "{close}: {object}");
        assert_eq!(object["body_octets"], json!({"at_least": 10240, "at_most": 10240}), "{close}");
    }
}

#[test]
fn needs_tap_where_the_client_closes_first_the_port_is_held_here() {
    needs_tap!("needs_tap_where_the_client_closes_first_the_port_is_held_here");
    let words = "--requests 2 --interval 50ms --source-ports 40000";
    let (object, _) = in_the_lab(words, &["--close", "client-first"]);
    assert_eq!((ended_in(&object, "answered"), ended_in(&object, "port-held")), (1, 1), "{object}");
    assert_eq!(
        (&object["connections"]["closed_by_us"], &object["requests"]["failed"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn needs_tap_a_device_that_is_not_there_is_no_route_and_ends_with_4() {
    needs_tap!("needs_tap_a_device_that_is_not_there_is_no_route_and_ends_with_4");
    let command = format!("{PROGRAM} drive -d 198.51.100.7 --json");
    let run = Probe::new().args(&["--run", &command]).run();
    let ran = run.line("ran");
    assert_eq!(ran["ran"], 4, "{ran}");
    assert!(ran["stderr"].as_str().unwrap().contains("ENETUNREACH"), "{ran}");
    let object = object(ran["stdout"].as_str().unwrap());
    assert_eq!(
        (ended_in(&object, "unreachable"), &object["requests"]["not_begun"]),
        (3, &json!(997)),
        "{object}"
    );
}
