//! Processes as witnesses: who is a guest's monitor, who its first process.
//!
//! A process may call itself anything, so its title is believed only of one that stands outside every guest: in our own
//! process namespace, in no guest's cgroup, running as root or as the owner of the guest's folder. Its child that is
//! number 1 of a process namespace of its own, with mounts of its own, is the guest's first process.

use super::idmap::IdMap;
use super::state::Init;
use crate::sys::hostfile;
use crate::sys::namespace::{self, Kind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Children of one monitor that are looked at.
const CHILDREN: usize = 64;
/// Processes of the host that are looked at in one pass (`pid_max` is 4 million at most; this many run nowhere).
const PROCESSES: usize = 1 << 20;

/// A process that claims to be the monitor of a guest, and may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Its number.
    pub pid: u32,
    /// The LXC path; none where the command line does not say (`lxc-start -F` without `-P`).
    pub lxc_path: Option<PathBuf>,
    /// The guest's name under that path.
    pub lxc_name: String,
}

/// What `/proc/PID/status` says, as far as it concerns us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub parent: u32,
    pub uid: u32,
    /// Its numbers, from our process namespace inwards.
    pub numbers: Vec<u32>,
}

/// procfs, wherever it is mounted.
#[derive(Debug, Clone)]
pub struct Proc {
    root: PathBuf,
}

impl Proc {
    /// Takes where procfs is mounted.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Finds all monitors by looking at every process.
    pub fn monitors(&self) -> Vec<Monitor> {
        let names = hostfile::list(&self.root, PROCESSES).unwrap_or_default();
        let pids = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        pids.filter_map(|pid| self.monitor(pid)).collect()
    }

    /// Tells whether a process is a monitor that may be believed.
    pub fn monitor(&self, pid: u32) -> Option<Monitor> {
        let ours = namespace::of(&self.root, "self", Kind::Process).ok()?;
        let status = self.status(pid)?;
        let stands_outside = namespace::of(&self.root, pid, Kind::Process).ok()? == ours
            && status.numbers.len() == 1
            && self.payload(pid).is_none();
        if !stands_outside {
            return None;
        }
        // Never that of a guest's process: the kernel reads it from the process's own memory, which may lie on FUSE or be
        // served by a userfaultfd that never answers.
        let line = hostfile::read(&self.root.join(format!("{pid}/cmdline")), 8192).ok()?;
        let (lxc_path, lxc_name) = parse_title(&line).or_else(|| parse_start(&line))?;
        let owner = lxc_path.as_ref().and_then(|path| rustix::fs::stat(path.join(&lxc_name)).ok()).map(|f| f.st_uid);
        let may = status.uid == 0 || Some(status.uid) == owner;
        may.then_some(Monitor { pid, lxc_path, lxc_name })
    }

    /// Finds the first process among a monitor's children.
    pub fn init_of(&self, monitor: &Monitor) -> Option<Init> {
        let pid = monitor.pid;
        let text = hostfile::read_text(&self.root.join(format!("{pid}/task/{pid}/children")), 64 * 1024).ok()?;
        let children = text.split_ascii_whitespace().take(CHILDREN).filter_map(|child| child.parse().ok());
        let children: Vec<u32> = children.collect();
        let first = children.iter().find_map(|child| self.first_process(*child));
        // A guest that shares somebody's process namespace (`lxc.namespace.share.pid`) has no number 1: then it is the
        // child with mounts of its own in the guest's cgroup.
        let shares = |child: &u32| {
            let (pid, start_time) = (*child, namespace::start_time(&self.root, *child).ok()?);
            let init = Init { pid, start_time };
            (self.payload(pid).is_some() && self.has_own_mounts(pid)? && self.is(init)).then_some(init)
        };
        first.or_else(|| children.iter().find_map(shares))
    }

    /// Tells whether a process is the first of a guest: number 1 of a process namespace directly below ours, with
    /// mounts of its own. Not whose guest.
    pub fn first_process(&self, pid: u32) -> Option<Init> {
        let start_time = namespace::start_time(&self.root, pid).ok()?;
        let status = self.status(pid)?;
        if status.numbers.len() != 2 || status.numbers[1] != 1 {
            return None;
        }
        // The same process from beginning to end of this look.
        (self.has_own_mounts(pid)? && self.is(Init { pid, start_time })).then_some(Init { pid, start_time })
    }

    fn has_own_mounts(&self, pid: u32) -> Option<bool> {
        let ours = namespace::of(&self.root, "self", Kind::Mount).ok()?;
        Some(namespace::of(&self.root, pid, Kind::Mount).ok()? != ours)
    }

    /// The guest's map of users and groups as the kernel has it: the truth while the guest runs.
    pub fn idmap(&self, init: Init) -> Option<IdMap> {
        let read = |file: &str| hostfile::read_text(&self.root.join(format!("{}/{file}", init.pid)), 64 * 1024).ok();
        let map = IdMap::from_proc(&read("uid_map")?, &read("gid_map")?);
        self.is(init).then_some(map)
    }

    /// Tells whether this very process still has its number.
    pub fn is(&self, init: Init) -> bool {
        namespace::start_time(&self.root, init.pid).is_ok_and(|now| now == init.start_time)
    }

    /// Tells who a process's parent is.
    pub fn parent(&self, pid: u32) -> Option<u32> {
        Some(self.status(pid)?.parent)
    }

    /// The payload cgroup that a process is in, as a path below the cgroup root: `lxc.payload.NAME`, without what the
    /// guest made below it. None for a process outside all guests.
    pub fn payload(&self, pid: u32) -> Option<String> {
        let text = hostfile::read_text(&self.root.join(format!("{pid}/cgroup")), 64 * 1024).ok()?;
        parse_payload(&text)
    }

    fn status(&self, pid: u32) -> Option<Status> {
        let text = hostfile::read(&self.root.join(format!("{pid}/status")), 16 * 1024).ok()?;
        parse_status(&String::from_utf8_lossy(&text))
    }
}

/// `[lxc monitor] LXC_PATH NAME`: the title that liblxc gives a monitor in the background.
fn parse_title(line: &[u8]) -> Option<(Option<PathBuf>, String)> {
    let title = line.strip_prefix(b"[lxc monitor] ")?;
    let title = title.split(|byte| *byte == 0).next()?;
    let blank = title.iter().rposition(|byte| *byte == b' ')?;
    let (path, name) = (&title[..blank], std::str::from_utf8(&title[blank + 1..]).ok()?);
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    (path.is_absolute() && !name.is_empty()).then(|| (Some(path.to_owned()), name.to_owned()))
}

/// `lxc-start -F -n NAME [-P LXC_PATH]`: a monitor in the foreground keeps its command line.
fn parse_start(line: &[u8]) -> Option<(Option<PathBuf>, String)> {
    let mut words = line.split(|byte| *byte == 0).map(|word| std::str::from_utf8(word).ok()).map_while(|word| word);
    let program = words.next()?.rsplit('/').next()?;
    if !matches!(program, "lxc-start" | "lxc-execute") {
        return None;
    }
    let (mut path, mut name, mut plain) = (None, None, None);
    while let Some(word) = words.next() {
        match word {
            "-n" | "--name" => name = words.next(),
            "-P" | "--lxcpath" => path = words.next(),
            "-f" | "--rcfile" | "-c" | "--console" | "-L" | "--console-log" | "-p" | "--pidfile" | "-s"
            | "--define" | "-o" | "--logfile" | "-l" | "--logpriority" => drop(words.next()),
            "--" => break,
            _ => {
                if let Some(value) = word.strip_prefix("--name=").or_else(|| word.strip_prefix("-n")) {
                    name = Some(value);
                } else if let Some(value) = word.strip_prefix("--lxcpath=").or_else(|| word.strip_prefix("-P")) {
                    path = Some(value);
                } else if !word.starts_with('-') && !word.is_empty() {
                    plain = plain.or(Some(word));
                }
            }
        }
    }
    let name = name.or(plain).filter(|name| !name.is_empty())?;
    Some((path.map(PathBuf::from), name.to_owned()))
}

fn parse_status(text: &str) -> Option<Status> {
    let mut status = Status::default();
    let mut seen = 0;
    for line in text.lines() {
        // The name comes first and is escaped by the kernel: it cannot look like another line.
        let Some((key, rest)) = line.split_once(':') else { continue };
        let mut numbers = rest.split_ascii_whitespace().filter_map(|number| number.parse::<u32>().ok());
        match key {
            "PPid" => status.parent = numbers.next()?,
            "Uid" => status.uid = numbers.next()?,
            "NSpid" => status.numbers = numbers.collect(),
            _ => continue,
        }
        seen += 1;
    }
    (seen == 3).then_some(status)
}

/// The payload's path out of `/proc/PID/cgroup`. The first component with LXC's prefix counts: what stands behind it the
/// guest may have made itself. LXC before 4, and Proxmox, use `lxc/NAME`.
fn parse_payload(text: &str) -> Option<String> {
    let mut found = None;
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (hierarchy, path) = (fields.next()?, fields.nth(1)?);
        let mut taken: Vec<&str> = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let inside_lxc = taken.last() == Some(&"lxc");
            taken.push(part);
            if part.starts_with(super::cgroup::PAYLOAD) || inside_lxc {
                let payload = taken.join("/");
                if hierarchy == "0" {
                    return Some(payload);
                }
                found.get_or_insert(payload);
                break;
            }
        }
    }
    found
}

#[cfg(test)]
#[path = "proc_tests.rs"]
mod tests;
