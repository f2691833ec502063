//! The `hids` program: parse, call the library, turn its answer into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    hids::cli::main()
}
