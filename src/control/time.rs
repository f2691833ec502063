//! Moments in answers: RFC 3339 with the local zone's offset, whole seconds, as in alerts.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A moment: seconds since 1970-01-01 00:00:00 UTC. In JSON it is RFC 3339 text with the local offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// Now.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_second())
    }

    /// Reads RFC 3339 text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_second()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the years that have four digits there is no text; nothing of ours lies there.
        let moment = jiff::Timestamp::from_second(self.0).unwrap_or_default();
        let offset = jiff::tz::TimeZone::system().to_offset(moment);
        write!(f, "{}", moment.display_with_offset(offset))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("not a time of RFC 3339: {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_the_way_through_json() {
        for seconds in [0, 1_795_552_640, -1] {
            let text = serde_json::to_string(&Time(seconds)).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), Time(seconds), "{text}");
        }
        assert_eq!(Time::parse("2026-11-24T21:37:20+01:00"), Some(Time(1_795_552_640)));
        assert_eq!(Time::parse("yesterday"), None);
        assert!(serde_json::to_string(&Time(i64::MAX)).is_ok());
    }
}
