//! store: the embedded database; what must survive a `kill -9`.
//!
//! Holds one file of typed tables of bytes. Comes in: [`Commit`]s, sets of changes that become true together or not at
//! all, and notes that are collected until somebody commits them. Goes out: bytes. It knows nothing of what the bytes
//! mean. Touches its one file, and moves that file aside, loudly, when it cannot be read. Every call blocks for as long
//! as the disk takes: none belongs on an async thread.
#![forbid(unsafe_code)]

mod commit;
mod error;
mod migrate;
mod open;

#[cfg(test)]
mod tests;

pub use commit::{Commit, Table};
pub use error::{Error, Kind};

use error::guarded;
use redb::{Database, ReadableDatabase};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The longest key, in bytes.
pub const KEY_MAX: usize = 8 * 1024;
/// The largest value, in bytes.
pub const VALUE_MAX: usize = 64 * 1024 * 1024;

/// The embedded database. Shared by reference; all methods take `&self`.
#[derive(Debug)]
pub struct Store {
    /// Where the file lies; `None` for a store in memory.
    path: Option<PathBuf>,
    /// Empty after a failed write, until the next call opens the file anew: the database refuses everything after its
    /// first write error (a full disk), although the disk may have room again.
    database: RwLock<Option<Arc<Database>>>,
    noted: Mutex<Commit>,
    notices: Vec<String>,
}

impl Store {
    /// Opens the database at a path, making the file (mode 0600) and its folder where they are missing, checks it and
    /// brings it to the present schema. A file that cannot be read (damaged, foreign, from a newer hids) is renamed to
    /// `PATH.damaged-SECONDS` or `PATH.newer-SECONDS` and an empty one takes its place; [`Store::notices`] says so.
    ///
    /// # Errors
    /// [`Kind::Busy`] if another process holds the file, [`Kind::Io`] if the file can neither be opened nor made.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let opened = open::open(path)?;
        Ok(Self {
            path: Some(path.to_owned()),
            database: RwLock::new(Some(Arc::new(opened.database))),
            noted: Mutex::default(),
            notices: opened.notices,
        })
    }

    /// Makes an empty store in memory, for those who keep nothing (`replay`, tests).
    ///
    /// # Errors
    /// [`Kind::Io`] if the database cannot be set up.
    pub fn volatile() -> Result<Self, Error> {
        let database = open::volatile()?;
        Ok(Self {
            path: None,
            database: RwLock::new(Some(Arc::new(database))),
            noted: Mutex::default(),
            notices: Vec::new(),
        })
    }

    /// What went wrong while opening, in words for the operator: what was moved aside, and what that means. Empty when
    /// all was well.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Reads the value of a key.
    ///
    /// # Errors
    /// [`Kind::Io`] or [`Kind::Damaged`] from the file.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let database = self.database()?;
        self.checked(guarded(|| {
            let reading = database.begin_read()?;
            let rows = reading.open_table(table.definition())?;
            Ok(rows.get(key)?.map(|value| value.value().to_vec()))
        }))
    }

    /// Walks the rows whose keys begin with a prefix, in the order of their keys, until `visit` breaks off.
    ///
    /// # Errors
    /// [`Kind::Io`] or [`Kind::Damaged`] from the file.
    pub fn walk(
        &self,
        table: Table,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let database = self.database()?;
        self.checked(guarded(|| {
            let reading = database.begin_read()?;
            let rows = reading.open_table(table.definition())?;
            for row in rows.range(prefix..)? {
                let (key, value) = row?;
                if !key.value().starts_with(prefix) || visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        }))
    }

    /// Makes a set of changes true, all together, and on the disk when it returns.
    ///
    /// # Errors
    /// [`Kind::Io`] (a full disk among them; the next call tries afresh), [`Kind::Damaged`], or [`Kind::TooLarge`]
    /// beyond [`KEY_MAX`] and [`VALUE_MAX`]. Nothing of the set is true then.
    pub fn commit(&self, commit: &Commit) -> Result<(), Error> {
        commit.check()?;
        if commit.is_empty() {
            return Ok(());
        }
        let database = self.database()?;
        let done = guarded(|| {
            let writing = database.begin_write()?;
            commit.apply(&writing)?;
            writing.commit()?;
            Ok(())
        });
        drop(database);
        self.checked(done)
    }

    /// Keeps a change until the next [`Store::commit_noted`]; a later note on the same key replaces it. Never touches
    /// the disk. What is noted before a receipt is given back is committed no later than the position behind it.
    pub fn note(&self, table: Table, key: &[u8], value: Option<Vec<u8>>) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).change(table, key, value);
    }

    /// Commits everything noted so far in one go and tells how many changes that were. After a failure they stay noted.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn commit_noted(&self) -> Result<usize, Error> {
        let commit = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        let done = self.commit(&commit);
        if let Err(error) = done {
            if error.kind() != Kind::TooLarge {
                self.noted.lock().unwrap_or_else(PoisonError::into_inner).put_back(commit);
            }
            return Err(error);
        }
        Ok(commit.len())
    }

    fn database(&self) -> Result<Arc<Database>, Error> {
        if let Some(database) = &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(database));
        }
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*slot {
            return Ok(Arc::clone(database));
        }
        let database = Arc::new(match &self.path {
            Some(path) => open::reopen(path)?,
            None => open::volatile()?,
        });
        *slot = Some(Arc::clone(&database));
        Ok(database)
    }

    /// Lets go of the database after a failure of the file, so that the next call opens it anew.
    fn checked<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && matches!(error.kind(), Kind::Io | Kind::Damaged)
            && self.path.is_some()
        {
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        result
    }
}
