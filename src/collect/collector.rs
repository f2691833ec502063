//! The collector as the daemon sees it.

use super::cursor::Cursor;
use super::engine::Engine;
use super::owner::{self, Owner, Who, alive_key, alive_until, alive_value};
use super::pen::unload;
use super::report::{SourceReport, Totals};
use super::shelf::{Saved, Shelf, parse, prefix};
use super::{Config, FileSpec, keeper};
use crate::event::Intake;
use crate::guest::{self, Guest, GuestRoot, HostRoot, Tree};
use crate::store::{Error, Store, Table};
use crate::sys::Hub;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a guest's descriptors may be kept after its end: well below the second that `lxc-destroy` may expect.
const LET_GO: Duration = Duration::from_millis(800);
/// The key that says that hids has run before.
const STARTED: &[u8] = b"started";

/// Follows log files of the host and of guests. Dropping it stops everything without waiting.
pub struct Collector {
    pub(super) engine: Arc<Engine>,
}

/// Somebody whose files are to be followed from now on.
pub struct Joining {
    guest: Option<guest::Name>,
    prefix: PathBuf,
    tree: Arc<Tree>,
    intake: Intake,
    seen: SystemTime,
    at_start: bool,
    rejudges: bool,
}

impl Joining {
    /// The host.
    pub fn host(root: &HostRoot, intake: Intake) -> Self {
        Self {
            guest: None,
            prefix: PathBuf::new(),
            tree: Arc::clone(root),
            intake,
            seen: SystemTime::now(),
            at_start: true,
            rejudges: true,
        }
    }

    /// A guest, whose root has been opened.
    pub fn guest(guest: &Guest, root: &GuestRoot, intake: Intake) -> Self {
        Self {
            guest: Some(guest.name.clone()),
            prefix: guest.location(std::path::Path::new("/")),
            tree: Arc::clone(root),
            intake,
            seen: guest.seen,
            at_start: guest.from_start,
            rejudges: true,
        }
    }

    /// A guest of a test, seen just now and not at the start.
    #[cfg(test)]
    pub(super) fn for_tests(name: &str, lxc_path: &std::path::Path, root: &GuestRoot, intake: Intake) -> Self {
        Self {
            guest: Some(guest::Name::new(name)),
            prefix: lxc_path.join(name).join("rootfs"),
            tree: Arc::clone(root),
            intake,
            seen: SystemTime::now(),
            at_start: false,
            rejudges: true,
        }
    }

    /// Whether lines before the saved positions are judged again, silently ([`Config::rejudge`]): not for a lane that
    /// still has its memory. On by default.
    #[must_use]
    pub fn rejudge(mut self, yes: bool) -> Self {
        self.rejudges = yes;
        self
    }
}

impl Collector {
    /// Starts the collector's threads; nobody is followed yet. What the store knows decides where reading begins.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn start(config: Config, store: Arc<Store>, hub: Hub) -> Result<Self, Error> {
        let mut config = config;
        // Rotated files are held beside those that replace them: no owner gets more than a quarter of all descriptors.
        let most = usize::try_from(crate::sys::descriptors::limit() / 8).unwrap_or(usize::MAX);
        config.files_per_guest = config.files_per_guest.min(most.max(16));
        let very_first = store.get(Table::Known, STARTED)?.is_none();
        let configured: BTreeSet<Vec<u8>> = config.files.iter().map(FileSpec::key).collect();
        let mut known = BTreeSet::new();
        store.walk(Table::Known, b"place\0", |key, _| {
            known.insert(key.to_vec());
            ControlFlow::Continue(())
        })?;
        for gone in known.difference(&configured) {
            store.note(Table::Known, gone, None);
        }
        known.retain(|key| configured.contains(key));
        store.note(Table::Known, STARTED, Some(Vec::new()));
        let engine = Engine::start(config, store, hub, very_first, known);
        let hearing = Arc::downgrade(&engine);
        let writing = Arc::downgrade(&engine);
        let threads = [
            std::thread::Builder::new().name("hids-keeper".into()).spawn(move || keeper::keep(&hearing)),
            std::thread::Builder::new().name("hids-pen".into()).spawn(move || {
                if let Some(engine) = writing.upgrade() {
                    engine.write_down();
                }
            }),
        ];
        for thread in threads {
            if let Err(error) = thread {
                return Err(Error::io(format!("collect: no thread: {error}")));
            }
        }
        Ok(Self { engine })
    }

    /// Follows the files of the host or a guest, as the configuration means them. Whoever was followed under that name
    /// before is let go of first. Reads the store; blocks for milliseconds.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn add(&self, who: Joining) -> Result<(), Error> {
        let engine = &self.engine;
        self.remove(who.guest.as_ref());
        engine.commit();
        let key = owner::key(who.guest.as_ref());
        let mut shelf = Shelf::default();
        engine.store.walk(Table::Positions, &prefix(&key), |row, value| {
            if let (Some((path, _)), Some(cursor)) = (parse(&key, row), Cursor::decode(value)) {
                shelf.put(&path, Saved { cursor, pending: None });
            }
            ControlFlow::Continue(())
        })?;
        // What the last collector of this owner has under way is fresher than what is stored.
        let departed = engine.departed.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        for place in departed.into_iter().flatten() {
            if let Some(mut tail) = place.tail_soon() {
                for saved in unload(&mut tail) {
                    shelf.put(&place.path, saved);
                }
            }
        }
        let alive = engine.store.get(Table::Known, &alive_key(&key))?;
        let config = engine.config();
        let specs = config.files.iter().filter(|spec| spec.means(who.guest.as_ref(), &who.prefix)).cloned().collect();
        let owner = Arc::new(Owner::new(
            Who {
                token: engine.token(),
                guest: who.guest,
                prefix: who.prefix,
                tree: who.tree,
                intake: who.intake,
                rejudges: who.rejudges,
                seen: who.seen,
                very_first: engine.very_first && who.at_start,
                known: alive.is_some(),
                last_alive: alive.as_deref().and_then(alive_until),
                specs,
                shelf,
            },
            Instant::now(),
        ));
        let (waker, waiting) = (Arc::downgrade(engine), Arc::downgrade(&owner));
        let room = move || {
            let (Some(engine), Some(owner)) = (waker.upgrade(), waiting.upgrade()) else { return false };
            for place in owner.places() {
                if place.status().health == super::Health::Waiting {
                    engine.ask_turn(&place);
                }
            }
            true
        };
        if let Some(intake) = owner.intake() {
            intake.when_room(room);
        }
        engine.owners.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.token, Arc::clone(&owner));
        engine.ask_look(&owner);
        Ok(())
    }

    /// Ends following a guest (`None`: the host): reads out what is there as far as its lane has room, and lets go of all
    /// its descriptors within a second, but for reads that hang. Blocks until then. Positions go on being saved as the
    /// lane deals with what it was given.
    pub fn remove(&self, guest: Option<&guest::Name>) {
        let engine = &self.engine;
        let key = owner::key(guest);
        let found: Vec<Arc<Owner>> = engine.owners().into_iter().filter(|owner| owner.key == key).collect();
        for owner in found {
            owner.ending.store(true, Ordering::Release);
            owner.watches.lock().unwrap_or_else(PoisonError::into_inner).clear();
            *owner.tree.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let places = owner.places();
            for place in &places {
                engine.ask_turn(place);
            }
            let deadline = Instant::now() + LET_GO;
            let mut guard = engine.releasing.lock().unwrap_or_else(PoisonError::into_inner);
            while places.iter().any(|place| place.status().open > 0) {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                guard = engine.released.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            drop(guard);
            engine.forget_jobs(owner.token);
            owner.close_intake();
            for place in &places {
                place.release();
                engine.places.lock().unwrap_or_else(PoisonError::into_inner).remove(&place.token);
                engine.save_soon(place);
            }
            engine.owners.lock().unwrap_or_else(PoisonError::into_inner).remove(&owner.token);
            owner.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let mut departed = engine.departed.lock().unwrap_or_else(PoisonError::into_inner);
            departed.insert(key.clone(), places);
        }
    }

    /// Forgets a guest that is no more: one that comes later under its name is a new one.
    pub fn forget(&self, guest: &guest::Name) {
        self.remove(Some(guest));
        let key = owner::key(Some(guest));
        self.engine.departed.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let mut rows = Vec::new();
        let walked = self.engine.store.walk(Table::Positions, &prefix(&key), |row, _| {
            rows.push(row.to_vec());
            ControlFlow::Continue(())
        });
        if let Err(error) = walked {
            tracing::warn!("collect: guest {guest}: {error}");
        }
        for row in rows {
            self.engine.store.note(Table::Positions, &row, None);
        }
        self.engine.store.note(Table::Known, &alive_key(&key), None);
        if let Err(error) = self.engine.store.commit_noted() {
            tracing::warn!("collect: guest {guest}: {error}");
        }
    }

    /// Follows other locations from now on: new ones from the ends of the files that are there, the rest as before.
    pub fn reconfigure(&self, files: Vec<FileSpec>) {
        let mut config = (*self.engine.config()).clone();
        let kept: BTreeSet<Vec<u8>> = files.iter().map(FileSpec::key).collect();
        for gone in config.files.iter().map(FileSpec::key).filter(|key| !kept.contains(key)) {
            self.engine.store.note(Table::Known, &gone, None);
        }
        config.files = files;
        let files = config.files.clone();
        *self.engine.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        for owner in self.engine.owners() {
            let specs = files.iter().filter(|spec| spec.means(owner.guest.as_ref(), &owner.prefix)).cloned().collect();
            *owner.specs.lock().unwrap_or_else(PoisonError::into_inner) = specs;
            self.engine.ask_look(&owner);
        }
    }

    /// Has everybody been looked at once? Before that a file's end may not be known yet, and a line written meanwhile
    /// would lie before the point where reading begins.
    pub fn settled(&self) -> bool {
        self.engine.owners().iter().all(|owner| owner.settled.load(Ordering::Acquire))
    }

    /// All followed files, and locations that name none at the moment.
    pub fn sources(&self) -> Vec<SourceReport> {
        let mut owners = self.engine.owners();
        owners.sort_by(|a, b| a.guest.cmp(&b.guest));
        let reports = owners.iter().flat_map(|owner| {
            let mut reports: Vec<SourceReport> = owner.places().iter().map(|place| place.report()).collect();
            reports.extend(owner.trouble_reports());
            reports
        });
        reports.collect()
    }

    /// What is wrong with a guest's files (`None`: the host's), in words: empty when all is well.
    pub fn health(&self, guest: Option<&guest::Name>) -> Vec<String> {
        let mut wrong = Vec::new();
        for owner in self.engine.owners().into_iter().filter(|owner| owner.guest.as_ref() == guest) {
            if let Some(since) = *owner.looking.lock().unwrap_or_else(PoisonError::into_inner)
                && since.elapsed() > Duration::from_secs(1)
            {
                wrong.push(format!("stuck: a look at its folders hangs for {} s", since.elapsed().as_secs()));
            }
            let reports =
                owner.places().iter().map(|place| place.report()).chain(owner.trouble_reports()).collect::<Vec<_>>();
            for report in reports.into_iter().filter(|report| report.health.is_bad()) {
                wrong.push(format!("{}: {}", report.path, report.health));
            }
            if let Some(often) = owner.restless() {
                wrong.push(often);
            }
        }
        wrong
    }

    /// Totals for metrics, one for each owner and location.
    pub fn totals(&self) -> Vec<Totals> {
        let owners = self.engine.owners();
        let totals = owners.iter().flat_map(|owner| {
            owner.labels().into_iter().map(|(label, counters)| counters.totals(owner.guest.as_ref(), &label))
        });
        totals.collect()
    }

    /// Why positions cannot be committed at the moment; `None` when they can.
    pub fn store_trouble(&self) -> Option<String> {
        self.engine.store_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops reading: no batch is handed in any more. What was handed in may still be dealt with; [`Collector::finish`]
    /// saves that.
    pub fn stop_reading(&self) {
        self.engine.stopping.store(true, Ordering::Release);
        self.engine.stop_pools();
        self.engine.owners().iter().for_each(|owner| owner.close_intake());
    }

    /// Saves positions until everything handed in has been dealt with or the deadline is over, and ends. Tells whether all
    /// is saved; what is not is read again at the next start.
    pub fn finish(&self, deadline: Instant) -> bool {
        self.stop_reading();
        self.engine.finishing.store(true, Ordering::Release);
        for owner in self.engine.owners() {
            for place in owner.places() {
                self.engine.save_soon(&place);
            }
            self.engine.store.note(Table::Known, &alive_key(&owner.key), Some(alive_value(owner.last_look())));
        }
        self.engine.commit_until(deadline)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop_reading();
        {
            // Under the lock, or the pen might miss it between its question and its wait.
            let _unsaved = self.engine.unsaved();
            self.engine.stopped.store(true, Ordering::Release);
        }
        self.engine.saving.notify_all();
        self.engine.bell.ring(super::engine::ATTENTION, crate::sys::Wake::CALLED);
    }
}
