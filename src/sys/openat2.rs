//! Opening a file below a root that an attacker owns (openat2(2)).
//!
//! Everything is first opened with `O_PATH`, which touches nothing, looked at, and only then reopened for reading
//! through `/proc/self/fd`, so that no FIFO, device or socket is ever opened.

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

/// How often `EAGAIN` is answered by trying again. The kernel says it when something in the system was renamed or
/// mounted while `..` was resolved; libpathrs measured that 128 are enough under a constant hostile renamer.
const TRIES: usize = 128;

/// How links are treated while a path is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Links are resolved as if the root were `/`; magic links of `/proc` are refused (`ELOOP`).
    InRoot,
    /// Like [`Links::InRoot`], and other mounts are not entered (`EXDEV`).
    InRootSameMount,
    /// No link is followed at all (`ELOOP`), and nothing above the root is reached.
    None,
}

impl Links {
    fn flags(self) -> ResolveFlags {
        let in_root = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match self {
            Links::InRoot => in_root,
            Links::InRootSameMount => in_root | ResolveFlags::NO_XDEV,
            Links::None => in_root | ResolveFlags::NO_SYMLINKS,
        }
    }
}

/// Opens a path below a root with `O_PATH`: a handle to look at, not to read from. With `follow` off the last
/// component may be a link, and the handle is the link itself.
///
/// # Errors
///
/// The kernel's: `ENOENT`, `ELOOP` (a magic link, too many links, or any link where none is allowed), `EXDEV`, `EAGAIN`
/// after many tries, `ENOSYS` where the kernel has no openat2 (before 5.6).
pub fn handle(root: BorrowedFd<'_>, path: &Path, links: Links, follow: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), links.flags()) {
            Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

/// Opens for reading what a handle refers to, and nothing else: never blocks on a lease, never becomes the controlling
/// terminal, is not inherited. The caller has made sure that it is a regular file or a folder, and compares device and
/// inode afterwards.
///
/// # Errors
///
/// The kernel's: `EWOULDBLOCK` where somebody holds a lease on the file, `EACCES`, `ENOSYS` where `/proc` is none.
pub fn reopen(handle: BorrowedFd<'_>, folder: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    if folder {
        flags |= OFlags::DIRECTORY;
    }
    let number = handle.as_raw_fd().to_string();
    loop {
        match rustix::fs::openat(own_descriptors()?, &*number, flags, Mode::empty()) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// `/proc/self/fd`, opened once and made sure to be the kernel's.
fn own_descriptors() -> Result<BorrowedFd<'static>, Errno> {
    static FOLDER: OnceLock<Result<OwnedFd, Errno>> = OnceLock::new();
    let opened = FOLDER.get_or_init(|| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open("/proc/self/fd", flags, Mode::empty())?;
        match super::filesystem::FsType::of(&folder) {
            Ok(kind) if kind.name() == Some("proc") => Ok(folder),
            _ => Err(Errno::NOSYS),
        }
    });
    match opened {
        Ok(folder) => Ok(folder.as_fd()),
        Err(cause) => Err(*cause),
    }
}
