//! How many events a second there were of late, for `hids status`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The two latest counts with their times; the older one is what the rate is reckoned from, so that a rate covers more
/// than the pause between two marks.
pub struct Pace(Mutex<[(Instant, u64); 2]>);

impl Pace {
    /// Begins with no event.
    pub fn start(now: Instant) -> Self {
        Self(Mutex::new([(now, 0); 2]))
    }

    /// Notes the count of now.
    pub fn mark(&self, events: u64, now: Instant) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *marks = [marks[1], (now, events)];
    }

    /// Events a second since the older mark, `events` being the count of now. A count falls where a guest is deleted.
    pub fn a_second(&self, events: u64, now: Instant) -> f64 {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(marks[0].0).max(Duration::from_secs(1));
        events.saturating_sub(marks[0].1) as f64 / since.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_forgotten() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let pace = Pace::start(start);
        assert_eq!(pace.a_second(300, at(5)), 60.0);
        pace.mark(300, at(10));
        assert_eq!(pace.a_second(300, at(15)), 20.0);
        pace.mark(300, at(20));
        assert_eq!(pace.a_second(310, at(20)), 1.0);
        assert_eq!(pace.a_second(100, at(20)), 0.0);
    }
}
