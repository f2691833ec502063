//! Cgroups as witnesses: which guests have processes, and which are frozen.
//!
//! LXC puts a guest's processes into `lxc.payload.NAME` and its monitor into `lxc.monitor.NAME`, with `-1`, `-2` …
//! behind the name where the plain one is taken: the cgroup's name is not the guest's name, and an empty folder (a
//! failed start leaves one) is no guest. Version 2, version 1 and both side by side are known.

use crate::sys::hostfile;
use std::path::{Path, PathBuf};

/// What payload cgroups begin with.
pub const PAYLOAD: &str = "lxc.payload.";
/// What monitor cgroups begin with.
pub const MONITOR: &str = "lxc.monitor.";
/// Entries of one parent that are looked at.
const ENTRIES: usize = 16_384;
/// Cgroups below one payload that are searched for its first process: the guest may have made any number.
const SEARCHED: usize = 64;
/// Processes that are looked at in one cgroup.
const PROCESSES: usize = 512;

/// The cgroup file systems, wherever they are mounted.
#[derive(Debug, Clone)]
pub struct Cgroups {
    /// The hierarchy that is looked at: version 2 where there is one.
    root: PathBuf,
    /// Version 1's freezer, where there is one.
    freezer: Option<PathBuf>,
    version_2: bool,
}

/// How a payload stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// At least one process lives in it.
    pub populated: bool,
    /// All of it is frozen.
    pub frozen: bool,
}

impl Cgroups {
    /// Looks below `base` (`/sys/fs/cgroup`) for what is mounted there. None where there are no cgroups at all: guests
    /// are then found by their monitors only.
    pub fn find(base: &Path) -> Option<Self> {
        let freezer = Some(base.join("freezer")).filter(|path| path.join("cgroup.procs").exists());
        for root in [base.to_owned(), base.join("unified")] {
            if root.join("cgroup.controllers").exists() {
                return Some(Self { root, freezer, version_2: true });
            }
        }
        let version_1 = ["systemd", "freezer", "pids", "memory", "devices"];
        let root = version_1.iter().map(|name| base.join(name)).find(|path| path.join("cgroup.procs").exists())?;
        Some(Self { root, freezer, version_2: false })
    }

    /// The folder of a cgroup, given below the root.
    pub fn path(&self, cgroup: &str) -> PathBuf {
        self.root.join(cgroup)
    }

    /// Lists the cgroups of a parent (below the root; the empty string is the root) whose names begin with `prefix`, as
    /// paths below the root.
    pub fn list(&self, parent: &str, prefix: &str) -> Vec<String> {
        let names = hostfile::list(&self.root.join(parent), ENTRIES).unwrap_or_default();
        let names = names.into_iter().filter_map(|name| name.into_string().ok());
        let below = |name: String| if parent.is_empty() { name } else { format!("{parent}/{name}") };
        names.filter(|name| name.starts_with(prefix)).map(below).collect()
    }

    /// Tells how a payload stands; a cgroup that is gone stands empty.
    pub fn standing(&self, payload: &str) -> Standing {
        let folder = self.root.join(payload);
        let frozen_1 = self.freezer.as_ref().is_some_and(|freezer| {
            let state = hostfile::read_text(&freezer.join(payload).join("freezer.state"), 64);
            state.is_ok_and(|state| matches!(state.trim(), "FROZEN" | "FREEZING"))
        });
        if self.version_2 {
            let events = hostfile::read_text(&folder.join("cgroup.events"), 4096).unwrap_or_default();
            let is = |key: &str| events.lines().any(|line| line.strip_prefix(key) == Some(" 1"));
            Standing { populated: is("populated"), frozen: is("frozen") || frozen_1 }
        } else {
            let populated = self.search(payload, |_| Some(())).is_some();
            Standing { populated, frozen: frozen_1 }
        }
    }

    /// The files whose changes announce that a payload was frozen or thawed: version 2's `cgroup.events`, which the kernel
    /// touches, and version 1's `freezer.state`, which whoever freezes it writes.
    pub fn announcers(&self, payload: &str) -> Vec<PathBuf> {
        let events = self.version_2.then(|| self.root.join(payload).join("cgroup.events"));
        let state = self.freezer.as_ref().map(|freezer| freezer.join(payload).join("freezer.state"));
        events.into_iter().chain(state).collect()
    }

    /// The processes directly in a cgroup, in our process namespace; 0 (those that we cannot see) left out.
    pub fn processes(&self, cgroup: &str) -> Vec<u32> {
        processes_in(&self.root.join(cgroup))
    }

    /// Walks the processes of a payload and below, until `wanted` gives an answer. Bounded.
    pub fn search<T>(&self, payload: &str, mut wanted: impl FnMut(u32) -> Option<T>) -> Option<T> {
        // Where systemd and lxc-attach put them; the rest in the order of the walk.
        let mut folders = vec![self.root.join(payload)];
        let mut at = 0;
        while at < folders.len() {
            let folder = folders[at].clone();
            at += 1;
            if let Some(answer) = processes_in(&folder).into_iter().find_map(&mut wanted) {
                return Some(answer);
            }
            if folders.len() < SEARCHED {
                let room = SEARCHED - folders.len();
                let mut below: Vec<PathBuf> = Vec::new();
                let init = folder.join("init.scope");
                if init.is_dir() {
                    below.push(init);
                }
                for name in hostfile::list(&folder, 256).unwrap_or_default() {
                    let path = folder.join(&name);
                    if below.len() >= room {
                        break;
                    }
                    if name != "init.scope" && path.is_dir() {
                        below.push(path);
                    }
                }
                folders.extend(below.into_iter().take(room));
            }
        }
        None
    }
}

fn processes_in(folder: &Path) -> Vec<u32> {
    let text = hostfile::read_text(&folder.join("cgroup.procs"), 16 * 1024).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).take(PROCESSES).collect()
}

/// The names that a guest with this payload may have, the likelier one first: `web-1` may be the guest `web-1`, or a
/// second guest called `web`.
pub fn names_of(payload: &str) -> Vec<&str> {
    let last = payload.rsplit('/').next().unwrap_or(payload);
    let name = last.strip_prefix(PAYLOAD).unwrap_or(last);
    let mut names = vec![name];
    if let Some((short, number)) = name.rsplit_once('-')
        && !short.is_empty()
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        names.push(short);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn base() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn cgroup(folder: &Path, procs: &str, events: &str) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("cgroup.procs"), procs).unwrap();
        fs::write(folder.join("cgroup.events"), events).unwrap();
    }

    #[test]
    fn all_three_ways_of_mounting_are_known() {
        let none = base();
        assert!(Cgroups::find(none.path()).is_none());
        let pure = base();
        fs::write(pure.path().join("cgroup.controllers"), "").unwrap();
        cgroup(&pure.path().join("lxc.payload.web"), "7\n0\n", "populated 1\nfrozen 1\n");
        let found = Cgroups::find(pure.path()).unwrap();
        assert_eq!(found.standing("lxc.payload.web"), Standing { populated: true, frozen: true });
        assert_eq!(found.list("", PAYLOAD), ["lxc.payload.web"]);
        assert_eq!(found.processes("lxc.payload.web"), [7]);
        let hybrid = base();
        fs::create_dir(hybrid.path().join("unified")).unwrap();
        fs::write(hybrid.path().join("unified/cgroup.controllers"), "").unwrap();
        cgroup(&hybrid.path().join("unified/lxc.payload.web"), "", "populated 1\nfrozen 0\n");
        cgroup(&hybrid.path().join("freezer"), "", "");
        fs::create_dir(hybrid.path().join("freezer/lxc.payload.web")).unwrap();
        fs::write(hybrid.path().join("freezer/lxc.payload.web/freezer.state"), "FROZEN\n").unwrap();
        let found = Cgroups::find(hybrid.path()).unwrap();
        assert_eq!(found.standing("lxc.payload.web"), Standing { populated: true, frozen: true });
        let old = base();
        cgroup(&old.path().join("pids"), "", "");
        cgroup(&old.path().join("pids/lxc.payload.web/init.scope"), "12\n", "");
        let found = Cgroups::find(old.path()).unwrap();
        assert_eq!(found.standing("lxc.payload.web"), Standing { populated: true, frozen: false });
        assert_eq!(found.standing("lxc.payload.gone"), Standing::default());
        assert!(found.announcers("lxc.payload.web").is_empty());
    }

    #[test]
    fn a_folder_alone_is_not_a_guest() {
        let pure = base();
        fs::write(pure.path().join("cgroup.controllers"), "").unwrap();
        cgroup(&pure.path().join("lxc.payload.web"), "", "populated 0\nfrozen 0\n");
        assert!(!Cgroups::find(pure.path()).unwrap().standing("lxc.payload.web").populated);
    }

    #[test]
    fn the_search_below_a_payload_is_bounded() {
        let pure = base();
        fs::write(pure.path().join("cgroup.controllers"), "").unwrap();
        for number in 0..300 {
            cgroup(&pure.path().join(format!("lxc.payload.web/{number}")), "1\n", "");
        }
        cgroup(&pure.path().join("lxc.payload.web/init.scope"), "2\n", "");
        let found = Cgroups::find(pure.path()).unwrap();
        let mut looked = 0;
        let none: Option<()> = found.search("lxc.payload.web", |_| {
            looked += 1;
            None
        });
        assert!(none.is_none() && looked <= SEARCHED, "{looked}");
        assert_eq!(found.search("lxc.payload.web", |pid| (pid == 2).then_some(pid)), Some(2));
    }

    #[test]
    fn a_number_behind_the_name_may_be_lxcs() {
        assert_eq!(names_of("lxc.payload.web"), ["web"]);
        assert_eq!(names_of("guests/lxc.payload.web-1"), ["web-1", "web"]);
        assert_eq!(names_of("lxc/100"), ["100"]);
        assert_eq!(names_of("lxc.payload.a-b"), ["a-b"]);
        assert_eq!(names_of("lxc.payload.-1"), ["-1"]);
    }
}
