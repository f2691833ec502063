//! The door of this room: lanes offer verdicts here, and nobody waits for a disk.

use super::filter::Filter;
use super::gate::{Counters, Gate};
use super::meta::{Id, Meta, Place};
use super::own::{self, Own};
use super::read::{self, Bounds, Found};
use super::recent::{Follower, Recent};
use super::spool::{Entry, Spool, Text};
use super::{Config, Error, clock, format};
use crate::correlate::{Previous, Verdict};
use crate::decode::Decoded;
use crate::event::{Event, Header, Origin, Receipt, Source, Stamp};
use crate::guest;
use crate::metrics;
use crate::rules;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rules that are counted one by one; what goes beyond is counted under `other`.
const COUNTED_RULES: usize = 500;

/// Levels above this one are counted with it.
const HIGHEST_LEVEL: u32 = 16;

/// What became of an offered alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It will be written.
    Taken,
    /// Its rule has written too many in this minute: counted and told, not written.
    HeldBack,
    /// There is no room left: its line will be read again after a restart.
    Refused,
}

/// How the writer is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Alerts taken since the start.
    pub taken: u64,
    /// Alerts written since the start.
    pub written: u64,
    /// Alerts held back since the start.
    pub held_back: u64,
    /// Alerts refused since the start.
    pub refused: u64,
    /// Bytes that wait for the disk.
    pub waiting_bytes: usize,
    /// What writing says, while it does not work.
    pub failing: Option<String>,
}

/// Offers alerts, asks for them, and governs the writer. Clones share one writer.
#[derive(Debug, Clone)]
pub struct Handle(pub(super) Arc<Shared>);

/// What offers and the writer's thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub config: Config,
    pub gate: Mutex<Gate>,
    pub spool: Mutex<Waiting>,
    /// Somebody waits for: an alert, an order (writer), the end (whoever stops it).
    pub moved: Condvar,
    pub recent: Recent,
    pub number: AtomicU64,
    pub reopen: AtomicBool,
    pub counts: Counts,
}

/// The spool and the writer's orders, under one lock.
#[derive(Debug)]
pub(super) struct Waiting {
    pub spool: Spool,
    pub stop: bool,
    pub ended: bool,
    /// Alerts that the writer has taken out and not yet written.
    pub in_hand: usize,
    pub failing: Option<String>,
}

/// What this room counts.
#[derive(Debug)]
pub(super) struct Counts {
    by_guest: metrics::Counters<1>,
    by_level: metrics::Counters<1>,
    by_rule: metrics::Counters<1>,
    pub taken: AtomicU64,
    pub written: metrics::Counter,
    pub held_back: metrics::Counter,
    pub refused: metrics::Counter,
    pub failures: metrics::Counters<1>,
    pub seconds: metrics::Histogram,
}

impl Counts {
    pub fn new(registry: &metrics::Registry) -> Self {
        let by_level = registry.counters("hids_alerts_by_level_total", "Alerts by level of their rule.", ["level"]);
        for level in 1..=HIGHEST_LEVEL {
            by_level.with([&level.to_string()]);
        }
        let counts = Self {
            by_guest: registry.counters("hids_alerts_total", "Alerts by guest.", ["guest"]),
            by_level,
            by_rule: registry.counters_capped(
                "hids_rule_alerts_total",
                "Alerts by rule; beyond a number of rules `other`.",
                ["rule"],
                COUNTED_RULES,
            ),
            taken: AtomicU64::new(0),
            written: registry.counter("hids_alert_written_total", "Alerts written to the alert files."),
            held_back: registry.counter(
                "hids_alert_held_back_total",
                "Alerts beyond what one rule of one guest may write in a minute.",
            ),
            refused: registry
                .counter("hids_alert_refused_total", "Alerts that could not be kept; their lines are read again."),
            failures: registry.counters(
                "hids_alert_write_failures_total",
                "Attempts to write an alert file that failed.",
                ["sink"],
            ),
            seconds: registry.histogram(
                "hids_alert_write_duration_seconds",
                "Time that writing one batch of alerts took.",
                &[0.0001, 0.001, 0.01, 0.1, 1.0],
            ),
        };
        counts.by_guest.with([guest::id::HOST]);
        for sink in ["json", "log"] {
            counts.failures.with([sink]);
        }
        counts
    }
}

thread_local! {
    /// Where a thread formats: an alert costs one allocation, for the text that waits.
    static DESK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that one huge alert made larger than this is given back.
const DESK_KEPT: usize = 256 << 10;

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is whole: nothing in these sections can stop half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// Claims the next alert id. Claim it before offering, so that the responses (their `$4`) and the alert carry the
    /// same one; a claim that is never offered leaves a gap, as OSSEC's do.
    pub fn claim(&self, arrival: Stamp) -> Id {
        Id { epoch: arrival.seconds, number: self.0.number.fetch_add(1, Ordering::Relaxed) }
    }

    /// Offers an alert. Never waits for the disk, and never for another guest's alerts.
    ///
    /// The receipt is done once the alert stands in every alert file, or was held back; it is dropped if the alert is
    /// refused, so that its line is read again after a restart.
    pub fn offer(&self, verdict: &Verdict<'_>, meta: &Meta, receipt: Receipt) -> Offered {
        let shared = &self.0;
        let guest = verdict.event.source.guest.as_ref();
        let minute = meta.arrival.seconds.div_euclid(60);
        let counters = || shared.counters(guest, verdict.rule);
        let Some(counters) = locked(&shared.gate).admit(guest, verdict.rule.id, minute, counters) else {
            shared.counts.held_back.inc();
            receipt.done();
            return Offered::HeldBack;
        };
        for counter in [&counters.guest, &counters.level, &counters.rule] {
            counter.inc();
        }
        let text = DESK.with_borrow_mut(|desk| {
            desk.clear();
            if shared.config.log.is_some() {
                format::ossec::write(desk, verdict, meta);
            }
            let record = desk.len();
            format::json::write(desk, verdict, meta);
            let text = Text::new(desk, record);
            desk.shrink_to(DESK_KEPT);
            text
        });
        shared.recent.push(&text);
        let entry = Entry { text, receipt, id: meta.id };
        let refused = {
            let mut waiting = locked(&shared.spool);
            if waiting.ended { vec![(guest.cloned(), entry)] } else { waiting.spool.push(guest, entry) }
        };
        // What is refused may be another alert than this.
        let itself = refused.iter().any(|(_, entry)| entry.id == meta.id);
        shared.counts.refused.inc_by(refused.len() as u64);
        if itself {
            return Offered::Refused;
        }
        shared.counts.taken.fetch_add(1, Ordering::Relaxed);
        shared.moved.notify_all();
        Offered::Taken
    }

    /// Raises an alert of hids's own, about a guest (`None`: the host): limits, health, skipped events. The text is
    /// one line; control characters in it are replaced.
    pub fn tell(&self, guest: Option<&guest::Name>, rule: &rules::Facts, text: &str) {
        let (arrival, nanos) = clock::now();
        let full: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let source = Source {
            guest: guest.cloned(),
            path: own::LOCATION.into(),
            location: own::LOCATION.into(),
            label: own::LOCATION.into(),
            origin: Origin::Own,
        };
        let event = Event {
            full: full.as_bytes(),
            header: Header { host: None, program: None, log: 0..full.len() },
            own_host: guest.map_or(&*self.0.config.host, guest::Name::as_str),
            source: &source,
            time: arrival,
        };
        let verdict = Verdict {
            rule,
            event: &event,
            decoded: &Decoded::default(),
            decoder: Some(own::decoder()),
            previous: Previous::None,
            fired_times: 0,
            alert: true,
            respond: false,
        };
        let meta = Meta { id: self.claim(arrival), arrival, nanos, place: Place::default(), event_time: None };
        self.offer(&verdict, &meta, Receipt::none());
    }

    /// Makes a guest's series known at 0, so that its first alert shows as a rise.
    pub fn announce(&self, guest: &guest::Name) {
        self.0.counts.by_guest.with([guest.as_str()]);
    }

    /// Forgets what is kept for a guest that was deleted; its waiting alerts are still written.
    pub fn forget(&self, guest: &guest::Name) {
        locked(&self.0.gate).forget(guest);
        self.0.counts.by_guest.remove([guest.as_str()]);
    }

    /// Looks whether the files were rotated away (SIGHUP); the writer also looks by itself before it writes.
    pub fn reopen(&self) {
        self.0.reopen.store(true, Ordering::Release);
        self.0.moved.notify_all();
    }

    /// Begins to follow new alerts.
    pub fn follow(&self, filter: Filter) -> Follower {
        self.0.recent.follow(filter)
    }

    /// The JSON lines of the latest alerts, newest first, from memory alone: at once, for a screen.
    pub fn latest(&self, most: usize) -> Vec<String> {
        self.0.recent.newest_first(most).iter().map(|text| text.line().to_owned()).collect()
    }

    /// Finds alerts, newest first: those in memory, then those in `alerts.json`. It reads a file and may take a while:
    /// not for an async thread.
    ///
    /// # Errors
    /// [`Error`] of kind `Read` if the file cannot be read.
    pub fn find(&self, filter: &Filter, bounds: Bounds) -> Result<Found, Error> {
        let mut lines = Vec::new();
        let mut known = HashSet::new();
        for text in self.0.recent.newest_first(usize::MAX) {
            let Some(line) = super::filter::Line::read(text.line()) else { continue };
            if filter.fits_line(&line) {
                if lines.len() >= bounds.alerts {
                    return Ok(Found { lines, complete: false });
                }
                known.insert(line.id.into_owned());
                lines.push(text.line().to_owned());
            }
        }
        let Some(path) = &self.0.config.json else { return Ok(Found { lines, complete: false }) };
        let rest = Bounds { alerts: bounds.alerts - lines.len(), ..bounds };
        let mut found = read::newest_first(path, filter, &known, rest).map_err(|error| Error::read(path, error))?;
        lines.append(&mut found.lines);
        Ok(Found { lines, complete: found.complete })
    }

    /// Tells how the writer is.
    pub fn health(&self) -> Health {
        let (waiting_bytes, failing) = {
            let waiting = locked(&self.0.spool);
            (waiting.spool.bytes(), waiting.failing.clone())
        };
        let counts = &self.0.counts;
        Health {
            taken: counts.taken.load(Ordering::Relaxed),
            written: counts.written.get(),
            held_back: counts.held_back.get(),
            refused: counts.refused.get(),
            waiting_bytes,
            failing,
        }
    }

    /// Ends the writer: what waits is still written, for so long. Tells whether everything was; what was not is
    /// dropped, so that its lines are read again. Blocks: not for an async thread.
    pub fn stop(&self, patience: Duration) -> bool {
        let shared = &self.0;
        let mut waiting = locked(&shared.spool);
        waiting.stop = true;
        shared.moved.notify_all();
        let (mut waiting, _) = shared
            .moved
            .wait_timeout_while(waiting, patience, |waiting| !waiting.ended)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.ended = true;
        let left = waiting.spool.take(usize::MAX);
        let whole = left.is_empty() && waiting.in_hand == 0;
        drop(waiting);
        drop(left);
        whole
    }
}

impl Shared {
    fn counters(&self, guest: Option<&guest::Name>, rule: &rules::Facts) -> Counters {
        let counts = &self.counts;
        Counters {
            guest: counts.by_guest.with([guest.map_or(guest::id::HOST, guest::Name::as_str)]),
            level: counts.by_level.with([&rule.level.min(HIGHEST_LEVEL).to_string()]),
            rule: counts.by_rule.with([&rule.id.to_string()]),
        }
    }

    /// Tells, as alerts, what the gate held back in minutes that are over; at the end also in this one.
    pub fn tell_held_back(self: &Arc<Self>, at_end: bool) {
        let minute = if at_end { i64::MIN } else { clock::now().0.seconds.div_euclid(60) };
        let held = locked(&self.gate).expire(minute);
        for held in held {
            let name = held.guest.as_ref().map_or(guest::id::HOST, guest::Name::as_str);
            let text = format!(
                "{} alerts of rule {} of {name} held back: more than {} in a minute",
                held.count, held.rule, self.config.per_minute
            );
            Handle(Arc::clone(self)).tell(held.guest.as_ref(), Own::AlertsHeldBack.facts(), &text);
        }
    }
}
