//! Which guests run, by the testimony of cgroups, `/proc` and, first asked but never believed alone, liblxc.
//!
//! A payload cgroup that has appeared is traced to its first process and to the monitor that knows the guest's place;
//! while it is just being made it is looked at again within milliseconds. A running guest is held by a pidfd, and is
//! *starting* until its root is its own.

use super::cgroup::{self, Cgroups};
use super::discover::Config;
use super::error::Kind;
use super::fleet::{Key, Known, Tokens};
use super::id::Name;
use super::proc::{Monitor, Proc};
use super::root::GuestRoot;
use super::state::{Init, State};
use crate::sys::{Bell, Hub, Interest, Pidfd, Wake, Watch, hostfile};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The first wait before something unfinished is looked at again; it doubles.
const FIRST_LOOK: Duration = Duration::from_millis(2);
/// The longest wait.
const LAST_LOOK: Duration = Duration::from_millis(250);
/// Looks before a thing is left to the next scan (about 20 s in all).
const LOOKS: u32 = 80;
/// How long a look at a root may take: while one hangs, nobody else is discovered.
const ROOT_PATIENCE: Duration = Duration::from_millis(250);
/// Parents of payload cgroups that are watched.
const PARENTS: usize = 64;

/// What a token stands for.
enum Post {
    Parent(String),
    End(Key),
    Announcer(Key),
}

/// A guest that runs.
struct Run {
    init: Init,
    payload: Option<String>,
    life: Pidfd,
    _end: Watch,
    end_token: u64,
    /// Watches on what announces that it was frozen, all of one token.
    _announcers: Vec<Watch>,
    announcer_token: u64,
    own_root: bool,
    frozen: bool,
}

#[derive(Clone, Copy)]
struct Again {
    at: Instant,
    looks: u32,
}

impl Again {
    fn new() -> Self {
        Self { at: Instant::now(), looks: 0 }
    }

    /// Puts off the next look; none when there have been enough.
    fn later(self) -> Option<Self> {
        let wait = FIRST_LOOK.saturating_mul(1 << self.looks.min(10)).min(LAST_LOOK);
        (self.looks < LOOKS).then(|| Self { at: Instant::now() + wait, looks: self.looks + 1 })
    }
}

/// The witness.
pub(super) struct Witness {
    proc: Proc,
    base: PathBuf,
    cgroups: Option<Cgroups>,
    hub: Hub,
    bell: Bell,
    tokens: Tokens,
    posts: HashMap<u64, Post>,
    parents: HashMap<String, (Watch, u64)>,
    wanted_parents: BTreeSet<String>,
    runs: HashMap<Key, Run>,
    /// Payloads that nobody is known for yet.
    pending: HashMap<String, Again>,
    /// Payloads of guests that are not ours.
    foreign: HashSet<String>,
    /// Guests whose root is not yet their own.
    starting: HashMap<Key, Again>,
    stirred: bool,
    ended: HashSet<Key>,
    announced: HashSet<Key>,
    /// A guest without any cgroup ended: it may come back without a word.
    monitors_again: Option<Again>,
    blind: bool,
    hint: Hint,
}

impl Witness {
    pub(super) fn new(config: &Config, hub: Hub, bell: Bell, tokens: Tokens) -> Self {
        Self {
            proc: Proc::new(&config.proc),
            base: config.cgroup.clone(),
            cgroups: None,
            hub,
            bell,
            tokens,
            posts: HashMap::new(),
            parents: HashMap::new(),
            wanted_parents: BTreeSet::from([String::new()]),
            runs: HashMap::new(),
            pending: HashMap::new(),
            foreign: HashSet::new(),
            starting: HashMap::new(),
            stirred: true,
            ended: HashSet::new(),
            announced: HashSet::new(),
            monitors_again: None,
            blind: false,
            hint: Hint::new(config.liblxc),
        }
    }

    pub(super) fn is_blind(&self) -> bool {
        self.blind
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let looks = self.pending.values().chain(self.starting.values()).chain(self.monitors_again.iter());
        looks.map(|again| again.at).min()
    }

    pub(super) fn state(&self, key: &Key) -> (State, Option<Init>) {
        match self.runs.get(key) {
            None => (State::Stopped, None),
            Some(run) if !run.own_root => (State::Starting, Some(run.init)),
            Some(run) if run.frozen => (State::Frozen, Some(run.init)),
            Some(run) => (State::Running, Some(run.init)),
        }
    }

    pub(super) fn note(&mut self, token: u64, wake: Wake) {
        match self.posts.get(&token) {
            Some(Post::Parent(parent)) => {
                self.stirred = true;
                if wake.has(Wake::GONE) {
                    self.parents.remove(parent);
                    self.posts.remove(&token);
                }
            }
            Some(Post::End(key)) => {
                self.ended.insert(key.clone());
            }
            Some(Post::Announcer(key)) => {
                self.announced.insert(key.clone());
            }
            None => {}
        }
    }

    /// Looks at what is known to have changed, and at what is due.
    pub(super) fn look(&mut self, guests: &Known) {
        self.drop_runs(guests);
        for key in std::mem::take(&mut self.announced) {
            self.look_at_standing(&key);
        }
        if std::mem::take(&mut self.stirred) || self.blind {
            self.watch_parents();
            self.find_payloads();
        }
        let now = Instant::now();
        let due: Vec<String> = self.pending.iter().filter(|p| p.1.at <= now).map(|p| p.0.clone()).collect();
        for payload in due {
            self.trace(&payload, guests);
        }
        if self.monitors_again.is_some_and(|again| again.at <= now) {
            let before = self.runs.len();
            self.find_monitors(guests);
            let found = self.runs.len() > before;
            self.monitors_again = self.monitors_again.filter(|again| !found && again.looks < 12).and_then(Again::later);
        }
        let due: Vec<Key> = self.starting.iter().filter(|s| s.1.at <= now).map(|s| s.0.clone()).collect();
        for key in due {
            self.look_at_root(&key);
        }
    }

    /// Looks at everything.
    pub(super) fn scan(&mut self, guests: &Known) {
        self.cgroups = Cgroups::find(&self.base);
        self.foreign.clear();
        self.hint.reset();
        let vanished = self.runs.iter().filter(|(_, run)| !self.proc.is(run.init)).map(|(key, _)| key.clone());
        self.ended.extend(vanished.collect::<Vec<_>>());
        self.drop_runs(guests);
        for dir in guests.values().flatten() {
            self.want_parent(dir);
        }
        self.want_parent("lxc");
        self.stirred = true;
        self.find_monitors(guests);
        self.look(guests);
        for key in self.runs.keys().cloned().collect::<Vec<_>>() {
            self.look_at_standing(&key);
            if !self.runs[&key].own_root {
                self.look_at_root(&key);
            }
        }
    }

    /// Lets go of guests that ended, and of those that are no longer ours.
    fn drop_runs(&mut self, guests: &Known) {
        let mut over = std::mem::take(&mut self.ended);
        over.retain(|key| self.runs.get(key).is_some_and(|run| run.life.ended() || !self.proc.is(run.init)));
        let left: Vec<Key> = self.runs.keys().filter(|key| !guests.contains_key(*key)).cloned().collect();
        for key in over.into_iter().chain(left) {
            let Some(run) = self.runs.remove(&key) else { continue };
            self.posts.remove(&run.end_token);
            self.posts.remove(&run.announcer_token);
            self.starting.remove(&key);
            match run.payload {
                // It may be a reboot, which uses the cgroup again.
                Some(payload) => drop(self.pending.insert(payload, Again::new())),
                None => self.monitors_again = Some(Again::new()),
            }
        }
    }

    fn want_parent(&mut self, parent: &str) {
        if self.wanted_parents.len() < PARENTS {
            self.wanted_parents.insert(parent.to_owned());
        }
    }

    fn watch_parents(&mut self) {
        self.blind = false;
        let Some(cgroups) = &self.cgroups else { return };
        for parent in &self.wanted_parents {
            if self.parents.contains_key(parent) {
                continue;
            }
            let Ok(descriptor) = hostfile::open_folder(&cgroups.path(parent)) else { continue };
            let token = self.tokens.next();
            match self.hub.watch(descriptor.as_fd(), Interest::Folder, &self.bell, token) {
                Ok(watch) => {
                    self.parents.insert(parent.clone(), (watch, token));
                    self.posts.insert(token, Post::Parent(parent.clone()));
                }
                Err(cause) => {
                    tracing::warn!("cgroups: {cause}: discovery polls");
                    self.blind = true;
                }
            }
        }
    }

    /// Finds the payloads that nobody is known for.
    fn find_payloads(&mut self) {
        let Some(cgroups) = &self.cgroups else { return };
        let mut present = HashSet::new();
        for parent in &self.wanted_parents {
            let prefix = if parent == "lxc" { "" } else { cgroup::PAYLOAD };
            present.extend(cgroups.list(parent, prefix).into_iter().filter(|path| cgroups.path(path).is_dir()));
        }
        self.foreign.retain(|payload| present.contains(payload));
        self.pending.retain(|payload, _| present.contains(payload));
        for run in self.runs.values() {
            present.remove(run.payload.as_deref().unwrap_or(""));
        }
        for payload in present {
            if !self.foreign.contains(&payload) {
                self.pending.entry(payload).or_insert_with(Again::new);
            }
        }
    }

    /// Finds out whose a payload is.
    fn trace(&mut self, payload: &str, guests: &Known) {
        let again = self.pending.remove(payload).unwrap_or_else(Again::new);
        let Some(cgroups) = self.cgroups.clone() else { return };
        let mut init = None;
        for key in self.candidates(payload, guests) {
            init = init.or_else(|| self.hinted(&key, payload));
        }
        let init = init.or_else(|| cgroups.search(payload, |pid| self.proc.first_process(pid)));
        let init = init.or_else(|| {
            let beside = payload.replacen(cgroup::PAYLOAD, cgroup::MONITOR, 1);
            let monitors = cgroups.processes(&beside).into_iter().filter_map(|pid| self.proc.monitor(pid));
            monitors.filter_map(|monitor| self.proc.init_of(&monitor)).next()
        });
        let Some(init) = init else {
            if let Some(later) = again.later() {
                self.pending.insert(payload.to_owned(), later);
            }
            return;
        };
        let monitor = self.proc.parent(init.pid).and_then(|parent| self.proc.monitor(parent));
        let key = match &monitor {
            Some(monitor) => self.key_of(monitor, guests),
            // Its monitor is gone, or speaks another language: the cgroup's name has to do.
            None => self.candidates(payload, guests).into_iter().next(),
        };
        match key {
            Some(key) => {
                let later = self.adopt(&key, init);
                if !later && let Some(later) = again.later() {
                    self.pending.insert(payload.to_owned(), later);
                }
            }
            None => {
                self.foreign.insert(payload.to_owned());
            }
        }
    }

    /// The guests that do not run and that a payload of this name may belong to.
    fn candidates(&self, payload: &str, guests: &Known) -> Vec<Key> {
        let names = cgroup::names_of(payload);
        let idle = |key: &&Key| !self.runs.contains_key(*key);
        let mut found = Vec::new();
        for name in names {
            let mut same: Vec<Key> = guests.keys().filter(|key| key.1 == name).filter(idle).cloned().collect();
            same.sort();
            found.extend(same);
        }
        found
    }

    /// The guest that a monitor names.
    fn key_of(&self, monitor: &Monitor, guests: &Known) -> Option<Key> {
        if let Some(path) = &monitor.lxc_path {
            let exact = (path.clone(), monitor.lxc_name.clone());
            if guests.contains_key(&exact) {
                return Some(exact);
            }
            // The same folder may have two names (a link, a slash at the end).
            let same = |key: &&Key| {
                let facts = |path: &PathBuf| rustix::fs::stat(path).ok().map(|facts| (facts.st_dev, facts.st_ino));
                key.1 == monitor.lxc_name && facts(&key.0).is_some_and(|there| Some(there) == facts(path))
            };
            return guests.keys().find(same).cloned();
        }
        let mut same: Vec<&Key> = guests.keys().filter(|key| key.1 == monitor.lxc_name).collect();
        same.sort();
        same.into_iter().find(|key| !self.runs.contains_key(*key)).cloned()
    }

    /// Finds guests by their monitors; the only way for those without any cgroup.
    fn find_monitors(&mut self, guests: &Known) {
        for monitor in self.proc.monitors() {
            let Some(key) = self.key_of(&monitor, guests) else { continue };
            if self.runs.contains_key(&key) {
                continue;
            }
            match self.proc.init_of(&monitor) {
                Some(init) => drop(self.adopt(&key, init)),
                // It is just starting its guest.
                None if self.monitors_again.is_none() => self.monitors_again = Some(Again::new()),
                None => {}
            }
        }
    }

    /// What liblxc says is this guest's first process, if the cgroup and the mount namespace agree.
    fn hinted(&mut self, key: &Key, payload: &str) -> Option<Init> {
        let pid = self.hint.ask(key)?;
        let init = self.proc.first_process(pid)?;
        (self.proc.payload(pid).as_deref() == Some(payload)).then_some(init)
    }

    /// Takes a first process as a guest's; tells whether it did.
    fn adopt(&mut self, key: &Key, init: Init) -> bool {
        if self.runs.contains_key(key) || self.runs.values().any(|run| run.init == init) {
            return true;
        }
        let Ok(life) = Pidfd::open(init.pid) else { return false };
        // The number may have been given to another before it was opened, but not afterwards.
        if !self.proc.is(init) || life.ended() {
            return false;
        }
        let end_token = self.tokens.next();
        let end = match self.hub.watch_end(&life, &self.bell, end_token) {
            Ok(end) => end,
            Err(cause) => {
                tracing::error!("guest {}: its end cannot be watched: {cause}", key.1);
                return false;
            }
        };
        self.posts.insert(end_token, Post::End(key.clone()));
        let payload = self.proc.payload(init.pid);
        let announcer_token = self.tokens.next();
        let announcers = payload.as_deref().map(|payload| self.watch_announcers(key, payload, announcer_token));
        if let Some(payload) = &payload {
            self.pending.remove(payload);
            let parent = payload.rsplit_once('/').map_or("", |(parent, _)| parent);
            let parent = parent.to_owned();
            self.want_parent(&parent);
        }
        let run = Run {
            init,
            payload,
            life,
            _end: end,
            end_token,
            _announcers: announcers.unwrap_or_default(),
            announcer_token,
            own_root: false,
            frozen: false,
        };
        self.runs.insert(key.clone(), run);
        self.look_at_standing(key);
        self.look_at_root(key);
        true
    }

    fn watch_announcers(&mut self, key: &Key, payload: &str, token: u64) -> Vec<Watch> {
        let Some(cgroups) = &self.cgroups else { return Vec::new() };
        self.posts.insert(token, Post::Announcer(key.clone()));
        let files = cgroups.announcers(payload);
        let opened = files.iter().filter_map(|path| hostfile::open(path).ok());
        // Without a watch the next scan sees it.
        opened
            .filter_map(|file| self.hub.watch(file.as_fd(), Interest::Announcements, &self.bell, token).ok())
            .collect()
    }

    fn look_at_standing(&mut self, key: &Key) {
        if let (Some(cgroups), Some(run)) = (&self.cgroups, self.runs.get_mut(key)) {
            run.frozen = run.payload.as_ref().is_some_and(|payload| cgroups.standing(payload).frozen);
        }
    }

    /// Looks whether a guest's root is its own by now.
    fn look_at_root(&mut self, key: &Key) {
        let again = self.starting.remove(key).unwrap_or_else(Again::new);
        let Some(run) = self.runs.get_mut(key) else { return };
        let root = GuestRoot::live_within(&Name::new(&key.1), run.init, self.proc.root(), ROOT_PATIENCE);
        match root.map_err(|error| error.kind()) {
            Err(Kind::Starting) => {
                if let Some(later) = again.later() {
                    self.starting.insert(key.clone(), later);
                }
            }
            Err(Kind::Unreachable) => drop(self.ended.insert(key.clone())),
            // A root that we may not look at is a matter for whoever reads from it.
            Ok(_) | Err(_) => run.own_root = true,
        }
    }
}

/// liblxc's word, where there is liblxc.
#[cfg(feature = "liblxc")]
struct Hint {
    library: Option<crate::sys::liblxc::Liblxc>,
    /// Asked in vain since the last scan: somebody else may sit on the guest's socket.
    silent: HashSet<Key>,
}

#[cfg(feature = "liblxc")]
impl Hint {
    /// How long an answer may take. A live monitor needs a fraction of a millisecond.
    const LIMIT: Duration = Duration::from_millis(200);

    fn new(wanted: bool) -> Self {
        let library = if wanted { crate::sys::liblxc::Liblxc::load() } else { return Self::none() };
        match library {
            Ok(library) => {
                tracing::info!("liblxc {} is asked too", library.version());
                Self { library: Some(library), silent: HashSet::new() }
            }
            Err(cause) => {
                tracing::info!("{cause}: guests are found by cgroups and processes");
                Self::none()
            }
        }
    }

    fn none() -> Self {
        Self { library: None, silent: HashSet::new() }
    }

    fn reset(&mut self) {
        self.silent.clear();
    }

    fn ask(&mut self, key: &Key) -> Option<u32> {
        if self.silent.contains(key) {
            return None;
        }
        match self.library.as_ref()?.ask(&key.0, &key.1, Self::LIMIT) {
            Ok(answer) => answer.pid,
            Err(crate::sys::liblxc::Error::Silent) => {
                self.silent.insert(key.clone());
                None
            }
            Err(_) => None,
        }
    }
}

#[cfg(not(feature = "liblxc"))]
struct Hint;

#[cfg(not(feature = "liblxc"))]
impl Hint {
    fn new(_wanted: bool) -> Self {
        Self
    }

    fn reset(&mut self) {}

    fn ask(&mut self, _key: &Key) -> Option<u32> {
        None
    }
}
