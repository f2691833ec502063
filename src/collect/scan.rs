//! Looking at an owner's folders: which paths do its locations mean at this moment, and what do those name?

use super::engine::{Engine, POLL};
use super::generations::COARSE;
use super::look::{Eye, shelve_retired};
use super::naming::{comes_from, is_generation};
use super::owner::{FolderWatch, Owner, alive_key, alive_value};
use super::place::Place;
use super::report::Health;
use super::start::{Known, Start};
use super::{Config, FileSpec};
use crate::guest::{FileKind, Kind, Meta, Tree, glob};
use crate::store::Table;
use crate::sys::Interest;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Names of a folder that are looked through for generations.
const NAMES: usize = 2_000;
/// Newly changed generations of one path that are opened in one look.
const NEWCOMERS: usize = 32;
/// Folders of one owner that are watched.
const FOLDERS: usize = 128;
/// The first looks after an owner's arrival come at shorter distances: it may still be starting.
const FIRST: Duration = Duration::from_secs(1);
/// How soon to look again where something could not be watched, or is in somebody's hands.
const SOON: Duration = Duration::from_secs(5);
/// A place that no location means any more is given up after so long without a line.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// A path that a location means.
struct Wanted {
    spec: usize,
    start: Start,
}

impl Engine {
    pub(super) fn run_look(&self, owner: &Arc<Owner>) {
        owner.looks.begin();
        if self.stopping.load(Ordering::Acquire) || owner.ending.load(Ordering::Acquire) {
            return;
        }
        *owner.looking.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let next = catch_unwind(AssertUnwindSafe(|| self.scan(owner)));
        *owner.looking.lock().unwrap_or_else(PoisonError::into_inner) = None;
        owner.settled.store(true, Ordering::Release);
        match next {
            Ok(next) => self.arm_owner(owner, Instant::now() + next),
            Err(_) => {
                tracing::error!("collect: {owner:?}: a look panicked");
                self.arm_owner(owner, Instant::now() + SOON);
            }
        }
        if owner.looks.end(false) {
            // Asked for meanwhile; the budget has been paid.
            self.requeue_look(owner);
        }
    }

    /// Looks at everything once; gives the time until the next look without a cause.
    fn scan(&self, owner: &Arc<Owner>) -> Duration {
        let tree = owner.tree.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(tree) = tree else { return SOON };
        let config = self.config();
        let mut scout = owner.scout.lock().unwrap_or_else(PoisonError::into_inner);
        let specs = owner.specs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = jiff::Zoned::now();
        let dated: Vec<String> = specs.iter().map(|spec| spec.path_at(&now)).collect();
        scout.unwatched = !self.watch_folders(owner, &tree, &dated);
        let mut wanted: BTreeMap<PathBuf, Wanted> = BTreeMap::new();
        let mut troubles: Vec<(FileSpec, Health)> = Vec::new();
        let mut answered: Vec<usize> = Vec::new();
        for (index, (spec, path)) in specs.iter().zip(&dated).enumerate() {
            if !spec.format.supported() {
                troubles.push((spec.clone(), Health::Refused(format!("format {} is not read", spec.format))));
                continue;
            }
            let start = Known {
                very_first: owner.very_first,
                location: self.location_known(spec),
                owner: owner.known,
                first_look: !scout.done.contains(&spec.key()),
                seen: owner.seen,
            }
            .start();
            if !FileSpec::is_glob(path) {
                wanted.entry(PathBuf::from(path)).or_insert(Wanted { spec: index, start });
                answered.push(index);
                continue;
            }
            match tree.glob(Path::new(path), config.files_per_guest) {
                Ok(found) => {
                    if found.paths.is_empty() {
                        troubles.push((spec.clone(), Health::Missing));
                    } else if found.cut {
                        let why = format!("more than {} files match", config.files_per_guest);
                        troubles.push((spec.clone(), Health::Refused(why)));
                    }
                    for path in found.paths {
                        wanted.entry(path).or_insert(Wanted { spec: index, start });
                    }
                    answered.push(index);
                }
                Err(error) if error.kind() == Kind::NotFound => {
                    troubles.push((spec.clone(), Health::Missing));
                    answered.push(index);
                }
                Err(error) => troubles.push((spec.clone(), health_of(&error))),
            }
        }
        // Rotated names that a pattern means as well are generations of the path that they come from.
        let named: BTreeSet<PathBuf> = wanted.keys().cloned().collect();
        let named: BTreeSet<&Path> = named.iter().map(PathBuf::as_path).collect();
        wanted.retain(|path, _| !comes_from(&named, path));
        let begun = SystemTime::now();
        let missed = self.look_at_places(owner, &tree, &config, &specs, &wanted, &mut troubles);
        owner.has_been_looked_at(begun);
        *owner.troubles.lock().unwrap_or_else(PoisonError::into_inner) = troubles;
        self.now_known(owner, &mut scout.done, answered.iter().map(|index| &specs[*index]));
        scout.looks += 1;
        if missed {
            return Duration::from_millis(50);
        }
        let pace = FIRST * 2_u32.saturating_pow(scout.looks.min(16) - 1);
        let most = if scout.unwatched { SOON.min(config.rescan) } else { config.rescan };
        pace.min(most)
    }

    /// Makes the places that are wanted, looks at each, and drops those that nobody wants. Tells whether one was in other
    /// hands.
    fn look_at_places(
        &self,
        owner: &Arc<Owner>,
        tree: &Arc<Tree>,
        config: &Config,
        specs: &[FileSpec],
        wanted: &BTreeMap<PathBuf, Wanted>,
        troubles: &mut Vec<(FileSpec, Health)>,
    ) -> bool {
        for (path, want) in wanted {
            self.place_for(owner, path, &specs[want.spec], config, troubles);
        }
        let places = owner.places();
        let before = SystemTime::now();
        let facts = bulk_facts(tree, &places);
        let mut folders = Folders::default();
        let mut missed = false;
        for (number, place) in places.iter().enumerate() {
            if owner.ending.load(Ordering::Acquire) {
                return false;
            }
            let want = wanted.get(&place.path);
            let start = want.map_or(Start::First { late: false }, |want| want.start);
            let view =
                View { owner, tree, config, start, known_at: before, facts: facts.get(number).copied().flatten() };
            missed |= !self.look_at(&view, place, &mut folders, &places);
            if want.is_none() {
                self.maybe_drop(owner, place);
            }
        }
        missed
    }

    /// Looks at one place; tells whether that could be done.
    fn look_at(&self, view: &View<'_>, place: &Arc<Place>, folders: &mut Folders, places: &[Arc<Place>]) -> bool {
        let View { owner, tree, .. } = *view;
        let claimed = |device: u64, inode: u64| {
            owner.places().into_iter().find_map(|other| {
                let mine = other.token != place.token && other.status().files.contains(&(device, inode));
                mine.then(|| other.path.clone())
            })
        };
        let eye = |wall: SystemTime| Eye {
            owner,
            tree,
            place,
            config: view.config,
            store: &self.store,
            now: Instant::now(),
            wall,
            start: view.start,
            claimed: &claimed,
        };
        let Some(mut tail) = place.tail_soon() else { return false };
        let rewritten = tail.files.iter().any(|file| file.rewritten);
        let named = view.facts.map(|facts| (facts.dev, facts.ino));
        let same = !rewritten && tail.current().is_some_and(|now| named == Some((now.device, now.inode)));
        let mut done = true;
        if same {
            // The usual case costs no descriptor: the path names what it named before.
            let names = match tail.sighted {
                Some(since) => folders.newcomers(tree, places, &place.path, since),
                None => Vec::new(),
            };
            shelve_retired(owner, &self.store, &place.path, &mut tail);
            let since = tail.sighted.unwrap_or(view.known_at);
            done = names.is_empty() || eye(view.known_at).newcomers(&mut tail, &names, since);
            if done {
                tail.sighted = Some(view.known_at);
            }
            if names.is_empty() && place.polled.load(Ordering::Relaxed) == 0 {
                return true;
            }
        } else {
            drop(tail);
            let wall = SystemTime::now();
            let opened = tree.open_log(&place.path);
            let Some(again) = place.tail_soon() else { return false };
            tail = again;
            if owner.ending.load(Ordering::Acquire) {
                return true;
            }
            eye(wall).look(&mut tail, opened);
        }
        self.watch_files(place, &mut tail);
        place.publish(&mut tail);
        let any = !tail.files.is_empty();
        let unsaved = tail.has_unsaved();
        let passed = matches!(tail.health, Health::Passed(_));
        drop(tail);
        if unsaved {
            self.save_soon(place);
        }
        if any {
            self.ask_turn(place);
        }
        if passed {
            self.arm_owner(owner, Instant::now() + SOON);
        }
        done
    }

    fn place_for(
        &self,
        owner: &Arc<Owner>,
        path: &Path,
        spec: &FileSpec,
        config: &Config,
        troubles: &mut Vec<(FileSpec, Health)>,
    ) {
        let mut places = owner.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(path) {
            if place.format == spec.format && *place.source.label == *spec.label {
                return;
            }
            // Configured anew: what is under way of the old one is taken over as at a restart.
            let old = Arc::clone(place);
            places.remove(path);
            drop(places);
            self.retire_place(owner, &old);
            places = owner.places.lock().unwrap_or_else(PoisonError::into_inner);
        }
        if places.len() >= config.files_per_guest {
            let why = format!("{} files are followed already", config.files_per_guest);
            if troubles.last().is_none_or(|(last, _)| last != spec) {
                troubles.push((spec.clone(), Health::Refused(why)));
            }
            return;
        }
        let source = Arc::new(owner.source(path, &spec.label));
        let counters = owner.counters(&source.label);
        let place =
            Arc::new(Place::new(self.token(), Arc::clone(owner), path.to_owned(), source, spec.format, counters));
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(place.token, Arc::downgrade(&place));
        places.insert(path.to_owned(), place);
    }

    /// Drops a place that no location means: at once if it follows nothing, else when nothing has come for long.
    fn maybe_drop(&self, owner: &Arc<Owner>, place: &Arc<Place>) {
        let Some(mut tail) = place.tail_soon() else { return };
        let followed = tail.files.iter().any(|file| file.file.is_some());
        let idle = tail.files.iter().all(|file| file.pending.is_idle());
        let quiet = tail.files.iter().all(|file| file.grown.elapsed() > FORGOTTEN);
        if (!followed && idle && tail.retired.is_empty()) || (quiet && idle) {
            let current: Vec<_> = tail.files.iter().map(|file| file.cursor(SystemTime::now(), true)).collect();
            tail.retired.extend(current);
            tail.files.clear();
            drop(tail);
            self.save_soon(place);
            place.release();
            owner.places.lock().unwrap_or_else(PoisonError::into_inner).remove(&place.path);
        }
    }

    /// Sees to it that every open file of a place rings for it.
    fn watch_files(&self, place: &Arc<Place>, tail: &mut super::tail::Tail) {
        let mut watches = place.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let open: BTreeSet<u64> = tail.files.iter().filter(|f| f.file.is_some()).map(|f| f.inode).collect();
        watches.retain(|(inode, _)| open.contains(inode));
        let mut all = true;
        for file in &tail.files {
            let Some(descriptor) = &file.file else { continue };
            if watches.iter().any(|(inode, _)| *inode == file.inode) {
                continue;
            }
            if file.odd {
                all = false;
                continue;
            }
            use std::os::fd::AsFd;
            match self.hub.watch(descriptor.as_fd(), Interest::File, &self.bell, place.token) {
                Ok(watch) => watches.push((file.inode, watch)),
                Err(error) => {
                    tracing::warn!("collect: {}: {error}", place.source.location);
                    all = false;
                }
            }
        }
        place.polled.store(if all { 0 } else { POLL.as_millis() as u64 }, Ordering::Relaxed);
    }

    /// Watches the folders in which wanted files may appear; tells whether all of them are.
    fn watch_folders(&self, owner: &Arc<Owner>, tree: &Arc<Tree>, paths: &[String]) -> bool {
        use std::os::fd::AsFd;
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        let mut all = true;
        for path in paths {
            all &= folders_of(tree, Path::new(path), &mut folders);
        }
        let mut watches = owner.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = BTreeMap::new();
        for wanted in folders {
            // A folder that is not there yet: the nearest that is will tell when it comes.
            let mut folder = wanted.as_path();
            let opened = loop {
                match tree.open_folder(folder) {
                    Ok(opened) => break Some(opened),
                    Err(error) if matches!(error.kind(), Kind::NotFound | Kind::NotFolder) => match folder.parent() {
                        Some(parent) => folder = parent,
                        None => break None,
                    },
                    Err(error) => {
                        tracing::debug!("collect: {error}");
                        break None;
                    }
                }
            };
            let Some(opened) = opened else {
                all = false;
                continue;
            };
            if opened.odd {
                // Placing a watch may hang where a FUSE server is asked for permission, and the hub is everybody's.
                all = false;
                continue;
            }
            let identity = (opened.meta.dev, opened.meta.ino);
            if let Some(watch) = watches.remove(folder).filter(|watch| watch.identity == identity) {
                kept.insert(folder.to_owned(), watch);
            } else if !kept.contains_key(folder) {
                match self.hub.watch(opened.descriptor.as_fd(), Interest::Folder, &self.bell, owner.token) {
                    Ok(watch) => {
                        kept.insert(folder.to_owned(), FolderWatch { identity, _watch: watch });
                    }
                    Err(error) => {
                        tracing::warn!("collect: {}: {error}", crate::guest::shown(folder));
                        all = false;
                    }
                }
            }
        }
        *watches = kept;
        all
    }

    fn location_known(&self, spec: &FileSpec) -> bool {
        self.known_locations.contains(&spec.key())
    }

    /// Notes that an owner and locations have been looked at, behind the positions of what was found there.
    fn now_known<'a>(&self, owner: &Owner, done: &mut BTreeSet<Vec<u8>>, specs: impl Iterator<Item = &'a FileSpec>) {
        let mut new: Vec<Vec<u8>> = specs.map(FileSpec::key).filter(|key| !done.contains(key)).collect();
        if new.is_empty() && !done.is_empty() {
            return;
        }
        self.note_positions(owner);
        let news = !owner.known || new.iter().any(|key| !self.known_locations.contains(key));
        for key in &new {
            self.store.note(Table::Known, key, Some(Vec::new()));
        }
        owner.noted.store(true, Ordering::Release);
        self.store.note(Table::Known, &alive_key(&owner.key), Some(alive_value(owner.last_look())));
        done.append(&mut new.drain(..).collect());
        if news {
            // At once: a kill within the next quarter of a second must not make a second "first start" of it.
            self.commit();
        }
    }
}

/// What a look at a place works with.
#[derive(Clone, Copy)]
struct View<'a> {
    owner: &'a Arc<Owner>,
    tree: &'a Arc<Tree>,
    config: &'a Config,
    start: Start,
    /// Before the facts were asked for.
    known_at: SystemTime,
    facts: Option<Meta>,
}

/// Names of generations in the folders of one look, listed once for all places.
#[derive(Default)]
struct Folders(BTreeMap<PathBuf, Vec<(PathBuf, Meta)>>);

impl Folders {
    /// Files named like generations of a path whose facts have changed since a time.
    fn newcomers(&mut self, tree: &Arc<Tree>, places: &[Arc<Place>], path: &Path, since: SystemTime) -> Vec<PathBuf> {
        let Some(folder) = path.parent() else { return Vec::new() };
        let generations = self.0.entry(folder.to_owned()).or_insert_with(|| {
            let paths: BTreeSet<&Path> = places.iter().map(|place| place.path.as_path()).collect();
            let listed = tree.list_folder(folder, NAMES).map(|listing| listing.entries).unwrap_or_default();
            let mut names: Vec<PathBuf> = listed.into_iter().map(|entry| folder.join(entry.name)).collect();
            names.retain(|name| comes_from(&paths, name));
            let facts = tree.stat_all(names.clone()).unwrap_or_default();
            names.into_iter().zip(facts).filter_map(|(name, facts)| Some((name, facts?))).collect()
        });
        let recent = generations.iter().filter(|(name, facts)| {
            facts.kind == FileKind::Regular && facts.ctime + COARSE >= since && is_generation(path, name)
        });
        recent.map(|(name, _)| name.clone()).take(NEWCOMERS).collect()
    }
}

/// Facts of what the places' paths name, found in one go where that works.
fn bulk_facts(tree: &Arc<Tree>, places: &[Arc<Place>]) -> Vec<Option<Meta>> {
    let paths: Vec<PathBuf> = places.iter().map(|place| place.path.clone()).collect();
    match tree.stat_all(paths) {
        Ok(facts) => facts,
        Err(error) => {
            tracing::debug!("collect: {error}");
            Vec::new()
        }
    }
}

/// The folders in which a location's files, or folders on the way to them, may appear. Tells whether all are named.
fn folders_of(tree: &Arc<Tree>, path: &Path, folders: &mut BTreeSet<PathBuf>) -> bool {
    let mut prefix = PathBuf::from("/");
    let components: Vec<Component<'_>> = path.components().collect();
    let mut all = true;
    for (number, component) in components.iter().enumerate() {
        let Component::Normal(part) = component else { continue };
        let last = number + 1 == components.len();
        if last || glob::is_pattern(Path::new(part)) {
            if glob::is_pattern(&prefix) {
                match tree.glob(&prefix, FOLDERS) {
                    Ok(found) => {
                        all &= !found.cut;
                        folders.extend(found.paths);
                    }
                    Err(_) => all = false,
                }
            } else {
                folders.insert(prefix.clone());
            }
        }
        prefix.push(part);
    }
    while folders.len() > FOLDERS {
        folders.pop_last();
        all = false;
    }
    all
}

fn health_of(error: &crate::guest::Error) -> Health {
    match error.kind() {
        Kind::Stuck => Health::Stuck(error.to_string()),
        Kind::NotRegular | Kind::SafetyViolation | Kind::Invalid => Health::Refused(error.to_string()),
        _ => Health::Unreadable(error.to_string()),
    }
}
