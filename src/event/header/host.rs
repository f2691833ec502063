//! Host and program behind the date (spec/decoders.md 2.3), and the bracketed form (2.5).

use super::Header;
use std::ops::Range;

/// Letters, digits and `@ _ - . / ( )`.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'_' | b'-' | b'.' | b'/' | b'(' | b')')
}

/// Where the run of bytes that `belongs` holds for ends.
fn run(full: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    full[from..].iter().position(|&byte| !belongs(byte)).map_or(full.len(), |length| from + length)
}

/// Takes host and program off a line whose date ends at `at`.
pub(super) fn parse(full: &[u8], at: usize) -> Header {
    let at = at.min(full.len());
    let first = run(full, at, is_name);
    if full[first..].starts_with(b": ") {
        return found(full, None, at..first, first + 2);
    }
    if full.get(first) != Some(&b' ') {
        return Header { log: at..full.len(), ..Header::default() };
    }
    let host = Some(at..first);
    let start = first + 1;
    match program(full, start) {
        Some((program, log)) if log.end == full.len() => found(full, host, program, log.start),
        Some((program, log)) => Header { host, program: Some(program), log },
        None => Header { host, program: None, log: start..full.len() },
    }
}

/// A header with a program; Solaris' `[ID …] ` in front of the message goes too.
fn found(full: &[u8], host: Option<Range<usize>>, program: Range<usize>, mut log: usize) -> Header {
    if full[log..].starts_with(b"[ID ")
        && let Some(end) = memchr::memmem::find(&full[log..], b"] ")
    {
        log += end + 2;
    }
    Header { host, program: Some(program), log: log..full.len() }
}

/// The program in a text that starts at `start`, and the log behind it.
fn program(full: &[u8], start: usize) -> Option<(Range<usize>, Range<usize>)> {
    let end = run(full, start, is_name);
    let rest = &full[end..];
    if rest.starts_with(b": ") {
        return Some((start..end, end + 2..full.len()));
    }
    match (rest.first()?, rest.get(1)?) {
        (b'[', second) if second.is_ascii_digit() => {
            let close = run(full, end + 1, |byte| byte.is_ascii_digit());
            let length = match &full[close..] {
                [b']', b':', b' ', ..] => 3,
                [b']', b' ', ..] => 2,
                _ => return None,
            };
            Some((start..end, close + length..full.len()))
        }
        (b'|', second) if second.is_ascii_lowercase() => aix(full, start, end + 2),
        _ => None,
    }
}

/// AIX: `auth|security:info su: x`. The two odd outcomes without a `: ` behind the program are OSSEC's; rules and
/// decoders see them there too.
fn aix(full: &[u8], start: usize, after_letter: usize) -> Option<(Range<usize>, Range<usize>)> {
    let colon = run(full, after_letter, |byte| byte.is_ascii_alphanumeric());
    if full.get(colon) != Some(&b':') {
        return None;
    }
    let space = run(full, colon + 1, |byte| byte.is_ascii_alphanumeric());
    if full.get(space) != Some(&b' ') {
        return None;
    }
    let from = space + 1;
    let end = run(full, from, is_name);
    if full[end..].starts_with(b": ") {
        return Some((from..end, end + 2..full.len()));
    }
    if full.get(end) == Some(&b'[') && full.get(end + 1).is_some_and(u8::is_ascii_digit) {
        let close = run(full, end + 1, |byte| byte.is_ascii_digit());
        return Some(if full[close..].starts_with(b"]: ") {
            (from..end, close + 3..full.len())
        } else {
            (from..end, start..end)
        });
    }
    Some((from..full.len(), end..full.len()))
}

/// Row K: bracket groups in order; `[Host …]` ends the scan. `at` is where the date ends.
pub(super) fn bracketed(full: &[u8], at: usize) -> Header {
    let mut header = Header { log: at..full.len(), ..Header::default() };
    let mut message = None;
    // Without a message the log ends before the first `]` that closed a sender or host.
    let mut cut = None;
    let mut from = at;
    while let Some(open) = memchr::memchr(b'[', &full[from..]).map(|found| from + found) {
        let group = &full[open..];
        let name = [&b"[Message "[..], b"[Sender ", b"[Host "].into_iter().find(|name| group.starts_with(name));
        let Some(name) = name else {
            from = open + 1;
            continue;
        };
        let value = open + name.len();
        let close = memchr::memchr(b']', &full[value..]).map(|found| value + found);
        match (name[1], close) {
            (b'M', Some(close)) => {
                message.get_or_insert(value..close);
                from = close + 1;
            }
            (b'M', None) => {
                message.get_or_insert(value..full.len());
                break;
            }
            (b'S', Some(close)) => {
                header.program.get_or_insert(value..close);
                cut.get_or_insert(close);
                from = close + 1;
            }
            (b'H', Some(close)) => {
                header.host = Some(value..close);
                cut.get_or_insert(close);
                break;
            }
            _ => break,
        }
    }
    match (message, cut) {
        (Some(message), _) => header.log = message,
        (None, Some(cut)) => header.log.end = cut,
        (None, None) => {}
    }
    header
}
