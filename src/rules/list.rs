//! `list`: look-ups in constant data bases (spec/rules.md 6.7).
//!
//! Lists arrive as bytes, in their text form or compiled (`.cdb`); both answer alike.

use crate::event::{Event, Field, Fields};
use crate::pattern::{Pattern, Subject};
use std::collections::HashMap;
use std::sync::Arc;

/// The lists that the configuration names.
#[derive(Debug, Clone, Default)]
pub struct Lists(HashMap<String, List>);

/// One configured list.
#[derive(Debug, Clone)]
pub enum List {
    /// Its entries.
    Entries(Arc<Entries>),
    /// Configured, but it cannot be read: OSSEC's answers to each kind of look-up are kept.
    Unreadable,
}

/// Keys and values of a list. Keys are case-sensitive bytes; of a repeated key the first one counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entries(HashMap<Box<[u8]>, Box<[u8]>>);

/// Why bytes are no compiled list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a constant data base (a record or a table lies outside of it)")
    }
}

impl std::error::Error for Damaged {}

impl Lists {
    /// Adds the list of a configured path. A path without `/` is known to rules as `rules/PATH`; `.cdb` at the end
    /// counts neither here nor in rules.
    pub fn insert(&mut self, configured: &str, list: List) {
        let mut name = known_as(configured).to_owned();
        if !name.contains('/') {
            name.insert_str(0, "rules/");
        }
        self.0.insert(name, list);
    }

    /// The list that a rule names.
    pub fn get(&self, path: &str) -> Option<&List> {
        self.0.get(known_as(path))
    }
}

fn known_as(path: &str) -> &str {
    path.strip_suffix(".cdb").unwrap_or(path)
}

impl List {
    /// Reads the text form: `key:value` a line, `###` starting a comment. Nothing is trimmed but the blanks before a
    /// comment; lines without a colon are passed over.
    pub fn text(bytes: &[u8]) -> Self {
        let mut entries = HashMap::new();
        for line in bytes.split(|b| matches!(b, b'\n' | b'\r')) {
            let line = match memchr::memmem::find(line, b"###") {
                Some(at) => {
                    let blanks = line[..at].iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
                    &line[..at - blanks]
                }
                None => line,
            };
            if let Some(colon) = memchr::memchr(b':', line) {
                entries.entry(line[..colon].into()).or_insert_with(|| line[colon + 1..].into());
            }
        }
        Self::Entries(Arc::new(Entries(entries)))
    }

    /// Reads the compiled form, D. J. Bernstein's constant data base with 32-bit positions
    /// (<https://cr.yp.to/cdb/cdb.txt>).
    ///
    /// # Errors
    /// The bytes are not such a data base.
    pub fn cdb(bytes: &[u8]) -> Result<Self, Damaged> {
        let number = |at: usize| {
            let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(four)).ok()
        };
        let mut end = bytes.len();
        for table in 0..256 {
            let (at, slots) = (number(table * 8).ok_or(Damaged)?, number(table * 8 + 4).ok_or(Damaged)?);
            let behind = slots.checked_mul(8).and_then(|size| at.checked_add(size)).ok_or(Damaged)?;
            if behind > bytes.len() {
                return Err(Damaged);
            }
            // Empty tables may point anywhere.
            if slots > 0 {
                end = end.min(at);
            }
        }
        let mut entries = HashMap::new();
        let mut at = 2_048;
        while at < end {
            let (key, value) = (number(at).ok_or(Damaged)?, number(at + 4).ok_or(Damaged)?);
            let middle = (at + 8).checked_add(key).ok_or(Damaged)?;
            let behind = middle.checked_add(value).filter(|behind| *behind <= end).ok_or(Damaged)?;
            entries.entry(bytes[at + 8..middle].into()).or_insert_with(|| bytes[middle..behind].into());
            at = behind;
        }
        Ok(Self::Entries(Arc::new(Entries(entries))))
    }
}

impl Entries {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(|value| &**value)
    }

    /// The value of the key, or of the longest of its beginnings that end in a dot.
    fn get_address(&self, key: &[u8]) -> Option<&[u8]> {
        self.get(key).or_else(|| memchr::memrchr_iter(b'.', key).find_map(|at| self.get(&key[..=at])))
    }
}

/// The text that is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A decoded field.
    Field(Field),
    /// The host.
    Host,
    /// The program.
    Program,
    /// Source user if present, else destination user (the reverse of `<user>`).
    User,
}

/// The kinds of look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The key exists.
    Match,
    /// The key does not exist.
    NotMatch,
    /// The key exists and its value matches.
    MatchValue,
    /// The key or one of its beginnings exists.
    Address,
    /// Neither it nor any of its beginnings exists.
    NotAddress,
    /// Inverted by a defect of OSSEC's, and kept: nothing is found, or the value found does not match.
    AddressValue,
}

/// One `list` element.
#[derive(Debug)]
pub struct Listed {
    /// What is looked up.
    pub key: Key,
    /// How.
    pub lookup: Lookup,
    /// What the value must match.
    pub value: Option<Pattern>,
    /// Where; `None`: such a list is not configured, and the condition never holds.
    pub list: Option<List>,
}

impl Listed {
    /// Tells whether the condition holds.
    pub fn holds(&self, event: &Event<'_>, fields: &Fields) -> bool {
        let get = |field| fields.get(field, event.full);
        let key = match self.key {
            Key::Field(field) => get(field),
            Key::Host => Some(event.host()),
            Key::Program => event.program(),
            Key::User => get(Field::SrcUser).or_else(|| get(Field::DstUser)),
        };
        let (Some(key), Some(list)) = (key, &self.list) else { return false };
        let List::Entries(entries) = list else {
            return matches!(self.lookup, Lookup::NotMatch | Lookup::Address | Lookup::AddressValue);
        };
        let fits = |value: &[u8]| self.value.as_ref().is_some_and(|pattern| pattern.is_match(Subject::new(value)));
        match self.lookup {
            Lookup::Match => entries.get(key).is_some(),
            Lookup::NotMatch => entries.get(key).is_none(),
            Lookup::MatchValue => entries.get(key).is_some_and(fits),
            Lookup::Address => entries.get_address(key).is_some(),
            Lookup::NotAddress => entries.get_address(key).is_none(),
            Lookup::AddressValue => !entries.get_address(key).is_some_and(fits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: List) -> Arc<Entries> {
        match list {
            List::Entries(entries) => entries,
            List::Unreadable => panic!("unreadable"),
        }
    }

    #[test]
    fn the_text_form() {
        let list = entries(List::text(b"a:1\r\n### no:key\nb : 2 ### why\nnokey\nempty:\na:second\n2001:db8::1:v6\n"));
        assert_eq!(list.get(b"a"), Some(&b"1"[..]));
        assert_eq!(list.get(b"b "), Some(&b" 2"[..]));
        assert_eq!(list.get(b"empty"), Some(&b""[..]));
        assert_eq!(list.get(b"2001"), Some(&b"db8::1:v6"[..]));
        assert_eq!(list.0.len(), 4);
    }

    #[test]
    fn prefixes_of_addresses_longest_first() {
        let list = entries(List::text(b"10.2.:lan\n10.:all\n"));
        assert_eq!(list.get_address(b"10.2.0.1"), Some(&b"lan"[..]));
        assert_eq!(list.get_address(b"10.3.0.1"), Some(&b"all"[..]));
        assert_eq!(list.get_address(b"1.0.0.1"), None);
    }

    /// Writes a data base the way its description says, with all keys in one table each.
    fn compile(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let hash = |key: &[u8]| key.iter().fold(5_381u32, |h, &b| (h << 5).wrapping_add(h) ^ u32::from(b));
        let mut bytes = vec![0; 2_048];
        let mut tables: Vec<Vec<(u32, u32)>> = vec![Vec::new(); 256];
        for (key, value) in pairs {
            tables[(hash(key) % 256) as usize].push((hash(key), bytes.len() as u32));
            bytes.extend((key.len() as u32).to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
            bytes.extend(*key);
            bytes.extend(*value);
        }
        for (index, table) in tables.iter().enumerate() {
            let at = bytes.len() as u32;
            bytes[index * 8..index * 8 + 4].copy_from_slice(&at.to_le_bytes());
            bytes[index * 8 + 4..index * 8 + 8].copy_from_slice(&(table.len() as u32 * 2).to_le_bytes());
            let mut slots = vec![(0, 0); table.len() * 2];
            for &(hash, position) in table {
                let mut slot = (hash / 256) as usize % slots.len();
                while slots[slot].1 != 0 {
                    slot = (slot + 1) % slots.len();
                }
                slots[slot] = (hash, position);
            }
            for (hash, position) in slots {
                bytes.extend(hash.to_le_bytes());
                bytes.extend(position.to_le_bytes());
            }
        }
        bytes
    }

    #[test]
    fn the_compiled_form() {
        let bytes = compile(&[(b"a", b"1"), (b"bb", b""), (b"a", b"2")]);
        let list = entries(List::cdb(&bytes).unwrap());
        assert_eq!(list.get(b"a"), Some(&b"1"[..]));
        assert_eq!(list.get(b"bb"), Some(&b""[..]));
        assert_eq!(list.0.len(), 2);
        for cut in [0, 7, 2_047, 2_050, bytes.len() - 1] {
            assert_eq!(List::cdb(&bytes[..cut]).err(), Some(Damaged), "{cut}");
        }
    }

    #[test]
    fn names_with_and_without_folder_and_ending() {
        let mut lists = Lists::default();
        lists.insert("addr", List::Unreadable);
        lists.insert("lists/names.cdb", List::Unreadable);
        assert!(lists.get("rules/addr.cdb").is_some() && lists.get("addr").is_none());
        assert!(lists.get("lists/names").is_some());
    }
}
