//! The room's face: verdicts go in, and people's questions and wishes.

use super::block::{BlockView, State, shown};
use super::clock::Clock;
use super::config::{Config, Gateway};
use super::desk::{Desk, Outcome};
use super::error::{Error, ErrorKind};
use super::lane::{Lane, Report};
use super::ledger::Ledger;
use super::measure::{self, Counters};
use super::notice::{Notice, Tell, Topic};
use super::plan::{No, plan};
use super::reach::FindInit;
use super::scribe::Scribe;
use super::shared::Shared;
use super::spare::{OwnAddresses, Spare, Why};
use super::white::{WhiteList, canonical};
use super::worker::Worker;
use crate::correlate::Verdict;
use crate::event::Freshness;
use crate::metrics::Registry;
use arc_swap::ArcSwap;
use ipnet::IpNet;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Somebody who asks by hand waits this long for the gateways.
const SETTLE: Duration = Duration::from_secs(2);

/// Reconciling on demand is waited for this long.
const SYNC: Duration = Duration::from_secs(15);

/// At start, names in the white list are waited for this long.
const RESOLVE: Duration = Duration::from_secs(3);

/// What the daemon provides.
#[derive(Clone)]
pub struct Deps {
    /// The first process of a running guest, by name.
    pub find_init: FindInit,
    /// The fleet's own addresses, replaced whenever they change.
    pub own: Arc<ArcSwap<OwnAddresses>>,
    /// Where notices go.
    pub tell: Tell,
    /// Where this room's numbers are registered.
    pub registry: Registry,
}

/// What became of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It leads to a block, or would if no limit held it back.
    Wish(Outcome),
    /// It asks for none.
    No(No),
    /// Whom it asks for is spared.
    Spared(Why),
}

/// How a gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Its name.
    pub gateway: String,
    /// It can be told what to block.
    pub up: bool,
    /// Nothing is told, as configured.
    pub dry_run: bool,
    /// Why it cannot.
    pub error: Option<String>,
    /// What is odd about it though it works.
    pub warning: Option<String>,
    /// Entries of its sets that were blocks of ours, missing, or foreign when last compared.
    pub agree: usize,
    /// Blocks that were missing then.
    pub lost: usize,
    /// Entries of others then.
    pub foreign: usize,
}

/// The running room. Everything here may be called from any thread; [`offer`](Self::offer) alone is meant for the
/// judging path, the others may wait for a gateway.
pub struct Responder {
    shared: Arc<Shared>,
    find_init: FindInit,
    crew: Mutex<Crew>,
}

#[derive(Default)]
struct Crew {
    next_lane: u64,
    scribe: Option<JoinHandle<()>>,
    workers: Vec<(u64, Gateway, JoinHandle<()>)>,
}

impl Responder {
    /// Starts: reads the ledger in `state_folder`, and sets a thread to work for each gateway. Waits up to three seconds
    /// for names in the white list.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], [`ErrorKind::Ledger`], [`ErrorKind::Thread`].
    pub fn start(config: Config, state_folder: &Path, deps: Deps) -> Result<Self, Error> {
        check(&config)?;
        let clock = Clock::start();
        let white = Arc::new(ArcSwap::from_pointee(WhiteList::of(&config.white_list)));
        let spare = Spare::new(Arc::clone(&white), deps.own);
        resolve(&white)?;
        let (ledger, loaded) = Ledger::open(state_folder).map_err(|error| {
            Error::new(ErrorKind::Ledger, format!("ledger of blocks: {}: {error}", state_folder.display()))
        })?;
        if loaded.damaged > 0 {
            let text = format!("the ledger of blocks had {} damaged lines, which are left out", loaded.damaged);
            (deps.tell)(Notice::own(Topic::Ledger, text));
        }
        let config = Arc::new(config);
        let mut crew = Crew::default();
        let mut desk = Desk::default();
        desk.replace_lanes(config.gateways.iter().map(|gateway| crew.lane(gateway)).collect());
        desk.load(loaded.records, &spare, clock.now());
        let lanes: Vec<u64> = desk.lanes.iter().map(|lane| lane.id).collect();
        let counters = Counters::new(&deps.registry);
        let shared = Arc::new(Shared::new(desk, clock, Arc::clone(&config), white, spare, counters, deps.tell));
        measure::ask_at_scrape(&deps.registry, &shared);
        let responder = Self { shared, find_init: deps.find_init, crew: Mutex::new(crew) };
        {
            let mut crew = responder.crew();
            let own = Arc::clone(&responder.shared);
            crew.scribe = Some(thread("hids-scribe", move || Scribe::run(own, ledger))?);
            for (lane, gateway) in lanes.into_iter().zip(&config.gateways) {
                let worker = responder.hire(lane, gateway)?;
                crew.workers.push(worker);
            }
        }
        Ok(responder)
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hire(&self, lane: u64, gateway: &Gateway) -> Result<(u64, Gateway, JoinHandle<()>), Error> {
        let (shared, find_init, own) = (Arc::clone(&self.shared), Arc::clone(&self.find_init), gateway.clone());
        let handle = thread("hids-gateway", move || {
            unwound("a gateway's worker", &shared.tell, || Worker::run(&shared, lane, &own, &find_init));
        })?;
        Ok((lane, gateway.clone(), handle))
    }

    /// Offers a verdict. Microseconds: it decides in memory and never waits for a disk or a gateway.
    ///
    /// `read_at` is when the line was read, `alert` the alert's id in alerts.log where there is one.
    pub fn offer(&self, verdict: &Verdict<'_>, freshness: Freshness, read_at: Instant, alert: Option<&str>) -> Answer {
        // Most verdicts end here.
        if !verdict.respond {
            return Answer::No(No::NotAsked);
        }
        let shared = &*self.shared;
        let config = shared.config.load();
        let now = shared.clock.now();
        let wish = match plan(&config, verdict, freshness, now) {
            Ok(wish) => wish,
            Err(no) => {
                match no {
                    No::Own => shared.counters.forged.inc(),
                    No::NotAnAddress => shared.counters.not_addresses.inc(),
                    No::TooLate => shared.counters.too_late.inc(),
                    No::NotAsked | No::GuestOff | No::NoAddress => {}
                }
                return Answer::No(no);
            }
        };
        let prefix = config.ipv6_prefix();
        let prefix = if prefix < 128 && !shared.desk().takes_networks() { 128 } else { prefix };
        let net = shared.spare.narrow(wish.address, prefix);
        if let Some(why) = shared.spare.why(&net, false) {
            shared.counters.spared.inc();
            return Answer::Spared(why);
        }
        let (guest, address) = (Arc::clone(&wish.guest), wish.address);
        let mut desk = shared.desk();
        let outcome = desk.wish(net, wish, alert, read_at, &config, now);
        let ink = desk.has_ink();
        drop(desk);
        if ink {
            shared.ink.notify_one();
        }
        match outcome {
            Outcome::New => shared.counters.blocks.inc(),
            Outcome::Merged => shared.counters.repeats.inc(),
            Outcome::Held(limit) => {
                shared.counters.held.inc();
                shared.tell_held(&guest, limit, address);
            }
        }
        Answer::Wish(outcome)
    }

    /// Every block on every gateway.
    pub fn list(&self) -> Vec<BlockView> {
        self.shared.desk().views()
    }

    /// Blocks a network by hand, for a time or (`None`) until removed, and waits up to two seconds for the gateways.
    /// Gives a row for each gateway; a block that stands takes the new end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Spared`] if it covers somebody who is never blocked; `force` overrides the white list alone.
    /// [`ErrorKind::NoGateway`].
    pub fn add(&self, net: IpNet, time: Option<Duration>, reason: &str, force: bool) -> Result<Vec<BlockView>, Error> {
        let net = canonical(net);
        let shared = &*self.shared;
        if let Some(why) = shared.spare.why(&net, force) {
            return Err(Error::new(ErrorKind::Spared, format!("{}: is not blocked: {why}", shown(&net))));
        }
        let now = shared.clock.now();
        let until = time.map(|time| now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(200).collect();
        let mut desk = shared.desk();
        if desk.lanes.is_empty() {
            return Err(Error::new(
                ErrorKind::NoGateway,
                "no gateway is configured, so nothing can be blocked: add a <gateway> section",
            ));
        }
        desk.add(net, until, &reason, force, now);
        drop(desk);
        shared.ink.notify_one();
        self.settled(&net);
        Ok(shared.desk().view(&net))
    }

    /// Takes a block out on all gateways, and waits up to two seconds for them. Gives the rows that are left because a
    /// gateway could not be told yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotBlocked`].
    pub fn remove(&self, net: IpNet) -> Result<Vec<BlockView>, Error> {
        let net = canonical(net);
        if !self.shared.desk().remove(&net) {
            return Err(Error::new(
                ErrorKind::NotBlocked,
                format!("{}: is not blocked by hids: see `hids blocks list`", shown(&net)),
            ));
        }
        self.shared.ink.notify_one();
        self.settled(&net);
        Ok(self.shared.desk().view(&net))
    }

    fn settled(&self, net: &IpNet) {
        let ends = Instant::now() + SETTLE;
        let mut desk = self.shared.desk();
        while desk.unsettled(net) && Instant::now() < ends {
            let left = ends.saturating_duration_since(Instant::now());
            desk = self.shared.settled.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Compares every gateway's sets with the ledger now, and waits for it up to fifteen seconds.
    pub fn sync(&self) -> Vec<(String, Report)> {
        let ends = Instant::now() + SYNC;
        let mut desk = self.shared.desk();
        let asked: Vec<(u64, u64)> = desk
            .lanes
            .iter_mut()
            .map(|lane| {
                lane.sync_asked += 1;
                (lane.id, lane.sync_asked)
            })
            .collect();
        self.shared.work.notify_all();
        let done = |desk: &Desk| {
            asked.iter().all(|(id, asked)| desk.lane(*id).is_none_or(|at| desk.lanes[at].sync_done >= *asked))
        };
        while !done(&desk) && Instant::now() < ends {
            let left = ends.saturating_duration_since(Instant::now());
            desk = self.shared.settled.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let report = |lane: &Lane| {
            let late = asked.iter().any(|(id, asked)| *id == lane.id && lane.sync_done < *asked);
            let error = late.then(|| "the gateway did not answer in time".to_owned());
            (lane.name.clone(), Report { error: error.or(lane.report.error.clone()), ..lane.report.clone() })
        };
        desk.lanes.iter().map(report).collect()
    }

    /// Lets every worker look at once whether its gateway came or went, without waiting: for the daemon, when a guest
    /// did. Cheap; workers look by themselves every half second.
    pub fn look(&self) {
        let mut desk = self.shared.desk();
        desk.lanes.iter_mut().for_each(|lane| lane.look = true);
        self.shared.work.notify_all();
    }

    /// How each gateway is.
    pub fn health(&self) -> Vec<Health> {
        let desk = self.shared.desk();
        let health = |lane: &Lane| Health {
            gateway: lane.name.clone(),
            up: lane.up,
            dry_run: lane.dry,
            error: lane.error.clone(),
            warning: lane.odd.clone(),
            agree: lane.report.agree,
            lost: lane.report.lost,
            foreign: lane.report.foreign,
        };
        desk.lanes.iter().map(health).collect()
    }

    /// What was counted, and the latency from a line to the set.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Number of blocks by state, counted once for each gateway (`hids_blocks{state}`).
    pub fn blocks_by_state(&self) -> Vec<(&'static str, u64)> {
        State::WORDS.into_iter().zip(self.shared.desk().counts()).collect()
    }

    /// Why nobody may block a network, if so.
    pub fn spared(&self, net: &IpNet) -> Option<Why> {
        self.shared.spare.why(net, false)
    }

    /// Takes over a new configuration. Blocks stay; gateways that are unchanged go on without a break.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); with [`ErrorKind::Config`] the old one stays in force.
    pub fn reload(&self, config: Config) -> Result<(), Error> {
        check(&config)?;
        let config = Arc::new(config);
        self.shared.white.store(Arc::new(WhiteList::of(&config.white_list)));
        resolve(&self.shared.white)?;
        self.shared.config.store(Arc::clone(&config));
        let mut crew = self.crew();
        let workers = std::mem::take(&mut crew.workers);
        let (stay, leave): (Vec<_>, Vec<_>) =
            workers.into_iter().partition(|(_, gateway, _)| config.gateways.contains(gateway));
        for (lane, ..) in &leave {
            let mut desk = self.shared.desk();
            if let Some(at) = desk.lane(*lane) {
                desk.lanes[at].retired = true;
            }
        }
        self.shared.work.notify_all();
        for (_, _, handle) in leave {
            let _ = handle.join();
        }
        let lanes: Vec<Lane> = config
            .gateways
            .iter()
            .map(|gateway| match stay.iter().find(|(_, own, _)| own == gateway) {
                Some((id, ..)) => Lane::new(*id, gateway),
                None => crew.lane(gateway),
            })
            .collect();
        let ids: Vec<u64> = lanes.iter().map(|lane| lane.id).collect();
        self.shared.desk().replace_lanes(lanes);
        crew.workers = stay;
        for (lane, gateway) in ids.into_iter().zip(&config.gateways) {
            if !crew.workers.iter().any(|(id, ..)| *id == lane) {
                let worker = self.hire(lane, gateway)?;
                crew.workers.push(worker);
            }
        }
        self.shared.work.notify_all();
        Ok(())
    }

    /// Writes down and tells what is in hand (two seconds at most), and ends. Nothing is unblocked.
    pub fn stop(&self) {
        let mut crew = self.crew();
        self.shared.desk().closing = true;
        self.shared.ink.notify_all();
        if let Some(scribe) = crew.scribe.take() {
            let _ = scribe.join();
        }
        self.shared.desk().stop = true;
        self.shared.work.notify_all();
        for (_, _, worker) in crew.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Crew {
    fn lane(&mut self, gateway: &Gateway) -> Lane {
        self.next_lane += 1;
        Lane::new(self.next_lane, gateway)
    }
}

fn check(config: &Config) -> Result<(), Error> {
    match config.problems().into_iter().next() {
        Some(problem) => Err(Error::new(ErrorKind::Config, problem)),
        None => Ok(()),
    }
}

/// Asks for the names in the white list on a thread of its own, which publishes them whenever the resolver answers.
fn resolve(white: &Arc<ArcSwap<WhiteList>>) -> Result<(), Error> {
    let list = white.load_full();
    if !list.has_names() {
        return Ok(());
    }
    let (done, wait) = mpsc::sync_channel(1);
    let white = Arc::clone(white);
    thread("hids-names", move || {
        let mut resolved = WhiteList::clone(&list);
        resolved.resolve();
        // Unless a newer list has taken its place meanwhile.
        white.compare_and_swap(&list, Arc::new(resolved));
        let _ = done.send(());
    })?;
    let _ = wait.recv_timeout(RESOLVE);
    Ok(())
}

/// Runs a thread's work to its end, again if it panics: a bug that one block wakes must not leave the door open for all
/// others. What was in hand is found again by reconciling.
pub(super) fn unwound(what: &str, tell: &Tell, mut work: impl FnMut()) {
    while catch_unwind(AssertUnwindSafe(&mut work)).is_err() {
        tell(Notice::own(Topic::Bug, format!("{what} failed by a bug of hids and is started anew")));
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::new(ErrorKind::Thread, format!("thread {name}: cannot be started: {error}")))
}
