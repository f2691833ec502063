//! `check_diff`: does the text differ from the last one (spec/rules.md 6.8)?

use std::collections::{HashMap, VecDeque};

/// Longer texts are not compared.
const LONGEST: usize = 8_192;

/// As many texts are kept; then the one that was first seen first leaves. Hosts stand in log lines, so their number is
/// the sender's choice.
const KEPT: usize = 1_024;

/// Host and rule id.
type Key = (Box<[u8]>, u32);

/// The last text of each host and rule.
#[derive(Debug, Default)]
pub(super) struct Differences {
    last: HashMap<Key, Box<[u8]>>,
    order: VecDeque<Key>,
}

impl Differences {
    /// Compares a text with the last one of its host and rule, and keeps it. If it differs, the old text is put into
    /// `before`, and the answer is yes; a first text does not differ. The second answer tells whether anything changed.
    pub(super) fn differs(&mut self, host: &[u8], rule: u32, text: &[u8], before: &mut Vec<u8>) -> (bool, bool) {
        if text.len() >= LONGEST {
            return (false, false);
        }
        // A host that starts with `(` is a location; what counts of it ends at its `)`.
        let host = match host {
            [b'(', ..] => memchr::memchr(b')', host).map_or(host, |at| &host[..=at]),
            _ => host,
        };
        let key = (Box::from(host), rule);
        match self.last.get_mut(&key) {
            Some(last) if **last == *text => (false, false),
            Some(last) => {
                before.clear();
                before.extend_from_slice(last);
                *last = text.into();
                (true, true)
            }
            None => {
                self.put(key.0, rule, text);
                (false, true)
            }
        }
    }

    pub(super) fn put(&mut self, host: Box<[u8]>, rule: u32, text: &[u8]) {
        let key = (host, rule);
        if self.last.insert(key.clone(), text.into()).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.last.remove(&oldest);
        }
    }

    /// Host, rule id and text of everything kept, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u32, &[u8])> {
        self.order.iter().filter_map(|key| Some((&*key.0, key.1, &**self.last.get(key)?)))
    }

    pub(super) fn clear(&mut self) {
        self.last.clear();
        self.order.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_text_does_not_differ() {
        let mut differences = Differences::default();
        let mut before = Vec::new();
        assert_eq!(differences.differs(b"h", 1, b"a", &mut before), (false, true));
        assert_eq!(differences.differs(b"h", 1, b"a", &mut before), (false, false));
        assert_eq!(differences.differs(b"h", 1, b"b", &mut before), (true, true));
        assert_eq!(before, b"a");
        assert_eq!(differences.differs(b"g", 1, b"c", &mut before), (false, true), "another host");
        assert_eq!(differences.differs(b"h", 2, b"c", &mut before), (false, true), "another rule");
        assert_eq!(differences.differs(b"(a) 10.0.0.1->/x", 1, b"c", &mut before), (false, true));
        assert_eq!(differences.differs(b"(a) 10.0.0.2->/y", 1, b"d", &mut before), (true, true));
        assert_eq!(differences.differs(b"h", 1, &[b'x'; LONGEST], &mut before), (false, false));
    }

    #[test]
    fn texts_are_bounded() {
        let mut differences = Differences::default();
        for host in 0..2_000u32 {
            differences.differs(&host.to_le_bytes(), 1, b"a", &mut Vec::new());
        }
        assert_eq!((differences.last.len(), differences.order.len()), (KEPT, KEPT));
    }
}
