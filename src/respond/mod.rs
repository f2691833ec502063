//! respond
#![forbid(unsafe_code)]
