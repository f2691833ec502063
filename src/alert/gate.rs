//! How many alerts a minute one rule of one guest may write (design, decision 8).
//!
//! What is held back has been dealt with: it counts, it is told once the minute is over, and it does not hold the
//! position of its source.

use crate::guest;
use crate::metrics::Counter;
use std::collections::HashMap;

/// Which rule of which guest (`None`: the host).
type Key = (Option<guest::Name>, u32);

/// One rule of one guest within the minute.
#[derive(Debug)]
struct Window {
    minute: i64,
    passed: u32,
    held: u64,
    /// What counts its alerts, kept here so that an alert asks no registry.
    counters: Counters,
}

/// The counters that one alert moves.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    pub guest: Counter,
    pub level: Counter,
    pub rule: Counter,
}

/// Alerts of one rule of one guest that a minute held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub guest: Option<guest::Name>,
    pub rule: u32,
    pub count: u64,
}

/// The gate. Forgets every rule that was quiet for a minute, so it is as large as the noise of two minutes.
#[derive(Debug)]
pub(super) struct Gate {
    per_minute: u32,
    windows: HashMap<Key, Window>,
    /// Minutes that ended with alerts held back and that nobody has told yet.
    untold: Vec<Held>,
}

impl Gate {
    /// A gate that lets so many through in a minute.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, windows: HashMap::new(), untold: Vec::new() }
    }

    /// Asks whether one more alert may pass in this minute; `None`: held back.
    pub fn admit(
        &mut self,
        guest: Option<&guest::Name>,
        rule: u32,
        minute: i64,
        counters: impl FnOnce() -> Counters,
    ) -> Option<Counters> {
        let key = (guest.cloned(), rule);
        let window =
            self.windows.entry(key).or_insert_with(|| Window { minute, passed: 0, held: 0, counters: counters() });
        if window.minute != minute {
            if window.held > 0 {
                self.untold.push(Held { guest: guest.cloned(), rule, count: window.held });
            }
            (window.minute, window.passed, window.held) = (minute, 0, 0);
        }
        if window.passed >= self.per_minute {
            window.held += 1;
            return None;
        }
        window.passed += 1;
        Some(window.counters.clone())
    }

    /// Takes what earlier minutes held back, and forgets those minutes.
    pub fn expire(&mut self, minute: i64) -> Vec<Held> {
        let mut told = std::mem::take(&mut self.untold);
        self.windows.retain(|(guest, rule), window| {
            if window.minute == minute {
                return true;
            }
            if window.held > 0 {
                told.push(Held { guest: guest.clone(), rule: *rule, count: window.held });
            }
            false
        });
        told
    }

    /// Forgets a guest that was deleted.
    pub fn forget(&mut self, name: &guest::Name) {
        self.windows.retain(|(guest, _), _| guest.as_ref() != Some(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Registry;

    fn counters() -> Counters {
        let counter = Registry::new().counter("hids_x_total", "X.");
        Counters { guest: counter.clone(), level: counter.clone(), rule: counter }
    }

    #[test]
    fn one_rule_of_one_guest_is_held_back_and_nobody_else() {
        let mut gate = Gate::new(3);
        let (a, b) = (guest::Name::new("a"), guest::Name::new("b"));
        let passed = (0..10).filter(|_| gate.admit(Some(&a), 5, 100, counters).is_some()).count();
        assert_eq!(passed, 3);
        assert!(gate.admit(Some(&a), 6, 100, counters).is_some());
        assert!(gate.admit(Some(&b), 5, 100, counters).is_some());
        assert!(gate.admit(None, 5, 100, counters).is_some());
        assert_eq!(gate.expire(100), []);
        assert_eq!(gate.expire(101), [Held { guest: Some(a.clone()), rule: 5, count: 7 }]);
        assert_eq!(gate.expire(101), []);
        assert!(gate.windows.is_empty());
    }

    #[test]
    fn a_new_minute_lets_through_again_and_still_tells() {
        let mut gate = Gate::new(1);
        let a = guest::Name::new("a");
        for _ in 0..3 {
            gate.admit(Some(&a), 5, 100, counters);
        }
        assert!(gate.admit(Some(&a), 5, 101, counters).is_some());
        assert_eq!(gate.expire(101), [Held { guest: Some(a), rule: 5, count: 2 }]);
    }
}
