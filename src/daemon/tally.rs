//! What is counted for each guest, for lists and metrics.

use crate::event::Stamp;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The counters of one guest (or of the host). They begin with the daemon and go with the guest.
#[derive(Debug, Default)]
pub struct Tally {
    events: AtomicU64,
    undecoded: AtomicU64,
    discarded: AtomicU64,
    skipped: AtomicU64,
    alerts: AtomicU64,
    last_event: AtomicI64,
}

/// A look at a [`Tally`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Events judged.
    pub events: u64,
    /// Events that no decoder took.
    pub undecoded: u64,
    /// Incomplete firewall events.
    pub discarded: u64,
    /// Events skipped because judging them went wrong.
    pub skipped: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// When the last event arrived, in seconds since the epoch; `None` before the first.
    pub last_event: Option<i64>,
}

impl Tally {
    /// Counts a batch of judged events at once.
    pub fn add(&self, batch: &Counts, arrival: Stamp) {
        let add = |counter: &AtomicU64, number: u64| {
            if number > 0 {
                counter.fetch_add(number, Ordering::Relaxed);
            }
        };
        add(&self.events, batch.events);
        add(&self.undecoded, batch.undecoded);
        add(&self.discarded, batch.discarded);
        add(&self.skipped, batch.skipped);
        add(&self.alerts, batch.alerts);
        if batch.events > 0 {
            self.last_event.store(arrival.seconds, Ordering::Relaxed);
        }
    }

    /// Looks at the counters.
    pub fn look(&self) -> Counts {
        let last_event = self.last_event.load(Ordering::Relaxed);
        Counts {
            events: self.events.load(Ordering::Relaxed),
            undecoded: self.undecoded.load(Ordering::Relaxed),
            discarded: self.discarded.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            alerts: self.alerts.load(Ordering::Relaxed),
            last_event: (last_event != 0).then_some(last_event),
        }
    }
}
