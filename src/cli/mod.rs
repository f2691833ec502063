//! cli: the command line.
//!
//! Holds what was typed ([`args`]) and turns each command into a call of the library and a printed answer. Comes in:
//! the process's arguments. Goes out: an exit code. Touches the terminal, and whatever the command names.
#![forbid(unsafe_code)]

pub mod args;
mod ask;
mod check;
mod input;
mod judge;
mod lines;
pub mod logtest;
mod pattern;
pub mod print;
pub mod replay;
mod run;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

/// How a command ended. The codes are stable (design 2.3) and follow sysexits(3) above 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The answer is no: a check found errors, a pattern does not compile, there is no such guest.
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// The daemon is not running.
    NotRunning = 69,
    /// Something in hids is wrong.
    Software = 70,
    /// The system did not give what the daemon needs.
    Os = 71,
    /// Input or output failed.
    Io = 74,
    /// Another monitor works on the same files: hids itself, or OSSEC.
    Taken = 75,
    /// No permission.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let places = crate::config::places::Places::new(cli.places.directory, cli.places.config);
    let exit = match cli.command {
        Command::Run => run::run(&places),
        Command::Check { json } => check::run(&places, json),
        Command::Logtest(args) => judge::run_logtest(&places, &args),
        Command::Replay(args) => judge::run_replay(&places, &args),
        Command::Pattern(args) => pattern::run(&args),
        Command::Status { json } => ask::status(&places, json),
        Command::Guests(command) => ask::guests(&places, &command),
        Command::Sources(command) => ask::sources(&places, &command),
        Command::Alerts(command) => ask::alerts(&places, &command),
        Command::Blocks(command) => ask::blocks(&places, &command),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "hids", &mut std::io::stdout());
            Exit::Done
        }
        Command::Man => man(),
    };
    exit.into()
}

/// Prints the manual page of the program and, behind it, of each command: from the parser's own definition.
fn man() -> Exit {
    let mut out = std::io::stdout().lock();
    let root = Cli::command();
    let mut printed = clap_mangen::Man::new(root.clone()).render(&mut out);
    for command in root.get_subcommands() {
        let name: &'static str = Box::leak(format!("hids-{}", command.get_name()).into_boxed_str());
        printed = printed.and_then(|()| clap_mangen::Man::new(command.clone().name(name)).render(&mut out));
    }
    if printed.is_ok() { Exit::Done } else { Exit::Io }
}
