//! All that one judge remembers.

use super::book::Book;
use super::difference::Differences;
use super::history::{History, LinksOf};
use super::quiet::Quiet;
use super::seen::Seen;
use crate::pattern::Bits;
use crate::rules::Demand;
use std::sync::Arc;

/// What leads to an alert, as found while the current event was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shown {
    #[default]
    Nothing,
    Lines,
    Output,
}

/// The memory of a lane, or of the commons.
#[derive(Debug)]
pub(super) struct State {
    pub history: History,
    pub seen: Seen,
    pub quiet: Quiet,
    pub differences: Differences,
    /// Moves whenever what survives a restart has changed, beside the keys in `seen`.
    pub changes: u64,
    // What follows belongs to the current event.
    pub previous: Vec<Arc<[u8]>>,
    pub output: Vec<u8>,
    pub shown: Shown,
    pub mark: u32,
    pub key: Vec<u8>,
    pub bits: Bits,
}

impl State {
    pub(super) fn new(book: &Book, demand: Demand) -> Self {
        let options = book.options;
        Self {
            history: History::new(&book.rules, demand, options.sid_events, options.events),
            seen: Seen::new(options.fts_list_size, options.fts_min_size),
            quiet: Quiet::new(&book.rules),
            differences: Differences::default(),
            changes: 0,
            previous: Vec::new(),
            output: Vec::new(),
            shown: Shown::Nothing,
            mark: 0,
            key: Vec::new(),
            bits: Bits::default(),
        }
    }

    /// Begins a new event.
    pub(super) fn begin(&mut self) {
        self.previous.clear();
        self.shown = Shown::Nothing;
        self.mark = 0;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.begin();
        self.history.clear();
        self.seen.clear();
        self.quiet.clear();
        self.differences.clear();
        self.changes += 1;
    }

    /// The same memory under new rules: what their ids still stand for is kept.
    pub(super) fn adopt(self, before: &Book, after: &Book, demand: Demand, links: LinksOf) -> Self {
        let mut new = Self::new(after, demand);
        new.history.adopt(self.history, &after.rules, links);
        new.quiet.adopt(self.quiet, &before.rules, &after.rules);
        new.seen = self.seen;
        new.differences = self.differences;
        new.changes = self.changes;
        new
    }
}
