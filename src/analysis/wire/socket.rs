//! A socket as a text: octet for octet as [`SocketAddr`] displays itself, at a tenth of the cost. Events and their sentences are full
//! of them.

use core::{fmt, net::SocketAddr};

use serde::Serializer;

/// `10.77.0.2:80`, or `[2001:db8::2]:80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket(pub SocketAddr);

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SocketAddr::V4(socket) = self.0 else { return self.0.fmt(f) };
        let mut text = Text::default();
        for (octet, after) in socket.ip().octets().into_iter().zip(*b"...:") {
            text.number(octet.into());
            text.push(after);
        }
        text.number(socket.port());
        f.write_str(text.as_str())
    }
}

/// For `#[serde(serialize_with = "…")]`.
pub fn write<S: Serializer>(socket: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Socket(*socket))
}

/// The same where there may be none.
pub fn write_if_any<S: Serializer>(socket: &Option<SocketAddr>, serializer: S) -> Result<S::Ok, S::Error> {
    match socket {
        Some(socket) => serializer.collect_str(&Socket(*socket)),
        None => serializer.serialize_none(),
    }
}

/// Room for the longest, `255.255.255.255:65535`.
#[derive(Default)]
struct Text {
    octets: [u8; 21],
    length: usize,
}

impl Text {
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
        self.octets.get(..self.length).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
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
