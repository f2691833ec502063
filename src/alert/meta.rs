//! What an alert needs to know beyond its verdict: its id, when it arrived, where it was read.

use crate::event::Stamp;
use std::fmt;

/// The id of an alert, `EPOCH.NUMBER`: `id` in alerts.json, `$4` of the responses. The number is counted on over
/// restarts, so no two alerts share an id (OSSEC starts at 1 again; spec/logtest.md 2.3 and 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Id {
    /// Second of arrival.
    pub epoch: i64,
    /// Number of the alert.
    pub number: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

/// What an alert needs to know beyond its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meta {
    /// The alert's id.
    pub id: Id,
    /// When the line was received (not the time of judgement, which may be the line's own stamp).
    pub arrival: Stamp,
    /// Nanoseconds of the arrival within its second.
    pub nanos: u32,
    /// Where the line stands.
    pub place: Place,
    /// The stamp that the line carries, where it has one.
    pub event_time: Option<Stamp>,
}

/// Where a line stands in its source: the same line read twice has the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// Inode of the file, 0 where there is none.
    pub inode: u64,
    /// Offset of the line's first byte.
    pub offset: u64,
}
