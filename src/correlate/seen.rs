//! What has been seen before: the memory behind `if_fts` (spec/decoders.md 11, spec/rules.md 6.6).
//!
//! OSSEC writes each new key to a file and reads it again at start; here a lane hands the memory over as bytes.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// OSSEC's `analysisd.fts_list_size` as shipped: IDS keys compared with a new one at most.
pub const DEFAULT_LIST_SIZE: usize = 32;

/// OSSEC's `analysisd.fts_min_size_for_str` as shipped: a common prefix counts if it is longer, in bytes.
pub const DEFAULT_PREFIX: usize = 14;

/// Keys that share their prefix with a new one, from which on it is cut.
const SIMILAR: usize = 3;

/// Keys remembered at most, and their bytes. Beyond, the oldest is forgotten and would count as new again; OSSEC's
/// memory has no bound, so a flood of invented users grows it for ever.
const MOST_KEYS: usize = 65_536;
const MOST_BYTES: usize = 4 << 20;

/// First bytes of what [`Seen::export`] gives: a name and a version.
const MAGIC: &[u8; 8] = b"hidsfts1";

/// The keys of one lane.
#[derive(Debug, Clone)]
pub struct Seen {
    known: HashSet<Arc<[u8]>>,
    /// The keys in `known`, oldest first.
    order: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// The last keys of IDS events, whole or cut, oldest first.
    recent: VecDeque<Arc<[u8]>>,
    list_size: usize,
    prefix: usize,
    changes: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self::new(DEFAULT_LIST_SIZE, DEFAULT_PREFIX)
    }
}

impl Seen {
    /// An empty memory with OSSEC's two settings: the length of the list for IDS events and the prefix, in bytes.
    pub fn new(list_size: usize, prefix: usize) -> Self {
        Self {
            known: HashSet::new(),
            order: VecDeque::new(),
            bytes: 0,
            recent: VecDeque::new(),
            list_size,
            prefix,
            changes: 0,
        }
    }

    /// Tells whether a key is new, and remembers it.
    ///
    /// For an event of type `ids` a key that resembles three or more of the last ones is cut to its first bytes, so
    /// that of a flood of similar events only the first few are new.
    pub fn first_time(&mut self, key: &[u8], ids: bool) -> bool {
        if self.known.contains(key) {
            return false;
        }
        if !ids {
            self.remember(key.into());
            return true;
        }
        let alike = |other: &&Arc<[u8]>| other.iter().zip(key).take_while(|(a, b)| a == b).count() > self.prefix;
        let cut = self.recent.iter().filter(alike).take(SIMILAR).count() == SIMILAR;
        let key: Arc<[u8]> = if cut { key[..self.prefix.min(key.len())].into() } else { key.into() };
        self.recent.push_back(Arc::clone(&key));
        while self.recent.len() > self.list_size {
            self.recent.pop_front();
        }
        self.changes += 1;
        if self.known.contains(&key) {
            return false;
        }
        self.remember(key);
        true
    }

    /// Number of keys remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// A number that moves whenever what [`Self::export`] would give has changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        let changes = self.changes + 1;
        *self = Self { changes, ..Self::new(self.list_size, self.prefix) };
    }

    fn remember(&mut self, key: Arc<[u8]>) {
        self.bytes += key.len();
        self.order.push_back(Arc::clone(&key));
        self.known.insert(key);
        self.changes += 1;
        while self.order.len() > MOST_KEYS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= oldest.len();
            self.known.remove(&oldest);
        }
    }

    /// Everything remembered, as bytes for [`Self::import`]: a head, the keys oldest first, then the IDS list; each
    /// list with its number of entries, each entry with its length (32 and 16 bits, little-endian).
    pub fn export(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for list in [&self.order, &self.recent] {
            out.extend(u32::try_from(list.len()).unwrap_or(u32::MAX).to_le_bytes());
            for key in list {
                let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
                out.extend(length.to_le_bytes());
                out.extend(&key[..usize::from(length)]);
            }
        }
        out
    }

    /// Takes over what was exported, in addition to what is remembered already. Gives false, and changes nothing, if
    /// the bytes are not whole.
    #[must_use]
    pub fn import(&mut self, bytes: &[u8]) -> bool {
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else { return false };
        let (Some(keys), Some(recent)) = (list(&mut rest), list(&mut rest)) else { return false };
        if !rest.is_empty() {
            return false;
        }
        for key in keys {
            if !self.known.contains(key) {
                self.remember(key.into());
            }
        }
        for key in recent {
            self.recent.push_back(key.into());
            while self.recent.len() > self.list_size {
                self.recent.pop_front();
            }
        }
        self.changes += 1;
        true
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn list<'a>(rest: &mut &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let count = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    let mut keys = Vec::new();
    for _ in 0..count {
        let length = u16::from_le_bytes(take(rest, 2)?.try_into().ok()?);
        keys.push(take(rest, usize::from(length))?);
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.first_time(b"su  bob", false));
        assert!(!seen.first_time(b"su  bob", false));
        assert!(!seen.first_time(b"su  bob", true));
        assert!(seen.first_time(b"su  eve", false));
        assert_eq!(seen.len(), 2);
    }

    /// Numbers, from 1, of the events that are new.
    fn new_ones(seen: &mut Seen, keys: impl IntoIterator<Item = String>) -> Vec<usize> {
        (1..).zip(keys).filter(|(_, key)| seen.first_time(key.as_bytes(), true)).map(|(at, _)| at).collect()
    }

    #[test]
    fn a_flood_of_similar_ids_keys_is_new_four_times_then_three_in_thirty_three() {
        let flood = |count: usize| (0..count).map(|n| format!("nids 1:2:3 xyz {n:05}"));
        assert_eq!(new_ones(&mut Seen::default(), flood(70)), [1, 2, 3, 4, 34, 35, 36, 67, 68, 69]);
    }

    #[test]
    fn a_common_prefix_counts_from_fifteen_bytes_on() {
        let with_prefix = |prefix: &str| (0..6).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
        assert_eq!(new_ones(&mut Seen::default(), with_prefix("12345678901234")), [1, 2, 3, 4, 5, 6]);
        assert_eq!(new_ones(&mut Seen::default(), with_prefix("123456789012345")), [1, 2, 3, 4]);
    }

    #[test]
    fn known_keys_and_keys_of_other_types_leave_the_list_alone() {
        let mut seen = Seen::default();
        let key = |n: usize| format!("nids 1:2:3 xyz {n}");
        assert!(seen.first_time(key(0).as_bytes(), true));
        assert!(seen.first_time(key(1).as_bytes(), true));
        for n in 0..100 {
            assert!(!seen.first_time(key(0).as_bytes(), true));
            assert!(seen.first_time(format!("other {n}").as_bytes(), false));
        }
        assert!(seen.first_time(key(2).as_bytes(), true));
        assert!(seen.first_time(key(3).as_bytes(), true), "the cut key");
        assert!(!seen.first_time(key(4).as_bytes(), true), "the cut key again");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_key_goes() {
        let mut seen = Seen::default();
        for n in 0..=MOST_KEYS {
            assert!(seen.first_time(format!("key {n}").as_bytes(), false));
        }
        assert_eq!(seen.len(), MOST_KEYS);
        assert!(!seen.first_time(b"key 1", false));
        assert!(seen.first_time(b"key 0", false));
        let mut seen = Seen::default();
        for n in 0..40_000 {
            seen.first_time(format!("{n:0255}").as_bytes(), false);
        }
        assert!(seen.bytes <= MOST_BYTES);
    }

    #[test]
    fn it_survives_as_bytes() {
        let mut seen = Seen::default();
        for n in 0..40 {
            seen.first_time(format!("nids 1:2:3 xyz {n:05}").as_bytes(), n % 2 == 0);
        }
        let bytes = seen.export();
        let mut again = Seen::default();
        assert!(again.import(&bytes));
        assert_eq!(again.export(), bytes);
        for end in 0..bytes.len() {
            let mut broken = Seen::default();
            assert!(!broken.import(&bytes[..end]));
            assert!(broken.is_empty());
        }
        assert!(!Seen::default().import(&[&bytes[..], b"x"].concat()));
    }
}
