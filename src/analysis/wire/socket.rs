//! A socket as a text: octet for octet as [`SocketAddr`] displays itself, at a tenth of the cost. Events and their sentences are full
//! of them.

use core::{
    fmt,
    net::{SocketAddr, SocketAddrV4},
};

use serde::{Serialize, Serializer};

/// `10.77.0.2:80`, or `[2001:db8::2]:80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket(pub SocketAddr);

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SocketAddr::V4(socket) => f.write_str(Text::of(socket).as_str()),
            SocketAddr::V6(socket) => socket.fmt(f),
        }
    }
}

impl Serialize for Socket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            SocketAddr::V4(socket) => serializer.serialize_str(Text::of(socket).as_str()),
            SocketAddr::V6(socket) => serializer.collect_str(&socket),
        }
    }
}

/// For `#[serde(serialize_with = "…")]`.
pub fn write<S: Serializer>(socket: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
    Socket(*socket).serialize(serializer)
}

/// The same where there may be none.
pub fn write_if_any<S: Serializer>(socket: &Option<SocketAddr>, serializer: S) -> Result<S::Ok, S::Error> {
    socket.map(Socket).serialize(serializer)
}

/// Room for the longest, `255.255.255.255:65535`, in whole words: so the standard library looks at words, where it makes a `str`
/// of all.
#[derive(Default)]
#[repr(align(8))]
struct Text {
    octets: [u8; 32],
    length: usize,
}

/// The digits of each octet, and how many they are.
static OCTETS: [([u8; 3], usize); 256] = {
    let mut octets = [([0; 3], 0); 256];
    let mut octet = 0;
    while octet < octets.len() {
        let [hundreds, tens, ones] = [octet / 100, octet / 10 % 10, octet % 10];
        let digits = [b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8];
        octets[octet] = match digits {
            [b'0', b'0', ones] => ([ones, 0, 0], 1),
            [b'0', tens, ones] => ([tens, ones, 0], 2),
            digits => (digits, 3),
        };
        octet += 1;
    }
    octets
};

impl Text {
    fn of(socket: SocketAddrV4) -> Text {
        let mut text = Text::default();
        for (octet, after) in socket.ip().octets().into_iter().zip(*b"...:") {
            let (digits, length) = OCTETS[usize::from(octet)];
            if let Some(place) = text.octets.get_mut(text.length..text.length + digits.len()) {
                place.copy_from_slice(&digits);
                text.length += length;
            }
            text.push(after);
        }
        text.number(socket.port());
        text
    }

    fn push(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.length) {
            *place = octet;
            self.length += 1;
        }
    }

    fn number(&mut self, number: u16) {
        for power in [10_000, 1_000, 100, 10] {
            if number >= power {
                self.push(b'0' + (number / power % 10) as u8);
            }
        }
        self.push(b'0' + (number % 10) as u8);
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.octets).ok().and_then(|text| text.get(..self.length)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_standard_library_writes(v4: [u8; 4], v6: [u8; 16], port: u16) {
            for socket in [SocketAddr::from((v4, port)), SocketAddr::from((v6, port))] {
                prop_assert_eq!(Socket(socket).to_string(), socket.to_string());
            }
        }
    }

    #[test]
    fn every_number_has_its_digits_and_no_more() {
        for port in 0..=u16::MAX {
            let socket = SocketAddr::from(([port as u8, 0, 10, 255], port));
            assert_eq!(Socket(socket).to_string(), socket.to_string());
        }
    }
}
