//! Where alerts wait for the writer: bounded in bytes, guests served in turn.
//!
//! While the disk takes what comes, it is all but empty. When the disk is full alerts wait here, and their receipts
//! stay open, so that the positions stand still. At the bound the newest alert of the guest that holds the most is
//! refused: its receipt is dropped, and its line is read again after a restart. A small guest is thus never pushed
//! out by a loud one.

use super::Id;
use crate::event::Receipt;
use crate::guest;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// An alert as it will be written: the record of `alerts.log`, then the line of `alerts.json`, in one piece.
#[derive(Debug, Clone)]
pub struct Text {
    bytes: Arc<[u8]>,
    record: usize,
}

impl Text {
    pub(super) fn new(bytes: &[u8], record: usize) -> Self {
        Self { bytes: Arc::from(bytes), record: record.min(bytes.len()) }
    }

    /// The record for `alerts.log`; empty where no such file is written.
    pub fn record(&self) -> &[u8] {
        &self.bytes[..self.record]
    }

    /// The line for `alerts.json`, its newline included.
    pub fn json(&self) -> &[u8] {
        &self.bytes[self.record..]
    }

    /// The line without its newline, as text.
    pub fn line(&self) -> &str {
        std::str::from_utf8(self.json()).unwrap_or_default().trim_end_matches('\n')
    }

    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

/// What an entry costs beside its text, roughly.
const OVERHEAD: usize = 96;

/// An alert that waits.
#[derive(Debug)]
pub(super) struct Entry {
    pub text: Text,
    pub receipt: Receipt,
    pub id: Id,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Entry>,
    bytes: usize,
}

/// The waiting alerts.
#[derive(Debug)]
pub(super) struct Spool {
    bound: usize,
    bytes: usize,
    lanes: HashMap<Option<guest::Name>, Lane>,
    turn: VecDeque<Option<guest::Name>>,
}

impl Spool {
    /// An empty spool that holds so many bytes.
    pub fn new(bound: usize) -> Self {
        Self { bound, bytes: 0, lanes: HashMap::new(), turn: VecDeque::new() }
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes an alert in. Gives back what had to be refused for it: it itself, or newer ones of louder guests.
    pub fn push(&mut self, guest: Option<&guest::Name>, entry: Entry) -> Vec<(Option<guest::Name>, Entry)> {
        let cost = entry.text.cost();
        let mut refused = Vec::new();
        while self.bytes + cost > self.bound {
            let own = self.lanes.get(&guest.cloned()).map_or(0, |lane| lane.bytes);
            let loudest = self.lanes.iter().max_by_key(|(_, lane)| lane.bytes);
            let loudest = loudest.filter(|(_, lane)| lane.bytes > own + cost).map(|(name, _)| name.clone());
            match loudest.and_then(|name| self.drop_newest(&name).map(|entry| (name, entry))) {
                Some(dropped) => refused.push(dropped),
                None => {
                    refused.push((guest.cloned(), entry));
                    return refused;
                }
            }
        }
        let key = guest.cloned();
        let lane = self.lanes.entry(key.clone()).or_default();
        if lane.queue.is_empty() {
            self.turn.push_back(key);
        }
        lane.queue.push_back(entry);
        lane.bytes += cost;
        self.bytes += cost;
        refused
    }

    /// Takes alerts out, one of each guest in turn, until there are so many bytes of text or none are left.
    pub fn take(&mut self, bytes: usize) -> Vec<Entry> {
        let mut taken = Vec::new();
        let mut size = 0;
        while size < bytes
            && let Some(name) = self.turn.pop_front()
        {
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            if let Some(entry) = lane.queue.pop_front() {
                let cost = entry.text.cost();
                lane.bytes -= cost;
                self.bytes -= cost;
                size += cost;
                taken.push(entry);
            }
            if lane.queue.is_empty() {
                self.lanes.remove(&name);
            } else {
                self.turn.push_back(name);
            }
        }
        taken
    }

    fn drop_newest(&mut self, name: &Option<guest::Name>) -> Option<Entry> {
        let lane = self.lanes.get_mut(name)?;
        let entry = lane.queue.pop_back()?;
        let cost = entry.text.cost();
        lane.bytes -= cost;
        self.bytes -= cost;
        if lane.queue.is_empty() {
            self.lanes.remove(name);
            self.turn.retain(|waiting| waiting != name);
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::receipt::Outcome;

    fn entry(text: &str) -> Entry {
        Entry { text: Text::new(text.as_bytes(), 0), receipt: Receipt::none(), id: Id::default() }
    }

    fn texts(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.text.line()).collect()
    }

    #[test]
    fn guests_are_served_in_turn() {
        let mut spool = Spool::new(1 << 20);
        let (a, b) = (guest::Name::new("a"), guest::Name::new("b"));
        for at in 0..4 {
            assert!(spool.push(Some(&a), entry(&format!("a{at}"))).is_empty());
        }
        spool.push(Some(&b), entry("b0"));
        spool.push(None, entry("h0"));
        assert_eq!(texts(&spool.take(3 * (2 + OVERHEAD))), ["a0", "b0", "h0"]);
        assert_eq!(texts(&spool.take(usize::MAX)), ["a1", "a2", "a3"]);
        assert_eq!((spool.bytes(), spool.lanes.len(), spool.turn.len()), (0, 0, 0));
    }

    #[test]
    fn at_the_bound_the_loudest_guests_newest_alerts_are_refused() {
        let cost = 2 + OVERHEAD;
        let mut spool = Spool::new(5 * cost);
        let (a, b) = (guest::Name::new("a"), guest::Name::new("b"));
        let (receipt, progress) = Receipt::new();
        for at in 0..5 {
            let text = Text::new(format!("a{at}").as_bytes(), 0);
            assert!(spool.push(Some(&a), Entry { text, receipt: receipt.share(), id: Id::default() }).is_empty());
        }
        receipt.done();
        assert_eq!(progress.outcome(), Outcome::Open);
        assert_eq!(spool.push(Some(&a), entry("a5")).len(), 1, "the loud one itself is refused");
        let refused = spool.push(Some(&b), entry("b0"));
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].1.text.line(), "a4");
        drop(refused);
        assert_eq!(progress.outcome(), Outcome::Dropped, "its line is read again");
        spool.push(Some(&b), entry("b1"));
        assert_eq!(spool.push(Some(&b), entry("b2"))[0].1.text.line(), "b2", "now both hold about the same");
        assert_eq!(texts(&spool.take(usize::MAX)), ["a0", "b0", "a1", "b1", "a2"]);
        assert_eq!(spool.push(Some(&a), entry(&"x".repeat(10_000))).len(), 1, "larger than the whole spool");
        assert_eq!(spool.bytes(), 0);
    }
}
