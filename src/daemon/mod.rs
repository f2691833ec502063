//! daemon: everything put together and kept running.
//!
//! Holds the lanes (one judge for each guest), the doers that all of them share, and the answers to what `control` asks.
//! Comes in: the configuration, guests that come and go, signals, questions. Goes out: nothing that the rooms do not
//! send themselves. Touches signals, tasks and the service manager's socket.
#![forbid(unsafe_code)]

mod act;
mod answer;
mod build;
pub mod clock;
mod commons;
mod gauges;
mod hand;
mod lane;
mod late;
mod notices;
mod pace;
mod reload;
mod roster;
mod shutdown;
mod tally;

pub use build::{Ended, run};

/// The host's own short name: what stands where a line of the host names none (spec/decoders.md 2.4).
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let short = name.split('.').next().unwrap_or("");
    if short.is_empty() { crate::guest::id::HOST.to_owned() } else { short.to_owned() }
}
