//! cli: the command line.
#![forbid(unsafe_code)]

mod lines;
pub mod logtest;
pub mod print;
pub mod replay;

use std::process::ExitCode;

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
