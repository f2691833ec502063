//! Symantec web security: `20070717,73613,1=5,11=10.1.1.3,10=userc,3=1,2=1`.

use super::{find, set};
use crate::decode::Decoded;
use crate::event::{Event, Field};

/// Length of the id: the key `3=` or `2=` and what follows it, further parts included.
const ID: usize = 9;

/// Walks the parts behind the first comma; of each kind the first wins.
pub(super) fn decode(event: &Event<'_>, out: &mut Decoded) {
    let log = event.log();
    let mut from = 0;
    while let Some(comma) = find(log, from, b',') {
        let at = comma + 1;
        let part = &log[at..];
        let (field, key, most) = if part.starts_with(b"10=") {
            (Field::DstUser, 3, 128)
        } else if part.starts_with(b"11=") {
            (Field::SrcIp, 3, 128)
        } else if part.starts_with(b"60=") {
            (Field::Url, 3, 1_024)
        } else if part.starts_with(b"3=") || part.starts_with(b"2=") {
            (Field::Id, 0, ID)
        } else {
            from = at;
            continue;
        };
        if out.fields.value(field).is_some() {
            from = at;
            continue;
        }
        let start = at + key;
        let end = if field == Field::Id { log.len() } else { find(log, start, b',').unwrap_or(log.len()) };
        let end = end.min(start + most);
        set(event, out, field, start..end);
        // Parts that begin within an id are not read.
        from = end;
    }
}
