//! The earlier files of a path: renamed, copied and emptied, or come and gone between two looks.
//!
//! They lie in the same folder and are known by inode and contents; those that nobody has seen by their names and the
//! time at which they were made. What cannot be found is counted as lost and told.

use super::cursor::{Cursor, Match};
use super::followed::{Followed, Found};
use super::look::{Eye, at, compressed};
use super::report::Health;
use super::shelf::key;
use super::tail::Tail;
use crate::guest::FileKind;
use crate::store::Table;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Names of a folder that are looked through.
const NAMES: usize = 2_000;
/// Files of a folder that are opened and compared.
const CANDIDATES: usize = 64;
/// Clocks of file systems are coarse.
const COARSE: Duration = Duration::from_millis(20);

/// A file of the folder that may be an earlier generation.
struct Candidate {
    path: PathBuf,
    found: Found,
}

impl Eye<'_> {
    /// Finds this path's earlier files that were not read to their ends, and, if `since` is given, those that came and
    /// went since then.
    pub(super) fn find_unfinished(&self, tail: &mut Tail, current: &Found, since: Option<SystemTime>) {
        let unfinished = self.owner.shelf().of(&self.place.path).any(|(_, saved)| !saved.cursor.retired);
        if unfinished || since.is_some() {
            self.find_generations(tail, Some((current.device, current.inode)), since);
        }
    }

    pub(super) fn find_generations(&self, tail: &mut Tail, current: Option<(u64, u64)>, since: Option<SystemTime>) {
        let mut candidates = self.candidates(tail, current, None);
        let rows: Vec<u64> = self
            .owner
            .shelf()
            .of(&self.place.path)
            .filter(|(_, saved)| !saved.cursor.retired)
            .map(|(inode, _)| inode)
            .collect();
        let mut files: Vec<(SystemTime, Followed)> = Vec::new();
        let mut emptied = Vec::new();
        for row in rows {
            let Some(saved) = self.owner.shelf().take(&self.place.path, row) else { continue };
            let is_it = |candidate: &Candidate| {
                let like = saved.cursor.compare(&candidate.found.file, candidate.found.size).ok()?;
                let fresh = saved.cursor.head_length > 0
                    && named_like(&self.place.path, &candidate.path)
                    && made(&candidate.found) + COARSE >= saved.cursor.looked;
                let named = saved.cursor.inode == candidate.found.inode || saved.cursor.proves() || fresh;
                (named && like == Match::Same).then_some(())
            };
            let by_inode = candidates.iter().position(|c| c.found.inode == row && is_it(c).is_some());
            if by_inode.is_none() {
                emptied.push(row);
            }
            let Some(index) = by_inode.or_else(|| candidates.iter().position(|c| is_it(c).is_some())) else {
                let unread = saved.cursor.size.saturating_sub(saved.cursor.position);
                self.lost(unread, "the file that was being read is no longer in its folder");
                self.store.note(Table::Positions, &key(&self.owner.key, &self.place.path, row), None);
                continue;
            };
            let candidate = candidates.remove(index);
            if candidate.found.inode != row {
                self.store.note(Table::Positions, &key(&self.owner.key, &self.place.path, row), None);
            }
            let (modified, size) = (candidate.found.modified, candidate.found.size);
            if let Ok(file) = self.resume(candidate.found, saved, Match::Same) {
                if tail.sighted.is_none() && files.is_empty() && tail.files.is_empty() {
                    self.again(tail, &file);
                }
                files.push((modified, file.late_until(size)));
            }
        }
        if let Some(since) = since {
            self.missed(tail, candidates, since, &emptied, &mut files);
        }
        files.sort_by_key(|(modified, _)| *modified);
        for (_, file) in &files {
            let (inode, at) = (file.inode, file.read());
            tracing::debug!(inode, at, "{}: an earlier file is read on", self.place.source.location);
        }
        for (_, mut file) in files {
            file.replaced = Some(self.now);
            while tail.files.len() >= self.generations() {
                self.forget_oldest(tail);
            }
            tail.files.push_back(file);
        }
    }

    /// Generations that came and went between two looks: named like the path, made since the last look, and no copy of
    /// anything known.
    ///
    /// `emptied` are inodes of files that were read before and hold other contents now: they were truncated and then
    /// rotated away, so they count from their first bytes although they are old.
    fn missed(
        &self,
        tail: &Tail,
        rest: Vec<Candidate>,
        since: SystemTime,
        emptied: &[u64],
        files: &mut Vec<(SystemTime, Followed)>,
    ) {
        let late = tail.sighted.is_none();
        for candidate in rest {
            let found = candidate.found;
            let fresh =
                made(&found) + COARSE >= since || (emptied.contains(&found.inode) && found.modified + COARSE >= since);
            if !named_like(&self.place.path, &candidate.path) || !fresh || found.size == 0 {
                continue;
            }
            let is_copy = |cursor: &Cursor, mine: bool| {
                let proof = (cursor.inode == found.inode && cursor.head_length > 0)
                    || (mine && cursor.proves())
                    || cursor.proves_elsewhere();
                proof && cursor.compare(&found.file, found.size).is_ok_and(|like| like != Match::Other)
            };
            let known = self.owner.shelf().all().any(|(path, saved)| is_copy(&saved.cursor, path == self.place.path))
                || tail.files.iter().any(|file| is_copy(&file.likeness(), true))
                || files.iter().any(|(_, file)| is_copy(&file.likeness(), true));
            if known || compressed(&found).map_or(true, |how| how.is_some()) {
                continue;
            }
            let (modified, size) = (found.modified, found.size);
            let file = Followed::from_first(found, self.place.format, self.now);
            files.push((modified, file.late_until(if late { size } else { 0 })));
        }
    }

    /// Files were truncated, and perhaps written anew: their copies are found by their beginnings and read on from where
    /// we were; then the files are read from their first bytes.
    pub(super) fn rewritten(&self, tail: &mut Tail) {
        while let Some(index) = tail.files.iter().position(|file| file.rewritten) {
            let Some(old) = tail.files.remove(index) else { return };
            let was_current = tail.has_current && index == tail.files.len();
            tail.has_current &= !was_current;
            let files = self.after_truncation(tail, old);
            let last = files.len();
            for (number, mut file) in files.into_iter().enumerate() {
                let is_current = was_current && number + 1 == last && file.replaced.is_none();
                if !is_current {
                    file.replaced.get_or_insert(self.now);
                }
                tail.has_current |= is_current;
                tail.files.insert(index + number, file);
            }
            while tail.files.len() > self.generations() {
                self.forget_oldest(tail);
            }
        }
    }

    /// What to read after a file was truncated, oldest first: its copy, what came and went meanwhile, the file itself.
    fn after_truncation(&self, tail: &mut Tail, mut old: Followed) -> Vec<Followed> {
        old.rewritten = false;
        let (likeness, unread) = (old.likeness(), old.size.saturating_sub(old.read()));
        let (device, inode, odd, replaced) = (old.device, old.inode, old.odd, old.replaced);
        let Some(found) = old.file.as_deref().and_then(|open| open.try_clone().ok()).and_then(|file| {
            let facts = file.metadata().ok()?;
            let modified = facts.modified().unwrap_or(self.wall);
            Some(Found { file, inode, device, size: facts.len(), modified, odd })
        }) else {
            return vec![old];
        };
        let (size, modified) = (found.size, found.modified);
        // Shortened, its beginning kept: what is left has been read.
        let shortened = size > 0 && likeness.compare(&found.file, size).is_ok_and(|like| like == Match::Shorter);
        let mut files = Vec::new();
        if !shortened {
            let text = format!("ossec: File size reduced (inode remained): '{}'.", self.place.source.location);
            tail.announce(text, self.now);
            let mut candidates = self.candidates(tail, Some((device, inode)), None);
            let since = tail.sighted;
            let copy = candidates.iter().position(|candidate| {
                let fresh = since.is_some_and(|since| made(&candidate.found) + COARSE >= since);
                let weak = likeness.position > 0 && fresh && named_like(&self.place.path, &candidate.path);
                let size = candidate.found.size;
                (likeness.proves() || weak)
                    && likeness.compare(&candidate.found.file, size).is_ok_and(|like| like == Match::Same)
            });
            let copy = copy.map(|index| candidates.remove(index).found);
            let (to, at) = (copy.as_ref().map(|copy| copy.inode), likeness.position);
            tracing::debug!(inode, at, ?to, "{}: truncated, read on in its copy", self.place.source.location);
            if let Some(since) = since {
                self.missed(tail, candidates, since, &[], &mut files);
            }
            self.leave_to(&mut old, copy, unread);
        } else {
            self.leave_to(&mut old, None, unread);
        }
        let fresh = match shortened {
            true => at(found, self.place.format, self.now, size, false),
            false => Ok(Followed::from_first(found, self.place.format, self.now)),
        };
        match fresh {
            Ok(mut fresh) => {
                fresh.replaced = replaced;
                files.push((modified, fresh));
            }
            Err(error) => tail.health = Health::Unreadable(error.to_string()),
        }
        files.sort_by_key(|(modified, _)| *modified);
        std::iter::once(old).chain(files.into_iter().map(|(_, file)| file)).collect()
    }

    /// What was read of a truncated file goes on in its copy, or ends.
    fn leave_to(&self, old: &mut Followed, copy: Option<Found>, unread: u64) {
        old.replaced.get_or_insert(self.now);
        match copy {
            Some(copy) => {
                (old.inode, old.device, old.odd) = (copy.inode, copy.device, copy.odd);
                old.size = copy.size;
                old.file = Some(Arc::new(copy.file));
                old.pending.touch();
            }
            None => {
                self.lost(unread, "the file was truncated, and no copy of it is in its folder");
                old.file = None;
                old.gone = true;
                old.must_flush = true;
            }
        }
    }

    /// The file is empty as far as it was read: it may have been filled, copied and emptied between two looks.
    pub(super) fn while_empty(&self, tail: &mut Tail, since: SystemTime) {
        let candidates = self.candidates(tail, None, Some(since));
        let mut files = Vec::new();
        self.missed(tail, candidates, since, &[], &mut files);
        files.sort_by_key(|(modified, _)| *modified);
        for (_, mut file) in files {
            let (inode, before) = (file.inode, tail.files.len().saturating_sub(1));
            tracing::debug!(inode, "{}: filled and emptied between two looks", self.place.source.location);
            file.replaced = Some(self.now);
            tail.files.insert(before, file);
        }
        while tail.files.len() > self.generations() {
            self.forget_oldest(tail);
        }
    }

    /// Regular files of the folder that nobody follows, those named like the path first; with `since` only those whose
    /// facts have changed since then.
    fn candidates(&self, tail: &Tail, current: Option<(u64, u64)>, since: Option<SystemTime>) -> Vec<Candidate> {
        let Some(folder) = self.place.path.parent() else { return Vec::new() };
        let listing = match self.tree.list_folder(folder, NAMES) {
            Ok(listing) => listing,
            Err(error) => {
                tracing::debug!("collect: {error}");
                return Vec::new();
            }
        };
        let mut names: Vec<PathBuf> = listing
            .entries
            .into_iter()
            .filter(|entry| matches!(entry.kind, FileKind::Regular | FileKind::Unknown))
            .map(|entry| folder.join(entry.name))
            .filter(|path| *path != self.place.path)
            .collect();
        if let Some(since) = since {
            names.retain(|path| named_like(&self.place.path, path));
            let facts = self.tree.stat_all(names.clone()).unwrap_or_default();
            let mut facts = facts.into_iter();
            names.retain(|_| facts.next().flatten().is_some_and(|facts| facts.ctime + COARSE >= since));
        }
        names.sort_by_key(|path| (!named_like(&self.place.path, path), path.clone()));
        names.truncate(CANDIDATES);
        let mine: BTreeSet<(u64, u64)> =
            tail.files.iter().filter(|f| f.file.is_some()).map(|f| (f.device, f.inode)).chain(current).collect();
        let mut candidates = Vec::new();
        for path in names {
            let Ok(opened) = self.tree.open_log(&path) else { continue };
            let identity = (opened.meta.dev, opened.meta.ino);
            if mine.contains(&identity) || (self.claimed)(identity.0, identity.1).is_some() {
                continue;
            }
            let found = Found {
                file: opened.file,
                inode: opened.meta.ino,
                device: opened.meta.dev,
                size: opened.meta.size,
                modified: opened.meta.mtime,
                odd: opened.odd,
            };
            // A file on FUSE may hang in every comparison: such copies are not looked for.
            if !found.odd {
                candidates.push(Candidate { path, found });
            }
        }
        candidates
    }
}

/// Tells whether a file's name begins with the path's own: `auth.log.1`, `auth.log-20261124`.
fn named_like(path: &Path, other: &Path) -> bool {
    match (path.file_name(), other.file_name()) {
        (Some(name), Some(other)) => other.as_bytes().starts_with(name.as_bytes()),
        _ => false,
    }
}

/// When a file was made, where the file system knows; else when it was last written.
fn made(found: &Found) -> SystemTime {
    found.file.metadata().and_then(|facts| facts.created()).unwrap_or(found.modified)
}
