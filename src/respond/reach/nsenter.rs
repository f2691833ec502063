//! The host's programs in a guest's network namespace, and the kernel's sets there.
//!
//! Only the network namespace is entered, so nothing of the guest is ever executed or opened. The thread joins for one
//! batch and leaves again: a namespace that stayed joined would keep a stopped guest's interfaces alive.

use super::call::{Answer, Call, Run};
use super::{Error, FindInit, InitPid, Kind};
use crate::sys::ipset::{self, Change};
use crate::sys::namespace::{self, Id};
use crate::sys::pidfd::Pidfd;
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

const PROC: &str = "/proc";

/// The way into one guest's network namespace.
pub struct Nsenter {
    guest: String,
    find_init: FindInit,
    joined: Option<(InitPid, Pidfd)>,
    home: Option<(File, Id)>,
}

impl Nsenter {
    /// A way that is not yet gone.
    pub fn new(guest: String, find_init: FindInit) -> Self {
        Self { guest, find_init, joined: None, home: None }
    }

    fn down(&self, what: &str) -> Error {
        Error::new(Kind::Down, format!("guest {}: {what}", self.guest))
    }

    fn changed(&self) -> Error {
        Error::new(Kind::Changed, format!("guest {}: has stopped or started anew", self.guest))
    }

    fn failed(&self, what: &str, error: &io::Error) -> Error {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Denied } else { Kind::Other };
        Error::new(kind, format!("guest {}: {what}: {error}", self.guest))
    }
}

impl Run for Nsenter {
    fn connect(&mut self) -> Result<(), Error> {
        self.joined = None;
        let own = match &self.home {
            Some((_, id)) => *id,
            None => {
                let path = "/proc/thread-self/ns/net";
                let home = File::open(path).map_err(|error| self.failed(path, &error))?;
                let id = namespace::of(Path::new(PROC), "thread-self", namespace::Kind::Network)
                    .map_err(|error| self.failed(path, &error))?;
                self.home = Some((home, id));
                id
            }
        };
        let init = (self.find_init)(&self.guest).ok_or_else(|| self.down("does not run"))?;
        let pidfd = Pidfd::open(init.pid).map_err(|_| self.down("has stopped"))?;
        // In this order: while the process of the descriptor lives, its number is its own.
        let start = namespace::start_time(Path::new(PROC), init.pid);
        let its = namespace::of(Path::new(PROC), init.pid, namespace::Kind::Network);
        if pidfd.ended() || !start.is_ok_and(|start| start == init.start_time) {
            return Err(self.down("has stopped"));
        }
        if its.map_err(|error| self.failed("its network namespace cannot be read", &error))? == own {
            return Err(self.down("has no network namespace of its own; a gateway of transport local would fit"));
        }
        self.joined = Some((init, pidfd));
        Ok(())
    }

    fn lost(&mut self) -> bool {
        self.is_lost()
    }

    fn run(&mut self, call: Call<'_>, limit: Duration) -> Result<Answer, Error> {
        self.there(|| call.run_here(limit))
    }

    fn change(&mut self, changes: &[Change<'_>]) -> Option<Result<(), Error>> {
        Some(self.there(|| ipset::change(changes).map_err(|error| Error::new(Kind::Other, format!("ipset: {error}")))))
    }
}

impl Nsenter {
    fn is_lost(&self) -> bool {
        match &self.joined {
            Some((init, pidfd)) => pidfd.ended() || (self.find_init)(&self.guest) != Some(*init),
            None => true,
        }
    }

    /// Does something inside, provided that the guest is the same before and after.
    fn there<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        if self.is_lost() {
            return Err(self.changed());
        }
        let (Some((_, pidfd)), Some((home, _))) = (&self.joined, &self.home) else {
            return Err(self.changed());
        };
        if let Err(errno) = move_into_thread_name_spaces(pidfd.as_fd(), ThreadNameSpaceType::NETWORK) {
            // ESRCH: it has ended since.
            let gone = errno == rustix::io::Errno::SRCH;
            let failed = self.failed("its network namespace cannot be joined", &errno.into());
            return Err(if gone { self.changed() } else { failed });
        }
        let answer = work();
        let back = move_into_link_name_space(home.as_fd(), Some(LinkNameSpaceType::Network));
        back.map_err(|errno| self.failed("the host's network namespace cannot be joined again", &errno.into()))?;
        // What was told to a namespace that died meanwhile is not in force.
        if self.is_lost() { Err(self.changed()) } else { answer }
    }
}
