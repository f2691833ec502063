//! What is wrong with a pattern.

use std::fmt;

/// A pattern that does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    offset: Option<usize>,
}

/// The sort of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Longer than its language allows.
    TooLong,
    /// Empty, which its language does not allow.
    Empty,
    /// Not a sentence of its language.
    Syntax,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>, offset: Option<usize>) -> Self {
        Self { kind, message: message.into(), offset }
    }

    pub(super) fn syntax(message: impl Into<String>, offset: usize) -> Self {
        Self::new(ErrorKind::Syntax, message, Some(offset))
    }

    /// The sort of error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The byte of the pattern at which it goes wrong, where that is known.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{} (at byte {offset} of the pattern)", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}
