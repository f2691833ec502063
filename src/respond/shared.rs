//! What this room's threads share.

use super::clock::Clock;
use super::config::Config;
use super::desk::Desk;
use super::limit::Limit;
use super::measure::Counters;
use super::notice::{Notice, Tell, Topic};
use super::spare::Spare;
use super::white::WhiteList;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A limit is told once in this time for each guest.
const TELL_LIMIT_EVERY: Duration = Duration::from_secs(60);

/// What this room's threads share. Nothing slow happens under the desk's lock.
pub(super) struct Shared {
    desk: Mutex<Desk>,
    /// Something is to be written down: the scribe waits for it.
    pub ink: Condvar,
    /// Something is to be told: the workers wait for it.
    pub work: Condvar,
    /// Something has been told: those who asked by hand wait for it.
    pub settled: Condvar,
    pub clock: Clock,
    pub config: ArcSwap<Config>,
    pub white: Arc<ArcSwap<WhiteList>>,
    pub spare: Spare,
    pub counters: Counters,
    pub tell: Tell,
    held: Mutex<HashMap<(Arc<str>, Limit), Held>>,
}

struct Held {
    told: Instant,
    since: u64,
}

impl Shared {
    pub fn new(
        desk: Desk,
        clock: Clock,
        config: Arc<Config>,
        white: Arc<ArcSwap<WhiteList>>,
        spare: Spare,
        counters: Counters,
        tell: Tell,
    ) -> Self {
        Self {
            desk: Mutex::new(desk),
            ink: Condvar::new(),
            work: Condvar::new(),
            settled: Condvar::new(),
            clock,
            config: ArcSwap::new(config),
            white,
            spare,
            counters,
            tell,
            held: Mutex::default(),
        }
    }

    /// The desk. A thread that panicked with it in hand left every block consistent enough to go on.
    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that a limit held somebody back, once a minute for each guest and limit.
    pub fn tell_held(&self, guest: &Arc<str>, limit: Limit, address: IpAddr) {
        let now = Instant::now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match held.get_mut(&(Arc::clone(guest), limit)) {
            Some(entry) if now.duration_since(entry.told) < TELL_LIMIT_EVERY => {
                entry.since += 1;
                return;
            }
            Some(entry) => {
                let since = std::mem::take(&mut entry.since);
                entry.told = now;
                format!(
                    "guest {guest}: limit {limit} holds back the block of {address}, and {since} more since the last notice"
                )
            }
            None => {
                held.insert((Arc::clone(guest), limit), Held { told: now, since: 0 });
                format!("guest {guest}: limit {limit} holds back the block of {address}")
            }
        };
        drop(held);
        (self.tell)(Notice { topic: Topic::Limit, guest: Some(Arc::clone(guest)), gateway: None, text });
    }
}
