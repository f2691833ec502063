//! What goes wrong on the way to a guest's file.

use super::Name;
use std::fmt;
use std::io;
use std::path::Path;

/// What to do about it depends on this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// There is no such file or folder (yet).
    NotFound,
    /// It is a FIFO, a device, a socket, a folder: not to be opened as a log.
    NotRegular,
    /// It is not a folder.
    NotFolder,
    /// The guest tried to lead us elsewhere: a magic link, a chain of links without end, a door of the kernel, a root
    /// that is the host's. Worth an alert.
    SafetyViolation,
    /// The guest is just being started: its root is still the host's. Ask again in some milliseconds.
    Starting,
    /// The guest's root cannot be reached: the guest has ended, or is at rest with a root that only exists while it runs.
    Unreachable,
    /// The call hangs (a file system or a mark of the guest's own): health `stuck`.
    Stuck,
    /// Somebody holds the file at this moment (a lease), or it changes too fast. Ask again later.
    Busy,
    /// The kernel does not let us.
    Denied,
    /// The path is none: empty, too long, or with a NUL byte.
    Invalid,
    /// The kernel has no openat2 (before 5.6): guests cannot be read safely.
    Unsupported,
    /// Anything else.
    Io,
}

/// An error that names the guest: "what: which: why".
#[derive(Debug)]
pub struct Error {
    guest: Option<Name>,
    kind: Kind,
    what: String,
    cause: Option<io::Error>,
}

impl Error {
    /// Makes an error; `guest` absent is the host.
    pub fn new(guest: Option<&Name>, kind: Kind, what: impl Into<String>) -> Self {
        Self { guest: guest.cloned(), kind, what: what.into(), cause: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<io::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What to act on.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The guest; absent is the host.
    pub fn guest(&self) -> Option<&Name> {
        self.guest.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.guest {
            Some(name) => write!(f, "guest {name}: {}", self.what)?,
            None => write!(f, "host: {}", self.what)?,
        }
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// A path as it may be shown: guests choose names, and names may hold line ends and escape sequences of terminals.
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut shown: String =
        text.chars().take(256).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(256).is_some() {
        shown.push('…');
    }
    shown
}
