//! The owner's key and what is signed with it (`docs/control-protocol.md`, "Changing remedies").
//!
//! Knows: octets and HMAC-SHA-256. Refuses to know: where a key is kept, and what is asked.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// Octets of a key; written as twice as many hexadecimal digits.
pub const KEY_OCTETS: usize = 32;
/// What a signature is for stands in front of what is signed.
const PURPOSE: &[u8] = b"esp-tcpwatch control 1\n";

/// The key that the firmware was built or started with. It shows itself to nobody.
#[derive(Clone)]
pub struct Key([u8; KEY_OCTETS]);

/// Why a text is no key. It never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error(
        "a key is one line of 64 hexadecimal digits, and this has {0} characters; make one with: \
         openssl rand -hex 32"
    )]
    Length(usize),
    #[error("a key is written in the digits 0 to 9 and a to f; character {0} is something else")]
    Digit(usize),
}

impl Key {
    /// Reads a key as it stands in a key file: one line of 64 hexadecimal digits, white space around it.
    ///
    /// # Errors
    /// [`KeyError`], which says what is expected and does not repeat the text.
    pub fn from_hex(text: &str) -> Result<Key, KeyError> {
        let text = text.trim();
        let digits: Vec<char> = text.chars().collect();
        if digits.len() != 2 * KEY_OCTETS {
            return Err(KeyError::Length(digits.len()));
        }
        let mut octets = [0; KEY_OCTETS];
        for (at, digit) in digits.iter().enumerate() {
            let value = digit.to_digit(16).ok_or(KeyError::Digit(at + 1))?;
            octets[at / 2] = octets[at / 2] << 4 | value as u8;
        }
        Ok(Key(octets))
    }

    /// As a key file and the firmware's build have it. Whoever writes it down sees to it that nobody else reads it.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Closes `text`, a JSON object without its final brace, with the signature over it.
    pub(super) fn signed(&self, text: &str) -> Vec<u8> {
        // RFC 2104 fills a key that is shorter than a block with zeros.
        let mut block = [0; 64];
        block[..KEY_OCTETS].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(PURPOSE);
        mac.update(text.as_bytes());
        let mut datagram = format!("{text},\"mac\":\"");
        for octet in mac.finalize().into_bytes() {
            datagram.push_str(&format!("{octet:02x}"));
        }
        datagram.push_str("\"}");
        datagram.into_bytes()
    }
}

impl From<[u8; KEY_OCTETS]> for Key {
    fn from(octets: [u8; KEY_OCTETS]) -> Key {
        Key(octets)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_is_read_and_kept_to_itself() {
        let key = Key::from_hex(&format!(" {HEX}\n")).unwrap();
        assert_eq!(key.0[31], 0x1f);
        assert_eq!(Key::from_hex(&HEX.to_uppercase()).unwrap().to_hex(), HEX);
        assert_eq!(format!("{key:?}"), "Key(…)");
        assert_eq!(Key::from_hex("").unwrap_err(), KeyError::Length(0));
        let error = Key::from_hex(&HEX.replace("0f10", "0g10")).unwrap_err();
        assert_eq!(error, KeyError::Digit(32));
        assert!(!error.to_string().contains("0001"), "the key is not repeated");
    }

    /// Computed with another implementation: `printf 'esp-tcpwatch control 1\n{"v":1' | openssl dgst -sha256 -mac HMAC`
    /// `-macopt hexkey:…`.
    #[test]
    fn the_signature_stands_at_the_end() {
        let datagram = Key::from_hex(HEX).unwrap().signed("{\"v\":1");
        let text = String::from_utf8(datagram).unwrap();
        assert_eq!(
            text,
            "{\"v\":1,\"mac\":\"b98b498b4ee1279282ada82f547c121fe1e634582f49ecf14d77f486ff03d3c6\"}"
        );
    }
}
