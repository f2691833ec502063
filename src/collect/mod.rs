//! collect
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]
