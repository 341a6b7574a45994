//! A few connections that move much: full segments, an ACK for every second, and now and then one that is lost.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::chance::Chance;
use super::frame::{ACK, SYN, Sent};
use super::{Take, Truth};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CONNECTIONS: u16 = 8;
const MSS: u16 = 1_460;
/// The server's sequence number when it has sent its SYN, and it sends nothing else.
const SERVER_SEQ: u32 = 5_001;

struct Stream {
    client: SocketAddrV4,
    server: SocketAddrV4,
    /// What the client sends next.
    seq: u32,
}

impl Stream {
    fn up(&self, at: u64, seq: u32, payload: u16) -> Sent {
        let (from, to) = (self.client, self.server);
        Sent { at, from, to, seq, ack: SERVER_SEQ, flags: ACK, window: 65_535, payload }
    }

    fn down(&self, at: u64, ack: u32) -> Sent {
        let (from, to) = (self.server, self.client);
        Sent { at, from, to, seq: SERVER_SEQ, ack, flags: ACK, window: 65_535, payload: 0 }
    }

    /// Where the segment begins that comes `nth` from now.
    fn ahead(&self, nth: u32) -> u32 {
        self.seq.wrapping_add(u32::from(MSS) * nth)
    }
}

/// `segments` of payload, a few more where the last are lost.
pub fn make(segments: u64, chance: &mut Chance, take: &mut Take<'_>) -> io::Result<Truth> {
    let mut at = 0;
    let mut streams = Vec::new();
    for nth in 0..CONNECTIONS {
        let stream = Stream {
            client: SocketAddrV4::new(CLIENT, 50_000 + nth),
            server: SocketAddrV4::new(SERVER, 5_001),
            seq: chance.sequence(),
        };
        let syn = Sent { flags: SYN, ack: 0, ..stream.up(at, stream.seq.wrapping_sub(1), 0) };
        take(&syn)?;
        take(&Sent { flags: SYN | ACK, seq: SERVER_SEQ - 1, ..stream.down(at + 100, stream.seq) })?;
        take(&stream.up(at + 200, stream.seq, 0))?;
        at += 300;
        streams.push(stream);
    }
    let mut sent = 0;
    while sent < segments {
        let stream = &mut streams[chance.between(0, CONNECTIONS.into()) as usize];
        let mut then = |pause: u64| {
            at += pause;
            at
        };
        let arrived = if chance.one_in(1_000) {
            // The first does not arrive, three behind it do, each acknowledged with what is missing.
            for nth in 1..=3 {
                take(&stream.up(then(12), stream.ahead(nth), MSS))?;
                take(&stream.down(then(5), stream.seq))?;
            }
            take(&stream.up(then(200), stream.seq, MSS))?;
            4
        } else {
            for nth in 0..2 {
                take(&stream.up(then(12), stream.ahead(nth), MSS))?;
            }
            2
        };
        stream.seq = stream.ahead(arrived);
        sent += u64::from(arrived);
        take(&stream.down(then(5), stream.seq))?;
    }
    Ok(Truth::default())
}
