//! Where reading of a file begins that nobody has seen before (design, decision 12).

use std::time::SystemTime;

/// Where a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At its end.
    End,
    /// At its first byte; `late`: what it holds already was written before we watched.
    First {
        /// Judge what is there at its own stamps.
        late: bool,
    },
    /// At its first byte, but at its end if it was last written before this.
    FirstUnlessOlder {
        /// When the guest was seen first.
        seen: SystemTime,
        /// Judge what is there at its own stamps.
        late: bool,
    },
}

/// What is known of the owner and the location of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// hids has never run here before, and the owner was there when it started.
    pub(super) very_first: bool,
    /// The location was followed before.
    pub(super) location: bool,
    /// The owner was followed before.
    pub(super) owner: bool,
    /// This is the first look for the location at this owner in this run.
    pub(super) first_look: bool,
    /// When the owner was seen first in this run.
    pub(super) seen: SystemTime,
}

impl Known {
    /// The rule for files that nobody has seen before.
    pub(super) fn start(self) -> Start {
        if !self.first_look {
            // It has appeared while its guest is known.
            Start::First { late: false }
        } else if self.very_first || !self.location {
            Start::End
        } else if !self.owner {
            Start::FirstUnlessOlder { seen: self.seen, late: true }
        } else {
            // It has appeared while hids was down.
            Start::First { late: true }
        }
    }
}

impl Start {
    /// The rule for a file that was last written at a time.
    pub(super) fn of(self, modified: SystemTime) -> Start {
        match self {
            Start::FirstUnlessOlder { seen, .. } if modified < seen => Start::End,
            Start::FirstUnlessOlder { late, .. } => Start::First { late },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn decision_12() {
        let seen = UNIX_EPOCH + Duration::from_secs(1_000);
        let (before, after) = (seen - Duration::from_secs(1), seen + Duration::from_secs(1));
        let base = Known { very_first: false, location: true, owner: true, first_look: true, seen };
        for (known, modified, want) in [
            (Known { very_first: true, location: false, owner: false, ..base }, after, Start::End),
            (Known { location: false, ..base }, after, Start::End),
            (Known { location: false, owner: false, ..base }, after, Start::End),
            (Known { owner: false, ..base }, before, Start::End),
            (Known { owner: false, ..base }, after, Start::First { late: true }),
            (base, before, Start::First { late: true }),
            (Known { first_look: false, ..base }, before, Start::First { late: false }),
            (Known { first_look: false, very_first: true, ..base }, before, Start::First { late: false }),
        ] {
            assert_eq!(known.start().of(modified), want, "{known:?}");
        }
    }
}
