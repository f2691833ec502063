//! The process's one inotify instance (inotify(7)).
//!
//! Instances are scarce (128 per user by default, and every systemd in a privileged guest takes five), so there is one
//! [`Hub`] with one thread, and everybody who wants to hear of changes gets a [`Watch`] from it. A watch is placed on a
//! *descriptor*, never on a guest's path: the kernel would resolve that in the host's view. The kernel keeps one watch
//! per inode; the hub hands it out to any number of watchers and takes it back with the last one. The same thread
//! also tells of the end of processes ([`Hub::watch_end`]).
//!
//! When it is not well: events lost by the kernel ring [`Wake::RESCAN`] on every watch. No watch left
//! (`fs.inotify.max_user_watches`) is an error that the caller sees and answers by polling. A file that changes faster
//! than [`STORM`] loses its watch ([`Wake::GONE`]), so that a noisy guest cannot keep the hub from its neighbours.

use super::bell::{Bell, Wake};
use super::pidfd::Pidfd;
use ::inotify::{EventMask, Inotify, WatchDescriptor, WatchMask, Watches};
use rustix::event::{EventfdFlags, PollFd, PollFlags, epoll};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// More events than this from one inode within [`STORM_WINDOW`] are a storm.
pub const STORM: u32 = 5_000;
/// The window in which the events of an inode are counted.
pub const STORM_WINDOW: Duration = Duration::from_millis(250);
/// Between two reads there is at least this much time. What comes after a silence is read at once; of a flood the kernel
/// joins equal events meanwhile, so one busy log costs a thousand events a second at most.
const REST: Duration = Duration::from_millis(1);
/// Room for some 4,000 events with the longest names: a guest that makes files as fast as it can must not fill the kernel's
/// queue (16,384 events) between two reads, since an overflow makes everybody look again.
const BUFFER: usize = 1 << 20;
const STOP: u64 = u64::MAX;
const INOTIFY: u64 = u64::MAX - 1;

/// What a watcher wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// A file: written, truncated, renamed, unlinked, or its attributes changed (the link count, for one).
    File,
    /// A folder: entries created, renamed, deleted; the folder itself renamed or deleted.
    Folder,
    /// A folder, and also files in it that were written and closed.
    FolderAndWrites,
    /// A file of the kernel that announces its changes (`cgroup.events`).
    Announcements,
}

impl Interest {
    fn mask(self) -> WatchMask {
        let folder = WatchMask::CREATE | WatchMask::MOVE | WatchMask::DELETE;
        let own = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF;
        match self {
            Interest::File => WatchMask::MODIFY | WatchMask::ATTRIB | own,
            Interest::Folder => folder | own,
            Interest::FolderAndWrites => folder | own | WatchMask::CLOSE_WRITE,
            Interest::Announcements => WatchMask::MODIFY,
        }
    }
}

/// Why a watch could not be placed.
#[derive(Debug)]
pub enum Error {
    /// The user's watches are used up (`fs.inotify.max_user_watches`): poll instead.
    OutOfWatches,
    /// Anything else.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::OutOfWatches => f.write_str("no inotify watch left: raise fs.inotify.max_user_watches"),
            Error::Io(cause) => write!(f, "no inotify watch placed: {cause}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::OutOfWatches => None,
            Error::Io(cause) => Some(cause),
        }
    }
}

/// The hub. Clones are the same hub; its thread ends with the last clone.
#[derive(Clone)]
pub struct Hub(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    stop: Arc<OwnedFd>,
}

struct Shared {
    table: Mutex<Table>,
    epoll: OwnedFd,
    next: AtomicU64,
    overflows: AtomicU64,
    storms: AtomicU64,
}

struct Table {
    watches: Watches,
    by_inode: HashMap<i32, Inode>,
    ends: HashMap<u64, (OwnedFd, Bell, u64)>,
}

struct Inode {
    descriptor: WatchDescriptor,
    watchers: Vec<Watcher>,
    window: Instant,
    events: u32,
}

struct Watcher {
    id: u64,
    mask: EventMask,
    bell: Bell,
    token: u64,
}

/// A placed watch; dropping it takes it back. Holds no descriptor of what it watches, so it keeps nothing busy.
pub struct Watch {
    shared: Arc<Shared>,
    id: u64,
    inode: Option<i32>,
}

/// What the hub holds at the moment, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Inodes watched: what counts against `fs.inotify.max_user_watches`.
    pub inodes: usize,
    /// Processes whose end is awaited.
    pub processes: usize,
    /// How often the kernel's queue overflowed since the start.
    pub overflows: u64,
    /// How many watches were given up because their file changed too fast.
    pub storms: u64,
}

impl Hub {
    /// Opens the process's inotify instance and starts the hub's thread.
    ///
    /// # Errors
    ///
    /// The kernel's error; `EMFILE` where the user's instances are used up (`fs.inotify.max_user_instances`).
    pub fn start() -> io::Result<Hub> {
        let inotify = Inotify::init()?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let stop = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(&epoll, &inotify, epoll::EventData::new_u64(INOTIFY), epoll::EventFlags::IN)?;
        epoll::add(&epoll, &*stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        let table = Table { watches: inotify.watches(), by_inode: HashMap::new(), ends: HashMap::new() };
        let shared = Arc::new(Shared {
            table: Mutex::new(table),
            epoll,
            next: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            storms: AtomicU64::new(0),
        });
        let theirs = Arc::clone(&shared);
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new().name("hids-hub".into()).spawn(move || {
            run(&theirs, inotify);
            drop(stopped);
        })?;
        Ok(Hub(Arc::new(Owner { shared, stop })))
    }

    /// Watches what a descriptor refers to (any descriptor, `O_PATH` too) and rings `bell` with `token`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfWatches`] when the kernel has none left: fall back to polling.
    pub fn watch(&self, what: BorrowedFd<'_>, interest: Interest, bell: &Bell, token: u64) -> Result<Watch, Error> {
        let shared = &self.0.shared;
        let mask = interest.mask();
        let path = format!("/proc/self/fd/{}", what.as_raw_fd());
        let mut table = shared.table();
        // MASK_ADD: the kernel has one watch per inode, and another watcher's wishes must stay in force.
        let descriptor = table.watches.add(path, mask | WatchMask::MASK_ADD).map_err(|cause| {
            match cause.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                Some(rustix::io::Errno::NOSPC) => Error::OutOfWatches,
                _ => Error::Io(cause),
            }
        })?;
        let id = shared.next.fetch_add(1, Ordering::Relaxed);
        let inode = descriptor.get_watch_descriptor_id();
        let mask = EventMask::from_bits_retain(mask.bits());
        let watcher = Watcher { id, mask, bell: bell.clone(), token };
        table
            .by_inode
            .entry(inode)
            .or_insert_with(|| Inode { descriptor, watchers: Vec::new(), window: Instant::now(), events: 0 })
            .watchers
            .push(watcher);
        Ok(Watch { shared: Arc::clone(shared), id, inode: Some(inode) })
    }

    /// Rings `bell` with `token` and [`Wake::ENDED`] once the process has ended; at once if it already has.
    ///
    /// # Errors
    ///
    /// The kernel's error (descriptors or memory used up).
    pub fn watch_end(&self, process: &Pidfd, bell: &Bell, token: u64) -> io::Result<Watch> {
        let shared = &self.0.shared;
        let id = shared.next.fetch_add(1, Ordering::Relaxed);
        // A descriptor of its own: epoll refuses the same one twice.
        let own = process.as_fd().try_clone_to_owned()?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        let mut table = shared.table();
        epoll::add(&shared.epoll, &own, epoll::EventData::new_u64(id), flags)?;
        table.ends.insert(id, (own, bell.clone(), token));
        Ok(Watch { shared: Arc::clone(shared), id, inode: None })
    }

    /// What the hub holds at the moment.
    pub fn load(&self) -> Load {
        let shared = &self.0.shared;
        let table = shared.table();
        Load {
            inodes: table.by_inode.len(),
            processes: table.ends.len(),
            overflows: shared.overflows.load(Ordering::Relaxed),
            storms: shared.storms.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // The thread ends by itself; a failure here would mean that its end of the line is gone already.
        let _ = rustix::io::write(&*self.stop, &1u64.to_ne_bytes());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        let Some(number) = self.inode else {
            if let Some((process, ..)) = table.ends.remove(&self.id) {
                let _ = epoll::delete(&self.shared.epoll, &process);
            }
            return;
        };
        let Some(inode) = table.by_inode.get_mut(&number) else { return };
        inode.watchers.retain(|watcher| watcher.id != self.id);
        if inode.watchers.is_empty()
            && let Some(inode) = table.by_inode.remove(&number)
        {
            // Fails where the kernel has dropped the watch by itself a moment ago.
            let _ = table.watches.remove(inode.descriptor);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("id", &self.id).field("inode", &self.inode).finish()
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(shared: &Shared, mut inotify: Inotify) {
    let mut buffer = vec![0u8; BUFFER];
    let mut last: Option<Instant> = None;
    let mut ready = [const { std::mem::MaybeUninit::uninit() }; 64];
    loop {
        let events = match epoll::wait(&shared.epoll, &mut ready, None) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => continue,
            Err(cause) => {
                tracing::error!("hub: wait failed: {cause}: everybody polls");
                shared.table().everybody(Wake::RESCAN | Wake::GONE);
                return;
            }
        };
        let mut readable = false;
        for event in events {
            match event.data.u64() {
                STOP => return,
                INOTIFY => readable = true,
                id => {
                    let mut table = shared.table();
                    if let Some((process, bell, token)) = table.ends.remove(&id) {
                        let _ = epoll::delete(&shared.epoll, &process);
                        bell.ring(token, Wake::ENDED);
                    }
                }
            }
        }
        if readable {
            if let Some(early) = last.and_then(|last| REST.checked_sub(last.elapsed())) {
                std::thread::sleep(early);
            }
            last = Some(Instant::now());
            drain(shared, &mut inotify, &mut buffer);
        }
    }
}

fn drain(shared: &Shared, inotify: &mut Inotify, buffer: &mut [u8]) {
    match inotify.read_events(buffer) {
        Ok(events) => {
            let mut table = shared.table();
            for event in events {
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    shared.overflows.fetch_add(1, Ordering::Relaxed);
                    table.everybody(Wake::RESCAN);
                } else {
                    table.deliver(shared, event.wd.get_watch_descriptor_id(), event.mask);
                }
            }
        }
        Err(cause) if matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
        Err(cause) => {
            tracing::warn!("hub: reading events failed: {cause}: everybody looks again");
            shared.table().everybody(Wake::RESCAN);
        }
    }
}

impl Table {
    fn everybody(&self, wake: Wake) {
        for watcher in self.by_inode.values().flat_map(|inode| &inode.watchers) {
            watcher.bell.ring(watcher.token, wake);
        }
    }

    fn deliver(&mut self, shared: &Shared, number: i32, mask: EventMask) {
        let Some(inode) = self.by_inode.get_mut(&number) else { return };
        let over = mask.intersects(EventMask::IGNORED | EventMask::UNMOUNT);
        for watcher in &inode.watchers {
            if over {
                watcher.bell.ring(watcher.token, Wake::GONE);
            } else if watcher.mask.intersects(mask) {
                watcher.bell.ring(watcher.token, Wake::DIRTY);
            }
        }
        if mask.contains(EventMask::IGNORED) {
            self.by_inode.remove(&number);
            return;
        }
        if inode.window.elapsed() > STORM_WINDOW {
            (inode.window, inode.events) = (Instant::now(), 0);
        }
        inode.events += 1;
        if inode.events > STORM
            && let Some(inode) = self.by_inode.remove(&number)
        {
            shared.storms.fetch_add(1, Ordering::Relaxed);
            for watcher in &inode.watchers {
                watcher.bell.ring(watcher.token, Wake::DIRTY | Wake::GONE);
            }
            let _ = self.watches.remove(inode.descriptor);
        }
    }
}

/// Waits until a descriptor is readable or the time is over; tells whether it is.
pub(super) fn readable(what: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| rustix::event::Timespec::try_from(left).ok());
        match rustix::event::poll(&mut [PollFd::new(&what, PollFlags::IN)], left.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
}

#[cfg(test)]
#[path = "inotify_tests.rs"]
mod tests;
