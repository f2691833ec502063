//! respond: shutting the attacker out at the gateway.
//!
//! Holds the blocks: who, until when, why, and how far each gateway has come ([`Responder`]). Comes in: verdicts, the
//! fleet's own addresses, where the gateway's first process is. Goes out: entries in the gateways' sets, notices,
//! OSSEC's lines about runs. Touches the ledger and that log, the gateway's sets (by netlink, by the host's own
//! `ipset`, `nft` and `conntrack`, or through `ssh`), and of a guest nothing but the gateway's network namespace.
//!
//! A verdict's way: [`plan`] says whom, [`spare`] has no objection, the desk merges and counts, the scribe writes it to
//! the [`ledger`], and the gateway's worker carries it through [`reach`]. Only the first three happen on the judging
//! path, in memory.
#![forbid(unsafe_code)]

pub mod block;
pub mod clock;
pub mod config;
mod desk;
pub mod error;
mod lane;
pub mod ledger;
pub mod limit;
pub mod measure;
pub mod notice;
pub mod plan;
pub mod reach;
mod reconcile;
mod responder;
mod runlog;
mod scribe;
mod shared;
pub mod spare;
mod step;
mod turns;
pub mod white;
pub mod words;
mod worker;

pub use block::BlockView;
pub use config::{Backend, Config, Gateway, Limits, Overrides, Response, ResponseLog, Switch, Transport};
pub use desk::Outcome;
pub use error::{Error, ErrorKind};
pub use lane::Report;
pub use measure::Counters;
pub use notice::{Notice, Tell, Topic};
pub use plan::No;
pub use reach::{FindInit, InitPid};
pub use responder::{Answer, Deps, Health, Responder};
pub use spare::{OwnAddresses, Why};
pub use white::WhiteList;

#[cfg(test)]
mod tests;
