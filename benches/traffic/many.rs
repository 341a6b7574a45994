//! Many short connections that go well: a request, an answer, and the client closes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::chance::Chance;
use super::frame::{ACK, FIN, PSH, SYN, Sent};
use super::{Take, Truth};

/// As many as a command line names without effort.
pub const SERVERS: [Ipv4Addr; 8] = {
    let mut servers = [Ipv4Addr::UNSPECIFIED; 8];
    let mut nth = 0;
    while nth < servers.len() {
        servers[nth] = Ipv4Addr::new(192, 168, 0, 1 + nth as u8);
        nth += 1;
    }
    servers
};

/// One of them, and how far it has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Connection {
    /// When its next segment passes; what the heap sorts by.
    at: u64,
    /// In the order in which they began: the heap must have one order only.
    number: u64,
    step: u8,
    client: SocketAddrV4,
    server: SocketAddrV4,
    client_seq: u32,
    server_seq: u32,
    request: u16,
    answer: u16,
    one_way: u64,
}

pub fn make(count: u64, chance: &mut Chance, take: &mut Take<'_>) -> io::Result<Truth> {
    let mut going = BinaryHeap::new();
    let (mut begun, mut begins_at) = (0, 0);
    loop {
        let is_next = |first: &Reverse<Connection>| first.0.at > begins_at;
        if begun < count && going.peek().is_none_or(is_next) {
            going.push(Reverse(Connection::begin(begins_at, begun, chance)));
            begun += 1;
            begins_at += chance.between(50, 150);
        }
        let Some(Reverse(mut connection)) = going.pop() else { return Ok(Truth::default()) };
        let (sent, pause) = connection.next();
        take(&sent)?;
        if let Some(pause) = pause {
            connection.at += pause;
            connection.step += 1;
            going.push(Reverse(connection));
        }
    }
}

impl Connection {
    fn begin(at: u64, number: u64, chance: &mut Chance) -> Connection {
        let client = Ipv4Addr::from_bits(0x0a00_0000 | chance.between(0, 1 << 20) as u32);
        let server = SERVERS[chance.between(0, SERVERS.len() as u64) as usize];
        Connection {
            at,
            number,
            step: 0,
            client: SocketAddrV4::new(client, chance.between(1_024, 65_024) as u16),
            server: SocketAddrV4::new(server, 80),
            client_seq: chance.sequence(),
            server_seq: chance.sequence(),
            request: chance.between(60, 260) as u16,
            answer: chance.between(60, 1_260) as u16,
            one_way: chance.between(10_000, 110_000),
        }
    }

    /// Its next segment, and how long after it another follows (microseconds), where one does.
    fn next(&self) -> (Sent, Option<u64>) {
        let from_client = self.client_seq.wrapping_add(1);
        let from_server = self.server_seq.wrapping_add(1);
        let asked = from_client.wrapping_add(self.request.into());
        let answered = from_server.wrapping_add(self.answer.into());
        let way = Some(self.one_way);
        match self.step {
            0 => (self.client_sends(self.client_seq, 0, SYN, 0), way),
            1 => (self.server_sends(self.server_seq, from_client, SYN | ACK, 0), way),
            2 => (self.client_sends(from_client, from_server, ACK, 0), Some(50)),
            3 => (self.client_sends(from_client, from_server, PSH | ACK, self.request), way),
            4 => (self.server_sends(from_server, asked, ACK, 0), Some(300)),
            5 => (self.server_sends(from_server, asked, PSH | ACK, self.answer), way),
            6 => (self.client_sends(asked, answered, ACK, 0), Some(40)),
            7 => (self.client_sends(asked, answered, FIN | ACK, 0), way),
            8 => (self.server_sends(answered, asked.wrapping_add(1), FIN | ACK, 0), way),
            _ => (self.client_sends(asked.wrapping_add(1), answered.wrapping_add(1), ACK, 0), None),
        }
    }

    fn client_sends(&self, seq: u32, ack: u32, flags: u8, payload: u16) -> Sent {
        Sent { at: self.at, from: self.client, to: self.server, seq, ack, flags, window: 64_240, payload }
    }

    fn server_sends(&self, seq: u32, ack: u32, flags: u8, payload: u16) -> Sent {
        Sent { at: self.at, from: self.server, to: self.client, seq, ack, flags, window: 29_200, payload }
    }
}
