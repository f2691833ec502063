//! The lists inside `rule`: the groups one by one, and the marks of policies (spec/logtest.md 3.2).
//!
//! A group `pci_dss_X` or `cis_X` is a value of the list `PCI_DSS` or `CIS` and not a group. If `groups` holds exactly
//! `rootcheck`, each mark `{Word: a,b}` of the log is a list `Word`. OSSEC damages the values and crashes on long, many
//! or empty marks; here they are whole, and what is no mark is none.

use super::text;
use crate::rules;

/// OSSEC looks at the first bytes only, of groups and of the log.
const SEEN: usize = 1_023;

/// Lists that one alert carries at most: the log that they come from is a guest's.
const MOST: usize = 32;

/// One list: its key and its values.
struct List<'a> {
    key: &'a [u8],
    values: Vec<&'a [u8]>,
}

/// Appends `groups` and the lists, each with its comma in front.
pub(super) fn write(out: &mut Vec<u8>, rule: &rules::Facts, full_log: &[u8]) {
    let groups = &rule.groups.as_bytes()[..rule.groups.len().min(SEEN)];
    let names = || groups.split(|&byte| byte == b',').filter(|name| !name.is_empty());
    let mut lists: Vec<List<'_>> = Vec::new();

    out.extend_from_slice(b",\"groups\":[");
    let mut first = true;
    for name in names() {
        if let Some(value) = name.strip_prefix(b"pci_dss_") {
            list(&mut lists, b"PCI_DSS").push(value);
        } else if let Some(value) = name.strip_prefix(b"cis_") {
            list(&mut lists, b"CIS").push(value);
        } else {
            if !first {
                out.push(b',');
            }
            first = false;
            text::string(out, name);
        }
    }
    out.push(b']');

    if names().any(|name| name == b"rootcheck") {
        each_mark(&full_log[..full_log.len().min(SEEN)], |word, values| {
            let known = lists.iter().any(|list| list.key == word);
            if !is_taken(word) && (known || lists.len() < MOST) {
                let into = list(&mut lists, word);
                into.extend(values.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|v| !v.is_empty()));
            }
        });
    }
    for list in &lists {
        out.push(b',');
        text::string(out, list.key);
        out.extend_from_slice(b":[");
        for (at, value) in list.values.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            text::string(out, value);
        }
        out.push(b']');
    }
}

fn list<'l, 'a>(lists: &'l mut Vec<List<'a>>, key: &'a [u8]) -> &'l mut Vec<&'a [u8]> {
    let at = lists.iter().position(|list| list.key == key).unwrap_or_else(|| {
        lists.push(List { key, values: Vec::new() });
        lists.len() - 1
    });
    &mut lists[at].values
}

/// Calls with word and list of each mark `{Word: list}`: letters, digits and `_`, a colon, a blank, then letters,
/// digits, `_`, `.`, `,` and blanks.
fn each_mark<'a>(log: &'a [u8], mut call: impl FnMut(&'a [u8], &'a [u8])) {
    let mut rest = log;
    while let Some(open) = memchr::memchr(b'{', rest) {
        rest = &rest[open + 1..];
        let word = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let Some(values) = rest[word..].strip_prefix(b": ") else { continue };
        let length = values.iter().take_while(|b| b.is_ascii_alphanumeric() || b"_., ".contains(b)).count();
        if word > 0 && values.get(length) == Some(&b'}') {
            call(&rest[..word], &values[..length]);
        }
    }
}

/// Keys that `rule` itself uses.
fn is_taken(word: &[u8]) -> bool {
    matches!(
        word,
        b"level" | b"comment" | b"sidid" | b"cve" | b"info" | b"frequency" | b"firedtimes" | b"group" | b"groups"
    )
}
