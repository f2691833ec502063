//! A tree of files that somebody else owns, and the few ways in which it is read.
//!
//! Every call resolves its path from the root anew, in the kernel, by openat2: links are resolved as if the root were
//! `/`, magic links are refused. What is opened is first looked at through an `O_PATH` handle; only regular files and
//! folders are opened for reading, never blocking, never from one of the kernel's own file systems. All of it runs on a
//! thread that may be lost, because a guest can make any of these calls hang (FUSE, fanotify).

use super::error::{Error, Kind, shown};
use super::glob::{self, Matches};
use super::id::Name;
use crate::sys::crew::{Crew, Stuck};
use crate::sys::filesystem::FsType;
use crate::sys::openat2::{self, Links};
use crate::sys::pidfd::Pidfd;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long a call may take before its thread is given up.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Calls of one guest that may hang at the same time.
const HANGING: usize = 4;
/// How often an open that was overtaken by a change is tried.
const TRIES: usize = 3;

/// A tree. Made by [`super::root`]; everybody else reads through it.
pub struct Tree {
    pub(super) name: Option<Name>,
    pub(super) root: OwnedFd,
    pub(super) life: Option<Pidfd>,
    pub(super) crew: Crew,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
    /// The file system does not say.
    Unknown,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Regular => "regular file",
            FileKind::Folder => "folder",
            FileKind::Link => "link",
            FileKind::Fifo => "named pipe",
            FileKind::Socket => "socket",
            FileKind::Device => "device",
            FileKind::Unknown => "unknown",
        })
    }
}

impl From<FileType> for FileKind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => FileKind::Regular,
            FileType::Directory => FileKind::Folder,
            FileType::Symlink => FileKind::Link,
            FileType::Fifo => FileKind::Fifo,
            FileType::Socket => FileKind::Socket,
            FileType::CharacterDevice | FileType::BlockDevice => FileKind::Device,
            FileType::Unknown => FileKind::Unknown,
        }
    }
}

/// Facts of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Device number: only a hint, it changes with mounts.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Last written.
    pub mtime: SystemTime,
    /// Last changed, its facts included; only the kernel sets this.
    pub ctime: SystemTime,
    /// Owner, as the host sees it (the guest's view: [`super::idmap::IdMap`]).
    pub uid: u32,
    /// Group, as the host sees it.
    pub gid: u32,
    /// Permissions with the set-id and sticky bits.
    pub mode: u32,
    /// Number of names.
    pub links: u64,
}

impl Meta {
    /// Asks about an open descriptor (a file kept open, for one).
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub fn of(what: impl AsFd) -> std::io::Result<Self> {
        Ok(Self::from_stat(&rustix::fs::fstat(what)?))
    }

    // The types of these fields differ between architectures.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    fn from_stat(stat: &Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: time(stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            ctime: time(stat.st_ctime as i64, stat.st_ctime_nsec as u32),
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & 0o7777,
            links: u64::from(stat.st_nlink),
        }
    }
}

/// A time of the kernel's; guests may set any, also before 1970 and past the end of the clock.
fn time(seconds: i64, nanoseconds: u32) -> SystemTime {
    // Far enough from the end that a moment may be added to any: that would panic.
    let seconds = seconds.clamp(-(1 << 40), 1 << 40);
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base =
        if seconds < 0 { SystemTime::UNIX_EPOCH.checked_sub(whole) } else { SystemTime::UNIX_EPOCH.checked_add(whole) };
    let part = Duration::from_nanos(u64::from(nanoseconds.min(999_999_999)));
    base.and_then(|base| base.checked_add(part)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A log opened for reading.
#[derive(Debug)]
pub struct OpenFile {
    /// The file, at its start; reads return at once what is there.
    pub file: File,
    /// Its facts at the moment of opening.
    pub meta: Meta,
    /// The kind of file system it lies on.
    pub fs_type: FsType,
    /// Reads may hang: the file lies on FUSE, a network file system, or a mount of the guest's own choice. Read it on
    /// a thread that may be lost ([`Crew`]).
    pub odd: bool,
}

/// A folder opened for reading: to be watched, or listed.
#[derive(Debug)]
pub struct OpenFolder {
    /// The descriptor. It keeps the guest's root busy: let go of it.
    pub descriptor: OwnedFd,
    /// Its facts at the moment of opening.
    pub meta: Meta,
    /// Listing may hang.
    pub odd: bool,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; any bytes but `/` and NUL.
    pub name: OsString,
    /// What the folder says it is; [`FileKind::Unknown`] on some file systems.
    pub kind: FileKind,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The entries, in no order.
    pub entries: Vec<Entry>,
    /// There are more than were asked for.
    pub cut: bool,
}

impl Tree {
    /// The guest's name; none is the host.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Tells whether the guest's first process still lives, where the root was reached through it. Once it has ended
    /// the root must be dropped, and everything opened through it.
    pub fn is_alive(&self) -> bool {
        self.life.as_ref().is_none_or(|life| !life.ended())
    }

    /// The root's own descriptor, to be watched. It keeps the root busy for as long as the tree lives.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Number of calls that hang at this moment: above 0 for long is health `stuck`.
    pub fn hanging(&self) -> usize {
        self.crew.lost()
    }

    /// Opens a log. Blocks the thread for [`PATIENCE`] at most.
    ///
    /// # Errors
    ///
    /// By kind: [`Kind::NotFound`], [`Kind::NotRegular`] (FIFO, device, folder …), [`Kind::SafetyViolation`] (magic
    /// link, endless links, a file of the kernel's), [`Kind::Busy`] (lease), [`Kind::Stuck`], [`Kind::Unreachable`]
    /// (the guest has ended), [`Kind::Denied`], [`Kind::Invalid`], [`Kind::Unsupported`], [`Kind::Io`].
    pub fn open_log(self: &Arc<Self>, path: &Path) -> Result<OpenFile, Error> {
        self.on_crew(path, |tree, path| {
            for _ in 0..TRIES {
                let (handle, crossed) = tree.handle(path, true)?;
                let (meta, fs_type, odd) = tree.look(path, &handle, crossed)?;
                if meta.kind != FileKind::Regular {
                    return Err(tree.error(Kind::NotRegular, path, &format!("not a regular file but a {}", meta.kind)));
                }
                let file = openat2::reopen(handle.as_fd(), false).map_err(|cause| tree.failed(path, cause))?;
                let now = Meta::of(&file).map_err(|cause| tree.error(Kind::Io, path, "stat").because(cause))?;
                if (now.dev, now.ino, now.kind) == (meta.dev, meta.ino, meta.kind) {
                    return Ok(OpenFile { file: file.into(), meta: now, fs_type, odd });
                }
            }
            Err(tree.error(Kind::Busy, path, "changed while it was opened"))
        })
    }

    /// Opens a folder, to be watched or listed. Blocks the thread for [`PATIENCE`] at most.
    ///
    /// # Errors
    ///
    /// As [`Tree::open_log`], with [`Kind::NotFolder`].
    pub fn open_folder(self: &Arc<Self>, path: &Path) -> Result<OpenFolder, Error> {
        self.on_crew(path, Tree::folder)
    }

    /// Lists a folder, `most` entries at most. Blocks the thread for [`PATIENCE`] at most.
    ///
    /// # Errors
    ///
    /// As [`Tree::open_folder`].
    pub fn list_folder(self: &Arc<Self>, path: &Path, most: usize) -> Result<Listing, Error> {
        self.on_crew(path, move |tree, path| tree.listing(path, most))
    }

    /// Tells the facts of a file without opening it; with `follow` off those of the link itself. Blocks the thread for
    /// [`PATIENCE`] at most.
    ///
    /// # Errors
    ///
    /// As [`Tree::open_log`], but any kind of file will do.
    pub fn stat(self: &Arc<Self>, path: &Path, follow: bool) -> Result<Meta, Error> {
        self.on_crew(path, move |tree, path| tree.meta(path, follow))
    }

    /// Tells the facts of many files in one go, links followed; absent for what cannot be looked at. Blocks the thread
    /// for [`PATIENCE`] at most.
    ///
    /// # Errors
    ///
    /// [`Kind::Stuck`] when one of them hangs, [`Kind::Unreachable`], [`Kind::Io`].
    pub fn stat_all(self: &Arc<Self>, paths: Vec<PathBuf>) -> Result<Vec<Option<Meta>>, Error> {
        self.on_crew(Path::new("/"), move |tree, _| Ok(paths.iter().map(|path| tree.meta(path, true).ok()).collect()))
    }

    /// Finds the files that a pattern means: `*`, `?`, `[…]` within a component, as glob(7) has it. Blocks the thread
    /// for [`PATIENCE`] at most.
    ///
    /// # Errors
    ///
    /// As [`Tree::open_folder`], but what is not there is no error: the result is empty.
    pub fn glob(self: &Arc<Self>, pattern: &Path, most: usize) -> Result<Matches, Error> {
        self.on_crew(pattern, move |tree, pattern| glob::expand(tree, pattern, most))
    }

    pub(super) fn meta(&self, path: &Path, follow: bool) -> Result<Meta, Error> {
        let (handle, _) = self.handle(path, follow)?;
        Meta::of(&handle).map_err(|cause| self.error(Kind::Io, path, "stat").because(cause))
    }

    pub(super) fn listing(&self, path: &Path, most: usize) -> Result<Listing, Error> {
        let folder = self.folder(path)?;
        let read = rustix::fs::Dir::new(folder.descriptor).map_err(|cause| self.failed(path, cause))?;
        let mut listing = Listing { entries: Vec::new(), cut: false };
        for entry in read {
            let entry = entry.map_err(|cause| self.failed(path, cause))?;
            let name = entry.file_name().to_bytes();
            // A file system of the guest's own may say anything.
            if matches!(name, b"." | b".." | b"") || name.len() > 255 || name.contains(&b'/') {
                continue;
            }
            if listing.entries.len() >= most {
                listing.cut = true;
                break;
            }
            let name = OsString::from_vec(name.to_vec());
            listing.entries.push(Entry { name, kind: entry.file_type().into() });
        }
        Ok(listing)
    }

    fn folder(&self, path: &Path) -> Result<OpenFolder, Error> {
        let (handle, crossed) = self.handle(path, true)?;
        let (meta, _, odd) = self.look(path, &handle, crossed)?;
        if meta.kind != FileKind::Folder {
            return Err(self.error(Kind::NotFolder, path, &format!("not a folder but a {}", meta.kind)));
        }
        let descriptor = openat2::reopen(handle.as_fd(), true).map_err(|cause| self.failed(path, cause))?;
        let now = Meta::of(&descriptor).map_err(|cause| self.error(Kind::Io, path, "stat").because(cause))?;
        if (now.dev, now.ino) != (meta.dev, meta.ino) {
            return Err(self.error(Kind::Busy, path, "changed while it was opened"));
        }
        Ok(OpenFolder { descriptor, meta: now, odd })
    }

    /// An `O_PATH` handle, and whether it lies on another mount than the root.
    fn handle(&self, path: &Path, follow: bool) -> Result<(OwnedFd, bool), Error> {
        let path = if path == Path::new("/") { Path::new(".") } else { path };
        let tried = openat2::handle(self.root.as_fd(), path, Links::InRootSameMount, follow);
        match tried {
            Ok(handle) => Ok((handle, false)),
            Err(Errno::XDEV) => match openat2::handle(self.root.as_fd(), path, Links::InRoot, follow) {
                Ok(handle) => Ok((handle, true)),
                Err(cause) => Err(self.failed(path, cause)),
            },
            Err(Errno::NOSYS) if self.name.is_none() => {
                // The host's own tree needs no protection from itself.
                let mut flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
                if !follow {
                    flags |= rustix::fs::OFlags::NOFOLLOW;
                }
                let opened = rustix::fs::openat(&self.root, path, flags, rustix::fs::Mode::empty());
                opened.map(|handle| (handle, false)).map_err(|cause| self.failed(path, cause))
            }
            Err(cause) => Err(self.failed(path, cause)),
        }
    }

    /// What a handle refers to, where it lies, and whether reading there may hang.
    fn look(&self, path: &Path, handle: &OwnedFd, crossed: bool) -> Result<(Meta, FsType, bool), Error> {
        let meta = Meta::of(handle).map_err(|cause| self.error(Kind::Io, path, "stat").because(cause))?;
        // Not worth asking a FUSE server about: it is refused anyway, or looked at below.
        let fs_type = FsType::of(handle).map_err(|cause| self.error(Kind::Io, path, "statfs").because(cause))?;
        if fs_type.is_pseudo() && self.name.is_some() {
            return Err(self.error(Kind::SafetyViolation, path, &format!("lies on the kernel's own {fs_type}")));
        }
        // An overlay that is the root was mounted by the host; any other by the guest, over who knows what.
        let plain = fs_type.is_plain() || (fs_type.is_overlay() && !crossed);
        Ok((meta, fs_type, !plain))
    }

    fn on_crew<T: Send + 'static>(
        self: &Arc<Self>,
        path: &Path,
        job: impl FnOnce(&Tree, &Path) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        use std::os::unix::ffi::OsStrExt;
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() || bytes.len() >= 4096 || bytes.contains(&0) {
            return Err(self.error(Kind::Invalid, path, "no path"));
        }
        if !self.is_alive() {
            return Err(self.error(Kind::Unreachable, path, "the guest has ended"));
        }
        let (tree, own) = (Arc::clone(self), PathBuf::from(path));
        match self.crew.run(PATIENCE, move || job(&tree, &own)) {
            Ok(result) => result,
            Err(Stuck::Io(cause)) => Err(self.error(Kind::Io, path, "no thread").because(cause)),
            Err(stuck) => Err(self.error(Kind::Stuck, path, &stuck.to_string())),
        }
    }

    pub(super) fn error(&self, kind: Kind, path: &Path, why: &str) -> Error {
        Error::new(self.name.as_ref(), kind, format!("{}: {why}", shown(path)))
    }

    fn failed(&self, path: &Path, cause: Errno) -> Error {
        let (kind, why) = match cause {
            Errno::NOENT => (Kind::NotFound, "not found"),
            Errno::NOTDIR => (Kind::NotFound, "not found: a part of the path is not a folder"),
            Errno::LOOP => (Kind::SafetyViolation, "magic link, or links without end"),
            Errno::XDEV => (Kind::SafetyViolation, "leads out of the root"),
            Errno::AGAIN => (Kind::Busy, "held or renamed by somebody"),
            Errno::NOSYS => (Kind::Unsupported, "this kernel has no openat2 (Linux 5.6)"),
            Errno::ACCESS | Errno::PERM => (Kind::Denied, "not permitted"),
            Errno::NAMETOOLONG => (Kind::Invalid, "name too long"),
            // A socket cannot be opened at all; a device without a driver neither.
            Errno::NXIO | Errno::NODEV => (Kind::NotRegular, "not a regular file"),
            _ => (Kind::Io, "cannot be opened"),
        };
        self.error(kind, path, why).because(cause)
    }

    pub(super) fn new(name: Option<Name>, root: OwnedFd, life: Option<Pidfd>) -> Arc<Self> {
        Arc::new(Self { name, root, life, crew: Crew::new(HANGING) })
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("name", &self.name).field("live", &self.life.is_some()).finish()
    }
}
