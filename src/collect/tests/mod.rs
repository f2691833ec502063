//! The room as a whole, on real files, with the real hub and the real store.
#![allow(clippy::disallowed_methods)]

mod bench;
mod formats;
mod hostile;
mod impostors;
mod measure;
mod model;
mod restart;
mod rotation;
