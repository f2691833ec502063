//! What producers hand in: batches of lines, and where they were read.

use super::Receipt;
use crate::guest;
use std::sync::Arc;
use std::time::Instant;

/// Where lines were read. One value per followed file or journal, shared by all its batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The guest; `None` is the host.
    pub guest: Option<guest::Name>,
    /// The guest's own path (`/var/log/auth.log`), or `journal`.
    pub path: Arc<str>,
    /// The location of alerts and of the scripts' `$6`: the path on the host, `LXC_PATH/NAME/rootfs/PATH` or
    /// `LXC_PATH/NAME/journald` for guests, even where that folder is empty on the host (design 2.4).
    pub location: Arc<str>,
    /// The location as configured, for metrics: never a path that a guest chose.
    pub label: Arc<str>,
    /// Who speaks.
    pub origin: Origin,
}

/// Who speaks in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A log that a guest or the host writes.
    Log,
    /// hids itself; such events may raise an alert, never a block.
    Own,
}

/// How a batch came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Just written: judged at arrival.
    Live,
    /// Read after downtime or as a backlog: judged at the lines' own stamps (design, decision 4).
    Late,
    /// Read before and judged again only to fill the memory of correlation: no alert, no block, no count.
    Again,
}

/// One line in a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// First byte in the batch's bytes.
    pub start: u32,
    /// Behind the last byte, the line end not included.
    pub end: u32,
    /// Offset of the line's first byte in its file.
    pub offset: u64,
    /// The line was longer than the limit; the rest is lost and counted.
    pub cut: bool,
}

/// Lines of one source, read together. What travels between tasks is batches, never single lines (decision 15).
#[derive(Debug)]
pub struct Batch {
    /// Where the lines were read.
    pub source: Arc<Source>,
    /// Inode of the file, 0 where there is none; with source and offset the `place` of an alert.
    pub inode: u64,
    /// The bytes that the lines are ranges of.
    pub bytes: Vec<u8>,
    /// The lines in order.
    pub lines: Vec<Line>,
    /// How it came to be read.
    pub freshness: Freshness,
    /// When the bytes were read.
    pub read_at: Instant,
    /// What moves the position once everything in the batch has been dealt with.
    pub receipt: Receipt,
}

impl Batch {
    /// The bytes of one of the batch's lines.
    pub fn line(&self, line: &Line) -> &[u8] {
        &self.bytes[line.start as usize..line.end as usize]
    }
}
