//! cli: the command line.
#![forbid(unsafe_code)]

pub mod print;

use std::process::ExitCode;

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
