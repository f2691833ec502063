//! The time of judgement of lines that were read late (design, decision 4).

use crate::event::{Stamp, header};

/// Gives late lines their time: the line's own stamp, never before the previous event and never after now.
#[derive(Debug, Clone, Copy, Default)]
pub struct LateClock {
    last: i64,
}

impl LateClock {
    /// The time of a late line. One without a stamp has the time of the line before it.
    pub fn judge_at(&mut self, line: &[u8], now: Stamp) -> Stamp {
        let own = header::stamp(line, now).map_or(self.last, |stamp| stamp.seconds);
        self.last = own.clamp(self.last.min(now.seconds), now.seconds);
        Stamp { seconds: if self.last == 0 { now.seconds } else { self.last }, offset: now.offset }
    }

    /// Notes that a live event was judged, so that no later one is judged before it.
    pub fn live(&mut self, now: Stamp) {
        self.last = now.seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_line_has_its_own_time_within_bounds() {
        let now = Stamp::utc(1_709_726_400);
        let mut clock = LateClock::default();
        assert_eq!(clock.judge_at(b"no stamp", now), now);
        assert_eq!(clock.judge_at(b"Mar  6 11:50:00 h p: x", now).seconds, now.seconds - 600);
        assert_eq!(clock.judge_at(b"Mar  6 11:40:00 h p: older", now).seconds, now.seconds - 600);
        assert_eq!(clock.judge_at(b"no stamp", now).seconds, now.seconds - 600);
        assert_eq!(clock.judge_at(b"Mar  6 12:30:00 h p: future", now), now);
    }
}
