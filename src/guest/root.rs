//! A guest's root, live or at rest.
//!
//! *Live*: through `/proc/INIT/root`, the one way that works for every kind of root. In the instant between clone and
//! pivot_root that link still leads to the host's root, and a number may be used again; so the first process is held by
//! a pidfd, and mount namespace, start time, device and inode are compared before and after opening. *At rest*: from
//! disk, for roots that are folders there, component by component without following a link.
//!
//! A root pins the guest's mounts. Drop it, and everything opened through it, within a second of the guest's end, or
//! `lxc-destroy` finds the root busy. Dropping closes everything but the calls that hang.

use super::error::{Error, Kind, shown};
use super::id::Name;
use super::lxc::Rootfs;
use super::state::Init;
use super::tree::{PATIENCE, Tree};
use crate::sys::crew::{Crew, Stuck};
use crate::sys::filesystem::FsType;
use crate::sys::namespace::{self, Kind as Namespace};
use crate::sys::openat2::{self, Links};
use crate::sys::{hostfile, pidfd::Pidfd};
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Duration;

/// A guest's root. Clones are the same root; it is closed with the last one.
#[derive(Debug, Clone)]
pub struct GuestRoot(Arc<Tree>);

/// A root that logs are read from: a guest's or the host's own. Both are read in the same way.
#[derive(Debug, Clone)]
pub enum Root {
    /// A guest's.
    Guest(GuestRoot),
    /// The host's.
    Host(HostRoot),
}

/// The host's own root.
#[derive(Debug, Clone)]
pub struct HostRoot(Arc<Tree>);

impl Deref for GuestRoot {
    type Target = Arc<Tree>;
    fn deref(&self) -> &Arc<Tree> {
        &self.0
    }
}

impl Deref for HostRoot {
    type Target = Arc<Tree>;
    fn deref(&self) -> &Arc<Tree> {
        &self.0
    }
}

impl Deref for Root {
    type Target = Arc<Tree>;
    fn deref(&self) -> &Arc<Tree> {
        match self {
            Root::Guest(root) => root,
            Root::Host(root) => root,
        }
    }
}

impl HostRoot {
    /// Opens the host's root.
    ///
    /// # Errors
    ///
    /// [`Kind::Io`].
    pub fn open() -> Result<Self, Error> {
        let root = hostfile::open_folder(Path::new("/"));
        let root = root.map_err(|cause| Error::new(None, Kind::Io, "/: cannot be opened").because(cause))?;
        Ok(Self(Tree::new(None, root, None)))
    }
}

impl GuestRoot {
    /// Opens the root of a running guest through its first process. `proc` is where procfs is mounted (`/proc`).
    ///
    /// # Errors
    ///
    /// [`Kind::Starting`] while the first process still sees the host's root or mounts, [`Kind::Unreachable`] when it has
    /// ended or its number belongs to another, [`Kind::Denied`] without CAP_SYS_PTRACE, [`Kind::Stuck`] when the guest
    /// has seen to it that looking at its root hangs.
    pub fn live(guest: &Name, init: Init, proc: &Path) -> Result<Self, Error> {
        Self::live_within(guest, init, proc, PATIENCE)
    }

    /// As [`GuestRoot::live`], where a look at the root may take so long; there are two.
    ///
    /// # Errors
    ///
    /// Those of [`GuestRoot::live`].
    pub fn live_within(guest: &Name, init: Init, proc: &Path, limit: Duration) -> Result<Self, Error> {
        let gone = || Error::new(Some(guest), Kind::Unreachable, format!("first process {}: ended", init.pid));
        let failed = |cause: std::io::Error| match rustix::io::Errno::from_io_error(&cause) {
            Some(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => gone(),
            Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
                Error::new(Some(guest), Kind::Denied, format!("first process {}", init.pid)).because(cause)
            }
            _ => Error::new(Some(guest), Kind::Io, format!("first process {}", init.pid)).because(cause),
        };
        let life = Pidfd::open(init.pid).map_err(failed)?;
        let still_itself = || -> Result<(), Error> {
            if life.ended() || namespace::start_time(proc, init.pid).map_err(failed)? != init.start_time {
                return Err(gone());
            }
            let mounts = namespace::of(proc, init.pid, Namespace::Mount).map_err(failed)?;
            for host in ["self", "1"] {
                if namespace::of(proc, host, Namespace::Mount).is_ok_and(|ours| ours == mounts) {
                    return Err(Error::new(Some(guest), Kind::Starting, "still in the host's mount namespace"));
                }
            }
            Ok(())
        };
        still_itself()?;
        let link = proc.join(format!("{}/root", init.pid));
        // The first process may have gone to a FUSE mount of its own: every question about its root may hang.
        let crew = Crew::new(2);
        let (name, path) = (guest.clone(), link.clone());
        let opened = crew.run(limit, move || -> Result<_, Failed> {
            let root = hostfile::open_folder(&path)?;
            not_the_hosts(&name, &root)?;
            nothing_on_top(&name, &root)?;
            Ok((identity(&root)?, root))
        });
        let (before, root) = settle(guest, opened, failed)?;
        still_itself()?;
        let opened = crew.run(limit, move || Ok(identity(&hostfile::open_folder(&link)?)?));
        if settle(guest, opened, failed)? != before {
            return Err(Error::new(Some(guest), Kind::Starting, "the root is just being changed"));
        }
        Ok(Self(Tree::new(Some(guest.clone()), root, Some(life))))
    }

    /// Opens the root of a stopped guest from disk: to read what is left, and let go at once; a root that is a mount of
    /// its own cannot be unmounted meanwhile. Below the LXC path no link is followed; a root that lies elsewhere
    /// is opened without following any.
    ///
    /// # Errors
    ///
    /// [`Kind::Unreachable`] for roots that exist only while the guest runs, [`Kind::NotFound`], and
    /// [`Kind::SafetyViolation`] where a link stands in the way or the root is the host's.
    pub fn at_rest(guest: &Name, lxc_path: &Path, lxc_name: &str, rootfs: &Rootfs) -> Result<Self, Error> {
        if !rootfs.is_folder() {
            let why = format!("the root ({:?}) can only be read while the guest runs", rootfs.store);
            return Err(Error::new(Some(guest), Kind::Unreachable, why.to_ascii_lowercase()));
        }
        let standard = lxc_path.join(lxc_name).join("rootfs");
        let wanted = if rootfs.source.as_os_str().is_empty() { &standard } else { &rootfs.source };
        let (base, below) = match wanted.strip_prefix(lxc_path) {
            Ok(below) => (lxc_path, below),
            Err(_) => (Path::new("/"), wanted.strip_prefix("/").unwrap_or(wanted)),
        };
        if below.components().any(|part| !matches!(part, Component::Normal(_))) || below.as_os_str().is_empty() {
            let what = format!("{}: no place for a guest's root", shown(wanted));
            return Err(Error::new(Some(guest), Kind::SafetyViolation, what));
        }
        let failed = |cause: std::io::Error| {
            let kind = match rustix::io::Errno::from_io_error(&cause) {
                Some(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Kind::NotFound,
                Some(rustix::io::Errno::LOOP) => Kind::SafetyViolation,
                Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => Kind::Denied,
                Some(rustix::io::Errno::NOSYS) => Kind::Unsupported,
                _ => Kind::Io,
            };
            Error::new(Some(guest), kind, format!("root {}", shown(wanted))).because(cause)
        };
        let base = hostfile::open_folder(base).map_err(failed)?;
        let root = openat2::handle(base.as_fd(), below, Links::None, true).map_err(|cause| failed(cause.into()))?;
        let facts = rustix::fs::fstat(&root).map_err(|cause| failed(cause.into()))?;
        if !rustix::fs::FileType::from_raw_mode(facts.st_mode).is_dir() {
            return Err(failed(rustix::io::Errno::NOTDIR.into()));
        }
        not_the_hosts(guest, &root).map_err(|_| {
            let what = format!("{}: the host's own root", shown(wanted));
            Error::new(Some(guest), Kind::SafetyViolation, what)
        })?;
        Ok(Self(Tree::new(Some(guest.clone()), root, None)))
    }
}

/// Device and inode.
/// Why a look at a root failed.
enum Failed {
    Told(Error),
    Kernel(std::io::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl From<std::io::Error> for Failed {
    fn from(cause: std::io::Error) -> Self {
        Self::Kernel(cause)
    }
}

fn settle<T>(
    guest: &Name,
    looked: Result<Result<T, Failed>, Stuck>,
    failed: impl Fn(std::io::Error) -> Error,
) -> Result<T, Error> {
    match looked {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(Failed::Told(error))) => Err(error),
        Ok(Err(Failed::Kernel(cause))) | Err(Stuck::Io(cause)) => Err(failed(cause)),
        Err(stuck) => Err(Error::new(Some(guest), Kind::Stuck, format!("root: {stuck}"))),
    }
}

/// liblxc calls pivot_root(".", "."): until it unmounts it a moment later, the host's root lies on top of the guest's, and
/// `..` at the guest's root leads there (openat2 enters what is mounted on top of the root).
fn nothing_on_top(guest: &Name, root: &OwnedFd) -> Result<(), Failed> {
    match openat2::handle(root.as_fd(), Path::new(".."), Links::InRoot, true) {
        Ok(above) => Ok(not_the_hosts(guest, &above)?),
        // Then nothing below it can be opened either.
        Err(rustix::io::Errno::NOSYS) => Ok(()),
        Err(cause) => Err(Failed::Kernel(cause.into())),
    }
}

fn identity(what: &OwnedFd) -> std::io::Result<(u64, u64)> {
    let facts = rustix::fs::fstat(what)?;
    Ok((facts.st_dev, facts.st_ino))
}

/// Refuses a root that is the host's own, or is none for a guest.
fn not_the_hosts(guest: &Name, root: &OwnedFd) -> Result<(), Error> {
    let io = |cause: std::io::Error| Error::new(Some(guest), Kind::Io, "root: stat").because(cause);
    let host = identity(&hostfile::open_folder(Path::new("/")).map_err(io)?).map_err(io)?;
    if identity(root).map_err(io)? == host {
        return Err(Error::new(Some(guest), Kind::Starting, "the root is still the host's"));
    }
    let kind = FsType::of(root).map_err(io)?;
    if kind.is_pseudo() {
        return Err(Error::new(Some(guest), Kind::SafetyViolation, format!("the root is the kernel's own {kind}")));
    }
    Ok(())
}

#[cfg(test)]
#[path = "root_tests.rs"]
mod tests;
