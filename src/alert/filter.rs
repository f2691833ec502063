//! Which alerts somebody wants to see, and how an alert's JSON line answers.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Which alerts somebody wants to see: all that is set must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Name of the guest; `host` is the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    /// Level at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// One of these rule ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<u32>,
    /// A group of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The source: the guest's own path, `journal`, or the location on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The decoded source address, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Arrived at this second or later (seconds since the epoch).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Arrived before this second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// What of an alert's line the filter looks at. OSSEC's own lines can be read too: they lack the last two keys.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    rule: Rule<'a>,
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(rename = "TimeStamp")]
    milliseconds: i64,
    #[serde(borrow, default)]
    srcip: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    location: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    guest: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Rule<'a> {
    level: u32,
    sidid: u32,
    #[serde(borrow, default)]
    groups: Vec<Cow<'a, str>>,
}

impl<'a> Line<'a> {
    /// Reads a line; `None` where it is no alert (torn by a kill, or foreign).
    pub fn read(line: &'a str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// Second of arrival.
    pub fn seconds(&self) -> i64 {
        self.milliseconds.div_euclid(1_000)
    }
}

impl Filter {
    /// Tells whether an alert's JSON line fits; a line that is no alert never does.
    pub fn fits(&self, line: &str) -> bool {
        Line::read(line).is_some_and(|line| self.fits_line(&line))
    }

    pub(super) fn fits_line(&self, line: &Line<'_>) -> bool {
        let guest = line.guest.as_deref().unwrap_or(crate::guest::id::HOST);
        let source = |wanted: &String| {
            line.source.as_deref() == Some(wanted.as_str()) || line.location.as_deref() == Some(wanted.as_str())
        };
        self.guest.as_ref().is_none_or(|wanted| wanted == guest)
            && self.level.is_none_or(|least| line.rule.level >= least)
            && (self.rules.is_empty() || self.rules.contains(&line.rule.sidid))
            && self.group.as_ref().is_none_or(|wanted| line.rule.groups.iter().any(|group| group == wanted))
            && self.source.as_ref().is_none_or(source)
            && self.address.as_ref().is_none_or(|wanted| line.srcip.as_deref() == Some(wanted.as_str()))
            && self.since.is_none_or(|since| line.seconds() >= since)
            && self.until.is_none_or(|until| line.seconds() < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fixture::{Case, NOW};
    use crate::alert::format;
    use crate::event::Field;

    #[test]
    fn every_condition_narrows() {
        let case = Case::new("d", "\"x\"").field(Field::SrcIp, b"192.0.2.7");
        let mut line = Vec::new();
        case.with(|verdict| format::json::write(&mut line, verdict, &case.meta));
        let line = String::from_utf8(line).unwrap();
        let filter = Filter::default;
        let fitting = [
            filter(),
            Filter { guest: Some("web1".into()), ..filter() },
            Filter { level: Some(5), ..filter() },
            Filter { rules: vec![1, 100_500], ..filter() },
            Filter { group: Some("door".into()), ..filter() },
            Filter { source: Some("/var/log/auth.log".into()), ..filter() },
            Filter { source: Some("/var/lib/lxc/web1/rootfs/var/log/auth.log".into()), ..filter() },
            Filter { address: Some("192.0.2.7".into()), ..filter() },
            Filter { since: Some(NOW), until: Some(NOW + 1), ..filter() },
        ];
        let others = [
            Filter { guest: Some("host".into()), ..filter() },
            Filter { level: Some(6), ..filter() },
            Filter { rules: vec![1], ..filter() },
            Filter { group: Some("doo".into()), ..filter() },
            Filter { source: Some("journal".into()), ..filter() },
            Filter { address: Some("192.0.2.70".into()), ..filter() },
            Filter { since: Some(NOW + 1), ..filter() },
            Filter { until: Some(NOW), ..filter() },
        ];
        assert!(fitting.iter().all(|filter| filter.fits(&line)), "{line}");
        assert!(!others.iter().any(|filter| filter.fits(&line)), "{line}");
        assert!(!filter().fits("{\"rule\":{\"level\""));
        assert!(
            filter().fits(r#"{"rule":{"level":5,"sidid":5,"groups":[]},"id":"1.1","TimeStamp":1000,"location":"x"}"#)
        );
    }
}
