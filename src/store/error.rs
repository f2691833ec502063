//! What can go wrong with the file, and the fence around a database that may panic over a damaged one.

use super::Table;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another process holds the file.
    Busy,
    /// The file system said no: missing folder, full disk, permission.
    Io,
    /// The file's content makes no sense.
    Damaged,
    /// A key or value beyond the limits.
    TooLarge,
}

/// An error of the store.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<redb::Error>>,
}

impl Error {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Something else that whoever uses the store needs failed, such as a thread.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(Kind::Io, message)
    }

    pub(super) fn too_large(table: Table, key: usize, value: usize) -> Self {
        Self::new(Kind::TooLarge, format!("store: {table:?}: a key of {key} bytes with a value of {value} bytes"))
    }

    /// What to act on.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Any error of the database, before it is sorted into a [`Kind`].
pub(super) struct Failure(pub(super) redb::Error);

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Failure> for Error {
    fn from(Failure(source): Failure) -> Self {
        let kind = match &source {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Kind::Busy,
            // A file that is no database at all is reported as an io error of this kind.
            redb::Error::Io(io)
                if matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
            {
                Kind::Damaged
            }
            redb::Error::Io(_)
            | redb::Error::PreviousIo
            | redb::Error::DatabaseClosed
            | redb::Error::Backend(_)
            | redb::Error::LockPoisoned(_) => Kind::Io,
            redb::Error::ValueTooLarge(_) => Kind::TooLarge,
            _ => Kind::Damaged,
        };
        Self { kind, message: format!("store: {source}"), source: Some(Box::new(source)) }
    }
}

/// Runs database code; a panic inside it (the database trusts its file) counts as a damaged file.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Error::from),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(Error::new(Kind::Damaged, format!("store: the database gave up: {text}")))
        }
    }
}
