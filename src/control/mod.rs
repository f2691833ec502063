//! control: how the outside asks the running daemon.
//!
//! Holds the questions and answers ([`api`]), the two ends of the control socket ([`server`], [`client`]), and the page
//! that Prometheus reads ([`http`]). Comes in: questions of `hids guests list` and its like, requests of a scraper. Goes
//! out: what whoever implements [`api::Answer`] says. Touches the control socket and the metrics port, nothing else.
//!
//! On the socket one connection carries one question: a line of JSON there, lines of JSON back, each
//! `{"item":…}`, `{"missed":N}` (a follower was too slow), and at the end `{"end":{"complete":true}}` or
//! `{"fault":{…}}`.
#![forbid(unsafe_code)]

pub mod api;
pub mod client;
mod error;
pub mod fault;
pub mod http;
pub mod server;
#[cfg(test)]
mod tests;
pub mod time;
mod wire;

pub use api::{Answer, Question};
pub use client::Client;
pub use error::{Error, Kind};
pub use fault::{Fault, FaultKind};
pub use server::Server;
pub use time::Time;
