//! alert: what was found is written down.
//!
//! Holds the gate, the spool of alerts that wait for the disk, and the latest alerts. Comes in: verdicts, by
//! [`Handle::offer`], each with a receipt. Goes out: `alerts.log` and `alerts.json`, byte for byte what OSSEC writes and
//! more ([`mod@format`]), and whoever asks for alerts or follows them ([`Handle::find`], [`Handle::follow`]). Touches the
//! alert files, the wall clock for alerts of its own, and one thread.
//!
//! Judging never waits here: an alert is formatted by whoever offers it and handed to the spool. One thread writes, with
//! one `write` a batch and file. While a file cannot be written alerts wait in the spool with their receipts open, so
//! that the positions stand still; beyond the spool's bound the newest alerts of the guest that holds the most are
//! refused, their receipts dropped, and their lines read again after a restart. Files are not synced: a receipt that is
//! done survives the end of the process, not a power cut.
#![forbid(unsafe_code)]

mod clock;
mod error;
pub mod filter;
#[cfg(test)]
mod fixture;
pub mod format;
mod gate;
mod handle;
pub mod meta;
pub mod own;
pub mod read;
mod recent;
pub mod sink;
mod spool;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{Error, Kind};
pub use filter::Filter;
pub use handle::{Handle, Health, Offered};
pub use meta::{Id, Meta, Place};
pub use own::Own;
pub use read::{Bounds, Found};
pub use recent::{Followed, Follower};
pub use spool::Text;
pub use writer::Writer;

use std::path::PathBuf;

/// What this room has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `alerts.json`; `None`: not written.
    pub json: Option<PathBuf>,
    /// `alerts.log`; `None`: not written.
    pub log: Option<PathBuf>,
    /// Alerts that one rule of one guest may write in a minute.
    pub per_minute: u32,
    /// Bytes of alerts that may wait for the disk.
    pub spool_bytes: usize,
    /// Alerts kept in memory for lists.
    pub recent: usize,
    /// The highest alert number known to have been used; the files' own numbers are looked at as well.
    pub last_number: u64,
    /// The host's name, for alerts of hids's own.
    pub host: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            json: None,
            log: None,
            per_minute: 6_000,
            spool_bytes: 32 << 20,
            recent: 1_000,
            last_number: 0,
            host: crate::guest::id::HOST.into(),
        }
    }
}
