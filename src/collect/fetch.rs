//! Reading a portion of an open file: bounded, and never the hole of a sparse file.

use super::cursor::read_at;
use rustix::fs::SeekFrom;
use std::fs::File;
use std::io;

/// Bytes that one portion takes from a file at most.
pub(super) const PORTION: usize = 64 * 1024;
/// A portion that begins with so many NUL bytes may be the beginning of a hole.
const SUSPICIOUS: usize = 4 * 1024;

/// What a look at an open file found.
#[derive(Debug, Default)]
pub(super) struct Portion {
    /// The bytes from `before` bytes before the wanted offset on.
    pub(super) bytes: Vec<u8>,
    /// The file's size at that moment.
    pub(super) size: u64,
    /// How many names the file has; 0 is deleted.
    pub(super) links: u64,
    /// When the file's facts were last changed, in nanoseconds of some clock.
    pub(super) changed: i64,
    /// When its contents were last changed, in the same clock.
    pub(super) modified: i64,
    /// There is nothing but a hole from the wanted offset up to this one.
    pub(super) hole_until: Option<u64>,
}

impl Portion {
    /// Looks at a file: `before` bytes before `offset`, and up to `most` bytes from `offset` on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn fetch(&mut self, file: &File, offset: u64, before: usize, most: usize) -> io::Result<()> {
        let facts = rustix::fs::fstat(file)?;
        self.size = u64::try_from(facts.st_size).unwrap_or(0);
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // the types differ between architectures
        {
            self.links = u64::from(facts.st_nlink);
            self.changed = (facts.st_ctime as i64).wrapping_mul(1_000_000_000).wrapping_add(facts.st_ctime_nsec as i64);
            self.modified =
                (facts.st_mtime as i64).wrapping_mul(1_000_000_000).wrapping_add(facts.st_mtime_nsec as i64);
        }
        self.hole_until = None;
        self.bytes.clear();
        if self.size < offset {
            return Ok(());
        }
        let wanted = before as u64 + (self.size - offset).min(most as u64);
        self.bytes.resize(usize::try_from(wanted).unwrap_or(before), 0);
        let from = offset.saturating_sub(before as u64);
        let got = read_at(file, &mut self.bytes, from)?;
        self.bytes.truncate(got);
        let fresh = self.bytes.get(before..).unwrap_or_default();
        if fresh.len() >= SUSPICIOUS.min(most) && fresh.iter().all(|byte| *byte == 0) && !fresh.is_empty() {
            // File systems without holes answer with the offset itself or not at all; then the bytes are read.
            let data = match rustix::fs::seek(file, SeekFrom::Data(offset)) {
                Ok(data) => Some(data),
                Err(rustix::io::Errno::NXIO) => Some(self.size),
                Err(_) => None,
            };
            self.hole_until = data.filter(|data| *data > offset);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    #[test]
    fn the_bytes_before_and_a_bounded_portion_behind() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&(0..200_000_u32).map(|n| n as u8).collect::<Vec<_>>()).unwrap();
        let mut portion = Portion::default();
        portion.fetch(&file, 100, 64, PORTION).unwrap();
        assert_eq!(portion.bytes.len(), 64 + PORTION);
        assert_eq!(portion.bytes[0], 36);
        assert_eq!((portion.size, portion.links, portion.hole_until), (200_000, 0, None));
        portion.fetch(&file, 200_000, 64, PORTION).unwrap();
        assert_eq!(portion.bytes.len(), 64);
        portion.fetch(&file, 200_001, 64, PORTION).unwrap();
        assert!(portion.bytes.is_empty());
    }

    #[test]
    fn a_hole_of_a_terabyte_is_seen_at_once() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"line\n").unwrap();
        if file.seek(io::SeekFrom::Start(1 << 40)).and_then(|_| file.write_all(b"end\n")).is_err() {
            eprintln!("SKIPPED: a_hole_of_a_terabyte: the file system has no sparse files of this size");
            return;
        }
        let begun = std::time::Instant::now();
        let mut portion = Portion::default();
        portion.fetch(&file, 8_192, 64, PORTION).unwrap();
        assert_eq!(portion.hole_until, Some(1 << 40));
        assert!(begun.elapsed().as_secs() < 1);
        file.set_len((1 << 40) + 1_000_000).unwrap();
        portion.fetch(&file, (1 << 40) + 8_192, 64, PORTION).unwrap();
        assert_eq!(portion.hole_until, Some((1 << 40) + 1_000_000));
    }
}
