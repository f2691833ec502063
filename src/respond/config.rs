//! What the configuration says about responses.

use super::words::{self, SetName};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The program whose name in a `<command>` means the built-in gateway response (design 2.2).
pub const GATEWAY_PROGRAM: &str = "ipset.sh";

/// Everything that responses need to know.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The `<active-response>` sections in file order, disabled ones included.
    pub responses: Vec<Response>,
    /// The `<gateway>` sections. Without one nothing is blocked here.
    pub gateways: Vec<Gateway>,
    /// Limits on blocks that responses cause.
    pub limits: Limits,
    /// `<respond>` of `<guests>`: may events of guests cause responses.
    pub guests_respond: Switch,
    /// Overrides by guest name.
    pub guests: BTreeMap<String, Overrides>,
    /// `<white_list>` entries as written, in order.
    pub white_list: Vec<String>,
    /// Where OSSEC's line about each run is appended (spec/response.md 5); `None`: nowhere.
    pub log: Option<ResponseLog>,
}

/// A yes that must be said no to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(pub bool);

impl Default for Switch {
    fn default() -> Self {
        Self(true)
    }
}

/// One `<active-response>` with its `<command>` (spec/config.md 9).
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// Name of the command.
    pub command: String,
    /// The command's program, a plain file name.
    pub executable: String,
    /// The command expects a source address; without, nothing can be blocked.
    pub expect_srcip: bool,
    /// Runs for rules of this level and above.
    pub level: Option<u32>,
    /// Runs for these rules.
    pub rules_id: Vec<u32>,
    /// Runs for rules whose whole group text this `os_regex` finds.
    pub rules_group: Option<crate::pattern::Pattern>,
    /// How long; zero: no undo.
    pub timeout: Duration,
    /// This section is switched off.
    pub disabled: bool,
}

/// One `<gateway>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// How lists and metrics call it: the guest's name, the ssh address, or `local`; unique.
    pub name: String,
    /// How to get there.
    pub transport: Transport,
    /// Set for IPv4 addresses: ipset's name, or `FAMILY TABLE SET` for nftables.
    pub set_v4: Option<String>,
    /// Set for IPv6 addresses.
    pub set_v6: Option<String>,
    /// Who keeps the sets.
    pub backend: Backend,
    /// Blocks are recorded and shown, and the gateway is left alone.
    pub dry_run: bool,
    /// Missing sets are created.
    pub create_sets: bool,
    /// 128, or 64: IPv6 attackers are counted and blocked by /64 where the set is a `hash:net`.
    pub ipv6_prefix: u8,
    /// Open connections of a newly blocked address are ended as well (conntrack).
    pub cut_established: bool,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            name: "local".into(),
            transport: Transport::Local,
            set_v4: Some("global-blk4".into()),
            set_v6: Some("global-blk6".into()),
            backend: Backend::Ipset,
            dry_run: false,
            create_sets: false,
            ipv6_prefix: 128,
            cut_established: false,
        }
    }
}

/// How a gateway is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// The host's own programs in this guest's network namespace.
    Nsenter {
        /// The guest's name.
        guest: String,
    },
    /// A kept ssh session.
    Ssh {
        /// `[USER@]HOST`.
        address: String,
        /// Port; ssh's own default if absent.
        port: Option<u16>,
        /// Private key.
        identity_file: Option<PathBuf>,
        /// File of known host keys; a host that it does not name is refused.
        known_hosts: Option<PathBuf>,
    },
    /// The host's own sets.
    Local,
}

/// Who keeps the sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// `ipset`.
    #[default]
    Ipset,
    /// `nft`.
    Nftables,
}

/// Limits on blocks that responses cause; blocks by hand are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// New blocks within a minute, for each guest.
    pub blocks_per_minute: u32,
    /// Blocks that stand at the same time, for each guest.
    pub blocks_live: u32,
    /// Blocks that stand at the same time, of all guests.
    pub blocks_live_total: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { blocks_per_minute: 60, blocks_live: 1_000, blocks_live_total: 10_000 }
    }
}

/// What is different for one guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overrides {
    /// May its events cause responses.
    pub respond: Option<bool>,
    /// Its blocks are only recorded.
    pub dry_run: Option<bool>,
    /// Limit of new blocks within a minute.
    pub blocks_per_minute: Option<u32>,
    /// Limit of blocks that stand at the same time.
    pub blocks_live: Option<u32>,
}

/// Where OSSEC's line about each run of a response goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseLog {
    /// `active-responses.log`.
    pub path: PathBuf,
    /// The path that stands for the program in the line; existing rules want `/active-response/bin/` in it.
    pub program: String,
}

impl Config {
    /// Whether events of a guest (`host`: the host) may cause responses.
    pub fn responds(&self, guest: &str) -> bool {
        let own = self.guests.get(guest).and_then(|o| o.respond);
        own.unwrap_or(guest == crate::guest::id::HOST || self.guests_respond.0)
    }

    /// Whether blocks that a guest's events cause are only recorded.
    pub fn dry_run(&self, guest: &str) -> bool {
        self.guests.get(guest).and_then(|o| o.dry_run).unwrap_or(false)
    }

    /// The limits that hold for a guest.
    pub fn limits(&self, guest: &str) -> Limits {
        let own = self.guests.get(guest).copied().unwrap_or_default();
        Limits {
            blocks_per_minute: own.blocks_per_minute.unwrap_or(self.limits.blocks_per_minute),
            blocks_live: own.blocks_live.unwrap_or(self.limits.blocks_live),
            blocks_live_total: self.limits.blocks_live_total,
        }
    }

    /// The prefix by which IPv6 attackers are counted: 64 only where every gateway says so.
    pub fn ipv6_prefix(&self) -> u8 {
        let wide = !self.gateways.is_empty() && self.gateways.iter().all(|g| g.ipv6_prefix == 64);
        if wide { 64 } else { 128 }
    }

    /// Everything about the gateways that cannot work, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, gateway) in self.gateways.iter().enumerate() {
            found.extend(gateway.problems());
            if self.gateways[..at].iter().any(|g| g.name == gateway.name) {
                found.push(format!("gateway {}: two gateways have this name", gateway.name));
            }
        }
        if self.gateways.iter().any(|g| g.ipv6_prefix != self.ipv6_prefix()) {
            found.push("gateways: ipv6_prefix must be the same for all of them".into());
        }
        found
    }

    /// The enabled responses that this room does not run, by their program: with a gateway it runs [`GATEWAY_PROGRAM`].
    pub fn left_out(&self) -> Vec<&Response> {
        self.responses.iter().filter(|r| !r.disabled && !self.is_gateway_response(r)).collect()
    }

    /// Whether the built-in gateway response takes the place of the section's program.
    pub fn is_gateway_response(&self, response: &Response) -> bool {
        response.executable == GATEWAY_PROGRAM && response.expect_srcip && !self.gateways.is_empty()
    }
}

impl Gateway {
    /// What of it cannot work. Set names and addresses are checked strictly, since they travel to another machine's
    /// shell.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut complain = |what: String| found.push(format!("gateway {}: {what}", self.name));
        for (key, set) in [("set_v4", &self.set_v4), ("set_v6", &self.set_v6)] {
            if let Some(text) = set
                && let Err(why) = SetName::parse(self.backend, text)
            {
                complain(format!("{key}: {why}"));
            }
        }
        if self.set_v4.is_none() && self.set_v6.is_none() {
            complain("it has neither set_v4 nor set_v6".into());
        }
        if self.set_v4.is_some() && self.set_v4 == self.set_v6 {
            complain("set_v4 and set_v6 are the same set".into());
        }
        if ![64, 128].contains(&self.ipv6_prefix) {
            complain(format!("ipv6_prefix: {}: only 64 and 128 are known", self.ipv6_prefix));
        }
        if let Transport::Ssh { address, .. } = &self.transport
            && !words::is_ssh_address(address)
        {
            complain(format!("address: {address:?}: is not [user@]host"));
        }
        found
    }

    /// The configured set for an address's family.
    pub fn set_for(&self, address: IpAddr) -> Option<&str> {
        match address {
            IpAddr::V4(_) => self.set_v4.as_deref(),
            IpAddr::V6(_) => self.set_v6.as_deref(),
        }
    }
}
