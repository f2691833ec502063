//! The answer "no", as it travels to whoever asked.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a question got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// What was asked about does not exist.
    NotFound,
    /// It was understood and is not done: a white-listed address, a limit.
    Refused,
    /// The question itself is wrong.
    Invalid,
    /// Not now: too many ask, or it took too long.
    Unavailable,
    /// Who asks may not.
    NoPermission,
    /// The configuration is broken.
    Configuration,
    /// The world is: a file, the gateway.
    Failed,
}

impl FaultKind {
    /// The exit code that a command ends with (design 2.3; sysexits(3)).
    pub fn exit_code(self) -> u8 {
        match self {
            FaultKind::NotFound | FaultKind::Refused | FaultKind::Failed => 1,
            FaultKind::Invalid => 2,
            FaultKind::Unavailable => 69,
            FaultKind::NoPermission => 77,
            FaultKind::Configuration => 78,
        }
    }
}

/// The answer "no".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Why.
    pub kind: FaultKind,
    /// What is wrong: "what: which: why".
    pub message: String,
}

impl Fault {
    /// Makes a fault.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// There is no such thing (`which`) in the list of what the word `what` names.
    pub fn not_found(what: &str, which: &str) -> Self {
        Self::new(FaultKind::NotFound, format!("no such {what}: {which}: see `hids {what}s list`"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
