//! The thread that writes down what is decided, before any gateway is told, and ends what is over.

use super::block::shown;
use super::ledger::Ledger;
use super::notice::{Notice, Topic};
use super::responder::unwound;
use super::runlog;
use super::shared::Shared;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Written down in one go.
const MOST: usize = 1_024;

/// How often blocks are compared with whom nobody may block.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// The writer of the ledger and of the log of runs.
pub(super) struct Scribe {
    shared: Arc<Shared>,
    ledger: Ledger,
    /// The last write failed: the whole desk is written anew as soon as that is possible.
    broken: bool,
    log_told: bool,
}

impl Scribe {
    /// Writes until the desk closes and everything is written.
    pub fn run(shared: Arc<Shared>, ledger: Ledger) {
        let tell = Arc::clone(&shared.tell);
        let mut scribe = Self { shared, ledger, broken: false, log_told: false };
        unwound("the writer of the ledger of blocks", &tell, || {
            scribe.work();
        });
    }

    fn work(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut next_sweep = Instant::now();
        loop {
            let mut desk = shared.desk();
            let closing = loop {
                let now = shared.clock.now();
                let over = desk.expire(now);
                if over > 0 {
                    shared.counters.expired.inc_by(over as u64);
                    shared.work.notify_all();
                }
                if desk.has_ink() || desk.closing || Instant::now() >= next_sweep {
                    break desk.closing;
                }
                let end = desk.next_end().map(|end| Duration::from_millis(u64::try_from(end - now).unwrap_or(0) + 1));
                let sweep = next_sweep.saturating_duration_since(Instant::now());
                let wait = end.map_or(sweep, |end| end.min(sweep));
                desk = shared.ink.wait_timeout(desk, wait).unwrap_or_else(PoisonError::into_inner).0;
            };
            if Instant::now() >= next_sweep {
                next_sweep = Instant::now() + SWEEP_EVERY;
                let spared = desk.sweep(&shared.spare);
                drop(desk);
                self.mend();
                for net in spared {
                    let text = format!("the block of {} is ended: it covers somebody who is spared", shown(&net));
                    (shared.tell)(Notice::own(Topic::Spared, text));
                }
                continue;
            }
            let now = shared.clock.now();
            let (lines, runs, nets) = desk.take_ink(MOST, now);
            drop(desk);
            if lines.is_empty() && runs.is_empty() && closing {
                return;
            }
            if !lines.is_empty()
                && !self.broken
                && let Err(error) = self.ledger.append(&lines)
            {
                self.broken = true;
                shared.counters.ledger_failures.inc();
                let text =
                    format!("the ledger of blocks cannot be written, blocks made now are lost if hids ends: {error}");
                (shared.tell)(Notice::own(Topic::Ledger, text));
            }
            // Blocking goes on without a ledger: a full disk must not open the door.
            shared.desk().written(&nets);
            shared.work.notify_all();
            self.log(&runs, now);
            self.shrink();
        }
    }

    fn log(&mut self, runs: &[runlog::Run], now: i64) {
        let config = self.shared.config.load();
        let Some(log) = config.log.as_ref().filter(|_| !runs.is_empty()) else { return };
        match runlog::append(log, runs, now) {
            Ok(()) => self.log_told = false,
            Err(error) if !std::mem::replace(&mut self.log_told, true) => {
                (self.shared.tell)(Notice::own(
                    Topic::Log,
                    format!("{}: cannot be written: {error}", log.path.display()),
                ));
            }
            Err(_) => {}
        }
    }

    fn shrink(&mut self) {
        let desk = self.shared.desk();
        if !self.broken && self.ledger.is_large(desk.len()) {
            let records = desk.records(self.shared.clock.now());
            drop(desk);
            // The long file goes on being used if this fails.
            let _ = self.ledger.rewrite(&records);
        }
    }

    /// After a failed write nothing is known of the file's end, so all of it is written anew.
    fn mend(&mut self) {
        if self.broken {
            let records = self.shared.desk().records(self.shared.clock.now());
            match self.ledger.rewrite(&records) {
                Ok(()) => {
                    self.broken = false;
                    (self.shared.tell)(Notice::own(Topic::Ledger, "the ledger of blocks is written again"));
                }
                Err(_) => self.shared.counters.ledger_failures.inc(),
            }
        }
    }
}
