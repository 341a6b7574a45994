//! The kernel's filter for the devices that are watched, in the words of pcap-filter(7).

use core::fmt::Write;
use core::net::IpAddr;

/// Everything to and from these addresses, and, where one of them is of IPv4, all ARP and DHCP: a device that changes its address shows
/// that by frames that do not bear the old one. With one or two VLAN tags or none.
///
/// For IPv6, whose neighbours are asked for by multicast, the announcements themselves come from or go to the
/// address. Empty: no filter.
pub fn for_devices(devices: &[IpAddr]) -> String {
    let mut hosts = String::new();
    for device in devices {
        let or = if hosts.is_empty() { "" } else { " or " };
        // A String takes all that is written to it.
        write!(hosts, "{or}host {device}").unwrap_or_default();
    }
    if hosts.is_empty() {
        return hosts;
    }
    if devices.iter().any(IpAddr::is_ipv4) {
        hosts.push_str(" or arp or udp port 67 or udp port 68");
    }
    // `vlan` moves the offsets of all that follows it, so the tagged forms stand last, one within the other.
    format!("({hosts}) or (vlan and (({hosts}) or (vlan and ({hosts}))))")
}

/// The same without the VLAN forms, for links that cannot carry a tag: libpcap refuses to compile them there.
/// `None`: there are none in it.
#[cfg(any(feature = "live", test))]
pub(super) fn untagged(filter: &str) -> Option<String> {
    const TAGGED: &str = " or (vlan and ";
    let start = filter.find(TAGGED)?;
    let open = start + " or ".len();
    let mut depth = 0_usize;
    for (at, octet) in filter.bytes().enumerate().skip(open) {
        match octet {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(format!("{}{}", filter.get(..start)?, filter.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(devices: &[&str]) -> String {
        for_devices(&devices.iter().map(|device| device.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn names_every_device_once_for_each_depth_of_tags() {
        assert_eq!(filter(&[]), "");
        assert_eq!(
            filter(&["10.77.0.2", "fd77::2"]),
            "(host 10.77.0.2 or host fd77::2 or arp or udp port 67 or udp port 68) or (vlan and ((host 10.77.0.2 or \
             host fd77::2 or arp or udp port 67 or udp port 68) or (vlan and (host 10.77.0.2 or host fd77::2 or arp or \
             udp port 67 or udp port 68))))"
        );
        assert_eq!(
            filter(&["fd77::2"]),
            "(host fd77::2) or (vlan and ((host fd77::2) or (vlan and (host fd77::2))))"
        );
    }

    #[test]
    fn tags_can_be_left_out() {
        let two = filter(&["10.77.0.2", "10.77.0.3"]);
        assert_eq!(
            untagged(&two).as_deref(),
            Some("(host 10.77.0.2 or host 10.77.0.3 or arp or udp port 67 or udp port 68)")
        );
        assert_eq!(
            untagged(&format!("(tcp) and ({two}) and not port 22")).as_deref(),
            Some(
                "(tcp) and ((host 10.77.0.2 or host 10.77.0.3 or arp or udp port 67 or udp port 68)) and not port 22"
            )
        );
        assert_eq!(untagged("tcp port 80"), None);
        assert_eq!(untagged("a or (vlan and (b"), None);
    }

    /// Frames as the kernel would show them to the program.
    #[cfg(feature = "live")]
    mod compiled {
        use super::*;

        const DEVICE: [u8; 4] = [10, 77, 0, 2];
        const OTHER: [u8; 4] = [10, 77, 0, 3];

        fn ipv4(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
            let mut packet = vec![0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
            packet.extend(from.into_iter().chain(to));
            packet.extend([0; 20]);
            packet
        }

        fn arp(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
            let mut packet = vec![0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1];
            packet.extend(from);
            packet.extend([0; 6]);
            packet.extend(to);
            packet
        }

        /// From a client without an address.
        fn dhcp() -> Vec<u8> {
            let mut packet = ipv4([0; 4], [255; 4]);
            packet[2 + 9] = 17;
            packet[2 + 20..2 + 24].copy_from_slice(&[0, 68, 0, 67]);
            packet
        }

        fn framed(tags: &[[u8; 4]], packet: Vec<u8>) -> Vec<u8> {
            let mut frame = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1];
            frame.extend(tags.iter().flatten());
            frame.extend(packet);
            frame
        }

        #[test]
        fn sees_the_device_with_tags_and_without() {
            let program = pcap::Capture::dead(pcap::Linktype::ETHERNET)
                .unwrap()
                .compile(&filter(&["10.77.0.2", "10.9.9.9", "fd77::2"]), true)
                .unwrap();
            let tag = [0x81, 0, 0, 7];
            let tags: [&[[u8; 4]]; 3] = [&[], &[tag], &[[0x88, 0xa8, 0, 3], tag]];
            for tags in tags {
                for (packet, passes) in [
                    (ipv4(OTHER, DEVICE), true),
                    (ipv4(DEVICE, OTHER), true),
                    (arp(OTHER, DEVICE), true),
                    (arp(DEVICE, OTHER), true),
                    (ipv4(OTHER, [10, 77, 0, 4]), false),
                    (arp(OTHER, [10, 77, 0, 4]), true),
                    (dhcp(), true),
                ] {
                    let frame = framed(tags, packet);
                    assert_eq!(program.filter(&frame), passes, "{} tags: {frame:02x?}", tags.len());
                }
            }
        }

        #[test]
        fn raw_ip_takes_the_form_without_tags() {
            let raw = pcap::Capture::dead(pcap::Linktype(12)).unwrap();
            let filter = filter(&["10.77.0.2"]);
            assert!(raw.compile(&filter, true).is_err());
            assert!(raw.compile(&untagged(&filter).unwrap(), true).is_ok());
        }
    }
}
