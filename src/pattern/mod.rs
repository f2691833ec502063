//! pattern: OSSEC's three pattern languages behind one face.
//!
//! Holds compiled patterns ([`Pattern`]), the word test of `if_group` ([`WordMatch`]), and a quick test of which of many
//! patterns can match a text at all ([`Set`]). In come pattern texts and the bytes of log lines; out go yes or no,
//! the end of the match, and the captured ranges. Touches nothing.
//!
//! Behaviour is spec/patterns.md: the three languages are parsed into one small tree (`tree`), and the tree decides how
//! the pattern is matched. Anchored plain texts are compared (`fast`), other plain texts and lists of them are looked for
//! (`literal`), nearly all the rest becomes a `regex`, in time linear in the text (`emit`, `engine`). The few PCRE2
//! features that no automaton has (look-around, back-references, ...) go to PCRE2's interpreter under limits
//! (`backtrack`). All regexes are built when they are first needed, since most of some thousand rules never are.
#![forbid(unsafe_code)]

mod backtrack;
mod class;
mod emit;
mod engine;
mod error;
mod fast;
mod grams;
mod literal;
mod os_match;
mod os_regex;
mod perl;
mod require;
pub mod set;
mod tree;
mod word;

use engine::Engine;
use fast::Fast;
use std::ops::Range;
use std::sync::Arc;

pub use backtrack::given_up;
pub use error::{Error, ErrorKind};
pub use grams::Grams;
pub use set::{Bits, Set};
pub use word::WordMatch;

/// Longest `os_match` or `os_regex` pattern, in bytes (spec/patterns.md 3 and 5.5).
pub const MAX_LENGTH: usize = 2048;
/// Most groups that one match gives; further ones are dropped (spec/patterns.md 7).
pub const MAX_CAPTURES: usize = 64;

/// Which language a pattern is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// `os_match`: literals, `|`, `^`, `$`.
    OsMatch,
    /// `os_regex`: OSSEC's own small expressions.
    OsRegex,
    /// Perl-compatible expressions, bytes, caseless.
    Pcre2,
}

/// Text that is searched. Whether it is valid UTF-8 and ASCII is looked up once and kept.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The bytes searched.
    pub bytes: &'a [u8],
    /// What is known of them.
    pub encoding: Encoding,
    /// The pairs of bytes in them, and perhaps more.
    grams: Option<&'a Grams>,
}

/// What is known of a subject's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Only bytes below 0x80.
    Ascii,
    /// Valid UTF-8 with at least one character above U+007F.
    Utf8,
    /// Not valid UTF-8: `os_match` and `os_regex` never match (but on their literal fast path).
    Invalid,
}

impl<'a> Subject<'a> {
    /// Looks at the bytes once.
    pub fn new(bytes: &'a [u8]) -> Self {
        let encoding = if bytes.is_ascii() {
            Encoding::Ascii
        } else if std::str::from_utf8(bytes).is_ok() {
            Encoding::Utf8
        } else {
            Encoding::Invalid
        };
        Self { bytes, encoding, grams: None }
    }

    /// The part from a byte offset on; only the bytes actually searched count for validity (spec/patterns.md 2).
    pub fn from(self, start: usize) -> Self {
        let bytes = &self.bytes[start.min(self.bytes.len())..];
        match self.encoding {
            Encoding::Ascii => Self { bytes, ..self },
            _ => Self { grams: self.grams, ..Self::new(bytes) },
        }
    }

    /// Tells whether it holds one of the two characters above U+007F that equal an ASCII letter when case is ignored:
    /// U+017F (s) and U+212A (k).
    fn has_folding_letter(self) -> bool {
        self.encoding == Encoding::Utf8
            && memchr::memchr2_iter(0xC5, 0xE2, self.bytes)
                .any(|at| self.bytes[at..].starts_with(b"\xC5\xBF") || self.bytes[at..].starts_with(b"\xE2\x84\xAA"))
    }
}

/// The groups that took part in a match, in group-number order, as byte ranges of the subject searched.
pub type Captures = Vec<Range<usize>>;

/// A compiled pattern of one of the three languages. Cloning is cheap, and all clones share what is built for it.
#[derive(Debug, Clone)]
pub struct Pattern(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    language: Language,
    text: Box<str>,
    program: Program,
    required: require::Required,
}

#[derive(Debug)]
enum Program {
    Fast(Fast),
    Engine(Box<Engine>),
}

impl Pattern {
    /// Compiles a pattern, given as it stands in the file.
    ///
    /// # Errors
    /// What OSSEC refuses too (spec/patterns.md 3, 5.3, 5.5, 6): a text that is too long, that is empty (not for
    /// `os_match`), or that its language does not allow; with the offending place where it is known.
    pub fn compile(language: Language, text: &str) -> Result<Self, Error> {
        if language != Language::Pcre2 && text.len() > MAX_LENGTH {
            let message = format!("the pattern has {} bytes, more than the {MAX_LENGTH} allowed", text.len());
            return Err(Error::new(ErrorKind::TooLong, message, None));
        }
        if language != Language::OsMatch && text.is_empty() {
            return Err(Error::new(ErrorKind::Empty, "the pattern is empty", None));
        }
        let (program, required) = match Fast::of(language, text) {
            Some(fast) => {
                let required = require::Required::of_literal(fast.literal());
                (Program::Fast(fast), required)
            }
            None => {
                let parsed = engine::parse(language, text)?;
                let required = parsed.required();
                (Program::Engine(Box::new(Engine::new(language, text, &parsed)?)), required)
            }
        };
        Ok(Self(Arc::new(Compiled { language, text: text.into(), program, required })))
    }

    /// Tells whether the pattern occurs in the text.
    pub fn is_match(&self, subject: Subject<'_>) -> bool {
        self.may_match(subject)
            && match &self.0.program {
                Program::Fast(fast) => fast.find_end(subject.bytes).is_some(),
                Program::Engine(engine) => engine.is_match(self, subject),
            }
    }

    /// Gives the offset in the subject's bytes behind the first match.
    pub fn find_end(&self, subject: Subject<'_>) -> Option<usize> {
        if !self.may_match(subject) {
            return None;
        }
        match &self.0.program {
            Program::Fast(fast) => fast.find_end(subject.bytes),
            Program::Engine(engine) => engine.find_end(self, subject),
        }
    }

    /// Gives the offset behind the first match, and in `captures` (cleared first) the groups that took part in it, at
    /// most [`MAX_CAPTURES`]; later groups move into the places of those that did not (spec/patterns.md 7).
    pub fn captures(&self, subject: Subject<'_>, captures: &mut Captures) -> Option<usize> {
        captures.clear();
        if !self.may_match(subject) {
            return None;
        }
        match &self.0.program {
            Program::Fast(fast) => fast.find_end(subject.bytes),
            Program::Engine(engine) => engine.captures(self, subject, captures),
        }
    }

    /// Tells, in a few nanoseconds, whether a subject of [`Grams::note`] may match at all. The other questions ask this
    /// first.
    pub fn may_match(&self, subject: Subject<'_>) -> bool {
        let Some(grams) = subject.grams else { return true };
        self.0.required.may_be_in(grams) || (self.is_unicode() && subject.has_folding_letter())
    }

    /// Tells whether it is a plain text with an anchor, which OSSEC compares byte by byte (spec/patterns.md 1.1): such
    /// a pattern has no storage for captures, and an `os_regex` one cannot stand where fields are wanted.
    pub fn is_literal(&self) -> bool {
        matches!(self.0.program, Program::Fast(_))
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The language it is written in.
    pub fn language(&self) -> Language {
        self.0.language
    }

    /// Tells whether matching it needs PCRE2's backtracking interpreter, which is slow and gives up at its limits.
    pub fn backtracks(&self) -> bool {
        matches!(&self.0.program, Program::Engine(engine) if engine.backtracks())
    }

    /// Texts of which at least one occurs in every text that the pattern matches, if ASCII case is ignored (they are in
    /// lower case); none if no such texts of two bytes or more are known.
    ///
    /// For `os_match` and `os_regex` beyond [`Self::is_literal`] a subject with U+017F or U+212A may match without
    /// them, since these two equal `s` and `k`; [`Set`] knows.
    pub fn required_literals(&self) -> &[Box<[u8]>] {
        self.0.required.texts()
    }

    /// Tells whether characters above U+007F count as such, and an invalid text never matches.
    fn is_unicode(&self) -> bool {
        self.0.language != Language::Pcre2 && !self.is_literal()
    }
}

#[cfg(test)]
mod tests;
