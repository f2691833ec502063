//! The addresses of the calling thread's network namespace, asked of the kernel (rtnetlink(7)).
//!
//! Interface addresses, permanent neighbours (set by an administrator, never learned from what a guest answers) and the
//! gateways of default routes.

use super::inotify::readable;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::time::Duration;

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const NUD_PERMANENT: u16 = 0x80;
/// The kernel answers at once; this long means that it does not.
const PATIENCE: Duration = Duration::from_secs(2);
/// Messages of one dump that are read.
const MOST: usize = 1 << 20;

/// What a network namespace knows of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Addresses of interfaces.
    pub own: BTreeSet<IpAddr>,
    /// Neighbours that somebody entered by hand.
    pub neighbours: BTreeSet<IpAddr>,
    /// Gateways of default routes.
    pub gateways: BTreeSet<IpAddr>,
}

/// Asks the kernel for the addresses of the calling thread's network namespace.
///
/// # Errors
///
/// The kernel's error, or `TimedOut`.
pub fn here() -> io::Result<Addresses> {
    let mut found = Addresses::default();
    dump(RTM_GETADDR, &mut |kind, body| {
        if kind == RTM_NEWADDR {
            found.own.extend(interface_address(body));
        }
    })?;
    dump(RTM_GETNEIGH, &mut |kind, body| {
        if kind == RTM_NEWNEIGH {
            found.neighbours.extend(permanent_neighbour(body));
        }
    })?;
    dump(RTM_GETROUTE, &mut |kind, body| {
        if kind == RTM_NEWROUTE {
            found.gateways.extend(default_gateway(body));
        }
    })?;
    Ok(found)
}

fn dump(request: u16, take: &mut dyn FnMut(u16, &[u8])) -> io::Result<()> {
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    // struct nlmsghdr, and a family of 0 (any) padded to the longest of the three request bodies.
    let mut message = Vec::with_capacity(32);
    message.extend_from_slice(&32u32.to_ne_bytes());
    message.extend_from_slice(&request.to_ne_bytes());
    message.extend_from_slice(&DUMP.to_ne_bytes());
    message.extend_from_slice(&[0; 24]);
    rustix::net::sendto(&socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buffer = vec![0u8; 64 * 1024];
    let mut messages = 0;
    loop {
        if !readable(socket.as_fd(), Some(PATIENCE))? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..length.min(buffer.len())];
        while let Some((kind, body, after)) = message_of(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => {
                    let code = body.get(..4).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
                _ => take(kind, body),
            }
            messages += 1;
            rest = after;
        }
        if messages > MOST || length == 0 {
            return Err(io::Error::other("the kernel's list has no end"));
        }
    }
}

/// The first message: its kind, its body, and what comes behind it.
fn message_of(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(16..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or(&[])))
}

/// The value of the first attribute of a kind, among those behind a head.
fn attribute(body: &[u8], head: usize, wanted: u16) -> Option<&[u8]> {
    let mut rest = body.get(head..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        if kind & 0x3FFF == wanted {
            return rest.get(4..length);
        }
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)))).ok()
}

/// struct ifaddrmsg (8 bytes); IFA_LOCAL is ours, IFA_ADDRESS the other end of a point-to-point line.
fn interface_address(body: &[u8]) -> Option<IpAddr> {
    attribute(body, 8, 2).or_else(|| attribute(body, 8, 1)).and_then(address)
}

/// struct ndmsg (12 bytes), state at offset 8; NDA_DST is 1.
fn permanent_neighbour(body: &[u8]) -> Option<IpAddr> {
    let state = u16::from_ne_bytes(body.get(8..10)?.try_into().ok()?);
    let address = (state & NUD_PERMANENT != 0).then(|| attribute(body, 12, 1)).flatten().and_then(address)?;
    (!address.is_multicast()).then_some(address)
}

/// struct rtmsg (12 bytes), length of the destination at offset 1, RTN_UNICAST at 7; RTA_GATEWAY is 5.
fn default_gateway(body: &[u8]) -> Option<IpAddr> {
    (body.get(1) == Some(&0) && body.get(7) == Some(&1)).then(|| attribute(body, 12, 5)).flatten().and_then(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_loopback_is_found() {
        let found = here().unwrap();
        assert!(found.own.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{found:?}");
    }

    #[test]
    fn messages_cut_short_are_survived() {
        let whole: Vec<u8> = [
            &28u32.to_ne_bytes()[..],
            &RTM_NEWADDR.to_ne_bytes(),
            &[0; 10],
            &[2, 24, 0, 0, 1, 0, 0, 0],
            &8u16.to_ne_bytes(),
            &2u16.to_ne_bytes(),
            &[192, 0, 2, 1],
        ]
        .concat();
        let mut whole = whole;
        whole[0] = u8::try_from(whole.len()).unwrap();
        let (kind, body, rest) = message_of(&whole).unwrap();
        assert_eq!((kind, rest.len()), (RTM_NEWADDR, 0));
        assert_eq!(interface_address(body), Some("192.0.2.1".parse().unwrap()));
        for length in 0..whole.len() {
            assert!(message_of(&whole[..length]).is_none());
        }
        for length in 0..body.len() {
            assert_eq!(interface_address(&body[..length]), None);
            assert_eq!(permanent_neighbour(&body[..length]), None);
            assert_eq!(default_gateway(&body[..length]), None);
        }
        assert_eq!(attribute(&[0; 64], 0, 1), None);
    }
}
