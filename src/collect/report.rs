//! What the outside may know of a followed file: read-only values, never the file.

use super::Format;
use crate::guest;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Losses of one location of one owner are told once in so many seconds; they are all counted.
const TELL_AGAIN: u64 = 10;

/// How a followed file is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Health {
    /// Followed; nothing to say.
    #[default]
    Good,
    /// There is no such file yet.
    Missing,
    /// It is none that may be read: the reason.
    Refused(String),
    /// It could not be opened or read: the reason. Tried again.
    Unreadable(String),
    /// A call hangs: FUSE, a dead network share. Tried again.
    Stuck(String),
    /// Its lane is full; the file is the buffer.
    Waiting,
    /// A batch was not dealt with: its position stays, a restart reads from there.
    Held,
    /// Its path names another file too often: looked at in bounded turns, what was in between may be lost.
    Restless(String),
    /// No inotify watch was to be had, or it changes faster than the hub allows: looked at in turns.
    Polled,
    /// Not read on purpose: compressed, or the copy of a followed file.
    Passed(String),
}

impl Health {
    /// Tells whether the operator should look.
    pub fn is_bad(&self) -> bool {
        matches!(
            self,
            Health::Refused(_) | Health::Unreadable(_) | Health::Stuck(_) | Health::Held | Health::Restless(_)
        )
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Health::Good => f.write_str("ok"),
            Health::Missing => f.write_str("no such file yet"),
            Health::Refused(why) => write!(f, "refused: {why}"),
            Health::Unreadable(why) => write!(f, "unreadable: {why}"),
            Health::Stuck(why) => write!(f, "stuck: {why}"),
            Health::Waiting => f.write_str("waiting: the guest's lane is full"),
            Health::Held => f.write_str("held: a batch was not dealt with, it is read again after a restart"),
            Health::Restless(why) => write!(f, "restless: {why}"),
            Health::Polled => f.write_str("polled: no inotify watch"),
            Health::Passed(why) => write!(f, "not read: {why}"),
        }
    }
}

/// One followed file, or one location that names none at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    /// The guest; `None` is the host.
    pub guest: Option<guest::Name>,
    /// The owner's own path; a pattern where it names no file.
    pub path: String,
    /// The location of alerts.
    pub location: String,
    /// The location as configured.
    pub label: String,
    /// The format.
    pub format: Format,
    /// How it is.
    pub health: Health,
    /// Inode of the file; 0 where there is none.
    pub inode: u64,
    /// Position up to which everything has been dealt with, in bytes.
    pub position: u64,
    /// Bytes read.
    pub read: u64,
    /// Size of the file when it was last looked at.
    pub size: u64,
    /// Bytes not yet dealt with, those of files that were rotated away included.
    pub lag: u64,
    /// Lines handed in since the start.
    pub lines_total: u64,
    /// Bytes that became no event since the start: rests of long lines, holes, what was truncated away unread.
    pub lost_bytes_total: u64,
    /// When the last line was read.
    pub last_event: Option<SystemTime>,
}

/// Totals of one location of one owner (`hids_source_*`); they never fall while its owner is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The guest; `None` is the host.
    pub guest: Option<guest::Name>,
    /// The location as configured.
    pub label: Arc<str>,
    /// `hids_source_lines_total`.
    pub lines: u64,
    /// `hids_source_lost_bytes_total`.
    pub lost_bytes: u64,
    /// `hids_source_cut_lines_total`.
    pub cut_lines: u64,
    /// `hids_source_read_bytes_total`.
    pub read_bytes: u64,
    /// `hids_source_last_event_timestamp_seconds`.
    pub last_event: Option<SystemTime>,
}

/// The counters behind [`Totals`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) lines: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) cut: AtomicU64,
    pub(super) read: AtomicU64,
    last_event: AtomicU64,
    /// When a loss was told last, in seconds since 1970.
    told: AtomicU64,
}

impl Counters {
    /// Tells whether a loss may be told again: a guest can lose as much and as often as it likes, and must not fill the
    /// service's log with it.
    pub(super) fn may_tell(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let last = self.told.load(Ordering::Relaxed);
        let long_ago = now.abs_diff(last) >= TELL_AGAIN;
        long_ago && self.told.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(super) fn add(counter: &AtomicU64, by: u64) {
        if by > 0 {
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }

    pub(super) fn event_at(&self, now: SystemTime) {
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
        self.last_event.store(u64::try_from(millis).unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn last_event(&self) -> Option<SystemTime> {
        match self.last_event.load(Ordering::Relaxed) {
            0 => None,
            millis => UNIX_EPOCH.checked_add(Duration::from_millis(millis)),
        }
    }

    pub(super) fn totals(&self, guest: Option<&guest::Name>, label: &Arc<str>) -> Totals {
        Totals {
            guest: guest.cloned(),
            label: Arc::clone(label),
            lines: self.lines.load(Ordering::Relaxed),
            lost_bytes: self.lost.load(Ordering::Relaxed),
            cut_lines: self.cut.load(Ordering::Relaxed),
            read_bytes: self.read.load(Ordering::Relaxed),
            last_event: self.last_event(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_without_end_are_told_now_and_then() {
        let counters = Counters::default();
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_709_726_400 + seconds);
        let told = (0..1_000_u64).filter(|step| counters.may_tell(at(step / 50))).count();
        assert_eq!(told, 2);
        assert!(counters.may_tell(at(0)), "the clock was put back");
    }
}
