//! The one thread that writes the alert files.

use super::gate::Gate;
use super::handle::{Counts, Handle, Shared, Waiting, locked};
use super::own::Own;
use super::recent::Recent;
use super::sink::file::{Ending, File};
use super::spool::{Entry, Spool, Text};
use super::{Bounds, Config, Error, Filter, read};
use crate::metrics::Registry;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that are written at once, about.
const BATCH: usize = 256 << 10;

/// How often the writer looks around when nothing comes, and how long it waits before it tries a failed write again.
const TICK: Duration = Duration::from_millis(500);

/// Alerts of an earlier run that are looked up at start.
const REMEMBERED: usize = 20;

/// The writer; what starts it gets a [`Handle`].
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    json: Option<File>,
    log: Option<File>,
    in_hand: Vec<Entry>,
}

impl Writer {
    /// Starts the writer's thread. A file that cannot be opened is told loudly and tried again; until then alerts wait.
    ///
    /// # Errors
    /// [`Error`] of kind `Start` if there is no thread to be had.
    pub fn start(config: Config, registry: &Registry) -> Result<Handle, Error> {
        let last = config.json.as_deref().map_or(0, read::last_number);
        let last = last.max(config.log.as_deref().map_or(0, read::last_record)).max(config.last_number);
        let file = |path: &Option<PathBuf>, ending| path.clone().map(|path| File::new(path, ending));
        let (mut json, mut log) = (file(&config.json, Ending::Line), file(&config.log, Ending::EmptyLine));
        let mut failing = None;
        for file in [&mut json, &mut log].into_iter().flatten() {
            if let Err(error) = file.prepare() {
                tracing::error!(file = %file.path().display(), %error, "alerts cannot be written, they wait");
                failing = Some(format!("{}: {error}", file.path().display()));
            }
        }
        let shared = Arc::new(Shared {
            gate: Mutex::new(Gate::new(config.per_minute)),
            spool: Mutex::new(Waiting {
                spool: Spool::new(config.spool_bytes),
                stop: false,
                ended: false,
                in_hand: 0,
                failing,
            }),
            moved: Condvar::new(),
            recent: Recent::new(config.recent),
            number: AtomicU64::new(last.saturating_add(1)),
            reopen: AtomicBool::new(false),
            counts: Counts::new(registry),
            config,
        });
        remember(&shared);
        let asked = Arc::downgrade(&shared);
        registry.collect(move |scrape| {
            if let Some(shared) = asked.upgrade() {
                let bytes = locked(&shared.spool).spool.bytes() as f64;
                scrape.gauge("hids_queue_bytes", "Bytes that wait in a queue.", &[("queue", "alerts")], bytes);
            }
        });
        let writer = Self { shared: Arc::clone(&shared), json, log, in_hand: Vec::new() };
        std::thread::Builder::new().name("alerts".into()).spawn(move || writer.run()).map_err(Error::start)?;
        Ok(Handle(shared))
    }

    fn run(mut self) {
        let mut told = Instant::now();
        let (mut refused, mut last_words) = (0, false);
        loop {
            let stopping = self.wait();
            if stopping && !std::mem::replace(&mut last_words, true) {
                self.shared.tell_held_back(true);
            }
            if self.shared.reopen.swap(false, Ordering::AcqRel) {
                self.files().for_each(|(_, file)| file.reopen());
            }
            if !self.in_hand.is_empty() {
                self.write();
            }
            if told.elapsed() >= TICK {
                told = Instant::now();
                self.shared.tell_held_back(false);
                self.tell_refused(&mut refused);
            }
            if stopping && self.is_done() {
                break;
            }
        }
        let mut waiting = locked(&self.shared.spool);
        waiting.ended = true;
        self.shared.moved.notify_all();
    }

    /// Waits for something to write; with something in hand that could not be written, for a while. Tells whether the
    /// writer is to end.
    fn wait(&mut self) -> bool {
        let mut waiting = locked(&self.shared.spool);
        let idle = |waiting: &mut Waiting| {
            let nothing_new = waiting.in_hand > 0 || waiting.spool.bytes() == 0;
            nothing_new && !waiting.stop && !self.shared.reopen.load(Ordering::Acquire)
        };
        if waiting.stop && waiting.failing.is_some() {
            // Ending with a disk that takes nothing: try again, but leave the processor to others.
            drop(waiting);
            std::thread::sleep(TICK / 10);
            waiting = locked(&self.shared.spool);
        } else {
            waiting =
                self.shared.moved.wait_timeout_while(waiting, TICK, idle).unwrap_or_else(PoisonError::into_inner).0;
        }
        if self.in_hand.is_empty() {
            self.in_hand = waiting.spool.take(BATCH);
            waiting.in_hand = self.in_hand.len();
            for entry in &self.in_hand {
                if let Some(json) = &mut self.json {
                    json.append(entry.text.json());
                }
                if let Some(log) = &mut self.log {
                    log.append(entry.text.record());
                }
            }
        }
        waiting.stop
    }

    /// Writes what is in hand. Only when every file has it all, the receipts are done.
    fn write(&mut self) {
        let start = Instant::now();
        let mut failing = None;
        let shared = Arc::clone(&self.shared);
        for (sink, file) in self.files() {
            if let Err(error) = file.flush() {
                shared.counts.failures.with([sink]).inc();
                failing = Some(format!("{}: {error}", file.path().display()));
            }
        }
        let done = failing.is_none();
        {
            let mut waiting = locked(&shared.spool);
            match (&failing, &waiting.failing) {
                (Some(error), None) => tracing::error!(%error, "alerts cannot be written, they wait"),
                (None, Some(_)) => tracing::info!("alerts are written again"),
                _ => {}
            }
            waiting.failing = failing;
            if done {
                waiting.in_hand = 0;
            }
        }
        if done {
            shared.counts.written.inc_by(self.in_hand.len() as u64);
            shared.counts.seconds.observe(start.elapsed().as_secs_f64());
            self.in_hand.drain(..).for_each(|entry| entry.receipt.done());
        }
    }

    fn files(&mut self) -> impl Iterator<Item = (&'static str, &mut File)> {
        let json = self.json.as_mut().map(|file| ("json", file));
        let log = self.log.as_mut().map(|file| ("log", file));
        json.into_iter().chain(log)
    }

    fn is_done(&self) -> bool {
        let waiting = locked(&self.shared.spool);
        // Whoever stopped the writer and lost patience has set the end already.
        waiting.ended || (self.in_hand.is_empty() && waiting.spool.bytes() == 0)
    }

    /// Once writing works again, says how many alerts found no room meanwhile.
    fn tell_refused(&self, told: &mut u64) {
        let refused = self.shared.counts.refused.get();
        if refused > *told && locked(&self.shared.spool).failing.is_none() {
            let text = format!(
                "{} alerts refused while they could not be written; their lines are read again after a restart",
                refused - *told
            );
            *told = refused;
            Handle(Arc::clone(&self.shared)).tell(None, Own::AlertsRefused.facts(), &text);
        }
    }
}

/// Takes the last alerts of an earlier run into memory, so that the status shows them after a restart.
fn remember(shared: &Shared) {
    let bounds = Bounds { alerts: REMEMBERED, bytes: 1 << 20 };
    let Some(path) = &shared.config.json else { return };
    let Ok(found) = read::newest_first(path, &Filter::default(), &HashSet::new(), bounds) else { return };
    for line in found.lines.iter().rev() {
        shared.recent.push(&Text::new(format!("{line}\n").as_bytes(), 0));
    }
}
