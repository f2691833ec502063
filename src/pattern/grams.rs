//! Which pairs of bytes a text has: noted once for each text, asked by all patterns that search it.
//!
//! Most patterns that are tried on a line require a text that the line does not have. To find that out by searching costs
//! each of them some 30 ns and more; to ask for four pairs of neighbouring bytes costs two. A pair may be there without
//! the text being there, never the other way round, and case is ignored.

use super::Subject;

/// Bytes are told apart by 6 bits, pairs by 12.
const PAIRS: usize = 1 << 12;

/// So many pairs of a required text are asked for.
pub(super) const ASKED: usize = 4;

/// The pairs of one text at a time; some 4 KiB, reused from line to line.
#[derive(Debug, Clone)]
pub struct Grams {
    /// For each pair the turn in which it was seen last.
    seen: Box<[u8; PAIRS]>,
    turn: u8,
}

impl Default for Grams {
    fn default() -> Self {
        Self::new()
    }
}

impl Grams {
    /// Makes room for one text.
    pub fn new() -> Self {
        Self { seen: Box::new([0; PAIRS]), turn: 0 }
    }

    /// Forgets the text before and notes this one. What is searched through the subject given, and through parts of it,
    /// is searched faster; answers are those of [`Subject::new`].
    pub fn note<'a>(&'a mut self, bytes: &'a [u8]) -> Subject<'a> {
        self.add(bytes);
        Subject { grams: Some(self), ..Subject::new(bytes) }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.turn == u8::MAX {
            self.seen.fill(0);
            self.turn = 0;
        }
        self.turn += 1;
        let Some((first, rest)) = bytes.split_first() else { return };
        let mut before = short(*first);
        for byte in rest {
            let byte = short(*byte);
            self.seen[(before << 6 | byte) % PAIRS] = self.turn;
            before = byte;
        }
    }

    pub(super) fn has_all(&self, pairs: &[u16; ASKED]) -> bool {
        pairs.iter().all(|pair| self.seen[usize::from(*pair) % PAIRS] == self.turn)
    }
}

/// The pairs to ask for in place of a text of at least two bytes: the rarest ones in it.
pub(super) fn pairs_of(text: &[u8]) -> [u16; ASKED] {
    let rarity = |byte: u8| super::literal::rarity(byte.to_ascii_lowercase());
    let mut pairs: Vec<(usize, u16)> = text
        .windows(2)
        .map(|pair| {
            let number = short(pair[0]) << 6 | short(pair[1]);
            (rarity(pair[0]) + rarity(pair[1]), u16::try_from(number).unwrap_or(0))
        })
        .collect();
    pairs.sort_unstable_by(|a, b| b.cmp(a));
    pairs.dedup();
    let last = pairs.len().saturating_sub(1);
    std::array::from_fn(|at| pairs.get(at.min(last)).map_or(0, |(_, number)| *number))
}

/// Six bits of a byte, the same for both cases of a letter.
fn short(byte: u8) -> usize {
    usize::from((byte & 0x1F) | ((!byte & 0x40) >> 1))
}
