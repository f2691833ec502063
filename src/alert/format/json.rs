//! One JSON object a line in `alerts.json`: OSSEC's keys in OSSEC's order (spec/logtest.md 3), then hids's own.
//!
//! Behind OSSEC's last key `logfile` stand `guest`, `source`, `place`, `time`, `event_time`, `events` and `fields`
//! (design 2.4). Unlike OSSEC's the line is always valid UTF-8 and no object holds a key twice: a dynamic field whose
//! name is taken stands in the object `fields` instead.

use super::{Origin, marks, text};
use crate::alert::Meta;
use crate::correlate::{Previous, Verdict};
use crate::event::{Field, Value};
use crate::rules;

/// Appends the line of one alert, its newline included.
pub fn write(out: &mut Vec<u8>, verdict: &Verdict<'_>, meta: &Meta) {
    let origin = Origin::of(verdict);
    let facts = verdict.decoder;

    out.extend_from_slice(b"{\"rule\":");
    rule(out, verdict.rule, verdict.full_log(), verdict.fired_times);
    out.extend_from_slice(b",\"id\":\"");
    text::signed(out, meta.id.epoch);
    out.push(b'.');
    text::number(out, meta.id.number);
    out.extend_from_slice(b"\",\"TimeStamp\":");
    text::signed(out, meta.id.epoch.saturating_mul(1_000));
    if let Some(facts) = facts {
        if !facts.name.is_empty() {
            pair(out, b"decoder", facts.name.as_bytes());
        }
        if let Some(parent) = &facts.parent {
            pair(out, b"decoder_parent", parent.as_bytes());
        }
    }
    let before_log: [(&[u8], Field); 8] = [
        (b"action", Field::Action),
        (b"protocol", Field::Protocol),
        (b"srcip", Field::SrcIp),
        (b"srcport", Field::SrcPort),
        (b"srcuser", Field::SrcUser),
        (b"dstip", Field::DstIp),
        (b"dstport", Field::DstPort),
        (b"dstuser", Field::DstUser),
    ];
    fixed(out, verdict, &before_log);
    pair(out, b"location", origin.location);
    pair(out, b"full_log", verdict.full_log());
    if let Some(second) = previous_output(&verdict.previous) {
        pair(out, b"previous_output", second);
    }
    if let Some(path) = verdict.field(Field::FileName) {
        out.extend_from_slice(b",\"SyscheckFile\":{\"path\":");
        text::string(out, path);
        out.push(b'}');
    }
    pair(out, b"hostname", origin.host);
    if let Some(program) = verdict.event.program() {
        pair(out, b"program_name", program);
    }
    let after_log: [(&[u8], Field); 4] =
        [(b"status", Field::Status), (b"url", Field::Url), (b"data", Field::Data), (b"systemname", Field::SystemName)];
    fixed(out, verdict, &after_log);
    let displaced = dynamic(out, verdict);
    decoder_desc(out, verdict);
    agent(out, &origin);
    out.extend_from_slice(b",\"timestamp\":\"");
    text::date(out, meta.arrival);
    out.push(b'"');
    pair(out, b"logfile", logfile(&origin));

    own(out, verdict, meta);
    if displaced {
        out.extend_from_slice(b",\"fields\":{");
        let mut first = true;
        each_dynamic(verdict, |name, value| {
            if is_taken(name) {
                if !first {
                    out.push(b',');
                }
                first = false;
                key(out, name);
                text::string(out, value);
            }
        });
        out.push(b'}');
    }
    out.extend_from_slice(b"}\n");
}

/// The object `rule` (spec/logtest.md 3.2).
fn rule(out: &mut Vec<u8>, rule: &rules::Facts, full_log: &[u8], fired_times: u32) {
    out.extend_from_slice(b"{\"level\":");
    text::number(out, u64::from(rule.level));
    if let Some(description) = &rule.description {
        pair(out, b"comment", description.as_bytes());
    }
    out.extend_from_slice(b",\"sidid\":");
    text::number(out, u64::from(rule.id));
    if let Some(cve) = &rule.cve {
        pair(out, b"cve", cve.as_bytes());
    }
    if let Some(info) = &rule.info {
        pair(out, b"info", info.as_bytes());
    }
    for (name, value) in [(&b"frequency"[..], rule.frequency), (b"firedtimes", fired_times)] {
        if value != 0 {
            out.push(b',');
            key(out, name);
            text::number(out, u64::from(value));
        }
    }
    pair(out, b"group", rule.groups.as_bytes());
    marks::write(out, rule, full_log);
    out.push(b'}');
}

/// hids's own keys: which guest, where exactly, when, and what led to it.
fn own(out: &mut Vec<u8>, verdict: &Verdict<'_>, meta: &Meta) {
    let source = verdict.event.source;
    let guest = |out: &mut Vec<u8>| match &source.guest {
        Some(guest) => text::string(out, guest.as_str().as_bytes()),
        None => out.extend_from_slice(b"null"),
    };
    out.extend_from_slice(b",\"guest\":");
    guest(out);
    pair(out, b"source", source.path.as_bytes());
    // The guest stands in the place too: clones hold the same inodes, and their lines are not the same line.
    out.extend_from_slice(b",\"place\":{\"guest\":");
    guest(out);
    pair(out, b"source", source.path.as_bytes());
    out.extend_from_slice(b",\"inode\":");
    text::number(out, meta.place.inode);
    out.extend_from_slice(b",\"offset\":");
    text::number(out, meta.place.offset);
    out.extend_from_slice(b"},\"time\":\"");
    text::rfc3339(out, meta.arrival, Some(meta.nanos));
    out.push(b'"');
    if let Some(stamp) = meta.event_time {
        out.extend_from_slice(b",\"event_time\":\"");
        text::rfc3339(out, stamp, None);
        out.push(b'"');
    }
    if let Previous::Events(events) = &verdict.previous
        && !events.is_empty()
    {
        out.extend_from_slice(b",\"events\":[");
        for (at, event) in events.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            text::string(out, event);
        }
        out.push(b']');
    }
}

/// Only the second context line of the record (spec/logtest.md 3.1): the second newest event, or the earlier output.
fn previous_output<'a>(previous: &'a Previous<'a>) -> Option<&'a [u8]> {
    let second = match previous {
        Previous::None => None,
        Previous::Events(events) => events.get(1).map(|event| &event[..]),
        Previous::Output(output) => Some(*output),
    };
    second.filter(|text| !text.is_empty())
}

fn decoder_desc(out: &mut Vec<u8>, verdict: &Verdict<'_>) {
    out.extend_from_slice(b",\"decoder_desc\":{");
    if let Some(facts) = verdict.decoder {
        let start = out.len();
        if facts.fts != 0 {
            out.extend_from_slice(b",\"fts\":");
            text::number(out, u64::from(facts.fts));
        }
        if facts.accumulate {
            out.extend_from_slice(b",\"accumulate\":1");
        }
        if let Some(parent) = &facts.parent {
            pair(out, b"parent", parent.as_bytes());
        }
        if !facts.name.is_empty() {
            pair(out, b"name", facts.name.as_bytes());
        }
        if out.len() > start {
            out.remove(start);
        }
    }
    out.push(b'}');
}

/// `agent_name` and `agentip`: taken from a location of the form `(name) address->file`, else the host's name alone.
fn agent(out: &mut Vec<u8>, origin: &Origin<'_>) {
    if !origin.is_agent() {
        pair(out, b"agent_name", origin.host);
        return;
    }
    let location = origin.location;
    let close = memchr::memchr(b')', location);
    pair(out, b"agent_name", &location[1..close.unwrap_or(location.len()).max(1)]);
    if let Some(at) = memchr::memmem::find(location, b") ") {
        let rest = &location[at + 2..];
        let end = memchr::memchr(b'-', rest).unwrap_or(rest.len());
        pair(out, b"agentip", &rest[..end]);
    }
}

fn logfile<'a>(origin: &Origin<'a>) -> &'a [u8] {
    match memchr::memchr(b'>', origin.location) {
        Some(at) if origin.is_agent() => &origin.location[at + 1..],
        _ => origin.location,
    }
}

fn fixed(out: &mut Vec<u8>, verdict: &Verdict<'_>, keys: &[(&[u8], Field)]) {
    for (name, field) in keys {
        if let Some(value) = verdict.field(*field) {
            pair(out, name, value);
        }
    }
}

/// Writes the dynamic fields whose names are free; tells whether there are others.
fn dynamic(out: &mut Vec<u8>, verdict: &Verdict<'_>) -> bool {
    let mut displaced = false;
    each_dynamic(verdict, |name, value| {
        if is_taken(name) {
            displaced = true;
        } else {
            out.push(b',');
            key(out, name);
            text::string(out, value);
        }
    });
    displaced
}

/// Calls with name and text of each dynamic field that is set, in position order; of two with one name, the later one.
fn each_dynamic(verdict: &Verdict<'_>, mut call: impl FnMut(&[u8], &[u8])) {
    let Some(facts) = verdict.decoder else { return };
    let set = |at: usize| -> Option<(&str, &Value)> {
        let value = verdict.decoded.fields.dynamic.get(at)?.as_ref()?;
        Some((facts.order.get(at)?.as_deref()?, value))
    };
    let count = verdict.decoded.fields.dynamic.len().min(facts.order.len());
    for at in 0..count {
        if let Some((name, value)) = set(at)
            && !(at + 1..count).any(|later| set(later).is_some_and(|(other, _)| other == name))
        {
            call(name.as_bytes(), value.bytes(verdict.event.full));
        }
    }
}

/// Names that a dynamic field cannot have at the top level, whether or not this alert uses them: a reader must be able
/// to trust that `guest` is never what a guest says.
fn is_taken(name: &[u8]) -> bool {
    matches!(
        name,
        b"rule"
            | b"id"
            | b"TimeStamp"
            | b"decoder"
            | b"decoder_parent"
            | b"action"
            | b"protocol"
            | b"srcip"
            | b"srcport"
            | b"srcuser"
            | b"dstip"
            | b"dstport"
            | b"dstuser"
            | b"location"
            | b"full_log"
            | b"previous_output"
            | b"SyscheckFile"
            | b"hostname"
            | b"program_name"
            | b"status"
            | b"url"
            | b"data"
            | b"systemname"
            | b"decoder_desc"
            | b"agent_name"
            | b"agentip"
            | b"timestamp"
            | b"logfile"
            | b"guest"
            | b"source"
            | b"place"
            | b"time"
            | b"event_time"
            | b"events"
            | b"fields"
            | b"commons"
    )
}

fn pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(b',');
    key(out, name);
    text::string(out, value);
}

fn key(out: &mut Vec<u8>, name: &[u8]) {
    text::string(out, name);
    out.push(b':');
}
