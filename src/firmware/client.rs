//! Asking a device over UDP.
//!
//! Knows: datagrams get lost, so ask again with the same id, and take no other id's answer.
//! Refuses to know: what the answers mean.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use super::protocol::{
    Answer, DecodeError, Faults, PORT, REPLY_MAX, Refusal, Reply, Request, Status, decode, encode,
};

/// How often one request is sent before the device is called silent.
const TRIES: u32 = 5;
/// How long each try waits for its answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// A device's control channel. Cheap: it holds an address and opens a socket for each request.
#[derive(Debug)]
pub struct Client {
    device: SocketAddr,
    next_id: AtomicU32,
}

/// Why a device did not answer as hoped, and what to check next.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error(
        "{device} did not answer {TRIES} control requests: is it on, on this network, and running \
         the esp-tcpwatch test firmware (UDP port {PORT})?"
    )]
    Silent { device: SocketAddr },
    #[error(
        "{device} is up but nothing listens on that UDP port: does it run the esp-tcpwatch test \
         firmware (its control port is {PORT})?"
    )]
    Refused { device: SocketAddr },
    #[error("{device} refused the request: {refusal}")]
    Denied { device: SocketAddr, refusal: Refusal },
    #[error("{device} answered with something else: {error}")]
    Foreign { device: SocketAddr, error: DecodeError },
    #[error("{device} answered another question than was asked")]
    Beside { device: SocketAddr },
    #[error("cannot send to {device}: {error}; is there a route to it? (`ip route get {}`)", .device.ip())]
    Network { device: SocketAddr, error: io::Error },
    #[error("cannot start the control client: {0}")]
    Runtime(io::Error),
}

impl Client {
    /// A client of the device at `device`, whose port is normally [`PORT`].
    pub fn new(device: SocketAddr) -> Self {
        Client { device, next_id: AtomicU32::new(first_id()) }
    }

    /// What the device says of itself.
    ///
    /// # Errors
    /// [`ClientError`], after at most 1.5 s.
    pub async fn status(&self) -> Result<Status, ClientError> {
        match self.ask(&Request::Status).await? {
            Answer::Status(status) => Ok(*status),
            Answer::Faults(_) => Err(ClientError::Beside { device: self.device }),
        }
    }

    /// Sets the faults that are `Some` and returns what is in force then, those not asked for
    /// included. With none asked for it changes nothing.
    ///
    /// # Errors
    /// [`ClientError`], after at most 1.5 s; `Denied` when a fault is unknown to the device, out of
    /// range or not compiled in: then none of them was taken.
    pub async fn set_faults(&self, faults: Faults) -> Result<Faults, ClientError> {
        match self.ask(&Request::Fault(faults)).await? {
            Answer::Faults(faults) => Ok(faults),
            Answer::Status(_) => Err(ClientError::Beside { device: self.device }),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ClientError> {
        let device = self.device;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let datagram = encode(id, request);
        let network = |error| ClientError::Network { device, error };
        let socket = connected_socket(device).await.map_err(network)?;
        let mut refused = false;
        let mut foreign = None;
        for _ in 0..TRIES {
            let until = tokio::time::Instant::now() + PATIENCE;
            match socket.send(&datagram).await {
                Ok(_) => {}
                // The answer of the network to the try before: this one may not have gone out.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => refused = true,
                Err(error) => return Err(network(error)),
            }
            match answer_to(&socket, id, until).await {
                Heard::Reply(outcome) => {
                    return outcome.map_err(|refusal| ClientError::Denied { device, refusal });
                }
                Heard::Foreign(error) => foreign = Some(error),
                Heard::Refused => {
                    refused = true;
                    // A device that is starting refuses as well: wait as long as for an answer.
                    tokio::time::sleep_until(until).await;
                }
                Heard::Nothing => {}
            }
        }
        Err(match foreign {
            Some(error) => ClientError::Foreign { device, error },
            None if refused => ClientError::Refused { device },
            None => ClientError::Silent { device },
        })
    }
}

/// [`Client::status`] for callers that have no runtime; it makes one on this thread and drops it.
///
/// # Errors
/// As [`Client::status`]; `Runtime` when the runtime cannot be made (no descriptors left).
///
/// # Panics
/// When called from inside a tokio runtime, as any blocking call there would.
pub fn status_blocking(device: SocketAddr) -> Result<Status, ClientError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(ClientError::Runtime)?
        .block_on(Client::new(device).status())
}

enum Heard {
    Reply(Result<Answer, Refusal>),
    Foreign(DecodeError),
    Refused,
    Nothing,
}

/// Listens until `until` for the answer to `id`; what answers earlier questions is passed over.
async fn answer_to(socket: &UdpSocket, id: u32, until: tokio::time::Instant) -> Heard {
    let mut heard = Heard::Nothing;
    let mut octets = [0; REPLY_MAX + 1];
    loop {
        match timeout_at(until, socket.recv(&mut octets)).await {
            Err(_elapsed) => return heard,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Heard::Refused;
            }
            Ok(Err(_passing)) => return heard,
            Ok(Ok(length)) => match decode(&octets[..length]) {
                // Without an id the device could not read the request; only we are connected here,
                // so it is ours that was damaged: the next try will do.
                Ok(Reply { id: None, .. }) => {}
                Ok(reply) if reply.id == Some(id) => return Heard::Reply(reply.outcome),
                Ok(_another) => {}
                Err(error) => heard = Heard::Foreign(error),
            },
        }
    }
}

/// Connected, so that the kernel drops what others send and reports a closed port.
async fn connected_socket(device: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match device {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(device).await?;
    Ok(socket)
}

/// Not the same in two runs, so that a late answer to the last run's question is no answer here.
fn first_id() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let [a, b, c, d, ..] = since.as_nanos().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::protocol::ErrorCode;

    const FAULTS: &str = r#""ok":true,"faults":{"stall_ms":5}}"#;

    /// A device of a few lines: `answer` gets the number of the datagram and its id.
    async fn device(answer: fn(u32, u64) -> Vec<String>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut octets = [0; 2048];
            let mut ids = Vec::new();
            loop {
                let (length, peer) = socket.recv_from(&mut octets).await.unwrap();
                let request: serde_json::Value = serde_json::from_slice(&octets[..length]).unwrap();
                ids.push(request["id"].as_u64().unwrap());
                assert!(ids.iter().all(|id| *id == ids[0]), "a retry has the same id");
                for reply in answer(ids.len() as u32, ids[0]) {
                    socket.send_to(reply.as_bytes(), peer).await.unwrap();
                }
            }
        });
        address
    }

    fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn ask(answer: fn(u32, u64) -> Vec<String>) -> Result<Faults, ClientError> {
        on_a_runtime(async move { Client::new(device(answer).await).set_faults(Faults::default()).await })
    }

    #[test]
    fn a_lost_datagram_is_sent_again() {
        let faults = ask(|nth, id| match nth {
            1 | 2 => Vec::new(),
            _ => vec![format!(r#"{{"v":1,"id":{id},{FAULTS}"#)],
        });
        assert_eq!(faults.unwrap().stall_ms, Some(5));
    }

    #[test]
    fn other_ids_and_noise_are_passed_over() {
        let faults = ask(|_, id| {
            vec![
                format!(r#"{{"v":1,"id":{},{}"#, id ^ 1, FAULTS.replace('5', "6")),
                "noise".to_owned(),
                r#"{"v":1,"id":null,"ok":false,"error":"bad-json","detail":""}"#.to_owned(),
                format!(r#"{{"v":1,"id":{id},{FAULTS}"#),
            ]
        });
        assert_eq!(faults.unwrap().stall_ms, Some(5));
    }

    #[test]
    fn a_refusal_ends_the_tries() {
        let error = ask(|nth, id| {
            assert_eq!(nth, 1);
            vec![format!(r#"{{"v":1,"id":{id},"ok":false,"error":"not-compiled-in","detail":"no"}}"#)]
        })
        .unwrap_err();
        assert!(
            matches!(&error, ClientError::Denied { refusal, .. } if refusal.error == ErrorCode::NotCompiledIn)
        );
    }

    #[test]
    fn silence_says_what_to_check() {
        let error = ask(|_, _| Vec::new()).unwrap_err().to_string();
        assert!(error.contains("7777") && error.contains("test firmware"), "{error}");
    }

    #[test]
    fn another_version_is_called_by_its_name() {
        let error = ask(|_, id| vec![format!(r#"{{"v":2,"id":{id}}}"#)]).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }

    #[test]
    fn a_closed_port_is_told_from_silence() {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = status_blocking(closed).unwrap_err();
        assert!(matches!(error, ClientError::Refused { .. }), "{error}");
    }
}
