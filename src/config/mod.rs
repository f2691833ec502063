//! config: what the user wants.
#![forbid(unsafe_code)]

pub mod doc;
pub mod places;
pub mod table;
