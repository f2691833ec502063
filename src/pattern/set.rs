//! Which of many patterns can match a text at all.
//!
//! Rules and decoders that stand side by side search the same text, and most lines match one of them or none. A [`Set`]
//! asks for the pairs of bytes in the texts that its patterns require ([`Pattern::required_literals`], [`Grams`]), each
//! text once, and leaves only those patterns to be tried whose text may occur, and those that require none. It never
//! leaves out a pattern that matches.

use super::grams::{ASKED, Grams, pairs_of};
use super::{Encoding, Pattern, Subject};
use std::collections::BTreeMap;

/// Some patterns that search the same text.
#[derive(Debug)]
pub struct Set {
    size: usize,
    /// Those that require no text.
    always: Bits,
    /// Those that never match a text that is no UTF-8.
    unicode: Bits,
    /// The pairs to ask for in each text, and where the numbers of those that require it end.
    texts: Box<[([u16; ASKED], u32)]>,
    numbers: Box<[u32]>,
}

impl Set {
    /// Takes the patterns; their places in the slice are their numbers.
    pub fn new(patterns: &[&Pattern]) -> Self {
        let mut always = Bits::new(patterns.len());
        let mut unicode = Bits::new(patterns.len());
        let mut by_pairs: BTreeMap<[u16; ASKED], Vec<u32>> = BTreeMap::new();
        for (number, pattern) in patterns.iter().enumerate() {
            if pattern.is_unicode() {
                unicode.insert(number);
            }
            let required = pattern.required_literals();
            if required.is_empty() {
                always.insert(number);
            }
            for text in required {
                by_pairs.entry(pairs_of(text)).or_default().push(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        let mut numbers = Vec::new();
        let texts = by_pairs.into_iter().map(|(pairs, of)| {
            numbers.extend(of);
            (pairs, u32::try_from(numbers.len()).unwrap_or(u32::MAX))
        });
        let texts = texts.collect();
        Self { size: patterns.len(), always, unicode, texts, numbers: numbers.into() }
    }

    /// Number of patterns.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Tells whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Sets in `bits` (cleared first) the numbers of the patterns that may match the subject. Allocates only if `bits`
    /// has not been as large before. A subject of [`Grams::note`] saves noting its pairs again for each set.
    pub fn candidates(&self, subject: Subject<'_>, bits: &mut Bits) {
        bits.copy(&self.always);
        match subject.grams {
            Some(grams) => self.ask(grams, bits),
            None => {
                let mut grams = bits.grams.take().unwrap_or_default();
                grams.add(subject.bytes);
                self.ask(&grams, bits);
                bits.grams = Some(grams);
            }
        }
        match subject.encoding {
            Encoding::Ascii => {}
            // A text may hold an s or k that is no byte.
            Encoding::Utf8 if subject.has_folding_letter() => bits.add(&self.unicode),
            Encoding::Utf8 => {}
            Encoding::Invalid => bits.remove(&self.unicode),
        }
    }

    fn ask(&self, grams: &Grams, bits: &mut Bits) {
        let mut begin = 0;
        for (pairs, end) in &self.texts {
            let end = *end as usize;
            if grams.has_all(pairs) {
                self.numbers[begin..end].iter().for_each(|number| bits.insert(*number as usize));
            }
            begin = end;
        }
    }
}

/// A set of small numbers, reused from line to line.
#[derive(Debug, Clone, Default)]
pub struct Bits {
    words: Vec<u64>,
    /// For subjects whose pairs nobody noted.
    grams: Option<Grams>,
}

impl Bits {
    /// An empty set with room for the numbers below `size`.
    pub fn new(size: usize) -> Self {
        Self { words: vec![0; size.div_ceil(64)], grams: None }
    }

    /// Tells whether a number is in it.
    pub fn contains(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Walks the numbers in it, smallest first.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            std::iter::successors(Some(*word), |rest| Some(rest & rest.wrapping_sub(1)))
                .take_while(|rest| *rest != 0)
                .map(move |rest| at * 64 + rest.trailing_zeros() as usize)
        })
    }

    /// Tells whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    fn insert(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn copy(&mut self, other: &Self) {
        self.words.clear();
        self.words.extend_from_slice(&other.words);
    }

    fn add(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    fn remove(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }
}
