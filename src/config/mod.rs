//! config: what the user wants.
#![forbid(unsafe_code)]

pub mod doc;
pub mod files;
pub mod locate;
pub mod options;
pub mod places;
pub mod shipped;
pub mod table;
