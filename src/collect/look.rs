//! A look at one path: does it still name the file that is followed, and if not, what became of that?
//!
//! Here the files of a rotation are found: the renamed one, the copy of copytruncate, those that came and went between
//! two looks or while hids was down. They lie in the same folder and are known by inode and contents. What cannot be
//! found is counted as lost and told.

use super::cursor::{Cursor, HEAD_MAX, Match, SEAM_MAX, read_at};
use super::followed::{Followed, Found, Role};
use super::lines::LINE_MAX;
use super::owner::Owner;
use super::place::Place;
use super::report::Health;
use super::shelf::{Saved, key};
use super::tail::{GENERATIONS, Tail, seconds, tell_lost};
use super::{Config, start::Start};
use crate::guest::{Error, FileKind, Kind, OpenFile, Tree};
use crate::store::{Store, Table};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Names of a folder that are looked through.
const NAMES: usize = 2_000;
/// Files of a folder that are opened and compared.
const CANDIDATES: usize = 64;
/// A file that appears with contents older than this was not just written.
const OLD: Duration = Duration::from_secs(60);
/// Clocks of file systems are coarse.
const COARSE: Duration = Duration::from_millis(20);

/// What a look needs.
pub(super) struct Eye<'a> {
    pub(super) owner: &'a Owner,
    pub(super) tree: &'a Arc<Tree>,
    pub(super) place: &'a Place,
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) now: Instant,
    pub(super) wall: SystemTime,
    /// Where a file begins that nobody has seen before.
    pub(super) start: Start,
    /// Files that other places of the owner follow, by device and inode.
    pub(super) claimed: &'a dyn Fn(u64, u64) -> Option<PathBuf>,
}

/// A file of the folder that may be an earlier generation.
struct Candidate {
    path: PathBuf,
    found: Found,
}

impl Eye<'_> {
    /// Takes in what opening the path has given. May block for as long as the guest's file system takes, bounded by the
    /// tree's patience for each call.
    pub(super) fn look(&self, tail: &mut Tail, opened: Result<OpenFile, Error>) {
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                match error.kind() {
                    Kind::NotFound => self.missing(tail, Health::Missing),
                    Kind::NotRegular | Kind::SafetyViolation | Kind::Invalid | Kind::NotFolder => {
                        self.missing(tail, Health::Refused(error.to_string()));
                    }
                    Kind::Stuck => tail.health = Health::Stuck(error.to_string()),
                    _ => tail.health = Health::Unreadable(error.to_string()),
                }
                self.resume_missing(tail);
                return;
            }
        };
        let found = Found {
            file: opened.file,
            inode: opened.meta.ino,
            device: opened.meta.dev,
            size: opened.meta.size,
            modified: opened.meta.mtime,
            odd: opened.odd,
        };
        if matches!(tail.health, Health::Missing | Health::Refused(_) | Health::Unreadable(_) | Health::Passed(_)) {
            tail.health = Health::Good;
        }
        let same = tail.current().is_some_and(|now| (now.device, now.inode) == (found.device, found.inode));
        if same {
            if tail.rewritten {
                self.rewritten(tail);
            }
        } else {
            self.another(tail, found);
        }
        tail.sighted = Some(self.wall);
    }

    /// The path names nothing that can be followed.
    fn missing(&self, tail: &mut Tail, health: Health) {
        if let Some(current) = tail.current() {
            current.replaced = Some(self.now);
            tail.has_current = false;
            tail.rewritten = false;
        }
        tail.health = health;
    }

    /// The path names another file than before, or its first one.
    fn another(&self, tail: &mut Tail, found: Found) {
        let back = tail.files.iter().position(|file| {
            file.role == Role::Follow
                && file.file.is_some()
                && !file.gone
                && (file.device, file.inode) == (found.device, found.inode)
        });
        if let Some(index) = back {
            // Renamed away and back again.
            self.replace_current(tail, false);
            if let Some(mut file) = tail.files.remove(index) {
                file.replaced = None;
                tail.files.push_back(file);
                tail.has_current = true;
            }
            return;
        }
        if let Some(other) = (self.claimed)(found.device, found.inode) {
            self.replace_current(tail, true);
            tail.health = Health::Passed(format!("followed as {}", other.display()));
            return;
        }
        match compressed(&found) {
            Ok(Some(how)) => {
                self.replace_current(tail, true);
                tail.health = Health::Passed(format!("compressed ({how})"));
                return;
            }
            Ok(None) => {}
            Err(error) => {
                tail.health = Health::Unreadable(error.to_string());
                return;
            }
        }
        let moved = tail.current().is_some_and(|now| {
            let likeness = now.likeness();
            likeness.proves() && likeness.compare(&found.file, found.size).is_ok_and(|like| like == Match::Same)
        });
        if moved && let Some(current) = tail.current() {
            // The same contents under another inode: rewritten by an editor, or copied up by an overlay.
            let old = current.inode;
            (current.inode, current.device, current.odd) = (found.inode, found.device, found.odd);
            current.file = Some(Arc::new(found.file));
            tail.erased.push(old);
            tail.rewritten = false;
            return;
        }
        let had_one = !tail.files.is_empty() || tail.sighted.is_some();
        self.replace_current(tail, true);
        self.begin(tail, found, had_one);
    }

    fn replace_current(&self, tail: &mut Tail, told: bool) {
        tail.rewritten = false;
        let Some(current) = tail.current() else { return };
        current.replaced = Some(self.now);
        tail.has_current = false;
        if told {
            tail.announce(format!("ossec: File rotated (inode changed): '{}'.", self.place.source.location), self.now);
        }
    }

    /// Follows a file that this place has not followed before.
    fn begin(&self, tail: &mut Tail, found: Found, had_one: bool) {
        let mut shelf = self.owner.shelf();
        let mine: Vec<u64> = shelf.of(&self.place.path).map(|(inode, _)| inode).collect();
        let known = self.recognise(&shelf, &found);
        let since = mine
            .iter()
            .filter_map(|inode| shelf.of(&self.place.path).find(|(row, _)| row == inode))
            .map(|(_, saved)| saved.cursor.looked)
            .chain(tail.sighted)
            .max();
        if let Some((path, inode, like)) = known {
            let saved = shelf.take(&path, inode);
            drop(shelf);
            if path != self.place.path || inode != found.inode {
                self.store.note(Table::Positions, &key(&self.owner.key, &path, inode), None);
            }
            let Some(saved) = saved else { return };
            self.find_unfinished(tail, &found, None);
            let size = found.size;
            match self.resume(found, saved, like) {
                Ok(file) => {
                    if !had_one {
                        self.again(tail, &file);
                    }
                    self.push(tail, file.late_until(size));
                }
                Err(error) => tail.health = Health::Unreadable(error.to_string()),
            }
            return;
        }
        let any_of_mine = !mine.is_empty();
        drop(shelf);
        if any_of_mine || had_one {
            self.find_unfinished(tail, &found, since);
            let late = if had_one { 0 } else { found.size };
            self.push(tail, Followed::from_first(found, self.place.format, self.now).late_until(late));
            return;
        }
        let start = self.start.of(found.modified);
        if start != Start::End
            && let Some(original) = self.owner.original_of(self.place, &found)
        {
            tail.health = Health::Passed(format!("a copy of {}", original.display()));
            return;
        }
        let old = self.wall.duration_since(found.modified).is_ok_and(|age| age > OLD);
        let size = found.size;
        let file = match start {
            Start::End => match at_end(found, self.place.format, self.now) {
                Ok(file) => file,
                Err(error) => {
                    tail.health = Health::Unreadable(error.to_string());
                    return;
                }
            },
            Start::First { late } | Start::FirstUnlessOlder { late, .. } => {
                Followed::from_first(found, self.place.format, self.now).late_until(if late || old { size } else { 0 })
            }
        };
        self.push(tail, file);
    }

    /// Adds the file that the path names now.
    fn push(&self, tail: &mut Tail, file: Followed) {
        self.place.odd.store(file.odd, std::sync::atomic::Ordering::Relaxed);
        while tail.files.len() >= GENERATIONS {
            self.forget_oldest(tail);
        }
        tail.files.push_back(file);
        tail.has_current = true;
    }

    /// There are too many files of this path at once: the oldest is given up, what is unread of it is lost.
    fn forget_oldest(&self, tail: &mut Tail) {
        if let Some(file) = tail.files.pop_front() {
            if file.role == Role::Follow && !file.gone {
                let unread = file.size.saturating_sub(file.handed());
                self.lost(unread, "its path named too many files at once");
                tail.erased.push(file.inode);
            }
            tail.health = Health::Restless(format!("more than {GENERATIONS} files at once"));
        }
    }

    fn lost(&self, bytes: u64, why: &str) {
        tell_lost(&self.place.source, [&self.place.counters, &self.place.own], bytes, why);
    }

    /// Finds the saved cursor of a file: by inode and contents, or by contents that prove it.
    fn recognise(&self, shelf: &super::shelf::Shelf, found: &Found) -> Option<(PathBuf, u64, Match)> {
        let like =
            |saved: &Saved| saved.cursor.compare(&found.file, found.size).ok().filter(|like| *like != Match::Other);
        let of_inode = shelf.all().filter(|(path, saved)| {
            // An empty head proves nothing: only the same path's own file may go on from there.
            saved.cursor.inode == found.inode && (saved.cursor.head_length > 0 || *path == self.place.path)
        });
        let mut by_inode: Vec<_> = of_inode.collect();
        by_inode.sort_by_key(|(path, _)| *path != self.place.path);
        for (path, saved) in by_inode {
            if let Some(like) = like(saved) {
                return Some((path.to_owned(), saved.cursor.inode, like));
            }
        }
        let folder = self.place.path.parent();
        shelf
            .all()
            .filter(|(path, saved)| match *path == self.place.path {
                true => saved.cursor.proves(),
                false => path.parent() == folder && saved.cursor.proves_elsewhere(),
            })
            .filter(|(_, saved)| like(saved) == Some(Match::Same))
            // Of several the one that was read furthest.
            .max_by_key(|(_, saved)| saved.cursor.position)
            .map(|(path, saved)| (path.to_owned(), saved.cursor.inode, Match::Same))
    }

    /// Opens a file where its cursor says.
    fn resume(&self, found: Found, saved: Saved, like: Match) -> io::Result<Followed> {
        let position = if like == Match::Shorter { found.size } else { saved.cursor.position };
        let skipping = saved.cursor.skipping && like == Match::Same;
        let mut file = at(found, self.place.format, self.now, position, skipping)?;
        if let Some(pending) = saved.pending
            && like == Match::Same
        {
            file.inherit(pending);
        }
        Ok(file)
    }

    /// Puts the lines before a resumed position in front, to be judged again silently.
    fn again(&self, tail: &mut Tail, file: &Followed) {
        let Some(rejudge) = self.config.rejudge else { return };
        if !self.owner.rejudges {
            return;
        }
        let until = file.handed();
        let from = until.saturating_sub(rejudge.bytes);
        let Some(open) = file.file.as_deref().filter(|_| until > 0) else { return };
        let Ok(own) = open.try_clone() else { return };
        let found = Found {
            file: own,
            inode: file.inode,
            device: file.device,
            size: file.size,
            modified: self.wall,
            odd: file.odd,
        };
        // Begins behind the first line end, unless it begins with the file.
        if let Ok(mut before) = at(found, self.place.format, self.now, from, from > 0) {
            before.role = Role::Again(until);
            tail.again_since = seconds(self.wall) - i64::try_from(rejudge.within.as_secs()).unwrap_or(i64::MAX / 2);
            tail.files.push_back(before);
        }
    }

    /// While the path names nothing: what was left of its files is still read.
    fn resume_missing(&self, tail: &mut Tail) {
        if tail.sighted.is_none() && tail.files.is_empty() && matches!(tail.health, Health::Missing) {
            let since = self.owner.shelf().of(&self.place.path).map(|(_, saved)| saved.cursor.looked).max();
            if let Some(since) = since {
                self.find_generations(tail, None, Some(since));
                tail.sighted = Some(self.wall);
            }
        }
    }

    /// Finds this path's earlier files that were not read to their ends, and, if `since` is given, those that came and
    /// went since then.
    fn find_unfinished(&self, tail: &mut Tail, current: &Found, since: Option<SystemTime>) {
        let unfinished = self.owner.shelf().of(&self.place.path).any(|(_, saved)| !saved.cursor.retired);
        if unfinished || since.is_some() {
            self.find_generations(tail, Some((current.device, current.inode)), since);
        }
    }

    fn find_generations(&self, tail: &mut Tail, current: Option<(u64, u64)>, since: Option<SystemTime>) {
        let mut candidates = self.candidates(tail, current);
        let rows: Vec<u64> = self
            .owner
            .shelf()
            .of(&self.place.path)
            .filter(|(_, saved)| !saved.cursor.retired)
            .map(|(inode, _)| inode)
            .collect();
        let mut files: Vec<(SystemTime, Followed)> = Vec::new();
        for row in rows {
            let Some(saved) = self.owner.shelf().take(&self.place.path, row) else { continue };
            let is_it = |candidate: &Candidate| {
                let like = saved.cursor.compare(&candidate.found.file, candidate.found.size).ok()?;
                let named = saved.cursor.inode == candidate.found.inode || saved.cursor.proves();
                (named && like == Match::Same).then_some(())
            };
            let by_inode = candidates.iter().position(|c| c.found.inode == row && is_it(c).is_some());
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
            self.missed(tail, candidates, since, &mut files);
        }
        files.sort_by_key(|(modified, _)| *modified);
        for (_, mut file) in files {
            file.replaced = Some(self.now);
            while tail.files.len() >= GENERATIONS {
                self.forget_oldest(tail);
            }
            tail.files.push_back(file);
        }
    }

    /// Generations that came and went between two looks: named like the path, made since the last look, and no copy of
    /// anything known.
    fn missed(&self, tail: &Tail, rest: Vec<Candidate>, since: SystemTime, files: &mut Vec<(SystemTime, Followed)>) {
        let late = tail.sighted.is_none();
        for candidate in rest {
            let found = candidate.found;
            let made = born(&found.file).unwrap_or(found.modified);
            if !named_like(&self.place.path, &candidate.path) || made + COARSE < since || found.size == 0 {
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

    /// The file was truncated, and perhaps written anew: its copy is found by its beginning and read on from where we
    /// were; then the file is read from its first byte.
    fn rewritten(&self, tail: &mut Tail) {
        tail.rewritten = false;
        let Some(current) = tail.current() else { return };
        let (likeness, read, size) = (current.likeness(), current.read(), current.size);
        let (device, inode, odd, open) = (current.device, current.inode, current.odd, current.file.clone());
        let Some(open) = open else { return };
        let Ok(own) = open.try_clone() else { return };
        let now_size = own.metadata().map_or(0, |facts| facts.len());
        let found = Found { file: own, inode, device, size: now_size, modified: self.wall, odd };
        // Shortened, its beginning kept: what is left has been read.
        if now_size > 0
            && likeness.compare(&found.file, now_size).is_ok_and(|like| like == Match::Shorter)
            && let Ok(file) = at(found, self.place.format, self.now, now_size, false)
        {
            self.swap_current(tail, file, None, size.saturating_sub(read));
            return;
        }
        tail.announce(
            format!("ossec: File size reduced (inode remained): '{}'.", self.place.source.location),
            self.now,
        );
        let mut candidates = self.candidates(tail, Some((device, inode)));
        let recent = tail.sighted;
        let copy = candidates.iter().position(|candidate| {
            let fresh = recent
                .is_some_and(|since| born(&candidate.found.file).unwrap_or(candidate.found.modified) + COARSE >= since);
            let weak = read > 0 && fresh && named_like(&self.place.path, &candidate.path);
            (likeness.proves() || weak)
                && likeness.compare(&candidate.found.file, candidate.found.size).is_ok_and(|like| like == Match::Same)
        });
        let copy = copy.map(|index| candidates.remove(index));
        let mut missed = Vec::new();
        if let Some(since) = recent {
            self.missed(tail, candidates, since, &mut missed);
            missed.sort_by_key(|(modified, _)| *modified);
        }
        let Ok(own) = open.try_clone() else { return };
        let found = Found { file: own, inode, device, size: now_size, modified: self.wall, odd };
        let fresh = Followed::from_first(found, self.place.format, self.now);
        self.swap_current(tail, fresh, copy.map(|copy| copy.found), size.saturating_sub(read));
        let at = tail.files.len().saturating_sub(1);
        for (offset, (_, mut file)) in missed.into_iter().enumerate() {
            file.replaced = Some(self.now);
            tail.files.insert(at + offset, file);
        }
        while tail.files.len() > GENERATIONS {
            self.forget_oldest(tail);
        }
    }

    /// Puts a new beginning of the same file in place of the present one, which goes on in its copy, if there is one.
    fn swap_current(&self, tail: &mut Tail, fresh: Followed, copy: Option<Found>, unread: u64) {
        let Some(mut old) = tail.files.pop_back() else { return };
        old.replaced = Some(self.now);
        match copy {
            Some(copy) => {
                (old.inode, old.device, old.odd) = (copy.inode, copy.device, copy.odd);
                old.size = copy.size;
                old.file = Some(Arc::new(copy.file));
            }
            None => {
                self.lost(unread, "the file was truncated, and no copy of it is in its folder");
                old.file = None;
                old.gone = true;
                old.must_flush = true;
            }
        }
        tail.files.push_back(old);
        tail.files.push_back(fresh);
        tail.has_current = true;
    }

    /// Regular files of the folder that nobody follows, those named like the path first.
    fn candidates(&self, tail: &Tail, current: Option<(u64, u64)>) -> Vec<Candidate> {
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

/// When a file was made, where the file system knows.
fn born(file: &File) -> Option<SystemTime> {
    file.metadata().and_then(|facts| facts.created()).ok()
}

/// Opens a file at a position: reads its first bytes and those before the position.
fn at(found: Found, format: super::Format, now: Instant, position: u64, skipping: bool) -> io::Result<Followed> {
    let mut head = vec![0; HEAD_MAX];
    let length = read_at(&found.file, &mut head, 0)?;
    head.truncate(length);
    let mut back = vec![0; usize::try_from(position).unwrap_or(SEAM_MAX).min(SEAM_MAX)];
    let from = position.saturating_sub(back.len() as u64);
    let length = read_at(&found.file, &mut back, from)?;
    back.truncate(length);
    Ok(Followed::from_mark(found, format, now, (position, skipping), head, back))
}

/// Opens a file at its end: before the line that is just being written, if there is one.
fn at_end(found: Found, format: super::Format, now: Instant) -> io::Result<Followed> {
    let size = found.size;
    let mut last = vec![0; usize::try_from(size).unwrap_or(LINE_MAX).min(LINE_MAX)];
    let from = size - last.len() as u64;
    let length = read_at(&found.file, &mut last, from)?;
    last.truncate(length);
    let (position, skipping) = match memchr::memrchr(b'\n', &last) {
        Some(end) => (from + end as u64 + 1, false),
        None if from == 0 => (0, false),
        None => (size, true),
    };
    Ok(at(found, format, now, position, skipping)?.quiet_until(size))
}

/// The name of the compression, if the file begins with the mark of one.
fn compressed(found: &Found) -> io::Result<Option<&'static str>> {
    let mut first = [0; 6];
    if found.odd || read_at(&found.file, &mut first, 0)? < first.len() {
        return Ok(None);
    }
    let marks: [(&[u8], &str); 4] =
        [(b"\x1f\x8b", "gzip"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2")];
    Ok(marks.iter().find(|(mark, _)| first.starts_with(mark)).map(|(_, name)| *name))
}

/// Puts a cursor on the owner's shelf and notes what there is too much of for deletion.
pub(super) fn shelve(owner: &Owner, store: &Store, path: &Path, saved: Saved) {
    let gone = owner.shelf.lock().unwrap_or_else(PoisonError::into_inner).put(path, saved);
    for (path, inode) in gone {
        store.note(Table::Positions, &key(&owner.key, &path, inode), None);
    }
}
