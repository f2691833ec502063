//! Alerts that hids raises by itself: rules that stand in no rule file.
//!
//! Their decoder has a name that no text reaches ([`DECODER`]), so that a line which claims to be one of them is not
//! (design, decision 14). The ids lie below the first local one (100000) and above all that OSSEC ever shipped.

use crate::decode;
use crate::rules::Facts;
use std::sync::LazyLock;

/// Name of the decoder of hids's own events.
pub const DECODER: &str = "hids-own";

/// The location and source of hids's own events.
pub const LOCATION: &str = "hids";

/// The decoder's face, for verdicts on own events.
pub fn decoder() -> &'static decode::Facts {
    static OWN: LazyLock<decode::Facts> =
        LazyLock::new(|| decode::Facts { name: DECODER.into(), ..decode::Facts::default() });
    &OWN
}

/// What hids has to say by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Own {
    /// Alerts of one rule of one guest were held back: more than the limit of a minute.
    AlertsHeldBack,
    /// Alerts could not be kept: the disk is full and so is the memory set aside for them.
    AlertsRefused,
    /// A limit held a block back.
    BlockHeldBack,
    /// A guest's health changed for the worse.
    GuestUnwell,
    /// A guest is well again.
    GuestWell,
    /// Judging an event failed; the event was skipped.
    EventSkipped,
    /// Lines were lost: overwritten before they could be read.
    LinesLost,
    /// The gateway cannot be told whom to block.
    GatewayDown,
    /// The gateway can be reached again.
    GatewayUp,
    /// The configuration or the rules could not be loaded again; the old ones stay in force.
    ReloadFailed,
}

impl Own {
    /// All of them.
    pub const ALL: [Own; 10] = [
        Own::AlertsHeldBack,
        Own::AlertsRefused,
        Own::BlockHeldBack,
        Own::GuestUnwell,
        Own::GuestWell,
        Own::EventSkipped,
        Own::LinesLost,
        Own::GatewayDown,
        Own::GatewayUp,
        Own::ReloadFailed,
    ];

    /// What the rule says about itself.
    pub fn facts(self) -> &'static Facts {
        static RULES: LazyLock<Vec<Facts>> = LazyLock::new(|| Own::ALL.iter().map(|own| own.describe()).collect());
        &RULES[self as usize]
    }

    fn describe(self) -> Facts {
        let (level, description, group) = match self {
            Own::AlertsHeldBack => (7, "Alerts of one rule held back: too many in a minute.", "limit"),
            Own::AlertsRefused => (10, "Alerts refused: they could not be written and no room was left.", "limit"),
            Own::BlockHeldBack => (10, "A block was held back by a limit.", "limit"),
            Own::GuestUnwell => (7, "A guest cannot be watched as it should be.", "health"),
            Own::GuestWell => (3, "A guest is watched again.", "health"),
            Own::EventSkipped => (9, "An event could not be judged and was skipped.", "health"),
            Own::LinesLost => (9, "Lines of a log were lost before they could be read.", "health"),
            Own::GatewayDown => (12, "The gateway cannot be told whom to block.", "gateway"),
            Own::GatewayUp => (3, "The gateway can be reached again.", "gateway"),
            Own::ReloadFailed => {
                (8, "The configuration could not be loaded again; the old one stays in force.", "health")
            }
        };
        Facts {
            id: 99_901 + self as u32,
            level,
            description: Some(description.into()),
            groups: format!("hids,{group},"),
            log: true,
            mail: level >= 7,
            ..Facts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_rule_below_the_local_ids() {
        for (at, own) in Own::ALL.iter().enumerate() {
            assert_eq!(*own as usize, at);
            assert_eq!(own.facts().id, 99_901 + at as u32);
            assert!(own.facts().id < 100_000 && own.facts().level > 0 && !own.facts().respond);
        }
    }
}
