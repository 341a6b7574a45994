//! Control protocol v1 as data: requests to octets, octets to replies (`docs/control-protocol.md`).
//!
//! Knows: names, types and versions. Refuses to know: sockets, time, retries.
//!
//! A device is a stranger on the network: decoding never panics, and every text it sends is reduced
//! to printable ASCII of bounded length before anybody can show it.

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::pcbs::PcbPage;
pub use super::status::*;

/// The version spoken here, the `v` of every datagram.
pub const VERSION: u32 = 1;
/// The UDP port of the control channel.
pub const PORT: u16 = 7777;
/// The longest request a device reads, in octets.
pub const REQUEST_MAX: usize = 1024;
/// The longest reply a device sends, in octets: one frame, even over IPv6.
pub const REPLY_MAX: usize = 1400;
/// The longest text taken from a device, in characters.
const TEXT_MAX: usize = 200;

/// What can be asked. Each may be sent twice without harm: that is what makes retries safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Status,
    /// Change the faults that are `Some`, all or none of them; with none, tell what is in force.
    Fault(Faults),
    /// A page of the list of connection blocks: the first of a new list, or a further one.
    Pcbs(Option<FurtherPage>),
    /// A nonce for one change (`change`, which is signed and so no request of this kind).
    Challenge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FurtherPage {
    pub snapshot: u32,
    pub from: u32,
}

/// What came back to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request's; `None` when the device could not read it.
    pub id: Option<u32>,
    pub outcome: Result<Answer, Refusal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Status(Box<Status>),
    /// What is in force now.
    Faults(Faults),
    Pcbs(Box<PcbPage>),
    /// The nonce that a change is to be signed with.
    Challenge(String),
    /// A change was taken; these remedies are in force.
    Changed(Remedies),
}

impl Answer {
    /// What it is about, for whoever expected another.
    pub const fn name(&self) -> &'static str {
        match self {
            Answer::Status(_) => "status",
            Answer::Faults(_) => "faults",
            Answer::Pcbs(_) => "pcbs",
            Answer::Challenge(_) => "challenge",
            Answer::Changed(_) => "remedies",
        }
    }
}

/// Why a device did not do as asked. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: {detail}", .error.name())]
pub struct Refusal {
    pub error: ErrorCode,
    /// The device's own words, printable ASCII.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    BadJson,
    BadVersion,
    UnknownOp,
    UnknownFault,
    OutOfRange,
    TooLarge,
    NotCompiledIn,
    /// The list of connection blocks that a page was asked of is kept no more.
    SnapshotGone,
    UnknownRemedy,
    /// The firmware was built without a key: nobody may change it.
    NoKey,
    StaleNonce,
    BadMac,
    SlowDown,
    /// A later firmware may have more reasons than we know.
    #[serde(other)]
    Other,
}

/// Misbehaviour on request. As a request: `None` leaves the fault as it is. As an answer: `None`
/// means not compiled in. Ranges are in `docs/control-protocol.md`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// Milliseconds between the request and its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_ms: Option<u32>,
    /// Milliseconds a connection is held after its answer, deaf to the peer's FIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak_ms: Option<u32>,
    /// Milliseconds an accepted connection is not read: the window closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_read_ms: Option<u32>,
    /// Leave connections in the backlog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_accept: Option<bool>,
    /// Length of the listen queue (5 when nothing is asked).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u32>,
    /// Frames in a thousand lost on the way to the device (twin only, like the two below).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_in_permille: Option<u32>,
    /// Frames in a thousand lost on the way from the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_out_permille: Option<u32>,
    /// Milliseconds from now in which nothing passes, this channel included; in an answer, what is
    /// left of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_down_ms: Option<u32>,
}

impl Faults {
    /// Every fault lifted, those of the twin's link included when `twin`.
    pub fn none(twin: bool) -> Self {
        Faults {
            stall_ms: Some(0),
            leak_ms: Some(0),
            no_read_ms: Some(0),
            no_accept: Some(false),
            backlog: Some(5),
            loss_in_permille: twin.then_some(0),
            loss_out_permille: twin.then_some(0),
            link_down_ms: twin.then_some(0),
        }
    }
}

/// Why a datagram is no reply of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("a reply has at most {REPLY_MAX} octets, this datagram has {0}")]
    TooLarge(usize),
    #[error("not a reply of the control protocol ({0})")]
    Malformed(String),
    #[error(
        "the device speaks version {0} of the control protocol, this program version {VERSION}: \
         use the firmware and the program of one release"
    )]
    Version(u32),
}

/// The datagram of one request.
///
/// Always shorter than [`REQUEST_MAX`]: the longest has every fault at its largest number.
pub fn encode(id: u32, request: &Request) -> Vec<u8> {
    let mut datagram = serde_json::json!({ "v": VERSION, "id": id });
    match request {
        Request::Status => datagram["op"] = "status".into(),
        Request::Fault(faults) => {
            datagram["op"] = "fault".into();
            datagram["set"] = faults.as_json();
        }
        Request::Challenge => datagram["op"] = "challenge".into(),
        Request::Pcbs(page) => {
            datagram["op"] = "pcbs".into();
            if let Some(FurtherPage { snapshot, from }) = page {
                datagram["snapshot"] = (*snapshot).into();
                datagram["from"] = (*from).into();
            }
        }
    }
    datagram.to_string().into_bytes()
}

/// Reads one reply.
///
/// # Errors
/// [`DecodeError`]: too long, no JSON of the right shape, or another protocol version (which is
/// looked at first, so that a later device is called later and not broken).
pub fn decode(datagram: &[u8]) -> Result<Reply, DecodeError> {
    if datagram.len() > REPLY_MAX {
        return Err(DecodeError::TooLarge(datagram.len()));
    }
    let versioned: Versioned = read_json(datagram)?;
    if versioned.v != VERSION {
        return Err(DecodeError::Version(versioned.v));
    }
    let raw: RawReply = read_json(datagram)?;
    let answers = [
        raw.status.map(Answer::Status),
        raw.faults.map(Answer::Faults),
        raw.pcbs.map(Answer::Pcbs),
        raw.challenge.map(|challenge| Answer::Challenge(challenge.nonce)),
        raw.remedies.map(Answer::Changed),
    ];
    let mut answers = answers.into_iter().flatten();
    let outcome = match (raw.ok, answers.next(), answers.next(), raw.error) {
        (true, Some(answer), None, None) => Ok(answer),
        (false, None, None, Some(error)) => Err(Refusal { error, detail: raw.detail }),
        (ok, ..) => {
            let problem = if ok { "ok, but not one answer" } else { "not ok, but no error" };
            return Err(DecodeError::Malformed(problem.to_owned()));
        }
    };
    Ok(Reply { id: raw.id, outcome })
}

impl Faults {
    fn as_json(&self) -> serde_json::Value {
        // Numbers and flags under fixed names: there is nothing that could fail to serialise.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl ErrorCode {
    fn name(self) -> &'static str {
        match self {
            ErrorCode::BadJson => "bad-json",
            ErrorCode::BadVersion => "bad-version",
            ErrorCode::UnknownOp => "unknown-op",
            ErrorCode::UnknownFault => "unknown-fault",
            ErrorCode::OutOfRange => "out-of-range",
            ErrorCode::TooLarge => "too-large",
            ErrorCode::NotCompiledIn => "not-compiled-in",
            ErrorCode::SnapshotGone => "snapshot-gone",
            ErrorCode::UnknownRemedy => "unknown-remedy",
            ErrorCode::NoKey => "no-key",
            ErrorCode::StaleNonce => "stale-nonce",
            ErrorCode::BadMac => "bad-mac",
            ErrorCode::SlowDown => "slow-down",
            ErrorCode::Other => "refused",
        }
    }
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Deserialize)]
struct Challenge {
    #[serde(deserialize_with = "plain_text")]
    nonce: String,
}

#[derive(Deserialize)]
struct RawReply {
    #[serde(default)]
    id: Option<u32>,
    ok: bool,
    #[serde(default)]
    status: Option<Box<Status>>,
    #[serde(default)]
    faults: Option<Faults>,
    #[serde(default)]
    pcbs: Option<Box<PcbPage>>,
    #[serde(default)]
    challenge: Option<Challenge>,
    #[serde(default)]
    remedies: Option<Remedies>,
    #[serde(default)]
    error: Option<ErrorCode>,
    #[serde(default, deserialize_with = "plain_text")]
    detail: String,
}

fn read_json<'a, T: Deserialize<'a>>(datagram: &'a [u8]) -> Result<T, DecodeError> {
    // serde_json may quote the datagram in its message.
    serde_json::from_slice(datagram).map_err(|error| DecodeError::Malformed(plain(&error.to_string())))
}

pub(super) fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(plain(&String::deserialize(deserializer)?))
}

/// Printable ASCII, bounded: no escape sequence, no direction mark, no line end survives.
fn plain(text: &str) -> String {
    text.chars().take(TEXT_MAX).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::pcbs::PcbState;
    use proptest::prelude::*;

    /// Taken from a twin that had refused one reused port five times.
    const STATUS: &str = r#"{"v":1,"id":7,"ok":true,"status":{"protocol":1,"firmware":"0.1.0","chip":"twin","stack":"lwIP 2.2.1","uptime_ms":4776,"mode":"unfixed","remedies":{"msl_ms":60000,"rst_in_time_wait":"ignore","syn_in_time_wait":"refuse","close":"server-first","pcb_cap":0},"faults":{"stall_ms":0,"leak_ms":0,"no_read_ms":0,"no_accept":false,"backlog":5,"loss_in_permille":0,"loss_out_permille":0,"link_down_ms":0},"http":{"accepted":1,"served":1,"errors":0},"time_wait":{"syns":5,"syns_in_window":0,"rsts":5,"rsts_honoured":0,"syns_accepted":0,"evicted":0,"dropped_at_cap":0},"pcbs":{"bound":0,"listen":1,"syn_sent":0,"syn_received":0,"established":0,"fin_wait_1":0,"fin_wait_2":0,"close_wait":0,"closing":0,"last_ack":0,"time_wait":1}}}"#;

    /// Taken from a twin with a connection of each kind.
    const PAGE: &str = r#"{"v":1,"id":9,"ok":true,"pcbs":{"snapshot":1,"uptime_ms":1534,"tick_ms":500,"msl_ms":60000,"pcb_cap":0,"evicted":0,"total":3,"kept":3,"from":0,"list":[{"state":"time_wait","local":"[fd77::2]:80","remote":"[fd77::1]:42001","left_ms":118500,"age_ms":1500},{"state":"time_wait","local":"10.77.0.2:80","remote":"10.77.0.1:42000","left_ms":118500,"age_ms":1500},{"state":"listen","local":"0.0.0.0:80"}],"next":null}}"#;

    fn status(text: &str) -> Status {
        match decode(text.as_bytes()).unwrap().outcome.unwrap() {
            Answer::Status(status) => *status,
            other => panic!("not a status but {}", other.name()),
        }
    }

    #[test]
    fn a_twins_status_is_read_whole() {
        let read = status(STATUS);
        assert_eq!((read.chip.as_str(), read.stack.as_str()), ("twin", "lwIP 2.2.1"));
        assert_eq!((read.mode.as_str(), read.uptime_ms), ("unfixed", 4776));
        assert_eq!(read.remedies.msl_ms, Some(60_000));
        assert_eq!(read.remedies.rst_in_time_wait, Some(RstInTimeWait::Ignore));
        assert_eq!(read.remedies.syn_in_time_wait, Some(SynInTimeWait::Refuse));
        assert_eq!(read.remedies.close, CloseMode::ServerFirst);
        assert_eq!((read.time_wait.syns, read.time_wait.rsts, read.pcbs.time_wait), (5, 5, 1));
        assert_eq!(read.time_wait.stale_acks(), 5);
        assert_eq!(read.faults, Faults::none(true));
    }

    #[test]
    fn a_later_device_may_say_more() {
        let more = STATUS
            .replace(r#""chip":"#, r#""weather":[1,{"free":2}],"chip":"#)
            .replace("server-first", "by-carrier-pigeon");
        assert_eq!(status(&more).remedies.close, CloseMode::Other);
    }

    /// Taken from the MicroPython firmware, which cannot see into lwIP.
    #[test]
    fn a_device_that_does_not_know_its_remedies_says_null() {
        let read = status(
            r#"{"v":1,"id":4,"ok":true,"status":{"protocol":1,"uptime_ms":717,"mode":"custom","remedies":{"msl_ms":null,"rst_in_time_wait":null,"syn_in_time_wait":null,"pcb_cap":null,"close":"keep-alive"},"faults":{"stall_ms":0},"http":{"accepted":0,"served":0,"errors":0},"firmware":"0.1.0","boot":2817354241,"chip":"micropython-esp32c3","stack":"lwIP of MicroPython 1.24.1"}}"#,
        );
        assert_eq!((read.chip.as_str(), read.mode.as_str()), ("micropython-esp32c3", "custom"));
        let remedies = read.remedies;
        assert_eq!((remedies.msl_ms, remedies.pcb_cap, remedies.close), (None, None, CloseMode::KeepAlive));
        assert_eq!((remedies.rst_in_time_wait, remedies.syn_in_time_wait), (None, None));
    }

    #[test]
    fn boot_and_heap_may_be_missing_null_or_there() {
        assert_eq!((status(STATUS).boot, status(STATUS).heap), (None, None));
        let twin = STATUS.replace(r#""mode":"#, r#""boot":4294967295,"boots":null,"heap":null,"mode":"#);
        assert_eq!((status(&twin).boot, status(&twin).heap), (Some(u32::MAX), None));
        assert_eq!((status(STATUS).boots, status(&twin).boots), (None, None));
        let counted = STATUS.replace(r#""mode":"#, r#""boots":12,"mode":"#);
        assert_eq!(status(&counted).boots, Some(12));
        let chip = STATUS.replace(r#""mode":"#, r#""heap":{"free":81234,"lowest":60001},"mode":"#);
        assert_eq!(status(&chip).heap, Some(Heap { free: 81_234, lowest: 60_001 }));
    }

    #[test]
    fn a_twins_page_is_read_whole() {
        let Answer::Pcbs(page) = decode(PAGE.as_bytes()).unwrap().outcome.unwrap() else { panic!("no page") };
        assert_eq!((page.snapshot, page.uptime_ms, page.total, page.kept), (1, 1534, 3, 3));
        assert_eq!((page.from, page.next, page.list.len()), (0, None, 3));
        let held = page.list[0];
        assert_eq!((held.state, held.left_ms, held.age_ms), (PcbState::TimeWait, Some(118_500), Some(1_500)));
        assert_eq!(held.remote, Some("[fd77::1]:42001".parse().unwrap()));
        let listening = page.list[2];
        assert_eq!((listening.state, listening.remote, listening.left_ms), (PcbState::Listen, None, None));
        // A later firmware may know more states and say more.
        let more = PAGE.replace("listen", "meditating").replace(r#""total":"#, r#""mood":{},"total":"#);
        let Answer::Pcbs(page) = decode(more.as_bytes()).unwrap().outcome.unwrap() else { panic!("no page") };
        assert_eq!(page.list[2].state, PcbState::Other);
        // An address that is none, a port beyond its range.
        for (whole, damaged) in [("10.77.0.2:80", "10.77.0:80"), ("42000", "420000")] {
            let text = PAGE.replace(whole, damaged);
            assert!(matches!(decode(text.as_bytes()), Err(DecodeError::Malformed(_))), "{damaged}");
        }
    }

    #[test]
    fn a_device_without_faults_says_so_by_silence() {
        let text = r#"{"v":1,"id":1,"ok":true,"faults":{}}"#;
        let reply = decode(text.as_bytes()).unwrap();
        assert_eq!(reply.outcome, Ok(Answer::Faults(Faults::default())));
    }

    #[test]
    fn a_refusal_keeps_its_reason() {
        let text = r#"{"v":1,"id":8,"ok":false,"error":"out-of-range","detail":"stall_ms is a whole number, 0 to 3600000"}"#;
        let refusal = decode(text.as_bytes()).unwrap().outcome.unwrap_err();
        assert_eq!(refusal.to_string(), "out-of-range: stall_ms is a whole number, 0 to 3600000");
        let text = r#"{"v":1,"id":null,"ok":false,"error":"on-strike","detail":""}"#;
        let reply = decode(text.as_bytes()).unwrap();
        assert_eq!((reply.id, reply.outcome.unwrap_err().error), (None, ErrorCode::Other));
    }

    #[test]
    fn what_is_no_reply_is_named() {
        let malformed = [
            "",
            "hello",
            "[]",
            "{}",
            r#"{"v":"1"}"#,
            r#"{"v":-1,"ok":true}"#,
            r#"{"v":1,"id":1}"#,
            r#"{"v":1,"id":1,"ok":true}"#,
            r#"{"v":1,"id":1,"ok":false}"#,
            r#"{"v":1,"id":1,"ok":true,"error":"bad-json","faults":{}}"#,
            r#"{"v":1,"id":4294967296,"ok":true,"faults":{}}"#,
            r#"{"v":1,"id":1,"ok":true,"status":{"protocol":1}}"#,
            r#"{"v":1,"id":1,"ok":true,"faults":{}} and more"#,
        ];
        for text in malformed {
            let error = decode(text.as_bytes()).unwrap_err();
            assert!(matches!(error, DecodeError::Malformed(_)), "{text}: {error}");
        }
        assert_eq!(decode(br#"{"v":2,"shape":"another"}"#), Err(DecodeError::Version(2)));
        let long = vec![b' '; REPLY_MAX + 1];
        assert_eq!(decode(&long), Err(DecodeError::TooLarge(REPLY_MAX + 1)));
    }

    #[test]
    fn a_devices_words_cannot_drive_a_terminal() {
        let text =
            "{\"v\":1,\"id\":1,\"ok\":false,\"error\":\"bad-json\",\"detail\":\"a\\u001b[2J\\nb\u{202e}c\"}";
        let refusal = decode(text.as_bytes()).unwrap().outcome.unwrap_err();
        assert_eq!(refusal.detail, "a?[2J?b?c");
        let long = STATUS.replace("0.1.0", &"x".repeat(400));
        assert_eq!(status(&long).firmware.len(), TEXT_MAX);
        // serde_json quotes an unexpected string in its own message
        let quoted = STATUS.replace("4776", "\"\\u001b[31m\"");
        let error = decode(quoted.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }

    #[test]
    fn requests_are_what_the_page_shows() {
        let json = |request| -> serde_json::Value { serde_json::from_slice(&encode(7, &request)).unwrap() };
        assert_eq!(json(Request::Status), serde_json::json!({"v": 1, "id": 7, "op": "status"}));
        let stall = Faults { stall_ms: Some(5000), ..Faults::default() };
        assert_eq!(
            json(Request::Fault(stall)),
            serde_json::json!({"v": 1, "id": 7, "op": "fault", "set": {"stall_ms": 5000}})
        );
        assert_eq!(json(Request::Pcbs(None)), serde_json::json!({"v": 1, "id": 7, "op": "pcbs"}));
        let further = FurtherPage { snapshot: 3, from: 13 };
        assert_eq!(
            json(Request::Pcbs(Some(further))),
            serde_json::json!({"v": 1, "id": 7, "op": "pcbs", "snapshot": 3, "from": 13})
        );
    }

    fn any_faults() -> impl Strategy<Value = Faults> {
        let number = proptest::option::of(any::<u32>());
        (
            number.clone(),
            number.clone(),
            number.clone(),
            proptest::option::of(any::<bool>()),
            number.clone(),
            number.clone(),
            number.clone(),
            number,
        )
            .prop_map(
                |(stall_ms, leak_ms, no_read_ms, no_accept, backlog, loss_in, loss_out, down)| Faults {
                    stall_ms,
                    leak_ms,
                    no_read_ms,
                    no_accept,
                    backlog,
                    loss_in_permille: loss_in,
                    loss_out_permille: loss_out,
                    link_down_ms: down,
                },
            )
    }

    proptest! {
        #[test]
        fn no_octets_make_decode_panic(octets in proptest::collection::vec(any::<u8>(), 0..1500)) {
            let _ = decode(&octets);
        }

        #[test]
        fn no_damage_to_a_real_reply_makes_decode_panic(
            at in 0..STATUS.len(), octet in any::<u8>(), length in 0..STATUS.len()
        ) {
            let mut octets = STATUS.as_bytes().to_vec();
            octets[at] = octet;
            octets.truncate(length.max(1));
            let _ = decode(&octets);
        }

        #[test]
        fn no_damage_to_a_real_page_makes_decode_panic(
            at in 0..PAGE.len(), octet in any::<u8>(), length in 0..PAGE.len()
        ) {
            let mut octets = PAGE.as_bytes().to_vec();
            octets[at] = octet;
            let _ = decode(&octets);
            octets.truncate(length.max(1));
            let _ = decode(&octets);
        }

        #[test]
        fn faults_survive_the_way_there_and_back(faults in any_faults(), id in any::<u32>()) {
            let request = encode(id, &Request::Fault(faults));
            prop_assert!(request.len() <= REQUEST_MAX);
            let sent: serde_json::Value = serde_json::from_slice(&request).unwrap();
            let echo = serde_json::json!({"v": 1, "id": sent["id"], "ok": true, "faults": sent["set"]});
            let reply = decode(echo.to_string().as_bytes()).unwrap();
            prop_assert_eq!(reply, Reply { id: Some(id), outcome: Ok(Answer::Faults(faults)) });
        }
    }
}
