//! The white list (spec/config.md 3.1): whose addresses a response leaves alone.

use crate::diag::{Diagnostic, Diagnostics, Severity, Source, Span};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::sync::Arc;

/// The compiled white list. The first entry that matches decides.
#[derive(Debug, Clone, Default)]
pub struct WhiteList {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    written: String,
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Any,
    Net(IpNet),
    Name(Name),
}

/// A host name or simple pattern: alternatives, each anchored at both ends unless it says where.
#[derive(Debug, Clone)]
struct Name {
    alternatives: Vec<(bool, String, bool)>,
    resolved: Vec<IpAddr>,
}

impl WhiteList {
    /// Compiles entries with their places. Every entry is kept; the diagnostics are warnings about what it means.
    pub fn read<'a>(entries: impl IntoIterator<Item = (&'a str, Option<(Arc<Source>, Span)>)>) -> (Self, Diagnostics) {
        let mut list = Self::default();
        let mut found = Diagnostics::default();
        for (written, place) in entries {
            let mut warn = |message: String, help: &str| {
                let mut diagnostic = match &place {
                    Some((source, span)) => Diagnostic::warning(source, *span, message),
                    None => Diagnostic::global(Severity::Warning, message),
                };
                if !help.is_empty() {
                    diagnostic = diagnostic.help(help);
                }
                found.push(diagnostic);
            };
            let trimmed = written.trim();
            let (negated, text) = match trimmed.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, trimmed),
            };
            if text.is_empty() {
                warn("white_list: empty entry: left out".into(), "");
                continue;
            }
            let test = Self::compile(text, &mut warn);
            list.entries.push(Entry { written: written.to_owned(), negated, test });
        }
        if list.entries.last().is_some_and(|last| last.negated) {
            found.push(Diagnostic::global(
                Severity::Warning,
                "white_list: the last entry is negated, so every address that no entry names counts as listed and is \
                 never blocked",
            ));
        }
        (list, found)
    }

    /// Compiles entries without places.
    pub fn of(entries: &[String]) -> Self {
        Self::read(entries.iter().map(|entry| (entry.as_str(), None))).0
    }

    fn compile(text: &str, warn: &mut impl FnMut(String, &str)) -> Test {
        if text.eq_ignore_ascii_case("any") {
            return Test::Any;
        }
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let parsed = address.parse::<IpAddr>().ok().or_else(|| {
            let short = numeric_ipv4(address)?;
            warn(format!("white_list: {text}: read as {short}"), "write four decimal numbers without leading zeros");
            Some(IpAddr::V4(short))
        });
        if let Some(address) = parsed {
            let net = match prefix {
                None => Some(IpNet::from(address)),
                Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                    digits.parse().ok().and_then(|length| IpNet::new(address, length).ok())
                }
                Some(_) => None,
            };
            match net.map(canonical) {
                // spec: /0 matches all, whichever family.
                Some(net) if net.prefix_len() == 0 => return Test::Any,
                Some(net) => return Test::Net(net),
                None => warn(
                    format!("white_list: {text}: is not a network, so it is taken for a host name and spares nobody"),
                    "write the prefix as a number of bits, such as 10.0.0.0/8",
                ),
            }
        }
        let alternatives = text
            .split('|')
            .map(|part| {
                let (from_start, part) = part.strip_prefix('^').map_or((false, part), |rest| (true, rest));
                let (to_end, part) = part.strip_suffix('$').map_or((false, part), |rest| (true, rest));
                let both = !from_start && !to_end;
                (from_start || both, part.to_ascii_lowercase(), to_end || both)
            })
            .collect();
        Test::Name(Name { alternatives, resolved: Vec::new() })
    }

    /// Asks the resolver for the entries that are plain host names. Blocks as long as the resolver does, so it is
    /// called at load, never while judging. Names that do not resolve keep comparing as text.
    pub fn resolve(&mut self) {
        self.resolve_by(|name| {
            (name, 0).to_socket_addrs().map(|found| found.map(|a| a.ip()).collect()).unwrap_or_default()
        });
    }

    /// As [`resolve`](Self::resolve), asking a function.
    pub fn resolve_by(&mut self, mut ask: impl FnMut(&str) -> Vec<IpAddr>) {
        for entry in &mut self.entries {
            if let Test::Name(name) = &mut entry.test {
                let names = name.alternatives.iter().filter(|(start, text, end)| *start && *end && is_host_name(text));
                name.resolved = names.flat_map(|(_, text, _)| ask(text)).map(|a| a.to_canonical()).collect();
            }
        }
    }

    /// Whether any entry is a name that [`resolve`](Self::resolve) would ask for.
    pub fn has_names(&self) -> bool {
        self.entries.iter().any(|e| matches!(e.test, Test::Name(_)))
    }

    /// The entry that spares an address, as written.
    pub fn listed(&self, address: IpAddr) -> Option<&str> {
        let address = address.to_canonical();
        let text = address.to_string();
        for entry in &self.entries {
            let hit = match &entry.test {
                Test::Any => true,
                Test::Net(net) => net.contains(&address),
                Test::Name(name) => name.resolved.contains(&address) || name.matches(&text),
            };
            if hit {
                return (!entry.negated).then_some(entry.written.as_str());
            }
        }
        self.entries.last().filter(|last| last.negated).map(|last| last.written.as_str())
    }

    /// The entry that spares at least one address of a network. A negated entry never does, so this errs on the
    /// sparing side.
    pub fn touches(&self, net: &IpNet) -> Option<&str> {
        for entry in self.entries.iter().filter(|e| !e.negated) {
            let hit = match &entry.test {
                Test::Any => true,
                Test::Net(own) => own.contains(net) || net.contains(own),
                Test::Name(name) => name.resolved.iter().any(|a| net.contains(a)),
            };
            if hit {
                return Some(&entry.written);
            }
        }
        self.entries.last().filter(|last| last.negated).map(|last| last.written.as_str())
    }
}

impl Name {
    fn matches(&self, text: &str) -> bool {
        self.alternatives.iter().any(|(start, part, end)| match (start, end) {
            (true, true) => text.eq_ignore_ascii_case(part),
            (true, false) => text.get(..part.len()).is_some_and(|head| head.eq_ignore_ascii_case(part)),
            _ => text.len() >= part.len() && text[text.len() - part.len()..].eq_ignore_ascii_case(part),
        })
    }
}

/// IPv4-mapped IPv6 networks are IPv4; host bits are cleared.
pub(super) fn canonical(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && v6.prefix_len() >= 96
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Ok(mapped) = Ipv4Net::new(v4, v6.prefix_len() - 96)
    {
        return IpNet::V4(mapped.trunc());
    }
    match net {
        IpNet::V4(v4) => IpNet::V4(v4.trunc()),
        IpNet::V6(v6) => IpNet::V6(Ipv6Net::trunc(&v6)),
    }
}

/// An address as resolvers read numbers (inet_aton(3)): one to four parts, decimal, octal or hexadecimal, the last one
/// filling what is left.
fn numeric_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let mut value: u64 = 0;
    for (at, part) in parts.iter().enumerate() {
        let number = if let Some(hex) = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            u64::from_str_radix(hex, 16).ok()?
        } else if part.len() > 1 && part.starts_with('0') {
            u64::from_str_radix(part, 8).ok()?
        } else if part.bytes().all(|b| b.is_ascii_digit()) {
            part.parse().ok()?
        } else {
            return None;
        };
        let last = at + 1 == parts.len();
        let bits = if last { 8 * (4 - at as u32) } else { 8 };
        if number >= 1 << bits {
            return None;
        }
        value = value << bits | number;
    }
    u32::try_from(value).ok().map(Ipv4Addr::from)
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && !text.starts_with(['-', '.'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> (WhiteList, Vec<String>) {
        let (list, found) = WhiteList::read(entries.iter().map(|e| (*e, None)));
        (list, found.iter().map(|d| d.message.clone()).collect())
    }

    fn spares(entries: &[&str], address: &str) -> bool {
        list(entries).0.listed(address.parse().unwrap()).is_some()
    }

    #[test]
    fn every_form_of_the_specification() {
        for (entries, address, expected) in [
            (&["198.51.100.9"][..], "198.51.100.9", true),
            (&["198.51.100.9"], "198.51.100.8", false),
            (&["2001:db8::9"], "2001:db8::9", true),
            (&["2001:db8::9"], "2001:db8::8", false),
            (&["10.126.160.0/24"], "10.126.160.255", true),
            (&["10.126.160.0/24"], "10.126.161.0", false),
            (&["10.126.160.77/24"], "10.126.160.1", true),
            (&["0.0.0.0/0"], "2001:db8::1", true),
            (&["any"], "203.0.113.1", true),
            (&["!10.1.1.1", "10.0.0.0/8"], "10.1.1.1", false),
            (&["!10.1.1.1", "10.0.0.0/8"], "10.1.1.2", true),
            (&["!10.1.1.1", "10.0.0.0/8"], "11.1.1.2", false),
            (&["10.0.0.0/8", "!11.1.1.1"], "192.0.2.1", true),
            (&["10.0.0.0/8", "!11.1.1.1"], "11.1.1.1", false),
            (&["10.126"], "10.0.0.126", true),
            (&["010.1"], "8.0.0.1", true),
            (&["0x0a000001"], "10.0.0.1", true),
            (&["10.0.0.0/255.0.0.0"], "10.0.0.0", false),
            (&["::ffff:192.0.2.9"], "192.0.2.9", true),
            (&["192.0.2.9"], "::ffff:192.0.2.9", true),
            (&["::ffff:192.0.2.0/120"], "192.0.2.9", true),
            (&["10.0.0.5.example.org"], "10.0.0.5", false),
            (&["^10.126."], "10.126.3.4", true),
            (&["^10.126."], "110.126.3.4", false),
            (&["^localhost.localdomain$"], "127.0.0.1", false),
            (&["a|192.0.2.1"], "192.0.2.1", true),
        ] {
            assert_eq!(spares(entries, address), expected, "{entries:?} {address}");
        }
    }

    #[test]
    fn odd_forms_are_told() {
        assert_eq!(list(&["10.126"]).1, ["white_list: 10.126: read as 10.0.0.126"]);
        assert!(list(&["10.0.0.0/255.0.0.0"]).1[0].contains("is not a network"));
        assert!(list(&["10.0.0.0/33"]).1[0].contains("is not a network"));
        assert!(list(&["!10.0.0.1"]).1[0].contains("never blocked"));
        assert!(list(&[" "]).1[0].contains("empty"));
        assert!(list(&["127.0.0.1", "^localhost.localdomain$", "10.126.160.0/24"]).1.is_empty());
    }

    #[test]
    fn names_are_resolved_when_asked_for() {
        let mut list = list(&["^localhost.localdomain$", "^half", "10.0.0.0/8"]).0;
        let mut asked = Vec::new();
        list.resolve_by(|name| {
            asked.push(name.to_owned());
            vec!["::ffff:192.0.2.7".parse().unwrap()]
        });
        assert_eq!(asked, ["localhost.localdomain"]);
        assert!(list.listed("192.0.2.7".parse().unwrap()).is_some());
        assert!(list.listed("192.0.2.8".parse().unwrap()).is_none());
        assert_eq!(list.touches(&"192.0.2.0/24".parse().unwrap()), Some("^localhost.localdomain$"));
        assert_eq!(list.touches(&"10.0.0.0/7".parse().unwrap()), Some("10.0.0.0/8"));
        assert_eq!(list.touches(&"10.1.0.0/16".parse().unwrap()), Some("10.0.0.0/8"));
        assert_eq!(list.touches(&"203.0.113.0/24".parse().unwrap()), None);
    }
}
