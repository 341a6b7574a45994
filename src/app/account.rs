//! What the device says of its own connections, asked for about once a second while a run goes on.
//!
//! Knows how an answer of the control channel becomes an input of analysis, which knows nothing of the channel.
//! Judges nothing: a device that does not answer is told of once, and costs nothing else.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::shutdown::Stop;
use crate::analysis::{
    input::{Account, Input, Marker, Told},
    time::Timestamp,
};
use crate::firmware::{
    self, ClientError,
    pcbs::{Pcb, PcbState},
    pcbs_blocking,
};

const EVERY: Duration = Duration::from_secs(1);
/// How soon a stop is noticed.
const LOOK: Duration = Duration::from_millis(20);

/// Asks `control` for the connections of `device` until `stop` is raised, on a thread of its own.
pub(super) fn poll(
    control: SocketAddr,
    device: IpAddr,
    tell: Sender<Input<'static>>,
    stop: Stop,
) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("account".into())
        .spawn(move || {
            let mut has_noted = false;
            while !stop.is_raised() {
                let next = Instant::now() + EVERY;
                let (input, goes_on) = match pcbs_blocking(control) {
                    Ok(told) => (Some(Input::Account(account(device, &told))), true),
                    Err(error) => {
                        let older = matches!(error, ClientError::Older { .. });
                        (note(&error).filter(|_| !core::mem::replace(&mut has_noted, true)), !older)
                    }
                };
                let is_heard = input.is_none_or(|input| tell.send(input).is_ok());
                if !goes_on || !is_heard {
                    return;
                }
                while Instant::now() < next && !stop.is_raised() {
                    std::thread::sleep(LOOK);
                }
            }
        })
        .context("cannot make the thread that asks the device for its connections")
}

fn note(error: &ClientError) -> Option<Input<'static>> {
    Some(Input::Marker(Marker {
        // Now, by the packets' clock.
        at: Timestamp::ZERO,
        text: format!("no account of the device's own: {error}"),
        mode_changed: false,
        device: None,
        mode: None,
    }))
}

/// What `told` says of `device`, which may have more addresses than this one.
pub fn account(device: IpAddr, told: &firmware::Told) -> Account {
    let list = &told.list;
    Account {
        device,
        asked: timestamp(told.asked),
        answered: timestamp(told.answered),
        held: list.blocks.iter().filter_map(|block| held(device, block)).collect(),
        complete: list.is_complete(),
        msl: Some(Duration::from_millis(list.msl_ms.into())),
        uptime: Some(Duration::from_millis(list.uptime_ms)),
        evicted: Some(list.evicted.into()),
    }
}

fn held(device: IpAddr, block: &Pcb) -> Option<Told> {
    if block.state != PcbState::TimeWait || block.local.ip() != device {
        return None;
    }
    let span = |ms: Option<u32>| ms.map(|ms| Duration::from_millis(ms.into()));
    // As on the wire: without the scope that an address of the device's own link has.
    let plain = |socket: SocketAddr| SocketAddr::new(socket.ip(), socket.port());
    Some(Told {
        device: plain(block.local),
        peer: plain(block.remote?),
        remaining: span(block.left_ms),
        age: span(block.age_ms),
    })
}

/// A live capture has the time of this host, as we have.
fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::pcbs::PcbList;

    #[test]
    fn only_what_this_address_holds_in_time_wait_is_an_account() {
        let block = |state, local: &str, remote: Option<&str>| Pcb {
            state,
            local: local.parse().unwrap(),
            remote: remote.map(|remote| remote.parse().unwrap()),
            left_ms: Some(500),
            age_ms: Some(1_500),
        };
        let told = firmware::Told {
            asked: UNIX_EPOCH + Duration::from_millis(7),
            answered: UNIX_EPOCH + Duration::from_millis(9),
            list: PcbList {
                uptime_ms: 4_000,
                tick_ms: 500,
                msl_ms: 1_000,
                pcb_cap: 4,
                evicted: 3,
                total: 6,
                blocks: vec![
                    block(PcbState::TimeWait, "10.77.0.2:80", Some("10.77.0.1:40000")),
                    block(PcbState::Established, "10.77.0.2:80", Some("10.77.0.1:40001")),
                    block(PcbState::TimeWait, "[fe80::2%1]:80", Some("[fe80::1%1]:40002")),
                    block(PcbState::Listen, "0.0.0.0:80", None),
                    block(PcbState::TimeWait, "10.77.0.2:80", None),
                ],
            },
        };
        let of_v4 = account("10.77.0.2".parse().unwrap(), &told);
        let expected = Told {
            device: "10.77.0.2:80".parse().unwrap(),
            peer: "10.77.0.1:40000".parse().unwrap(),
            remaining: Some(Duration::from_millis(500)),
            age: Some(Duration::from_millis(1_500)),
        };
        assert_eq!(of_v4.held, [expected]);
        assert_eq!((of_v4.complete, of_v4.evicted), (false, Some(3)));
        assert_eq!((of_v4.msl, of_v4.uptime), (Some(Duration::from_secs(1)), Some(Duration::from_secs(4))));
        assert_eq!((of_v4.asked.nanos(), of_v4.answered.nanos()), (7_000_000, 9_000_000));
        let of_v6 = account("fe80::2".parse().unwrap(), &told);
        assert_eq!(of_v6.held[0].peer, "[fe80::1]:40002".parse().unwrap(), "as on the wire, without scope");
    }

    fn notes(control: SocketAddr) -> (std::sync::mpsc::Receiver<Input<'static>>, Stop, JoinHandle<()>) {
        let (tell, told) = std::sync::mpsc::channel();
        let stop = Stop::default();
        let polling = poll(control, control.ip(), tell, stop.clone()).unwrap();
        (told, stop, polling)
    }

    fn text(input: Input<'static>) -> String {
        match input {
            Input::Marker(marker) => marker.text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn older_firmware_is_noted_and_asked_no_more() {
        let device = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let control = device.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            let mut octets = [0; 1024];
            let (length, peer) = device.recv_from(&mut octets).unwrap();
            let asked: serde_json::Value = serde_json::from_slice(&octets[..length]).unwrap();
            let answer =
                format!(r#"{{"v":1,"id":{},"ok":false,"error":"unknown-op","detail":""}}"#, asked["id"]);
            device.send_to(answer.as_bytes(), peer).unwrap();
        });
        let (told, _stop, polling) = notes(control);
        answering.join().unwrap();
        polling.join().unwrap();
        assert!(text(told.recv().unwrap()).contains("firmware is older"));
        assert!(told.recv().is_err(), "nothing more is told");
    }

    #[test]
    fn a_device_that_does_not_answer_is_noted_once() {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (told, stop, polling) = notes(closed);
        assert!(text(told.recv().unwrap()).starts_with("no account of the device's own: "));
        assert!(told.recv_timeout(Duration::from_millis(1_800)).is_err(), "it was told once");
        stop.raise();
        polling.join().unwrap();
    }
}
