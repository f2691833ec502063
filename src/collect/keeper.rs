//! The thread that hears: the hub's wake-ups and the timers, and hands out turns and looks. It never reads a file.

use super::engine::{ATTENTION, Engine, POLL_STORM, RELIEF};
use crate::sys::Wake;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long to sleep when nothing is due.
const LONG: Duration = Duration::from_secs(3_600);

/// How long a file whose watch was given up is polled before it gets a new one.
const CALM: Duration = Duration::from_secs(1);

/// Hears until the collector is gone.
pub(super) fn keep(engine: &Weak<Engine>) {
    let Some(bell) = engine.upgrade().map(|engine| engine.bell.clone()) else { return };
    loop {
        let next = match engine.upgrade() {
            Some(engine) if !engine.stopped.load(Ordering::Acquire) => engine.serve_timers(),
            _ => return,
        };
        let rung = bell.rung_within(next);
        let Some(engine) = engine.upgrade() else { return };
        for (token, wake) in rung {
            engine.serve(token, wake);
        }
    }
}

impl Engine {
    /// Serves what is due; tells how long until the next is.
    fn serve_timers(&self) -> Duration {
        let now = Instant::now();
        let (due, next) = self.due(now);
        for token in due {
            self.serve(token, Wake::CALLED);
        }
        next.map_or(LONG, |next| next.saturating_duration_since(Instant::now()))
    }

    fn serve(&self, token: u64, wake: Wake) {
        if token == ATTENTION {
            if self.relieve() {
                self.arm(ATTENTION, Instant::now() + RELIEF);
            }
        } else if let Some(place) = self.place(token) {
            *place.armed.lock().unwrap_or_else(PoisonError::into_inner) = None;
            if wake.has(Wake::GONE) {
                // The watch is over: a storm, or an unmount. It is polled until a later look places a new one.
                place.watches.lock().unwrap_or_else(PoisonError::into_inner).clear();
                place.polled.store(POLL_STORM.as_millis() as u64, Ordering::Relaxed);
                self.arm_owner(&place.owner, Instant::now() + CALM);
            }
            self.ask_turn(&place);
        } else if let Some(owner) = self.owner(token) {
            *owner.armed.lock().unwrap_or_else(PoisonError::into_inner) = None;
            if wake.has(Wake::GONE) {
                owner.watches.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
            self.ask_look(&owner);
        }
    }
}
