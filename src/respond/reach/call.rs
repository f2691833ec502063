//! One run of a program near the sets, and how it is put into effect on the host.

use super::{Error, Kind};
use crate::sys::ipset::Change;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest answer that is taken: a set of a million entries.
const ANSWER_MAX: usize = 64 << 20;

/// Where programs are looked for.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call<'a> {
    /// `ipset restore -exist` with these commands, one a line.
    IpsetRestore(&'a str),
    /// `ipset save SET`.
    IpsetSave(&'a str),
    /// `ipset list -t SET`.
    IpsetTerse(&'a str),
    /// `nft -f -` with these commands, one a line, all or nothing.
    NftApply(&'a str),
    /// `nft -j list set FAMILY TABLE SET`.
    NftList(&'a str),
    /// `nft -j -t list set FAMILY TABLE SET`: without the elements.
    NftTerse(&'a str),
    /// `conntrack -D -s ADDRESS`.
    Cut(IpAddr),
    /// Nothing; tells whether the way is open.
    Ping,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Exit status 0.
    pub ok: bool,
    /// What it printed; where it failed, its complaint.
    pub text: String,
}

/// A place where programs can be run.
pub trait Run {
    /// Finds the place as it is now.
    ///
    /// # Errors
    ///
    /// [`Kind::Down`] and its like.
    fn connect(&mut self) -> Result<(), Error>;

    /// Whether the place found is no longer there.
    fn lost(&mut self) -> bool;

    /// Runs a program to its end.
    ///
    /// # Errors
    ///
    /// What kept it from running; a program that fails is an [`Answer`].
    fn run(&mut self, call: Call<'_>, limit: Duration) -> Result<Answer, Error>;

    /// Has the kernel change ipsets of that place, without a program; `None` where it is not at hand.
    ///
    /// # Errors
    ///
    /// As [`Run::run`], or the kernel's refusal, which the program can word better: ask it then.
    fn change(&mut self, _changes: &[Change<'_>]) -> Option<Result<(), Error>> {
        None
    }
}

impl Call<'_> {
    /// Program, arguments and what it reads.
    fn words(&self) -> (&'static str, Vec<String>, &str) {
        let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match self {
            Self::IpsetRestore(text) => ("ipset", words("restore -exist"), text),
            Self::IpsetSave(set) => ("ipset", words(&format!("save {set}")), ""),
            Self::IpsetTerse(set) => ("ipset", words(&format!("list -t {set}")), ""),
            Self::NftApply(text) => ("nft", words("-f -"), text),
            Self::NftList(set) => ("nft", words(&format!("-j list set {set}")), ""),
            Self::NftTerse(set) => ("nft", words(&format!("-j -t list set {set}")), ""),
            Self::Cut(IpAddr::V4(a)) => ("conntrack", words(&format!("-D -s {a}")), ""),
            Self::Cut(IpAddr::V6(a)) => ("conntrack", words(&format!("-D -f ipv6 -s {a}")), ""),
            Self::Ping => ("true", Vec::new(), ""),
        }
    }

    /// Runs it in the calling thread's own namespaces.
    ///
    /// # Errors
    ///
    /// [`Kind::NoProgram`], [`Kind::Deadline`], or the system's.
    pub fn run_here(&self, limit: Duration) -> Result<Answer, Error> {
        let (program, arguments, input) = self.words();
        let ends = Instant::now() + limit;
        // By its path, with which the standard library need not fork: copying the tables of our memory takes longer than
        // all the rest.
        let mut child = Command::new(path_of(program))
            .args(&arguments)
            .env_clear()
            .env("PATH", FOLDERS.join(":"))
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Error::new(Kind::NoProgram, format!("{program}: is not installed")),
                _ => Error::new(Kind::Other, format!("{program}: cannot be started: {error}")),
            })?;
        let outcome = talk(&mut child, input.as_bytes(), ends);
        let (out, complaint) = match outcome {
            Ok(texts) => texts,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(match error.kind() {
                    io::ErrorKind::TimedOut => Error::new(Kind::Deadline, format!("{program}: no end after {limit:?}")),
                    _ => Error::new(Kind::Other, format!("{program}: {error}")),
                });
            }
        };
        let status = child.wait().map_err(|error| Error::new(Kind::Other, format!("{program}: {error}")))?;
        let text = if status.success() { out } else { complaint };
        Ok(Answer { ok: status.success(), text: String::from_utf8_lossy(&text).into_owned() })
    }
}

/// Where a program lies; its bare name if it lies nowhere.
fn path_of(program: &str) -> PathBuf {
    let paths = FOLDERS.iter().map(|folder| Path::new(folder).join(program));
    paths.into_iter().find(|path| path.exists()).unwrap_or_else(|| program.into())
}

/// Feeds a child and reads both its mouths until they close and it has ended.
fn talk(child: &mut Child, mut input: &[u8], ends: Instant) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else {
        return Err(io::Error::other("no pipes"));
    };
    if let Some(pipe) = &stdin {
        let flags = fcntl_getfl(pipe)?;
        fcntl_setfl(pipe, flags | OFlags::NONBLOCK)?;
    }
    let (mut out, mut complaint) = (Vec::new(), Vec::new());
    let (mut out_open, mut complaint_open) = (true, true);
    while out_open || complaint_open {
        if input.is_empty() {
            stdin = None;
        }
        let mut watched: Vec<(u8, BorrowedFd<'_>, PollFlags)> = Vec::with_capacity(3);
        if out_open {
            watched.push((0, stdout.as_fd(), PollFlags::IN));
        }
        if complaint_open {
            watched.push((1, stderr.as_fd(), PollFlags::IN));
        }
        if let Some(pipe) = &stdin {
            watched.push((2, pipe.as_fd(), PollFlags::OUT));
        }
        let mut fds: Vec<PollFd<'_>> =
            watched.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let left = ends.saturating_duration_since(Instant::now());
        let wait = Timespec { tv_sec: left.as_secs() as _, tv_nsec: i64::from(left.subsec_nanos()) as _ };
        if left.is_zero() || poll(&mut fds, Some(&wait)).or_else(again)? == 0 && ends <= Instant::now() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let ready: Vec<u8> =
            fds.iter().zip(&watched).filter(|(fd, _)| !fd.revents().is_empty()).map(|(_, w)| w.0).collect();
        drop(fds);
        drop(watched);
        for which in ready {
            match which {
                0 => out_open = take(&mut stdout, &mut out)?,
                1 => complaint_open = take(&mut stderr, &mut complaint)?,
                _ => {
                    let sent = stdin.as_mut().map_or(Ok(0), |pipe| pipe.write(input));
                    match sent {
                        Ok(count) => input = &input[count..],
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        // It ends before it has read all: its status and complaint say why.
                        Err(_) => input = &[],
                    }
                }
            }
        }
    }
    // Both mouths are closed; a program that lives on silently is not waited for.
    while child.try_wait()?.is_none() {
        if ends <= Instant::now() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok((out, complaint))
}

fn again(error: rustix::io::Errno) -> Result<usize, rustix::io::Errno> {
    if error == rustix::io::Errno::INTR { Ok(0) } else { Err(error) }
}

fn take(from: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16 << 10];
    match from.read(&mut piece) {
        Ok(0) => Ok(false),
        Ok(count) if into.len() + count <= ANSWER_MAX => {
            into.extend_from_slice(&piece[..count]);
            Ok(true)
        }
        Ok(_) => Err(io::Error::other("the answer is too long")),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}
