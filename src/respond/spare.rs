//! Whom nothing may block (design, decision 7).

use super::white::{WhiteList, canonical};
use arc_swap::ArcSwap;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The fleet's own addresses with whose they are (`host`, `guest web1`, `gateway 10-gw`). The daemon fills it from the
/// host's side only, never with what a guest alone claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAddresses(BTreeMap<IpAddr, Arc<str>>);

impl OwnAddresses {
    /// Adds one address; the first owner that is named stays.
    pub fn add(&mut self, address: IpAddr, whose: &str) {
        self.0.entry(address.to_canonical()).or_insert_with(|| Arc::from(whose));
    }

    /// Number of addresses.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn within(&self, net: &IpNet) -> Option<(&IpAddr, &Arc<str>)> {
        self.0.range(net.network()..=net.broadcast()).next()
    }
}

/// Why an address is spared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is no address of a remote host at all.
    Reserved(&'static str),
    /// It is one of ours.
    Own(IpAddr, Arc<str>),
    /// The white list names it; the entry as written.
    WhiteList(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(kind) => write!(f, "it is {kind}"),
            Self::Own(address, whose) => write!(f, "{address} is an address of the {whose}"),
            Self::WhiteList(entry) => write!(f, "the white list spares it ({entry})"),
        }
    }
}

/// The guard before every block.
#[derive(Debug, Clone)]
pub struct Spare {
    white: Arc<ArcSwap<WhiteList>>,
    own: Arc<ArcSwap<OwnAddresses>>,
}

/// Networks that are never blocked, however much somebody insists.
const RESERVED: [(IpNet, &str); 9] = [
    (v4(0, 0, 0, 0, 8), "the unspecified network"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(255, 255, 255, 255, 32), "broadcast"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "the unspecified address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(ipnet::Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(s: [u16; 8], prefix: u8) -> IpNet {
    let address = Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    IpNet::V6(ipnet::Ipv6Net::new_assert(address, prefix))
}

impl Spare {
    /// A guard over two snapshots that others may replace.
    pub fn new(white: Arc<ArcSwap<WhiteList>>, own: Arc<ArcSwap<OwnAddresses>>) -> Self {
        Self { white, own }
    }

    /// Why a network (or a single address) may not be blocked. A network is spared if one address of it is.
    pub fn why(&self, net: &IpNet, forced: bool) -> Option<Why> {
        let net = canonical(*net);
        if let Some((_, kind)) = RESERVED.iter().find(|(own, _)| own.contains(&net) || net.contains(own)) {
            return Some(Why::Reserved(kind));
        }
        if let Some((address, whose)) = self.own.load().within(&net) {
            return Some(Why::Own(*address, Arc::clone(whose)));
        }
        if forced {
            return None;
        }
        let white = self.white.load();
        let single = net.prefix_len() == net.max_prefix_len();
        let entry = if single { white.listed(net.addr()) } else { white.touches(&net) };
        entry.map(|entry| Why::WhiteList(entry.to_owned()))
    }

    /// The network to block for an attacker: the prefix of that length, or the address alone if the prefix would cover
    /// somebody who is spared.
    pub fn narrow(&self, address: IpAddr, ipv6_prefix: u8) -> IpNet {
        let exact = IpNet::from(address.to_canonical());
        match (exact, exact.addr()) {
            (IpNet::V6(_), IpAddr::V6(v6)) if ipv6_prefix < 128 => match ipnet::Ipv6Net::new(v6, ipv6_prefix) {
                Ok(wide) if self.why(&IpNet::V6(wide.trunc()), false).is_none() => IpNet::V6(wide.trunc()),
                _ => exact,
            },
            _ => exact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spare(white: &[&str], own: &[(&str, &str)]) -> Spare {
        let white: Vec<String> = white.iter().map(|s| (*s).to_owned()).collect();
        let mut addresses = OwnAddresses::default();
        for (address, whose) in own {
            addresses.add(address.parse().unwrap(), whose);
        }
        Spare::new(Arc::new(ArcSwap::from_pointee(WhiteList::of(&white))), Arc::new(ArcSwap::from_pointee(addresses)))
    }

    #[test]
    fn the_fleet_and_what_is_no_host_are_spared() {
        let guard = spare(&["10.126.160.0/24"], &[("192.0.2.1", "host"), ("2001:db8::5", "guest web1")]);
        for (net, expected) in [
            ("127.0.0.1", Some("it is loopback")),
            ("::1", Some("it is loopback")),
            ("::", Some("it is the unspecified address")),
            ("0.0.0.0", Some("it is the unspecified network")),
            ("169.254.3.4", Some("it is link-local")),
            ("fe80::7", Some("it is link-local")),
            ("224.0.0.9", Some("it is multicast")),
            ("ff02::1", Some("it is multicast")),
            ("255.255.255.255", Some("it is broadcast")),
            ("::ffff:127.0.0.1", Some("it is loopback")),
            ("192.0.2.1", Some("192.0.2.1 is an address of the host")),
            ("192.0.2.0/24", Some("192.0.2.1 is an address of the host")),
            ("2001:db8::5", Some("2001:db8::5 is an address of the guest web1")),
            ("10.126.160.9", Some("the white list spares it (10.126.160.0/24)")),
            ("10.0.0.0/8", Some("the white list spares it (10.126.160.0/24)")),
            ("0.0.0.0/0", Some("it is the unspecified network")),
            ("198.51.100.7", None),
            ("192.0.2.2", None),
            ("2001:db8::6", None),
        ] {
            let net: IpNet = net.parse().or_else(|_| net.parse::<IpAddr>().map(IpNet::from)).unwrap();
            assert_eq!(guard.why(&net, false).map(|w| w.to_string()).as_deref(), expected, "{net}");
        }
    }

    #[test]
    fn insisting_overrides_the_white_list_alone() {
        let guard = spare(&["10.0.0.0/8"], &[("10.0.0.1", "gateway gw")]);
        assert_eq!(guard.why(&"10.0.0.2/32".parse().unwrap(), true), None);
        assert!(guard.why(&"10.0.0.1/32".parse().unwrap(), true).is_some());
        assert!(guard.why(&"127.0.0.1/32".parse().unwrap(), true).is_some());
    }

    #[test]
    fn a_prefix_narrows_if_it_covers_one_of_us() {
        let guard = spare(&["2001:db8:2::8"], &[("2001:db8:1::5", "guest web1")]);
        let narrow = |a: &str| guard.narrow(a.parse().unwrap(), 64).to_string();
        assert_eq!(narrow("2001:db8::9"), "2001:db8::/64");
        assert_eq!(narrow("2001:db8:1::9"), "2001:db8:1::9/128");
        assert_eq!(narrow("2001:db8:2::9"), "2001:db8:2::9/128");
        assert_eq!(narrow("198.51.100.7"), "198.51.100.7/32");
        assert_eq!(narrow("::ffff:198.51.100.7"), "198.51.100.7/32");
    }
}
