//! The wall clock, for the alerts that hids raises by itself and for the minute that the gate counts in.

use crate::event::Stamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the second with the local zone's offset, and the nanoseconds within it.
pub(super) fn now() -> (Stamp, u32) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let offset = jiff::Timestamp::from_second(seconds)
        .map(|moment| jiff::tz::TimeZone::system().to_offset(moment).seconds())
        .unwrap_or_default();
    (Stamp { seconds, offset }, since.subsec_nanos())
}
