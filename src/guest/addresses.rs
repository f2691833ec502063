//! Addresses that must never be blocked, as the host knows them (design, decision 7).
//!
//! The host's own interfaces, its default gateways and the neighbours entered by hand; what the guests' LXC
//! configurations give them; what the host's own dnsmasq has leased or reserved for their hardware addresses or names.
//! An address that only a guest claims (in its own namespace, or by answering ARP) is none of them: an attacker inside
//! could otherwise protect a friend outside.

use super::state::{Guest, Init};
use crate::sys::{Pidfd, addresses, hostfile, namespace};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a lease or reservation file that are read.
const LIMIT: usize = 4 * 1024 * 1024;

/// An address, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Own {
    /// The address; IPv4-mapped ones are IPv4 here.
    pub address: IpAddr,
    /// `host`, `host's gateway`, `host's neighbour`, or `guest NAME`.
    pub whose: String,
}

/// Where the host's dnsmasq keeps what it knows.
#[derive(Debug, Clone)]
pub struct Files {
    /// The folder of `dnsmasq.BRIDGE.leases`, as lxc-net has it.
    pub leases: PathBuf,
    /// The file with `dhcp-host=…` lines (`LXC_DHCP_CONFILE`).
    pub reservations: PathBuf,
}

impl Default for Files {
    fn default() -> Self {
        Self { leases: "/var/lib/misc".into(), reservations: "/etc/lxc/dnsmasq.conf".into() }
    }
}

/// Gathers the addresses of the host and of these guests, sorted, each once per owner.
///
/// # Errors
///
/// The kernel did not list the host's addresses. The guests' are lost with them: no list is better than half of one, and
/// the caller keeps the one it had.
pub fn gather(guests: &[Arc<Guest>], files: &Files) -> io::Result<Vec<Own>> {
    let here = addresses::here()?;
    let mut found = Vec::new();
    let own = |address: IpAddr, whose: &str| Own { address: address.to_canonical(), whose: whose.to_owned() };
    found.extend(here.own.into_iter().map(|address| own(address, "host")));
    found.extend(here.gateways.into_iter().map(|address| own(address, "host's gateway")));
    found.extend(here.neighbours.into_iter().map(|address| own(address, "host's neighbour")));
    found.extend(of_guests(guests, files));
    found.sort();
    found.dedup();
    Ok(found)
}

/// Gathers the addresses that configurations and the host's dnsmasq give these guests.
pub fn of_guests(guests: &[Arc<Guest>], files: &Files) -> Vec<Own> {
    let mut found = Vec::new();
    for guest in guests {
        let whose = format!("guest {}", guest.name);
        found.extend(guest.facts.addresses().map(|address| (address, whose.clone())));
    }
    let mut bridges: Vec<&str> = Vec::new();
    for link in guests.iter().flat_map(|guest| &guest.facts.networks).filter_map(|network| network.link.as_deref()) {
        if !link.contains('/') && !bridges.contains(&link) {
            bridges.push(link);
        }
    }
    let owner = |mac: &str, name: &str| {
        let has = |guest: &&Arc<Guest>| {
            let by_mac = guest.facts.networks.iter().any(|network| network.hwaddr.as_deref() == Some(mac));
            by_mac || (!name.is_empty() && guest.lxc_name == name)
        };
        guests.iter().find(has).map(|guest| format!("guest {}", guest.name))
    };
    for bridge in bridges {
        for (mac, address) in leases(&files.leases.join(format!("dnsmasq.{bridge}.leases"))) {
            // By hardware address only: the name in a lease is the client's own claim.
            found.extend(owner(&mac, "").map(|whose| (address, whose)));
        }
    }
    for (words, addresses) in reservations(&files.reservations) {
        let whose = words.iter().find_map(|word| owner(&word.to_ascii_lowercase(), word));
        found.extend(whose.iter().flat_map(|whose| addresses.iter().map(|address| (*address, whose.clone()))));
    }
    found.into_iter().map(|(address, whose)| Own { address: address.to_canonical(), whose }).collect()
}

/// The addresses of a gateway guest's interfaces, asked of the kernel in its network namespace. Only for a guest that is
/// trusted as the gateway is.
///
/// # Errors
///
/// The kernel's error: the guest has ended, or its namespace may not be joined.
pub fn of_gateway(init: Init, proc: &Path) -> io::Result<Vec<IpAddr>> {
    let process = Pidfd::open(init.pid)?;
    if namespace::start_time(proc, init.pid)? != init.start_time {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the guest's first process has ended"));
    }
    let thread = namespace::in_network_of(&process, "hids-addresses", addresses::here)?;
    match thread.join() {
        Ok(Some(found)) => Ok(found?.own.into_iter().map(|address| address.to_canonical()).collect()),
        Ok(None) | Err(_) => Err(io::Error::other("the thread in the guest's network gave no answer")),
    }
}

/// `EXPIRY MAC ADDRESS NAME CLIENT-ID`, a line each (dnsmasq(8)).
fn leases(file: &Path) -> Vec<(String, IpAddr)> {
    let text = hostfile::read_regular(file, LIMIT).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lease = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let mac = words.next()?.to_ascii_lowercase();
        Some((mac, words.next()?.parse().ok()?))
    };
    text.lines().filter_map(lease).collect()
}

/// `dhcp-host=NAME-OR-MAC,…,ADDRESS,…`: names and hardware addresses, and the addresses reserved for them.
fn reservations(file: &Path) -> Vec<(Vec<String>, Vec<IpAddr>)> {
    let text = hostfile::read_regular(file, LIMIT).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let values = text.lines().filter_map(|line| line.trim().strip_prefix("dhcp-host="));
    let reservation = |value: &str| {
        let mut addresses = Vec::new();
        let mut words = Vec::new();
        for part in value.split(',').map(str::trim) {
            match part.trim_matches(['[', ']']).parse() {
                Ok(address) => addresses.push(address),
                Err(_) => words.push(part.to_owned()),
            }
        }
        (words, addresses)
    };
    values.map(reservation).collect()
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
