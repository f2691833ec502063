//! guest: who is there, and the only door to their files.
//!
//! Holds who the guests are ([`Guest`], [`State`]), what their LXC configuration says ([`lxc`]), and the way to their
//! files ([`GuestRoot`]). Comes in: the LXC path, cgroups, `/proc`, wake-ups of the hub. Goes out: changes of the
//! fleet, opened files. Touches the LXC path, `/proc` and `/sys` for reading only, and never writes anything. Everything
//! inside a guest is hostile; what stands outside it (configuration, cgroups, monitors) is the host's word.
#![forbid(unsafe_code)]
#![deny(clippy::disallowed_methods)]

pub mod addresses;
pub mod cgroup;
pub mod discover;
pub mod error;
mod fleet;
pub mod glob;
pub mod id;
pub mod idmap;
pub mod lxc;
pub mod measure;
pub mod proc;
pub mod root;
pub mod state;
pub mod tree;
mod witness;

pub use discover::{Change, Config, Discovery, Fleet, Handle, Ignore};
pub use error::{Error, Kind, shown};
pub use id::Name;
pub use root::{GuestRoot, HostRoot, Root};
pub use state::{Guest, Init, State};
pub use tree::{Entry, FileKind, Listing, Meta, OpenFile, OpenFolder, Tree};
