//! Discovery: who is there, seen within a second.
//!
//! One thread of its own keeps the table of guests. It is woken by inotify on each LXC path and each guest's folder
//! (created, renamed, destroyed, configuration written), on the parents of the payload cgroups (started), on
//! `cgroup.events` (frozen), and by the pidfd of each first process (ended). Every scan interval it looks at everything
//! anew, which also finds guests without any cgroup and LXC paths that did not exist before.
//!
//! When it is not well: without inotify watches it polls each second. A reader that does not take its changes holds the
//! thread up; nothing is lost, the table is read anew afterwards. liblxc, where there is one, is asked first, but only
//! what `/proc` and the cgroups agree with is believed.

use super::fleet::Table;
use super::id::Name;
use super::measure::Counters;
use super::state::Guest;
use crate::sys::{Bell, Hub, Wake};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Changes that wait for their reader at most; then discovery waits.
const CHANGES: usize = 256;
/// Between two looks while something keeps changing.
const REST: Duration = Duration::from_millis(2);
/// How often everything cheap is looked at when there are no watches.
const BLIND: Duration = Duration::from_secs(1);
/// The token of orders.
pub(super) const ORDER: u64 = 0;

type Pattern = dyn Fn(&str) -> bool + Send + Sync;

/// Names of guests that are left alone; the configuration's patterns stand behind it.
#[derive(Clone, Default)]
pub struct Ignore(Option<Arc<Pattern>>);

impl Ignore {
    /// Leaves alone the guests for whose LXC name `pattern` says yes.
    pub fn when(pattern: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(pattern)))
    }

    /// Tells whether a guest of this LXC name is left alone.
    pub fn has(&self, lxc_name: &str) -> bool {
        self.0.as_ref().is_some_and(|pattern| pattern(lxc_name))
    }
}

impl fmt::Debug for Ignore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Ignore(pattern)" } else { "Ignore(nothing)" })
    }
}

/// What discovery is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The LXC paths, in the order of their rank: of two guests of the same name the one under the earlier path keeps
    /// its plain name.
    pub lxc_paths: Vec<PathBuf>,
    /// Guests left alone.
    pub ignore: Ignore,
    /// How often everything is looked at anew.
    pub scan_interval: Duration,
    /// Where procfs is mounted.
    pub proc: PathBuf,
    /// Below what the cgroup file systems are mounted.
    pub cgroup: PathBuf,
    /// Whether liblxc is asked, where the build and the host have it.
    pub liblxc: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lxc_paths: vec!["/var/lib/lxc".into()],
            ignore: Ignore::default(),
            scan_interval: Duration::from_secs(30),
            proc: "/proc".into(),
            cgroup: "/sys/fs/cgroup".into(),
            liblxc: true,
        }
    }
}

/// What happened to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new to hids, running or not.
    Appeared(Arc<Guest>),
    /// It was started, stopped, frozen, thawed, or its configuration changed.
    Changed(Arc<Guest>),
    /// It was destroyed, renamed, or is left alone from now on.
    Gone(Name),
}

/// All guests at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// The guests, by name.
    pub guests: Vec<Arc<Guest>>,
    /// Everything has been looked at at least once.
    pub complete: bool,
}

impl Fleet {
    /// Finds a guest by its name in hids.
    pub fn get(&self, name: &str) -> Option<&Arc<Guest>> {
        self.guests.binary_search_by(|guest| guest.name.as_str().cmp(name)).ok().map(|at| &self.guests[at])
    }
}

/// Discovery at work.
pub struct Discovery;

/// The line to discovery at work; dropping it ends discovery.
#[derive(Debug)]
pub struct Handle {
    bell: Bell,
    orders: Arc<Mutex<Orders>>,
    fleet: watch::Receiver<Arc<Fleet>>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Orders {
    stop: bool,
    rescan: bool,
    config: Option<Config>,
}

impl Discovery {
    /// Starts discovery on a thread of its own. The first look announces every guest that is there
    /// ([`Guest::from_start`]).
    ///
    /// # Errors
    ///
    /// The thread could not be started.
    pub fn start(config: Config, hub: Hub) -> io::Result<(Handle, mpsc::Receiver<Change>)> {
        let bell = Bell::new();
        let orders = Arc::new(Mutex::new(Orders::default()));
        let (changes, changed) = mpsc::channel(CHANGES);
        let (publish, fleet) = watch::channel(Arc::new(Fleet::default()));
        let counters = Arc::new(Counters::default());
        let runner = Runner {
            bell: bell.clone(),
            orders: Arc::clone(&orders),
            changes,
            publish,
            counters: Arc::clone(&counters),
        };
        std::thread::Builder::new().name("hids-discover".into()).spawn(move || runner.run(config, hub))?;
        Ok((Handle { bell, orders, fleet, counters }, changed))
    }
}

impl Handle {
    /// All guests as they stand now.
    pub fn snapshot(&self) -> Arc<Fleet> {
        Arc::clone(&self.fleet.borrow())
    }

    /// A channel that always holds the present fleet.
    pub fn watch(&self) -> watch::Receiver<Arc<Fleet>> {
        self.fleet.clone()
    }

    /// Counters since the start.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Waits until everything has been looked at once; at once if it has.
    pub async fn ready(&self) {
        let mut fleet = self.fleet.clone();
        // An error means that discovery has ended: there is nothing more to wait for.
        let _ = fleet.wait_for(|fleet| fleet.complete).await;
    }

    /// Asks for a look at everything now.
    pub fn rescan(&self) {
        self.order(|orders| orders.rescan = true);
    }

    /// Takes a new configuration into force.
    pub fn reconfigure(&self, config: Config) {
        self.order(|orders| orders.config = Some(config));
    }

    fn order(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.ring(ORDER, Wake::CALLED);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.order(|orders| orders.stop = true);
    }
}

struct Runner {
    bell: Bell,
    orders: Arc<Mutex<Orders>>,
    changes: mpsc::Sender<Change>,
    publish: watch::Sender<Arc<Fleet>>,
    counters: Arc<Counters>,
}

impl Runner {
    fn run(self, config: Config, hub: Hub) {
        let mut table = Table::new(config, hub, self.bell.clone());
        let mut next_scan = Instant::now();
        let mut rung = Vec::new();
        loop {
            let orders = std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner));
            if orders.stop {
                return;
            }
            if let Some(config) = orders.config {
                table.reconfigure(config);
                next_scan = Instant::now();
            }
            let now = Instant::now();
            let lost = table.note(&rung);
            if lost || orders.rescan || now >= next_scan {
                table.scan();
                self.counters.scans.fetch_add(1, Ordering::Relaxed);
                let took = u64::try_from(now.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.counters.last_scan.store(took, Ordering::Relaxed);
                next_scan = Instant::now() + table.scan_interval();
            } else {
                table.look();
            }
            let changes = table.changes();
            self.counters.blind.store(table.is_blind(), Ordering::Relaxed);
            self.counters.changes.fetch_add(changes.len() as u64, Ordering::Relaxed);
            let before = self.publish.borrow().complete;
            let fleet = table.fleet();
            let complete = fleet.complete;
            if !changes.is_empty() {
                // Whoever hears that the first look is over must find its changes in the channel.
                self.publish.send_replace(Arc::new(Fleet { complete: before, ..fleet }));
            }
            for change in changes {
                if self.changes.blocking_send(change).is_err() {
                    return;
                }
            }
            if complete && !before {
                self.publish.send_replace(Arc::new(table.fleet()));
            }
            std::thread::sleep(REST);
            let mut wait = next_scan.saturating_duration_since(Instant::now());
            if let Some(due) = table.due() {
                wait = wait.min(due.saturating_duration_since(Instant::now()));
            }
            if table.is_blind() {
                wait = wait.min(BLIND);
            }
            rung = self.bell.rung_within(wait.max(Duration::from_micros(1)));
        }
    }
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
