//! The line in hand (design, decision 13): a line that ended the process twice is skipped the third time.
//!
//! A panic while judging is unwound and costs its line. What cannot be unwound (an overflown stack, an abort, the memory
//! used up) ends the process; the service manager starts it again, and it would read the same line and end again, for
//! ever. So each lane notes the line in its hand before it judges it, in memory that outlives the process. A line found
//! there at the start is a suspect. It is judged once more, since a mere `kill -9` leaves an innocent line behind; found
//! there again, it is skipped.

use crate::event::{Batch, Line};
use crate::sys::Board;
use std::collections::HashMap;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Lanes that can note their lines; further ones go without. Rows below are the lanes', rows above the suspects'.
const LANES: usize = 4_096;

/// Suspects that are remembered.
const SUSPECTS: usize = 64;

/// Ends of the process after which a line is skipped.
const GUILTY: u64 = 2;

/// A line: hashes of its source, its file's inode, its offset.
type Place = [u64; 3];

/// All lanes' hands.
pub struct Hands {
    board: Board,
    free: Mutex<Vec<usize>>,
    guilty: Vec<Place>,
}

/// One lane's hand. Dropping it gives its row back.
pub struct Hand {
    hands: Option<(Arc<Hands>, usize)>,
    /// Lines that are to be skipped, whoever finds them.
    guilty: Vec<Place>,
}

impl Hands {
    /// Looks what an earlier process left in hand, counts it, and begins with empty hands.
    ///
    /// # Errors
    /// What the file says; hids works without.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let board = Board::open(path, LANES + SUSPECTS)?;
        let mut counts: HashMap<Place, u64> = HashMap::new();
        let rows = |range: std::ops::Range<usize>| range.map(|row| board.get(row)).filter(|row| row[3] != 0);
        let in_hand: Vec<Place> = rows(0..LANES).map(|[source, inode, offset, _]| [source, inode, offset]).collect();
        for [source, inode, offset, count] in rows(LANES..LANES + SUSPECTS) {
            // What was not in hand again is cleared of suspicion, unless it is skipped already.
            if count >= GUILTY || in_hand.contains(&[source, inode, offset]) {
                counts.insert([source, inode, offset], count);
            }
        }
        in_hand.iter().for_each(|place| *counts.entry(*place).or_default() += 1);
        for row in 0..LANES + SUSPECTS {
            board.set(row, [0; 4]);
        }
        for (row, (place, count)) in counts.iter().take(SUSPECTS).enumerate() {
            board.set(LANES + row, [place[0], place[1], place[2], *count]);
        }
        let guilty = counts.into_iter().filter(|(_, count)| *count >= GUILTY).map(|(place, _)| place).collect();
        Ok(Arc::new(Self { board, free: Mutex::new((0..LANES).rev().collect()), guilty }))
    }

    /// A hand for one more lane.
    pub fn hand(self: &Arc<Self>) -> Hand {
        let row = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Hand { hands: row.map(|row| (Arc::clone(self), row)), guilty: self.guilty.clone() }
    }
}

impl Hand {
    /// The hand of a lane where nothing can be noted.
    pub fn none() -> Self {
        Self { hands: None, guilty: Vec::new() }
    }

    /// Notes the line that is judged next. `false`: it ended the process too often and must be skipped.
    pub fn take(&self, batch: &Batch, source: u64, line: &Line) -> bool {
        let place = [source, batch.inode, line.offset];
        if self.guilty.contains(&place) {
            return false;
        }
        if let Some((hands, row)) = &self.hands {
            hands.board.set(*row, [place[0], place[1], place[2], 1]);
        }
        true
    }

    /// Says that nothing is in hand any more.
    pub fn clear(&self) {
        if let Some((hands, row)) = &self.hands {
            hands.board.set(*row, [0; 4]);
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.clear();
        if let Some((hands, row)) = &self.hands {
            hands.free.lock().unwrap_or_else(PoisonError::into_inner).push(*row);
        }
    }
}

/// A number for a batch's source, the same in every process of this build (FNV-1a).
pub fn source_number(batch: &Batch) -> u64 {
    struct Fnv(u64);
    impl std::hash::Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    batch.source.location.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Freshness, Origin, Receipt, Source};

    fn batch() -> Batch {
        let text: Arc<str> = "/var/log/auth.log".into();
        let (path, location, label) = (Arc::clone(&text), Arc::clone(&text), text);
        Batch {
            source: Arc::new(Source { guest: None, path, location, label, origin: Origin::Log }),
            inode: 7,
            bytes: Vec::new(),
            lines: Vec::new(),
            freshness: Freshness::Live,
            read_at: std::time::Instant::now(),
            receipt: Receipt::none(),
        }
    }

    fn line(offset: u64) -> Line {
        Line { start: 0, end: 0, offset, cut: false }
    }

    #[test]
    fn a_line_that_ends_the_process_twice_is_skipped_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hands");
        let (batch, source) = (batch(), source_number(&batch()));
        for end in 0..2 {
            let hands = Hands::open(&path).unwrap();
            let hand = hands.hand();
            assert!(hand.take(&batch, source, &line(10)), "an innocent line is skipped after {end} ends");
            assert!(hand.take(&batch, source, &line(20)), "a suspect is skipped after {end} ends");
            // The process ends here, with the second line in hand.
            std::mem::forget(hand);
        }
        let hands = Hands::open(&path).unwrap();
        let hand = hands.hand();
        assert!(hand.take(&batch, source, &line(10)));
        assert!(!hand.take(&batch, source, &line(20)));
        drop((hand, hands));
        // It stays out over orderly ends too: its position may not have moved yet.
        assert!(!Hands::open(&path).unwrap().hand().take(&batch, source, &line(20)));
    }

    #[test]
    fn a_line_that_a_kill_left_in_hand_is_cleared_by_the_next_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hands");
        let (batch, source) = (batch(), source_number(&batch()));
        for offset in [5, 6, 5] {
            let hands = Hands::open(&path).unwrap();
            let hand = hands.hand();
            assert!(hand.take(&batch, source, &line(offset)));
            std::mem::forget(hand);
        }
        assert!(Hands::open(&path).unwrap().hand().take(&batch, source, &line(5)));
    }
}
