//! What to say to nft(8), and what its answers mean.
//!
//! One run is one transaction: a wrong line undoes it all. An element that is there already keeps its old time on
//! kernels before 6.12, so it is taken out and put in again within the transaction, which no packet can see.

use super::call::{Answer, Call, Run};
use super::programs::{Language, ask};
use super::{Entry, Error, Kind, Op, SetFacts, Sets};
use crate::respond::words::SetName;
use ipnet::IpNet;
use serde_json::Value;
use std::fmt::Write;

/// The sets.
#[derive(Debug, Clone)]
pub struct Nftables {
    /// For IPv4.
    pub v4: Option<SetName>,
    /// For IPv6.
    pub v6: Option<SetName>,
    /// A set for IPv6 that has to be created is one of networks.
    pub networks: bool,
}

impl Language for Nftables {
    fn describe(&self, run: &mut dyn Run, create: bool) -> Result<Sets, Error> {
        let mut one = |name: &Option<SetName>, kind: &str, networks: bool| -> Result<Option<SetFacts>, Error> {
            let Some(SetName::Nft { family, table, .. }) = name else { return Ok(None) };
            let Some(name) = name.as_ref().map(SetName::to_string) else { return Ok(None) };
            let text = match ask(self, run, Call::NftTerse(&name)) {
                Err(error) if create && error.kind() == Kind::Missing => {
                    let interval = if networks { ",interval" } else { "" };
                    let create = format!(
                        "add table {family} {table}\nadd set {name} {{ type {kind}; flags timeout{interval}; }}\n"
                    );
                    ask(self, run, Call::NftApply(&create))?;
                    ask(self, run, Call::NftTerse(&name))?
                }
                other => other.map_err(|error| Error::new(error.kind(), format!("set {name}: {error}")))?,
            };
            facts(&name, kind, &text).map(Some)
        };
        Ok(Sets { v4: one(&self.v4, "ipv4_addr", false)?, v6: one(&self.v6, "ipv6_addr", self.networks)? })
    }

    fn say(&self, op: &Op, into: &mut String) {
        let name = match op.net() {
            IpNet::V4(_) => &self.v4,
            IpNet::V6(_) => &self.v6,
        };
        // The worker hands over only families that have a set; a comment keeps the line count if not.
        let Some(name) = name else { return into.push_str("#\n") };
        let who = words(op.net());
        // Writing to a String cannot fail.
        let _ = write!(into, "add element {name} {{ {who} }}; delete element {name} {{ {who} }}");
        let _ = match op {
            Op::Delete { .. } => writeln!(into),
            Op::Add { timeout: Some(seconds), .. } if *seconds > 0 => {
                writeln!(into, "; add element {name} {{ {who} timeout {seconds}s }}")
            }
            Op::Add { .. } => writeln!(into, "; add element {name} {{ {who} }}"),
        };
    }

    fn call<'a>(&self, text: &'a str) -> Call<'a> {
        Call::NftApply(text)
    }

    fn blame(&self, answer: &Answer) -> Error {
        let text = answer.text.trim();
        let first = text.lines().find(|line| line.contains("rror")).or_else(|| text.lines().next()).unwrap_or("");
        let line = first.strip_prefix("/dev/stdin:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
        let what = first.split_once("Error: ").map_or(first, |(_, what)| what);
        let what: String = what.trim_start_matches("Could not process rule: ").chars().take(200).collect();
        let has = |part: &str| what.contains(part);
        let kind = if has("Too many open files in system") || has("No space left") {
            Kind::Full
        } else if has("Operation not permitted") || has("password is required") || has("sudo:") {
            Kind::Denied
        } else if has("not found") {
            Kind::NoProgram
        } else if has("No such file or directory") {
            Kind::Missing
        } else if line.is_some() {
            Kind::Refused
        } else {
            Kind::Other
        };
        let error = Error::new(kind, format!("nft: {}", if kind == Kind::Full { "the set is full" } else { &what }));
        match (line, kind) {
            (Some(line), Kind::Full | Kind::Refused) if line > 0 => error.at(line - 1),
            _ => error,
        }
    }

    fn list(&self, run: &mut dyn Run) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        for name in [&self.v4, &self.v6].into_iter().flatten() {
            let text = ask(self, run, Call::NftList(&name.to_string()))?;
            let set = set_of(&text).ok_or_else(|| Error::new(Kind::Other, format!("set {name}: unreadable answer")))?;
            let timed = flag(&set, "timeout");
            let elements = set["elem"].as_array().map_or(&[][..], Vec::as_slice);
            found.extend(elements.iter().filter_map(|element| entry(element, timed)));
        }
        Ok(found)
    }
}

fn words(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

fn set_of(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    value["nftables"].as_array()?.iter().find_map(|item| item.get("set").cloned())
}

fn flag(set: &Value, name: &str) -> bool {
    match &set["flags"] {
        Value::Array(flags) => flags.iter().any(|flag| flag == name),
        flag => flag == name,
    }
}

/// `"1.2.3.4"`, `{"prefix":{…}}`, or either within `{"elem":{"val":…,"expires":…}}`. Ranges are foreign.
fn entry(element: &Value, timed: bool) -> Option<Entry> {
    let (value, left) = match element.get("elem") {
        Some(inner) => (&inner["val"], inner["expires"].as_u64()),
        None => (element, None),
    };
    let net = match value {
        Value::String(text) => super::ipset::net(text)?,
        other => {
            let prefix = other.get("prefix")?;
            let length = u8::try_from(prefix["len"].as_u64()?).ok()?;
            IpNet::new(prefix["addr"].as_str()?.parse().ok()?, length).ok()?
        }
    };
    // What lasts for ever has no "expires"; what ends within this second has 0.
    let timeout = timed.then(|| left.map_or(0, |seconds| seconds.max(1)));
    Some(Entry { net, timeout })
}

fn facts(name: &str, kind: &str, text: &str) -> Result<SetFacts, Error> {
    let set = set_of(text).ok_or_else(|| Error::new(Kind::Other, format!("set {name}: unreadable answer")))?;
    if set["type"] != kind {
        return Err(Error::new(Kind::WrongSet, format!("set {name}: holds {}, not {kind}", set["type"])));
    }
    Ok(SetFacts {
        name: name.to_owned(),
        networks: flag(&set, "interval"),
        timeout: flag(&set, "timeout"),
        max: set["size"].as_u64(),
        references: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nft() -> Nftables {
        let name = |set: &str| Some(SetName::Nft { family: "inet".into(), table: "f".into(), set: set.into() });
        Nftables { v4: name("b4"), v6: name("b6"), networks: false }
    }

    #[test]
    fn operations_are_one_line_each() {
        let mut text = String::new();
        nft().say(&Op::Add { net: "1.2.3.4/32".parse().unwrap(), timeout: Some(9) }, &mut text);
        nft().say(&Op::Delete { net: "2001:db8::/64".parse().unwrap() }, &mut text);
        assert_eq!(
            text,
            "add element inet f b4 { 1.2.3.4 }; delete element inet f b4 { 1.2.3.4 }; \
             add element inet f b4 { 1.2.3.4 timeout 9s }\n\
             add element inet f b6 { 2001:db8::/64 }; delete element inet f b6 { 2001:db8::/64 }\n"
        );
    }

    #[test]
    fn complaints_are_told_apart() {
        for (text, kind, op) in [
            ("Error: No such file or directory\nlist set inet f b4\n              ^\n", Kind::Missing, None),
            ("/dev/stdin:2:18-21: Error: No such file or directory\nadd element", Kind::Missing, None),
            ("/dev/stdin:3:25-32: Error: Could not process rule: Too many open files in system\n", Kind::Full, Some(2)),
            ("/dev/stdin:1:25-31: Error: Could not process rule: Invalid argument\n", Kind::Refused, Some(0)),
            ("Operation not permitted (you must be root)\n", Kind::Denied, None),
        ] {
            let error = nft().blame(&Answer { ok: false, text: text.into() });
            assert_eq!((error.kind(), error.op()), (kind, op), "{text}");
        }
    }

    #[test]
    fn answers_are_read() {
        let text = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"set": {"family": "inet", "name": "n6",
            "table": "f", "type": "ipv6_addr", "handle": 2, "flags": ["interval", "timeout"], "elem": [
            {"elem": {"val": {"prefix": {"addr": "2001:db8::", "len": 64}}, "timeout": 30, "expires": 29}},
            "2001:db8:1::5"]}}]}"#;
        let found = facts("inet f n6", "ipv6_addr", text).unwrap();
        assert!(found.networks && found.timeout);
        assert_eq!(facts("inet f n6", "ipv4_addr", text).unwrap_err().kind(), Kind::WrongSet);
        let set = set_of(text).unwrap();
        let read: Vec<_> = set["elem"].as_array().unwrap().iter().filter_map(|e| entry(e, true)).collect();
        assert_eq!(read[0], Entry { net: "2001:db8::/64".parse().unwrap(), timeout: Some(29) });
        assert_eq!(read[1], Entry { net: "2001:db8:1::5/128".parse().unwrap(), timeout: Some(0) });
    }
}
