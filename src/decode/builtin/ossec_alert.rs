//! A one-line alert that another OSSEC server forwarded:
//!
//! ```text
//! text := head … ";" … ": " id " " … "; Location: " where ";" part* blanks original
//! head := "Alert Level:" | "ossec: Alert Level"
//! part := " " TEXT ";"        TEXT does not begin with a space
//! ```
//!
//! The named rule becomes the result without any rule being tried. OSSEC also creates a file under a name that the line
//! chooses; that is not copied.

use super::{find, set};
use crate::decode::Decoded;
use crate::event::{Event, Field};
use std::ops::Range;

/// Longest location that is put together, in bytes.
const LOCATION: usize = 254;

/// Longest original log, in bytes.
const ORIGINAL: usize = 4_094;

/// What a forwarded alert holds, as ranges of the log.
struct Alert {
    rule: u32,
    place: Range<usize>,
    address: Option<Range<usize>>,
    user: Option<Range<usize>>,
    original: Range<usize>,
}

pub(super) fn decode(event: &Event<'_>, out: &mut Decoded) {
    let log = event.log();
    let Some(alert) = parse(log) else {
        out.forced_rule = Some(None);
        return;
    };
    out.forced_rule = Some(Some(alert.rule));
    if let Some(address) = alert.address {
        set(event, out, Field::SrcIp, address);
    }
    if let Some(user) = alert.user {
        set(event, out, Field::DstUser, user);
    }
    let mut location = [event.source.location.as_bytes(), b"|", &log[alert.place]].concat();
    location.truncate(LOCATION);
    out.forced_location = Some(location.into());
    let base = event.header.log.start;
    let end = alert.original.end.min(alert.original.start + ORIGINAL);
    out.forced_log = Some(base + alert.original.start..base + end);
}

fn parse(log: &[u8]) -> Option<Alert> {
    if !log.starts_with(b"Alert Level:") && !log.starts_with(b"ossec: Alert Level") {
        return None;
    }
    let colon = find(log, find(log, 0, b';')?, b':')?;
    if log.get(colon + 1) != Some(&b' ') {
        return None;
    }
    let start = colon + 2;
    let space = find(log, start, b' ')?;
    let rule = id(&log[start..space])?;

    let semicolon = find(log, space, b';')?;
    let start = semicolon + " Location: ".len() + 1;
    if log.get(semicolon + 1..start) != Some(b" Location: ") {
        return None;
    }
    let mut end = find(log, start, b';')?;
    let place = start..end;

    let (mut address, mut user) = (None, None);
    while log.get(end + 1) == Some(&b' ') && log.get(end + 2) != Some(&b' ') {
        let start = end + 2;
        end = find(log, start, b';')?;
        let part = &log[start..end];
        if part.starts_with(b"srcip: ") {
            address = Some(start + 7..end);
        } else if part.starts_with(b"user: ") {
            user = Some(start + 6..end);
        }
    }
    let blanks = log[end + 1..].iter().take_while(|&&byte| byte == b' ').count();
    Some(Alert { rule, place, address, user, original: end + 1 + blanks..log.len() })
}

/// An id as it would be printed: `0101` is the id of no rule.
fn id(text: &[u8]) -> Option<u32> {
    let plain = text.iter().all(u8::is_ascii_digit) && (text == b"0" || text.first() != Some(&b'0'));
    std::str::from_utf8(text).ok().filter(|_| plain)?.parse().ok()
}
