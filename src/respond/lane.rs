//! One gateway as the desk sees it, and what it is told in one batch.

use super::config::Gateway;
use super::reach::{Op, Sets};
use super::turns::Turns;
use ipnet::IpNet;

/// What one gateway is to be told, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub id: u64,
    pub name: String,
    pub set_v4: Option<String>,
    pub set_v6: Option<String>,
    pub dry: bool,
    pub queue: Turns,
    /// What its sets are like, once they have been read.
    pub sets: Option<Sets>,
    pub up: bool,
    pub error: Option<String>,
    /// It works, but not as meant.
    pub odd: Option<String>,
    /// The gateway has left the configuration: its worker ends.
    pub retired: bool,
    /// The worker is to look whether the gateway is still the one it knows.
    pub look: bool,
    /// How many reconciliations were asked for, and how many have been answered.
    pub sync_asked: u64,
    pub sync_done: u64,
    pub report: Report,
}

impl Lane {
    pub fn new(id: u64, gateway: &Gateway) -> Self {
        Self {
            id,
            name: gateway.name.clone(),
            set_v4: gateway.set_v4.clone(),
            set_v6: gateway.set_v6.clone(),
            dry: gateway.dry_run,
            ..Self::default()
        }
    }
}

/// What a reconciliation found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries of the gateway's sets that are blocks of ours.
    pub agree: usize,
    /// Blocks that were missing and are put in again.
    pub lost: usize,
    /// Entries that somebody else put there; left alone.
    pub foreign: usize,
    /// What kept it from reconciling.
    pub error: Option<String>,
}

/// One piece of a worker's batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub net: IpNet,
    pub revision: u64,
    pub op: Op,
    /// The address was not in the set by our doing before.
    pub fresh: bool,
}

/// How a task ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    Done,
    Failed(String),
    /// The gateway could not be reached: it waits on.
    Again,
}
