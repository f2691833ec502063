//! A guest as it stands at one moment.

use super::lxc::Facts;
use super::{Error, GuestRoot, Name};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How a guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing of it runs.
    Stopped,
    /// Its first process is there, but still sees the host's root.
    Starting,
    /// It runs in its own root.
    Running,
    /// It runs, but no process of it gets any time.
    Frozen,
}

impl State {
    /// All states, in the order of a life; for metrics.
    pub const ALL: [State; 4] = [State::Stopped, State::Starting, State::Running, State::Frozen];

    /// The state in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Running => "running",
            State::Frozen => "frozen",
        }
    }

    /// Tells whether the guest has a root of its own that can be reached through its first process.
    pub fn is_live(self) -> bool {
        matches!(self, State::Running | State::Frozen)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A guest's first process, as the host sees it. Both numbers together are never used twice while the host is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Init {
    /// Its number in the host's view.
    pub pid: u32,
    /// When it was started, in clock ticks since the host's boot (proc(5), `stat`, field 22).
    pub start_time: u64,
}

/// A guest. A value: it is replaced, never changed, when something about the guest changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// The name everywhere in hids.
    pub name: Name,
    /// The name that LXC knows: the folder's.
    pub lxc_name: String,
    /// The LXC path that it lies under.
    pub lxc_path: PathBuf,
    /// Its folder: `LXC_PATH/NAME`.
    pub dir: PathBuf,
    /// How it is.
    pub state: State,
    /// Its first process; absent when stopped.
    pub init: Option<Init>,
    /// When it was first seen by this run of hids.
    pub seen: SystemTime,
    /// It was there already when hids looked for the first time.
    pub from_start: bool,
    /// What its configuration says.
    pub facts: Facts,
}

impl Guest {
    /// The location that alerts name for a file of the guest: `LXC_PATH/NAME/rootfs/PATH`, also where that folder is
    /// empty on the host (design 2.4).
    pub fn location(&self, path: &Path) -> PathBuf {
        self.dir.join("rootfs").join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The location that alerts name for the guest's journal: `LXC_PATH/NAME/journald`.
    pub fn journal_location(&self) -> PathBuf {
        self.dir.join("journald")
    }

    /// Opens the guest's root as it is now: through its first process when it runs, from disk when it is stopped and
    /// its root is a folder there.
    ///
    /// # Errors
    ///
    /// Those of [`GuestRoot::live`] and [`GuestRoot::at_rest`].
    pub fn root(&self) -> Result<GuestRoot, Error> {
        match self.init {
            Some(init) => GuestRoot::live(&self.name, init, Path::new("/proc")),
            None => GuestRoot::at_rest(&self.name, &self.lxc_path, &self.lxc_name, &self.facts.rootfs),
        }
    }
}
