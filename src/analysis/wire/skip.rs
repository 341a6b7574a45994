//! Why a frame gave no segment. A hostile or foreign frame is data, not an error: it is counted.

use std::collections::BTreeMap;

/// Declares the reasons once: the enum, its names and the counters' width.
macro_rules! reasons {
    ($($(#[$meta:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Skip { $($(#[$meta])* $variant),+ }

        impl Skip {
            pub const ALL: &[Skip] = &[$(Skip::$variant),+];

            /// The name under which the summary counts it.
            pub const fn name(self) -> &'static str {
                match self { $(Skip::$variant => $name),+ }
            }
        }
    };
}

reasons! {
    /// The frame ends inside a header that is needed.
    ShortHeader = "short-header",
    /// A header contradicts itself.
    BadHeader = "bad-header",
    /// A link type that is not read.
    UnknownLink = "unknown-link",
    /// 802.11, with or without radiotap, Prism, AVS or PPI before it: seen from a third place, unicast is encrypted.
    MonitorMode = "monitor-mode",
    /// Neither IPv4 nor IPv6 (ARP, 802.1X, LLDP, …).
    NotIp = "not-ip",
    /// A piece of a fragmented packet.
    Fragment = "fragment",
    /// IP, but not TCP.
    NotTcp = "not-tcp",
    /// The same frame twice: one capture point saw it on its way in and out.
    Duplicate = "duplicate",
}

/// What to say where Wi-Fi is captured in monitor mode.
pub const WHERE_TO_STAND: &str = "This is Wi-Fi captured in monitor mode (802.11). With WPA2 or WPA3 a third host sees \
     none of the device's unicast frames in clear, so its TCP cannot be read here. Capture on the client, on the access \
     point or router, or on a mirror port; or stream from there: ssh router tcpdump -U -s 128 -w - host IP | \
     esp-tcpwatch -r - -d IP";

/// Counters, one a reason.
#[derive(Clone, Debug, Default)]
pub struct SkipCounts([u64; Skip::ALL.len()]);

impl SkipCounts {
    pub fn count(&mut self, skip: Skip) {
        self.0[skip as usize] += 1;
    }

    pub fn of(&self, skip: Skip) -> u64 {
        self.0[skip as usize]
    }

    /// Reasons that occurred, by name.
    pub fn named(&self) -> BTreeMap<String, u64> {
        let seen = Skip::ALL.iter().map(|skip| (skip.name().to_owned(), self.0[*skip as usize]));
        seen.filter(|(_, count)| *count > 0).collect()
    }
}
