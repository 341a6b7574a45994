//! The load driver against servers of this machine: what it does, in which order, and that it ends.
//!
//! Needs no privilege and no twin; that a reused port is *refused* is for `tests/lab.rs` to show.

#![cfg(all(unix, feature = "control"))]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use esp_tcpwatch::load::{self, Errno, Failure, LoadError, Outcome, ReusePlan, Totals};

#[test]
fn each_port_asks_twice_and_closes_like_a_good_client() {
    let (target, seen) = server(|stream| {
        let request = request_of(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // The client's end: a FIN reads as nothing, a RST as an error.
        let end = stream.read(&mut [0; 16]);
        assert_eq!(end.expect("the client reset the connection"), 0);
        request
    });
    let plan = plan(target, 3);
    let (totals, outcomes) = run(plan);
    assert_eq!((totals.ports, totals.first_answered, totals.reuse_answered), (3, 3, 3));
    assert_eq!((totals.reuse_refused(), totals.stopped), (0, false));
    let ports: Vec<u16> = outcomes.iter().map(|outcome| outcome.port).collect();
    assert_eq!(ports, [plan.first_port, plan.first_port + 1, plan.first_port + 2]);
    assert!(outcomes.iter().all(|outcome| outcome.first.bytes == 24 && outcome.second.bytes == 24));
    // The server hears of the last close after the client is done.
    let next = || seen.recv_timeout(Duration::from_secs(2)).unwrap();
    let seen: Vec<_> = (0..6).map(|_| next()).collect();
    let from: Vec<u16> = seen.iter().map(|(port, _)| *port).collect();
    let twice: Vec<u16> = ports.iter().flat_map(|&port| [port, port]).collect();
    assert_eq!(from, twice);
    let expected = format!("GET / HTTP/1.1\r\nHost: {target}\r\n");
    assert!(seen.iter().all(|(_, request)| request.starts_with(&expected)), "{seen:?}");
}

#[test]
fn a_port_that_got_no_answer_is_not_tried_again() {
    let (target, seen) = server(request_of);
    let (totals, outcomes) = run(plan(target, 1));
    assert_eq!(outcomes[0].first.answer, Err(Failure::ClosedEarly));
    assert_eq!(outcomes[0].second.connect, Err(Failure::NotTried));
    assert_eq!((totals.ports, totals.first_answered, totals.reuse_refused()), (1, 0, 0));
    assert_eq!(seen.try_iter().count(), 1);
}

#[test]
fn a_closed_server_is_called_by_its_name() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, outcomes) = run(plan(target, 1));
    let failure = outcomes[0].first.connect.clone().unwrap_err();
    assert_eq!((failure.kind(), failure.errno().map(Errno::name)), ("connect-failed", Some("ECONNREFUSED")));
}

#[test]
fn a_port_that_is_not_ours_to_use_is_waited_for_only_so_long() {
    let (target, seen) = server(request_of);
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let first_port = taken.local_addr().unwrap().port();
    let began = Instant::now();
    let (_, outcomes) = run(ReusePlan { first_port, ..plan(target, 1) });
    let failure = outcomes[0].first.connect.clone().unwrap_err();
    assert_eq!((failure.kind(), failure.errno().map(Errno::name)), ("port-held", Some("EADDRINUSE")));
    assert!((1900..4000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(seen.try_iter().count(), 0);
}

#[test]
fn a_stop_ends_it_and_keeps_the_numbers() {
    let (target, _seen) = server(|stream| {
        let request = request_of(stream);
        // Answers never.
        std::thread::sleep(Duration::from_secs(5));
        request
    });
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let totals = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
        });
        load::run(plan(target, 100), &stop, &mut |_| {}).unwrap()
    });
    assert!(totals.stopped);
    assert_eq!(totals.ports, 0);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // Set beforehand, it lets nothing begin for long.
    let totals = load::run(plan(target, 100), &stop, &mut |_| {}).unwrap();
    assert!(totals.stopped && totals.ports == 0);
}

#[test]
fn a_plan_that_makes_no_sense_sends_nothing() {
    let (target, seen) = server(request_of);
    let wrong = ReusePlan { first_port: 65000, ports: 1000, ..plan(target, 1) };
    let refused = load::run(wrong, &AtomicBool::new(false), &mut |_| {});
    assert!(matches!(refused, Err(LoadError::PastTheLastPort { .. })));
    assert_eq!(seen.try_iter().count(), 0);
}

fn run(plan: ReusePlan) -> (Totals, Vec<Outcome>) {
    let mut outcomes = Vec::new();
    let totals = load::run(plan, &AtomicBool::new(false), &mut |outcome| outcomes.push(outcome)).unwrap();
    (totals, outcomes)
}

/// Source ports above those the kernel hands out itself, and no two plans' the same.
fn plan(target: SocketAddr, ports: u16) -> ReusePlan {
    static NEXT: AtomicU16 = AtomicU16::new(61500);
    ReusePlan {
        target,
        first_port: NEXT.fetch_add(100, Ordering::Relaxed),
        ports,
        pause: Duration::ZERO,
        connect_timeout: Duration::from_secs(5),
        parallel: 1,
    }
}

/// One connection after the other through `serve`; tells the client's port and what `serve` returned.
fn server(
    serve: impl Fn(&mut TcpStream) -> String + Send + 'static,
) -> (SocketAddr, Receiver<(u16, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, client)) = listener.accept() {
            let request = serve(&mut stream);
            if tell.send((client.port(), request)).is_err() {
                return;
            }
        }
    });
    (target, told)
}

fn request_of(stream: &mut TcpStream) -> String {
    let mut octets = [0; 1024];
    let length = stream.read(&mut octets).unwrap();
    String::from_utf8_lossy(&octets[..length]).into_owned()
}
