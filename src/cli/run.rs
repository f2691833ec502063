//! `hids run`: the daemon, in the foreground.

use super::{Exit, print};
use crate::config::Places;
use crate::daemon::{self, Ended};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Runs until a signal ends it. What it has to say goes to standard error; `HIDS_LOG` chooses how much (`info`).
pub fn run(places: &Places) -> Exit {
    let filter = EnvFilter::try_from_env("HIDS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && print::colours_wanted())
        .with_target(false);
    // The journal has a time of its own for every line.
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().init()
    } else {
        log.init()
    }
    match daemon::run(places) {
        Ended::Stopped => Exit::Done,
        ended => {
            tracing::error!("{ended}");
            match ended {
                Ended::Config => Exit::Config,
                Ended::Taken(_) => Exit::Taken,
                Ended::Permission(_) => Exit::Permission,
                _ => Exit::Os,
            }
        }
    }
}
