//! Which file, and how far: what is kept of a followed file from one run to the next (design, decision 12).
//!
//! A file is the same if guest, inode, a hash of its first bytes and a hash of the bytes before the position agree. The
//! device is kept as a hint only: it changes with mounts. A file whose inode differs but whose contents agree is a copy
//! (copytruncate), or the same file on another disk.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many of a file's first bytes identify it.
pub(super) const HEAD_MAX: usize = 512;
/// How many bytes before the position identify it.
pub(super) const SEAM_MAX: usize = 64;
/// With fewer bytes than this in hand, contents alone prove nothing.
const PROOF: u64 = 32;
/// The saved form's version.
const VERSION: u8 = 1;
const ENCODED: usize = 1 + 8 + 8 + 2 + 16 + 8 + 1 + 16 + 1 + 8 + 8;

/// A hash of some bytes, cut to what tells files apart.
pub(super) type Print = [u8; 16];

/// Hashes bytes.
pub(super) fn print(bytes: &[u8]) -> Print {
    let mut cut = Print::default();
    cut.copy_from_slice(&Sha256::digest(bytes)[..16]);
    cut
}

/// A position, with what stands before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Offset of the first byte that has not been dealt with: the beginning of a line, or of a long line's rest.
    pub(super) position: u64,
    /// The bytes before the position, [`SEAM_MAX`] at most.
    pub(super) seam: Vec<u8>,
    /// The position lies inside a long line whose beginning has been handed on.
    pub(super) skipping: bool,
}

/// What is saved of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Its inode.
    pub(super) inode: u64,
    /// Its device, a hint.
    pub(super) device: u64,
    /// How many first bytes `head` is made of.
    pub(super) head_length: u16,
    /// Hash of the first bytes.
    pub(super) head: Print,
    /// How far it has been dealt with.
    pub(super) position: u64,
    /// How many bytes before the position `seam` is made of.
    pub(super) seam_length: u8,
    /// Hash of the bytes before the position.
    pub(super) seam: Print,
    /// See [`Mark::skipping`].
    pub(super) skipping: bool,
    /// Its size when it was last looked at.
    pub(super) size: u64,
    /// When it was last looked at.
    pub(super) looked: SystemTime,
    /// Its path names another file now, and it was read to its end.
    pub(super) retired: bool,
}

/// How a file compares with a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// The same contents up to the position.
    Same,
    /// It begins alike but ends before the position.
    Shorter,
    /// Other contents.
    Other,
}

impl Cursor {
    /// Compares a file's contents with the cursor. Two reads of some hundred bytes at most.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn compare(&self, file: &File, size: u64) -> io::Result<Match> {
        let mut bytes = [0; HEAD_MAX];
        let head = &mut bytes[..usize::from(self.head_length).min(HEAD_MAX)];
        if size < head.len() as u64 || read_at(file, head, 0)? < head.len() || print(head) != self.head {
            return Ok(Match::Other);
        }
        if size < self.position {
            let proven = u64::from(self.head_length) >= PROOF;
            return Ok(if proven { Match::Shorter } else { Match::Other });
        }
        let seam = &mut bytes[..usize::from(self.seam_length).min(SEAM_MAX)];
        let from = self.position.saturating_sub(seam.len() as u64);
        let same = read_at(file, seam, from)? == seam.len() && print(seam) == self.seam;
        Ok(if same { Match::Same } else { Match::Other })
    }

    /// The same file at another position.
    pub(super) fn at(mut self, mark: &Mark) -> Self {
        self.position = mark.position;
        self.seam_length = mark.seam.len() as u8;
        self.seam = print(&mark.seam);
        self.skipping = mark.skipping;
        self
    }

    /// Tells whether equal contents prove that it is the file, whatever its inode.
    pub(super) fn proves(&self) -> bool {
        u64::from(self.head_length) >= PROOF && self.position >= PROOF
    }

    /// Tells whether equal contents prove a copy under another path. Two web servers' logs may well begin with the same
    /// line, so this asks for more.
    pub(super) fn proves_elsewhere(&self) -> bool {
        usize::from(self.head_length) == HEAD_MAX && self.position >= HEAD_MAX as u64
    }

    /// The saved form.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENCODED);
        out.push(VERSION);
        out.extend_from_slice(&self.inode.to_le_bytes());
        out.extend_from_slice(&self.device.to_le_bytes());
        out.extend_from_slice(&self.head_length.to_le_bytes());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.position.to_le_bytes());
        out.push(self.seam_length);
        out.extend_from_slice(&self.seam);
        out.push(u8::from(self.skipping) | u8::from(self.retired) << 1);
        out.extend_from_slice(&self.size.to_le_bytes());
        let looked = self.looked.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
        out.extend_from_slice(&u64::try_from(looked).unwrap_or(u64::MAX).to_le_bytes());
        out
    }

    /// Reads the saved form; `None` if it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != ENCODED || bytes[0] != VERSION {
            return None;
        }
        let mut rest = &bytes[1..];
        let inode = u64::from_le_bytes(take(&mut rest)?);
        let device = u64::from_le_bytes(take(&mut rest)?);
        let head_length = u16::from_le_bytes(take(&mut rest)?);
        let head = take(&mut rest)?;
        let position = u64::from_le_bytes(take(&mut rest)?);
        let [seam_length] = take(&mut rest)?;
        let seam = take(&mut rest)?;
        let [flags] = take(&mut rest)?;
        let size = u64::from_le_bytes(take(&mut rest)?);
        let looked = UNIX_EPOCH.checked_add(Duration::from_millis(u64::from_le_bytes(take(&mut rest)?)))?;
        Some(Self {
            inode,
            device,
            head_length,
            head,
            position,
            seam_length,
            seam,
            skipping: flags & 1 != 0,
            size,
            looked,
            retired: flags & 2 != 0,
        })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

/// Reads at an offset until the buffer is full or the file ends; tells how much.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn cursor(contents: &[u8], position: usize) -> Cursor {
        let head = &contents[..contents.len().min(HEAD_MAX)];
        let seam = &contents[position.saturating_sub(SEAM_MAX)..position];
        Cursor {
            inode: 7,
            device: 8,
            head_length: head.len() as u16,
            head: print(head),
            position: position as u64,
            seam_length: seam.len() as u8,
            seam: print(seam),
            skipping: true,
            size: contents.len() as u64,
            looked: UNIX_EPOCH + Duration::from_millis(1_709_726_400_123),
            retired: false,
        }
    }

    fn compare(cursor: &Cursor, contents: &[u8]) -> Match {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(contents).unwrap();
        cursor.compare(&file, contents.len() as u64).unwrap()
    }

    #[test]
    fn the_saved_form_comes_back_and_junk_does_not() {
        let saved = cursor(&[b'x'; 1_000], 900);
        assert_eq!(Cursor::decode(&saved.encode()), Some(saved.clone()));
        let mut bytes = saved.encode();
        bytes[0] = 9;
        assert_eq!(Cursor::decode(&bytes), None);
        assert_eq!(Cursor::decode(&saved.encode()[1..]), None);
        assert_eq!(Cursor::decode(&[]), None);
        bytes = saved.encode();
        let end = bytes.len();
        bytes[end - 8..].fill(0xff);
        let _ = Cursor::decode(&bytes);
    }

    #[test]
    fn contents_decide() {
        let text: Vec<u8> = (0..3_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let saved = cursor(&text, 5_000);
        assert_eq!(compare(&saved, &text), Match::Same);
        assert_eq!(compare(&saved, &text[..6_000]), Match::Same, "shorter than when last seen, past the position");
        assert_eq!(compare(&saved, &text[..4_000]), Match::Shorter);
        assert_eq!(compare(&saved, &text[..400]), Match::Other, "not even the head is there");
        let mut other = text.clone();
        other[100] ^= 1;
        assert_eq!(compare(&saved, &other), Match::Other, "another head");
        let mut other = text.clone();
        other[4_990] ^= 1;
        assert_eq!(compare(&saved, &other), Match::Other, "another seam");
        assert_eq!(compare(&saved, b""), Match::Other);
        assert!(saved.proves());
        assert!(!cursor(b"short\n", 6).proves());
        assert_eq!(compare(&cursor(b"", 0), &text), Match::Same, "an empty file may become any");
    }
}
