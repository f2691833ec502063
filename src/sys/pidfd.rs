//! Descriptors of processes (pidfd_open(2)): a process number may be used again, its descriptor never lies.

use super::inotify::readable;
use rustix::process::{Pid, PidfdFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// A process, by descriptor.
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens the process with this number. It may have ended and its number have been given to another since the
    /// number was learned: compare its start time after opening.
    ///
    /// # Errors
    ///
    /// `ESRCH` where there is no such process, and the kernel's other errors.
    pub fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH)?;
        Ok(Self(rustix::process::pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// Tells whether the process has ended (zombies have). An error of the kernel counts as ended.
    pub fn ended(&self) -> bool {
        readable(self.0.as_fd(), Some(Duration::ZERO)).unwrap_or(true)
    }

    /// Blocks the thread until the process has ended or the time is over; tells whether it has ended.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub fn wait_within(&self, limit: Duration) -> io::Result<bool> {
        readable(self.0.as_fd(), Some(limit))
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    ///
    /// The kernel's error, or none of tokio's runtimes with its I/O driver is there.
    pub async fn wait(&self) -> io::Result<()> {
        let own = self.0.as_fd().try_clone_to_owned()?;
        // SAFETY: `own` is an open descriptor, `OwnedFd::as_raw_fd` gives the same one as long as it lives, and it lives
        // in the `AsyncFd` itself, which takes it out of the poll set before closing it.
        let polled = unsafe { AsyncFd::register_with_interest(own, tokio::io::Interest::READABLE)? };
        polled.readable().await?.retain_ready();
        Ok(())
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_end_of_a_process_is_seen() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pidfd = Pidfd::open(child.id()).unwrap();
        assert!(!pidfd.ended());
        assert!(!pidfd.wait_within(Duration::from_millis(10)).unwrap());
        drop(child.stdin.take());
        assert!(pidfd.wait_within(Duration::from_secs(10)).unwrap());
        assert!(pidfd.ended());
        child.wait().unwrap();
        assert!(pidfd.ended());
    }

    #[tokio::test]
    async fn a_task_may_wait_for_the_end() {
        let mut child = Command::new("true").spawn().unwrap();
        Pidfd::open(child.id()).unwrap().wait().await.unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn numbers_that_are_nobody_are_refused() {
        assert!(Pidfd::open(0).is_err());
        assert!(Pidfd::open(u32::MAX).is_err());
    }
}
