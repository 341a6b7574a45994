//! From devices as they were named to addresses.

use core::net::IpAddr;
use std::net::ToSocketAddrs;

use anyhow::Result;

use super::exit::usage;
use crate::cli::plan::DeviceName;

/// The addresses of all `names`, each once, in the order given.
pub fn resolve(names: &[DeviceName]) -> Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for name in names {
        match name {
            DeviceName::Address(address) => addresses.push(*address),
            DeviceName::Name(name) => addresses.extend(look_up(name)?),
        }
    }
    let mut seen = Vec::new();
    addresses.retain(|address| {
        let new = !seen.contains(address);
        seen.push(*address);
        new
    });
    Ok(addresses)
}

/// The address by which one device is asked: a name's IPv4 address before an IPv6 one, which may be link-local and then
/// means nothing without its interface.
pub fn address_of(name: &DeviceName) -> Result<Option<IpAddr>> {
    let found = resolve(core::slice::from_ref(name))?;
    Ok(found.iter().find(|address| address.is_ipv4()).or(found.first()).copied())
}

/// Whatever the system's resolver knows, mDNS included where it is set up.
fn look_up(name: &str) -> Result<Vec<IpAddr>> {
    let advice = "give the address itself, as in -d 192.168.4.1";
    match (name, 0).to_socket_addrs() {
        Ok(found) => Ok(found.map(|socket| socket.ip()).collect()),
        Err(error) => Err(usage(format!("--device {name} has no address: {error}\n  {advice}"))),
    }
}
