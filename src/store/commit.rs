//! A set of changes that become true together.

use super::error::{Error, Failure};
use super::{KEY_MAX, VALUE_MAX};
use redb::{TableDefinition, WriteTransaction};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The tables. Keys and values are bytes; who writes a table says what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The store's own: `schema`.
    Meta,
    /// How far files have been read.
    Positions,
    /// Guests and locations that have been seen before.
    Known,
    /// What a lane's judge keeps between runs.
    Lanes,
    /// The ledger of blocks.
    Blocks,
    /// What files looked like.
    Baselines,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; 6] =
        [Table::Meta, Table::Positions, Table::Known, Table::Lanes, Table::Blocks, Table::Baselines];

    pub(super) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(match self {
            Table::Meta => "meta",
            Table::Positions => "positions",
            Table::Known => "known",
            Table::Lanes => "lanes",
            Table::Blocks => "blocks",
            Table::Baselines => "baselines",
        })
    }
}

/// Changes to any tables that become true together or not at all. The last change of a key counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit(BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>);

impl Commit {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key's value.
    pub fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.change(table, key, Some(value));
    }

    /// Deletes a key, whether or not it is there.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.change(table, key, None);
    }

    /// Sets a key's value, or deletes the key for `None`.
    pub fn change(&mut self, table: Table, key: &[u8], value: Option<Vec<u8>>) {
        self.0.insert((table, key.to_vec()), value);
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes older changes back in; newer ones of the same keys win.
    pub(super) fn put_back(&mut self, older: Commit) {
        for (key, value) in older.0 {
            if let Entry::Vacant(slot) = self.0.entry(key) {
                slot.insert(value);
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        for ((table, key), value) in &self.0 {
            let length = value.as_ref().map_or(0, Vec::len);
            if key.len() > KEY_MAX || length > VALUE_MAX {
                return Err(Error::too_large(*table, key.len(), length));
            }
        }
        Ok(())
    }

    pub(super) fn apply(&self, writing: &WriteTransaction) -> Result<(), Failure> {
        let mut changes = self.0.iter().peekable();
        while let Some(((table, _), _)) = changes.peek() {
            let table = *table;
            let mut rows = writing.open_table(table.definition())?;
            while let Some(((_, key), value)) = changes.next_if(|((of, _), _)| *of == table) {
                match value {
                    Some(value) => rows.insert(key.as_slice(), value.as_slice())?,
                    None => rows.remove(key.as_slice())?,
                };
            }
        }
        Ok(())
    }
}
