//! Whose TCP stack answers, judged by habits that show on the wire.
//!
//! A habit fits a stack and does not prove it: nothing here is ever proven. Two habits that agree make it inferred; two
//! stacks under one address (a port that a router forwards) make it unknown. How a segment looks also depends on
//! middle boxes: a firewall that resets connections in the device's name speaks with its own habits.

use super::facts::Stack;
use crate::analysis::{
    certainty::Certainty,
    wire::{Flags, Segment},
};

/// Receive windows of ESP-IDF's lwIP: that of IDF 5.0, and of later ones (`CONFIG_LWIP_TCP_WND_DEFAULT`).
const ESP_IDF_WINDOWS: [u16; 2] = [5744, 5760];
/// `CONFIG_LWIP_TCP_MSS`.
const ESP_IDF_MSS: u16 = 1440;
/// lwIP's `TCP_WND` is four segments unless a port says otherwise.
const LWIP_SEGMENTS: u32 = 4;
/// Linux offers ten segments or more.
const LINUX_SEGMENTS: u16 = 10;
/// Octets that the timestamp option takes from each segment (RFC 7323).
const TIMESTAMP_LEN: u16 = 12;
/// Windows remembered from SYN and SYN-ACK segments.
const ANNOUNCED: usize = 4;

/// What was seen of the habits of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    lwip_syn: Option<Certainty>,
    /// A RST whose window has its octets swapped.
    lwip_rst: bool,
    linux_syn: Option<Certainty>,
    /// A RST that answers a SYN and has no window at all: not lwIP's.
    plain_rst: bool,
    announced: [u16; ANNOUNCED],
}

impl Fingerprint {
    /// Reads a segment that the host sent.
    pub fn read(&mut self, segment: &Segment) {
        let flags = segment.flags;
        if flags.has(Flags::RST) {
            if flags.has(Flags::ACK) {
                self.read_rst(segment);
            }
        } else if flags.has(Flags::SYN) {
            self.read_syn(segment);
        }
    }

    /// The habits of the same host under another address.
    pub fn take_in(&mut self, other: &Fingerprint) {
        self.lwip_syn = self.lwip_syn.max(other.lwip_syn);
        self.lwip_rst |= other.lwip_rst;
        self.linux_syn = self.linux_syn.max(other.linux_syn);
        self.plain_rst |= other.plain_rst;
        for window in other.announced.into_iter().rev() {
            self.announce(window);
        }
    }

    pub fn stack(&self) -> Stack {
        self.judged().map_or(Stack::Unknown, |(stack, _)| stack)
    }

    pub fn certainty(&self) -> Option<Certainty> {
        self.judged().map(|(_, certainty)| certainty)
    }

    /// One address shows the habits of two stacks.
    pub fn contradicts_itself(&self) -> bool {
        self.lwip().is_some() && self.linux_syn.is_some()
    }

    fn judged(&self) -> Option<(Stack, Certainty)> {
        match (self.lwip(), self.linux_syn) {
            (Some(certainty), None) => Some((Stack::Lwip, certainty)),
            (None, Some(certainty)) => Some((Stack::Linux, certainty)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    fn lwip(&self) -> Option<Certainty> {
        match (self.lwip_syn, self.lwip_rst, self.plain_rst) {
            (_, true, false) => Some(Certainty::Inferred),
            (seen, false, false) => seen,
            // Perhaps a firewall's RST: of what else was seen, one step less is believed.
            (Some(Certainty::Inferred | Certainty::Proven), false, true) | (_, true, true) => {
                Some(Certainty::Suspected)
            }
            (Some(Certainty::Suspected) | None, false, true) => None,
        }
    }

    /// lwIP's tcp_rst() stores its window without htons(): 5744 arrives as 28694.
    fn read_rst(&mut self, segment: &Segment) {
        let meant = segment.window.swap_bytes();
        // Equal octets look the same both ways, and a window that arrives as it was announced was not swapped.
        let is_swapped = meant != segment.window && !self.announced.contains(&segment.window);
        if is_swapped && (ESP_IDF_WINDOWS.contains(&meant) || self.announced.contains(&meant)) {
            self.lwip_rst = true;
        }
        self.plain_rst |= segment.window == 0 && segment.seq.0 == 0;
    }

    fn announce(&mut self, window: u16) {
        if window != 0 && !self.announced.contains(&window) {
            self.announced.rotate_right(1);
            self.announced[0] = window;
        }
    }

    fn read_syn(&mut self, segment: &Segment) {
        let (window, options) = (segment.window, segment.options);
        self.announce(window);
        let is_bare = options.window_scale.is_none() && !options.timestamps && !options.sack_permitted;
        let is_full = options.window_scale.is_some() && options.sack_permitted;
        let mss = options.mss.unwrap_or(0);
        if is_bare {
            let is_esp_idf = ESP_IDF_WINDOWS.contains(&window);
            let certainty = match mss {
                ESP_IDF_MSS if is_esp_idf => Some(Certainty::Inferred),
                1.. if u32::from(window) == LWIP_SEGMENTS * u32::from(mss) => Some(Certainty::Suspected),
                _ => is_esp_idf.then_some(Certainty::Suspected),
            };
            self.lwip_syn = self.lwip_syn.max(certainty);
        } else if is_full {
            // Others offer the same options; the window in whole segments, with timestamps, is Linux's own.
            let is_whole = |mss: u16| mss > 0 && window.is_multiple_of(mss) && window / mss >= LINUX_SEGMENTS;
            let own = options.timestamps && (is_whole(mss) || is_whole(mss.saturating_sub(TIMESTAMP_LEN)));
            let certainty = if own { Certainty::Inferred } else { Certainty::Suspected };
            self.linux_syn = self.linux_syn.max(Some(certainty));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{
        input::{Frame, LinkType},
        time::Timestamp,
        wire::decode,
    };

    /// A TCP header as it stood on the wire, behind an IPv4 header.
    fn segment(header: &str) -> Segment {
        let digits: String = header.split_whitespace().collect();
        let tcp: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        let mut octets = vec![0x45, 0, 0, 20 + tcp.len() as u8, 0, 0, 0, 0, 64, 6, 0, 0];
        octets.extend([10, 77, 0, 2, 10, 77, 0, 1]);
        octets.extend(&tcp);
        let wire_len = octets.len() as u32;
        let frame = Frame { number: 1, time: Timestamp::ZERO, link: LinkType::RAW, wire_len, data: &octets };
        decode(&frame).unwrap()
    }

    /// lwIP with ESP-IDF's settings: SYN-ACK with window 5744 and MSS 1440, nothing else.
    const LWIP: &str = "0050 9c40 78923939 48b6e1ad 6012 1670 0000 0000 020405a0";
    /// The same stack's RST: 5744 with its octets swapped.
    const LWIP_RST: &str = "0050 9c40 00000000 48b6e1ad 5014 7016 0000 0000";
    /// ESP8266: 536 octets a segment, four of them.
    const SMALL_LWIP: &str = "0050 9c40 78923939 48b6e1ad 6012 0860 0000 0000 02040218";
    const SMALL_LWIP_RST: &str = "0050 9c40 00000000 48b6e1ad 5014 6008 0000 0000";
    /// Linux 6: SYN with window 64240; SYN-ACK with 65160, 45 segments of 1448.
    const LINUX_SYN: &str =
        "9c40 0050 48b6e1ac 00000000 a002 faf0 0000 0000 020405b4 0402 080a 4a4d67bc 00000000 01 03030a";
    const LINUX: &str =
        "0050 9c40 78923939 48b6e1ad a012 fe88 0000 0000 020405b4 0402 080a 4a4d67bc 00000000 01 030307";
    /// Linux's RST to a closed port, and that of many a firewall.
    const PLAIN_RST: &str = "0050 9c40 00000000 48b6e1ad 5014 0000 0000 0000";
    /// macOS: the same options, 65535.
    const MACOS: &str = "0050 9c40 78923939 48b6e1ad b012 ffff 0000 0000 020405b4 01 030306 01 01 080a 4a4d67bc 00000000 0402 0000";
    /// Windows: no timestamps.
    const WINDOWS: &str = "0050 9c40 78923939 48b6e1ad 8012 faf0 0000 0000 020405b4 01 030308 01 01 0402";

    #[test]
    fn habits_of_real_segments() {
        use Certainty::{Inferred, Suspected};
        use Stack::{Linux, Lwip, Unknown};
        let table: &[(&[&str], Stack, Option<Certainty>)] = &[
            (&[], Unknown, None),
            (&[LWIP], Lwip, Some(Inferred)),
            (&[LWIP_RST], Lwip, Some(Inferred)),
            (&[LWIP, LWIP_RST], Lwip, Some(Inferred)),
            (&[SMALL_LWIP], Lwip, Some(Suspected)),
            // A window nobody knows is lwIP's by being swapped where it was announced before.
            (&[SMALL_LWIP_RST], Unknown, None),
            (&[SMALL_LWIP, SMALL_LWIP_RST], Lwip, Some(Inferred)),
            (&[LINUX_SYN], Linux, Some(Inferred)),
            (&[LINUX], Linux, Some(Inferred)),
            (&[LINUX, PLAIN_RST], Linux, Some(Inferred)),
            (&[MACOS], Linux, Some(Suspected)),
            (&[WINDOWS], Linux, Some(Suspected)),
            (&[PLAIN_RST], Unknown, None),
            // Two that do not go together.
            (&[LWIP, LINUX], Unknown, None),
            (&[LINUX, LWIP_RST], Unknown, None),
            (&[LWIP, PLAIN_RST], Lwip, Some(Suspected)),
            (&[LWIP_RST, PLAIN_RST], Lwip, Some(Suspected)),
            (&[SMALL_LWIP, PLAIN_RST], Unknown, None),
        ];
        for (segments, stack, certainty) in table {
            let mut backwards = Fingerprint::default();
            let mut forwards = Fingerprint::default();
            segments.iter().for_each(|text| forwards.read(&segment(text)));
            segments.iter().rev().for_each(|text| backwards.read(&segment(text)));
            assert_eq!((forwards.stack(), forwards.certainty()), (*stack, *certainty), "{segments:?}");
            let depends_on_order = segments.contains(&SMALL_LWIP_RST);
            assert!(depends_on_order || forwards.stack() == backwards.stack(), "{segments:?}");
        }
    }

    #[test]
    fn a_window_that_is_not_swapped_says_nothing() {
        for (syn_window, rst_window) in [(0x1616, 0x1616), (0x1670, 0x1670), (0x1234, 0x3413)] {
            let mut fingerprint = Fingerprint::default();
            let mut syn = segment(LINUX);
            syn.window = syn_window;
            fingerprint.read(&syn);
            let mut rst = segment(LWIP_RST);
            rst.window = rst_window;
            fingerprint.read(&rst);
            assert!(!fingerprint.lwip_rst, "{syn_window:#x} {rst_window:#x}");
        }
        // Without ACK it is no RST of lwIP's.
        let mut fingerprint = Fingerprint::default();
        let mut rst = segment(LWIP_RST);
        rst.flags = Flags::RST;
        fingerprint.read(&rst);
        assert_eq!(fingerprint, Fingerprint::default());
    }
}
