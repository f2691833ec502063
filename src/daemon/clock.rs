//! The daemon's clock: the wall clock at start plus monotonic time, so that a clock set back or forth moves no judgement.

use crate::event::Stamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Turns instants into the stamps that judges are given (design, decision 4).
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Duration,
    start: Instant,
}

impl Clock {
    /// Looks at the wall clock, once.
    pub fn start() -> Self {
        Self { wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), start: Instant::now() }
    }

    /// Time since the epoch of an instant.
    pub fn unix(&self, at: Instant) -> Duration {
        match at.checked_duration_since(self.start) {
            Some(later) => self.wall + later,
            None => self.wall.saturating_sub(self.start.duration_since(at)),
        }
    }

    /// The stamp of an instant, in whole seconds, with the local zone's offset then.
    pub fn stamp(&self, at: Instant) -> Stamp {
        local(self.unix(at).as_secs() as i64)
    }
}

/// A stamp for seconds since the epoch, in the machine's zone.
pub fn local(seconds: i64) -> Stamp {
    let zone = jiff::tz::TimeZone::system();
    let offset = jiff::Timestamp::from_second(seconds).map_or(0, |at| zone.to_offset(at).seconds());
    Stamp { seconds, offset }
}

/// This second, in the machine's zone.
pub fn now() -> Stamp {
    Clock::start().stamp(Instant::now())
}
