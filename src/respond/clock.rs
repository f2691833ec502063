//! The time that blocks are kept by: the wall clock at the start, moved on by the monotonic one, so that a step of the
//! wall clock ends no block.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01 00:00:00 UTC.
pub type Millis = i64;

/// A clock that never steps.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Millis,
    monotonic: Instant,
}

impl Clock {
    /// Takes the wall clock's time once.
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Self { wall: i64::try_from(wall).unwrap_or(i64::MAX), monotonic: Instant::now() }
    }

    /// Now.
    pub fn now(&self) -> Millis {
        let passed = i64::try_from(self.monotonic.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.wall.saturating_add(passed)
    }
}
