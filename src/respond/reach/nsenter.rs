//! The host's programs in a guest's network namespace.
//!
//! Only the network namespace is entered, so nothing of the guest is ever executed or opened. The thread joins for one
//! batch and leaves again: a namespace that stayed joined would keep a stopped guest's interfaces alive.

use super::call::{Answer, Call, Run};
use super::{Error, FindInit, InitPid, Kind};
use crate::sys::pidfd::Pidfd;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The way into one guest's network namespace.
pub struct Nsenter {
    guest: String,
    find_init: FindInit,
    joined: Option<(InitPid, Pidfd)>,
    home: Option<File>,
}

impl Nsenter {
    /// A way that is not yet gone.
    pub fn new(guest: String, find_init: FindInit) -> Self {
        Self { guest, find_init, joined: None, home: None }
    }

    fn down(&self, what: &str) -> Error {
        Error::new(Kind::Down, format!("guest {}: {what}", self.guest))
    }

    fn failed(&self, what: &str, error: &io::Error) -> Error {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Denied } else { Kind::Other };
        Error::new(kind, format!("guest {}: {what}: {error}", self.guest))
    }

    /// Opens the guest's network namespace, sure that it is the guest's.
    fn namespace(&self) -> Result<File, Error> {
        let Some((init, pidfd)) = &self.joined else {
            return Err(self.down("is not connected"));
        };
        let path = format!("/proc/{}/ns/net", init.pid);
        let opened = File::open(&path);
        // Only now: while its first process lives, its number, and so the path, was its own.
        if pidfd.ended() {
            return Err(self.down("has stopped"));
        }
        let namespace = opened.map_err(|error| self.failed(&path, &error))?;
        let own = self.home.as_ref().map(File::metadata).transpose().map_err(|e| self.failed("/proc/self/ns/net", &e))?;
        let its = namespace.metadata().map_err(|error| self.failed(&path, &error))?;
        if own.is_some_and(|own| (own.dev(), own.ino()) == (its.dev(), its.ino())) {
            return Err(self.down("has no network namespace of its own; a gateway of transport local would fit"));
        }
        Ok(namespace)
    }
}

impl Run for Nsenter {
    fn connect(&mut self) -> Result<(), Error> {
        self.joined = None;
        if self.home.is_none() {
            let path = "/proc/thread-self/ns/net";
            self.home = Some(File::open(path).map_err(|error| self.failed(path, &error))?);
        }
        let init = (self.find_init)(&self.guest).ok_or_else(|| self.down("does not run"))?;
        let pidfd = Pidfd::open(init.pid).map_err(|_| self.down("has stopped"))?;
        if start_time(init.pid) != Some(init.start_time) {
            return Err(self.down("has stopped"));
        }
        self.joined = Some((init, pidfd));
        self.namespace().map(drop).inspect_err(|_| self.joined = None)
    }

    fn lost(&mut self) -> bool {
        match &self.joined {
            Some((init, pidfd)) => pidfd.ended() || (self.find_init)(&self.guest) != Some(*init),
            None => true,
        }
    }

    fn run(&mut self, call: Call<'_>, limit: Duration) -> Result<Answer, Error> {
        if self.lost() {
            return Err(Error::new(Kind::Changed, format!("guest {}: has stopped or started anew", self.guest)));
        }
        let namespace = self.namespace()?;
        let home = self.home.as_ref().ok_or_else(|| self.down("is not connected"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| self.failed("its network namespace cannot be joined", &errno.into()))?;
        drop(namespace);
        let answer = call.run_here(limit);
        let back = move_into_link_name_space(home.as_fd(), Some(LinkNameSpaceType::Network));
        back.map_err(|errno| self.failed("the host's network namespace cannot be joined again", &errno.into()))?;
        if self.lost() {
            return Err(Error::new(Kind::Changed, format!("guest {}: has stopped or started anew", self.guest)));
        }
        answer
    }
}

/// When a process began (proc(5), `stat` field 22).
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, brackets and blanks included.
    let rest = &stat[stat.rfind(')')? + 1..];
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}
