//! The kernel's sets of addresses, told by netlink what to hold (ipset(8) without the program).
//!
//! Numbers are those of linux/netfilter/ipset/ip_set.h, protocol 6, which every kernel with ipset understands. Only what
//! a block needs is worded here; what fails is for the program to say again, with its own words.

use super::inotify::readable;
use ipnet::IpNet;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

const SUBSYSTEM: u16 = 6 << 8;
const ADD: u16 = SUBSYSTEM | 9;
const DELETE: u16 = SUBSYSTEM | 10;
/// `NLM_F_REQUEST | NLM_F_ACK`; without `NLM_F_EXCL`, so what is there may be added and what is not may be deleted.
const FLAGS: u16 = 0x5;
const NLMSG_ERROR: u16 = 2;
const NESTED: u16 = 0x8000;
const NET_ORDER: u16 = 0x4000;
const PROTOCOL: u8 = 6;
/// Told in one go: the answers to so many fit into the socket's buffer.
const AT_ONCE: usize = 64;
/// The kernel answers before `send` returns; this long means that it does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// One change of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The set's name, at most 31 bytes.
    pub set: &'a str,
    /// Whom it is about; a whole address is told without its prefix, which sets of addresses and of networks both take.
    pub net: IpNet,
    /// Put it in (or give it a new time) rather than take it out.
    pub add: bool,
    /// Seconds until the set lets it go, 0: never; `None` for a set that keeps no times.
    pub timeout: Option<u32>,
}

/// Makes the changes in the calling thread's network namespace, in their order.
///
/// # Errors
///
/// The first refusal, as the kernel's error (ipset's own begin at 4096), or `TimedOut`. Some of the changes may have been
/// made; all may be repeated.
pub fn change(changes: &[Change<'_>]) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::NETFILTER))?;
    let mut buffer = vec![0u8; 64 * 1024];
    for (changes, first) in changes.chunks(AT_ONCE).zip((1u32..).step_by(AT_ONCE)) {
        let messages: Vec<u8> =
            changes.iter().zip(first..).flat_map(|(change, number)| message(change, number)).collect();
        rustix::net::sendto(&socket, &messages, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut answered = 0;
        while answered < changes.len() {
            if !readable(socket.as_fd(), Some(PATIENCE))? {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            let answers = &buffer[..length.min(buffer.len())];
            let seen = read_answers(answers)?;
            if seen == 0 {
                return Err(io::Error::other("the kernel's answer is none"));
            }
            answered += seen;
        }
    }
    Ok(())
}

/// How many changes these messages confirm.
fn read_answers(mut bytes: &[u8]) -> io::Result<usize> {
    let mut seen = 0;
    while let Some((kind, body, rest)) = first_message(bytes) {
        if kind == NLMSG_ERROR {
            let code = body.get(..4).and_then(|code| code.try_into().ok()).map_or(-1, i32::from_ne_bytes);
            if code != 0 {
                return Err(io::Error::from_raw_os_error(code.saturating_neg()));
            }
            seen += 1;
        }
        bytes = rest;
    }
    Ok(seen)
}

/// The first message: its kind, its body, and what comes behind it.
fn first_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(16..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or(&[])))
}

/// struct nlmsghdr, struct nfgenmsg, and the attributes.
fn message(change: &Change<'_>, number: u32) -> Vec<u8> {
    let mut address = Vec::new();
    let (family, host) = match change.net.addr() {
        IpAddr::V4(four) => {
            attribute(&mut address, 1 | NET_ORDER, &four.octets());
            (2, 32)
        }
        IpAddr::V6(six) => {
            attribute(&mut address, 2 | NET_ORDER, &six.octets());
            (10, 128)
        }
    };
    let mut data = Vec::new();
    attribute(&mut data, 1 | NESTED, &address);
    if change.net.prefix_len() != host {
        attribute(&mut data, 3, &[change.net.prefix_len()]);
    }
    if let Some(seconds) = change.timeout.filter(|_| change.add) {
        attribute(&mut data, 6 | NET_ORDER, &seconds.to_be_bytes());
    }
    let mut body = vec![family, 0, 0, 0];
    attribute(&mut body, 1, &[PROTOCOL]);
    let mut name = change.set.as_bytes().to_vec();
    name.push(0);
    attribute(&mut body, 2, &name);
    attribute(&mut body, 7 | NESTED, &data);
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&if change.add { ADD } else { DELETE }.to_ne_bytes());
    message.extend_from_slice(&FLAGS.to_ne_bytes());
    message.extend_from_slice(&number.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    message.append(&mut body);
    message
}

/// struct nlattr, its value, and the gap to the next multiple of four.
fn attribute(into: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    into.extend_from_slice(&length.to_ne_bytes());
    into.extend_from_slice(&kind.to_ne_bytes());
    into.extend_from_slice(value);
    into.resize(into.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_worded_as_the_program_words_it() {
        let net = "198.51.100.7/32".parse().unwrap();
        let bytes = message(&Change { set: "b4", net, add: true, timeout: Some(1800) }, 1);
        // As `ipset -exist add b4 198.51.100.7 timeout 1800` sends it, but for the protocol and the line's number.
        let (kind, body, rest) = first_message(&bytes).unwrap();
        assert_eq!((kind, rest.len()), (0x609, 0));
        assert_eq!(body[..4], [2, 0, 0, 0]);
        let tail = [7, 8, 0, 6, 0x40, 0, 0, 7, 8];
        assert!(bytes.ends_with(&tail[1..]), "{bytes:x?}");
        let net = "2001:db8::/64".parse().unwrap();
        let bytes = message(&Change { set: "b6", net, add: false, timeout: None }, 2);
        assert_eq!(first_message(&bytes).map(|(kind, body, _)| (kind, body[0])), Some((0x60a, 10)));
        assert!(bytes.ends_with(&[5, 0, 3, 0, 64, 0, 0, 0]), "{bytes:x?}");
    }

    #[test]
    fn answers_are_counted_and_refusals_told() {
        let answer = |code: i32| [&20u32.to_ne_bytes()[..], &[2, 0, 0, 0], &[0; 8], &code.to_ne_bytes()].concat();
        assert_eq!(read_answers(&[answer(0), answer(0)].concat()).unwrap(), 2);
        assert_eq!(read_answers(&[answer(0), answer(-2)].concat()).unwrap_err().raw_os_error(), Some(2));
        assert_eq!(read_answers(b"").unwrap(), 0);
    }
}
