//! An owner of followed files: a guest, or the host. Its places, its cursors, its way into its lane.

use super::cursor::Match;
use super::followed::Found;
use super::place::Place;
use super::report::{Counters, Health, SourceReport};
use super::shelf::Shelf;
use super::{Config, FileSpec, place::Schedule};
use crate::event::{Intake, Origin, Source};
use crate::guest::{self, Tree};
use crate::sys::{Crew, Watch};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Odd reads of one owner that may hang at the same time.
const HANGING: usize = 2;

/// A guest or the host, as long as it is followed.
pub(super) struct Owner {
    pub(super) token: u64,
    /// What its rows in the store begin with.
    pub(super) key: Vec<u8>,
    pub(super) guest: Option<guest::Name>,
    /// What stands before its own paths in locations; empty for the host.
    pub(super) prefix: PathBuf,
    /// Taken away at its end: the lane sees the end of its queue when all producers have gone.
    intake: Mutex<Option<Intake>>,
    pub(super) crew: Crew,
    /// Lines before resumed positions are judged again.
    pub(super) rejudges: bool,
    pub(super) seen: SystemTime,
    /// hids has never run here before, and the owner was there when it started.
    pub(super) very_first: bool,
    /// The owner was followed before.
    pub(super) known: bool,
    /// When it was looked at last, in the last run.
    pub(super) last_alive: Option<SystemTime>,
    /// When it was looked at last, in this run; the beginning of the look.
    looked: Mutex<Option<SystemTime>>,
    /// Taken away at its end: a root keeps the guest's mounts busy.
    pub(super) tree: Mutex<Option<Arc<Tree>>>,
    pub(super) specs: Mutex<Vec<FileSpec>>,
    pub(super) places: Mutex<BTreeMap<PathBuf, Arc<Place>>>,
    pub(super) shelf: Mutex<Shelf>,
    labels: Mutex<BTreeMap<Arc<str>, Arc<Counters>>>,
    pub(super) scout: Mutex<Scout>,
    /// Locations that name no file at the moment, and why.
    pub(super) troubles: Mutex<Vec<(FileSpec, Health)>>,
    pub(super) looks: Schedule,
    /// Its first look is over: where its files begin has been decided.
    pub(super) settled: AtomicBool,
    pub(super) ending: AtomicBool,
    /// Its files' beginnings are noted, and it counts as known.
    pub(super) noted: AtomicBool,
    pub(super) watches: Mutex<BTreeMap<PathBuf, FolderWatch>>,
    pub(super) budget: Mutex<Budget>,
    pub(super) armed: Mutex<Option<Instant>>,
    pub(super) looking: Mutex<Option<Instant>>,
    /// Files that its places hold open.
    pub(super) open: AtomicUsize,
}

/// What only the thread that looks knows.
#[derive(Debug, Default)]
pub(super) struct Scout {
    /// Locations that have been looked at before in this run.
    pub(super) done: BTreeSet<Vec<u8>>,
    /// How many looks there have been, for the pace of the next.
    pub(super) looks: u32,
    /// Folders that could not be watched.
    pub(super) unwatched: bool,
}

/// A watched folder.
#[derive(Debug)]
pub(super) struct FolderWatch {
    pub(super) identity: (u64, u64),
    pub(super) _watch: Watch,
}

/// How many looks an owner may still cause: a bucket that refills with time.
#[derive(Debug)]
pub(super) struct Budget {
    tokens: f64,
    filled: Instant,
    /// How often a look had to wait, for the health report.
    pub(super) spent: u64,
    /// When a look had to wait last.
    pub(super) waited: Option<Instant>,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { tokens: f64::INFINITY, filled: now, spent: 0, waited: None }
    }

    /// Takes a look out of the bucket, or tells when there will be one.
    pub(super) fn take(&mut self, now: Instant, per_second: u32) -> Result<(), Instant> {
        let rate = f64::from(per_second.max(1));
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * rate;
        self.tokens = (self.tokens + gained).min(rate * 2.0);
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        self.spent += 1;
        self.waited = Some(now);
        Err(now + Duration::from_secs_f64((1.0 - self.tokens) / rate))
    }
}

/// Who an owner is.
pub(super) struct Who {
    pub(super) token: u64,
    pub(super) guest: Option<guest::Name>,
    pub(super) prefix: PathBuf,
    pub(super) tree: Arc<Tree>,
    pub(super) intake: Intake,
    pub(super) rejudges: bool,
    pub(super) seen: SystemTime,
    pub(super) very_first: bool,
    pub(super) known: bool,
    pub(super) last_alive: Option<SystemTime>,
    pub(super) specs: Vec<FileSpec>,
    pub(super) shelf: Shelf,
}

impl Owner {
    pub(super) fn new(who: Who, now: Instant) -> Self {
        let known = who.known;
        Self {
            token: who.token,
            key: key(who.guest.as_ref()),
            guest: who.guest,
            prefix: who.prefix,
            intake: Mutex::new(Some(who.intake)),
            crew: Crew::new(HANGING),
            rejudges: who.rejudges,
            seen: who.seen,
            very_first: who.very_first,
            known: who.known,
            last_alive: who.last_alive,
            looked: Mutex::default(),
            tree: Mutex::new(Some(who.tree)),
            specs: Mutex::new(who.specs),
            places: Mutex::default(),
            shelf: Mutex::new(who.shelf),
            labels: Mutex::default(),
            scout: Mutex::default(),
            troubles: Mutex::default(),
            looks: Schedule::default(),
            settled: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            noted: AtomicBool::new(known),
            watches: Mutex::default(),
            budget: Mutex::new(Budget::new(now)),
            armed: Mutex::default(),
            looking: Mutex::default(),
            open: AtomicUsize::new(0),
        }
    }

    pub(super) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way into its lane; `None` once it has gone.
    pub(super) fn intake(&self) -> Option<Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When its folders were looked at last; when it was seen, before that.
    pub(super) fn last_look(&self) -> SystemTime {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(self.seen)
    }

    /// Notes that a look which began then is over.
    pub(super) fn has_been_looked_at(&self, begun: SystemTime) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }

    /// Closes the way into its lane.
    pub(super) fn close_intake(&self) {
        *self.intake.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// All places, in the order of their paths.
    pub(super) fn places(&self) -> Vec<Arc<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The counters of a label; they outlive its places.
    pub(super) fn counters(&self, label: &Arc<str>) -> Arc<Counters> {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(labels.entry(Arc::clone(label)).or_default())
    }

    pub(super) fn labels(&self) -> Vec<(Arc<str>, Arc<Counters>)> {
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        labels.iter().map(|(label, counters)| (Arc::clone(label), Arc::clone(counters))).collect()
    }

    /// Where the path is on the host, even where that folder is empty there.
    fn location(&self, path: &Path) -> String {
        match self.guest {
            Some(_) => printable(&self.prefix.join(path.strip_prefix("/").unwrap_or(path))),
            None => printable(path),
        }
    }

    /// The source of batches of a path.
    pub(super) fn source(&self, path: &Path, label: &str) -> Source {
        Source {
            guest: self.guest.clone(),
            path: printable(path).into(),
            location: self.location(path).into(),
            label: label.into(),
            origin: Origin::Log,
        }
    }

    /// The path of another place of the same folder whose file this one is a copy of.
    pub(super) fn original_of(&self, place: &Place, found: &Found) -> Option<PathBuf> {
        self.places().into_iter().find_map(|other| {
            if other.token == place.token || other.path.parent() != place.path.parent() {
                return None;
            }
            let tail = other.try_tail()?;
            let copied = tail.files.iter().any(|file| {
                let likeness = file.likeness();
                (file.device, file.inode) != (found.device, found.inode)
                    && likeness.proves_elsewhere()
                    && likeness.compare(&found.file, found.size).is_ok_and(|like| like != Match::Other)
            });
            copied.then(|| other.path.clone())
        })
    }

    /// Tells whether it holds as many files open as it may follow.
    pub(super) fn is_crowded(&self, config: &Config) -> bool {
        self.open.load(Ordering::Relaxed) >= config.files_per_guest
    }

    /// Says so if its files come and go faster than they are looked at.
    pub(super) fn restless(&self) -> Option<String> {
        let budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = budget.waited.is_some_and(|at| at.elapsed() < Duration::from_secs(60));
        recent.then(|| format!("restless: its files come and go too fast, {} looks were put off", budget.spent))
    }

    /// Locations without a file, as reports.
    pub(super) fn trouble_reports(&self) -> Vec<SourceReport> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles
            .iter()
            .map(|(spec, health)| SourceReport {
                guest: self.guest.clone(),
                path: spec.path.clone(),
                location: self.location(Path::new(&spec.path)),
                label: spec.label.clone(),
                format: spec.format,
                health: health.clone(),
                inode: 0,
                position: 0,
                read: 0,
                size: 0,
                lag: 0,
                lines_total: 0,
                lost_bytes_total: 0,
                last_event: None,
            })
            .collect()
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("guest", &self.guest).field("token", &self.token).finish_non_exhaustive()
    }
}

/// The key of the row that says until when an owner was followed, in milliseconds since 1970.
pub(super) fn alive_key(owner: &[u8]) -> Vec<u8> {
    let mut key = b"owner\0".to_vec();
    key.extend_from_slice(owner);
    key
}

/// The value of that row.
pub(super) fn alive_value(now: SystemTime) -> Vec<u8> {
    let millis = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX).to_le_bytes().to_vec()
}

/// What that row says.
pub(super) fn alive_until(value: &[u8]) -> Option<SystemTime> {
    let millis = u64::from_le_bytes(value.try_into().ok()?);
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

/// A path as it is written into logs and alerts. Whoever makes a file chooses its name: a line end in it would forge a
/// record of `alerts.log`, an escape sequence would talk to the reader's terminal.
fn printable(path: &Path) -> String {
    path.to_string_lossy().replace(char::is_control, "\u{FFFD}")
}

/// What the rows of an owner begin with.
pub(super) fn key(guest: Option<&guest::Name>) -> Vec<u8> {
    match guest {
        Some(name) => format!("g{name}").into_bytes(),
        None => b"h".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_rationed() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let mut granted = 0;
        while budget.take(start, 10).is_ok() {
            granted += 1;
        }
        assert_eq!(granted, 20);
        let next = budget.take(start, 10).unwrap_err();
        assert!(next > start && next <= start + Duration::from_millis(101));
        assert!(budget.take(next + Duration::from_millis(1), 10).is_ok());
    }
}
