//! Places that alerts go to.

pub mod file;
