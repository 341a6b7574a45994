//! This machine's interfaces, and which of them leads to a device.
//!
//! Needs no privilege and no libpcap.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;

use super::SourceError;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceInfo {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    /// Set up by somebody; it need not have a carrier.
    pub up: bool,
    pub loopback: bool,
}

/// The interfaces in the system's order, those that are down included.
pub fn list() -> Result<Vec<InterfaceInfo>, SourceError> {
    let mut found: Vec<InterfaceInfo> = Vec::new();
    for entry in getifaddrs().map_err(|errno| SourceError::Interfaces { error: Arc::new(errno.into()) })? {
        let index = found.iter().position(|interface| interface.name == entry.interface_name);
        let index = index.unwrap_or_else(|| {
            found.push(InterfaceInfo {
                name: entry.interface_name.clone(),
                addresses: Vec::new(),
                up: entry.flags.contains(InterfaceFlags::IFF_UP),
                loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
            });
            found.len() - 1
        });
        if let (Some(interface), Some(address)) = (found.get_mut(index), address(&entry)) {
            interface.addresses.push(address);
        }
    }
    Ok(found)
}

/// The interface that packets to `address` leave by. Nothing is sent: connecting a datagram socket only asks the
/// routing table.
pub fn toward(address: IpAddr) -> Result<String, SourceError> {
    let no_route = |what: String| SourceError::NoRoute { address, what };
    let local = local_toward(address).map_err(|error| no_route(error.to_string()))?;
    let interfaces = list()?;
    // What a machine says to itself passes its loopback interface, whatever address it uses.
    let to_itself = interfaces.iter().any(|interface| interface.addresses.contains(&address));
    interfaces
        .iter()
        .filter(|interface| interface.up)
        .find(|interface| if to_itself { interface.loopback } else { interface.addresses.contains(&local) })
        .map(|interface| interface.name.clone())
        .ok_or_else(|| no_route(format!("no interface has the address {local} that the route uses")))
}

fn local_toward(address: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Any port but 0 will do; the discard port says what is meant.
    socket.connect((address, 9))?;
    Ok(socket.local_addr()?.ip())
}

fn address(entry: &InterfaceAddress) -> Option<IpAddr> {
    let address = entry.address.as_ref()?;
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(v4.ip().into()),
        (None, Some(v6)) => Some(v6.ip().into()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed_and_leads_to_this_machine() {
        let interfaces = list().unwrap();
        let names: Vec<_> = interfaces.iter().map(|interface| &interface.name).collect();
        let mut unique = names.clone();
        unique.dedup();
        assert_eq!(names, unique);
        let loopback = interfaces.iter().find(|interface| interface.loopback).unwrap();
        if loopback.up {
            for own in interfaces.iter().flat_map(|interface| &interface.addresses) {
                // A link-local address needs a scope that an IpAddr does not have.
                if matches!(own, IpAddr::V4(_)) {
                    assert_eq!(toward(*own).unwrap(), loopback.name, "{own}");
                }
            }
        }
    }

    #[test]
    fn an_address_without_route_is_named() {
        // Reserved (class E): no router takes it.
        if let Err(error) = toward("255.255.255.255".parse().unwrap()) {
            assert!(error.to_string().starts_with("255.255.255.255: no interface leads there"), "{error}");
        }
    }
}
