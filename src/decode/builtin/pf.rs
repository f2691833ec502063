//! OpenBSD's packet filter: `rule 2/(match) block in on xl0: 10.1.1.1.6667 > 10.1.2.2.80: P 1:2(1)`.

use super::{find, set};
use crate::decode::Decoded;
use crate::event::{Event, Field, Value};
use std::ops::Range;

/// Fields that are set before something is missing stay.
pub(super) fn decode(event: &Event<'_>, out: &mut Decoded) {
    let _ = walk(event, out);
}

fn walk(event: &Event<'_>, out: &mut Decoded) -> Option<()> {
    let log = event.log();
    let close = find(log, 0, b')')?;
    if log.get(close + 1) != Some(&b' ') {
        return None;
    }
    let letter = close + 2;
    let action = match log.get(letter)? {
        b'p' => "pass",
        b'b' => "block",
        _ => return None,
    };
    out.fields.set(Field::Action, Value::Static(action));

    let colon = find(log, letter, b':')?;
    if log.get(colon + 1) != Some(&b' ') {
        return None;
    }
    let source = colon + 2;
    let blank = find(log, source, b' ')?;
    address(event, out, source..blank, Field::SrcIp, Field::SrcPort);

    if log.get(blank + 1..blank + 3) != Some(b"> ") {
        return None;
    }
    let destination = blank + 3;
    let end = find(log, destination, b':')?;
    address(event, out, destination..end, Field::DstIp, Field::DstPort);

    let protocol = match log[end + 1..].iter().find(|&&byte| byte != b' ') {
        Some(b'u' | b'U') => "UDP",
        Some(b'i' | b'I') => "ICMP",
        _ => "TCP",
    };
    out.fields.set(Field::Protocol, Value::Static(protocol));
    Some(())
}

/// What follows the fourth dot is the port; nothing is checked.
fn address(event: &Event<'_>, out: &mut Decoded, span: Range<usize>, address: Field, port: Field) {
    let dot = memchr::memchr_iter(b'.', &event.log()[span.clone()]).nth(3).map(|at| span.start + at);
    match dot {
        Some(dot) => {
            set(event, out, address, span.start..dot);
            set(event, out, port, dot + 1..span.end);
        }
        None => set(event, out, address, span),
    }
}
