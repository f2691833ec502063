//! What goes wrong when somebody asks this room for something.

use std::fmt;

/// What to make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration cannot work.
    Config,
    /// The ledger cannot be opened.
    Ledger,
    /// A thread cannot be started.
    Thread,
    /// The address is spared.
    Spared,
    /// There is no gateway.
    NoGateway,
    /// The address is not blocked by hids.
    NotBlocked,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// What to make of it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
