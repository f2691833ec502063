//! guest: who is there.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]

pub mod id;

pub use id::Name;
