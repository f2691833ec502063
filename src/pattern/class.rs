//! Sets of bytes.

use std::fmt;

/// A set of bytes. In the Unicode languages the bytes from 0x80 on stand for all characters above U+007F together.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) const fn one(byte: u8) -> Self {
        Self([0; 4]).with(byte)
    }

    pub(super) const fn of(bytes: &[u8]) -> Self {
        let mut set = Self([0; 4]);
        let mut at = 0;
        while at < bytes.len() {
            set = set.with(bytes[at]);
            at += 1;
        }
        set
    }

    pub(super) const fn range(first: u8, last: u8) -> Self {
        let mut set = Self([0; 4]);
        let mut byte = first as usize;
        while byte <= last as usize {
            set = set.with(byte as u8);
            byte += 1;
        }
        set
    }

    const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    pub(super) const fn or(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
    }

    pub(super) const fn and(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]])
    }

    pub(super) const fn not(self) -> Self {
        Self([!self.0[0], !self.0[1], !self.0[2], !self.0[3]])
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|byte| self.contains(*byte))
    }

    /// The set with both cases of each ASCII letter in it.
    pub(super) fn folded(mut self) -> Self {
        // Upper and lower case lie 32 bits apart in the same word.
        const UPPER: u64 = 0x07FF_FFFE;
        let upper = self.0[1] & UPPER;
        let lower = (self.0[1] >> 32) & UPPER;
        self.0[1] |= lower | (upper << 32);
        self
    }

    /// The byte, in lower case, that the set stands for if case is ignored; none if it stands for several, or for a
    /// letter in one case only.
    pub(super) fn as_folded_byte(&self) -> Option<u8> {
        let word = self.0.iter().position(|word| *word != 0)?;
        let first = u8::try_from(word * 64 + self.0[word].trailing_zeros() as usize).ok()?;
        (*self == Self::one(first).folded()).then(|| first.to_ascii_lowercase())
    }

    /// The set as ranges, in order.
    pub(super) fn ranges(&self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if u16::from(*last) + 1 == u16::from(byte) => *last = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

pub(super) const DIGIT: Bytes = Bytes::range(b'0', b'9');
pub(super) const ALPHA: Bytes = Bytes::range(b'A', b'Z').or(Bytes::range(b'a', b'z'));
pub(super) const ALNUM: Bytes = ALPHA.or(DIGIT);
pub(super) const LF: Bytes = Bytes::one(b'\n');
