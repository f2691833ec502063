//! One open file and how far it has been read: bytes in, lines out.
//!
//! Nothing here opens, waits or asks the clock. What is remembered is bounded: the file's first bytes until they are
//! hashed, the bytes before the incomplete line, the incomplete line itself, one unfinished event.

use super::assemble::{Assembled, Assembler};
use super::cursor::{Cursor, HEAD_MAX, Mark, SEAM_MAX, print};
use super::fetch::Portion;
use super::lines::Cutter;
use super::pending::Pending;
use super::{Format, fetch::PORTION};
use crate::event::{Freshness, Line};
use crate::guest::OpenFile;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A file that has not been read to its end for so long is a backlog: its lines are judged at their own stamps.
const BACKLOG: Duration = Duration::from_secs(2);
/// More lines than this end a portion early: 64 KiB of empty lines would cost a megabyte to describe.
const LINES_MAX: usize = 8_192;

/// The file's first bytes: kept until there are enough, then only their hash.
#[derive(Debug)]
enum Head {
    Growing(Vec<u8>),
    Full([u8; 16]),
}

/// Why a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// To follow it.
    Follow,
    /// To judge the lines before this offset once more, silently.
    Again(u64),
}

/// An open file.
#[derive(Debug)]
pub(super) struct Followed {
    /// The file; taken away when it must be let go of, while its batches are still under way.
    pub(super) file: Option<Arc<File>>,
    pub(super) inode: u64,
    pub(super) device: u64,
    /// Reads may hang.
    pub(super) odd: bool,
    pub(super) role: Role,
    /// Since when the path names another file, or none.
    pub(super) replaced: Option<Instant>,
    /// Its contents are gone (truncated, and no copy found): its position means nothing any more.
    pub(super) gone: bool,
    /// It holds other bytes than those that were read: a look must find its copy before it is read on.
    pub(super) rewritten: bool,
    /// What is unfinished of it is to be handed on at the next turn.
    pub(super) must_flush: bool,
    /// When its facts were last changed, and when its contents: a change of the first alone is a new name.
    pub(super) changed: (i64, i64),
    pub(super) pending: Pending,
    pub(super) size: u64,
    pub(super) links: u64,
    /// When bytes were last seen that had not been there before.
    pub(super) grown: Instant,
    head: Head,
    /// The bytes from [`SEAM_MAX`] before the incomplete line up to `read`.
    back: Vec<u8>,
    /// How many bytes at the end of `back` are the incomplete line.
    unfinished: usize,
    /// The incomplete line may be ended by waiting: part of it was written while we watched, behind `quiet_until`.
    flushable: bool,
    quiet_until: u64,
    read: u64,
    skipping: bool,
    assembler: Assembler,
    /// Where the assembler's unfinished event begins.
    group: Option<Mark>,
    late_until: u64,
    behind: Option<Instant>,
}

/// What came out of a portion.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Vec<Line>,
    /// Bytes that are no part of an event: rests of long lines, holes, what a format leaves out.
    pub(super) lost: u64,
    /// Bytes taken from the file.
    pub(super) taken: u64,
    pub(super) freshness: Option<Freshness>,
    /// Lines that were cut.
    pub(super) cut: u64,
}

/// How a look at the file ended.
#[derive(Debug)]
pub(super) enum Absorbed {
    /// Nothing new.
    Quiet,
    /// Bytes were taken.
    Some(Harvest),
    /// The file is shorter than what was read, or holds other bytes there: truncated, perhaps refilled.
    Rewritten,
}

/// What is known of a file that is about to be followed.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) inode: u64,
    pub(super) device: u64,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    pub(super) odd: bool,
}

impl From<OpenFile> for Found {
    fn from(opened: OpenFile) -> Self {
        let OpenFile { file, meta, odd, .. } = opened;
        Self { file, inode: meta.ino, device: meta.dev, size: meta.size, modified: meta.mtime, odd }
    }
}

impl Followed {
    /// Follows a file from its first byte.
    pub(super) fn from_first(found: Found, format: Format, now: Instant) -> Self {
        Self {
            file: Some(Arc::new(found.file)),
            inode: found.inode,
            device: found.device,
            odd: found.odd,
            role: Role::Follow,
            replaced: None,
            gone: false,
            rewritten: false,
            must_flush: false,
            changed: (0, 0),
            pending: Pending::new(Mark::default()),
            size: found.size,
            links: 1,
            grown: now,
            head: Head::Growing(Vec::new()),
            back: Vec::new(),
            unfinished: 0,
            flushable: true,
            quiet_until: 0,
            read: 0,
            skipping: false,
            assembler: Assembler::new(format),
            group: None,
            late_until: 0,
            behind: None,
        }
    }

    /// Follows a file from a position in it. `head` is its first bytes, `back` the bytes before the position, both as
    /// many as there are and are wanted.
    pub(super) fn from_mark(
        found: Found,
        format: Format,
        now: Instant,
        position: (u64, bool),
        head: Vec<u8>,
        back: Vec<u8>,
    ) -> Self {
        let (position, skipping) = position;
        let mark = Mark { position, seam: back.clone(), skipping };
        let head = if head.len() >= HEAD_MAX { Head::Full(print(&head[..HEAD_MAX])) } else { Head::Growing(head) };
        Self {
            head,
            back,
            read: position,
            skipping,
            pending: Pending::new(mark),
            ..Self::from_first(found, format, now)
        }
    }

    /// Everything up to this offset was written before we watched.
    pub(super) fn late_until(mut self, offset: u64) -> Self {
        self.late_until = offset;
        self
    }

    /// An incomplete line up to this offset is old: only a write behind it makes it one to be handed on.
    pub(super) fn quiet_until(mut self, offset: u64) -> Self {
        self.quiet_until = offset;
        self.flushable = false;
        self
    }

    /// Takes over what a predecessor in the same file has under way.
    pub(super) fn inherit(&mut self, pending: Pending) {
        self.pending = pending;
    }

    /// Offset of the next byte to read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Position of the first byte not handed on.
    pub(super) fn handed(&self) -> u64 {
        self.group.as_ref().map_or(self.read - self.unfinished as u64, |group| group.position)
    }

    /// How many bytes before [`Followed::read`] the next look compares.
    pub(super) fn seam(&self) -> usize {
        self.back.len().min(SEAM_MAX)
    }

    /// How many bytes the next look may take.
    pub(super) fn appetite(&self) -> usize {
        let limit = match self.role {
            Role::Again(until) => until.saturating_sub(self.read),
            Role::Follow if self.read < self.late_until => self.late_until - self.read,
            Role::Follow => u64::MAX,
        };
        usize::try_from(limit).unwrap_or(PORTION).min(PORTION)
    }

    /// Takes in what a look at [`Followed::read`] found.
    pub(super) fn absorb(&mut self, portion: &Portion, now: Instant) -> Absorbed {
        let seam = self.seam();
        let fresh = match portion.bytes.get(seam..) {
            Some(fresh) if portion.bytes[..seam] == self.back[self.back.len() - seam..] => fresh,
            _ => return Absorbed::Rewritten,
        };
        if portion.size < self.read {
            return Absorbed::Rewritten;
        }
        (self.size, self.links) = (portion.size, portion.links);
        if fresh.is_empty() {
            self.behind = None;
            return Absorbed::Quiet;
        }
        self.grown = now;
        let late = self.read < self.late_until || self.behind.is_some_and(|since| now - since > BACKLOG);
        let freshness = match self.role {
            Role::Again(_) => Freshness::Again,
            Role::Follow if late => Freshness::Late,
            Role::Follow => Freshness::Live,
        };
        let mut harvest = Harvest { freshness: Some(freshness), ..Harvest::default() };
        match portion.hole_until {
            Some(end) => self.skip_hole(end, &mut harvest),
            None => self.cut(fresh, &mut harvest),
        }
        self.flushable |= self.read > self.quiet_until;
        if self.read < portion.size {
            self.behind.get_or_insert(now);
        } else {
            self.behind = None;
        }
        Absorbed::Some(harvest)
    }

    /// Ends the incomplete line and the unfinished event: no more of them is expected.
    pub(super) fn flush(&mut self) -> Harvest {
        let mut harvest = Harvest::default();
        let late = self.handed() < self.late_until;
        harvest.freshness = Some(match self.role {
            Role::Again(_) => Freshness::Again,
            Role::Follow if late => Freshness::Late,
            Role::Follow => Freshness::Live,
        });
        self.end_line(false, &mut harvest);
        if let Some(event) = self.assembler.flush() {
            harvest.add(&event);
        }
        self.group = None;
        harvest
    }

    /// When the incomplete line or unfinished event has waited long enough; `None` if there is none.
    pub(super) fn flush_due(&self, idle: Duration) -> Option<Instant> {
        let open = self.unfinished > 0 || self.assembler.open_from().is_some();
        (open && self.flushable).then(|| self.grown + idle)
    }

    /// Tells whether a line or event is incomplete.
    pub(super) fn has_unfinished(&self) -> bool {
        self.unfinished > 0 || self.assembler.open_from().is_some()
    }

    /// Tells whether only an unfinished event is open, no incomplete line, and its format leaves open how many lines it
    /// has: then it waits shorter.
    pub(super) fn waits_for_lines(&self) -> bool {
        self.unfinished == 0 && self.assembler.is_open_ended()
    }

    /// The position behind everything handed on, with what stands before it.
    pub(super) fn mark(&self) -> Mark {
        match &self.group {
            Some(group) => group.clone(),
            None => self.mark_in(&self.back, self.back.len() - self.unfinished, self.skipping),
        }
    }

    /// What is to be saved: the settled position and how to know the file again.
    pub(super) fn cursor(&self, looked: SystemTime, retired: bool) -> Cursor {
        let settled = self.pending.settled();
        let (head_length, head) = match &self.head {
            Head::Growing(bytes) => (bytes.len(), print(bytes)),
            Head::Full(print) => (HEAD_MAX, *print),
        };
        Cursor {
            inode: self.inode,
            device: self.device,
            head_length: head_length as u16,
            head,
            position: settled.position,
            seam_length: settled.seam.len() as u8,
            seam: print(&settled.seam),
            skipping: settled.skipping,
            size: self.size,
            looked,
            retired,
        }
    }

    /// A cursor of what has been *read*, to find this file's copy by: its beginning and the bytes before `read`.
    pub(super) fn likeness(&self) -> Cursor {
        let seam = &self.back[self.back.len() - self.seam()..];
        Cursor {
            position: self.read,
            seam_length: seam.len() as u8,
            seam: print(seam),
            ..self.cursor(SystemTime::UNIX_EPOCH, false)
        }
    }

    fn mark_in(&self, stretch: &[u8], index: usize, skipping: bool) -> Mark {
        let base = self.read - self.back.len() as u64;
        Mark { position: base + index as u64, seam: stretch[index.saturating_sub(SEAM_MAX)..index].to_vec(), skipping }
    }

    fn cut(&mut self, fresh: &[u8], harvest: &mut Harvest) {
        self.grow_head(fresh);
        let mut stretch = std::mem::take(&mut self.back);
        let base = self.read - stretch.len() as u64;
        let (begin, known) = (stretch.len() - self.unfinished, stretch.len());
        stretch.extend_from_slice(fresh);
        let mut cutter = Cutter::new(&stretch, begin, self.skipping);
        let passes = self.assembler.passes();
        while harvest.lines.len() < LINES_MAX {
            let Some(line) = cutter.next() else { break };
            let offset = base + line.start as u64;
            harvest.cut += u64::from(line.cut);
            if passes {
                harvest.add_line(line.bytes, offset, line.cut);
                continue;
            }
            let outcome = self.assembler.take(line.bytes, offset, line.cut);
            harvest.lost += outcome.lost;
            for event in &outcome.events {
                harvest.add(event);
            }
            match self.assembler.open_from() {
                None => self.group = None,
                Some(begun) if begun == offset => {
                    let seam = stretch[line.start.saturating_sub(SEAM_MAX)..line.start].to_vec();
                    self.group = Some(Mark { position: offset, seam, skipping: false });
                }
                Some(_) => {}
            }
        }
        harvest.lost += cutter.lost();
        self.skipping = cutter.skipping();
        let at = cutter.at();
        // After the bound on lines the rest of the stretch is simply read again: it must not pass for an incomplete line.
        let end = if harvest.lines.len() < LINES_MAX { stretch.len() } else { at };
        harvest.taken = end.saturating_sub(known) as u64;
        self.read = base + end as u64;
        self.unfinished = end - at;
        let keep = at.saturating_sub(SEAM_MAX);
        stretch.truncate(end);
        stretch.drain(..keep);
        self.back = stretch;
    }

    /// Adds to the first bytes what stands at `read`.
    fn grow_head(&mut self, fresh: &[u8]) {
        if let Head::Growing(head) = &mut self.head
            && let Some(known) = (head.len() as u64).checked_sub(self.read)
            && let Some(more) = fresh.get(usize::try_from(known).unwrap_or(usize::MAX)..)
        {
            head.extend_from_slice(&more[..more.len().min(HEAD_MAX - head.len())]);
            if head.len() == HEAD_MAX {
                self.head = Head::Full(print(head));
            }
        }
    }

    fn skip_hole(&mut self, end: u64, harvest: &mut Harvest) {
        self.end_line(true, harvest);
        let end = match self.role {
            Role::Again(until) => end.min(until),
            Role::Follow => end,
        };
        harvest.taken = end - self.read;
        harvest.lost += end - self.read;
        self.grow_head(&[0; HEAD_MAX][..(end - self.read).min(HEAD_MAX as u64) as usize]);
        self.back.resize(self.back.len() + (end - self.read).min(SEAM_MAX as u64) as usize, 0);
        self.back.drain(..self.back.len().saturating_sub(SEAM_MAX));
        self.read = end;
        // What stands behind a hole was written as a line of its own.
        self.skipping = false;
    }

    fn end_line(&mut self, cut: bool, harvest: &mut Harvest) {
        if self.unfinished == 0 {
            return;
        }
        let line = self.back[self.back.len() - self.unfinished..].to_vec();
        let offset = self.read - self.unfinished as u64;
        harvest.cut += u64::from(cut);
        if self.assembler.passes() {
            harvest.add_line(&line, offset, cut);
        } else {
            let outcome = self.assembler.take(&line, offset, cut);
            harvest.lost += outcome.lost;
            for event in &outcome.events {
                harvest.add(event);
            }
            if self.assembler.open_from() == Some(offset) {
                self.group = Some(self.mark_in(&self.back, self.back.len() - self.unfinished, false));
            } else if self.assembler.open_from().is_none() {
                self.group = None;
            }
        }
        self.unfinished = 0;
        self.back.drain(..self.back.len().saturating_sub(SEAM_MAX));
    }
}

impl Harvest {
    fn add(&mut self, event: &Assembled) {
        self.add_line(&event.text, event.offset, event.cut);
    }

    fn add_line(&mut self, bytes: &[u8], offset: u64, cut: bool) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.lines.push(Line { start, end: self.bytes.len() as u32, offset, cut });
    }
}
