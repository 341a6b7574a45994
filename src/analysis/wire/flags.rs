//! The control bits of a segment (RFC 9293 §3.1) and tcpdump's letters for them.

use core::fmt;
use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    pub const FIN: Flags = Flags(0x01);
    pub const SYN: Flags = Flags(0x02);
    pub const RST: Flags = Flags(0x04);
    pub const PSH: Flags = Flags(0x08);
    pub const ACK: Flags = Flags(0x10);
    pub const URG: Flags = Flags(0x20);

    pub const fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    /// The letters as a text; those of nearly all segments need no allocation.
    pub fn letters(self) -> Cow<'static, str> {
        const ORDINARY: [(u8, &str); 8] = [
            (0x10, "."),
            (0x18, "P."),
            (0x02, "S"),
            (0x12, "S."),
            (0x11, "F."),
            (0x19, "FP."),
            (0x04, "R"),
            (0x14, "R."),
        ];
        match ORDINARY.iter().find(|(flags, _)| *flags == self.lettered().0) {
            Some((_, letters)) => Cow::Borrowed(letters),
            None => Cow::Owned(self.to_string()),
        }
    }

    /// Those that have a letter.
    pub const fn lettered(self) -> Flags {
        Flags(self.0 & 0x3f)
    }

    /// SYN without ACK: somebody opens a connection.
    pub const fn is_opening(self) -> bool {
        self.has(Flags::SYN) && !self.has(Flags::ACK) && !self.has(Flags::RST)
    }

    pub const fn is_syn_ack(self) -> bool {
        self.has(Flags::SYN) && self.has(Flags::ACK) && !self.has(Flags::RST)
    }

    /// ACK with none of SYN, FIN and RST.
    pub const fn is_plain_ack(self) -> bool {
        self.has(Flags::ACK) && !self.has(Flags::SYN) && !self.has(Flags::FIN) && !self.has(Flags::RST)
    }
}

/// The letters, in the order in which they are written.
const LETTERS: [(Flags, char); 6] = [
    (Flags::SYN, 'S'),
    (Flags::FIN, 'F'),
    (Flags::RST, 'R'),
    (Flags::PSH, 'P'),
    (Flags::URG, 'U'),
    (Flags::ACK, '.'),
];

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for (flag, letter) in LETTERS {
            if self.has(flag) {
                f.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// As the letters.
impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Letters;
        impl de::Visitor<'_> for Letters {
            type Value = Flags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tcpdump's letters for the flags of a segment, as in `S.`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Flags, E> {
                text.chars()
                    .map(|read| LETTERS.iter().find(|(_, letter)| *letter == read).map(|(flag, _)| flag.0))
                    .try_fold(0, |flags, flag| Some(flags | flag?))
                    .map(Flags)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_as_they_are_written() {
        for bits in 0..1 << 6 {
            let json = serde_json::to_string(&Flags(bits)).unwrap();
            assert_eq!(serde_json::from_str::<Flags>(&json).unwrap(), Flags(bits), "{json}");
            assert_eq!(Flags(bits).letters(), Flags(bits).to_string());
        }
        assert_eq!(serde_json::to_string(&Flags(0x12)).unwrap(), "\"S.\"");
        let error = serde_json::from_str::<Flags>("\"SX\"").unwrap_err().to_string();
        assert!(error.contains("tcpdump's letters"), "{error}");
    }
}
