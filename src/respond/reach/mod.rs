//! The way to a gateway's sets.

pub mod call;
pub mod ipset;
pub mod local;
pub mod nftables;
pub mod nsenter;
pub mod programs;
pub mod ssh;

use super::config::{Backend, Gateway, Transport};
use super::words::SetName;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

pub use crate::guest::Init as InitPid;

/// Tells the first process of a running guest by the guest's name; cheap, from a snapshot.
pub type FindInit = Arc<dyn Fn(&str) -> Option<InitPid> + Send + Sync>;

/// What to do with one address or network. The set follows from the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Put it in, or give it a new time.
    Add {
        /// Who.
        net: IpNet,
        /// Seconds until the set itself lets it go, 0: never; `None`: the set keeps no times.
        timeout: Option<u64>,
    },
    /// Take it out; absent is fine.
    Delete {
        /// Who.
        net: IpNet,
    },
}

impl Op {
    /// Whom it is about.
    pub fn net(&self) -> &IpNet {
        match self {
            Self::Add { net, .. } | Self::Delete { net } => net,
        }
    }
}

/// What stands in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub net: IpNet,
    /// Seconds left, 0: for ever; `None`: the set keeps no times.
    pub timeout: Option<u64>,
}

/// What kind of set it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFacts {
    /// Its name as configured.
    pub name: String,
    /// It holds networks, not only addresses.
    pub networks: bool,
    /// It ends entries itself. Without, the ledger has to.
    pub timeout: bool,
    /// How many entries fit.
    pub max: Option<u64>,
    /// How many firewall rules look at it; 0 means that blocks have no effect.
    pub references: Option<u64>,
}

/// The sets of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sets {
    /// For IPv4.
    pub v4: Option<SetFacts>,
    /// For IPv6.
    pub v6: Option<SetFacts>,
}

impl Sets {
    /// The set that holds a family's addresses.
    pub fn of(&self, net: &IpNet) -> Option<&SetFacts> {
        match net {
            IpNet::V4(_) => self.v4.as_ref(),
            IpNet::V6(_) => self.v6.as_ref(),
        }
    }
}

/// What went wrong on the way to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The gateway's guest does not run, or the machine cannot be reached.
    Down,
    /// It is no longer the one that was connected to.
    Changed,
    /// A set is missing.
    Missing,
    /// A set is of a kind that cannot hold such addresses, or no longer keeps times.
    WrongSet,
    /// A set is full.
    Full,
    /// The gateway refused one entry.
    Refused,
    /// No permission.
    Denied,
    /// The program is not there.
    NoProgram,
    /// It did not answer in time.
    Deadline,
    /// Something else.
    Other,
}

/// What went wrong on the way to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    op: Option<usize>,
    text: String,
}

impl Error {
    /// An error that concerns the whole gateway.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, op: None, text: text.into() }
    }

    /// The same error, blamed on one of the operations given.
    #[must_use]
    pub fn at(mut self, op: usize) -> Self {
        self.op = Some(op);
        self
    }

    /// What to make of it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The operation to blame. Whether the others were done is not known; all may be repeated.
    pub fn op(&self) -> Option<usize> {
        self.op
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// A way to the sets of one gateway. All calls block the worker's thread, each within a deadline of its own; all may be
/// repeated, since adding what is there and deleting what is not are successes.
pub trait Reach {
    /// Finds the gateway as it is now; must come before everything else, and again after [`Kind::Changed`].
    ///
    /// # Errors
    ///
    /// [`Kind::Down`] and its like.
    fn connect(&mut self) -> Result<(), Error>;

    /// Whether what [`connect`](Self::connect) found is no longer there. Cheap; called every second while idle.
    fn lost(&mut self) -> bool;

    /// Reads what kind of sets they are, creating missing ones if told to.
    ///
    /// # Errors
    ///
    /// [`Kind::Missing`], [`Kind::WrongSet`], and everything that keeps it from reading.
    fn describe_sets(&mut self, create: bool) -> Result<Sets, Error>;

    /// Does all of it.
    ///
    /// # Errors
    ///
    /// With [`Error::op`] where one operation is to blame; then none, some or all others may have been done.
    fn apply(&mut self, ops: &[Op]) -> Result<(), Error>;

    /// Everything that stands in the sets, foreign entries included.
    ///
    /// # Errors
    ///
    /// Everything that keeps it from reading.
    fn list(&mut self) -> Result<Vec<Entry>, Error>;

    /// Ends the open connections of addresses.
    ///
    /// # Errors
    ///
    /// [`Kind::NoProgram`] where the gateway cannot.
    fn cut(&mut self, addresses: &[IpAddr]) -> Result<(), Error>;
}

/// The way that a gateway's configuration names. Called on the thread that will use it.
///
/// # Errors
///
/// Names that are refused ([`Gateway::problems`] says them all).
pub fn open(gateway: &Gateway, find_init: &FindInit) -> Result<Box<dyn Reach>, Error> {
    let name = |text: &Option<String>| match text {
        Some(text) => SetName::parse(gateway.backend, text).map(Some).map_err(|why| Error::new(Kind::WrongSet, why)),
        None => Ok(None),
    };
    let (v4, v6) = (name(&gateway.set_v4)?, name(&gateway.set_v6)?);
    let run: Box<dyn call::Run> = match &gateway.transport {
        Transport::Local => Box::new(local::Local),
        Transport::Nsenter { guest } => Box::new(nsenter::Nsenter::new(guest.clone(), Arc::clone(find_init))),
        Transport::Ssh { address, port, identity_file, known_hosts } => Box::new(ssh::Ssh::new(ssh::Target {
            address: address.clone(),
            port: *port,
            identity_file: identity_file.clone(),
            known_hosts: known_hosts.clone(),
        })),
    };
    let networks = gateway.ipv6_prefix < 128;
    Ok(match gateway.backend {
        Backend::Ipset => Box::new(programs::Programs::new(ipset::Ipset { v4, v6, networks }, run)),
        Backend::Nftables => Box::new(programs::Programs::new(nftables::Nftables { v4, v6, networks }, run)),
    })
}
