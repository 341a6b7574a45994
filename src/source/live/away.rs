//! An interface that goes away while it is watched, and comes back: an adapter pulled out, a link set down, a TAP device
//! made again.
//!
//! Only making a packet socket takes a privilege. Binding one that exists does not, and its ring stays mapped, its filter
//! attached: so the capture goes on with the descriptor that it has. Knows names, indices and link types; what is
//! told of the time between is the capture's.

use std::io;
use std::os::fd::BorrowedFd;

use crate::analysis::input::LinkType;

#[cfg(target_os = "linux")]
pub(super) use linux::rejoin;

/// Where an interface is to be found at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Of another number if it was made again.
    pub index: usize,
    pub is_up: bool,
}

/// `None`: there is none of this name now, or none that can be found again (`any`, and on systems but Linux).
#[cfg(target_os = "linux")]
pub(super) fn place_of(interface: &str) -> Option<Place> {
    use nix::net::if_::InterfaceFlags;
    // Asked of the kernel over netlink; whatever goes wrong there is over at the next look.
    let all: Vec<_> =
        nix::ifaddrs::getifaddrs().ok()?.filter(|entry| entry.interface_name == interface).collect();
    let is_up = all.first()?.flags.contains(InterfaceFlags::IFF_UP);
    let mut links = all.iter().filter_map(|entry| entry.address.as_ref()?.as_link_addr());
    match links.next() {
        Some(link) => Some(Place { index: link.ifindex(), is_up }),
        // A link without addresses of its own, as a TUN device is, is listed without one.
        None => {
            let index = nix::net::if_::if_nametoindex(interface).ok()? as usize;
            Some(Place { index, is_up })
        }
    }
}

/// What kind of link the packet socket `capture` is bound to, as the kernel numbers them (ARPHRD_). `None`: to none that is there now.
#[cfg(target_os = "linux")]
pub(super) fn hardware_of(capture: BorrowedFd<'_>) -> Option<u16> {
    linux::kind_of(capture).filter(|kind| *kind != 0)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn hardware_of(_: BorrowedFd<'_>) -> Option<u16> {
    None
}

/// What a packet socket hands over of a link of this kind, where that is its own header or none. `None`: libpcap reads such a
/// link through another kind of socket (PPP), or we do not (802.11).
#[cfg(target_os = "linux")]
pub(super) fn link_of(hardware: u16) -> Option<LinkType> {
    /// `ARPHRD_RAWIP` of linux/if_arp.h: mobile modems.
    const RAWIP: u16 = 519;
    match hardware {
        nix::libc::ARPHRD_ETHER | nix::libc::ARPHRD_LOOPBACK => Some(LinkType::ETHERNET),
        nix::libc::ARPHRD_NONE | RAWIP => Some(LinkType::RAW),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn link_of(_: u16) -> Option<LinkType> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn place_of(_: &str) -> Option<Place> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn rejoin(_: BorrowedFd<'_>, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsRawFd;

    use nix::libc;

    use super::{BorrowedFd, io};

    /// The kind of link that the packet socket `capture` is bound to; 0: none.
    pub(super) fn kind_of(capture: BorrowedFd<'_>) -> Option<u16> {
        let mut bound = address_of(0);
        let mut length = size_of_val(&bound) as libc::socklen_t;
        #[expect(unsafe_code, reason = "nix refuses an address as short as that of a link without addresses")]
        // SAFETY: the kernel writes no more than `length` octets into `bound`, which is plain data and outlives the call.
        let told =
            unsafe { libc::getsockname(capture.as_raw_fd(), (&raw mut bound).cast(), &raw mut length) };
        (told == 0 && bound.sll_family == libc::AF_PACKET as u16).then_some(bound.sll_hatype)
    }

    /// Binds the packet socket `capture` to the interface with this index.
    pub(in super::super) fn rejoin(capture: BorrowedFd<'_>, index: usize) -> io::Result<()> {
        let index = i32::try_from(index).map_err(io::Error::other)?;
        let address = address_of(index);
        let length = size_of_val(&address) as libc::socklen_t;
        #[expect(unsafe_code, reason = "no crate makes this address without it")]
        // SAFETY: `address` is a whole sockaddr_ll of the length that is told, and outlives the call, which only reads it.
        let bound = unsafe { libc::bind(capture.as_raw_fd(), (&raw const address).cast(), length) };
        if bound == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn address_of(index: i32) -> libc::sockaddr_ll {
        libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: index,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_a_place_and_any_has_none() {
        let lo = place_of("lo").unwrap();
        assert_eq!(lo.index, 1);
        assert_eq!(place_of("any"), None);
        assert_eq!(place_of("no-such-one"), None);
    }

    #[test]
    fn what_is_no_packet_socket_is_refused() {
        use std::os::fd::AsFd;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(rejoin(socket.as_fd(), 1).is_err());
    }
}
