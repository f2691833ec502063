//! What `make bench` measures: how fast, how much memory, and whether a hostile guest is felt by others.
//!
//! Every measurement is an ignored test, for `tests/bench/run` to call from a release build. A measurement fails only if
//! it could not be made; how good a figure is, is for people to say. Where they are kept: `runs/`, with a few words each.

mod attacks;
mod corpus;
mod figures;
mod hostile;
mod latency;
mod replay;
mod rest;
mod watch;
