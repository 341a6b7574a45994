//! The map from what was seen to what is shown instead: the same original has the same stand-in, always.
//!
//! Stand-ins are made in order of appearance, so that the same input gives the same map. They lie in the ranges that
//! are set aside for documentation (RFC 5737, RFC 3849) and, past those, for benchmarks (RFC 2544). Of a link-layer
//! address the vendor's half stays; the other half, and the same 24 bits wherever IPv6 repeats them (EUI-64 and
//! solicited-node addresses), is replaced by one map, so that they still belong together.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::BTreeMap;

/// Originals of one kind that are told apart.
const LIMIT: usize = 60_000;
/// Stand-ins for the lower half of a link-layer address begin here: a vendor begins lower.
const FIRST_TAIL: u32 = 0xe0_0001;

/// ff02::1:ff00:0/104.
const SOLICITED_NODE: [u8; 13] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff];

/// Gives stand-ins, and remembers them.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    v4: BTreeMap<Ipv4Addr, Ipv4Addr>,
    v6: BTreeMap<Ipv6Addr, Ipv6Addr>,
    macs: BTreeMap<[u8; 6], [u8; 6]>,
    names: BTreeMap<String, String>,
    /// The parts of IPv6 addresses: network, and the upper 40 bits of the interface identifier.
    networks: BTreeMap<[u8; 8], u16>,
    heads: BTreeMap<[u8; 5], u16>,
    /// The lower 24 bits of link-layer addresses and interface identifiers.
    tails: BTreeMap<[u8; 3], [u8; 3]>,
    next_v4: u32,
    next_tail: u32,
}

impl Redactor {
    /// `None`: more addresses than are told apart.
    pub fn ip(&mut self, address: IpAddr) -> Option<IpAddr> {
        match address {
            IpAddr::V4(address) => self.v4(address).map(IpAddr::V4),
            IpAddr::V6(address) => self.v6(address).map(IpAddr::V6),
        }
    }

    /// The same for the fields of a report, where something must stand: the unspecified address then.
    pub fn address(&mut self, address: IpAddr) -> IpAddr {
        self.ip(address).unwrap_or(match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        })
    }

    /// The port stays.
    pub fn socket(&mut self, socket: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.address(socket.ip()), socket.port())
    }

    /// Loopback, multicast, broadcast and the unspecified address are nobody's and stay.
    pub fn v4(&mut self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let is_nobodys = address.is_loopback()
            || address.is_multicast()
            || address.is_broadcast()
            || address.is_unspecified();
        if is_nobodys {
            return Some(address);
        }
        if let Some(known) = self.v4.get(&address) {
            return Some(*known);
        }
        if self.v4.len() >= LIMIT {
            return None;
        }
        loop {
            let candidate = documentation_v4(self.next_v4)?;
            self.next_v4 += 1;
            if candidate != address && !self.v4.contains_key(&candidate) {
                self.v4.insert(address, candidate);
                return Some(candidate);
            }
        }
    }

    /// As [`Redactor::v4`]; a solicited-node address (RFC 4291 §2.7.1) follows the address that it is made of.
    pub fn v6(&mut self, address: Ipv6Addr) -> Option<Ipv6Addr> {
        let [n @ .., _, _, _, _, _, _, _, _] = address.octets();
        let [_, _, _, _, _, _, _, _, a, b, c, d, e, tail @ ..] = address.octets();
        let is_solicited_node = address.octets().starts_with(&SOLICITED_NODE);
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() && !is_solicited_node {
            return Some(address);
        }
        if let Some(known) = self.v6.get(&address) {
            return Some(*known);
        }
        if self.v6.len() >= LIMIT {
            return None;
        }
        let tail = self.tail(tail)?;
        let mut octets = [0; 16];
        if is_solicited_node {
            octets[..13].copy_from_slice(&SOLICITED_NODE);
        } else {
            octets[..8].copy_from_slice(&self.network(n)?);
            octets[8..13].copy_from_slice(&self.head([a, b, c, d, e])?);
        }
        octets[13..].copy_from_slice(&tail);
        let stand_in = Ipv6Addr::from(octets);
        self.v6.insert(address, stand_in);
        Some(stand_in)
    }

    /// Groups stay, but for the solicited-node ones; of a made-up address nothing is a vendor's.
    pub fn mac(&mut self, mac: [u8; 6]) -> Option<[u8; 6]> {
        let [a, b, c, tail @ ..] = mac;
        let is_group = a & 1 != 0;
        if mac == [0; 6] || is_group && [a, b, c] != [0x33, 0x33, 0xff] {
            return Some(mac);
        }
        if let Some(known) = self.macs.get(&mac) {
            return Some(*known);
        }
        if self.macs.len() >= LIMIT {
            return None;
        }
        let [a, b, c] = if is_group { [a, b, c] } else { vendor([a, b, c]) };
        let [d, e, f] = self.tail(tail)?;
        self.macs.insert(mac, [a, b, c, d, e, f]);
        Some([a, b, c, d, e, f])
    }

    pub fn knows_mac(&self, mac: [u8; 6]) -> bool {
        self.macs.contains_key(&mac)
    }

    /// `kind-1`, `kind-2`, …; past what is told apart only `kind`.
    pub fn name(&mut self, kind: &str, original: &str) -> String {
        let key = original.to_lowercase();
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        if self.names.len() >= LIMIT {
            return kind.to_owned();
        }
        let of_kind = self.names.values().filter(|name| name.starts_with(kind)).count();
        let name = format!("{kind}-{}", of_kind + 1);
        self.names.insert(key, name.clone());
        name
    }

    /// The stand-in that `original` has already.
    pub fn known_name(&self, original: &str) -> Option<&str> {
        self.names.get(&original.to_lowercase()).map(String::as_str)
    }

    /// The whole map, a line each: kind, original and stand-in, parted by tabs. For the author alone.
    pub fn map(&self) -> String {
        let mut out = String::from("kind\toriginal\tstand-in\n");
        let mut line = |kind: &str, original: String, stand_in: String| {
            out.push_str(&format!("{kind}\t{}\t{stand_in}\n", crate::text::escape(&original)));
        };
        self.v4.iter().for_each(|(from, to)| line("ipv4", from.to_string(), to.to_string()));
        self.v6.iter().for_each(|(from, to)| line("ipv6", from.to_string(), to.to_string()));
        self.macs.iter().for_each(|(from, to)| line("mac", colons(*from), colons(*to)));
        self.names.iter().for_each(|(from, to)| line("name", from.clone(), to.clone()));
        out
    }

    /// Of a network only whether it is a link's own (fe80::/64) is kept.
    fn network(&mut self, network: [u8; 8]) -> Option<[u8; 8]> {
        if network == [0xfe, 0x80, 0, 0, 0, 0, 0, 0] {
            return Some(network);
        }
        let [high, low] = numbered(&mut self.networks, network)?.to_be_bytes();
        Some([0x20, 0x01, 0x0d, 0xb8, 0, 0, high, low])
    }

    /// EUI-64 (RFC 4291 appendix A): the vendor's half of the link-layer address, its second-lowest bit turned.
    fn head(&mut self, head: [u8; 5]) -> Option<[u8; 5]> {
        match head {
            [0, 0, 0, 0, 0] => Some(head),
            [a, b, c, 0xff, 0xfe] => {
                let [a, b, c] = vendor([a ^ 2, b, c]);
                Some([a ^ 2, b, c, 0xff, 0xfe])
            }
            _ => {
                let [high, low] = numbered(&mut self.heads, head)?.to_be_bytes();
                Some([0, 0, 0, high, low])
            }
        }
    }

    fn tail(&mut self, tail: [u8; 3]) -> Option<[u8; 3]> {
        if let Some(known) = self.tails.get(&tail) {
            return Some(*known);
        }
        if self.tails.len() >= LIMIT {
            return None;
        }
        loop {
            let [_, candidate @ ..] = (FIRST_TAIL + self.next_tail).to_be_bytes();
            self.next_tail += 1;
            if candidate != tail && !self.tails.contains_key(&candidate) {
                self.tails.insert(tail, candidate);
                return Some(candidate);
            }
        }
    }
}

/// Bit 1 of the first octet: made up by software, a random address of a phone for example.
fn vendor(half: [u8; 3]) -> [u8; 3] {
    if half[0] & 2 != 0 { [2, 0, 0] } else { half }
}

fn numbered<K: Ord>(numbers: &mut BTreeMap<K, u16>, key: K) -> Option<u16> {
    let next = u16::try_from(numbers.len() + 1).ok().filter(|next| usize::from(*next) <= LIMIT)?;
    Some(*numbers.entry(key).or_insert(next))
}

fn documentation_v4(number: u32) -> Option<Ipv4Addr> {
    const NETWORKS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
    const HOSTS: u32 = 254;
    let documentation = NETWORKS.len() as u32 * HOSTS;
    match NETWORKS.get((number / HOSTS) as usize) {
        Some([a, b, c]) => Some(Ipv4Addr::new(*a, *b, *c, (number % HOSTS) as u8 + 1)),
        None => {
            let rest = number - documentation;
            (rest < 1 << 17).then(|| Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + rest))
        }
    }
}

/// `aa:bb:cc:dd:ee:ff`.
pub fn colons(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_original_has_the_same_stand_in_in_the_documentation_ranges() {
        let mut redactor = Redactor::default();
        let first = redactor.ip("192.168.4.1".parse().unwrap()).unwrap();
        let second = redactor.ip("192.168.4.2".parse().unwrap()).unwrap();
        assert_eq!((first.to_string(), second.to_string()), ("192.0.2.1".into(), "192.0.2.2".into()));
        assert_eq!(redactor.ip("192.168.4.1".parse().unwrap()), Some(first));
        for kept in ["127.0.0.1", "224.0.0.251", "255.255.255.255", "0.0.0.0", "::1", "::", "ff02::fb"] {
            let kept: IpAddr = kept.parse().unwrap();
            assert_eq!(redactor.ip(kept), Some(kept));
        }
    }

    #[test]
    fn no_two_addresses_share_a_stand_in_and_none_is_its_own() {
        let mut redactor = Redactor::default();
        let mut seen = std::collections::BTreeSet::new();
        // Some of them lie in the documentation ranges themselves.
        for number in 0..2_000_u32 {
            let address = Ipv4Addr::from(0xc000_0200 + number);
            let stand_in = redactor.v4(address).unwrap();
            assert!(seen.insert(stand_in) && stand_in != address);
        }
    }

    #[test]
    fn what_is_made_of_a_mac_follows_it() {
        let mut redactor = Redactor::default();
        let mac = redactor.mac([0x24, 0x0a, 0xc4, 0x12, 0x34, 0x56]).unwrap();
        assert_eq!(mac, [0x24, 0x0a, 0xc4, 0xe0, 0, 1]);
        let of =
            |redactor: &mut Redactor, text: &str| redactor.v6(text.parse().unwrap()).unwrap().to_string();
        assert_eq!(of(&mut redactor, "fe80::260a:c4ff:fe12:3456"), "fe80::260a:c4ff:fee0:1");
        assert_eq!(of(&mut redactor, "2003:e8::260a:c4ff:fe12:3456"), "2001:db8:0:1:260a:c4ff:fee0:1");
        assert_eq!(of(&mut redactor, "ff02::1:ff12:3456"), "ff02::1:ffe0:1");
        assert_eq!(redactor.mac([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]), Some([0x33, 0x33, 0xff, 0xe0, 0, 1]));
    }

    #[test]
    fn a_made_up_mac_keeps_nothing_and_a_group_is_nobody() {
        let mut redactor = Redactor::default();
        assert_eq!(redactor.mac([0xda, 0xa1, 0x19, 7, 8, 9]), Some([2, 0, 0, 0xe0, 0, 1]));
        for group in [[0xff; 6], [1, 0, 0x5e, 0, 0, 0xfb], [0x33, 0x33, 0, 0, 0, 1], [0; 6]] {
            assert_eq!(redactor.mac(group), Some(group));
        }
    }

    #[test]
    fn past_its_bound_nothing_gets_through() {
        let mut redactor = Redactor::default();
        for number in 0..LIMIT as u32 {
            redactor.v4(Ipv4Addr::from(0x0a00_0000 + number)).unwrap();
        }
        assert_eq!(redactor.v4(Ipv4Addr::new(11, 0, 0, 1)), None);
        assert_eq!(redactor.address(Ipv4Addr::new(11, 0, 0, 1).into()).to_string(), "0.0.0.0");
    }

    #[test]
    fn the_map_names_both() {
        let mut redactor = Redactor::default();
        redactor.v4(Ipv4Addr::new(10, 0, 0, 7));
        redactor.name("host", "Kitchen.local");
        assert!(redactor.map().contains("ipv4\t10.0.0.7\t192.0.2.1\n"));
        assert!(redactor.map().contains("name\tkitchen.local\thost-1\n"));
    }
}
