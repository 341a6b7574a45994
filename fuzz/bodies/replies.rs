//! What a stranger answers on the control channel: datagrams, each on a line (JSON needs no line end).
//!
//! A device may send anything. What is taken of it has bounds, and can be shown as it is.

use core::net::IpAddr;
use std::time::UNIX_EPOCH;

use esp_tcpwatch::app::account::account;
use esp_tcpwatch::firmware::{
    Told,
    change::Change,
    pcbs::{BLOCKS_MAX, Collecting, PcbPage},
    protocol::{Answer, DecodeError, REPLY_MAX, decode},
};

use super::memory;

/// Octets that one reply may take.
const MOST: i64 = 512 << 10;

pub fn run(data: &[u8]) {
    let mut pages = Vec::new();
    for datagram in data.split(|octet| *octet == b'\n') {
        let mut answer = None;
        memory::within(MOST, || answer = take(datagram));
        if let Some(page) = answer {
            pages.push(page);
        }
    }
    collected(pages);
    if let Ok(text) = core::str::from_utf8(data) {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let Ok(change) = Change::from_words(&words) {
            assert_eq!(change.is_empty(), words.is_empty());
            is_plain(&change.in_words());
        }
    }
}

fn take(datagram: &[u8]) -> Option<PcbPage> {
    let reply = match decode(datagram) {
        Ok(reply) => reply,
        Err(error) => {
            is_plain(&error.to_string());
            assert_eq!(matches!(error, DecodeError::TooLarge(_)), datagram.len() > REPLY_MAX);
            return None;
        }
    };
    assert!(datagram.len() <= REPLY_MAX);
    match reply.outcome {
        Err(refusal) => is_plain(&refusal.to_string()),
        Ok(Answer::Status(status)) => {
            for text in [&status.firmware, &status.chip, &status.stack, &status.mode] {
                is_plain(text);
            }
            is_plain(&status.mode_in_words());
            let _ = status.time_wait.stale_acks();
        }
        Ok(Answer::Challenge(nonce)) => is_plain(&nonce),
        Ok(Answer::Faults(_) | Answer::Changed(_)) => {}
        Ok(Answer::Pcbs(page)) => return Some(*page),
    }
    None
}

/// Pages make one list, or it is said why they do not; the list has no more blocks than are believed.
fn collected(pages: Vec<PcbPage>) {
    let mut pages = pages.into_iter();
    let Some(Ok(mut list)) = pages.next().map(Collecting::begin) else { return };
    for page in pages {
        let (asked, from, next) = (list.next(), page.from, page.next);
        if list.add(page).is_err() {
            return;
        }
        assert!(asked.is_none_or(|asked| asked == from) && next.is_none_or(|next| next > from));
    }
    if list.next().is_some() {
        return;
    }
    let list = list.finish();
    assert!(list.blocks.len() <= BLOCKS_MAX as usize);
    let told = Told { asked: UNIX_EPOCH, answered: UNIX_EPOCH, list };
    let devices: Vec<IpAddr> = told.list.blocks.iter().map(|block| block.local.ip()).collect();
    for device in devices {
        let account = account(device, &told);
        assert!(account.held.iter().all(|held| held.device.ip() == device));
    }
}

/// A device's words can be shown to anybody.
fn is_plain(text: &str) {
    assert!(text.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{text:?}");
}
