//! sys: the floor; one file per kernel facility, each with safe signatures.
//!
//! Holds: the process's one inotify hub and the bells it rings, descriptors of processes, in-root opening, the facts of
//! file systems, threads that may be lost, namespaces, the kernel's list of addresses and its sets, and liblxc by `dlopen`.
//! Comes in: paths and descriptors. Goes out: descriptors, facts, wake-ups; never a judgement. Touches the kernel, and knows
//! nothing of guests. This is the only room in which `unsafe` is allowed, always with a SAFETY note.
#![allow(unsafe_code)]

pub mod addresses;
pub mod bell;
pub mod board;
pub mod crew;
pub mod descriptors;
pub mod filesystem;
pub mod hostfile;
pub mod inotify;
pub mod ipset;
#[cfg(feature = "liblxc")]
pub mod liblxc;
pub mod namespace;
pub mod openat2;
pub mod pidfd;

pub use bell::{Bell, Wake};
pub use board::Board;
pub use crew::{Crew, Stuck};
pub use inotify::{Hub, Interest, Watch};
pub use pidfd::Pidfd;
