//! The roster: which guest has a lane, and what begins and ends with a guest.
//!
//! A guest's lane begins when the guest is first seen and ends when it is gone; its files are followed while it runs.
//! Opening roots and letting go of files may wait for a guest's file system, so each guest's changes are dealt with in
//! order on a thread that waits, and no guest waits for another.

use super::lane::{Doers, Lane};
use crate::collect::{Collector, Joining};
use crate::correlate::{Book, Firewall, Judge};
use crate::event::intake::{Intake, intake};
use crate::guest::discover::Change;
use crate::guest::{self, Guest, HostRoot, Init, State};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes that may wait in one lane; behind it the guest's own files wait.
const LANE_BYTES: usize = 1 << 20;

/// How long lanes may take for what is in hand when everything ends.
const DRAIN: Duration = Duration::from_secs(5);

/// How often opening a running guest's root is tried again: its first process may just be changing roots.
const TRIES: u32 = 10;

/// How long between two tries.
const AGAIN: Duration = Duration::from_millis(300);

struct Open {
    intake: Intake,
    task: JoinHandle<()>,
}

/// What is known of a guest here. Only the work on its changes, which is done one after the other, touches it.
struct Entry {
    /// Its folder, and the folder's inode.
    dir: PathBuf,
    inode: Option<u64>,
    /// The first process through whose root its files are followed.
    followed: Option<Init>,
    /// Why its root cannot be reached.
    trouble: Option<String>,
    /// Its lane has been filled with what was judged before the start.
    rejudged: bool,
}

/// What was told last of a guest.
struct Told {
    /// Its first process; `None` when it does not run, or is no more.
    init: Option<Init>,
    /// The work on its last change.
    work: JoinHandle<()>,
}

/// The lanes. With one history for all there is a single lane, under the host's name.
pub struct Roster {
    doers: Doers,
    collector: Arc<Collector>,
    books: watch::Receiver<Arc<Book>>,
    firewall: Firewall,
    one_history: bool,
    lanes: Mutex<HashMap<Option<guest::Name>, Open>>,
    /// Changes that are being dealt with.
    under_way: AtomicUsize,
    entries: Mutex<HashMap<guest::Name, Entry>>,
    told: Mutex<HashMap<guest::Name, Told>>,
}

fn inode(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|facts| facts.ino())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Roster {
    /// An empty roster.
    pub fn new(
        doers: Doers,
        collector: Arc<Collector>,
        books: watch::Receiver<Arc<Book>>,
        firewall: Firewall,
        one_history: bool,
    ) -> Self {
        let (lanes, entries, told) = (Mutex::default(), Mutex::default(), Mutex::default());
        let under_way = AtomicUsize::new(0);
        Self { doers, collector, books, firewall, one_history, lanes, under_way, entries, told }
    }

    /// The way into a guest's lane, which is opened at the first call. Needs a tokio runtime.
    fn intake(&self, guest: Option<&guest::Name>) -> Intake {
        let key = if self.one_history { None } else { guest.cloned() };
        let mut lanes = locked(&self.lanes);
        let open = lanes.entry(key.clone()).or_insert_with(|| {
            let (way_in, outlet) = intake(LANE_BYTES);
            let judge = Judge::new(Arc::clone(&self.books.borrow()), self.firewall);
            let lane = Lane::new(&key_of(key.as_ref()), judge, self.doers.clone(), self.books.clone());
            Open { intake: way_in, task: tokio::spawn(lane.run(outlet)) }
        });
        open.intake.clone()
    }

    /// Begins to watch the host itself.
    ///
    /// # Errors
    /// What keeps its files from being followed.
    pub fn host(&self) -> Result<(), String> {
        self.doers.tallies.of(None);
        let root = HostRoot::open().map_err(|error| error.to_string())?;
        self.collector.add(Joining::host(&root, self.intake(None))).map_err(|error| error.to_string())
    }

    /// Follows what discovery tells. Returns at once; the work is done in the order of the calls for each guest.
    pub fn change(self: &Arc<Self>, change: Change) {
        let (name, init) = match &change {
            Change::Appeared(guest) | Change::Changed(guest) => (guest.name.clone(), guest.init),
            Change::Gone(name) => (name.clone(), None),
        };
        self.under_way.fetch_add(1, Ordering::AcqRel);
        let mut told = locked(&self.told);
        let before = told.remove(&name).map(|told| told.work);
        let (roster, of) = (Arc::clone(self), name.clone());
        let work = tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            match change {
                Change::Gone(name) => roster.gone(name).await,
                Change::Appeared(guest) | Change::Changed(guest) => roster.follow(guest).await,
            }
            roster.finished(&of);
        });
        told.insert(name, Told { init, work });
    }

    /// The change that this task is for has been dealt with. What was told of a guest that is no more is forgotten,
    /// unless something newer was told.
    fn finished(&self, name: &guest::Name) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        let gone = !locked(&self.entries).contains_key(name);
        let mut told = locked(&self.told);
        if gone && told.get(name).is_some_and(|told| tokio::task::try_id() == Some(told.work.id())) {
            told.remove(name);
        }
    }

    /// Is everybody of a fleet known here, all that was told of them dealt with, and every file found?
    pub fn settled(&self, fleet: &[Arc<Guest>]) -> bool {
        let known = {
            let entries = locked(&self.entries);
            fleet.iter().all(|guest| entries.contains_key(&guest.name))
        };
        known && self.under_way.load(Ordering::Acquire) == 0 && self.collector.settled()
    }

    /// Follows the files of a running guest, through the root that its first process has now.
    async fn follow(self: &Arc<Self>, guest: Arc<Guest>) {
        let wanted = guest.init.filter(|_| guest.state.is_live());
        self.doers.tallies.of(Some(&guest.name));
        self.doers.alerts.announce(&guest.name);
        let followed = locked(&self.entries)
            .entry(guest.name.clone())
            .or_insert_with(|| Entry {
                dir: guest.dir.clone(),
                inode: inode(&guest.dir),
                followed: None,
                trouble: None,
                rejudged: false,
            })
            .followed;
        if wanted == followed {
            return;
        }
        if wanted.is_none() {
            if guest.state != State::Starting || followed.is_some() {
                self.let_go(&guest.name).await;
            }
            return;
        }
        let intake = self.intake(Some(&guest.name));
        for _ in 0..TRIES {
            let (roster, guest, intake) = (Arc::clone(self), Arc::clone(&guest), intake.clone());
            let name = guest.name.clone();
            let opened = tokio::task::spawn_blocking(move || roster.open(&guest, intake)).await;
            let trouble = match opened {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(why),
                Err(_) => Some("opening its root went wrong".to_owned()),
            };
            if self.opened(&name, wanted, trouble) {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
        if let Some(why) = locked(&self.entries).get(&guest.name).and_then(|entry| entry.trouble.clone()) {
            tracing::warn!("guest {}: its files cannot be followed: {why}", guest.name);
        }
    }

    /// Notes how opening a root went. Tells whether that settles it: it went well, or a later change of the guest waits
    /// behind this one and knows better.
    fn opened(&self, name: &guest::Name, init: Option<Init>, trouble: Option<String>) -> bool {
        let mut entries = locked(&self.entries);
        let Some(entry) = entries.get_mut(name) else { return true };
        let done = trouble.is_none();
        if done {
            entry.followed = init;
            entry.rejudged = true;
        }
        entry.trouble = trouble;
        done || locked(&self.told).get(name).is_some_and(|told| told.init != init)
    }

    fn open(&self, guest: &Guest, intake: Intake) -> Result<(), String> {
        let root = guest.root().map_err(|error| error.to_string())?;
        let rejudged = locked(&self.entries).get(&guest.name).is_some_and(|entry| entry.rejudged);
        let joining = Joining::guest(guest, &root, intake).rejudge(!rejudged);
        self.collector.add(joining).map_err(|error| error.to_string())
    }

    async fn let_go(self: &Arc<Self>, name: &guest::Name) {
        let (collector, of) = (Arc::clone(&self.collector), name.clone());
        let _ = tokio::task::spawn_blocking(move || collector.remove(Some(&of))).await;
        if let Some(entry) = locked(&self.entries).get_mut(name) {
            entry.followed = None;
            entry.trouble = None;
        }
    }

    /// The guest is no more: its lane ends when what was read has been judged. If its folder is gone as well, or another
    /// one by now, whoever comes under its name is a new guest.
    async fn gone(self: &Arc<Self>, name: guest::Name) {
        let entry = locked(&self.entries).remove(&name);
        let destroyed = entry.is_some_and(|entry| {
            let there = entry.dir.parent().is_some_and(Path::exists);
            there && (inode(&entry.dir).is_none() || inode(&entry.dir) != entry.inode)
        });
        let (collector, of) = (Arc::clone(&self.collector), name.clone());
        let _ =
            tokio::task::spawn_blocking(
                move || {
                    if destroyed { collector.forget(&of) } else { collector.remove(Some(&of)) }
                },
            )
            .await;
        if !self.one_history {
            let open = locked(&self.lanes).remove(&Some(name.clone()));
            if let Some(Open { intake, task }) = open {
                drop(intake);
                let _ = task.await;
            }
            if destroyed {
                self.doers.store.note(crate::store::Table::Lanes, key_of(Some(&name)).as_bytes(), None);
            }
        }
        self.doers.tallies.forget(&name);
        self.doers.alerts.forget(&name);
    }

    /// Why a guest's root cannot be reached; `None` when it can or need not.
    pub fn trouble(&self, name: &guest::Name) -> Option<String> {
        locked(&self.entries).get(name).and_then(|entry| entry.trouble.clone())
    }

    /// Bytes that wait in lanes.
    pub fn waiting_bytes(&self) -> usize {
        locked(&self.lanes).values().map(|open| open.intake.bytes()).sum()
    }

    /// Ends all lanes: what is in hand is judged, for so long. The collector must have let go of its ends before.
    pub async fn close(&self) {
        let lanes: Vec<Open> = locked(&self.lanes).drain().map(|(_, open)| open).collect();
        let mut tasks = Vec::new();
        for Open { intake, task } in lanes {
            drop(intake);
            tasks.push(task);
        }
        let drained = async {
            for task in &mut tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("not everything that was read could be judged in time: it is read again at the next start");
        }
    }
}

/// A lane's name in the store.
fn key_of(guest: Option<&guest::Name>) -> String {
    guest.map_or_else(|| "h".to_owned(), |name| format!("g{name}"))
}
