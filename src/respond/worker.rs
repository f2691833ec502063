//! One thread per gateway: takes what the gateway is to be told, guests in turn, and tells it.

use super::config::{Gateway, Transport};
use super::desk::Desk;
use super::lane::{End, Report, Task};
use super::notice::{Notice, Topic};
use super::reach::{self, Entry, Error, FindInit, Kind, Op, Reach, Sets};
use super::shared::Shared;
use ipnet::IpNet;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Told in one go. More would let one guest's flood hold up another's block for longer.
const BATCH: usize = 512;

/// How often sets are compared with the desk.
const RECONCILE_EVERY: Duration = Duration::from_secs(30);

/// How often an idle worker looks whether the gateway is still the same.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An outage is told once it has lasted this long: a restart of the gateway is none.
const TELL_AFTER: Duration = Duration::from_secs(3);

/// At the end, what is in hand may still be told for this long.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// One gateway's worker.
pub(super) struct Worker {
    shared: Arc<Shared>,
    lane: u64,
    gateway: Gateway,
    reach: Box<dyn Reach>,
    ready: bool,
    backoff: Duration,
    next_try: Instant,
    next_check: Instant,
    outage: Option<Outage>,
    /// What is odd about the gateway now; each told once while it lasts.
    odd: BTreeSet<String>,
    cut_told: bool,
}

struct Outage {
    since: Instant,
    kind: Kind,
    told: bool,
}

enum Next {
    Stop,
    Connect,
    Batch(Vec<Task>),
    Reconcile(u64),
}

impl Worker {
    /// Works until the desk stops or the gateway leaves the configuration.
    pub fn run(shared: &Arc<Shared>, lane: u64, gateway: &Gateway, find_init: &FindInit) {
        let reach: Box<dyn Reach> = match reach::open(gateway, find_init) {
            Ok(reach) => reach,
            Err(error) => Box::new(Nowhere(error)),
        };
        let now = Instant::now();
        let mut worker = Self {
            shared: Arc::clone(shared),
            lane,
            gateway: gateway.clone(),
            reach,
            ready: false,
            backoff: Duration::ZERO,
            next_try: now,
            next_check: now,
            outage: None,
            odd: BTreeSet::new(),
            cut_told: false,
        };
        worker.work();
    }

    fn work(&mut self) {
        loop {
            match self.next() {
                Next::Stop => return self.end(),
                Next::Connect => self.connect(),
                Next::Batch(tasks) => self.batch(tasks),
                Next::Reconcile(asked) => self.reconcile(asked),
            }
        }
    }

    /// Waits for something to do.
    fn next(&mut self) -> Next {
        let shared = Arc::clone(&self.shared);
        let mut desk = shared.desk();
        loop {
            let Some(at) = desk.lane(self.lane) else { return Next::Stop };
            if desk.stop || desk.lanes[at].retired {
                return Next::Stop;
            }
            let now = Instant::now();
            if self.gateway.dry_run && desk.has_work(at) {
                // Only recorded: this settles everything without a word to the gateway.
                let _ = desk.take_tasks(at, BATCH, shared.clock.now());
                shared.settled.notify_all();
                continue;
            }
            let asked = (desk.lanes[at].sync_asked != desk.lanes[at].sync_done).then_some(desk.lanes[at].sync_asked);
            let look = std::mem::take(&mut desk.lanes[at].look);
            if !self.ready {
                if now >= self.next_try || asked.is_some() || look {
                    return Next::Connect;
                }
                desk = wait(&shared, desk, self.next_try);
                continue;
            }
            let late = now >= self.next_check + RECONCILE_EVERY / 6;
            if let Some(asked) = asked.or(late.then_some(desk.lanes[at].sync_done)) {
                return Next::Reconcile(asked);
            }
            if desk.has_work(at) {
                let tasks = desk.take_tasks(at, BATCH, shared.clock.now());
                shared.settled.notify_all();
                // What it takes to be settled without a word is written down by others.
                shared.ink.notify_one();
                if !tasks.is_empty() {
                    return Next::Batch(tasks);
                }
                continue;
            }
            if now >= self.next_check {
                return Next::Reconcile(desk.lanes[at].sync_done);
            }
            desk = wait(&shared, desk, self.next_check.min(now + LOOK_EVERY));
            let idle = desk.lane(self.lane).is_some_and(|at| !desk.has_work(at));
            if idle {
                drop(desk);
                if self.reach.lost() {
                    self.lose(&Error::new(Kind::Changed, "it has stopped or started anew"));
                }
                desk = shared.desk();
            }
        }
    }

    /// Finds the gateway, reads its sets and compares them.
    fn connect(&mut self) {
        let asked = self.shared.desk().lanes.iter().find(|lane| lane.id == self.lane).map_or(0, |lane| lane.sync_asked);
        match self.reach.connect() {
            Ok(()) => self.reconcile(asked),
            Err(error) => self.lose_answering(&error, Some(asked)),
        }
    }

    fn reconcile(&mut self, asked: u64) {
        let create = self.gateway.create_sets && !self.gateway.dry_run;
        let read = self.reach.describe_sets(create).and_then(|sets| Ok((self.reach.list()?, sets)));
        let (entries, sets) = match read {
            Ok(read) => read,
            Err(error) => return self.lose_answering(&error, Some(asked)),
        };
        self.look_for_odd(&sets, &entries);
        // Not under the desk's lock: others may have put a million entries there.
        let have: HashMap<IpNet, Option<u64>> = entries.iter().map(|entry| (entry.net, entry.timeout)).collect();
        let shared = Arc::clone(&self.shared);
        let mut desk = shared.desk();
        let Some(at) = desk.lane(self.lane) else { return };
        desk.lanes[at].sets = Some(sets);
        desk.lanes[at].up = true;
        desk.lanes[at].error = None;
        desk.lanes[at].odd = self.odd.iter().next().cloned();
        let report = desk.reconcile(at, &have, shared.clock.now());
        shared.counters.lost.inc_by(report.lost as u64);
        desk.lanes[at].report = report;
        desk.lanes[at].sync_done = asked;
        drop(desk);
        shared.settled.notify_all();
        self.ready = true;
        self.backoff = Duration::ZERO;
        self.next_check = Instant::now() + RECONCILE_EVERY;
        if self.outage.take().is_some_and(|outage| outage.told) {
            self.tell(Topic::GatewayUp, "blocks again".into());
        }
    }

    fn batch(&mut self, mut tasks: Vec<Task>) {
        // Each refusal takes one task out; a set that refuses many is not asked for ever within one batch.
        for _ in 0..32 {
            let ops: Vec<Op> = tasks.iter().map(|task| task.op).collect();
            match self.reach.apply(&ops) {
                Ok(()) => {
                    self.settle(&tasks, &End::Done);
                    self.cut(&tasks);
                    return;
                }
                Err(error) => {
                    self.shared.counters.failures.inc();
                    match error.op().filter(|op| *op < tasks.len()) {
                        None => {
                            self.settle(&tasks, &End::Again);
                            return self.lose(&error);
                        }
                        Some(op) => {
                            let blamed = tasks.remove(op);
                            let mut refused = Vec::new();
                            if error.kind() == Kind::Full {
                                self.find_odd(full(self.gateway.set_for(blamed.net.addr()).unwrap_or("")));
                                // It takes no newcomer behind this one either. Those before it may be in.
                                let behind = tasks.split_off(op);
                                let same = |task: &Task| task.fresh && is_v4(&task.net) == is_v4(&blamed.net);
                                let (hopeless, rest): (Vec<Task>, Vec<Task>) = behind.into_iter().partition(same);
                                tasks.extend(rest);
                                refused = hopeless;
                            }
                            refused.push(blamed);
                            self.settle(&refused, &End::Failed(error.to_string()));
                        }
                    }
                }
            }
            if tasks.is_empty() {
                return;
            }
        }
        self.settle(&tasks, &End::Again);
    }

    fn settle(&self, tasks: &[Task], end: &End) {
        let now = Instant::now();
        let mut desk = self.shared.desk();
        let Some(at) = desk.lane(self.lane) else { return };
        for task in tasks {
            if let Some(read_at) = desk.settle(at, task, end.clone()) {
                self.shared.counters.latency.observe(now.saturating_duration_since(read_at).as_secs_f64());
            }
        }
        let ink = desk.has_ink();
        drop(desk);
        self.shared.settled.notify_all();
        if ink {
            self.shared.ink.notify_one();
        }
    }

    fn cut(&mut self, tasks: &[Task]) {
        if !self.gateway.cut_established {
            return;
        }
        let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        let fresh = tasks.iter().filter(|task| task.fresh && matches!(task.op, Op::Add { .. }));
        let addresses: Vec<IpAddr> = fresh.filter(|t| single(t.op.net())).map(|task| task.op.net().addr()).collect();
        if !addresses.is_empty()
            && let Err(error) = self.reach.cut(&addresses)
        {
            self.shared.counters.failures.inc();
            if !std::mem::replace(&mut self.cut_told, true) {
                self.tell(Topic::GatewayOdd, format!("open connections cannot be ended: {error}"));
            }
        }
    }

    /// The gateway cannot be told anything for now.
    fn lose(&mut self, error: &Error) {
        self.lose_answering(error, None);
    }

    fn lose_answering(&mut self, error: &Error, asked: Option<u64>) {
        self.ready = false;
        let cap = match (error.kind(), &self.gateway.transport) {
            (Kind::Changed, _) => Duration::ZERO,
            (Kind::Down, Transport::Nsenter { .. }) => Duration::from_millis(500),
            (Kind::Missing, _) => Duration::from_secs(5),
            _ => Duration::from_secs(30),
        };
        self.backoff = (self.backoff * 2).max(Duration::from_millis(250)).min(cap);
        let now = Instant::now();
        self.next_try = now + self.backoff;
        let outage = self.outage.get_or_insert(Outage { since: now, kind: error.kind(), told: false });
        if outage.kind != error.kind() && error.kind() != Kind::Changed {
            outage.kind = error.kind();
            outage.told = false;
        }
        let tell = !outage.told && now.duration_since(outage.since) >= TELL_AFTER;
        outage.told |= tell;
        let mut desk = self.shared.desk();
        if let Some(at) = desk.lane(self.lane) {
            let lane = &mut desk.lanes[at];
            lane.up = false;
            lane.error = Some(error.to_string());
            if let Some(asked) = asked.filter(|asked| *asked != lane.sync_done) {
                lane.sync_done = asked;
                lane.report = Report { error: Some(error.to_string()), ..Report::default() };
            }
        }
        drop(desk);
        self.shared.settled.notify_all();
        if tell {
            self.tell(Topic::GatewayDown, format!("blocks wait: {error}"));
        }
    }

    fn look_for_odd(&mut self, sets: &Sets, entries: &[Entry]) {
        let mut found = Vec::new();
        for (set, v4) in [(&sets.v4, true), (&sets.v6, false)] {
            let Some(set) = set else { continue };
            let held = entries.iter().filter(|entry| is_v4(&entry.net) == v4).count() as u64;
            if set.max.is_some_and(|max| held >= max) {
                found.push(full(&set.name));
            }
            if set.references == Some(0) {
                found.push(format!("no firewall rule looks at set {}: blocks have no effect", set.name));
            }
            if !set.timeout {
                found.push(format!("set {} keeps no times: blocks end only while hids runs", set.name));
            }
            if !v4 && self.gateway.ipv6_prefix < 128 && !set.networks {
                found.push(format!("set {} is no hash:net: IPv6 is blocked by exact address", set.name));
            }
        }
        self.odd.retain(|what| found.contains(what));
        found.into_iter().for_each(|what| self.find_odd(what));
    }

    fn find_odd(&mut self, what: String) {
        if self.odd.insert(what.clone()) {
            self.tell(Topic::GatewayOdd, what);
        }
    }

    fn tell(&self, topic: Topic, text: String) {
        (self.shared.tell)(Notice::gateway(topic, &self.gateway.name, text));
    }

    /// What is in hand is still told; the sets of a gateway that left the configuration are left in order.
    fn end(&mut self) {
        if !self.ready {
            return;
        }
        let ends = Instant::now() + LAST_WORDS;
        loop {
            let tasks = {
                let mut desk = self.shared.desk();
                let Some(at) = desk.lane(self.lane) else { return };
                if desk.lanes[at].retired {
                    let farewell = desk.farewell(at);
                    drop(desk);
                    for ops in farewell.chunks(BATCH) {
                        // The gateway is no longer ours to insist on.
                        let _ = self.reach.apply(ops);
                    }
                    return;
                }
                desk.take_tasks(at, BATCH, self.shared.clock.now())
            };
            if tasks.is_empty() || !self.ready || Instant::now() >= ends {
                return self.settle(&tasks, &End::Again);
            }
            self.batch(tasks);
        }
    }
}

fn full(set: &str) -> String {
    format!("set {set} is full: newcomers are not blocked")
}

fn is_v4(net: &IpNet) -> bool {
    matches!(net, IpNet::V4(_))
}

fn wait<'a>(shared: &Shared, desk: MutexGuard<'a, Desk>, until: Instant) -> MutexGuard<'a, Desk> {
    let time = until.saturating_duration_since(Instant::now());
    shared.work.wait_timeout(desk, time).unwrap_or_else(PoisonError::into_inner).0
}

/// A gateway whose configuration is refused.
struct Nowhere(Error);

impl Reach for Nowhere {
    fn connect(&mut self) -> Result<(), Error> {
        Err(self.0.clone())
    }

    fn lost(&mut self) -> bool {
        true
    }

    fn describe_sets(&mut self, _: bool) -> Result<Sets, Error> {
        Err(self.0.clone())
    }

    fn apply(&mut self, _: &[Op]) -> Result<(), Error> {
        Err(self.0.clone())
    }

    fn list(&mut self) -> Result<Vec<Entry>, Error> {
        Err(self.0.clone())
    }

    fn cut(&mut self, _: &[IpAddr]) -> Result<(), Error> {
        Err(self.0.clone())
    }
}
