//! The room's settings.

use super::FileSpec;
use std::time::Duration;

/// How files are followed. The defaults suit a host with hundreds of guests; tests shorten the times.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to follow.
    pub files: Vec<FileSpec>,
    /// Lines before the saved position that are judged once more at a start, to fill the memory of correlation.
    pub rejudge: Option<Rejudge>,
    /// Threads that read.
    pub readers: usize,
    /// Files that one guest (or the host) may have followed at the same time.
    pub files_per_guest: usize,
    /// How long an incomplete line waits for its end.
    pub idle_flush: Duration,
    /// How long an event of a format with continued lines waits for more of them.
    pub group_flush: Duration,
    /// How long a file that was rotated away, or deleted, is still watched after its last growth. The last one of a path
    /// that was rotated away is watched until the next rotation.
    pub grace: Duration,
    /// How often changed positions are committed.
    pub commit: Duration,
    /// How often a guest's folders are looked at without being told to.
    pub rescan: Duration,
    /// How many looks at its folders one guest may cause in a second, after a burst of twice as many.
    pub looks: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            rejudge: None,
            readers: 3,
            files_per_guest: 1_000,
            idle_flush: Duration::from_secs(10),
            group_flush: Duration::from_secs(1),
            grace: Duration::from_secs(30),
            commit: Duration::from_millis(250),
            rescan: Duration::from_secs(60),
            looks: 10,
        }
    }
}

/// Reads a line's own stamp; the second argument is now. Both in seconds since 1970.
pub type StampOf = fn(&[u8], i64) -> Option<i64>;

/// Which lines are judged again, silently, when a guest's files are taken up where they were left.
#[derive(Debug, Clone, Copy)]
pub struct Rejudge {
    /// The longest timeframe of the rules: older lines would be forgotten anyway.
    pub within: Duration,
    /// Bytes of one file at most.
    pub bytes: u64,
    /// Reads a line's own stamp. Without it all lines within `bytes` are handed in.
    pub stamp: Option<StampOf>,
}
