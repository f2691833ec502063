//! OSSEC's record in `alerts.log`, byte for byte (spec/logtest.md 2).
//!
//! ```text
//! ** Alert <epoch>.<number>:<mail> - <groups>
//! <yyyy> <Mon> <dd> <hh:mm:ss> <host>-><location>
//! Rule: <id> (level <n>) -> '<description>'
//! Src IP: <srcip>            these five only where the field is set
//! Src Port: <srcport>
//! Dst IP: <dstip>
//! Dst Port: <dstport>
//! User: <dstuser>
//! <full log>                 at most 1256 bytes
//! <context line> ...         at most 1256 bytes each
//! <empty line>
//! ```
//!
//! Nothing is escaped: that is OSSEC's layout, and its readers know no escape.

use super::{Origin, text};
use crate::alert::Meta;
use crate::correlate::{Previous, Verdict};
use crate::event::Field;

/// What is written of a log or context line, in bytes; a character may be cut.
const SHOWN: usize = 1_256;

/// Appends the record of one alert.
pub fn write(out: &mut Vec<u8>, verdict: &Verdict<'_>, meta: &Meta) {
    let origin = Origin::of(verdict);
    let rule = verdict.rule;

    out.extend_from_slice(b"** Alert ");
    text::signed(out, meta.id.epoch);
    out.push(b'.');
    text::number(out, meta.id.number);
    out.extend_from_slice(if rule.mail { b": mail  - " } else { b": - " });
    out.extend_from_slice(rule.groups.as_bytes());
    out.push(b'\n');

    text::date(out, meta.arrival);
    out.push(b' ');
    if !origin.is_agent() {
        out.extend_from_slice(origin.host);
        out.extend_from_slice(b"->");
    }
    out.extend_from_slice(origin.location);

    out.extend_from_slice(b"\nRule: ");
    text::number(out, u64::from(rule.id));
    out.extend_from_slice(b" (level ");
    text::number(out, u64::from(rule.level));
    out.extend_from_slice(b") -> '");
    out.extend_from_slice(rule.description.as_deref().unwrap_or("(null)").as_bytes());
    out.extend_from_slice(b"'\n");

    let labelled: [(&[u8], Field); 5] = [
        (b"Src IP: ", Field::SrcIp),
        (b"Src Port: ", Field::SrcPort),
        (b"Dst IP: ", Field::DstIp),
        (b"Dst Port: ", Field::DstPort),
        (b"User: ", Field::DstUser),
    ];
    for (label, field) in labelled {
        if let Some(value) = verdict.field(field) {
            out.extend_from_slice(label);
            out.extend_from_slice(value);
            out.push(b'\n');
        }
    }

    line(out, verdict.full_log());
    match &verdict.previous {
        Previous::None => {}
        Previous::Events(events) => events.iter().for_each(|event| line(out, event)),
        Previous::Output(output) => {
            line(out, b"Previous output:");
            line(out, output);
        }
    }
    out.push(b'\n');
}

fn line(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&bytes[..bytes.len().min(SHOWN)]);
    out.push(b'\n');
}
