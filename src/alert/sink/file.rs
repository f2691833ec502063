//! A file that alerts are appended to: opened again when it was rotated away, repaired after a kill, patient when the
//! disk is full.
#![allow(clippy::disallowed_methods)]

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Files are readable for the group, as OSSEC's are.
const MODE: u32 = 0o640;

/// What has to stand at the end of a file in which the last entry is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A newline (`alerts.json`).
    Line,
    /// An empty line (`alerts.log`).
    EmptyLine,
}

/// A file that entries are appended to.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    ending: Ending,
    open: Option<Open>,
    /// Bytes that are still to be written, and where its entries end.
    pending: Vec<u8>,
    ends: Vec<usize>,
    written: usize,
}

#[derive(Debug)]
struct Open {
    file: fs::File,
    device: u64,
    inode: u64,
}

impl File {
    /// A file of that name, not yet opened.
    pub fn new(path: PathBuf, ending: Ending) -> Self {
        Self { path, ending, open: None, pending: Vec::new(), ends: Vec::new(), written: 0 }
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one entry to what the next [`flush`](Self::flush) writes.
    pub fn append(&mut self, entry: &[u8]) {
        self.pending.extend_from_slice(entry);
        self.ends.push(self.pending.len());
    }

    /// Writes what is pending, with one `write` where the disk takes it all. What could not be written stays pending,
    /// and the next call goes on with it.
    ///
    /// # Errors
    /// What opening or writing said; full disks included.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.written >= self.pending.len() {
            self.clear();
            return Ok(());
        }
        self.check();
        if self.open.is_none() {
            self.open = Some(self.open()?);
            self.rewind();
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        while self.written < self.pending.len() {
            match open.file.write(&self.pending[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.clear();
        Ok(())
    }

    /// Lets the file go at once if it was rotated away; the next [`flush`](Self::flush), which looks by itself too,
    /// opens it by its name again.
    pub fn reopen(&mut self) {
        self.check();
    }

    /// Opens the file before the first alert, so that a wrong place is told at start.
    ///
    /// # Errors
    /// What opening said.
    pub fn prepare(&mut self) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(self.open()?);
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.pending.clear();
        self.ends.clear();
        self.written = 0;
        // A burst of alerts with long contexts must not keep its memory for ever.
        self.pending.shrink_to(1 << 20);
    }

    /// Goes back to the beginning of an entry of which a file that is no longer ours holds only a part.
    fn rewind(&mut self) {
        self.written = self.ends.iter().copied().take_while(|end| *end <= self.written).last().unwrap_or(0);
    }

    /// Lets the file go if its name now means another file, or none.
    fn check(&mut self) {
        let Some(open) = &self.open else { return };
        let same = fs::metadata(&self.path).is_ok_and(|meta| meta.dev() == open.device && meta.ino() == open.inode);
        if !same {
            self.open = None;
        }
    }

    fn open(&self) -> io::Result<Open> {
        let open = |create: bool| {
            // Not blocking: a named pipe in its place must not stop the writer.
            let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            OpenOptions::new().read(true).append(true).create(create).mode(MODE).custom_flags(flags).open(&self.path)
        };
        let mut file = match open(true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(folder) = self.path.parent() {
                    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
                }
                open(true)?
            }
            other => other?,
        };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        repair(&mut file, meta.len(), self.ending)?;
        Ok(Open { file, device: meta.dev(), inode: meta.ino() })
    }
}

/// Ends an entry that a kill tore off, so that the next one begins on a line of its own. The torn alert itself is
/// written again: its position was not saved.
fn repair(file: &mut fs::File, length: u64, ending: Ending) -> io::Result<()> {
    let mut tail = [b'\n'; 2];
    let seen = usize::try_from(length.min(2)).unwrap_or(2);
    file.seek(SeekFrom::Start(length - seen as u64))?;
    file.read_exact(&mut tail[2 - seen..])?;
    let missing: &[u8] = match (tail, ending) {
        _ if length == 0 => b"",
        ([_, b'\n'], Ending::Line) | ([b'\n', b'\n'], Ending::EmptyLine) => b"",
        ([_, b'\n'], Ending::EmptyLine) | (_, Ending::Line) => b"\n",
        (_, Ending::EmptyLine) => b"\n\n",
    };
    file.write_all(missing)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
