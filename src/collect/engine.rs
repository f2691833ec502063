//! What all threads of the collector share, and how work gets from one to the other.

use super::Config;
use super::fetch::Portion;
use super::owner::Owner;
use super::place::Place;
use super::pool::Pool;
use super::tail::{Turn, TurnEnd};
use crate::store::Store;
use crate::sys::{Bell, Hub, Wake};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant, SystemTime};

/// How long turns may wait behind hanging ones before another thread is started.
pub(super) const RELIEF: Duration = Duration::from_millis(20);
/// Threads that may hang in reads of files that should not hang.
const READERS_MOST: usize = 32;
/// Threads that may hang while looking at guests' folders and odd files: one for each guest that is up to something.
const SCOUTS_MOST: usize = 64;
/// How often a file without a watch is looked at, where none was to be had.
pub(super) const POLL: Duration = Duration::from_millis(250);
/// The same for one that changes so fast that the hub has given up its watch.
pub(super) const POLL_STORM: Duration = Duration::from_millis(10);
/// When to try again while somebody else works on a place.
const OCCUPIED: Duration = Duration::from_millis(2);
/// The token of the pools' relief, and of a mere wake-up.
pub(super) const ATTENTION: u64 = 0;

/// What a scout does.
pub(super) enum Errand {
    /// Looks at an owner's folders.
    Look(Arc<Owner>),
    /// A turn of a place whose reads may hang.
    Turn(Arc<Place>),
}

/// The collector's inside.
pub(super) struct Engine {
    pub(super) config: RwLock<Arc<Config>>,
    pub(super) store: Arc<Store>,
    pub(super) hub: Hub,
    pub(super) bell: Bell,
    pub(super) owners: Mutex<HashMap<u64, Arc<Owner>>>,
    pub(super) places: Mutex<HashMap<u64, Weak<Place>>>,
    /// Places of owners that have gone, until they come again: their last batches may be under way.
    pub(super) departed: Mutex<HashMap<Vec<u8>, Vec<Arc<Place>>>>,
    next_token: AtomicU64,
    timers: Mutex<BinaryHeap<Reverse<(Instant, u64)>>>,
    readers: OnceLock<Pool<Arc<Place>>>,
    scouts: OnceLock<Pool<Errand>>,
    unsaved: Mutex<Vec<Arc<Place>>>,
    pub(super) saving: Condvar,
    pub(super) stopping: AtomicBool,
    pub(super) stopped: AtomicBool,
    /// The last positions are being saved: every one, changed or not.
    pub(super) finishing: AtomicBool,
    pub(super) store_trouble: Mutex<Option<String>>,
    /// hids has never run here before.
    pub(super) very_first: bool,
    /// Locations that were followed before.
    pub(super) known_locations: BTreeSet<Vec<u8>>,
    /// Wakes whoever waits for the descriptors of an owner to be closed.
    pub(super) released: Condvar,
    pub(super) releasing: Mutex<()>,
}

thread_local! {
    static PORTION: RefCell<Portion> = RefCell::default();
}

impl Engine {
    pub(super) fn start(
        config: Config,
        store: Arc<Store>,
        hub: Hub,
        very_first: bool,
        known_locations: BTreeSet<Vec<u8>>,
    ) -> Arc<Self> {
        let readers = config.readers.max(1);
        let engine = Arc::new(Self {
            config: RwLock::new(Arc::new(config)),
            store,
            hub,
            bell: Bell::new(),
            owners: Mutex::default(),
            places: Mutex::default(),
            departed: Mutex::default(),
            next_token: AtomicU64::new(ATTENTION + 1),
            timers: Mutex::default(),
            readers: OnceLock::new(),
            scouts: OnceLock::new(),
            unsaved: Mutex::default(),
            saving: Condvar::new(),
            stopping: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
            store_trouble: Mutex::default(),
            very_first,
            known_locations,
            released: Condvar::new(),
            releasing: Mutex::default(),
        });
        // The threads must not keep the collector alive.
        let reading = Arc::downgrade(&engine);
        let _ = engine.readers.set(Pool::new("hids-read", readers, READERS_MOST, move |place: Arc<Place>| {
            if let Some(engine) = reading.upgrade() {
                engine.run_turn(&place);
            }
        }));
        let scouting = Arc::downgrade(&engine);
        let _ = engine.scouts.set(Pool::new("hids-scout", 1, SCOUTS_MOST, move |errand: Errand| {
            if let Some(engine) = scouting.upgrade() {
                match errand {
                    Errand::Look(owner) => engine.run_look(&owner),
                    Errand::Turn(place) => engine.run_turn(&place),
                }
            }
        }));
        engine
    }

    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn token(&self) -> u64 {
        self.next_token.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn owners(&self) -> Vec<Arc<Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn owner(&self, token: u64) -> Option<Arc<Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(&token).cloned()
    }

    pub(super) fn place(&self, token: u64) -> Option<Arc<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&token).and_then(Weak::upgrade)
    }

    /// Gives a place a turn.
    pub(super) fn ask_turn(&self, place: &Arc<Place>) {
        if place.turns.ask() {
            self.queue_turn(place);
        }
    }

    fn queue_turn(&self, place: &Arc<Place>) {
        if self.stopping.load(Ordering::Acquire) {
            return;
        }
        let wait = if place.odd.load(Ordering::Relaxed) {
            self.scouts.get().is_some_and(|pool| pool.queue(place.owner.token, Errand::Turn(Arc::clone(place))))
        } else {
            self.readers.get().is_some_and(|pool| pool.queue(place.owner.token, Arc::clone(place)))
        };
        if wait {
            self.arm(ATTENTION, Instant::now() + RELIEF);
        }
    }

    /// Has an owner's folders looked at, as soon as its budget allows.
    pub(super) fn ask_look(&self, owner: &Arc<Owner>) {
        let now = Instant::now();
        let per_second = self.config().looks;
        match owner.budget.lock().unwrap_or_else(PoisonError::into_inner).take(now, per_second) {
            Ok(()) => {
                if owner.looks.ask() {
                    self.queue_look(owner);
                }
            }
            Err(later) => self.arm_owner(owner, later),
        }
    }

    fn queue_look(&self, owner: &Arc<Owner>) {
        if self.stopping.load(Ordering::Acquire) {
            return;
        }
        if self.scouts.get().is_some_and(|pool| pool.queue(owner.token, Errand::Look(Arc::clone(owner)))) {
            // Scouts may always hang: another one at once.
            self.relieve();
            self.arm(ATTENTION, Instant::now() + RELIEF);
        }
    }

    /// Queues a look that has been granted already.
    pub(super) fn requeue_look(&self, owner: &Arc<Owner>) {
        self.queue_look(owner);
    }

    /// Starts further threads where turns hang; tells whether any turn waits.
    pub(super) fn relieve(&self) -> bool {
        let readers = self.readers.get().is_some_and(|pool| pool.relieve(RELIEF));
        let scouts = self.scouts.get().is_some_and(|pool| pool.relieve(Duration::ZERO));
        readers || scouts
    }

    pub(super) fn stop_pools(&self) {
        if let Some(pool) = self.readers.get() {
            pool.stop();
        }
        if let Some(pool) = self.scouts.get() {
            pool.stop();
        }
    }

    pub(super) fn forget_jobs(&self, owner: u64) {
        if let Some(pool) = self.readers.get() {
            pool.forget(owner);
        }
        if let Some(pool) = self.scouts.get() {
            pool.forget(owner);
        }
    }

    /// Rings for a token at a time.
    pub(super) fn arm(&self, token: u64, due: Instant) {
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = timers.peek().is_none_or(|Reverse((first, _))| due < *first);
        timers.push(Reverse((due, token)));
        drop(timers);
        if earliest {
            self.bell.ring(ATTENTION, Wake::CALLED);
        }
    }

    /// As [`Engine::arm`] for a place, unless it is armed for an earlier time already.
    pub(super) fn arm_place(&self, place: &Place, due: Instant) {
        if sooner(&place.armed, due) {
            self.arm(place.token, due);
        }
    }

    pub(super) fn arm_owner(&self, owner: &Owner, due: Instant) {
        if sooner(&owner.armed, due) {
            self.arm(owner.token, due);
        }
    }

    /// What is due, and when the next is.
    pub(super) fn due(&self, now: Instant) -> (Vec<u64>, Option<Instant>) {
        let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while let Some(Reverse((at, token))) = timers.peek().copied() {
            if at > now {
                return (due, Some(at));
            }
            timers.pop();
            due.push(token);
        }
        (due, None)
    }

    /// Marks a place as having something to save.
    pub(super) fn save_soon(&self, place: &Arc<Place>) {
        if !place.unsaved.swap(true, Ordering::AcqRel) {
            self.unsaved().push(Arc::clone(place));
            self.saving.notify_one();
        }
    }

    pub(super) fn unsaved(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_turn(&self, place: &Arc<Place>) {
        place.turns.begin();
        let ending = place.owner.ending.load(Ordering::Acquire);
        if self.stopping.load(Ordering::Acquire) {
            return;
        }
        place.status().running = Some(Instant::now());
        let end = catch_unwind(AssertUnwindSafe(|| self.turn(place, ending))).unwrap_or_else(|_| {
            tracing::error!("collect: {}: a turn panicked", place.source.location);
            TurnEnd { due: Some(Instant::now() + POLL), ..TurnEnd::default() }
        });
        place.status().running = None;
        let ended = place.owner.ending.load(Ordering::Acquire);
        if ended && (ending && !end.more && !end.full) {
            place.release();
            let _guard = self.releasing.lock().unwrap_or_else(PoisonError::into_inner);
            self.released.notify_all();
        }
        if end.look && !ended {
            self.ask_look(&place.owner);
        }
        if let Some(due) = end.due {
            self.arm_place(place, due);
        }
        let polled = place.polled.load(Ordering::Relaxed);
        if polled > 0 && !ended {
            self.arm_place(place, Instant::now() + Duration::from_millis(polled));
        }
        if place.turns.end(end.more) {
            self.queue_turn(place);
        }
    }

    fn turn(&self, place: &Arc<Place>, ending: bool) -> TurnEnd {
        let config = self.config();
        // Somebody looks at its folder, which may take time; a reader has others to serve.
        let Some(mut tail) = place.try_tail() else {
            return TurnEnd { due: Some(Instant::now() + OCCUPIED), ..TurnEnd::default() };
        };
        let Some(intake) = place.owner.intake() else { return TurnEnd::default() };
        PORTION.with_borrow_mut(|portion| {
            let mut with = Turn {
                intake: &intake,
                source: &place.source,
                counters: &place.counters,
                own: &place.own,
                config: &config,
                crew: &place.owner.crew,
                portion,
                now: Instant::now(),
                wall: SystemTime::now(),
                ending,
                crowded: place.owner.is_crowded(&config),
            };
            let end = tail.turn(&mut with);
            place.publish(&mut tail);
            if tail.has_unsaved() {
                self.save_soon(place);
            }
            end
        })
    }
}

/// Notes an earlier time; tells whether it is one.
fn sooner(armed: &Mutex<Option<Instant>>, due: Instant) -> bool {
    let mut armed = armed.lock().unwrap_or_else(PoisonError::into_inner);
    let sooner = armed.is_none_or(|other| due < other || other <= Instant::now());
    if sooner {
        *armed = Some(due);
    }
    sooner
}
