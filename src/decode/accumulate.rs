//! Accumulating: values that one line of an activity lacks are filled in from earlier lines of the same id
//! (spec/decoders.md 12).

use super::{Decoded, Facts};
use crate::event::{Event, Field, Value};
use std::collections::HashMap;

/// The fields that are kept and filled in.
const KEPT: [Field; 7] =
    [Field::DstUser, Field::SrcUser, Field::DstIp, Field::SrcIp, Field::DstPort, Field::SrcPort, Field::Data];

/// Longest value that is kept or filled in, in bytes.
const LONGEST: usize = 80;

/// An activity without a line for longer than this, in seconds, starts afresh.
const WINDOW: i64 = 120;

/// Activities remembered at most. A flood of ids pushes out the longest unused.
const ACTIVITIES: usize = 4_096;

/// Longest key; a host, a decoder and an id beyond it are not followed. So a flood is bounded in bytes too.
const LONGEST_KEY: usize = 512;

#[derive(Debug, Clone, Default)]
struct Activity {
    /// Second of the last line.
    last: i64,
    values: [Option<Box<[u8]>>; KEPT.len()],
}

/// What one lane remembers of running activities.
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    activities: HashMap<Box<[u8]>, Activity>,
    key: Vec<u8>,
}

impl Accumulator {
    /// Fills missing values of `decoded` from earlier lines of the same host, decoder and id, and keeps those that are
    /// new. Does nothing unless the decoder accumulates and an id was decoded. Time is the event's.
    pub fn apply(&mut self, event: &Event<'_>, decoded: &mut Decoded, facts: &Facts) {
        if !facts.accumulate {
            return;
        }
        let Some(id) = decoded.fields.get(Field::Id, event.full) else { return };
        self.key.clear();
        for part in [event.host(), facts.name.as_bytes(), id] {
            self.key.extend_from_slice(part);
            // A control byte stands in no line, so no two triples make one key.
            self.key.push(0);
        }
        if self.key.len() > LONGEST_KEY {
            return;
        }
        let now = event.time.seconds;
        if !self.activities.contains_key(self.key.as_slice()) {
            self.make_room(now);
            self.activities.insert(self.key.as_slice().into(), Activity { last: now, ..Activity::default() });
        }
        let Some(activity) = self.activities.get_mut(self.key.as_slice()) else { return };
        if now - activity.last > WINDOW {
            *activity = Activity::default();
        }
        activity.last = now;
        for (field, kept) in KEPT.into_iter().zip(&mut activity.values) {
            let own = decoded.fields.get(field, event.full).filter(|text| !text.is_empty());
            match (own, &kept) {
                (None, Some(value)) => decoded.fields.set(field, Value::Owned(value.clone())),
                (Some(text), None) if text.len() <= LONGEST => *kept = Some(text.into()),
                _ => {}
            }
        }
    }

    /// Number of activities remembered.
    pub fn len(&self) -> usize {
        self.activities.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.activities.is_empty()
    }

    fn make_room(&mut self, now: i64) {
        if self.activities.len() < ACTIVITIES {
            return;
        }
        self.activities.retain(|_, activity| now - activity.last <= WINDOW);
        if self.activities.len() < ACTIVITIES {
            return;
        }
        // Still full: an eighth goes at once, so that a flood does not pay this for every line.
        let mut times: Vec<i64> = self.activities.values().map(|activity| activity.last).collect();
        let (_, &mut limit, _) = times.select_nth_unstable(ACTIVITIES / 8);
        let mut surplus = ACTIVITIES / 8;
        self.activities.retain(|_, activity| {
            let leaves = surplus > 0 && activity.last <= limit;
            surplus -= usize::from(leaves);
            !leaves
        });
    }
}
