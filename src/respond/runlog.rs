//! OSSEC's line about each run of a response (spec/response.md 5), so that rules and reports that read
//! `active-responses.log` go on working.

use super::block::{Block, shown};
use super::clock::Millis;
use super::config::ResponseLog;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;

/// One line: `DATE PROGRAM add|delete - ADDRESS ALERT RULE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    adds: bool,
    address: String,
    alert: Option<Arc<str>>,
    since: Millis,
    rule: u32,
}

impl Run {
    /// A block begins.
    pub fn add(block: &Block) -> Self {
        Self {
            adds: true,
            address: block.address.map_or_else(|| shown(&block.net), |address| address.to_string()),
            alert: block.alert.clone(),
            since: block.since,
            rule: block.rule.unwrap_or(0),
        }
    }

    /// A block ends.
    pub fn delete(block: &Block) -> Self {
        Self { adds: false, ..Self::add(block) }
    }

    fn line(&self, date: &str, program: &str) -> String {
        let verb = if self.adds { "add" } else { "delete" };
        let seconds = self.since.div_euclid(1_000);
        // Without an alert of its own the run is numbered 0, which no alert is.
        let alert = self.alert.as_deref().map_or_else(|| format!("{seconds}.0"), str::to_owned);
        format!("{date} {program} {verb} - {} {alert} {}\n", self.address, self.rule)
    }
}

/// Appends runs to the log.
///
/// # Errors
///
/// The system's.
pub(super) fn append(log: &ResponseLog, runs: &[Run], now: Millis) -> io::Result<()> {
    let date = date(now, &jiff::tz::TimeZone::system());
    let text: String = runs.iter().map(|run| run.line(&date, &log.program)).collect();
    OpenOptions::new().append(true).create(true).open(&log.path)?.write_all(text.as_bytes())
}

/// As date(1) prints it in the C locale.
fn date(now: Millis, zone: &jiff::tz::TimeZone) -> String {
    let time = jiff::Timestamp::from_millisecond(now).unwrap_or_default().to_zoned(zone.clone());
    time.strftime("%a %b %e %H:%M:%S %Z %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_ossecs() {
        let run = Run {
            adds: true,
            address: "198.51.100.7".into(),
            alert: Some("1795495721.1".into()),
            since: 0,
            rule: 5716,
        };
        let when = date(1_709_726_400_000, &jiff::tz::TimeZone::UTC);
        assert_eq!(
            run.line(&when, "/var/ossec/active-response/bin/ipset.sh"),
            "Wed Mar  6 12:00:00 UTC 2024 /var/ossec/active-response/bin/ipset.sh add - 198.51.100.7 1795495721.1 5716\n"
        );
        let by_hand = Run { adds: false, alert: None, rule: 0, since: 5_000, ..run };
        assert_eq!(by_hand.line("D", "p"), "D p delete - 198.51.100.7 5.0 0\n");
    }
}
