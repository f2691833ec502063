//! `compiled_rule`: conditions that are code (spec/rules.md 6.5).

use crate::event::{Event, Field, Fields};
use memchr::{memchr, memmem};

/// A built-in condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `comp_srcuser_dstuser`
    SameUsers,
    /// `check_id_size`
    LongId,
    /// `is_simple_http_request`
    SimpleRequest,
    /// `comp_mswin_targetuser_calleruser_diff`
    TargetIsNotCaller,
    /// `is_valid_crawler`
    Crawler,
}

/// Beginnings of the addresses of crawlers. OSSEC goes on to ask the name service, which can succeed only for a log
/// that is nothing but an address, and which a judge must never do.
const CRAWLERS: [&[u8]; 7] = [b"72.14.", b"209.85.", b"65.55.", b"207.46.", b"74.6.", b"72.30.", b"67.195."];

impl Builtin {
    /// All names, as rule files write them.
    pub const NAMES: [&'static str; 5] = [
        "comp_srcuser_dstuser",
        "check_id_size",
        "is_simple_http_request",
        "comp_mswin_targetuser_calleruser_diff",
        "is_valid_crawler",
    ];

    /// The condition of that exact name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "comp_srcuser_dstuser" => Self::SameUsers,
            "check_id_size" => Self::LongId,
            "is_simple_http_request" => Self::SimpleRequest,
            "comp_mswin_targetuser_calleruser_diff" => Self::TargetIsNotCaller,
            "is_valid_crawler" => Self::Crawler,
            _ => return None,
        })
    }

    /// Tells whether the condition holds.
    pub fn holds(self, event: &Event<'_>, fields: &Fields) -> bool {
        let get = |field| fields.get(field, event.full);
        match self {
            Self::SameUsers => match (get(Field::SrcUser), get(Field::DstUser)) {
                (Some(source), Some(destination)) => source == destination,
                _ => true,
            },
            Self::LongId => get(Field::Id).is_some_and(|id| id.len() >= 10),
            Self::SimpleRequest => {
                let method = get(Field::Action).is_none_or(|action| action.eq_ignore_ascii_case(b"GET"));
                method && get(Field::Url).is_some_and(|url| memchr(b'?', url).is_none())
            }
            Self::TargetIsNotCaller => differ(event.log()),
            Self::Crawler => CRAWLERS.iter().any(|head| event.log().starts_with(head)),
        }
    }
}

/// Compares the two names of a Windows log byte by byte, as OSSEC does: where the first text ends, or reaches a tab or
/// two blanks, they count as equal.
fn differ(log: &[u8]) -> bool {
    let behind_colon = |word: &[u8]| {
        let rest = &log[memmem::find(log, word)?..];
        Some(&rest[memchr(b':', rest)? + 1..])
    };
    let (Some(target), Some(caller)) = (behind_colon(b"Target Account Name"), behind_colon(b"Caller User Name")) else {
        return false;
    };
    for (at, &byte) in target.iter().enumerate() {
        if byte == b'\t' || (byte == b' ' && target.get(at + 1) == Some(&b' ')) {
            return false;
        }
        if caller.get(at) != Some(&byte) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_names_differ_unless_two_blanks_follow_equal_ones() {
        let log = |target: &str, caller: &str| {
            format!("x Target Account Name: {target} Caller User Name: {caller}  end").into_bytes()
        };
        assert!(differ(&log("joe ", "ann")));
        assert!(!differ(&log("joe ", "joe ")));
        assert!(differ(&log("joe", "joe")), "single blanks: the comparison runs on");
        assert!(!differ(b"Target Account Name: joe"));
    }

    #[test]
    fn every_name_is_known() {
        for name in Builtin::NAMES {
            assert!(Builtin::named(name).is_some(), "{name}");
        }
        assert_eq!(Builtin::named("Check_id_size"), None);
    }
}
