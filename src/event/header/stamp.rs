//! The time that a line itself bears. Judgement of live lines never uses it (arrival counts, as in OSSEC); late lines
//! are judged at it, and alerts show it as `event_time`.
//!
//! More forms are read here than pre-decoding recognises: a `Z` behind a date does not make the line OSSEC's syslog,
//! but it does tell when it happened.

use crate::event::Stamp;
use crate::event::time::MONTHS;

/// How far in the future a line without a year may lie (a clock that runs ahead) before it is taken for last year's.
const AHEAD: i64 = 86_400;

/// How far into a line an access-log date is looked for; a user name or a host stands in front of it.
const ACCESS_LOG_REACH: usize = 256;

/// Reads the time in a cleaned line, at second precision; `None` where it has none.
///
/// `now` supplies the year where the line has none (the latest that does not put it more than a day ahead of `now`),
/// and the zone where the line has none. The result's offset is that of `now`.
pub fn stamp(full: &[u8], now: Stamp) -> Option<Stamp> {
    // A syslog priority in front of the date, as senders over the network leave it.
    let line = match full {
        [b'<', rest @ ..] => match rest.iter().take(4).position(|&byte| byte == b'>') {
            Some(end) if end > 0 => &rest[end + 1..],
            _ => full,
        },
        _ => full,
    };
    let seconds = iso(line, now)
        .or_else(|| syslog(line, now))
        .or_else(|| weekday_first(line, now))
        .or_else(|| numeric(line, now))
        .or_else(|| bracket_time(line, now))
        .or_else(|| epoch(line))
        .or_else(|| access_log(line))?;
    Some(Stamp { seconds, offset: now.offset })
}

/// Days from 1970-01-01 to a civil date, after Howard Hinnant's `days_from_civil`; `None` for a day that does not exist.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

fn number(line: &[u8], at: usize, length: usize) -> Option<i64> {
    let digits = line.get(at..at.checked_add(length)?)?;
    if digits.iter().all(u8::is_ascii_digit) {
        Some(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    } else {
        None
    }
}

/// A day of two places, the first of which may be a space.
fn padded(line: &[u8], at: usize) -> Option<i64> {
    if line.get(at) == Some(&b' ') { number(line, at + 1, 1) } else { number(line, at, 2) }
}

/// `HH:MM:SS`; a leap second is accepted.
fn clock(line: &[u8], at: usize) -> Option<i64> {
    let (hour, minute, second) = (number(line, at, 2)?, number(line, at + 3, 2)?, number(line, at + 6, 2)?);
    let colons = line.get(at + 2) == Some(&b':') && line.get(at + 5) == Some(&b':');
    (colons && hour < 24 && minute < 60 && second <= 60).then_some(hour * 3_600 + minute * 60 + second)
}

fn month(line: &[u8], at: usize) -> Option<i64> {
    let name = line.get(at..at + 3)?;
    let found = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    Some(found as i64 + 1)
}

/// `+0100`, `+01:00`, `Z`: seconds east of UTC.
fn zone(line: &[u8], at: usize) -> Option<i64> {
    let sign = match line.get(at)? {
        b'Z' | b'z' => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = number(line, at + 1, 2)?;
    let minutes = number(line, at + 3 + usize::from(line.get(at + 3) == Some(&b':')), 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// A date and a time of day in the local zone.
fn local(days: i64, clock: i64, now: Stamp) -> i64 {
    days * 86_400 + clock - i64::from(now.offset)
}

/// A date without a year: the latest year that does not put it too far ahead. Eight years back there is always a
/// 29 February.
fn yearless(month: i64, day: i64, clock: i64, now: Stamp) -> Option<i64> {
    let (year, ..) = now.civil();
    (year - 8..=year + 1)
        .rev()
        .filter_map(|year| Some(local(days(year, month, day)?, clock, now)))
        .find(|&seconds| seconds <= now.seconds.saturating_add(AHEAD))
}

/// `Dec 29 10:00:01`, `Dec  9 …`, `Mär  6 …`, and with the year in front: `2015 Dec 29 10:00:01`.
fn syslog(line: &[u8], now: Stamp) -> Option<i64> {
    if let Some(year) = number(line, 0, 4).filter(|_| line.get(4) == Some(&b' ')) {
        return Some(local(days(year, month(line, 5)?, padded(line, 9)?)?, clock(line, 12)?, now));
    }
    let (line, german) = if line.starts_with("Mär ".as_bytes()) { (&line[1..], true) } else { (line, false) };
    if line.get(3) != Some(&b' ') || line.get(6) != Some(&b' ') {
        return None;
    }
    let month = if german { 3 } else { month(line, 0)? };
    yearless(month, padded(line, 4)?, clock(line, 7)?, now)
}

/// `2007-06-14T15:48:55…`, `2015-04-16 21:51:02…`, `2015/04/16 21:51:02`, `2019:11:06-00:08:03`; a fraction and a zone
/// may follow. Nothing but digits, and at most a bracket, stands in front.
fn iso(line: &[u8], now: Stamp) -> Option<i64> {
    let line = line.strip_prefix(b"[").unwrap_or(line);
    let separator = *line.get(4)?;
    if line.get(7) != Some(&separator) {
        return None;
    }
    match (separator, line.get(10)?) {
        (b'-', b'T' | b't' | b' ') | (b'/', b' ') | (b':', b'-') => {}
        _ => return None,
    }
    let days = days(number(line, 0, 4)?, number(line, 5, 2)?, number(line, 8, 2)?)?;
    let clock = clock(line, 11)?;
    let mut at = 19;
    if matches!(line.get(at), Some(b'.' | b',')) {
        at += 1;
        at += line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    if line.get(at) == Some(&b' ') && matches!(line.get(at + 1), Some(b'+' | b'-')) {
        at += 1;
    }
    Some(match zone(line, at) {
        Some(east) => days * 86_400 + clock - east,
        None => local(days, clock, now),
    })
}

/// `Mon Apr 17 18:27:14 2006`, `[Fri Feb 11 18:06:35.123456 2004]`.
fn weekday_first(line: &[u8], now: Stamp) -> Option<i64> {
    let line = line.strip_prefix(b"[").unwrap_or(line);
    if line.get(3) != Some(&b' ') || line.get(7) != Some(&b' ') {
        return None;
    }
    let (month, day, clock) = (month(line, 4)?, padded(line, 8)?, clock(line, 11)?);
    let fraction = line[19..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let at = 19 + fraction;
    let year = number(line, at + 1, 4).filter(|_| line.get(at) == Some(&b' '))?;
    Some(local(days(year, month, day)?, clock, now))
}

/// `01/28-09:13:16.240702`, `01/28/1979-09:13:16.240702` (Snort).
fn numeric(line: &[u8], now: Stamp) -> Option<i64> {
    if line.get(2) != Some(&b'/') {
        return None;
    }
    let (month, day) = (number(line, 0, 2)?, number(line, 3, 2)?);
    match line.get(5)? {
        b'-' => yearless(month, day, clock(line, 6)?, now),
        b'/' if line.get(10) == Some(&b'-') => {
            let year = number(line, 6, 4).or_else(|| Some(2_000 + number(line, 6, 2)?))?;
            Some(local(days(year, month, day)?, clock(line, 11)?, now))
        }
        b'/' if line.get(8) == Some(&b'-') => {
            Some(local(days(2_000 + number(line, 6, 2)?, month, day)?, clock(line, 9)?, now))
        }
        _ => None,
    }
}

/// `[Time 2006.12.28 15:53:55 UTC]`.
fn bracket_time(line: &[u8], now: Stamp) -> Option<i64> {
    let line = line.strip_prefix(b"[Time ")?;
    if line.get(4) != Some(&b'.') || line.get(7) != Some(&b'.') || line.get(10) != Some(&b' ') {
        return None;
    }
    let days = days(number(line, 0, 4)?, number(line, 5, 2)?, number(line, 8, 2)?)?;
    let clock = clock(line, 11)?;
    let utc = line[19..].starts_with(b" UTC") || line[19..].starts_with(b" GMT");
    Some(if utc { days * 86_400 + clock } else { local(days, clock, now) })
}

/// `1140804070.368 …` (Squid), and the audit daemon's `type=… msg=audit(1140804070.368:1):`.
fn epoch(line: &[u8]) -> Option<i64> {
    let at = if line.starts_with(b"type=") {
        memchr::memmem::find(&line[..line.len().min(64)], b"msg=audit(")? + 10
    } else {
        0
    };
    if line.get(at) != Some(&b'1') || line.get(at + 10) != Some(&b'.') {
        return None;
    }
    number(line, at + 11, 3)?;
    number(line, at, 10)
}

/// `192.0.2.1 - - [24/Nov/2026:10:00:02 +0000] "GET …`: in brackets, near the start.
fn access_log(line: &[u8]) -> Option<i64> {
    let head = &line[..line.len().min(ACCESS_LOG_REACH)];
    memchr::memchr_iter(b'[', head).find_map(|open| {
        let at = open + 1;
        if line.get(at + 2) != Some(&b'/') || line.get(at + 6) != Some(&b'/') || line.get(at + 11) != Some(&b':') {
            return None;
        }
        let days = days(number(line, at + 7, 4)?, month(line, at + 3)?, number(line, at, 2)?)?;
        let east = zone(line, at + 21).filter(|_| line.get(at + 20) == Some(&b' '))?;
        Some(days * 86_400 + clock(line, at + 12)? - east)
    })
}
