//! What to say to ipset(8), and what its answers mean.
//!
//! Its exit status is 1 for everything; only the message tells a missing set from a full one (tried with 7.17).
//! When one line of `restore` is wrong, lines before it may not have been done either.

use super::call::{Answer, Call, Run};
use super::programs::{Language, ask};
use super::{Entry, Error, Kind, Op, SetFacts, Sets};
use crate::respond::words::SetName;
use crate::sys::ipset::Change;
use ipnet::IpNet;
use std::fmt::Write;
use std::net::IpAddr;

/// The kernel's limit, in seconds (`IPSET_MAX_TIMEOUT`); more is an error, so the ledger asks again before it ends.
pub const TIMEOUT_MAX: u64 = 2_147_483;

/// The sets.
#[derive(Debug, Clone)]
pub struct Ipset {
    /// For IPv4.
    pub v4: Option<SetName>,
    /// For IPv6.
    pub v6: Option<SetName>,
    /// A set for IPv6 that has to be created is one of networks.
    pub networks: bool,
}

impl Language for Ipset {
    fn describe(&self, run: &mut dyn Run, create: bool) -> Result<Sets, Error> {
        let mut one = |name: &Option<SetName>, family: &str| -> Result<Option<SetFacts>, Error> {
            let Some(name) = name else { return Ok(None) };
            let name = name.to_string();
            let text = match ask(self, run, Call::IpsetTerse(&name)) {
                Err(error) if create && error.kind() == Kind::Missing => {
                    let kind = if family == "inet6" && self.networks { "net" } else { "ip" };
                    let create = format!("create {name} hash:{kind} family {family} timeout 0\n");
                    ask(self, run, Call::IpsetRestore(&create))?;
                    ask(self, run, Call::IpsetTerse(&name))?
                }
                other => other.map_err(|error| Error::new(error.kind(), format!("set {name}: {error}")))?,
            };
            facts(&name, family, &text).map(Some)
        };
        Ok(Sets { v4: one(&self.v4, "inet")?, v6: one(&self.v6, "inet6")? })
    }

    fn say(&self, op: &Op, into: &mut String) {
        let name = match op.net() {
            IpNet::V4(_) => &self.v4,
            IpNet::V6(_) => &self.v6,
        };
        // The worker hands over only families that have a set; a comment keeps the line count if not.
        let Some(name) = name else { return into.push_str("#\n") };
        // Writing to a String cannot fail.
        let _ = match op {
            Op::Add { net, timeout: None } => writeln!(into, "add {name} {}", words(net)),
            Op::Add { net, timeout: Some(seconds) } => {
                writeln!(into, "add {name} {} timeout {}", words(net), seconds.min(&TIMEOUT_MAX))
            }
            Op::Delete { net } => writeln!(into, "del {name} {}", words(net)),
        };
    }

    fn changes(&self, ops: &[Op]) -> Vec<Change<'_>> {
        let change = |op: &Op| {
            let name = if op.net().addr().is_ipv4() { &self.v4 } else { &self.v6 };
            let Some(SetName::Ipset(set)) = name else { return None };
            let (net, add, timeout) = match *op {
                Op::Add { net, timeout } => (net, true, timeout),
                Op::Delete { net } => (net, false, None),
            };
            let timeout = timeout.and_then(|seconds| u32::try_from(seconds.min(TIMEOUT_MAX)).ok());
            Some(Change { set, net, add, timeout })
        };
        ops.iter().filter_map(change).collect()
    }

    fn call<'a>(&self, text: &'a str) -> Call<'a> {
        Call::IpsetRestore(text)
    }

    fn blame(&self, answer: &Answer) -> Error {
        let text = answer.text.trim();
        let text = text.strip_prefix("ipset v").and_then(|rest| rest.split_once(": ")).map_or(text, |(_, rest)| rest);
        let (line, what) = match text.strip_prefix("Error in line ").and_then(|rest| rest.split_once(": ")) {
            Some((line, what)) => (line.parse::<usize>().ok(), what),
            None => (None, text),
        };
        let what: String = what.lines().next().unwrap_or("").chars().take(200).collect();
        let has = |part: &str| what.contains(part);
        let kind = if has("set with the given name does not exist") {
            Kind::Missing
        } else if has("Hash is full") {
            Kind::Full
        } else if has("without timeout support") {
            Kind::WrongSet
        } else if has("Operation not permitted")
            || has("Permission denied")
            || has("sudo:")
            || has("password is required")
        {
            Kind::Denied
        } else if has("not found") || has("No such file") {
            Kind::NoProgram
        } else if line.is_some() {
            Kind::Refused
        } else {
            Kind::Other
        };
        let mut said = what;
        if let Some(first) = said.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let error = Error::new(kind, format!("ipset: {said}"));
        match (line, kind) {
            (Some(line), Kind::Full | Kind::Refused) if line > 0 => error.at(line - 1),
            _ => error,
        }
    }

    fn list(&self, run: &mut dyn Run) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        for name in [&self.v4, &self.v6].into_iter().flatten() {
            let name = name.to_string();
            let text = ask(self, run, Call::IpsetSave(&name))?;
            found.extend(text.lines().filter_map(entry));
        }
        Ok(found)
    }
}

fn words(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// Reads an address or a network.
pub(super) fn net(text: &str) -> Option<IpNet> {
    text.parse::<IpAddr>().map(IpNet::from).ok().or_else(|| text.parse().ok())
}

/// A line `add SET ADDRESS [timeout SECONDS] …` of `ipset save`.
fn entry(line: &str) -> Option<Entry> {
    let mut words = line.strip_prefix("add ")?.split_ascii_whitespace().skip(1);
    let net = net(words.next()?)?;
    let timeout = words.skip_while(|w| *w != "timeout").nth(1).and_then(|s| s.parse().ok());
    Some(Entry { net, timeout })
}

/// Reads `ipset list -t`.
fn facts(name: &str, family: &str, text: &str) -> Result<SetFacts, Error> {
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let kind = line("Type:").unwrap_or("");
    let header: Vec<&str> = line("Header:").unwrap_or("").split_ascii_whitespace().collect();
    let value = |key: &str| header.iter().skip_while(|word| **word != key).nth(1).copied();
    if !["hash:ip", "hash:net"].contains(&kind) {
        return Err(Error::new(
            Kind::WrongSet,
            format!("set {name}: is of type {kind}: only hash:ip and hash:net are known"),
        ));
    }
    if value("family") != Some(family) {
        let its = value("family").unwrap_or("none");
        return Err(Error::new(Kind::WrongSet, format!("set {name}: is of family {its}, not {family}")));
    }
    Ok(SetFacts {
        name: name.to_owned(),
        networks: kind == "hash:net",
        timeout: value("timeout").is_some(),
        max: value("maxelem").and_then(|text| text.parse().ok()),
        references: line("References:").and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipset() -> Ipset {
        let name = |text: &str| Some(SetName::Ipset(text.into()));
        Ipset { v4: name("global-blk4"), v6: name("global-blk6"), networks: false }
    }

    #[test]
    fn operations_are_worded() {
        let mut text = String::new();
        for op in [
            Op::Add { net: "198.51.100.7/32".parse().unwrap(), timeout: Some(1800) },
            Op::Add { net: "2001:db8::/64".parse().unwrap(), timeout: Some(9_999_999) },
            Op::Add { net: "198.51.100.8/32".parse().unwrap(), timeout: None },
            Op::Delete { net: "2001:db8::1/128".parse().unwrap() },
        ] {
            ipset().say(&op, &mut text);
        }
        assert_eq!(
            text,
            "add global-blk4 198.51.100.7 timeout 1800\nadd global-blk6 2001:db8::/64 timeout 2147483\n\
             add global-blk4 198.51.100.8\ndel global-blk6 2001:db8::1\n"
        );
    }

    #[test]
    fn complaints_are_told_apart() {
        for (text, kind, op) in [
            ("ipset v7.17: The set with the given name does not exist\n", Kind::Missing, None),
            ("ipset v7.17: Error in line 3: The set with the given name does not exist\n", Kind::Missing, None),
            ("ipset v7.17: Error in line 4: Hash is full, cannot add more elements\n", Kind::Full, Some(3)),
            (
                "ipset v7.17: Error in line 1: Timeout cannot be used: set was created without timeout support\n",
                Kind::WrongSet,
                None,
            ),
            (
                "ipset v7.17: Error in line 2: Syntax error: '2147484' is out of range 0-2147483\n",
                Kind::Refused,
                Some(1),
            ),
            ("ipset v7.17: Kernel error received: Operation not permitted\n", Kind::Denied, None),
            ("sh: 1: ipset: not found\n", Kind::NoProgram, None),
            ("", Kind::Other, None),
        ] {
            let error = ipset().blame(&Answer { ok: false, text: text.into() });
            assert_eq!((error.kind(), error.op()), (kind, op), "{text}");
        }
    }

    #[test]
    fn sets_and_entries_are_read() {
        let text = "Name: b4\nType: hash:ip\nRevision: 6\nHeader: family inet hashsize 1024 maxelem 65536 timeout 0 \
                    bucketsize 12 initval 0x95401ef3\nSize in memory: 472\nReferences: 2\nNumber of entries: 4\n";
        let found = facts("b4", "inet", text).unwrap();
        assert!(found.timeout && !found.networks);
        assert_eq!((found.max, found.references), (Some(65_536), Some(2)));
        assert_eq!(facts("b4", "inet6", text).unwrap_err().kind(), Kind::WrongSet);
        let bitmap = "Name: bm\nType: bitmap:ip\nHeader: range 10.0.0.0-10.0.0.255\n";
        assert!(facts("bm", "inet", bitmap).unwrap_err().to_string().contains("bitmap:ip"));
        let read = |line: &str| entry(line).map(|e| (e.net.to_string(), e.timeout));
        assert_eq!(read("add b4 1.2.3.4 timeout 4"), Some(("1.2.3.4/32".into(), Some(4))));
        assert_eq!(read("add b6 2001:db8::/64 timeout 0 packets 1"), Some(("2001:db8::/64".into(), Some(0))));
        assert_eq!(read("add b4 1.2.3.4"), Some(("1.2.3.4/32".into(), None)));
        assert_eq!(read("create b4 hash:ip family inet"), None);
        assert_eq!(read("add b4"), None);
    }
}
