//! What can go wrong on the control socket and the metrics port.

use super::fault::{Fault, FaultKind};
use std::fmt;
use std::io;

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No daemon listens there.
    NotRunning,
    /// Who asks may not.
    NoPermission,
    /// A daemon listens there already.
    Taken,
    /// The daemon said no.
    Fault(FaultKind),
    /// The other end speaks something else, or ended in the middle.
    Protocol,
    /// Anything else that the system said.
    Io,
}

/// Something went wrong on the control socket or the metrics port.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    cause: Option<io::Error>,
}

impl Error {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    pub(super) fn io(what: &str, which: impl fmt::Display, cause: io::Error) -> Self {
        let kind = match cause.kind() {
            io::ErrorKind::PermissionDenied => Kind::NoPermission,
            _ => Kind::Io,
        };
        Self { kind, message: format!("{what}: {which}: {cause}"), cause: Some(cause) }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code that a command ends with (design 2.3).
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::NotRunning => 69,
            Kind::NoPermission => 77,
            Kind::Fault(kind) => kind.exit_code(),
            Kind::Taken | Kind::Protocol | Kind::Io => 1,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::new(Kind::Fault(fault.kind), fault.message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
