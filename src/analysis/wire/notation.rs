//! Traces as text: one segment a line, as in a textbook. Used by tests, and made to be used by rule files.
//!
//! ```text
//! trace  a reused port is refused
//! +0      A > B  S   1000:1000(0)            win 64240  mss 1460  wscale 7
//! +0.001  B > A  S.  5000:5000(0)  ack 1001  win 5744   mss 1440
//! gap 3
//! tick +9.5
//! +9.6    A > B  who-has
//! +9.7    B > A  is-at
//! +9.8    B > B  announce
//! +9.81   B > B  probe
//! +9.9    A > B  ping
//! +9.91   B > A  pong
//! +9.92   B > B  discover
//! +9.93   A > N  lease
//! mode  switched to fixed
//! account +9.95 A C  msl 60
//! expect time-wait-collision 1
//! ```
//!
//! `account` is what the device says of itself at that moment: that it holds these in TIME-WAIT, and no others.
//! `A/3.5` says besides how long its timer has run. Then, as far as it is to say so: `msl 60` (seconds),
//! `up 5` (since it started), `evicted 1` (ended early, since it started), and `cut`: it holds more.
//!
//! Times are seconds from the beginning of the trace; a tick says that nothing came until then. Numbers are as on the wire, modulo 2^32. A is
//! 10.77.0.1:40000 and B, the device, is 10.77.0.2:80; `C` and `D` are further ports of A: 40001, 40002; `A:5000` is
//! any other. `N` is the device under another address, 10.77.0.9:80; `lease` is a DHCP server's word that it is to have it.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::flags::Flags;
use crate::analysis::{
    input::{Account, Told},
    time::Timestamp,
};

/// One trace and what is expected of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    pub name: String,
    pub steps: Vec<Step>,
    pub expectations: Vec<Expectation>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// An Ethernet frame.
    Frame {
        at_s: f64,
        octets: Vec<u8>,
    },
    Gap {
        lost: u64,
    },
    /// Nothing came, time went on.
    Tick {
        at_s: f64,
    },
    Mode {
        text: String,
    },
    /// The device speaks of itself; when, is to be filled in.
    Account {
        at_s: f64,
        account: Account,
    },
}

/// The words after `expect`; what they mean is for the reader of the trace to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// From 1.
    pub line: usize,
    pub words: Vec<String>,
}

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotationError {
    /// From 1.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for NotationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl core::error::Error for NotationError {}

/// Reads a script; lines before the first `trace` belong to a trace without a name.
pub fn parse(text: &str) -> Result<Vec<Trace>, NotationError> {
    let mut traces: Vec<Trace> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let fault = |what: String| NotationError { line: number, what };
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some((word, rest)) =
            line.split_once(char::is_whitespace).or((!line.is_empty()).then_some((line, "")))
        else {
            continue;
        };
        let rest = rest.trim();
        if word == "trace" {
            traces.push(Trace { name: rest.to_owned(), ..Trace::default() });
            continue;
        }
        if traces.is_empty() {
            traces.push(Trace::default());
        }
        let Some(trace) = traces.last_mut() else { continue };
        match word {
            "expect" if rest.is_empty() => {
                return Err(fault("`expect` what? for example `expect ignored-rst 1`".into()));
            }
            "expect" => trace.expectations.push(Expectation {
                line: number,
                words: rest.split_whitespace().map(str::to_owned).collect(),
            }),
            "gap" => {
                let lost =
                    rest.parse().map_err(|_| fault(format!("`gap {rest}`: expected a number of frames")))?;
                trace.steps.push(Step::Gap { lost });
            }
            "tick" => trace.steps.push(Step::Tick { at_s: moment(rest).map_err(fault)? }),
            "account" => trace.steps.push(account(rest).map_err(fault)?),
            "mode" => trace.steps.push(Step::Mode { text: rest.to_owned() }),
            _ => trace.steps.push(segment(word, rest).map_err(fault)?),
        }
    }
    Ok(traces)
}

fn segment(time: &str, rest: &str) -> Result<Step, String> {
    let at_s = moment(time)?;
    let mut words = rest.split_whitespace();
    let mut next =
        |what: &str| words.next().ok_or_else(|| format!("the line ends where {what} should stand"));
    let from = next("the sender")?;
    let arrow = next("`>`")?;
    let to = next("the receiver")?;
    if arrow != ">" {
        return Err(format!("`{arrow}`: expected `>` between sender and receiver"));
    }
    let letters = next("the flags")?;
    if let Some(octets) = without_tcp(letters, host(from)?, host(to)?) {
        return match words.next() {
            None => Ok(Step::Frame { at_s, octets }),
            Some(word) => Err(format!("`{word}`: nothing may follow `{letters}`")),
        };
    }
    let range = next("the sequence range, like 1000:1030(30)")?;
    let (seq, len) = sequence(range)?;
    let mut header =
        Header { from: host(from)?, to: host(to)?, flags: flags(letters)?, seq, ..Header::default() };
    while let Some(key) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{key}` needs a number"))?;
        let number: u32 = value.parse().map_err(|_| format!("`{key} {value}`: expected a number"))?;
        match key {
            "ack" => header.ack = Some(number),
            "win" => {
                header.window = u16::try_from(number).map_err(|_| format!("`win {number}`: at most 65535"))?
            }
            "mss" => {
                header.mss =
                    Some(u16::try_from(number).map_err(|_| format!("`mss {number}`: at most 65535"))?)
            }
            "wscale" => {
                header.wscale =
                    Some(u8::try_from(number).map_err(|_| format!("`wscale {number}`: at most 255"))?)
            }
            "id" => header.ip_id = number as u16,
            _ => return Err(format!("`{key}`: expected ack, win, mss, wscale or id")),
        }
    }
    if header.ack.is_some() != header.flags.has(Flags::ACK) {
        return Err(format!("flags `{letters}`: `.` and `ack N` go together"));
    }
    Ok(Step::Frame { at_s, octets: header.frame(len) })
}

/// `+5.0 A C/3.5 msl 60 cut`: see the top.
fn account(text: &str) -> Result<Step, String> {
    let mut words = text.split_whitespace();
    let at_s = moment(words.next().unwrap_or_default())?;
    let device = host("B")?;
    let mut account = Account {
        device: IpAddr::from(device.ip),
        asked: Timestamp::ZERO,
        answered: Timestamp::ZERO,
        held: Vec::new(),
        complete: true,
        msl: None,
        uptime: None,
        evicted: None,
    };
    while let Some(word) = words.next() {
        let mut number = || words.next().ok_or_else(|| format!("`{word}` needs a number"));
        match word {
            "msl" => account.msl = Some(span(number()?)?),
            "up" => account.uptime = Some(span(number()?)?),
            "evicted" => {
                let text = number()?;
                account.evicted =
                    Some(text.parse().map_err(|_| format!("`evicted {text}`: expected a number"))?);
            }
            "cut" => account.complete = false,
            _ => {
                let (name, age) = word.split_once('/').map_or((word, None), |(name, age)| (name, Some(age)));
                account.held.push(Told {
                    device: device.socket(),
                    peer: host(name)?.socket(),
                    remaining: None,
                    age: age.map(span).transpose()?,
                });
            }
        }
    }
    Ok(Step::Account { at_s, account })
}

fn span(seconds: &str) -> Result<Duration, String> {
    let wrong = || format!("`{seconds}`: expected seconds, like 0.5");
    seconds.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()).ok_or_else(wrong)
}

/// `+0.25`: seconds from the beginning of the trace.
fn moment(text: &str) -> Result<f64, String> {
    text.strip_prefix('+')
        .and_then(|seconds| seconds.parse().ok())
        .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
        .ok_or_else(|| {
            format!("`{text}`: expected a time like +0.25, or trace, gap, tick, mode, account, expect")
        })
}

/// `seq:end(len)`; the three must agree.
fn sequence(text: &str) -> Result<(u32, u16), String> {
    let fault = || format!("`{text}`: expected a sequence range like 1000:1030(30)");
    let (seq, rest) = text.split_once(':').ok_or_else(fault)?;
    let (end, len) = rest.strip_suffix(')').and_then(|rest| rest.split_once('(')).ok_or_else(fault)?;
    let (seq, end): (u32, u32) = (seq.parse().map_err(|_| fault())?, end.parse().map_err(|_| fault())?);
    let len: u16 = len.parse().ok().filter(|len| *len <= 1440).ok_or_else(fault)?;
    if seq.wrapping_add(u32::from(len)) != end {
        return Err(format!("`{text}`: {seq} and {len} octets do not end at {end}"));
    }
    Ok((seq, len))
}

fn flags(letters: &str) -> Result<Flags, String> {
    letters.chars().try_fold(Flags(0), |flags, letter| {
        let flag = match letter {
            'S' => Flags::SYN,
            'F' => Flags::FIN,
            'R' => Flags::RST,
            'P' => Flags::PSH,
            'U' => Flags::URG,
            '.' => Flags::ACK,
            _ => return Err(format!("flag `{letter}`: expected letters of S F R P U and `.`")),
        };
        Ok(Flags(flags.0 | flag.0))
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    mac: [u8; 6],
    ip: [u8; 4],
    port: u16,
}

impl Host {
    fn socket(self) -> SocketAddr {
        SocketAddr::from((self.ip, self.port))
    }
}

fn host(name: &str) -> Result<Host, String> {
    if let Some((name, port)) = name.split_once(':') {
        let port = port.parse().map_err(|_| format!("`{name}:{port}`: expected a port from 0 to 65535"))?;
        return Ok(Host { port, ..host(name)? });
    }
    let client = |port| Host { mac: [2, 0, 0, 0, 0, 1], ip: [10, 77, 0, 1], port };
    match name {
        "A" => Ok(client(40_000)),
        "C" => Ok(client(40_001)),
        "D" => Ok(client(40_002)),
        "B" => Ok(Host { mac: [0x24, 0x0a, 0xc4, 0x77, 0, 2], ip: [10, 77, 0, 2], port: 80 }),
        "N" => Ok(Host { ip: [10, 77, 0, 9], ..host("B")? }),
        _ => Err(format!("`{name}`: expected A, B, C, D or N")),
    }
}

/// A frame of ARP, ICMP echo or DHCP, where `word` names one.
fn without_tcp(word: &str, from: Host, to: Host) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(42);
    octets.extend(if matches!(word, "who-has" | "announce" | "probe") { [0xff; 6] } else { to.mac });
    octets.extend(from.mac);
    match word {
        "who-has" | "is-at" | "announce" | "probe" => {
            octets.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, if word == "is-at" { 2 } else { 1 }]);
            octets.extend(from.mac);
            // A probe (RFC 5227) asks for an address without using it.
            octets.extend(if word == "probe" { [0; 4] } else { from.ip });
            octets.extend([0; 6]);
            octets.extend(to.ip);
        }
        "ping" | "pong" => {
            octets.extend([0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 1, 0, 0]);
            octets.extend(from.ip);
            octets.extend(to.ip);
            octets.extend([if word == "ping" { 8 } else { 0 }, 0, 0, 0, 0, 1, 0, 1]);
        }
        "discover" | "lease" => dhcp(&mut octets, word == "lease", from, to),
        _ => return None,
    }
    Some(octets)
}

/// A client that has no address asks for one, or `from` gives `to` the one that it has here.
fn dhcp(octets: &mut Vec<u8>, is_reply: bool, from: Host, to: Host) {
    let (source, client, given) = if is_reply { (from.ip, to, to.ip) } else { ([0; 4], from, [0; 4]) };
    octets.extend([0x08, 0x00, 0x45, 0, 1, 16, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    octets.extend(source);
    octets.extend([0xff; 4]);
    octets.extend(if is_reply { [0, 67, 0, 68] } else { [0, 68, 0, 67] });
    octets.extend([0, 252, 0, 0, if is_reply { 2 } else { 1 }, 1, 6]);
    octets.extend([0; 13]);
    octets.extend(given);
    octets.extend([0; 8]);
    octets.extend(client.mac);
    // The rest of the fixed part, the cookie, and option 53: DISCOVER or ACK.
    octets.extend([0; 202]);
    octets.extend([0x63, 0x82, 0x53, 0x63, 53, 1, if is_reply { 5 } else { 1 }, 255]);
}

#[derive(Clone, Copy, Debug, Default)]
struct Header {
    from: Host,
    to: Host,
    flags: Flags,
    seq: u32,
    ack: Option<u32>,
    window: u16,
    mss: Option<u16>,
    wscale: Option<u8>,
    ip_id: u16,
}

impl Header {
    /// Ethernet, IPv4 and TCP headers and `len` zero octets; checksums are left at zero, as a sender that
    /// offloads them would.
    fn frame(&self, len: u16) -> Vec<u8> {
        let mss = self.mss.map(|mss| [2, 4, (mss >> 8) as u8, mss as u8]);
        let options = [mss, self.wscale.map(|shift| [1, 3, 3, shift])];
        let tcp_len: u16 = 20 + 4 * options.iter().flatten().count() as u16;
        let mut octets = Vec::with_capacity(usize::from(14 + 20 + tcp_len + len));
        octets.extend(self.to.mac);
        octets.extend(self.from.mac);
        octets.extend([0x08, 0x00, 0x45, 0x00]);
        octets.extend((20 + tcp_len + len).to_be_bytes());
        octets.extend(self.ip_id.to_be_bytes());
        octets.extend([0x40, 0x00, 64, 6, 0, 0]);
        octets.extend(self.from.ip);
        octets.extend(self.to.ip);
        octets.extend(self.from.port.to_be_bytes());
        octets.extend(self.to.port.to_be_bytes());
        octets.extend(self.seq.to_be_bytes());
        octets.extend(self.ack.unwrap_or(0).to_be_bytes());
        octets.extend([(tcp_len as u8 / 4) << 4, self.flags.0]);
        octets.extend(self.window.to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(options.into_iter().flatten().flatten());
        octets.resize(octets.len() + usize::from(len), 0);
        octets
    }
}
