//! Small files and folders of the host's own: read whole, in bounded portions, and never blocking.
//!
//! For `/proc`, `/sys` and the host's configuration, whose paths the host chooses. A guest's files are never read this
//! way.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Opens a file for reading; a FIFO does not block, a terminal does not become ours.
///
/// # Errors
///
/// The kernel's error.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Opens a folder with `O_PATH`: to watch it or to look below it. Links are followed.
///
/// # Errors
///
/// The kernel's error.
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Reads a file from its start to its end, `limit` bytes at most; the rest is left out.
///
/// # Errors
///
/// The kernel's error. `ESRCH` and `ENOENT` under `/proc` both mean that the process is gone.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    read_from(&open(path)?, limit)
}

/// Like [`read`], but only regular files: what is configured to be one may be a FIFO or a device.
///
/// # Errors
///
/// The kernel's error, or `InvalidInput` where it is not a regular file.
pub fn read_regular(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let facts = rustix::fs::fstat(&file)?;
    if !rustix::fs::FileType::from_raw_mode(facts.st_mode).is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    read_from(&file, limit)
}

fn read_from(file: &OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut portion = [0u8; 4096];
    while bytes.len() < limit {
        let room = portion.len().min(limit - bytes.len());
        match rustix::io::read(file, &mut portion[..room]) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&portion[..count]),
            Err(Errno::INTR) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
    Ok(bytes)
}

/// Like [`read`], as text; bytes that are not UTF-8 become U+FFFD.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_text(path: &Path, limit: usize) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read(path, limit)?).into_owned())
}

/// Lists the names in a folder of the host's, `limit` at most, without `.` and `..`, in no order.
///
/// # Errors
///
/// The kernel's error.
pub fn list(path: &Path, limit: usize) -> io::Result<Vec<OsString>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            if names.len() >= limit {
                break;
            }
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}
