//! rules: OSSEC's rule language, compiled (spec/rules.md).
//!
//! Holds the compiled rules, immutable. Touches nothing: files and lists arrive as text and bytes.
#![forbid(unsafe_code)]

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
