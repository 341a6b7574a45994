//! Capturing on this machine's own interfaces. Needs CAP_NET_RAW; what was not run for want of it says so.
//! Whatever is sent goes to 127.0.0.1, or stays in a network namespace of its own.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use esp_tcpwatch::analysis::input::{GapCause, Input, LinkType};
use esp_tcpwatch::source::feed::{Feed, feed};
use esp_tcpwatch::source::live::{self, LiveCapture, LiveConfig};
use esp_tcpwatch::source::{Source, SourceError, filter};

use super::octets::{Got, drain};

/// Opens the loopback interface, or says that the test was not run.
fn loopback(test: &str, filter: &str) -> Option<LiveCapture> {
    let config = LiveConfig { filter: Some(filter.to_owned()), ..LiveConfig::on("lo") };
    match live::open(&config) {
        Ok(capture) => Some(capture),
        Err(error) if error.is_permission() => {
            not_run(test, &error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn not_run(test: &str, why: &str) {
    println!("{test} was NOT RUN: {why}");
}

struct Watching {
    feed: Feed,
    stop: Arc<AtomicBool>,
    running: JoinHandle<Result<(), SourceError>>,
}

fn watch(capture: LiveCapture) -> Watching {
    let (feeder, feed) = feed(1024);
    let stop = Arc::new(AtomicBool::new(false));
    let running = thread::spawn({
        let stop = Arc::clone(&stop);
        move || capture.run(feeder, &stop)
    });
    Watching { feed, stop, running }
}

impl Watching {
    fn stop(mut self) -> Vec<Got> {
        self.stop.store(true, Ordering::Relaxed);
        let (got, outcome) = drain(&mut self.feed);
        outcome.unwrap();
        self.running.join().unwrap().unwrap();
        got
    }
}

/// A socket, another to send to, and a filter for what passes between them.
fn pair() -> (UdpSocket, UdpSocket, String) {
    let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = to.local_addr().unwrap().port();
    from.connect(to.local_addr().unwrap()).unwrap();
    (from, to, format!("udp dst port {port}"))
}

const SENT: u32 = 1000;

fn send_all(from: &UdpSocket) {
    for number in 0..SENT {
        from.send(&number.to_be_bytes()).unwrap();
    }
}

fn all_were_seen(got: &[Got]) {
    let payloads: Vec<u32> = got
        .iter()
        .map(|got| match got {
            Got::Frame { data, .. } => u32::from_be_bytes(data[42..46].try_into().unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(payloads, (0..SENT).collect::<Vec<_>>());
}

#[test]
fn live_needs_root_the_tail_survives_a_stop() {
    for _ in 0..5 {
        let (from, _to, filter) = pair();
        let Some(capture) = loopback("the tail of a live capture", &filter) else { return };
        assert_eq!((capture.interface(), capture.link_type()), ("lo", LinkType::ETHERNET));
        let watching = watch(capture);
        send_all(&from);
        all_were_seen(&watching.stop());
    }
}

#[test]
fn live_needs_root_what_the_kernel_still_holds_at_a_stop_is_fetched() {
    for _ in 0..5 {
        let (from, _to, filter) = pair();
        let Some(capture) = loopback("the draining of a live capture", &filter) else { return };
        let (feeder, mut feed) = feed(1024);
        send_all(&from);
        // Stopped before it runs: all of it lies in a block that the kernel has not handed over.
        capture.run(feeder, &AtomicBool::new(true)).unwrap();
        let (got, outcome) = drain(&mut feed);
        outcome.unwrap();
        all_were_seen(&got);
    }
}

#[test]
fn live_needs_root_what_the_kernel_drops_becomes_a_gap() {
    let (from, _to, filter) = pair();
    // Less room than the datagrams need, and nobody takes them before the last is sent.
    let config = LiveConfig { filter: Some(filter.clone()), buffer: 64 * 1024, ..LiveConfig::on("lo") };
    if loopback("the kernel's losses", &filter).is_none() {
        return;
    }
    let capture = live::open(&config).unwrap();
    let (feeder, mut feed) = feed(1024);
    for _ in 0..4 {
        send_all(&from);
    }
    capture.run(feeder, &AtomicBool::new(true)).unwrap();
    let (got, outcome) = drain(&mut feed);
    outcome.unwrap();
    let frames = got.iter().filter(|got| matches!(got, Got::Frame { .. })).count();
    assert!(frames < 4 * SENT as usize);
    let lost: u64 = got
        .iter()
        .map(|got| match got {
            Got::Gap { lost, cause: GapCause::Kernel, .. } => *lost,
            Got::Frame { .. } => 0,
            other => panic!("{other:?}"),
        })
        .sum();
    // The kernel counts a loopback frame twice, sent and received.
    assert!(lost >= 4 * u64::from(SENT) - frames as u64, "{frames} frames and {lost} lost");
    assert!(matches!(got.last(), Some(Got::Gap { .. })), "the losses came after what fitted");
}

#[test]
fn live_needs_root_frames_are_prompt_cut_and_in_nanoseconds() {
    let (from, _to, filter) = pair();
    let Some(capture) = loopback("a live frame", &filter) else { return };
    let mut watching = watch(capture);
    let sent = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    from.send(&[7; 1000]).unwrap();
    let asked = Instant::now();
    loop {
        match watching.feed.next_input().unwrap().unwrap() {
            Input::Tick(_) => {}
            Input::Frame(frame) => {
                assert_eq!(
                    (frame.number, frame.wire_len, frame.data.len()),
                    (1, 1042, live::SNAPLEN as usize)
                );
                let late = frame.time.nanos().abs_diff(sent);
                assert!(late < 10_000_000_000, "{} is far from {sent}", frame.time.nanos());
                break;
            }
            other => panic!("{other:?}"),
        }
        assert!(asked.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(watching.stop(), []);
}

#[test]
fn live_needs_root_an_idle_link_ticks_and_stops() {
    // Nothing on a loopback interface comes from a group address.
    let Some(capture) = loopback("an idle link", "ether src 01:00:00:00:00:01") else { return };
    let mut watching = watch(capture);
    let mut last = None;
    for _ in 0..3 {
        let Some(Input::Tick(time)) = watching.feed.next_input().unwrap() else { panic!("expected a tick") };
        assert!(Some(time) > last);
        last = Some(time);
    }
    let stopped = Instant::now();
    assert_eq!(watching.stop(), []);
    assert!(stopped.elapsed() < Duration::from_secs(5));
}

#[test]
fn live_needs_root_devices_are_filtered_by_address() {
    let (from, _to, _) = pair();
    let device = filter::for_devices(&[Ipv4Addr::LOCALHOST.into()]);
    let Some(capture) = loopback("the devices' filter", &device) else { return };
    let watching = watch(capture);
    from.send(b"to the device").unwrap();
    let seen = |got: &Got| matches!(got, Got::Frame { data, .. } if data.ends_with(b"to the device"));
    assert!(watching.stop().iter().any(seen));
}

#[test]
fn live_needs_root_the_capture_ends_when_nobody_reads() {
    let Some(capture) = loopback("the end of the reader", "udp") else { return };
    let watching = watch(capture);
    drop(watching.feed);
    watching.running.join().unwrap().unwrap();
}

#[test]
fn live_needs_root_what_cannot_be_opened_says_why() {
    let Some(_) = loopback("errors of opening", "") else { return };
    let bad_filter = LiveConfig { filter: Some("hots 10.0.0.1".into()), ..LiveConfig::on("lo") };
    let error = live::open(&bad_filter).err().unwrap();
    assert!(error.to_string().starts_with("lo: the filter `hots 10.0.0.1` is refused"), "{error}");
    let error = live::open(&LiveConfig::on("nosuch0")).err().unwrap();
    assert!(matches!(error, SourceError::NoSuchInterface { .. }), "{error}");
    assert!(error.to_string().starts_with("nosuch0: there is no such interface"), "{error}");
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use caps::{CapSet, clear};
    use nix::libc;
    use nix::sched::{CloneFlags, unshare};
    use std::fs::File;
    use std::os::fd::AsRawFd;

    #[test]
    fn without_privilege_the_error_says_so() {
        // Capabilities belong to a thread: this one's end here, the others' stay.
        thread::spawn(|| {
            clear(None, CapSet::Effective).unwrap();
            let error = live::open(&LiveConfig::on("lo")).err().unwrap();
            assert!(error.is_permission(), "{error:?}");
            assert!(error.to_string().starts_with("lo: capturing needs a privilege"), "{error}");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn live_needs_root_an_open_capture_needs_no_privilege() {
        let (from, _to, filter) = pair();
        let Some(capture) = loopback("a capture without capabilities", &filter) else { return };
        let (feeder, mut feed) = feed(16);
        let stop = Arc::new(AtomicBool::new(false));
        let running = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                for set in [CapSet::Effective, CapSet::Permitted] {
                    clear(None, set).unwrap();
                }
                capture.run(feeder, &stop)
            }
        });
        from.send(b"hello").unwrap();
        stop.store(true, Ordering::Relaxed);
        let (got, outcome) = drain(&mut feed);
        outcome.unwrap();
        running.join().unwrap().unwrap();
        assert_eq!(got.len(), 1);
    }

    /// A TUN interface that is up; it goes when the file is closed.
    /// `kind`: the ARPHRD_ value that says what frames on it begin with; without, raw IP.
    fn tun(name: &str, kind: Option<libc::c_ulong>) -> std::io::Result<File> {
        made(name, libc::IFF_TUN, kind)
    }

    /// The same with Ethernet headers.
    fn tap(name: &str) -> std::io::Result<File> {
        made(name, libc::IFF_TAP, None)
    }

    #[expect(unsafe_code, reason = "ioctls that no crate wraps")]
    fn made(name: &str, what: libc::c_int, kind: Option<libc::c_ulong>) -> std::io::Result<File> {
        let file = File::options().read(true).write(true).open("/dev/net/tun")?;
        // SAFETY: an all-zero ifreq is a valid one.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (place, octet) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *place = octet as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (what | libc::IFF_NO_PI) as libc::c_short;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let ask = |fd: i32, code: libc::Ioctl, request: &mut libc::ifreq| {
            // SAFETY: the kernel reads and writes one ifreq, which outlives the call.
            match unsafe { libc::ioctl(fd, code, request as *mut libc::ifreq) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        ask(file.as_raw_fd(), libc::TUNSETIFF, &mut request)?;
        if let Some(kind) = kind {
            // SAFETY: the kernel takes the number itself.
            if unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETLINK, kind) } != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        ask(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &mut request)?;
        Ok(file)
    }

    #[test]
    fn live_needs_root_an_interface_in_monitor_mode_is_answered_with_where_to_stand() {
        thread::spawn(|| {
            let test = "an interface in monitor mode";
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                return not_run(test, &format!("no network namespace: {errno}"));
            }
            // 802.11, the same with Prism's header, and with radiotap's.
            for (name, kind) in [("mon0", 801), ("mon1", 802), ("mon2", 803)] {
                let _tun = match tun(name, Some(kind)) {
                    Ok(tun) => tun,
                    Err(error) => return not_run(test, &format!("no interface of that kind: {error}")),
                };
                let error = live::open(&LiveConfig::on(name)).err().unwrap();
                assert!(matches!(error, SourceError::MonitorMode { .. }), "{error:?}");
                let told = error.to_string();
                assert!(told.starts_with(name) && told.contains("Capture on the client"), "{told}");
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn live_needs_root_raw_ip_and_an_interface_that_is_made_again() {
        use std::io::Write;
        // A network namespace belongs to a thread as well.
        thread::spawn(|| {
            let test = "an interface that goes away";
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                return not_run(test, &format!("no network namespace: {errno}"));
            }
            let mut wire = match tun("gone0", None) {
                Ok(wire) => wire,
                Err(error) => return not_run(test, &format!("no TUN interface: {error}")),
            };
            // A link without VLAN tags refuses the tagged half of this filter.
            let filter = filter::for_devices(&[Ipv4Addr::new(10, 77, 0, 2).into()]);
            let config = LiveConfig { filter: Some(filter), ..LiveConfig::on("gone0") };
            let capture = live::open(&config).unwrap();
            assert_eq!(capture.link_type(), LinkType::RAW);
            let mut watching = watch(capture);
            let mut packet = [0_u8; 20];
            packet[0] = 0x45;
            packet[3] = 20;
            packet[8] = 64;
            packet[9] = 253;
            packet[12..16].copy_from_slice(&[10, 77, 0, 2]);
            packet[16..20].copy_from_slice(&[10, 77, 0, 1]);
            wire.write_all(&packet).unwrap();
            packet[15] = 3;
            wire.write_all(&packet).unwrap();
            loop {
                match watching.feed.next_input().unwrap().unwrap() {
                    Input::Tick(_) => {}
                    Input::Frame(frame) => break assert_eq!(frame.data[12..16], [10, 77, 0, 2]),
                    other => panic!("{other:?}"),
                }
            }
            drop(wire);
            assert!(matches!(gap(&mut watching.feed), GapCause::Gone));
            // Made again under its name, it has another index; filter and link type are as before.
            let mut wire = tun("gone0", None).unwrap();
            assert!(matches!(gap(&mut watching.feed), GapCause::Back(_)));
            wire.write_all(&packet).unwrap();
            packet[15] = 2;
            wire.write_all(&packet).unwrap();
            loop {
                match watching.feed.next_input().unwrap().unwrap() {
                    Input::Tick(_) => {}
                    Input::Frame(frame) => break assert_eq!(frame.data[12..16], [10, 77, 0, 2]),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(watching.stop(), [], "the other host's packet does not pass the filter");
        })
        .join()
        .unwrap();
    }

    /// An IPv4 packet without a payload, from 10.77.0.`last`.
    fn packet(last: u8) -> Vec<u8> {
        let mut packet = vec![0_u8; 20];
        (packet[0], packet[3], packet[8], packet[9]) = (0x45, 20, 64, 253);
        packet[12..16].copy_from_slice(&[10, 77, 0, last]);
        packet[16..20].copy_from_slice(&[10, 77, 0, 1]);
        packet
    }

    fn in_ethernet(packet: &[u8]) -> Vec<u8> {
        [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], &[8, 0], packet].concat()
    }

    #[test]
    fn live_needs_root_an_interface_that_comes_back_as_another_kind_of_link() {
        use std::io::Write;
        thread::spawn(|| {
            let test = "an interface that comes back as another kind of link";
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                return not_run(test, &format!("no network namespace: {errno}"));
            }
            let (raw, ethernet) = (LinkType::RAW, LinkType::ETHERNET);
            for first in [raw, ethernet] {
                let make = |link| if link == raw { tun("kind0", None) } else { tap("kind0") };
                let dressed = |link, last| match link {
                    LinkType::RAW => packet(last),
                    _ => in_ethernet(&packet(last)),
                };
                let mut wire = match make(first) {
                    Ok(wire) => wire,
                    Err(error) => return not_run(test, &format!("no TUN interface: {error}")),
                };
                let filter = filter::for_devices(&[Ipv4Addr::new(10, 77, 0, 2).into()]);
                let config = LiveConfig { filter: Some(filter), ..LiveConfig::on("kind0") };
                let mut watching = watch(live::open(&config).unwrap());
                let mut before = first;
                for now in [if first == raw { ethernet } else { raw }, first, first] {
                    drop(wire);
                    assert_eq!(gap(&mut watching.feed), GapCause::Gone);
                    wire = make(now).unwrap();
                    if now != before {
                        assert_eq!(gap(&mut watching.feed), GapCause::Link { before, now });
                    }
                    assert!(matches!(gap(&mut watching.feed), GapCause::Back(_)));
                    // The kernel's own frames on an Ethernet (IPv6) do not pass the filter either.
                    wire.write_all(&dressed(now, 3)).unwrap();
                    wire.write_all(&dressed(now, 2)).unwrap();
                    let expected = dressed(now, 2);
                    loop {
                        match watching.feed.next_input().unwrap().unwrap() {
                            Input::Tick(_) => {}
                            Input::Frame(frame) => {
                                assert_eq!((frame.link, frame.data), (now, &expected[..]));
                                break;
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                    before = now;
                }
                assert_eq!(watching.stop(), []);
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn live_needs_root_a_link_that_cannot_be_changed_to_ends_the_capture_with_the_next_step() {
        thread::spawn(|| {
            let test = "a link that a capture cannot change to";
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                return not_run(test, &format!("no network namespace: {errno}"));
            }
            /// The filter, what comes back, what is told.
            type Row = (Option<&'static str>, Option<libc::c_ulong>, &'static str);
            let rows: [Row; 3] = [
                // Its words mean nothing on raw IP.
                (Some("ether host 02:00:00:00:00:09"), None, "man pcap-filter has the grammar"),
                // PPP is read through another kind of socket, and 802.11 not at all.
                (None, Some(512), "a kind of link that a capture cannot change to"),
                (None, Some(803), "bring it up again and start anew"),
            ];
            for (filter, kind, told) in rows {
                let wire = match tap("kind1") {
                    Ok(wire) => wire,
                    Err(error) => return not_run(test, &format!("no TAP interface: {error}")),
                };
                let config = LiveConfig { filter: filter.map(str::to_owned), ..LiveConfig::on("kind1") };
                let mut watching = watch(live::open(&config).unwrap());
                drop(wire);
                let mut back = None;
                let error = loop {
                    match watching.feed.next_input() {
                        Ok(Some(Input::Gap(gap))) if gap.cause == GapCause::Gone => {
                            back = Some(tun("kind1", kind).unwrap());
                        }
                        Ok(Some(Input::Gap(_))) => panic!("it goes on"),
                        // Without a filter the kernel's own frames on the first one are there too.
                        Ok(Some(_)) => {}
                        Ok(None) => panic!("it ends without an error"),
                        Err(error) => break error.to_string(),
                    }
                };
                assert!(back.is_some() && error.contains(told), "{error}");
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn live_needs_root_an_address_that_a_device_moves_to_passes_from_then_on() {
        use std::io::Write;
        thread::spawn(|| {
            let test = "an address that a device moves to";
            if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
                return not_run(test, &format!("no network namespace: {errno}"));
            }
            let mut wire = match tap("moved0") {
                Ok(wire) => wire,
                Err(error) => return not_run(test, &format!("no TAP interface: {error}")),
            };
            let devices = [Ipv4Addr::new(10, 77, 0, 2).into()];
            let config =
                LiveConfig { filter: Some(filter::for_devices(&devices)), ..LiveConfig::on("moved0") };
            let (moved, moves) = std::sync::mpsc::channel();
            let mut watching = watch(live::open(&config).unwrap().following(&devices, moves));
            let mut next = |last: u8| loop {
                wire.write_all(&in_ethernet(&packet(last))).unwrap();
                match watching.feed.next_input().unwrap().unwrap() {
                    Input::Tick(_) if last == 9 => break None,
                    Input::Tick(_) => {}
                    Input::Frame(frame) => break Some(frame.data[29]),
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!((next(2), next(9)), (Some(2), None));
            moved.send(Ipv4Addr::new(10, 77, 0, 9).into()).unwrap();
            while next(9).is_none() {}
            while next(2) != Some(2) {}
        })
        .join()
        .unwrap();
    }

    /// The next gap; nothing but time may pass before it.
    fn gap(feed: &mut Feed) -> GapCause {
        loop {
            match feed.next_input().unwrap().unwrap() {
                Input::Tick(_) => {}
                Input::Gap(gap) => return gap.cause,
                other => panic!("{other:?}"),
            }
        }
    }
}
