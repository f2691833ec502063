//! What can go wrong with alert files, for those who wait for an answer. The writer itself never gives up.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The writer could not be started.
    Start,
    /// Alerts could not be read back.
    Read,
}

/// Something went wrong with the alert files.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    path: Option<PathBuf>,
    cause: io::Error,
}

impl Error {
    pub(super) fn start(cause: io::Error) -> Self {
        Self { kind: Kind::Start, path: None, cause }
    }

    pub(super) fn read(path: &Path, cause: io::Error) -> Self {
        Self { kind: Kind::Read, path: Some(path.to_owned()), cause }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Start => "cannot start the alert writer",
            Kind::Read => "cannot read alerts",
        };
        match &self.path {
            Some(path) => write!(f, "{what}: {}: {}", path.display(), self.cause),
            None => write!(f, "{what}: {}", self.cause),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
