//! collect: following log files, the host's and the guests'.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]
#![allow(dead_code)]

mod assemble;
mod format;
mod lines;
mod spec;

pub use format::{Foreign, Format};
pub use lines::LINE_MAX;
pub use spec::{FileSpec, Scope};
