//! What the daemon does to firewall events between decoding and rules (spec/decoders.md 15.1). A switch: logtest leaves
//! it off.

use super::{Category, Decoded};
use crate::event::{Field, Value};

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Fate {
    /// It goes on to the rules.
    Judged,
    /// It is an incomplete firewall event: no rule sees it.
    Discarded,
}

/// Discards an incomplete firewall event and rewrites the action of a complete one. Others are left as they are.
pub fn judge(full: &[u8], decoded: &mut Decoded) -> Fate {
    if decoded.category != Category::Firewall {
        return Fate::Judged;
    }
    let needed = [Field::SrcIp, Field::DstIp, Field::Protocol];
    let action = match decoded.fields.get(Field::Action, full) {
        Some(action) if needed.iter().all(|&field| decoded.fields.value(field).is_some()) => rewritten(action),
        _ => return Fate::Discarded,
    };
    decoded.fields.set(Field::Action, Value::Static(action));
    Fate::Judged
}

fn rewritten(action: &[u8]) -> &'static str {
    match action.first().map(u8::to_ascii_lowercase) {
        // discard, drop, deny; reject; block
        Some(b'd' | b'r' | b'b') => "DROP",
        // closed; teardown
        Some(b'c' | b't') => "CLOSED",
        // allow, accept; pass, permit; open
        Some(b'a' | b'p' | b'o') => "ALLOW",
        _ if contains(action, b"drop") => "DROP",
        _ if contains(action, b"accept") => "ALLOW",
        _ => "UNKNOWN",
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(category: Category, fields: &[(Field, &'static str)]) -> Decoded {
        let mut decoded = Decoded { category, ..Decoded::default() };
        for &(field, text) in fields {
            decoded.fields.set(field, Value::Static(text));
        }
        decoded
    }

    #[test]
    fn incomplete_firewall_events_are_discarded_and_others_kept() {
        let complete = [(Field::Action, "block"), (Field::SrcIp, "1"), (Field::DstIp, "2"), (Field::Protocol, "TCP")];
        for missing in 0..complete.len() {
            let mut fields = complete.to_vec();
            fields.remove(missing);
            assert_eq!(judge(b"", &mut event(Category::Firewall, &fields)), Fate::Discarded);
            assert_eq!(judge(b"", &mut event(Category::Ids, &fields)), Fate::Judged);
        }
        let mut decoded = event(Category::Firewall, &complete);
        assert_eq!(judge(b"", &mut decoded), Fate::Judged);
        assert_eq!(decoded.fields.get(Field::Action, b""), Some(&b"DROP"[..]));
    }

    #[test]
    fn actions_are_put_into_four_words() {
        for (action, expected) in [
            ("block", "DROP"),
            ("Deny", "DROP"),
            ("reject", "DROP"),
            ("Teardown", "CLOSED"),
            ("close", "CLOSED"),
            ("pass", "ALLOW"),
            ("accept", "ALLOW"),
            ("open", "ALLOW"),
            ("fw_drop", "DROP"),
            ("is accepted", "ALLOW"),
            ("", "UNKNOWN"),
            ("x", "UNKNOWN"),
        ] {
            assert_eq!(rewritten(action.as_bytes()), expected, "{action}");
        }
    }
}
