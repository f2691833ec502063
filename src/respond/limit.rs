//! How many blocks events may cause (decision 7): a guest that writes what it likes into its log must not fill the
//! firewall. What a limit holds back is not blocked, not merely blocked later.

use super::clock::Millis;
use super::config::Limits;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Which limit holds a block back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// New blocks of one guest within a minute.
    PerMinute,
    /// Standing blocks of one guest.
    Live,
    /// Standing blocks of all guests.
    LiveTotal,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PerMinute => "blocks_per_minute",
            Self::Live => "blocks_live",
            Self::LiveTotal => "blocks_live_total",
        })
    }
}

const MINUTE: Millis = 60_000;

#[derive(Debug, Default)]
struct Tally {
    /// Times of the new blocks of the last minute.
    recent: VecDeque<Millis>,
    live: u32,
}

/// What each guest has caused; as many entries as there are guests. Blocks by hand are not counted.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    guests: HashMap<Arc<str>, Tally>,
    live: u32,
}

impl Tallies {
    /// The limit that holds back one more block of a guest.
    pub fn holds(&mut self, guest: &str, limits: Limits, now: Millis) -> Option<Limit> {
        if self.live >= limits.blocks_live_total {
            return Some(Limit::LiveTotal);
        }
        let (mut live, mut recent) = (0, 0);
        if let Some(tally) = self.guests.get_mut(guest) {
            while tally.recent.front().is_some_and(|at| now - at >= MINUTE) {
                tally.recent.pop_front();
            }
            (live, recent) = (tally.live, tally.recent.len());
        }
        if live >= limits.blocks_live {
            return Some(Limit::Live);
        }
        (recent >= limits.blocks_per_minute as usize).then_some(Limit::PerMinute)
    }

    /// One more, now.
    pub fn adds(&mut self, guest: &Arc<str>, now: Millis) {
        self.stands(Some(guest));
        if let Some(tally) = self.guests.get_mut(guest) {
            tally.recent.push_back(now);
        }
    }

    /// One more that stands since before.
    pub fn stands(&mut self, guest: Option<&Arc<str>>) {
        if let Some(guest) = guest {
            self.guests.entry(Arc::clone(guest)).or_default().live += 1;
            self.live += 1;
        }
    }

    /// One less.
    pub fn ends(&mut self, guest: Option<&Arc<str>>) {
        if let Some(tally) = guest.and_then(|guest| self.guests.get_mut(guest)) {
            tally.live = tally.live.saturating_sub(1);
            self.live = self.live.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_and_lets_go() {
        let limits = Limits { blocks_per_minute: 2, blocks_live: 3, blocks_live_total: 4 };
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut tallies = Tallies::default();
        tallies.adds(&a, 0);
        tallies.adds(&a, 1_000);
        assert_eq!(tallies.holds("a", limits, 2_000), Some(Limit::PerMinute));
        assert_eq!(tallies.holds("b", limits, 2_000), None);
        assert_eq!(tallies.holds("a", limits, 59_999), Some(Limit::PerMinute));
        assert_eq!(tallies.holds("a", limits, 60_000), None);
        tallies.adds(&a, 60_000);
        assert_eq!(tallies.holds("a", limits, 200_000), Some(Limit::Live));
        tallies.adds(&b, 200_000);
        assert_eq!(tallies.holds("b", limits, 200_000), Some(Limit::LiveTotal));
        tallies.ends(Some(&a));
        assert_eq!(tallies.holds("a", limits, 200_000), None);
        tallies.ends(None);
        assert_eq!(tallies.holds("b", limits, 300_000), None);
    }
}
