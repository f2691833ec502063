//! A place: one path of one owner that is followed. What the threads share of it.

use super::Format;
use super::owner::Owner;
use super::report::{Counters, Health, SourceReport};
use super::tail::Tail;
use crate::event::Source;
use crate::sys::Watch;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// One followed path.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) token: u64,
    pub(super) owner: Arc<Owner>,
    /// The owner's own path.
    pub(super) path: PathBuf,
    pub(super) source: Arc<Source>,
    pub(super) format: Format,
    /// The counters of its label.
    pub(super) counters: Arc<Counters>,
    /// Its own.
    pub(super) own: Counters,
    tail: Mutex<Tail>,
    status: Mutex<Status>,
    /// Watches of its files, by inode; apart from the tail, so that a hanging read does not keep them.
    pub(super) watches: Mutex<Vec<(u64, Watch)>>,
    pub(super) turns: Schedule,
    /// Reads may hang: turns are taken among those that may.
    pub(super) odd: AtomicBool,
    /// Something is to be saved.
    pub(super) unsaved: AtomicBool,
    /// How often it is looked at for want of a watch, in milliseconds; 0 with one.
    pub(super) polled: AtomicU64,
    pub(super) armed: Mutex<Option<Instant>>,
}

/// What others may see without waiting for a turn's end.
#[derive(Debug, Default, Clone)]
pub(super) struct Status {
    pub(super) health: Health,
    pub(super) inode: u64,
    pub(super) position: u64,
    pub(super) read: u64,
    pub(super) size: u64,
    pub(super) lag: u64,
    /// Device and inode of all files that it follows.
    pub(super) files: Vec<(u64, u64)>,
    /// Descriptors that it holds.
    pub(super) open: usize,
    pub(super) running: Option<Instant>,
}

impl Place {
    pub(super) fn new(
        token: u64,
        owner: Arc<Owner>,
        path: PathBuf,
        source: Arc<Source>,
        format: Format,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            token,
            owner,
            path,
            source,
            format,
            counters,
            own: Counters::default(),
            tail: Mutex::default(),
            status: Mutex::default(),
            watches: Mutex::default(),
            turns: Schedule::default(),
            odd: AtomicBool::new(false),
            unsaved: AtomicBool::new(false),
            polled: AtomicU64::new(0),
            armed: Mutex::default(),
        }
    }

    /// The tail, if nobody works (or hangs) on it.
    pub(super) fn try_tail(&self) -> Option<MutexGuard<'_, Tail>> {
        match self.tail.try_lock() {
            Ok(tail) => Some(tail),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The tail, if whoever works on it ends within some milliseconds: longer than any turn but a hanging one.
    pub(super) fn tail_soon(&self) -> Option<MutexGuard<'_, Tail>> {
        for _ in 0..20 {
            if let Some(tail) = self.try_tail() {
                return Some(tail);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.try_tail()
    }

    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings what others see up to date.
    pub(super) fn publish(&self, tail: &mut Tail) {
        let held = tail.files.iter().any(|file| file.pending.is_held());
        let mut status = self.status();
        status.lag = tail.files.iter().map(|file| file.size.saturating_sub(file.pending.settled().position)).sum();
        status.files.clear();
        status.files.extend(tail.files.iter().filter(|f| f.file.is_some()).map(|file| (file.device, file.inode)));
        let before = status.open;
        status.open = status.files.len();
        self.owner.open.fetch_add(status.open, Ordering::Relaxed);
        self.owner.open.fetch_sub(before, Ordering::Relaxed);
        status.health = match &tail.health {
            Health::Good if held => Health::Held,
            Health::Good if self.polled.load(Ordering::Relaxed) > 0 => Health::Polled,
            health => health.clone(),
        };
        let current = tail.current();
        (status.inode, status.position, status.read, status.size) = match current {
            Some(file) => (file.inode, file.pending.settled().position, file.read(), file.size),
            None => (0, 0, 0, 0),
        };
    }

    pub(super) fn report(&self) -> SourceReport {
        let status = self.status().clone();
        let stuck = status.running.map(|since| since.elapsed()).filter(|time| *time > Duration::from_secs(1));
        SourceReport {
            guest: self.source.guest.clone(),
            path: self.source.path.to_string(),
            location: self.source.location.to_string(),
            label: self.source.label.to_string(),
            format: self.format,
            health: match stuck {
                Some(time) => Health::Stuck(format!("a read hangs for {} s", time.as_secs())),
                None => status.health,
            },
            inode: status.inode,
            position: status.position,
            read: status.read,
            size: status.size,
            lag: status.lag,
            lines_total: self.own.lines.load(Ordering::Relaxed),
            lost_bytes_total: self.own.lost.load(Ordering::Relaxed),
            last_event: self.own.last_event(),
        }
    }

    /// Lets go of all descriptors and watches, unless a read hangs on one.
    pub(super) fn release(&self) {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(mut tail) = self.try_tail() {
            for file in &mut tail.files {
                file.file = None;
            }
            self.publish(&mut tail);
        }
    }
}

/// Whether something waits for its turn, has it, or wants another one.
#[derive(Debug, Default)]
pub(super) struct Schedule(AtomicU8);

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const AGAIN: u8 = 3;

impl Schedule {
    /// Asks for a turn; tells whether the caller must queue it.
    pub(super) fn ask(&self) -> bool {
        let mut queue = false;
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            queue = state == IDLE;
            match state {
                IDLE => Some(QUEUED),
                RUNNING => Some(AGAIN),
                _ => None,
            }
        });
        queue
    }

    /// The turn begins.
    pub(super) fn begin(&self) {
        self.0.store(RUNNING, Ordering::Release);
    }

    /// The turn ends; tells whether the caller must queue another one.
    pub(super) fn end(&self, more: bool) -> bool {
        let again = more || self.0.load(Ordering::Acquire) == AGAIN;
        if again {
            self.0.store(QUEUED, Ordering::Release);
            return true;
        }
        // Asked for in this very moment?
        if self.0.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.0.store(QUEUED, Ordering::Release);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_asked_for_while_one_runs_is_not_lost() {
        let schedule = Schedule::default();
        assert!(schedule.ask());
        assert!(!schedule.ask());
        schedule.begin();
        assert!(!schedule.end(false));
        assert!(schedule.ask());
        schedule.begin();
        assert!(!schedule.ask());
        assert!(schedule.end(false));
        schedule.begin();
        assert!(schedule.end(true));
    }
}
