//! Bells: coalescing wake-ups.
//!
//! A [`Bell`] belongs to one waiting task or thread. Whoever has news for it rings with a token that the waiter chose;
//! rings of the same token before the waiter looks become one. So a bell never holds more than one entry per token,
//! however fast a guest writes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What has happened since the waiter last looked: a set of facts, joined with `|`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Wake(u8);

impl Wake {
    /// Something that was asked for happened: written, created, renamed, deleted.
    pub const DIRTY: Wake = Wake(1);
    /// The watch is over: its file is gone or unmounted, or the hub gave it up because the file changes too fast.
    /// Look again, poll, and watch anew.
    pub const GONE: Wake = Wake(2);
    /// Events were lost: look at everything again.
    pub const RESCAN: Wake = Wake(4);
    /// A process ended.
    pub const ENDED: Wake = Wake(8);
    /// Somebody in the program asks for attention (a stop, a new order).
    pub const CALLED: Wake = Wake(16);

    /// Tells whether all facts of `other` are among these.
    pub fn has(self, other: Wake) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Wake {
    type Output = Wake;
    fn bitor(self, other: Wake) -> Wake {
        Wake(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Wake {
    fn bitor_assign(&mut self, other: Wake) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Wake::DIRTY, "dirty"), (Wake::GONE, "gone"), (Wake::RESCAN, "rescan"), (Wake::ENDED, "ended")];
        let mut set = f.debug_set();
        for (_, name) in names.iter().filter(|(bit, _)| self.has(*bit)) {
            set.entry(name);
        }
        if self.has(Wake::CALLED) {
            set.entry(&"called");
        }
        set.finish()
    }
}

/// One waiter's bell. Clones are the same bell.
#[derive(Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rung: Mutex<BTreeMap<u64, Wake>>,
    threads: Condvar,
    tasks: Notify,
}

impl Bell {
    /// Makes a silent bell.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rings for a token. Never waits for the waiter.
    pub fn ring(&self, token: u64, wake: Wake) {
        {
            let mut rung = self.rung();
            let entry = rung.entry(token).or_default();
            if entry.has(wake) {
                return;
            }
            *entry |= wake;
        }
        self.0.threads.notify_one();
        self.0.tasks.notify_one();
    }

    /// Takes what has rung so far, by token; empty when nothing has.
    pub fn take(&self) -> Vec<(u64, Wake)> {
        std::mem::take(&mut *self.rung()).into_iter().collect()
    }

    /// Waits until something has rung and takes it; never empty. Cancel-safe: what rang stays until it is taken.
    pub async fn rung_async(&self) -> Vec<(u64, Wake)> {
        loop {
            let rung = self.take();
            if !rung.is_empty() {
                return rung;
            }
            self.0.tasks.notified().await;
        }
    }

    /// Blocks the thread until something has rung or the time is over, and takes it; empty after the time is over.
    pub fn rung_within(&self, limit: Duration) -> Vec<(u64, Wake)> {
        let deadline = Instant::now() + limit;
        let mut rung = self.rung();
        while rung.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Vec::new();
            }
            rung = self.0.threads.wait_timeout(rung, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut *rung).into_iter().collect()
    }

    fn rung(&self) -> MutexGuard<'_, BTreeMap<u64, Wake>> {
        self.0.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("rung", &*self.rung()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_of_one_token_become_one() {
        let bell = Bell::new();
        for _ in 0..1000 {
            bell.ring(7, Wake::DIRTY);
        }
        bell.ring(7, Wake::GONE);
        bell.ring(3, Wake::ENDED);
        assert_eq!(bell.take(), [(3, Wake::ENDED), (7, Wake::DIRTY | Wake::GONE)]);
        assert!(bell.rung_within(Duration::from_millis(1)).is_empty());
    }

    #[test]
    fn a_thread_is_woken_from_another() {
        let bell = Bell::new();
        let other = bell.clone();
        let ringer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            other.ring(1, Wake::DIRTY);
        });
        assert_eq!(bell.rung_within(Duration::from_secs(5)), [(1, Wake::DIRTY)]);
        ringer.join().unwrap();
    }

    #[tokio::test]
    async fn a_task_is_woken_and_a_ring_before_the_wait_is_not_lost() {
        let bell = Bell::new();
        bell.ring(1, Wake::CALLED);
        assert_eq!(bell.rung_async().await, [(1, Wake::CALLED)]);
        let other = bell.clone();
        tokio::spawn(async move { other.ring(2, Wake::DIRTY) });
        assert_eq!(bell.rung_async().await, [(2, Wake::DIRTY)]);
    }
}
