//! A look at one path: does it still name the file that is followed, and if not, what became of that?
//!
//! A file that nobody has seen before begins where [`super::start`] says; one that was read before, under whatever name,
//! where its cursor says. What became of the path's earlier files is found in [`super::generations`].

use super::cursor::{HEAD_MAX, Match, SEAM_MAX, read_at};
use super::followed::{Followed, Found, Role};
use super::lines::LINE_MAX;
use super::owner::Owner;
use super::place::Place;
use super::report::Health;
use super::shelf::{Saved, key};
use super::tail::{GENERATIONS, Tail, seconds, tell_lost};
use super::{Config, start::Start};
use crate::guest::{Error, Kind, OpenFile, Tree};
use crate::store::{Store, Table};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A file that appears with contents older than this was not just written.
const OLD: Duration = Duration::from_secs(60);

/// What a look needs.
pub(super) struct Eye<'a> {
    pub(super) owner: &'a Owner,
    pub(super) tree: &'a Arc<Tree>,
    pub(super) place: &'a Place,
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) now: Instant,
    /// Before the path was opened.
    pub(super) wall: SystemTime,
    /// Where a file begins that nobody has seen before.
    pub(super) start: Start,
    /// Files that other places of the owner follow, by device and inode.
    pub(super) claimed: &'a dyn Fn(u64, u64) -> Option<PathBuf>,
}

impl Eye<'_> {
    /// Takes in what opening the path has given. May block for as long as the guest's file system takes, bounded by the
    /// tree's patience for each call.
    pub(super) fn look(&self, tail: &mut Tail, opened: Result<OpenFile, Error>) {
        shelve_retired(self.owner, self.store, &self.place.path, tail);
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
                self.rewritten(tail);
                self.resume_missing(tail);
                return;
            }
        };
        let found = Found::from(opened);
        if matches!(tail.health, Health::Missing | Health::Refused(_) | Health::Unreadable(_) | Health::Passed(_)) {
            tail.health = Health::Good;
        }
        self.rewritten(tail);
        let same = tail.current().is_some_and(|now| (now.device, now.inode) == (found.device, found.inode));
        if !same {
            self.another(tail, found);
        }
        tail.sighted = Some(self.wall);
    }

    /// The path names nothing that can be followed.
    fn missing(&self, tail: &mut Tail, health: Health) {
        if let Some(current) = tail.current() {
            current.replaced = Some(self.now);
            tail.has_current = false;
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
            return;
        }
        let had_one = !tail.files.is_empty() || tail.sighted.is_some();
        tracing::debug!(
            inode = found.inode,
            size = found.size,
            had_one,
            "{}: another file",
            self.place.source.location
        );
        self.replace_current(tail, true);
        self.begin(tail, found, had_one);
    }

    fn replace_current(&self, tail: &mut Tail, told: bool) {
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
        let looked = |retired: bool| {
            let rows = shelf.of(&self.place.path).filter(|(_, saved)| saved.cursor.retired == retired);
            rows.map(|(_, saved)| saved.cursor.looked).max()
        };
        // Without a file of the last run at hand, what has retired says when this path was looked at last.
        let since = tail.sighted.or_else(|| looked(false)).or_else(|| looked(true).max(self.owner.last_alive));
        if let Some((path, inode, like)) = known {
            let saved = shelf.take(&path, inode);
            drop(shelf);
            if path != self.place.path || inode != found.inode {
                self.store.note(Table::Positions, &key(&self.owner.key, &path, inode), None);
            }
            let Some(saved) = saved else { return };
            // A file that was empty when it was last seen may have been filled, copied and emptied since.
            let since = since.filter(|_| saved.cursor.head_length == 0);
            self.find_unfinished(tail, &found, since);
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
        while tail.files.len() >= self.generations() {
            self.forget_oldest(tail);
        }
        tail.files.push_back(file);
        tail.has_current = true;
    }

    /// How many files one path may hold open: two while its owner holds many already, so that a guest with a thousand
    /// files that are all rotated without end does not use up everybody's descriptors.
    pub(super) fn generations(&self) -> usize {
        if self.owner.is_crowded(self.config) { 2 } else { GENERATIONS }
    }

    /// There are too many files of this path at once: the oldest is given up, what is unread of it is lost.
    pub(super) fn forget_oldest(&self, tail: &mut Tail) {
        if let Some(file) = tail.files.pop_front() {
            if file.role == Role::Follow && !file.gone {
                let unread = file.size.saturating_sub(file.handed());
                self.lost(unread, "its path named too many files at once");
                tail.erased.push(file.inode);
            }
            tail.health = Health::Restless("too many files at once".into());
        }
    }

    pub(super) fn lost(&self, bytes: u64, why: &str) {
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
    pub(super) fn resume(&self, found: Found, saved: Saved, like: Match) -> io::Result<Followed> {
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
    pub(super) fn again(&self, tail: &mut Tail, file: &Followed) {
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
}

/// Opens a file at a position: reads its first bytes and those before the position.
pub(super) fn at(
    found: Found,
    format: super::Format,
    now: Instant,
    position: u64,
    skipping: bool,
) -> io::Result<Followed> {
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
pub(super) fn compressed(found: &Found) -> io::Result<Option<&'static str>> {
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
    let gone = owner.shelf().put(path, saved);
    for (path, inode) in gone {
        store.note(Table::Positions, &key(&owner.key, &path, inode), None);
    }
}

/// Puts the files that a tail has read to their ends on the owner's shelf, and notes them to be saved.
pub(super) fn shelve_retired(owner: &Owner, store: &Store, path: &Path, tail: &mut Tail) {
    for cursor in std::mem::take(&mut tail.retired) {
        store.note(Table::Positions, &key(&owner.key, path, cursor.inode), Some(cursor.encode()));
        shelve(owner, store, path, Saved { cursor, pending: None });
    }
}
