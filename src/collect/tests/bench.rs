//! A collector on a folder of its own, and a lane that notes what it is given.

use crate::collect::{Collector, Config, FileSpec, Format, Joining, Rejudge, Scope, SourceReport};
use crate::event::{Freshness, Intake, Outlet, Receipt, intake};
use crate::guest::lxc::Rootfs;
use crate::guest::{GuestRoot, HostRoot, Name};
use crate::store::Store;
use crate::sys::Hub;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A line as the lane got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    pub path: String,
    pub text: Vec<u8>,
    pub freshness: Freshness,
    pub cut: bool,
    pub offset: u64,
    pub inode: u64,
    pub location: String,
    pub at: Instant,
}

/// What a lane does with its receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dealing {
    Done,
    /// Keeps them open.
    Keep,
}

/// A lane.
pub struct Lane {
    pub intake: Option<Intake>,
    got: Arc<Mutex<Vec<Got>>>,
    kept: Arc<Mutex<Vec<Receipt>>>,
    keep: Arc<AtomicBool>,
    pause: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    pub fn new(capacity: usize) -> Self {
        let (intake, outlet) = intake(capacity);
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::new(AtomicBool::new(false));
        let pause = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let thread = {
            let (got, kept) = (Arc::clone(&got), Arc::clone(&kept));
            let (keep, pause, over) = (Arc::clone(&keep), Arc::clone(&pause), Arc::clone(&over));
            std::thread::spawn(move || Self::run(outlet, &got, &kept, &keep, &pause, &over))
        };
        Self { intake: Some(intake), got, kept, keep, pause, over, thread: Some(thread) }
    }

    fn run(
        mut outlet: Outlet,
        got: &Mutex<Vec<Got>>,
        kept: &Mutex<Vec<Receipt>>,
        keep: &AtomicBool,
        pause: &AtomicBool,
        over: &AtomicBool,
    ) {
        while !over.load(Ordering::SeqCst) {
            while pause.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let Ok(batch) = outlet.next_within(Duration::from_millis(50)) else { return };
            let Some(batch) = batch else { continue };
            let at = Instant::now();
            let mut noted = got.lock().unwrap();
            for line in &batch.lines {
                noted.push(Got {
                    path: batch.source.path.to_string(),
                    text: batch.line(line).to_vec(),
                    freshness: batch.freshness,
                    cut: line.cut,
                    offset: line.offset,
                    inode: batch.inode,
                    location: batch.source.location.to_string(),
                    at,
                });
            }
            drop(noted);
            if keep.load(Ordering::SeqCst) {
                kept.lock().unwrap().push(batch.receipt);
            } else {
                batch.receipt.done();
            }
        }
    }

    pub fn deal(&self, dealing: Dealing) {
        self.keep.store(dealing == Dealing::Keep, Ordering::SeqCst);
        if dealing == Dealing::Done {
            self.kept.lock().unwrap().drain(..).for_each(Receipt::done);
        }
    }

    /// Lets go of the kept receipts without being done.
    pub fn drop_kept(&self) {
        self.kept.lock().unwrap().clear();
    }

    pub fn pause(&self, yes: bool) {
        self.pause.store(yes, Ordering::SeqCst);
    }

    /// Everything that came, but for hids's own events.
    pub fn got(&self) -> Vec<Got> {
        self.noted().iter().filter(|got| got.path != "ossec-logcollector").cloned().collect()
    }

    pub fn own(&self) -> Vec<String> {
        let own = self.noted().iter().filter(|got| got.path == "ossec-logcollector").cloned().collect::<Vec<_>>();
        own.into_iter().map(|got| String::from_utf8(got.text).unwrap()).collect()
    }

    fn noted(&self) -> MutexGuard<'_, Vec<Got>> {
        self.got.lock().unwrap()
    }

    pub fn texts(&self) -> Vec<String> {
        self.got().into_iter().map(|got| String::from_utf8_lossy(&got.text).into_owned()).collect()
    }

    /// Waits until exactly these lines have come, in this order, and makes sure that no more follow.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        wait(|| self.texts().len() >= lines.len());
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(self.texts(), lines);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.intake = None;
        self.pause(false);
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for something, ten seconds at most.
#[track_caller]
pub fn wait(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Settings with short times.
pub fn quick() -> Config {
    Config {
        idle_flush: Duration::from_millis(400),
        group_flush: Duration::from_millis(200),
        grace: Duration::from_millis(300),
        commit: Duration::from_millis(20),
        rescan: Duration::from_secs(60),
        looks: 500,
        ..Config::default()
    }
}

/// A folder, a store and a collector on them.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub store: Option<Arc<Store>>,
    pub collector: Option<Collector>,
    pub config: Config,
    pub hub: Hub,
}

impl Bench {
    pub fn new(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("log")).unwrap();
        Self { folder, store: None, collector: None, config, hub: hub() }
    }

    /// A path in the log folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }

    /// A location of the host.
    pub fn spec(&self, name: &str) -> FileSpec {
        self.spec_as(name, Format::Lines)
    }

    pub fn spec_as(&self, name: &str, format: Format) -> FileSpec {
        let path = self.path(name).to_string_lossy().into_owned();
        FileSpec { scope: Scope::Host, label: path.clone(), path, format }
    }

    pub fn follow(mut self, names: &[&str]) -> Self {
        self.config.files = names.iter().map(|name| self.spec(name)).collect();
        self
    }

    /// Starts the collector, with whatever the store knows; nobody is added.
    pub fn start(&mut self) {
        let store = Arc::new(Store::open(&self.folder.path().join("state.redb")).unwrap());
        assert!(store.notices().is_empty(), "{:?}", store.notices());
        self.collector = Some(Collector::start(self.config.clone(), Arc::clone(&store), self.hub.clone()).unwrap());
        self.store = Some(store);
    }

    /// Starts, adds the host and waits until its folders have been looked at.
    pub fn run(&mut self, lane: &Lane) {
        self.start();
        self.add_host(lane);
    }

    pub fn add_host(&self, lane: &Lane) {
        let root = HostRoot::open().unwrap();
        self.collector().add(Joining::host(&root, lane.intake.clone().unwrap())).unwrap();
        self.settled();
    }

    pub fn collector(&self) -> &Collector {
        self.collector.as_ref().unwrap()
    }

    /// Waits until all owners have been looked at once.
    pub fn settled(&self) {
        wait(|| self.collector().engine.owners().iter().all(|owner| owner.scout.lock().unwrap().looks > 0));
    }

    /// Ends as a daemon does, everything saved.
    pub fn stop(&mut self) {
        let collector = self.collector.take().unwrap();
        assert!(collector.finish(Instant::now() + Duration::from_secs(5)), "not everything was saved");
        drop(collector);
        self.close();
    }

    /// Ends as `kill -9` does: nothing more is saved.
    pub fn kill(&mut self) {
        self.collector = None;
        self.close();
    }

    fn close(&mut self) {
        let store = self.store.take().unwrap();
        wait(|| Arc::strong_count(&store) == 1);
        drop(store);
    }

    pub fn write(&self, name: &str, text: &str) {
        append(&self.path(name), text.as_bytes());
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub fn source(&self, name: &str) -> SourceReport {
        let path = self.path(name).to_string_lossy().into_owned();
        self.collector()
            .sources()
            .into_iter()
            .find(|report| report.path.ends_with(&path) || path.ends_with(&report.path))
            .unwrap()
    }

    /// A guest at rest, whose root is a folder of its own below `lxc/NAME/rootfs`.
    pub fn guest(&self, name: &str) -> (Name, PathBuf) {
        let root = self.folder.path().join("lxc").join(name).join("rootfs");
        fs::create_dir_all(root.join("var/log")).unwrap();
        (Name::new(name), root)
    }

    pub fn add_guest(&self, name: &str, lane: &Lane) {
        self.add_guest_soon(name, lane);
        self.settled();
    }

    /// As [`Bench::add_guest`], without waiting for the first look.
    pub fn add_guest_soon(&self, name: &str, lane: &Lane) {
        let lxc_path = self.folder.path().join("lxc");
        let rootfs = Rootfs::parse(&format!("dir:{}", lxc_path.join(name).join("rootfs").display()));
        let root = GuestRoot::at_rest(&Name::new(name), &lxc_path, name, &rootfs).unwrap();
        self.collector().add(Joining::for_tests(name, &lxc_path, &root, lane.intake.clone().unwrap())).unwrap();
    }
}

/// A hub; the kernel's instances (128 for a user) may be used up for a moment where many tests run at once.
fn hub() -> Hub {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match Hub::start() {
            Ok(hub) => return hub,
            Err(error) => assert!(Instant::now() < end, "no hub: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

pub fn rejudge(bytes: u64) -> Option<Rejudge> {
    Some(Rejudge { within: Duration::from_secs(600), bytes, stamp: None })
}
