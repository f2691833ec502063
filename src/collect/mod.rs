//! collect: following log files, the host's and the guests'.
//!
//! Holds, for each file that a location means, how far it has been read, and the cursors of those that were read before.
//! Comes in: who is there with their roots ([`Joining`]), what to follow ([`FileSpec`]), wake-ups of the hub. Goes out:
//! [`Batch`](crate::event::Batch)es into each owner's lane, reports for lists and metrics, positions into the store once
//! a batch has been dealt with. Touches guests' files through their [`Tree`](crate::guest::Tree) only, for reading only.
//!
//! A few threads do it, none of which belongs to a guest: the *keeper* hears (hub and timers) and hands out turns;
//! *readers* take turns, one portion of one file each, fair between guests; *scouts* do what may hang (opening, listing,
//! odd file systems) and are replaced when they do; the *pen* commits positions. Nothing is polled but what has no watch.
//!
//! A file's way: `scan` finds that a location means it, `look` opens it where `start` says, `fetch` reads
//! portions, `followed` makes lines of them, `tail` hands them in, `pending` waits for the receipts, `pen` saves.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]

mod assemble;
mod collector;
mod config;
mod cursor;
mod engine;
mod fetch;
mod followed;
mod format;
mod generations;
mod keeper;
mod lines;
mod look;
mod naming;
mod owner;
mod pen;
mod pending;
mod place;
mod pool;
mod report;
mod scan;
mod shelf;
mod spec;
mod start;
mod tail;

#[cfg(test)]
mod tests;

pub use collector::{Collector, Joining};
pub use config::{Config, Rejudge, StampOf};
pub use format::{Foreign, Format};
pub use lines::LINE_MAX;
pub use report::{Health, SourceReport, Totals};
pub use spec::{FileSpec, Scope};
