//! rules: OSSEC's rule language, compiled (spec/rules.md).
//!
//! Holds the compiled rules ([`RuleSet`], immutable, shared by all lanes). Comes in: rule files as documents
//! ([`doc::File`]), the compiled decoders, the configured lists as bytes ([`list::Lists`]). Goes out: the tree that
//! [`correlate`](crate::correlate) walks, and a list of what is wrong. Touches nothing: files and lists arrive as text
//! and bytes.
//!
//! A rule that cannot work is left out, each time with an error that cites its place; everything else works. What OSSEC
//! accepts with an odd effect has that effect here, and a warning.
#![forbid(unsafe_code)]

pub mod address;
pub mod builtin;
pub mod doc;
mod draft;
mod explain;
mod link;
pub mod list;
pub mod plan;
pub mod predicate;
pub mod schedule;
mod set;
#[cfg(test)]
mod tests;

pub use draft::{Parts, Relations};
pub use list::{List, Lists};
pub use set::{Counted, Counting, Demand, Links, Node, Rule, RuleSet};

/// What a rule says about itself: all that outputs and responses need to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Rule id.
    pub id: u32,
    /// Level, 0 to 16 in practice.
    pub level: u32,
    /// Description as loaded; `None` where the rule has none.
    pub description: Option<String>,
    /// Group string: the group's name followed directly by the rule's `<group>` texts.
    pub groups: String,
    /// `frequency` as written, 0 without.
    pub frequency: u32,
    /// `cve` texts joined without separator (alerts.json).
    pub cve: Option<String>,
    /// `info` texts joined without separator (alerts.json).
    pub info: Option<String>,
    /// What logtest prints: kind (`Text`, `Link`, `CVE`, `OSVDB`, `BUGTRACKID`) and text.
    pub references: Vec<(&'static str, String)>,
    /// Write it to the alert files (level against `log_alert_level`, then options).
    pub log: bool,
    /// Flag it for mail (level against `email_alert_level`, then options).
    pub mail: bool,
    /// May cause a response (`no_ar` and `accuracy="0"` switch it off).
    pub respond: bool,
}

impl Facts {
    /// The groups one by one: split at commas, no empty parts.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.split(',').filter(|name| !name.is_empty())
    }
}

/// What compiling rules needs to know of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Rules from this level on are written to the alert files (`log_alert_level`).
    pub log_alert_level: u32,
    /// Rules from this level on are flagged for mail (`email_alert_level`).
    pub email_alert_level: u32,
    /// Seconds that a counting rule looks back if it does not say so (`analysisd.default_timeframe`).
    pub default_timeframe: u32,
}

impl Default for Options {
    /// What OSSEC ships: 1, 7, 360.
    fn default() -> Self {
        Self { log_alert_level: 1, email_alert_level: 7, default_timeframe: 360 }
    }
}
