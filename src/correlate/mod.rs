//! correlate: one guest's memory, and the walk through the rules.
//!
//! Holds all judgement state of one guest (design, decision 3): a [`Judge`] for each lane, and the [`Commons`] for rules
//! that count over guests, both by one shared [`Book`]. Comes in: lines. Goes out: [`Judgement`]s with their
//! [`Verdict`]s. Touches nothing: no file, no clock, no other lane.
//!
//! All memory is capped. Only events that some rule may ask for are remembered, at most `memory_size` of them (8,192),
//! each with its line; the ignore list, the texts of `check_diff` and the keys of `if_fts` have caps of their own. Where
//! OSSEC has a limit, the cap is not below it, so it changes no answer.
#![forbid(unsafe_code)]

mod book;
mod commons;
mod difference;
#[cfg(test)]
pub(crate) mod fixture;
mod history;
mod judge;
mod keep;
mod list;
mod quiet;
mod routes;
mod said;
mod search;
pub mod seen;
mod state;
#[cfg(test)]
mod tests;
pub mod verdict;
mod walk;

pub use book::{Book, Options};
pub use commons::{Commons, Offer};
pub use judge::{Firewall, Judge, Judgement};
pub use keep::Damaged;
pub use seen::Seen;
pub use verdict::{Previous, Verdict};
