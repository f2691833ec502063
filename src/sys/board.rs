//! A small file of numbers that outlives the process: shared memory over a file of hids's own.
//!
//! What is written here survives any end of the process, `kill -9` and a crash included, at the cost of a store to
//! memory. It does not survive a power cut, and need not. Only ever laid over a file in hids's own state folder, never
//! over a file that a guest can reach (design, decision 2).

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers in one row.
pub const ROW: usize = 4;

/// Rows of four numbers each, shared with the file.
pub struct Board {
    start: NonNull<AtomicU64>,
    rows: usize,
    /// Keeps the file's length from being changed by nobody but us; the mapping does not need it.
    _file: File,
}

// SAFETY: the memory is only ever touched through atomics, and stays mapped until the board is dropped.
unsafe impl Send for Board {}
// SAFETY: as above.
unsafe impl Sync for Board {}

impl Board {
    /// Opens the file, or makes it, and gives what an earlier process left in it. Its length is set to `rows` rows; what
    /// is missing reads as zeroes.
    ///
    /// # Errors
    /// What opening, sizing or mapping the file says (open(2), ftruncate(2), mmap(2)).
    pub fn open(path: &Path, rows: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let length = rows * ROW * size_of::<AtomicU64>();
        file.set_len(length as u64)?;
        // A full disk must show here, not as a signal at the first store.
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, length as u64)?;
        // SAFETY: a new mapping of a file that is as long as the mapping and that nobody else shortens; the kernel picks
        // the address. Its blocks are allocated, so stores do not fault for want of room.
        let start = unsafe {
            mmap(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0)
        }?;
        let start = NonNull::new(start.cast::<AtomicU64>()).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Self { start, rows, _file: file })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn cells(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is `rows * ROW` numbers long, page-aligned, and lives as long as the board. Every bit
        // pattern is a number, so whatever the file held is valid.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.rows * ROW) }
    }

    /// Reads a row.
    pub fn get(&self, row: usize) -> [u64; ROW] {
        let cells = &self.cells()[row * ROW..][..ROW];
        std::array::from_fn(|at| cells[at].load(Ordering::Relaxed))
    }

    /// Writes a row.
    pub fn set(&self, row: usize, values: [u64; ROW]) {
        for (cell, value) in self.cells()[row * ROW..][..ROW].iter().zip(values) {
            cell.store(value, Ordering::Relaxed);
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let length = self.rows * ROW * size_of::<AtomicU64>();
        // SAFETY: the mapping was made with this start and length and is not used any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_there_for_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board");
        let board = Board::open(&path, 3).unwrap();
        assert_eq!(board.get(2), [0; ROW]);
        board.set(2, [1, 2, 3, u64::MAX]);
        // Not dropped, as after a kill: the file has it all the same.
        let later = Board::open(&path, 4).unwrap();
        assert_eq!((later.get(2), later.get(3)), ([1, 2, 3, u64::MAX], [0; ROW]));
        drop(board);
        assert_eq!(later.get(2)[3], u64::MAX);
    }
}
