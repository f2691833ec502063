//! Questions that can be asked of the running daemon, and what its answers look like.
//!
//! The order of a struct's fields is the order of its keys in JSON and of the columns in lists; the keys of guests and
//! blocks are promised to users (design 2.3).

use super::fault::Fault;
use super::time::Time;
use crate::alert::{Filter, Follower, Found};
use serde::{Deserialize, Serialize};
use std::future::Future;

/// The version of questions and answers; both ends must speak the same.
pub const VERSION: u32 = 1;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// How is everything? One [`Status`].
    Status,
    /// Who is there? [`Guest`]s.
    Guests,
    /// What about this one? One [`GuestDetail`].
    Guest {
        /// The guest's name.
        name: String,
    },
    /// Stop judging a guest; its files stay where they are. [`Effect`]s.
    Pause {
        /// The guest's name.
        name: String,
    },
    /// Go on with a paused guest. [`Effect`]s.
    Resume {
        /// The guest's name.
        name: String,
    },
    /// What is followed? [`Source`]s.
    Sources {
        /// Of this guest only (`host`: the host).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guest: Option<String>,
    },
    /// Which alerts were there? Lines as in `alerts.json`, newest first.
    Alerts {
        /// Which.
        filter: Filter,
        /// At most so many.
        limit: usize,
    },
    /// Which alerts come from now on? Lines as in `alerts.json`.
    Follow {
        /// Which.
        filter: Filter,
    },
    /// What is blocked? [`Block`]s.
    Blocks(BlockFilter),
    /// Block an address. [`Effect`]s, one a gateway.
    Block(BlockOrder),
    /// End a block. [`Effect`]s, one a gateway.
    Unblock {
        /// An address or network.
        address: String,
        /// At this gateway only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway: Option<String>,
    },
    /// Why is this address blocked, or why not? One [`Why`].
    Why {
        /// An address.
        address: String,
    },
    /// Compare the ledger with the gateways' sets now, and repair. [`Effect`]s.
    Sync {
        /// This gateway only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway: Option<String>,
    },
    /// Who is never blocked? [`Allowed`]s.
    AllowList,
    /// Never block a network from now on. [`Effect`]s.
    Allow {
        /// An address or network.
        network: String,
        /// Why, for whoever reads the list later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Take back an [`Question::Allow`]. [`Effect`]s.
    Disallow {
        /// The address or network.
        network: String,
    },
    /// Load configuration, decoders and rules again. [`Effect`]s.
    Reload,
}

/// Which blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlockFilter {
    /// Of this gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Caused by this guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// That cover this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Also those that have ended, as far as they are remembered.
    pub ended: bool,
}

/// A block by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockOrder {
    /// An address or network.
    pub address: String,
    /// For so many seconds; `None`: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// At this gateway only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Why, for whoever reads the list later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In spite of the white list (never in spite of the own addresses).
    #[serde(default)]
    pub force: bool,
}

/// Everything on one screen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started.
    pub started: Time,
    /// The configuration that it runs with.
    pub config: String,
    /// When configuration and rules were loaded last.
    pub loaded: Time,
    /// What the last attempt to load them again said, if it failed.
    pub reload_failed: Option<String>,
    /// Rules in force.
    pub rules: u64,
    /// Guests running, stopped, in trouble.
    pub guests: GuestCounts,
    /// Files and journals that are followed.
    pub sources: u64,
    /// Events judged since the start.
    pub events: u64,
    /// Events a second, of late.
    pub events_per_second: f64,
    /// Alerts raised since the start.
    pub alerts: u64,
    /// Addresses blocked now.
    pub blocks: u64,
    /// The gateways.
    pub gateways: Vec<Gateway>,
    /// What is not as it should be, one line each.
    pub warnings: Vec<String>,
    /// The latest alerts, newest first.
    pub last_alerts: Vec<Brief>,
}

/// Guests by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GuestCounts {
    /// Running guests.
    pub running: u64,
    /// Guests that exist and do not run.
    pub stopped: u64,
    /// Guests that are not watched as they should be.
    pub unwell: u64,
}

/// One gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gateway {
    /// Its name: the guest, or the address.
    pub name: String,
    /// `nsenter`, `ssh` or `local`.
    pub transport: String,
    /// `up`, `down`, `dry-run`.
    pub state: String,
    /// What is wrong.
    pub error: Option<String>,
    /// Blocks in force there.
    pub blocks: u64,
    /// When the set was last compared with the ledger.
    pub synced: Option<Time>,
}

/// An alert in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Brief {
    /// When it arrived.
    pub time: Time,
    /// The guest; absent: the host.
    pub guest: Option<String>,
    /// Level of the rule.
    pub level: u32,
    /// Id of the rule.
    pub rule: u32,
    /// What the rule says.
    pub description: String,
    /// The decoded source address.
    pub srcip: Option<String>,
}

/// A guest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Its folder on the host.
    pub path: String,
    /// `running`, `stopped`, `frozen`, `starting`, `paused`, ….
    pub state: String,
    /// Process id of its init, as the host sees it.
    pub pid: Option<u32>,
    /// Where its root is reached.
    pub root: Option<String>,
    /// Files and journals that are followed in it.
    pub sources: u64,
    /// Events judged since the start.
    pub events: u64,
    /// Alerts raised since the start.
    pub alerts: u64,
    /// When its last event arrived.
    pub last_event: Option<Time>,
    /// `ok`, or what is wrong.
    pub health: String,
}

/// A guest, and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GuestDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub guest: Guest,
    /// What is followed.
    pub followed: Vec<Source>,
    /// Its addresses, as far as the host knows them.
    pub addresses: Vec<String>,
    /// Addresses blocked because of its events.
    pub blocks: u64,
    /// May its events cause responses?
    pub respond: bool,
    /// Its health in more words, one finding a line.
    pub notes: Vec<String>,
}

/// A followed file or journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source {
    /// The guest; absent: the host.
    pub guest: Option<String>,
    /// The guest's own path, or `journal`.
    pub path: String,
    /// How far it was read and dealt with.
    pub position: Position,
    /// Bytes that are there and not yet read, where that can be told.
    pub lag: Option<u64>,
    /// When its last line was read.
    pub last_line: Option<Time>,
    /// Lines read since the start.
    pub lines: u64,
    /// Bytes that were lost before they could be read.
    pub lost: u64,
    /// `ok`, `missing`, or what is wrong.
    pub health: String,
}

/// How far a source was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Position {
    /// A byte offset in a file.
    Offset(u64),
    /// A journal's cursor.
    Cursor(String),
}

impl Default for Position {
    fn default() -> Self {
        Position::Offset(0)
    }
}

/// A blocked address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Block {
    /// The address or network.
    pub address: String,
    /// Where.
    pub gateway: String,
    /// In which set; a script's block has the script's name here.
    pub set: String,
    /// `blocked`, `pending`, `missing` (the gateway disagrees), `ended`, ….
    pub state: String,
    /// The guest whose events caused it; absent: the host, or by hand.
    pub guest: Option<String>,
    /// The rule that caused it; absent: by hand.
    pub rule: Option<u32>,
    /// Since when.
    pub since: Option<Time>,
    /// Until when; absent: for ever.
    pub until: Option<Time>,
    /// How often it was asked for.
    pub count: u64,
    /// Why.
    pub reason: Option<String>,
}

/// Somebody who is never blocked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Allowed {
    /// The address or network.
    pub network: String,
    /// Who says so: `white_list`, `host`, `guest`, `gateway`, `loopback`, `added`, ….
    pub origin: String,
    /// Since when, for what was added by hand.
    pub since: Option<Time>,
    /// Why.
    pub reason: Option<String>,
}

/// What there is to say about one address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Why {
    /// The address.
    pub address: String,
    /// Its blocks, also those that have ended.
    pub blocks: Vec<Block>,
    /// What protects it from being blocked.
    pub allowed: Vec<Allowed>,
    /// The latest alerts that name it, newest first.
    pub alerts: Vec<Brief>,
}

/// What came of an order, at one gateway or guest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effect {
    /// What it was about: an address, a guest, a file.
    pub subject: String,
    /// The gateway, where one is concerned.
    pub gateway: Option<String>,
    /// Whether it is as ordered now.
    pub done: bool,
    /// What happened, or why not.
    pub message: String,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// User id.
    pub uid: u32,
    /// Process id, where the kernel tells it.
    pub pid: Option<i32>,
}

/// What the daemon must be able to answer. Implementations look at snapshots and answer soon: the server cuts them off
/// at its deadline.
pub trait Answer: Send + Sync + 'static {
    /// Answers [`Question::Status`].
    fn status(&self) -> impl Future<Output = Result<Status, Fault>> + Send;
    /// Answers [`Question::Guests`].
    fn guests(&self) -> impl Future<Output = Result<Vec<Guest>, Fault>> + Send;
    /// Answers [`Question::Guest`].
    fn guest(&self, name: String) -> impl Future<Output = Result<GuestDetail, Fault>> + Send;
    /// Does [`Question::Pause`] (`true`) and [`Question::Resume`].
    fn pause(&self, name: String, paused: bool, by: Peer) -> impl Future<Output = Result<Vec<Effect>, Fault>> + Send;
    /// Answers [`Question::Sources`].
    fn sources(&self, guest: Option<String>) -> impl Future<Output = Result<Vec<Source>, Fault>> + Send;
    /// Answers [`Question::Alerts`].
    fn alerts(&self, filter: Filter, limit: usize) -> impl Future<Output = Result<Found, Fault>> + Send;
    /// Answers [`Question::Follow`].
    fn follow(&self, filter: Filter) -> impl Future<Output = Result<Follower, Fault>> + Send;
    /// Answers [`Question::Blocks`].
    fn blocks(&self, filter: BlockFilter) -> impl Future<Output = Result<Vec<Block>, Fault>> + Send;
    /// Does [`Question::Block`].
    fn block(&self, order: BlockOrder, by: Peer) -> impl Future<Output = Result<Vec<Effect>, Fault>> + Send;
    /// Does [`Question::Unblock`].
    fn unblock(
        &self,
        address: String,
        gateway: Option<String>,
        by: Peer,
    ) -> impl Future<Output = Result<Vec<Effect>, Fault>> + Send;
    /// Answers [`Question::Why`].
    fn why(&self, address: String) -> impl Future<Output = Result<Why, Fault>> + Send;
    /// Does [`Question::Sync`].
    fn sync(&self, gateway: Option<String>, by: Peer) -> impl Future<Output = Result<Vec<Effect>, Fault>> + Send;
    /// Answers [`Question::AllowList`].
    fn allow_list(&self) -> impl Future<Output = Result<Vec<Allowed>, Fault>> + Send;
    /// Does [`Question::Allow`].
    fn allow(
        &self,
        network: String,
        reason: Option<String>,
        by: Peer,
    ) -> impl Future<Output = Result<Vec<Effect>, Fault>> + Send;
    /// Does [`Question::Disallow`].
    fn disallow(&self, network: String, by: Peer) -> impl Future<Output = Result<Vec<Effect>, Fault>> + Send;
    /// Does [`Question::Reload`].
    fn reload(&self, by: Peer) -> impl Future<Output = Result<Vec<Effect>, Fault>> + Send;
}

/// An alert's JSON line in a few words; `None` where the line is no alert.
pub fn brief(line: &str) -> Option<Brief> {
    #[derive(Deserialize)]
    struct Line {
        rule: Rule,
        #[serde(rename = "TimeStamp")]
        milliseconds: i64,
        #[serde(default)]
        srcip: Option<String>,
        #[serde(default)]
        guest: Option<String>,
    }
    #[derive(Deserialize)]
    struct Rule {
        level: u32,
        sidid: u32,
        #[serde(default)]
        comment: String,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    Some(Brief {
        time: Time(line.milliseconds.div_euclid(1_000)),
        guest: line.guest,
        level: line.rule.level,
        rule: line.rule.sidid,
        description: line.rule.comment,
        srcip: line.srcip,
    })
}
