//! correlate: one guest's memory, and the walk through the rules.
//!
//! Holds all judgement state of one guest (decision 3), capped. Comes in: events. Goes out: [`Verdict`]s. Touches
//! nothing: no file, no clock, no other lane.
#![forbid(unsafe_code)]

pub mod seen;
pub mod verdict;

pub use seen::Seen;
pub use verdict::{Previous, Verdict};
