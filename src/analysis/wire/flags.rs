//! The control bits of a segment (RFC 9293 §3.1) and tcpdump's letters for them.

use core::fmt;

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

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (flag, letter) in [
            (Flags::SYN, "S"),
            (Flags::FIN, "F"),
            (Flags::RST, "R"),
            (Flags::PSH, "P"),
            (Flags::URG, "U"),
            (Flags::ACK, "."),
        ] {
            if self.has(flag) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}
