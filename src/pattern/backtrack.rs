//! PCRE2's own interpreter, under limits.
//!
//! It judges what is a valid PCRE2 pattern, and matches what no automaton can. Its effort is bounded, since a guest
//! writes the texts: a search that reaches a limit counts as no match, as in OSSEC, and is counted.

use super::{Captures, Error, Language, MAX_CAPTURES, Subject};
use pcre2::bytes::{Regex, RegexBuilder};
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps of one search, its nesting, and its memory in KiB. PCRE2's own defaults (10 million steps, 20 MB) would let one
/// line cost a quarter of a second for each such pattern.
const LIMITS: &str = "(*LIMIT_MATCH=1000000)(*LIMIT_DEPTH=100000)(*LIMIT_HEAP=16384)";

static GIVEN_UP: AtomicU64 = AtomicU64::new(0);

/// How many searches since the start of the program ended at a limit, and so without a match.
pub fn given_up() -> u64 {
    GIVEN_UP.load(Ordering::Relaxed)
}

/// A pattern in PCRE2's interpreter.
#[derive(Debug)]
pub(super) struct Backtracker(Regex);

impl Backtracker {
    /// Compiles a text made from a tree (`os_match`, `os_regex`) or a PCRE2 pattern, of which the braces at the offsets
    /// given stand for themselves.
    ///
    /// # Errors
    /// What PCRE2 refuses, with the offset in the pattern as it was.
    pub(super) fn new(language: Language, text: &str, literal_braces: &[usize]) -> Result<Self, Error> {
        let mut handed = String::from(LIMITS);
        let mut done = 0;
        for brace in literal_braces {
            handed.push_str(&text[done..*brace]);
            handed.push('\\');
            done = *brace;
        }
        handed.push_str(&text[done..]);
        let utf = language != Language::Pcre2;
        RegexBuilder::new().caseless(true).utf(utf).build(&handed).map(Self).map_err(|error| {
            let said = error.to_string();
            let preamble = format!("PCRE2: error compiling pattern at offset {}: ", error.offset().unwrap_or(0));
            let message = said.strip_prefix(&preamble).unwrap_or(&said).to_owned();
            let offset = error.offset().map(|offset| {
                let offset = offset.saturating_sub(LIMITS.len());
                let added = literal_braces.iter().enumerate().filter(|(at, brace)| *brace + at < offset).count();
                offset - added
            });
            Error::new(super::ErrorKind::Syntax, message, offset)
        })
    }

    pub(super) fn is_match(&self, subject: Subject<'_>) -> bool {
        settle(self.0.is_match(subject.bytes))
    }

    pub(super) fn find_end(&self, subject: Subject<'_>) -> Option<usize> {
        settle(self.0.find(subject.bytes)).map(|found| found.end())
    }

    pub(super) fn captures(&self, subject: Subject<'_>, captures: &mut Captures) -> Option<usize> {
        let mut locations = self.0.capture_locations();
        let end = settle(self.0.captures_read(&mut locations, subject.bytes))?.end();
        let groups = (1..locations.len()).filter_map(|group| locations.get(group));
        captures.extend(groups.map(|(start, end)| start..end.max(start)).take(MAX_CAPTURES));
        Some(end)
    }
}

/// Takes any failure, which is a limit or a text that is no UTF-8 for `(*UTF)`, as no match.
fn settle<T: Default>(answer: Result<T, pcre2::Error>) -> T {
    answer.unwrap_or_else(|_| {
        GIVEN_UP.fetch_add(1, Ordering::Relaxed);
        T::default()
    })
}
