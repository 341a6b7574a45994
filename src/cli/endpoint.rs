//! Where something is served: an address and a port, or a port of this machine alone.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// `9464` is `127.0.0.1:9464`: nobody else on the network is served unless that was written out.
///
/// # Errors
/// What was expected.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| {
        "a port from 0 to 65535, or an address and a port, as in 192.168.1.5:9464 or [::1]:9464".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_of_this_machine() {
        assert_eq!(parse("9464").unwrap().to_string(), "127.0.0.1:9464");
        assert_eq!(parse("0.0.0.0:9464").unwrap().to_string(), "0.0.0.0:9464");
        assert_eq!(parse("[::1]:0").unwrap().to_string(), "[::1]:0");
        for wrong in ["", "70000", ":9464", "localhost:9464", "192.168.1.5", "::1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
