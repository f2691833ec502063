//! pattern: OSSEC's three pattern languages behind one face.
#![forbid(unsafe_code)]

use std::ops::Range;

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
        Self { bytes, encoding }
    }

    /// The part from a byte offset on; only the bytes actually searched count for validity (spec/patterns.md 2).
    pub fn from(self, start: usize) -> Self {
        let bytes = &self.bytes[start.min(self.bytes.len())..];
        match self.encoding {
            Encoding::Ascii => Self { bytes, encoding: Encoding::Ascii },
            _ => Self::new(bytes),
        }
    }
}

/// The groups that took part in a match, in group-number order, as byte ranges of the subject searched.
pub type Captures = Vec<Range<usize>>;
