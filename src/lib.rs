//! hids watches a fleet of LXC guests from the host.
//!
//! This file is the map. Rooms stand in the order in which data passes them; a room names rooms above it, never below
//! (`tests/it/house.rs` enforces it). One line's way through: `guest` has announced who is there, `collect` reads the
//! line from the guest's log and hands in a [`event::Batch`]; `decode`, `rules` and `correlate` judge it; `alert` writes
//! what they found and `respond` shuts the attacker out. `config`, `control`, `daemon` and `cli` wire it together.

// Tools: they have never heard of intrusions.
pub mod diag;
pub mod xml;

pub mod pattern;

pub mod sys;

pub mod store;

pub mod metrics;

// Who is there.
pub mod guest;

// The door where seeing meets judging.
pub mod event;

// Producers: they see, and hand in batches; strangers to one another.
pub mod collect;

// Judges: pure; the same state and event (its time included) give the same verdict.
pub mod decode;

pub mod rules;

pub mod correlate;

// Doers: they act on verdicts; strangers to one another.
pub mod alert;

pub mod respond;

// Wiring: it knows every room and decides nothing.
pub mod control;

pub mod config;

pub mod daemon;

pub mod cli;
