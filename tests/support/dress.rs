//! An Ethernet frame of TCP over IPv4 in other clothes: tags, other link types, IPv6.

pub const ETHERNET_LEN: usize = 14;

pub fn tagged(frame: &[u8], tags: &[u16]) -> Vec<u8> {
    let mut octets = frame[..12].to_vec();
    for tag in tags {
        octets.extend(tag.to_be_bytes());
        octets.extend([0x20, 0x07]);
    }
    octets.extend(&frame[12..]);
    octets
}

pub fn cooked_v1(frame: &[u8]) -> Vec<u8> {
    let mut octets = vec![0, 0, 0, 1, 0, 6];
    octets.extend(&frame[6..12]);
    octets.extend([0, 0]);
    octets.extend(&frame[12..]);
    octets
}

pub fn cooked_v2(frame: &[u8]) -> Vec<u8> {
    let mut octets = frame[12..14].to_vec();
    octets.extend([0, 0, 0, 0, 0, 3, 0, 1, 0, 6]);
    octets.extend(&frame[6..12]);
    octets.extend([0, 0]);
    octets.extend(&frame[ETHERNET_LEN..]);
    octets
}

/// The TCP segment of an IPv4 frame behind an IPv6 header, with `extension` (next-header type, octets) between.
pub fn ipv6(frame: &[u8], extension: Option<(u8, Vec<u8>)>) -> Vec<u8> {
    let tcp = &frame[ETHERNET_LEN + 20..];
    let (next, extension) = extension.unwrap_or((6, Vec::new()));
    let mut octets = frame[..12].to_vec();
    octets.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    octets.extend(((extension.len() + tcp.len()) as u16).to_be_bytes());
    octets.extend([next, 64]);
    for address in [&frame[26..30], &frame[30..34]] {
        octets.extend([0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        octets.extend(address);
    }
    octets.extend(extension);
    octets.extend(tcp);
    octets
}

/// BSD's loopback header: an address family in four octets.
pub fn loopback(family: [u8; 4], frame: &[u8]) -> Vec<u8> {
    [&family[..], &frame[ETHERNET_LEN..]].concat()
}
