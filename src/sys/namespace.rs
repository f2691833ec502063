//! Namespaces of processes (namespaces(7)): which one a process is in, and a thread that works in another network.

use super::hostfile;
use super::pidfd::Pidfd;
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// A kind of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Mounts: which files a process sees.
    Mount,
    /// Process numbers.
    Process,
    /// Network interfaces, sockets, firewall.
    Network,
    /// User and group numbers.
    User,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Kind::Mount => "mnt",
            Kind::Process => "pid",
            Kind::Network => "net",
            Kind::User => "user",
        }
    }
}

/// Which namespace it is: two processes with the same id are in the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id {
    device: u64,
    inode: u64,
}

/// Tells which namespace the process is in. `proc` is where procfs is mounted, `pid` a number or `self`.
///
/// # Errors
///
/// The kernel's error: the process is gone, or we may not look (CAP_SYS_PTRACE).
pub fn of(proc: &Path, pid: impl std::fmt::Display, kind: Kind) -> io::Result<Id> {
    let link: PathBuf = proc.join(format!("{pid}/ns/{}", kind.file()));
    let facts = rustix::fs::stat(&link)?;
    Ok(Id { device: facts.st_dev, inode: facts.st_ino })
}

/// Tells when the process was started, in clock ticks since boot (proc(5): `stat`, field 22). The name in that file is
/// the process's own choice and may hold blanks and brackets: everything up to the last bracket is passed over.
///
/// # Errors
///
/// The kernel's error, or `InvalidData`.
pub fn start_time(proc: &Path, pid: u32) -> io::Result<u64> {
    let text = hostfile::read(&proc.join(format!("{pid}/stat")), 4096)?;
    parse_start_time(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "stat: no start time"))
}

fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&stat[after..]).ok()?;
    // The state, field 3, is the first one behind the bracket.
    rest.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// Runs a job on a thread of its own in the network namespace of a process, for as long as the job takes: sockets that
/// it opens belong there. The rest of the process stays where it is. The thread's answer is the job's (always `Some`
/// where this function succeeded).
///
/// # Errors
///
/// The thread could not be started, or the kernel did not let it in (CAP_SYS_ADMIN; the process has ended).
pub fn in_network_of<T, F>(process: &Pidfd, name: &str, job: F) -> io::Result<JoinHandle<Option<T>>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let descriptor = process.as_fd().try_clone_to_owned()?;
    let (told, joined) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        let entered = move_into_thread_name_spaces(descriptor.as_fd(), ThreadNameSpaceType::NETWORK);
        drop(descriptor);
        let there = entered.is_ok();
        let _ = told.send(entered);
        there.then(job)
    })?;
    match joined.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(cause)) => Err(cause.into()),
        Err(_) => Err(io::Error::other("the thread ended before it began")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_read_behind_a_hostile_name() {
        let stat = b"12 (a) R 1 2) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3";
        assert_eq!(parse_start_time(stat), Some(98765));
        assert_eq!(parse_start_time(b"12 (a"), None);
        assert_eq!(parse_start_time(b""), None);
        let now = start_time(Path::new("/proc"), std::process::id()).unwrap();
        assert!(now > 0);
    }

    #[test]
    fn a_child_shares_our_namespaces() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        for kind in [Kind::Mount, Kind::Process, Kind::Network, Kind::User] {
            let proc = Path::new("/proc");
            assert_eq!(of(proc, "self", kind).unwrap(), of(proc, child.id(), kind).unwrap());
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
