//! A lane: one guest's lines, judged in order, and what comes of them handed to the doers.
//!
//! Batches come in through a queue that is bounded in bytes, so that a guest that writes faster than it can be judged
//! waits in its own files. A lane shares nothing with other lanes, and gives way to them after each slice of a batch.

use super::act::{Read, act};
use super::clock::Clock;
use super::commons::Offered;
use super::hand::{Hand, Hands, source_number};
use super::late::LateClock;
use super::tally::{Counts, Tally};
use crate::alert::{self, Meta, Own, Place};
use crate::correlate::{Book, Judge};
use crate::event::intake::Outlet;
use crate::event::{Batch, Freshness, Line, Stamp, header};
use crate::guest;
use crate::respond;
use crate::store::{Store, Table};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Lines judged before the neighbours get their turn: below a millisecond at the usual speed.
const SLICE: usize = 64;

/// A slice ends early when it has taken so long: a guest may write the lines that cost most.
const SLICE_TIME: Duration = Duration::from_millis(1);

/// How often at most the part of the memory that survives a restart is written out.
const EXPORT_PAUSE: Duration = Duration::from_millis(200);

/// What every lane is handed.
#[derive(Clone)]
pub struct Doers {
    /// Writes alerts.
    pub alerts: alert::Handle,
    /// Shuts attackers out.
    pub responses: Arc<respond::Responder>,
    /// Counts over guests.
    pub commons: mpsc::Sender<Offered>,
    /// Keeps what survives a restart.
    pub store: Arc<Store>,
    /// Notes the line in hand.
    pub hands: Option<Arc<Hands>>,
    /// Tells the time.
    pub clock: Clock,
    /// The host's short name.
    pub host: Arc<str>,
    /// The counters of each guest; `None` is the host.
    pub tallies: Tallies,
}

/// The counters of all guests.
#[derive(Clone, Default)]
pub struct Tallies(Arc<Mutex<HashMap<Option<guest::Name>, Arc<Tally>>>>);

impl Tallies {
    /// The counters of a guest, made at the first call.
    pub fn of(&self, guest: Option<&guest::Name>) -> Arc<Tally> {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tallies.entry(guest.cloned()).or_default())
    }

    /// Forgets a guest that was deleted.
    pub fn forget(&self, guest: &guest::Name) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&Some(guest.clone()));
    }

    /// Events judged in all.
    pub fn events(&self) -> u64 {
        self.look().iter().map(|(_, counts)| counts.events).sum()
    }

    /// Looks at all of them.
    pub fn look(&self) -> Vec<(Option<guest::Name>, Counts)> {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().map(|(guest, tally)| (guest.clone(), tally.look())).collect()
    }
}

/// One lane's judge with its surroundings.
pub struct Lane {
    key: Vec<u8>,
    judge: Judge,
    doers: Doers,
    hand: Hand,
    late: LateClock,
    exported: (u64, Instant),
    books: watch::Receiver<Arc<Book>>,
}

impl Lane {
    /// Makes a lane; `key` names it in the store. Memory that an earlier run wrote out is taken over.
    pub fn new(key: &str, judge: Judge, doers: Doers, books: watch::Receiver<Arc<Book>>) -> Self {
        let mut judge = judge;
        let key = key.as_bytes().to_vec();
        match doers.store.get(Table::Lanes, &key) {
            Ok(Some(kept)) => {
                if let Err(error) = judge.import(&kept) {
                    tracing::warn!(
                        "lane {}: what was kept of it cannot be used: {error}",
                        String::from_utf8_lossy(&key)
                    );
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("lane {}: {error}", String::from_utf8_lossy(&key)),
        }
        let exported = (judge.changes(), Instant::now());
        let hand = doers.hands.as_ref().map_or_else(Hand::none, Hands::hand);
        Self { key, judge, doers, hand, late: LateClock::default(), exported, books }
    }

    /// Judges batches until all producers are gone.
    pub async fn run(mut self, mut outlet: Outlet) {
        while let Some(batch) = outlet.next().await {
            if self.books.has_changed().unwrap_or(false) {
                let book = Arc::clone(&self.books.borrow_and_update());
                self.judge.adopt(book);
            }
            self.batch(batch).await;
        }
        self.keep(true);
    }

    async fn batch(&mut self, batch: Batch) {
        let guest = batch.source.guest.as_ref();
        let tally = self.doers.tallies.of(guest);
        let own_host = guest.map_or_else(|| Arc::clone(&self.doers.host), |name| Arc::from(name.as_str()));
        let unix = self.doers.clock.unix(batch.read_at);
        let arrival = self.doers.clock.stamp(batch.read_at);
        let nanos = unix.subsec_nanos();
        let source = source_number(&batch);
        let mut offers = Vec::new();
        let mut lines = batch.lines.iter().peekable();
        while lines.peek().is_some() {
            let mut counts = Counts::default();
            let begun = Instant::now();
            for line in lines.by_ref().take(SLICE) {
                let at = At { arrival, nanos, own_host: &own_host };
                if self.hand.take(&batch, source, line) {
                    let judged =
                        catch_unwind(AssertUnwindSafe(|| self.line(&batch, line, at, &mut counts, &mut offers)));
                    if judged.is_err() {
                        counts.skipped += 1;
                        // What was half done in its memory must not spoil every line to come.
                        self.judge.forget();
                        self.tell_skipped(&batch, line, "judging a line went wrong");
                    }
                } else {
                    counts.skipped += 1;
                    self.tell_skipped(&batch, line, "judging a line ended hids twice");
                }
                if begun.elapsed() > SLICE_TIME {
                    break;
                }
            }
            if batch.freshness != Freshness::Again {
                tally.add(&counts, arrival);
            }
            for offer in offers.drain(..) {
                // The commons are gone only while everything ends.
                let _ = self.doers.commons.send(offer).await;
            }
            self.hand.clear();
            tokio::task::yield_now().await;
        }
        self.keep(false);
        batch.receipt.done();
    }

    fn line(&mut self, batch: &Batch, line: &Line, at: At<'_>, counts: &mut Counts, offers: &mut Vec<Offered>) {
        let Self { judge, doers, late, .. } = self;
        let text = batch.line(line);
        let time = match batch.freshness {
            Freshness::Live => {
                late.live(at.arrival);
                at.arrival
            }
            Freshness::Late | Freshness::Again => late.judge_at(text, at.arrival),
        };
        let judgement = judge.weigh(text, &batch.source, at.own_host, time);
        counts.events += 1;
        counts.undecoded += u64::from(judgement.decoder.is_none());
        counts.discarded += u64::from(judgement.discarded);
        let place = Place { inode: batch.inode, offset: line.offset };
        let meta = |id| Meta {
            id,
            arrival: at.arrival,
            nanos: at.nanos,
            place,
            event_time: header::stamp(judgement.event.full, at.arrival),
        };
        if let Some(verdict) = judgement.verdict() {
            let (freshness, arrival, receipt) = (batch.freshness, at.arrival, &batch.receipt);
            let read = Read { freshness, at: batch.read_at, arrival, receipt };
            counts.alerts += u64::from(act(&verdict, read, &doers.alerts, &doers.responses, meta));
        }
        if let Some(offer) = judgement.offer() {
            let meta = meta(alert::Id::default());
            let (read_at, freshness, receipt) = (batch.read_at, batch.freshness, batch.receipt.share());
            offers.push(Offered { offer, meta, read_at, freshness, receipt });
        }
    }

    /// One bad line must not stop the fleet (design, decision 13).
    fn tell_skipped(&self, batch: &Batch, line: &Line, why: &str) {
        let guest = batch.source.guest.as_ref();
        let text = format!("{why}: skipped: {} inode {} offset {}", batch.source.location, batch.inode, line.offset);
        tracing::error!("{text}");
        self.doers.alerts.tell(guest, Own::EventSkipped.facts(), &text);
    }

    /// Hands what must survive a restart to the store; it is committed together with the positions.
    fn keep(&mut self, at_end: bool) {
        let changes = self.judge.changes();
        if changes == self.exported.0 || (!at_end && self.exported.1.elapsed() < EXPORT_PAUSE) {
            return;
        }
        self.doers.store.note(Table::Lanes, &self.key, Some(self.judge.export()));
        self.exported = (changes, Instant::now());
    }
}

/// When and where a batch's lines arrived.
#[derive(Clone, Copy)]
struct At<'a> {
    arrival: Stamp,
    nanos: u32,
    own_host: &'a str,
}
