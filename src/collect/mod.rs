//! collect
#![forbid(unsafe_code)]
