//! Which of many patterns can match a text at all.
//!
//! Rules and decoders that stand side by side search the same text, and most lines match one of them or none. A [`Set`]
//! looks for the texts that its patterns require ([`Pattern::required_literals`]) in one pass, and leaves only those
//! patterns to be tried whose text occurs, and those that require none. It never leaves out a pattern that matches.

use super::literal::Finder;
use super::{Encoding, Pattern, Subject};
use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::{Anchored, Input, dfa, nfa};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Up to so many texts are looked for one by one.
const FEW: usize = 3;
/// Texts of up to so many bytes together are worth the fastest automaton, of some 200 bytes for each of them.
const SMALL: usize = 2000;

/// Some patterns that search the same text.
#[derive(Debug)]
pub struct Set {
    size: usize,
    /// Those that require no text.
    always: Bits,
    /// Those that never match a text that is no UTF-8.
    unicode: Bits,
    /// Each text, and the patterns that it is required by.
    texts: Vec<(Box<[u8]>, Vec<u32>)>,
    search: OnceLock<Search>,
}

#[derive(Debug)]
enum Search {
    Few(Vec<Finder>),
    Fast(dfa::DFA),
    Small(nfa::contiguous::NFA),
    /// No automaton could be built: nothing is left out.
    None,
}

impl Set {
    /// Takes the patterns; their places in the slice are their numbers. Nothing is built before the first text.
    pub fn new(patterns: &[&Pattern]) -> Self {
        let mut always = Bits::new(patterns.len());
        let mut unicode = Bits::new(patterns.len());
        let mut texts: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        for (number, pattern) in patterns.iter().enumerate() {
            if pattern.is_unicode() {
                unicode.insert(number);
            }
            let required = pattern.required_literals();
            if required.is_empty() {
                always.insert(number);
            }
            for text in required {
                texts.entry(text).or_default().push(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        let texts = texts.into_iter().map(|(text, numbers)| (text.into(), numbers)).collect();
        Self { size: patterns.len(), always, unicode, texts, search: OnceLock::new() }
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
    /// has not been as large before.
    pub fn candidates(&self, subject: Subject<'_>, bits: &mut Bits) {
        bits.copy(&self.always);
        self.scan(subject.bytes, bits);
        match subject.encoding {
            Encoding::Ascii => {}
            // A text may hold an s or k that no search of bytes finds.
            Encoding::Utf8 if subject.has_folding_letter() => bits.add(&self.unicode),
            Encoding::Utf8 => {}
            Encoding::Invalid => bits.remove(&self.unicode),
        }
    }

    fn scan(&self, subject: &[u8], bits: &mut Bits) {
        match self.search.get_or_init(|| self.build()) {
            Search::Few(finders) => {
                for (finder, (_, numbers)) in finders.iter().zip(&self.texts) {
                    if finder.find(subject).is_some() {
                        numbers.iter().for_each(|number| bits.insert(*number as usize));
                    }
                }
            }
            Search::Fast(automaton) => self.run(automaton, subject, bits),
            Search::Small(automaton) => self.run(automaton, subject, bits),
            Search::None => (0..self.size).for_each(|number| bits.insert(number)),
        }
    }

    fn run(&self, automaton: &impl Automaton, subject: &[u8], bits: &mut Bits) {
        let input = Input::new(subject).anchored(Anchored::No);
        let mut state = OverlappingState::start();
        loop {
            // An automaton built for overlapping, unanchored searches has no reason to refuse one.
            if automaton.try_find_overlapping(&input, &mut state).is_err() {
                return (0..self.size).for_each(|number| bits.insert(number));
            }
            let Some(found) = state.get_match() else { return };
            let (_, numbers) = &self.texts[found.pattern().as_usize()];
            numbers.iter().for_each(|number| bits.insert(*number as usize));
        }
    }

    fn build(&self) -> Search {
        let texts = || self.texts.iter().map(|(text, _)| text);
        if self.texts.len() <= FEW {
            return Search::Few(texts().map(|text| Finder::new(text.to_vec())).collect());
        }
        let small = texts().map(|text| text.len()).sum::<usize>() <= SMALL;
        let automaton = nfa::noncontiguous::Builder::new().ascii_case_insensitive(true).build(texts());
        let Ok(automaton) = automaton else { return Search::None };
        if small && let Ok(dfa) = dfa::Builder::new().build_from_noncontiguous(&automaton) {
            return Search::Fast(dfa);
        }
        nfa::contiguous::Builder::new().build_from_noncontiguous(&automaton).map_or(Search::None, Search::Small)
    }
}

/// A set of small numbers, reused from line to line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// An empty set with room for the numbers below `size`.
    pub fn new(size: usize) -> Self {
        Self { words: vec![0; size.div_ceil(64)] }
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
