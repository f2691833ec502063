//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the latency histogram's buckets, in seconds.
pub const LATENCY_BOUNDS: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// A histogram of times.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; LATENCY_BOUNDS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencySnapshot {
    /// Observations at most as long as each of [`LATENCY_BOUNDS`], cumulated.
    pub cumulated: [u64; LATENCY_BOUNDS.len()],
    /// All observations.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum: f64,
}

impl Latency {
    /// Adds one observation.
    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        if let Some(at) = LATENCY_BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// The histogram now.
    pub fn snapshot(&self) -> LatencySnapshot {
        let mut sum = 0;
        let cumulated = std::array::from_fn(|at| {
            sum += self.buckets[at].load(Ordering::Relaxed);
            sum
        });
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        LatencySnapshot { cumulated, count: self.count.load(Ordering::Relaxed), sum: seconds }
    }
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Line read → in the set (`hids_block_latency_seconds`), for new blocks.
    pub latency: Latency,
    /// New blocks.
    pub blocks: AtomicU64,
    /// Offences of attackers who are blocked already.
    pub repeats: AtomicU64,
    /// Attackers that a limit held back.
    pub held: AtomicU64,
    /// Attackers that are spared.
    pub spared: AtomicU64,
    /// Source addresses that are none.
    pub not_addresses: AtomicU64,
    /// Events that claim to be our own.
    pub forged: AtomicU64,
    /// Late events whose block would be over.
    pub too_late: AtomicU64,
    /// Blocks whose time has come.
    pub expired: AtomicU64,
    /// Entries that were missing in a set and were put in again.
    pub lost: AtomicU64,
    /// Commands that failed.
    pub failures: AtomicU64,
    /// Writes of the ledger that failed.
    pub ledger_failures: AtomicU64,
}

impl Counters {
    /// Every counter with its name, for export as `hids_respond_NAME_total`.
    pub fn all(&self) -> [(&'static str, u64); 11] {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("blocks", get(&self.blocks)),
            ("repeats", get(&self.repeats)),
            ("held", get(&self.held)),
            ("spared", get(&self.spared)),
            ("not_addresses", get(&self.not_addresses)),
            ("forged", get(&self.forged)),
            ("too_late", get(&self.too_late)),
            ("expired", get(&self.expired)),
            ("lost", get(&self.lost)),
            ("failures", get(&self.failures)),
            ("ledger_failures", get(&self.ledger_failures)),
        ]
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_are_cumulated() {
        let latency = Latency::default();
        for millis in [1, 4, 4, 15, 120_000] {
            latency.observe(Duration::from_millis(millis));
        }
        let now = latency.snapshot();
        assert_eq!(now.cumulated[..5], [1, 1, 3, 3, 4]);
        assert_eq!((now.cumulated[13], now.count), (4, 5));
        assert!((now.sum - 120.024).abs() < 1e-6);
    }
}
