//! What responses want people to know: the daemon makes events of hids's own of it, which may alert, never block.

use std::sync::Arc;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A limit holds attackers back.
    Limit,
    /// A gateway cannot be told what to block.
    GatewayDown,
    /// It can again.
    GatewayUp,
    /// A gateway works, but not as meant.
    GatewayOdd,
    /// A standing block was ended since its address is spared by now.
    Spared,
    /// The ledger cannot be written or read.
    Ledger,
    /// The log of runs cannot be written.
    Log,
    /// A thread of this room panicked.
    Bug,
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub topic: Topic,
    /// The guest concerned (`host` for the host).
    pub guest: Option<Arc<str>>,
    /// The gateway concerned.
    pub gateway: Option<String>,
    /// For people: one line, lower case, no full stop. Holds no text that a guest chose.
    pub text: String,
}

/// Where notices go. Called from this room's threads, and from the one that offers a verdict; must not block.
pub type Tell = Arc<dyn Fn(Notice) + Send + Sync>;

impl Notice {
    /// A notice about a gateway.
    pub fn gateway(topic: Topic, gateway: &str, text: impl Into<String>) -> Self {
        let text = format!("gateway {gateway}: {}", text.into());
        Self { topic, guest: None, gateway: Some(gateway.to_owned()), text }
    }

    /// A notice about hids itself.
    pub fn own(topic: Topic, text: impl Into<String>) -> Self {
        Self { topic, guest: None, gateway: None, text: text.into() }
    }
}
