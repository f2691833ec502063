//! `hids logtest` and `hids replay`: the book is loaded, the lines are opened, the rest is theirs.

use super::args::{LogtestArgs, ReplayArgs};
use super::logtest::{LogtestOptions, logtest};
use super::replay::{ReplayOptions, replay};
use super::{Exit, input};
use crate::config::{self, Places};
use crate::correlate::Book;
use crate::daemon::clock;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::Arc;

/// The book that the places name. Everything wrong is said on stderr; a wrong configuration ends here.
fn book(places: &Places) -> Result<Arc<Book>, Exit> {
    let loaded = config::load(places);
    for finding in loaded.findings() {
        eprintln!("{finding}");
    }
    loaded.config.map(|config| config.book).ok_or_else(|| {
        eprintln!("hids: the configuration is wrong: `hids check` tells all of it");
        Exit::Config
    })
}

/// Judges lines and shows each step.
pub fn run_logtest(places: &Places, args: &LogtestArgs) -> Exit {
    let book = match book(places) {
        Ok(book) => book,
        Err(exit) => return exit,
    };
    let lines = match input::open(args.file.as_deref()) {
        Ok(lines) => lines,
        Err(exit) => return exit,
    };
    let options = LogtestOptions {
        json: args.json,
        fresh: args.fresh,
        records: args.records,
        guest: args.guest.clone(),
        daemon: args.daemon,
        explain: std::io::stdout().is_terminal(),
        host: crate::daemon::host_name(),
        now: clock::now(),
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    ended(logtest(book, lines, &options, &mut out).and_then(|()| out.flush()))
}

/// Judges whole files.
pub fn run_replay(places: &Places, args: &ReplayArgs) -> Exit {
    let book = match book(places) {
        Ok(book) => book,
        Err(exit) => return exit,
    };
    let mut files = Vec::new();
    for file in &args.files {
        match input::open(Some(file)) {
            Ok(lines) => files.push((file.display().to_string(), lines)),
            Err(exit) => return exit,
        }
    }
    let options = ReplayOptions {
        guest: args.guest.clone(),
        host: crate::daemon::host_name(),
        now: clock::now(),
        quiet: args.quiet,
    };
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let done = replay(book, files, &options, &mut out).and_then(|summary| {
        out.flush()?;
        eprintln!("{summary}");
        Ok(())
    });
    ended(done)
}

fn ended(done: std::io::Result<()>) -> Exit {
    match done {
        Ok(()) => Exit::Done,
        // Whoever read has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            eprintln!("hids: {error}");
            Exit::Io
        }
    }
}
