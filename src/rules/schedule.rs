//! `time` and `weekday`: when a rule holds, by the local time of arrival (spec/rules.md 7).

use crate::event::Stamp;

/// A span of the day in minutes, both ends belonging to it, possibly inverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    first: u16,
    last: u16,
    inverted: bool,
}

/// What reading a `time` came to, beside the span itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities {
    /// `!` before a span over midnight: OSSEC loses it, and so do we.
    pub lost_negation: bool,
    /// `12 am`, which is noon here.
    pub noon: bool,
    /// A span over midnight excludes both end minutes.
    pub over_midnight: bool,
}

impl Hours {
    /// Reads `[!] HH[:MM] [am|pm] - HH[:MM] [am|pm]`. A span over midnight becomes the inverse of the span between, so
    /// that both end minutes are excluded and a `!` is lost.
    ///
    /// # Errors
    /// The text is no such span. (OSSEC takes a clock without digits for 00:00; that is refused.)
    pub fn parse(text: &str) -> Result<(Self, Oddities), String> {
        let mut rest = text.trim_start_matches(' ');
        let mut inverted = false;
        if let Some(behind) = rest.strip_prefix('!') {
            inverted = true;
            rest = behind.trim_start_matches(' ');
        }
        let mut oddities = Oddities::default();
        let first = clock(&mut rest, &mut oddities).ok_or_else(|| bad(text))?;
        rest = rest.trim_start_matches(' ').strip_prefix('-').ok_or_else(|| bad(text))?.trim_start_matches(' ');
        let last = clock(&mut rest, &mut oddities).ok_or_else(|| bad(text))?;
        if !rest.trim_matches(' ').is_empty() {
            return Err(bad(text));
        }
        if first > last {
            oddities.lost_negation = inverted;
            oddities.over_midnight = true;
            return Ok((Self { first: last, last: first, inverted: true }, oddities));
        }
        Ok((Self { first, last, inverted }, oddities))
    }

    /// Tells whether a moment lies in the span.
    pub fn hold(&self, time: Stamp) -> bool {
        let minute = time.minute_of_day();
        // Compared as text `HH:MM` by OSSEC; minutes above 59 (`10:75`) are not refused, so hours count 100 here.
        let now = minute / 60 * 100 + minute % 60;
        (self.first <= now && now <= self.last) != self.inverted
    }
}

fn bad(text: &str) -> String {
    format!("`{text}` is not a time span")
}

/// Reads one clock, as hours times 100 plus minutes.
fn clock(rest: &mut &str, oddities: &mut Oddities) -> Option<u16> {
    let mut hour = digits(rest)?;
    let minute = match rest.strip_prefix(':') {
        Some(behind) => {
            *rest = behind;
            digits(rest)?
        }
        None => 0,
    };
    let behind = rest.trim_start_matches(' ');
    match behind.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("am") => {
            oddities.noon |= hour == 12;
            *rest = &behind[2..];
        }
        Some("pm") => {
            *rest = &behind[2..];
            if hour != 12 {
                hour += 12;
            }
        }
        _ => {}
    }
    (hour < 24).then_some(hour * 100 + minute)
}

/// One or two digits.
fn digits(rest: &mut &str) -> Option<u16> {
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 || count > 2 {
        return None;
    }
    let value = rest[..count].parse().ok()?;
    *rest = &rest[count..];
    Some(value)
}

/// Days of the week, Sunday the lowest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// Reads day words separated by commas and spaces.
    ///
    /// # Errors
    /// A word is not one of those known, or there is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut days = 0;
        for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
            days |= match word.to_ascii_lowercase().as_str() {
                "sunday" | "sun" => 1,
                "monday" | "mon" => 1 << 1,
                "tuesday" | "tue" => 1 << 2,
                "wednesday" | "wed" => 1 << 3,
                "thursday" | "thu" => 1 << 4,
                "friday" | "fri" => 1 << 5,
                "saturday" | "sat" => 1 << 6,
                "weekdays" => 0b011_1110,
                "weekends" => 0b100_0001,
                _ => return Err(format!("`{word}` is not a day of the week")),
            };
        }
        if days == 0 {
            return Err("no day of the week is named".to_owned());
        }
        Ok(Self(days))
    }

    /// Tells whether a moment lies on one of the days.
    pub fn hold(&self, time: Stamp) -> bool {
        self.0 & 1 << time.weekday() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, hour: i64, minute: i64, second: i64) -> bool {
        let (hours, _) = Hours::parse(text).unwrap();
        hours.hold(Stamp::utc(1_709_683_200 + hour * 3_600 + minute * 60 + second))
    }

    /// The statements and the table of spec/rules.md 7.1.
    #[test]
    fn spans_of_the_day() {
        for text in ["9-17", "9:00 - 17:00", "9 am - 5 pm"] {
            assert!(!holds(text, 8, 59, 59) && holds(text, 9, 0, 0), "{text}");
            assert!(holds(text, 17, 0, 59) && !holds(text, 17, 1, 0), "{text}");
        }
        assert!(!holds("6 pm - 8:30 am", 18, 0, 59) && holds("6 pm - 8:30 am", 18, 1, 0));
        assert!(holds("6 pm - 8:30 am", 8, 29, 59) && !holds("6 pm - 8:30 am", 8, 30, 0));
        assert!(!holds("12 am - 1 am", 12, 0, 59) && holds("12 am - 1 am", 12, 1, 0));
        assert!(holds("12 am - 1 am", 0, 59, 59) && !holds("12 am - 1 am", 1, 0, 0));
        assert!(holds("12 - 12", 12, 0, 59) && !holds("12 - 12", 12, 1, 0));
        assert!(!holds("! 9-17", 12, 0, 0) && holds("!9-17", 18, 0, 0));
        assert!(holds("!22:00 - 06:00", 23, 0, 0) && !holds("!22:00 - 06:00", 12, 0, 0));
        assert!(holds("13 am - 14", 13, 0, 0));
        assert!(holds("10:75 - 12", 11, 0, 0) && !holds("10:75 - 12", 10, 59, 0));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["8", "- 5", "8 -", "8:00:00 - 9", "24 - 25", "13 pm - 14", "123 - 4", "8 - 9 x", ""] {
            assert!(Hours::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_of_the_week() {
        let wednesday = Stamp::utc(1_709_726_400);
        for text in ["wed", "Monday, WEDNESDAY", "weekdays", "sun,,  wed"] {
            assert!(Days::parse(text).unwrap().hold(wednesday), "{text}");
        }
        assert!(!Days::parse("weekends").unwrap().hold(wednesday));
        for text in ["tues", "thurs", "!mon", "", "mon\n"] {
            assert!(Days::parse(text).is_err(), "{text}");
        }
    }
}
