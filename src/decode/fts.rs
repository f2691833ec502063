//! The key under which "first time seen" is remembered (spec/decoders.md 11).

use super::order::{DATA, DSTIP, ID, LOCATION, SRCIP, SYSTEM_NAME, USER};
use super::{Decoded, Facts};
use crate::event::{Event, Field};

/// Longest key, in bytes; what is beyond is cut off.
pub const MAX_KEY: usize = 255;

/// Words the key of an event into `key`, which is cleared first; gives false where the decoder has no `fts`.
///
/// Space separated, parts that are not selected or missing empty: decoder name (always), id, destination user, source
/// user (which cannot be selected), srcip, dstip, data, system name, location.
pub fn key(event: &Event<'_>, decoded: &Decoded, facts: &Facts, key: &mut Vec<u8>) -> bool {
    key.clear();
    if facts.fts == 0 {
        return false;
    }
    key.extend_from_slice(facts.name.as_bytes());
    let mut part = |selected: u32, text: Option<&[u8]>| {
        key.push(b' ');
        if facts.fts & selected != 0 {
            key.extend_from_slice(text.unwrap_or_default());
        }
    };
    let field = |field| decoded.fields.get(field, event.full);
    part(ID, field(Field::Id));
    part(USER, field(Field::DstUser));
    part(0, None);
    part(SRCIP, field(Field::SrcIp));
    part(DSTIP, field(Field::DstIp));
    part(DATA, field(Field::Data));
    part(SYSTEM_NAME, field(Field::SystemName));
    part(LOCATION, Some(event.source.location.as_bytes()));
    key.truncate(MAX_KEY);
    true
}
