//! One block, and how far it has come on each gateway.

use super::clock::Millis;
use super::ledger::Record;
use ipnet::IpNet;
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// The name under which blocks by hand wait their turn.
pub(super) const BY_HAND: &str = "";

/// A network that is blocked, or was and is being taken out.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub net: IpNet,
    /// The attacker, where `net` was widened to a prefix.
    pub address: Option<IpAddr>,
    pub since: Millis,
    pub until: Option<Millis>,
    pub count: u64,
    /// `None`: by hand.
    pub guest: Option<Arc<str>>,
    pub rule: Option<u32>,
    pub reason: Arc<str>,
    pub alert: Option<Arc<str>>,
    pub forced: bool,
    pub dry: bool,
    pub aim: Aim,
    /// Changes with every change of what the gateways are to be told; unique in the life of the desk.
    pub revision: u64,
    /// When the offending line was read; taken once the block is first in force.
    pub read_at: Option<Instant>,
    /// By position of the gateway's lane.
    pub places: Vec<Place>,
}

/// What is to become of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// It is to stand.
    Stand,
    /// Its time is over.
    Expire,
    /// Somebody wants it gone before its time.
    Remove,
}

/// How far a block has come on one gateway.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub state: State,
    /// A command that adds it may have reached the gateway.
    pub told: bool,
    /// The block's revision that the gateway has, or has refused.
    pub settled: u64,
}

/// How far a block has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// The gateway has not been told yet, or cannot be reached.
    #[default]
    Pending,
    /// It is in the set.
    Active,
    /// It is to be taken out of the set.
    Removing,
    /// It is out of the set: nothing remains to be done.
    Gone,
    /// Recorded only, as asked for.
    DryRun,
    /// The gateway refuses it, and why; tried again every half minute.
    Failed(String),
}

impl State {
    /// The word for lists and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Removing => "removing",
            Self::Gone => "expired",
            Self::DryRun => "dry_run",
            Self::Failed(_) => "failed",
        }
    }

    /// All words that [`word`](Self::word) gives for blocks that are listed.
    pub const WORDS: [&'static str; 5] = ["pending", "active", "removing", "dry_run", "failed"];
}

/// A block on one gateway, as lists show it (design 2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockView {
    /// The address, or the network with its prefix.
    pub address: String,
    /// The gateway's name.
    pub gateway: String,
    /// The set's name.
    pub set: String,
    /// `pending`, `active`, `removing`, `dry_run` or `failed`.
    pub state: String,
    /// Whose event led to it (`host` for the host's); `None`: by hand.
    pub guest: Option<String>,
    /// The rule; `None`: by hand.
    pub rule: Option<u32>,
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub since: i64,
    /// When it ends, in the same seconds; `None`: it does not.
    pub until: Option<i64>,
    /// How often the attacker was seen.
    pub count: u64,
    /// The rule's description or what was said by hand; where it failed, why.
    pub reason: String,
}

impl Block {
    /// The guest that waits its turn with it.
    pub fn turn(&self) -> Arc<str> {
        self.guest.clone().unwrap_or_else(|| Arc::from(BY_HAND))
    }

    /// As the ledger writes it.
    pub fn record(&self, now: Millis) -> Record {
        Record {
            net: self.net,
            address: self.address,
            since: self.since,
            until: self.until,
            at: now,
            count: self.count,
            guest: self.guest.as_deref().map(str::to_owned),
            rule: self.rule,
            reason: self.reason.to_string(),
            alert: self.alert.as_deref().map(str::to_owned),
            forced: self.forced,
            dry: self.dry,
            removing: self.aim == Aim::Remove,
        }
    }

    /// As the ledger remembers it. A clock that was set back since makes it no longer than it was when written.
    pub fn from_record(record: Record, now: Millis, revision: u64, places: usize) -> Self {
        let left = record.until.map(|until| until.saturating_sub(record.at));
        let until = record.until.zip(left).map(|(until, left)| until.min(now.saturating_add(left)));
        Self {
            net: record.net,
            address: record.address,
            since: record.since,
            until,
            count: record.count,
            guest: record.guest.map(Arc::from),
            rule: record.rule,
            reason: Arc::from(record.reason),
            alert: record.alert.map(Arc::from),
            forced: record.forced,
            dry: record.dry,
            aim: if record.removing { Aim::Remove } else { Aim::Stand },
            revision,
            read_at: None,
            places: vec![Place { state: State::Pending, told: true, settled: 0 }; places],
        }
    }

    /// The row of one of its gateways.
    pub fn view(&self, place: &Place, gateway: &str, set: Option<&str>) -> BlockView {
        let reason = match &place.state {
            State::Failed(why) if self.reason.is_empty() => why.clone(),
            State::Failed(why) => format!("{} ({why})", self.reason),
            _ => self.reason.to_string(),
        };
        BlockView {
            address: shown(&self.net),
            gateway: gateway.to_owned(),
            set: set.unwrap_or("").to_owned(),
            state: place.state.word().to_owned(),
            guest: self.guest.as_ref().map(ToString::to_string),
            rule: self.rule,
            since: self.since.div_euclid(1_000),
            until: self.until.map(|until| until.saturating_add(999).div_euclid(1_000)),
            count: self.count,
            reason,
        }
    }
}

/// A single address without its prefix length, a network with it.
pub fn shown(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
