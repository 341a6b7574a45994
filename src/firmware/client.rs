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

use super::change::Change;
use super::pcbs::{Collecting, PagesError, PcbList};
use super::protocol::{
    Answer, DecodeError, ErrorCode, Faults, FurtherPage, PORT, REPLY_MAX, Refusal, Reply, Request, Status,
    decode, encode,
};
use super::signing::Key;

/// How often one request is sent before the device is called silent.
const TRIES: u32 = 5;
/// Nonces asked for, for one change: another owner, or a flood, may be in the way.
const CHALLENGES: u32 = 3;
/// A device that asks for patience counts in whole seconds.
const WAIT: Duration = Duration::from_millis(1_050);
/// How long each try waits for its answer.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often a list is begun anew whose pages are gone before all have come.
const LISTS: u32 = 3;

/// A device's control channel. Cheap: it holds an address and opens a socket for each request.
#[derive(Debug)]
pub struct Client {
    device: SocketAddr,
    next_id: AtomicU32,
}

/// The list of connection blocks, and when it was: the instant lies between these two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub asked: SystemTime,
    pub answered: SystemTime,
    pub list: PcbList,
}

/// A change that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// When the device's answer to it came: from here on the change is in force.
    pub at: SystemTime,
    /// What it says of itself afterwards.
    pub status: Status,
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
    #[error("{device} answered another question than was asked, with its {told}")]
    Beside { device: SocketAddr, told: &'static str },
    #[error(
        "{device} has no key: its test firmware was built or started without one, so nobody may change it. \
         Give it one (the twin: --key-file)"
    )]
    NoKey { device: SocketAddr },
    #[error("{device} does not take this key: is it the one that its firmware was built or started with?")]
    WrongKey { device: SocketAddr },
    #[error(
        "{device} cannot change its remedies while it runs: its test firmware is older than this program; use \
         the firmware and the program of one release"
    )]
    Fixed { device: SocketAddr },
    #[error(
        "{device} did not take the change in {CHALLENGES} tries ({refusal}); does somebody else change it too?"
    )]
    Busy { device: SocketAddr, refusal: Refusal },
    #[error(
        "{device} cannot tell its connection blocks: its test firmware is older than this program; use the \
         firmware and the program of one release"
    )]
    Older { device: SocketAddr },
    #[error("{device} told its connection blocks in pages that do not fit together: {error}")]
    Pages { device: SocketAddr, error: PagesError },
    #[error(
        "{device} let go of its list of connection blocks {LISTS} times before it was told whole: does \
         somebody else ask it too, or are many datagrams lost?"
    )]
    Moving { device: SocketAddr },
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
            other => Err(self.beside(&other)),
        }
    }

    /// Every connection block of the device, all at one instant.
    ///
    /// # Errors
    /// [`ClientError`]; a page waits at most 1.5 s.
    pub async fn pcbs(&self) -> Result<Told, ClientError> {
        for _ in 0..LISTS {
            match self.list().await {
                Err(ClientError::Denied { refusal, .. }) if refusal.error == ErrorCode::SnapshotGone => {}
                Err(ClientError::Denied { device, refusal }) if refusal.error == ErrorCode::UnknownOp => {
                    return Err(ClientError::Older { device });
                }
                told => return told,
            }
        }
        Err(ClientError::Moving { device: self.device })
    }

    async fn list(&self) -> Result<Told, ClientError> {
        let device = self.device;
        let pages = |error| ClientError::Pages { device, error };
        let asked = SystemTime::now();
        let first = match self.ask(&Request::Pcbs(None)).await? {
            Answer::Pcbs(page) => page,
            other => return Err(self.beside(&other)),
        };
        let answered = SystemTime::now();
        let mut list = Collecting::begin(*first).map_err(pages)?;
        while let Some(from) = list.next() {
            let further = FurtherPage { snapshot: list.snapshot(), from };
            let page = match self.ask(&Request::Pcbs(Some(further))).await? {
                Answer::Pcbs(page) => page,
                other => return Err(self.beside(&other)),
            };
            list.add(*page).map_err(pages)?;
        }
        Ok(Told { asked, answered, list: list.finish() })
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
            other => Err(self.beside(&other)),
        }
    }

    /// Changes remedies, and tells what the device says of itself afterwards.
    ///
    /// # Errors
    /// [`ClientError`]; the device kept its remedies but where the answers to the change itself were lost (`Silent`).
    pub async fn change(&self, key: &Key, change: &Change) -> Result<Changed, ClientError> {
        let device = self.device;
        let mut refused = None;
        for _ in 0..CHALLENGES {
            if refused.is_some() {
                tokio::time::sleep(WAIT).await;
            }
            match self.change_once(key, change).await {
                Ok(()) => return Ok(Changed { at: SystemTime::now(), status: self.status().await? }),
                Err(ClientError::Denied { refusal, .. }) => match refusal.error {
                    ErrorCode::StaleNonce | ErrorCode::SlowDown => refused = Some(refusal),
                    ErrorCode::NoKey => return Err(ClientError::NoKey { device }),
                    ErrorCode::BadMac => return Err(ClientError::WrongKey { device }),
                    ErrorCode::UnknownOp => return Err(ClientError::Fixed { device }),
                    ErrorCode::BadJson
                    | ErrorCode::BadVersion
                    | ErrorCode::UnknownFault
                    | ErrorCode::OutOfRange
                    | ErrorCode::TooLarge
                    | ErrorCode::NotCompiledIn
                    | ErrorCode::SnapshotGone
                    | ErrorCode::UnknownRemedy
                    | ErrorCode::Other => return Err(ClientError::Denied { device, refusal }),
                },
                Err(error) => return Err(error),
            }
        }
        Err(match refused {
            Some(refusal) => ClientError::Busy { device, refusal },
            None => ClientError::Silent { device },
        })
    }

    async fn change_once(&self, key: &Key, change: &Change) -> Result<(), ClientError> {
        let nonce = match self.ask(&Request::Challenge).await? {
            Answer::Challenge(nonce) => nonce,
            other => return Err(self.beside(&other)),
        };
        let id = self.new_id();
        match self.exchange(id, &key.signed(&change.text(id, &nonce))).await? {
            Answer::Changed(_) => Ok(()),
            other => Err(self.beside(&other)),
        }
    }

    fn beside(&self, answer: &Answer) -> ClientError {
        ClientError::Beside { device: self.device, told: answer.name() }
    }

    fn new_id(&self) -> u32 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    async fn ask(&self, request: &Request) -> Result<Answer, ClientError> {
        let id = self.new_id();
        self.exchange(id, &encode(id, request)).await
    }

    /// Sends one datagram until its answer comes.
    async fn exchange(&self, id: u32, datagram: &[u8]) -> Result<Answer, ClientError> {
        let device = self.device;
        let network = |error| ClientError::Network { device, error };
        let socket = connected_socket(device).await.map_err(network)?;
        let mut refused = false;
        let mut foreign = None;
        for _ in 0..TRIES {
            let until = tokio::time::Instant::now() + PATIENCE;
            match socket.send(datagram).await {
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
    blocking(async { Client::new(device).status().await })
}

/// [`Client::pcbs`], as [`status_blocking`].
///
/// # Errors
/// As [`Client::pcbs`]; `Runtime` when the runtime cannot be made.
///
/// # Panics
/// When called from inside a tokio runtime.
pub fn pcbs_blocking(device: SocketAddr) -> Result<Told, ClientError> {
    blocking(async { Client::new(device).pcbs().await })
}

/// [`Client::change`], as [`status_blocking`].
///
/// # Errors
/// As [`Client::change`]; `Runtime` when the runtime cannot be made.
///
/// # Panics
/// When called from inside a tokio runtime.
pub fn change_blocking(device: SocketAddr, key: &Key, change: &Change) -> Result<Changed, ClientError> {
    blocking(async { Client::new(device).change(key, change).await })
}

fn blocking<T>(asking: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(ClientError::Runtime)?
        .block_on(asking)
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

    /// A device that answers each request by what it asks: `answer` gets its number and the request.
    async fn pager(answer: fn(u32, &serde_json::Value) -> String) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut octets = [0; 2048];
            for nth in 1.. {
                let (length, peer) = socket.recv_from(&mut octets).await.unwrap();
                let request: serde_json::Value = serde_json::from_slice(&octets[..length]).unwrap();
                let reply = format!(r#"{{"v":1,"id":{},{}}}"#, request["id"], answer(nth, &request));
                socket.send_to(reply.as_bytes(), peer).await.unwrap();
            }
        });
        address
    }

    fn pcbs(answer: fn(u32, &serde_json::Value) -> String) -> Result<Told, ClientError> {
        on_a_runtime(async move { Client::new(pager(answer).await).pcbs().await })
    }

    /// Block `from` of three, each on a page of its own.
    fn page(snapshot: u32, from: u64) -> String {
        let next = if from < 2 { (from + 1).to_string() } else { "null".to_owned() };
        format!(
            r#""ok":true,"pcbs":{{"snapshot":{snapshot},"uptime_ms":9,"tick_ms":500,"msl_ms":60000,"total":3,"kept":3,"from":{from},"list":[{{"state":"time_wait","local":"10.77.0.2:80","remote":"10.77.0.1:{}","left_ms":500}}],"next":{next}}}"#,
            40_000 + from
        )
    }

    const GONE: &str = r#""ok":false,"error":"snapshot-gone","detail":"""#;

    #[test]
    fn a_list_comes_in_pages() {
        let told = pcbs(|_, request| page(5, request["from"].as_u64().unwrap_or(0))).unwrap();
        let ports: Vec<u16> = told.list.blocks.iter().map(|block| block.remote.unwrap().port()).collect();
        assert_eq!(ports, [40_000, 40_001, 40_002]);
        assert!(told.list.is_complete() && told.asked <= told.answered);
    }

    #[test]
    fn a_list_that_is_gone_is_begun_anew_and_not_for_ever() {
        let told = pcbs(|nth, request| match (request["snapshot"].as_u64(), request["from"].as_u64()) {
            (None, _) => page(nth, 0),
            (Some(1), _) => GONE.to_owned(),
            (Some(snapshot), from) => page(snapshot as u32, from.unwrap()),
        })
        .unwrap();
        assert_eq!(told.list.blocks.len(), 3);
        let error = pcbs(|nth, request| match request["snapshot"].as_u64() {
            None => page(nth, 0),
            Some(_) => GONE.to_owned(),
        })
        .unwrap_err();
        assert!(matches!(error, ClientError::Moving { .. }), "{error}");
    }

    #[test]
    fn older_firmware_is_called_older_and_nonsense_is_not_believed() {
        let error =
            pcbs(|_, _| r#""ok":false,"error":"unknown-op","detail":"no op pcbs""#.to_owned()).unwrap_err();
        assert!(error.to_string().contains("firmware is older"), "{error}");
        let error = pcbs(|_, _| page(5, 0)).unwrap_err();
        assert!(matches!(error, ClientError::Pages { .. }), "{error}");
        let error = pcbs(|_, _| FAULTS.trim_end_matches('}').to_owned() + "}").unwrap_err();
        assert!(matches!(error, ClientError::Beside { .. }), "{error}");
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
