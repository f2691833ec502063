//! What all lanes judge by: decoders, rules and sizes, compiled once and shared.

use crate::decode::Decoders;
use crate::rules::RuleSet;

/// Everything that judging needs and that never changes while it is used. A reload makes a new one.
#[derive(Debug)]
pub struct Book {
    /// The compiled decoders.
    pub decoders: Decoders,
    /// The compiled rules; compiled with these decoders, whose ids they hold.
    pub rules: RuleSet,
    /// Sizes of memory.
    pub options: Options,
}

/// Sizes of a judge's memory, as OSSEC's `internal_options.conf` and `ossec.conf` name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Events that are remembered for a watched rule (`analysisd.sid_prev_matched_max`).
    pub sid_events: usize,
    /// Events that are remembered at all (`memory_size`).
    pub events: usize,
    /// Keys that a flood of similar first-time keys is recognised by (`analysisd.fts_list_size`).
    pub fts_list_size: usize,
    /// Length that their common beginning must exceed (`analysisd.fts_min_size_for_str`).
    pub fts_min_size: usize,
}

impl Default for Options {
    /// What OSSEC ships.
    fn default() -> Self {
        Self { sid_events: 128, events: 8_192, fts_list_size: 32, fts_min_size: 14 }
    }
}
