//! The cursors of one owner that no open file is using: read from the store at its arrival, and left by files that were
//! read to their ends.

use super::cursor::Cursor;
use super::pending::Pending;
use std::collections::BTreeMap;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Finished files that are remembered for one path.
const RETIRED: usize = 8;
/// Rows of one owner.
const ROWS: usize = 4_096;

/// A saved cursor.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) cursor: Cursor,
    /// Batches of it that are still under way, left by a collector of this owner that ended a moment ago.
    pub(super) pending: Option<Pending>,
}

/// The cursors, by path and inode.
#[derive(Debug, Default)]
pub(super) struct Shelf(BTreeMap<(PathBuf, u64), Saved>);

impl Shelf {
    /// Puts a cursor on the shelf, and takes what there is too much of away: the keys are to be deleted.
    pub(super) fn put(&mut self, path: &Path, saved: Saved) -> Vec<(PathBuf, u64)> {
        self.0.insert((path.to_owned(), saved.cursor.inode), saved);
        let mut old: Vec<_> = self
            .of(path)
            .filter(|(_, saved)| saved.cursor.retired)
            .map(|(inode, saved)| (saved.cursor.looked, inode))
            .collect();
        old.sort_unstable();
        let mut gone: Vec<(PathBuf, u64)> =
            old.iter().take(old.len().saturating_sub(RETIRED)).map(|(_, inode)| (path.to_owned(), *inode)).collect();
        if self.0.len() - gone.len() > ROWS {
            let oldest = self.0.iter().filter(|(_, saved)| saved.cursor.retired).min_by_key(|(_, s)| s.cursor.looked);
            gone.extend(oldest.map(|(key, _)| key.clone()));
        }
        for key in &gone {
            self.0.remove(key);
        }
        gone
    }

    /// The cursors of a path, by inode.
    pub(super) fn of(&self, path: &Path) -> impl Iterator<Item = (u64, &Saved)> {
        let from = (path.to_owned(), 0);
        let to = (path.to_owned(), u64::MAX);
        self.0.range(from..=to).map(|((_, inode), saved)| (*inode, saved))
    }

    /// All cursors.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Path, &Saved)> {
        self.0.iter().map(|((path, _), saved)| (path.as_path(), saved))
    }

    /// Takes one cursor.
    pub(super) fn take(&mut self, path: &Path, inode: u64) -> Option<Saved> {
        self.0.remove(&(path.to_owned(), inode))
    }
}

/// The key of a row: owner, path and inode.
pub(super) fn key(owner: &[u8], path: &Path, inode: u64) -> Vec<u8> {
    let mut key = prefix(owner);
    key.extend_from_slice(path.as_os_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&inode.to_be_bytes());
    key
}

/// What the keys of an owner's rows begin with.
pub(super) fn prefix(owner: &[u8]) -> Vec<u8> {
    let mut key = owner.to_vec();
    key.push(0);
    key
}

/// Path and inode of a key that begins with the owner's prefix.
pub(super) fn parse(owner: &[u8], key: &[u8]) -> Option<(PathBuf, u64)> {
    let rest = key.strip_prefix(prefix(owner).as_slice())?;
    let (path, inode) = rest.split_at(rest.len().checked_sub(9)?);
    let inode = u64::from_be_bytes(inode[1..].try_into().ok()?);
    Some((PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())), inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn saved(inode: u64, retired: bool) -> Saved {
        let cursor = Cursor {
            inode,
            device: 0,
            head_length: 0,
            head: [0; 16],
            position: 0,
            seam_length: 0,
            seam: [0; 16],
            skipping: false,
            size: 0,
            looked: UNIX_EPOCH + Duration::from_secs(inode),
            retired,
        };
        Saved { cursor, pending: None }
    }

    #[test]
    fn keys_come_apart_again() {
        let path = Path::new("/var/log/a\u{1}b");
        let row = key(b"gweb", path, 0x0102);
        assert_eq!(parse(b"gweb", &row), Some((path.to_owned(), 0x0102)));
        assert_eq!(parse(b"gwe", &row), None);
        assert_eq!(parse(b"gweb", b"gweb\0short"), None);
    }

    #[test]
    fn only_the_last_finished_files_are_remembered() {
        let mut shelf = Shelf::default();
        let path = Path::new("/x");
        let mut gone = Vec::new();
        for inode in 1..=20 {
            gone.extend(shelf.put(path, saved(inode, inode != 3)));
        }
        assert_eq!(gone.len(), 11);
        assert!(shelf.of(path).any(|(inode, _)| inode == 3), "an unfinished one stays");
        assert!(shelf.of(path).any(|(inode, _)| inode == 20));
        assert_eq!(shelf.of(Path::new("/")).count(), 0);
    }
}
