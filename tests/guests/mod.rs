//! What hids does with real guests: LXC guests, an ipset in a gateway guest, sshd and nginx, raised by `containers/lab`.
//!
//! Needs root; without it every case says loudly that it is skipped. One case, one behaviour. The cases take turns on one
//! shared lab (a second costs more than it tells), each with an installation of its own and a flushed gateway.

mod blocking;
mod check;
mod crash;
mod discovery;
mod flood;
mod gateway;
mod hostile;
pub mod install;
pub mod lab;
mod lines;
mod rotation;
mod seed;
mod ssh;
