//! The table of guests: which folders under the LXC paths are guests, how they are called, and what changed.

use super::discover::{Change, Config, Fleet};
use super::id::{HOST, Name};
use super::lxc::{self, Facts};
use super::shown;
use super::state::{Guest, Init, State};
use super::witness::Witness;
use crate::sys::{Bell, Hub, Interest, Wake, Watch, hostfile};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Folders under one LXC path that are looked at.
const FOLDERS: usize = 65_536;
/// Names that are complained about once.
const COMPLAINTS: usize = 256;

/// A guest by its place: LXC path and LXC name.
pub(super) type Key = (PathBuf, String);

/// The guests that there are, with the folder below the cgroup root that their configuration names.
pub(super) type Known = HashMap<Key, Option<String>>;

/// Which folder it is: device and inode. A folder of the same name may be another guest.
type Identity = (u64, u64);

/// What a token of the bell stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Path(PathBuf),
    Folder(Key),
}

/// A guest's folder, whether it holds a configuration already or not.
struct Folder {
    identity: Identity,
    watch: Option<(Watch, u64)>,
    guest: Option<Facts>,
    /// Rises with every change of the facts.
    version: u64,
    seen: SystemTime,
    from_start: bool,
}

/// A guest as it was last told of.
struct Announced {
    key: Key,
    identity: Identity,
    version: u64,
    guest: Arc<Guest>,
}

/// The table.
pub(super) struct Table {
    config: Config,
    hub: Hub,
    bell: Bell,
    witness: Witness,
    tokens: Tokens,
    paths: HashMap<PathBuf, (Watch, u64)>,
    places: HashMap<u64, Place>,
    folders: BTreeMap<Key, Folder>,
    announced: BTreeMap<Name, Announced>,
    complained: HashSet<String>,
    relist: bool,
    reread: HashSet<Key>,
    scanned: bool,
    blind: bool,
    names: HashMap<Key, Name>,
    /// The guests among the folders, with the cgroup folder that their configuration names.
    known: Known,
    /// Somebody came or went: names are given anew.
    renamed: bool,
}

/// Numbers for the bell; 0 is for orders.
#[derive(Debug, Clone)]
pub(super) struct Tokens(Arc<std::sync::atomic::AtomicU64>);

impl Tokens {
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}

impl Table {
    pub(super) fn new(config: Config, hub: Hub, bell: Bell) -> Self {
        let tokens = Tokens(Arc::new(std::sync::atomic::AtomicU64::new(super::discover::ORDER + 1)));
        let witness = Witness::new(&config, hub.clone(), bell.clone(), tokens.clone());
        Self {
            config,
            hub,
            bell,
            witness,
            tokens,
            paths: HashMap::new(),
            places: HashMap::new(),
            folders: BTreeMap::new(),
            announced: BTreeMap::new(),
            complained: HashSet::new(),
            relist: false,
            reread: HashSet::new(),
            scanned: false,
            blind: false,
            names: HashMap::new(),
            known: Known::new(),
            renamed: true,
        }
    }

    pub(super) fn reconfigure(&mut self, config: Config) {
        self.paths.retain(|path, _| config.lxc_paths.contains(path));
        self.config = config;
        self.renamed = true;
    }

    pub(super) fn scan_interval(&self) -> Duration {
        self.config.scan_interval
    }

    /// When something is to be looked at again before the next scan.
    pub(super) fn due(&self) -> Option<Instant> {
        self.witness.due()
    }

    /// Watches are missing: only polling sees what they would.
    pub(super) fn is_blind(&self) -> bool {
        self.blind || self.witness.is_blind()
    }

    /// Notes what rang; tells whether events were lost.
    pub(super) fn note(&mut self, rung: &[(u64, Wake)]) -> bool {
        let mut lost = false;
        for (token, wake) in rung {
            lost |= wake.has(Wake::RESCAN);
            match self.places.get(token).cloned() {
                Some(Place::Path(path)) => {
                    self.relist = true;
                    if wake.has(Wake::GONE) {
                        self.paths.remove(&path);
                        self.places.remove(token);
                    }
                }
                Some(Place::Folder(key)) => {
                    if wake.has(Wake::GONE) {
                        self.places.remove(token);
                        self.relist = true;
                        if let Some(folder) = self.folders.get_mut(&key) {
                            folder.watch = None;
                        }
                    }
                    self.reread.insert(key);
                }
                None => self.witness.note(*token, *wake),
            }
        }
        lost
    }

    /// Looks at what is known to have changed.
    pub(super) fn look(&mut self) {
        if self.relist || self.is_blind() {
            self.list();
        }
        if self.is_blind() {
            self.reread.extend(self.folders.keys().cloned());
        }
        self.read();
        self.witness.look(&self.known);
    }

    /// Looks at everything.
    pub(super) fn scan(&mut self) {
        self.list();
        self.reread.extend(self.folders.keys().cloned());
        self.read();
        self.witness.scan(&self.known);
        self.scanned = true;
    }

    /// Reads the LXC paths: which folders are there.
    fn list(&mut self) {
        self.relist = false;
        self.blind = false;
        let mut present: HashSet<Key> = HashSet::new();
        for path in self.config.lxc_paths.clone() {
            // Watched first, so that what comes between is seen by the watch.
            let Ok(descriptor) = hostfile::open_folder(&path) else {
                self.forget_path(&path);
                continue;
            };
            self.watch_path(&path, descriptor.as_fd());
            let names = match hostfile::list(&path, FOLDERS) {
                Ok(names) => names,
                Err(cause) => {
                    self.complain(format!("{}: cannot be listed: {cause}", shown(&path)));
                    // Not knowing is not the same as nobody being there.
                    present.extend(self.folders.keys().filter(|(parent, _)| *parent == path).cloned());
                    continue;
                }
            };
            for name in names {
                let folder = path.join(&name);
                let Ok(facts) = rustix::fs::stat(&folder) else { continue };
                if !rustix::fs::FileType::from_raw_mode(facts.st_mode).is_dir() {
                    continue;
                }
                let Some(name) = name.to_str().filter(|name| is_name(name)) else {
                    self.complain(format!("{}: not a name for a guest: left alone", shown(&folder)));
                    continue;
                };
                if self.config.ignore.has(name) {
                    continue;
                }
                let key = (path.clone(), name.to_owned());
                self.enter(&key, (facts.st_dev, facts.st_ino));
                present.insert(key);
            }
        }
        let gone: Vec<Key> = self.folders.keys().filter(|key| !present.contains(*key)).cloned().collect();
        for key in gone {
            self.leave(&key);
        }
    }

    fn enter(&mut self, key: &Key, identity: Identity) {
        if self.folders.get(key).is_some_and(|folder| folder.identity != identity) {
            self.leave(key);
        }
        let from_start = !self.scanned;
        let folder = self.folders.entry(key.clone()).or_insert_with(|| Folder {
            identity,
            watch: None,
            guest: None,
            version: 0,
            seen: SystemTime::now(),
            from_start,
        });
        if folder.watch.is_none() {
            self.reread.insert(key.clone());
            let token = self.tokens.next();
            let placed = hostfile::open_folder(&key.0.join(&key.1))
                .ok()
                .map(|descriptor| self.hub.watch(descriptor.as_fd(), Interest::FolderAndWrites, &self.bell, token));
            match placed {
                Some(Ok(watch)) => {
                    folder.watch = Some((watch, token));
                    self.places.insert(token, Place::Folder(key.clone()));
                }
                Some(Err(cause)) => {
                    self.blind = true;
                    self.complain(format!("{cause}: discovery polls"));
                }
                None => {}
            }
        }
    }

    fn leave(&mut self, key: &Key) {
        self.reread.remove(key);
        self.known.remove(key);
        self.renamed = true;
        if let Some(folder) = self.folders.remove(key)
            && let Some((_, token)) = folder.watch
        {
            self.places.remove(&token);
        }
    }

    fn watch_path(&mut self, path: &Path, descriptor: std::os::fd::BorrowedFd<'_>) {
        // The hub keeps one watch per inode: placing it anew costs nothing and follows a path that was replaced.
        let token = self.paths.get(path).map_or_else(|| self.tokens.next(), |(_, token)| *token);
        match self.hub.watch(descriptor, Interest::Folder, &self.bell, token) {
            Ok(watch) => {
                self.places.insert(token, Place::Path(path.to_owned()));
                self.paths.insert(path.to_owned(), (watch, token));
            }
            Err(cause) => {
                self.blind = true;
                self.complain(format!("{}: {cause}: discovery polls", shown(path)));
            }
        }
    }

    fn forget_path(&mut self, path: &Path) {
        if let Some((_, token)) = self.paths.remove(path) {
            self.places.remove(&token);
        }
    }

    /// Reads the configurations that may have changed. A folder without one is no guest (yet).
    fn read(&mut self) {
        for key in std::mem::take(&mut self.reread) {
            let Some(folder) = self.folders.get_mut(&key) else { continue };
            let read = lxc::read(&key.0.join(&key.1).join("config"));
            match read {
                Ok(facts) => {
                    if folder.guest.is_none() && self.scanned {
                        folder.seen = SystemTime::now();
                    }
                    self.renamed |= folder.guest.is_none();
                    if folder.guest.as_ref() != Some(&facts) {
                        folder.version += 1;
                        self.known.insert(key.clone(), facts.cgroup_dir.clone());
                        folder.guest = Some(facts);
                    }
                }
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                    folder.guest = None;
                    self.known.remove(&key);
                    self.renamed = true;
                }
                Err(cause) => {
                    let place = shown(&key.0.join(&key.1));
                    self.complain(format!("{place}/config: cannot be read: {cause}"));
                }
            }
        }
    }

    fn complain(&mut self, what: String) {
        if self.complained.len() < COMPLAINTS && self.complained.insert(what.clone()) {
            tracing::warn!("{what}");
        }
    }

    /// Compares the table with what was announced, and tells the difference: first who is gone.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        if std::mem::take(&mut self.renamed) {
            self.names = name_all(&self.config.lxc_paths, self.known.keys());
        }
        let mut changes = Vec::new();
        let (names, folders) = (&self.names, &self.folders);
        self.announced.retain(|name, old| {
            let same = |folder: &Folder| folder.guest.is_some() && folder.identity == old.identity;
            let stays = names.get(&old.key) == Some(name) && folders.get(&old.key).is_some_and(same);
            if !stays {
                changes.push(Change::Gone(name.clone()));
            }
            stays
        });
        for (key, folder) in &self.folders {
            let (Some(facts), Some(name)) = (&folder.guest, self.names.get(key)) else { continue };
            let (state, init) = self.witness.state(key);
            let old = self.announced.get(name);
            if old.is_some_and(|old| (old.version, old.guest.state, old.guest.init) == (folder.version, state, init)) {
                continue;
            }
            let guest = Arc::new(guest(name, key, folder, facts, state, init));
            changes.push(match old {
                Some(_) => Change::Changed(Arc::clone(&guest)),
                None => Change::Appeared(Arc::clone(&guest)),
            });
            let new = Announced { key: key.clone(), identity: folder.identity, version: folder.version, guest };
            self.announced.insert(name.clone(), new);
        }
        changes
    }

    /// The fleet as announced.
    pub(super) fn fleet(&self) -> Fleet {
        let guests = self.announced.values().map(|announced| Arc::clone(&announced.guest)).collect();
        Fleet { guests, complete: self.scanned }
    }
}

fn guest(name: &Name, key: &Key, folder: &Folder, facts: &Facts, state: State, init: Option<Init>) -> Guest {
    Guest {
        name: name.clone(),
        lxc_name: key.1.clone(),
        lxc_path: key.0.clone(),
        dir: key.0.join(&key.1),
        state,
        init,
        seen: folder.seen,
        from_start: folder.from_start,
        facts: facts.clone(),
    }
}

/// Gives every guest its name: the folder's, but `NAME@LXC_PATH` where a guest of an earlier path has that name or it
/// is the host's.
fn name_all<'a>(paths: &[PathBuf], keys: impl Iterator<Item = &'a Key>) -> HashMap<Key, Name> {
    let rank = |key: &Key| paths.iter().position(|path| *path == key.0).unwrap_or(usize::MAX);
    let mut keys: Vec<&Key> = keys.collect();
    keys.sort_by_key(|key| rank(key));
    let mut taken: HashSet<&str> = HashSet::from([HOST]);
    let mut names = HashMap::new();
    for key in keys {
        let plain = taken.insert(&key.1);
        let name = if plain { Name::new(&key.1) } else { Name::new(&format!("{}@{}", key.1, shown(&key.0))) };
        names.insert(key.clone(), name);
    }
    names
}

/// Whether a folder's name may be a guest's: it ends up in alerts, labels, commands and paths.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+:@=,".contains(c);
    !name.is_empty() && name.len() <= 128 && !name.starts_with(['.', '-']) && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_earlier_path_keeps_the_plain_one() {
        let paths: Vec<PathBuf> = vec!["/b".into(), "/a".into()];
        let key = |path: &str, name: &str| (PathBuf::from(path), name.to_owned());
        let keys = [key("/a", "web"), key("/b", "web"), key("/a", "db"), key("/b", "host")];
        let names = name_all(&paths, keys.iter());
        let name = |key: &Key| names[key].as_str().to_owned();
        assert_eq!(name(&keys[0]), "web@/a");
        assert_eq!(name(&keys[1]), "web");
        assert_eq!(name(&keys[2]), "db");
        assert_eq!(name(&keys[3]), "host@/b");
    }

    #[test]
    fn names_that_could_do_harm_are_refused() {
        for good in ["12-ssh", "web", "a.b", "100", "x_y"] {
            assert!(is_name(good), "{good}");
        }
        for bad in
            ["", ".", "..", ".snap", "-rf", "a b", "a\nb", "a'b", "a$(b)", "ü", "a/b", "a\x1bb", &"x".repeat(129)]
        {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
