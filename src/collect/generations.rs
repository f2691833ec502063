//! The earlier files of a path: renamed, copied and emptied, or come and gone between two looks.
//!
//! They lie in the same folder and are known by inode and contents; those that nobody has seen by their names and the
//! time at which they were made. What cannot be found is counted as lost and told.

use super::cursor::{Cursor, HEAD_MAX, Match, read_at};
use super::followed::{Followed, Found};
use super::look::{Eye, at, compressed};
use super::naming::is_generation;
use super::report::Health;
use super::shelf::key;
use super::tail::Tail;
use crate::guest::FileKind;
use crate::store::Table;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Names of a folder that are looked through.
const NAMES: usize = 2_000;
/// Files of a folder that are opened and compared.
const CANDIDATES: usize = 64;
/// How often a folder is listed again while its names change.
const LISTINGS: usize = 3;
/// Clocks of file systems are coarse.
pub(super) const COARSE: Duration = Duration::from_millis(20);

/// A file of the folder that may be an earlier generation.
struct Candidate {
    path: PathBuf,
    found: Found,
}

/// Whether an earlier file was written over by a copy of one that is followed.
enum Overwritten {
    No,
    Perhaps,
    ByACopy,
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
        let mut candidates = self.candidates(tail, current);
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
                    && is_generation(&self.place.path, &candidate.path)
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
            if !is_generation(&self.place.path, &candidate.path) || !fresh || found.size == 0 {
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
        loop {
            // The one that the path names first: what was written over an earlier one may be its copy.
            let last = tail.files.len().checked_sub(1).filter(|&last| tail.has_current && tail.files[last].rewritten);
            let Some(index) = last.or_else(|| tail.files.iter().position(|file| file.rewritten)) else { return };
            let Some(mut old) = tail.files.remove(index) else { return };
            let was_current = tail.has_current && index == tail.files.len();
            tail.has_current &= !was_current;
            old.rewritten = false;
            let files = match if was_current { Overwritten::No } else { self.overwritten(tail, &old) } {
                Overwritten::No => self.after_truncation(tail, old),
                Overwritten::Perhaps => vec![old],
                Overwritten::ByACopy => {
                    self.leave_to(&mut old, None, 0);
                    vec![old]
                }
            };
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

    /// Was an earlier file written over by a copy of what is followed anyway, as `cp log log.1` does?
    fn overwritten(&self, tail: &mut Tail, old: &Followed) -> Overwritten {
        let Some(open) = old.file.clone() else { return Overwritten::No };
        let identity = (old.device, old.inode);
        if tail.files.iter().any(|file| file.file.is_some() && (file.device, file.inode) == identity) {
            return Overwritten::ByACopy;
        }
        let Some(current) = tail.current() else { return Overwritten::No };
        let (size, mine) = (open.metadata().map_or(0, |facts| facts.len()), first_bytes(&open));
        // Emptied: whatever is written into it next, a copy will be found once the file that it is of is cut.
        if mine.is_empty() {
            return Overwritten::ByACopy;
        }
        // Perhaps still being copied.
        let begins = current.file.as_deref().is_some_and(|now| first_bytes(now).starts_with(&mine));
        if current.read() > 0 {
            let alike = current.likeness().compare(&open, size).is_ok_and(|like| like != Match::Other);
            return if alike || begins { Overwritten::ByACopy } else { Overwritten::No };
        }
        // Nothing has been read of it that a copy could be known by: asked again as soon as something has.
        if begins { Overwritten::Perhaps } else { Overwritten::No }
    }

    /// What to read after a file was truncated, oldest first: its copy, what came and went meanwhile, the file itself.
    fn after_truncation(&self, tail: &mut Tail, mut old: Followed) -> Vec<Followed> {
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
            let mut candidates = self.candidates(tail, Some((device, inode)));
            let since = tail.sighted;
            let copy = candidates.iter().position(|candidate| {
                // A copy over an earlier one keeps that one's birth.
                let made = made(&candidate.found).max(candidate.found.modified);
                let fresh = since.is_some_and(|since| made + COARSE >= since);
                let weak = likeness.position > 0 && fresh && is_generation(&self.place.path, &candidate.path);
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

    /// Files named like generations of this path whose facts have changed since the last look, while the path names what
    /// it named before: one that was made since then and is no copy of it was filled, copied and emptied in between.
    /// Tells whether that is decided: not while nothing of the file has been read that a copy could be known by.
    pub(super) fn newcomers(&self, tail: &mut Tail, names: &[PathBuf], since: SystemTime) -> bool {
        let candidates = self.open_all(tail, names.to_vec(), &mut BTreeSet::new());
        let unread = tail.current().filter(|now| now.read() == 0 && !now.odd).and_then(|now| now.file.clone());
        let first = unread.as_deref().map(first_bytes).unwrap_or_default();
        let ambiguous = |candidate: &Candidate| !first.is_empty() && first_bytes(&candidate.found.file) == first;
        let (copies, rest): (Vec<_>, Vec<_>) = candidates.into_iter().partition(ambiguous);
        let mut files = Vec::new();
        self.missed(tail, rest, since, &[], &mut files);
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
        copies.is_empty()
    }

    /// Regular files of the folder that nobody follows, those named like generations of the path first. Listed again while
    /// names change, so that a file that is being renamed is not missed.
    fn candidates(&self, tail: &Tail, current: Option<(u64, u64)>) -> Vec<Candidate> {
        let Some(folder) = self.place.path.parent() else { return Vec::new() };
        let mut met: BTreeSet<(u64, u64)> = current.into_iter().collect();
        let mut candidates = Vec::new();
        let mut before: Vec<PathBuf> = Vec::new();
        for _ in 0..LISTINGS {
            let listing = match self.tree.list_folder(folder, NAMES) {
                Ok(listing) => listing,
                Err(error) => {
                    tracing::debug!("collect: {error}");
                    break;
                }
            };
            let mut names: Vec<PathBuf> = listing
                .entries
                .into_iter()
                .filter(|entry| matches!(entry.kind, FileKind::Regular | FileKind::Unknown))
                .map(|entry| folder.join(entry.name))
                .filter(|path| *path != self.place.path)
                .collect();
            names.sort_by_key(|path| (!is_generation(&self.place.path, path), path.clone()));
            names.truncate(CANDIDATES);
            if names == before {
                break;
            }
            candidates.extend(self.open_all(tail, names.clone(), &mut met));
            before = names;
        }
        candidates
    }

    /// Opens those of some files that nobody follows and that have not been met.
    fn open_all(&self, tail: &Tail, names: Vec<PathBuf>, met: &mut BTreeSet<(u64, u64)>) -> Vec<Candidate> {
        met.extend(tail.files.iter().filter(|f| f.file.is_some() && !turned(f)).map(|f| (f.device, f.inode)));
        let mut candidates = Vec::new();
        for path in names {
            let Ok(opened) = self.tree.open_log(&path) else { continue };
            let identity = (opened.meta.dev, opened.meta.ino);
            // One that is renamed while we look may be met twice.
            if !met.insert(identity) || (self.claimed)(identity.0, identity.1).is_some() {
                continue;
            }
            let found = Found::from(opened);
            // A file on FUSE may hang in every comparison: such copies are not looked for.
            if !found.odd {
                candidates.push(Candidate { path, found });
            }
        }
        candidates
    }
}

/// Does an earlier file hold other contents than those that were read of it?
fn turned(file: &Followed) -> bool {
    file.replaced.is_some()
        && file.file.as_deref().is_some_and(|open| {
            let size = open.metadata().map_or(0, |facts| facts.len());
            !file.odd && file.likeness().compare(open, size).is_ok_and(|like| like == Match::Other)
        })
}

/// A file's first bytes; empty where it cannot be read.
fn first_bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_MAX];
    let length = read_at(file, &mut bytes, 0).unwrap_or(0);
    bytes.truncate(length);
    bytes
}

/// When a file was made, where the file system knows; else when it was last written.
fn made(found: &Found) -> SystemTime {
    found.file.metadata().and_then(|facts| facts.created()).unwrap_or(found.modified)
}
