//! From a verdict to whom to block (spec/response.md 2). Pure: the time is handed in.

use super::clock::Millis;
use super::config::{Config, Response};
use crate::correlate::Verdict;
use crate::decode::Category;
use crate::event::{Field, Freshness, Origin};
use crate::guest::id::HOST;
use crate::pattern::Subject;
use crate::rules;
use std::net::IpAddr;
use std::sync::Arc;

/// Whom a verdict wants to be blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The attacker; never an IPv4-mapped IPv6 address.
    pub address: IpAddr,
    /// Until when; `None`: no undo.
    pub until: Option<Millis>,
    /// Whose event it was; `host` for the host's own.
    pub guest: Arc<str>,
    /// The rule.
    pub rule: u32,
    /// The rule's description.
    pub reason: Arc<str>,
    /// Only to be recorded.
    pub dry: bool,
}

/// Why a verdict leads to no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    /// The rule or its state does not respond, or no section asks for it.
    NotAsked,
    /// The event is our own, or text that claims to be OSSEC's or hids's own (decision 14).
    Own,
    /// The guest's events may not cause responses.
    GuestOff,
    /// There is no source address.
    NoAddress,
    /// What stands there is no address.
    NotAnAddress,
    /// It was read so late that the block would be over.
    TooLate,
}

/// The longest rule description that is kept with a block.
const REASON_MAX: usize = 200;

impl Response {
    /// Whether the section names a rule: by level, id or group, each of them enough.
    pub fn names(&self, rule: &rules::Facts) -> bool {
        !self.disabled
            && (self.level.is_some_and(|level| rule.level >= level)
                || self.rules_id.contains(&rule.id)
                || self.rules_group.as_ref().is_some_and(|p| p.is_match(Subject::new(rule.groups.as_bytes()))))
    }
}

/// Tells whom a verdict wants blocked in the gateways' sets.
///
/// # Errors
///
/// Why nobody.
pub fn plan(config: &Config, verdict: &Verdict<'_>, freshness: Freshness, now: Millis) -> Result<Wish, No> {
    if !verdict.respond || verdict.rule.level == 0 || freshness == Freshness::Again {
        return Err(No::NotAsked);
    }
    let mut asked =
        config.responses.iter().filter(|r| config.is_gateway_response(r) && r.names(verdict.rule)).peekable();
    if asked.peek().is_none() {
        return Err(No::NotAsked);
    }
    if is_own(verdict) {
        return Err(No::Own);
    }
    let guest = verdict.event.source.guest.as_ref().map_or(HOST, |name| name.as_str());
    if !config.responds(guest) {
        return Err(No::GuestOff);
    }
    let address = match verdict.field(Field::SrcIp) {
        None | Some(b"" | b"-") => return Err(No::NoAddress),
        Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok()),
    };
    let address = address.ok_or(No::NotAnAddress)?.to_canonical();
    let begins = match freshness {
        // Never after now: a line that claims to come from the future gets no longer block.
        Freshness::Late => verdict.event.time.seconds.saturating_mul(1_000).min(now),
        _ => now,
    };
    // Several sections that name the rule: the longest time, no undo the longest of all.
    let until = asked
        .map(|response| match response.timeout.as_millis() {
            0 => None,
            length => Some(begins.saturating_add(i64::try_from(length).unwrap_or(i64::MAX))),
        })
        .reduce(later)
        .ok_or(No::NotAsked)?;
    if until.is_some_and(|until| until <= now) {
        return Err(No::TooLate);
    }
    let reason: String = verdict.rule.description.as_deref().unwrap_or("").chars().take(REASON_MAX).collect();
    Ok(Wish {
        address,
        until,
        guest: Arc::from(guest),
        rule: verdict.rule.id,
        reason: reason.into(),
        dry: config.dry_run(guest),
    })
}

/// The later of two ends, no end being the latest.
pub fn later(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    a.zip(b).map(|(a, b)| a.max(b))
}

/// hids's own events, and text that claims to be OSSEC's or hids's (decision 14): neither ever blocks.
fn is_own(verdict: &Verdict<'_>) -> bool {
    let claims = |name: &str| name.starts_with("ossec") || name.starts_with("hids") || name == "ar_log";
    verdict.event.source.origin == Origin::Own
        || verdict.decoded.forced_rule.is_some()
        || verdict.decoded.category == Category::Ossec
        || verdict.decoder.is_some_and(|d| claims(&d.name) || d.parent.as_deref().is_some_and(claims))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
