//! Plain texts, and lists of them, without a regex.

use super::tree::Node;
use aho_corasick::{AhoCorasick, MatchKind};
use std::sync::OnceLock;

/// From so many unanchored texts on one automaton looks for all of them.
const MANY: usize = 4;

/// A list of plain texts, each perhaps anchored, for subjects in which only ASCII letters have two cases.
#[derive(Debug)]
pub(super) struct Literals {
    alternatives: Vec<Alternative>,
    /// Finds all those without an anchor, if they are many; their places in the list, and the automaton.
    many: Option<(Vec<usize>, OnceLock<Option<AhoCorasick>>)>,
    /// No character above U+007F occurs.
    pub(super) is_ascii: bool,
    /// An `s` or `k` occurs, which two characters above U+007F equal.
    pub(super) has_folding_letter: bool,
}

#[derive(Debug)]
struct Alternative {
    start: bool,
    end: End,
    text: Finder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Anywhere,
    /// The very end.
    Strict,
    /// The end, or before one final LF.
    Loose,
}

impl Literals {
    /// Takes a tree that is nothing but texts.
    pub(super) fn of(tree: &Node) -> Option<Self> {
        let mut list = Self { alternatives: Vec::new(), many: None, is_ascii: true, has_folding_letter: false };
        match tree {
            Node::Alternate(branches) => branches.iter().try_for_each(|branch| list.add(branch))?,
            branch => list.add(branch)?,
        }
        let unanchored: Vec<usize> = (0..list.alternatives.len())
            .filter(|at| {
                let alternative = &list.alternatives[*at];
                !alternative.start && alternative.end == End::Anywhere && !alternative.text.needle.is_empty()
            })
            .collect();
        if unanchored.len() >= MANY {
            list.many = Some((unanchored, OnceLock::new()));
        }
        Some(list)
    }

    /// Adds a branch, unless it can never match; nothing if it is no text.
    fn add(&mut self, branch: &Node) -> Option<()> {
        let items = match branch {
            Node::Concat(items) => items.as_slice(),
            item => std::slice::from_ref(item),
        };
        let mut text = Vec::new();
        let mut start = false;
        let mut ends = Vec::new();
        let mut possible = true;
        for item in items {
            match item {
                Node::Empty => {}
                Node::Class(set) => text.push(set.as_folded_byte()?),
                Node::Char(c) => {
                    self.is_ascii = false;
                    match c {
                        '\u{17F}' => text.push(b's'),
                        '\u{212A}' => text.push(b'k'),
                        _ => possible = false,
                    }
                }
                Node::Start => {
                    start = true;
                    possible &= text.is_empty();
                }
                Node::End => ends.push((text.len(), End::Strict)),
                Node::LooseEnd => ends.push((text.len(), End::Loose)),
                _ => return None,
            }
        }
        let mut end = End::Anywhere;
        for (at, kind) in ends {
            match (&text[at..], kind) {
                (b"", kind) if end != End::Strict => end = kind,
                (b"", _) => {}
                // The end may stand before the LF that the text goes on with.
                (b"\n", End::Loose) => end = End::Strict,
                _ => possible = false,
            }
        }
        self.has_folding_letter |= text.iter().any(|byte| matches!(byte, b's' | b'k'));
        if possible {
            self.alternatives.push(Alternative { start, end, text: Finder::new(text) });
        }
        Some(())
    }

    pub(super) fn is_match(&self, subject: &[u8]) -> bool {
        match self.automaton() {
            Some((list, automaton)) => {
                automaton.is_match(subject)
                    || self.others(list).any(|(_, alternative)| alternative.find(subject).is_some())
            }
            None => self.alternatives.iter().any(|alternative| alternative.find(subject).is_some()),
        }
    }

    /// Gives the end of the leftmost match; of several at one place, that of the one written first.
    pub(super) fn find_end(&self, subject: &[u8]) -> Option<usize> {
        let start =
            |(at, alternative): (usize, &Alternative)| alternative.find(subject).map(|(start, end)| (start, at, end));
        match self.automaton() {
            Some((list, automaton)) => {
                let found = automaton.find(subject);
                let found = found.map(|found| (found.start(), list[found.pattern().as_usize()], found.end()));
                self.others(list).filter_map(start).chain(found).min()
            }
            None => self.alternatives.iter().enumerate().filter_map(start).min(),
        }
        .map(|(_, _, end)| end)
    }

    fn automaton(&self) -> Option<(&[usize], &AhoCorasick)> {
        let (list, automaton) = self.many.as_ref()?;
        let automaton = automaton.get_or_init(|| {
            let texts = list.iter().map(|at| &self.alternatives[*at].text.needle);
            AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostFirst).build(texts).ok()
        });
        automaton.as_ref().map(|automaton| (list.as_slice(), automaton))
    }

    /// The alternatives that the automaton does not look for.
    fn others<'s>(&'s self, list: &'s [usize]) -> impl Iterator<Item = (usize, &'s Alternative)> {
        let all = self.alternatives.iter().enumerate();
        all.filter(move |(at, _)| list.len() < self.alternatives.len() && list.binary_search(at).is_err())
    }
}

impl Alternative {
    /// Gives the leftmost place where it stands.
    fn find(&self, subject: &[u8]) -> Option<(usize, usize)> {
        let length = self.text.needle.len();
        let at_end = |end: usize| {
            let start = end.checked_sub(length).filter(|start| *start == 0 || !self.start)?;
            self.text.is_at(subject, start).then_some((start, end))
        };
        match self.end {
            End::Anywhere if self.start => self.text.is_at(subject, 0).then_some((0, length)),
            End::Anywhere => self.text.find(subject).map(|start| (start, start + length)),
            End::Strict => at_end(subject.len()),
            End::Loose => {
                let before = subject.strip_suffix(b"\n").and_then(|before| at_end(before.len()));
                before.or_else(|| at_end(subject.len()))
            }
        }
    }
}

/// Looks for one text, ASCII case ignored, by its rarest byte.
#[derive(Debug)]
pub(super) struct Finder {
    /// In lower case.
    needle: Box<[u8]>,
    rarest: usize,
}

impl Finder {
    /// Takes a text in lower case.
    pub(super) fn new(needle: Vec<u8>) -> Self {
        let rarest = (0..needle.len()).max_by_key(|at| rarity(needle[*at])).unwrap_or(0);
        Self { needle: needle.into(), rarest }
    }

    fn is_at(&self, subject: &[u8], at: usize) -> bool {
        subject.get(at..at + self.needle.len()).is_some_and(|part| part.eq_ignore_ascii_case(&self.needle))
    }

    /// Gives the first place where the text stands.
    pub(super) fn find(&self, subject: &[u8]) -> Option<usize> {
        let Some(&byte) = self.needle.get(self.rarest) else { return Some(0) };
        let searched = subject.get(self.rarest..)?;
        let other = byte.to_ascii_uppercase();
        if byte == other {
            memchr::memchr_iter(byte, searched).find(|at| self.is_at(subject, *at))
        } else {
            memchr::memchr2_iter(byte, other, searched).find(|at| self.is_at(subject, *at))
        }
    }
}

/// How seldom a byte occurs in log lines, roughly: its place among the bytes that do, most frequent first.
pub(super) fn rarity(byte: u8) -> usize {
    const FREQUENT: &[u8] = b" e0tas1oinr2d:c.l3p5m4/u[]h6-8f79=gb\"v_(),ywkx';q@jz%<>+&?{}#|*~!\\$`^";
    FREQUENT.iter().position(|known| *known == byte).unwrap_or(FREQUENT.len())
}
