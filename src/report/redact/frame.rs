//! One captured frame without what identifies anybody and without its payload.
//!
//! A pure function over octets: every link type that the decoder reads goes in, and what comes out is a packet that a
//! decoder reads as it read the original. What is not understood to the last octet kept is left out whole.

use super::{ip, stand_ins::Redactor};
use crate::analysis::input::LinkType;
use crate::analysis::wire::link::{self, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

impl Redactor {
    /// The octets to keep of `data`: the headers of TCP, ICMP, ICMPv6 and ARP with stand-ins for all addresses. `None`:
    /// anything else, to be left out.
    ///
    /// Checksums that were right are right afterwards, for the whole packet as it was on the wire with the new
    /// addresses in it; those that were wrong stay wrong (RFC 1624).
    pub fn frame(&mut self, link: LinkType, data: &[u8]) -> Option<Vec<u8>> {
        let (packet, ether_type) = link::open(link, data).ok()?;
        let mut out = data.get(..packet.link_len)?.to_vec();
        match link.0 {
            1 => {
                self.mac_at(&mut out, 0)?;
                self.mac_at(&mut out, 6)?;
            }
            113 => self.cooked_address(&mut out, 4, 6)?,
            276 => self.cooked_address(&mut out, 10, 12)?,
            _ => {}
        }
        out.extend(match ether_type {
            Some(ETHERTYPE_ARP) => arp(self, packet.ip)?,
            Some(ETHERTYPE_IPV4 | ETHERTYPE_IPV6) | None => ip::packet(self, packet.ip)?,
            Some(_) => return None,
        });
        Some(out)
    }

    pub(super) fn mac_at(&mut self, octets: &mut [u8], at: usize) -> Option<()> {
        let field = octets.get_mut(at..at + 6)?;
        let mac = self.mac((&*field).try_into().ok()?)?;
        field.copy_from_slice(&mac);
        Some(())
    }

    pub(super) fn v4_at(&mut self, octets: &mut [u8], at: usize) -> Option<()> {
        let field = octets.get_mut(at..at + 4)?;
        let address: [u8; 4] = (&*field).try_into().ok()?;
        field.copy_from_slice(&self.v4(address.into())?.octets());
        Some(())
    }

    pub(super) fn v6_at(&mut self, octets: &mut [u8], at: usize) -> Option<()> {
        let field = octets.get_mut(at..at + 16)?;
        let address: [u8; 16] = (&*field).try_into().ok()?;
        field.copy_from_slice(&self.v6(address.into())?.octets());
        Some(())
    }

    /// Eight octets for an address whose length stands at the octet `length_at + 1` (v1) or before the field (v2): six of
    /// Ethernet, or none.
    fn cooked_address(&mut self, header: &mut [u8], length_at: usize, address_at: usize) -> Option<()> {
        let is_ethernet = *header.get(length_at + 1)? == 6;
        let from = if is_ethernet { 6 } else { 0 };
        if is_ethernet {
            self.mac_at(header, address_at)?;
        }
        header.get_mut(address_at + from..address_at + 8)?.fill(0);
        Some(())
    }
}

/// RFC 826, for IPv4 over Ethernet; what follows it is padding.
fn arp(redactor: &mut Redactor, data: &[u8]) -> Option<Vec<u8>> {
    let mut out = data.get(..28)?.to_vec();
    if out[..6] != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    for (mac, address) in [(8, 14), (18, 24)] {
        redactor.mac_at(&mut out, mac)?;
        redactor.v4_at(&mut out, address)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arp_reply_keeps_nothing_of_either_side() {
        let (a, b) = ([0x24, 0x0a, 0xc4, 0x12, 0x34, 0x56], [0xda, 0xa1, 0x19, 0x65, 0x43, 0x21]);
        let frame = [
            &b[..],
            &a,
            &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2],
            &a,
            &[192, 168, 4, 1],
            &b,
            &[192, 168, 4, 2],
            &[0x55; 18],
        ]
        .concat();
        let mut redactor = Redactor::default();
        let out = redactor.frame(LinkType::ETHERNET, &frame).unwrap();
        assert_eq!(out.len(), 42);
        for original in [&a[..], &b, &a[3..], &b[3..], &[192, 168, 4], &[0x55, 0x55]] {
            assert!(!out.windows(original.len()).any(|octets| octets == original), "{original:02x?}");
        }
        assert_eq!(out[22..28], out[6..12]);
        assert_eq!(out[28..32], [192, 0, 2, 1]);
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        let ethernet = |ether_type: [u8; 2], body: &[u8]| [&[2; 12][..], &ether_type, body].concat();
        for frame in [
            ethernet([0x88, 0x8e], &[0; 40]), // 802.1X
            ethernet([0x88, 0xcc], &[0; 40]), // LLDP
            ethernet([8, 6], &[0; 28]),       // ARP of something else
            ethernet([8, 0], &[0x45; 10]),
            vec![1; 9],
        ] {
            assert_eq!(Redactor::default().frame(LinkType::ETHERNET, &frame), None);
        }
        assert_eq!(Redactor::default().frame(LinkType(127), &[0; 60]), None);
    }
}
