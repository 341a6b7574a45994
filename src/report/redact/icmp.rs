//! ICMP and ICMPv6 with stand-ins: echoes without their data, errors with the header they quote, neighbour discovery
//! with its targets and link-layer addresses. Of every other message too little is known, and it is left out.

use super::{
    ip::{Pseudo, quoted},
    stand_ins::Redactor,
};

const HEADER: usize = 8;

/// RFC 792.
pub(super) fn v4(redactor: &mut Redactor, body: &[u8]) -> Option<Vec<u8>> {
    let mut out = body.get(..HEADER)?.to_vec();
    match body[0] {
        // Echo reply, echo request.
        0 | 8 => {}
        // Unreachable, source quench, time exceeded, parameter problem.
        3 | 4 | 11 | 12 => out.extend(quoted(redactor, &body[HEADER..])?),
        // Redirect: the better router stands where others have nothing.
        5 => {
            redactor.v4_at(&mut out, 4)?;
            out.extend(quoted(redactor, &body[HEADER..])?);
        }
        _ => return None,
    }
    Some(summed(out, body, &Pseudo::default()))
}

/// RFC 4443 and RFC 4861.
pub(super) fn v6(redactor: &mut Redactor, body: &[u8], pseudo: &Pseudo) -> Option<Vec<u8>> {
    let mut out = body.get(..HEADER)?.to_vec();
    let options_at = match body[0] {
        128 | 129 => return Some(summed(out, body, pseudo)),
        1..=4 => {
            out.extend(quoted(redactor, &body[HEADER..])?);
            return Some(summed(out, body, pseudo));
        }
        // Router solicitation and advertisement.
        133 => HEADER,
        134 => 16,
        // Neighbour solicitation and advertisement: the target.
        135 | 136 => 24,
        _ => return None,
    };
    out = body.get(..options_at)?.to_vec();
    if options_at == 24 {
        redactor.v6_at(&mut out, 8)?;
    }
    options(redactor, &body[options_at..], &mut out)?;
    Some(summed(out, body, pseudo))
}

/// Options of neighbour discovery; what is no link-layer address and no MTU is zeroed.
fn options(redactor: &mut Redactor, mut options: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while let [kind, units, ..] = options {
        let length = usize::from(*units) * 8;
        // One that is cut, or has no length: the message ends here.
        let Some(option) = options.get(..length).filter(|option| !option.is_empty()) else { break };
        let mut option = option.to_vec();
        match (kind, length) {
            (1 | 2, 8) => redactor.mac_at(&mut option, 2)?,
            (5, 8) => {}
            _ => option[2..].fill(0),
        }
        out.extend(option);
        options = &options[length..];
    }
    Some(())
}

/// With the checksum that follows from what was changed; what was cut counts as it was.
fn summed(mut out: Vec<u8>, body: &[u8], pseudo: &Pseudo) -> Vec<u8> {
    let checksum = pseudo.adjusted([out[2], out[3]], &body[..out.len()], &out);
    out[2..4].copy_from_slice(&checksum);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::input::LinkType;

    const DEVICE: [u8; 4] = [10, 77, 0, 2];
    const ROUTER: [u8; 4] = [10, 77, 0, 254];

    fn ip4(protocol: u8, from: [u8; 4], to: [u8; 4], body: &[u8]) -> Vec<u8> {
        let mut octets = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0x12, 0x34];
        octets.extend(from);
        octets.extend(to);
        octets.extend(body);
        let length = (octets.len() as u16).to_be_bytes();
        octets[2..4].copy_from_slice(&length);
        octets
    }

    fn holds(octets: &[u8], what: &[u8]) -> bool {
        octets.windows(what.len()).any(|at| at == what)
    }

    #[test]
    fn the_header_in_an_error_is_redacted_and_its_payload_cut() {
        let client = [10, 77, 0, 1];
        for (protocol, body) in [
            (6, &b"\x9c\x40\x00\x50\x01\x02\x03\x04"[..]),
            (17, b"\x9c\x40\x00\x35\x00\x20\xab\xcdsecret.local"),
        ] {
            let inner = ip4(protocol, client, DEVICE, body);
            for head in [[3, 1, 0, 0, 0, 0, 0, 0], [5, 0, 0, 0, 10, 77, 0, 253]] {
                let error = ip4(1, ROUTER, client, &[&head[..], &inner].concat());
                let out = Redactor::default().frame(LinkType::RAW, &error).unwrap();
                assert_eq!(out.len(), 20 + 8 + 20 + 8);
                assert!(!holds(&out, &[10, 77, 0]) && !holds(&out, b"secret"));
                // Whoever is meant outside is meant inside.
                assert_eq!(out[16..20], out[28 + 12..28 + 16]);
            }
        }
    }

    #[test]
    fn an_echo_keeps_its_number_and_loses_its_data() {
        let echo = ip4(1, DEVICE, ROUTER, b"\x08\x00\x11\x22\x00\x01\x00\x02my data");
        let out = Redactor::default().frame(LinkType::RAW, &echo).unwrap();
        assert_eq!(out[20..], *b"\x08\x00\x11\x22\x00\x01\x00\x02");
        // Address masks, router advertisements: nothing that is needed.
        let mask = ip4(1, DEVICE, ROUTER, &[18, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 0]);
        assert_eq!(Redactor::default().frame(LinkType::RAW, &mask), None);
    }

    #[test]
    fn a_neighbour_solicitation_names_nobody() {
        let address = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x26, 0x0a, 0xc4, 0xff, 0xfe, 0x12, 0x34, 0x56];
        let group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x12, 0x34, 0x56];
        let mut octets = vec![0x60, 0, 0, 0, 0, 48, 58, 255];
        octets.extend(address);
        octets.extend(group);
        octets.extend([135, 0, 0xab, 0xcd, 0, 0, 0, 0]);
        octets.extend(address);
        octets.extend([1, 1, 0x24, 0x0a, 0xc4, 0x12, 0x34, 0x56]);
        octets.extend([14, 2, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0]); // a nonce
        octets[5] = (octets.len() - 40) as u8;
        let out = Redactor::default().frame(LinkType::RAW, &octets).unwrap();
        assert_eq!(out.len(), octets.len());
        assert!(!holds(&out, &[0x12, 0x34, 0x56]) && !holds(&out, &[9, 9]));
        assert_eq!(out[37..40], out[48 + 13..48 + 16]);
    }

    #[test]
    fn the_header_in_an_icmpv6_error_is_redacted() {
        let mut inner = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
        let (a, b) = (
            [0xfd, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0x77, 0x88, 0x99, 0xaa],
            [0xfd, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0x66, 0x55, 0x44, 0x33],
        );
        inner.extend(a);
        inner.extend(b);
        inner.extend([0, 53, 0, 53, 0, 8, 1, 1]);
        let mut error = vec![0x60, 0, 0, 0, 0, (8 + inner.len()) as u8, 58, 64];
        error.extend(b);
        error.extend(a);
        error.extend([1, 4, 0, 0, 0, 0, 0, 0]);
        error.extend(&inner);
        let out = Redactor::default().frame(LinkType::RAW, &error).unwrap();
        assert_eq!(out.len(), error.len());
        assert!(
            !holds(&out, &[0xfd, 1, 2, 3])
                && !holds(&out, &[0x88, 0x99, 0xaa])
                && !holds(&out, &[0x55, 0x44, 0x33])
        );
    }
}
