//! decode: what a line says, after OSSEC's decoders (spec/decoders.md).
//!
//! Holds the compiled decoders ([`Decoders`], immutable). Comes in: an [`Event`](crate::event::Event). Goes out: a
//! [`Decoded`]. Touches nothing.
//!
//! A decoder file is read ([`doc::read`]), all files' decoders are linked and compiled ([`Decoders::compile`]), and then
//! every line walks the tree ([`Decoders::decode`]). [`Accumulator`] and [`firewall::judge`] are the two steps that may
//! follow, and [`fts::key`] words what `if_fts` remembers.
#![forbid(unsafe_code)]

pub mod accumulate;
pub mod builtin;
mod compile;
pub mod doc;
pub mod firewall;
mod first;
pub mod fts;
mod order;
#[cfg(test)]
mod tests;
mod tree;

pub use accumulate::Accumulator;
pub use compile::DEFAULT_ORDER_SIZE;
pub use tree::{Decoders, Scratch};

use crate::event::Fields;
use std::ops::Range;

/// What kind of event a decoder makes of a line (its `type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Category {
    /// `syslog`, the default.
    #[default]
    Syslog,
    /// `firewall`.
    Firewall,
    /// `ids`.
    Ids,
    /// `web-log`.
    Web,
    /// `squid`.
    Squid,
    /// `windows`.
    Windows,
    /// `ossec`.
    Ossec,
    /// `host-information`: no rule's category equals it.
    HostInformation,
}

impl Category {
    /// The words of `<type>` and of rules' `<category>`.
    pub const WORDS: [(&'static str, Category); 8] = [
        ("syslog", Category::Syslog),
        ("firewall", Category::Firewall),
        ("ids", Category::Ids),
        ("web-log", Category::Web),
        ("squid", Category::Squid),
        ("windows", Category::Windows),
        ("ossec", Category::Ossec),
        ("host-information", Category::HostInformation),
    ];

    /// The category of a word, compared exactly.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find_map(|(known, category)| (known == word).then_some(category))
    }
}

/// A decoder's public face: what rules and outputs need to know of the one that decoded an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The name shown (the parent's, unless `use_own_name`).
    pub name: String,
    /// The name of the `<parent>`, for a child.
    pub parent: Option<String>,
    /// What `decoded_as` compares: roots of one name share it, children inherit it (spec/decoders.md 10).
    pub id: u16,
    /// The event's category.
    pub category: Category,
    /// OSSEC's sum of `fts` words: id 8, data 16, system_name 32, srcip 64, dstip 128, location 256, name 512,
    /// user 2048; 0 without `fts`.
    pub fts: u32,
    /// The event's values are filled from, and kept for, events of the same id.
    pub accumulate: bool,
    /// Names of the captures by position; `None` where the word is a fixed field.
    pub order: Vec<Option<String>>,
}

/// One capture that became a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The decoder whose `order` names it.
    pub decoder: u32,
    /// The position in that `order`.
    pub position: usize,
    /// The value, as a range of the full log.
    pub span: Range<usize>,
}

/// One line, decoded. Reused from line to line.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// Index of the decoder in its set ([`Facts`] by [`Decoders::facts`]); `None`: none matched.
    pub decoder: Option<u32>,
    /// Category of the event.
    pub category: Category,
    /// The fields.
    pub fields: Fields,
    /// The captures in the order in which they were assigned, overwritten ones too: what logtest prints. Plug-ins
    /// leave no trace.
    pub trace: Vec<Assigned>,
    /// The rule that a forwarded alert names (plug-in `ossec-alert`); the tree is not walked then. `Some(None)`: the
    /// text did not parse, so the event matches no rule at all.
    pub forced_rule: Option<Option<u32>>,
    /// What the `ossec-alert` plug-in puts in place of the location and the host.
    pub forced_location: Option<Box<[u8]>>,
    /// What it puts in place of the full log, as a range of it.
    pub forced_log: Option<Range<usize>>,
}

impl Decoded {
    /// Forgets the last line.
    pub fn clear(&mut self) {
        self.decoder = None;
        self.category = Category::Syslog;
        self.fields.clear();
        self.trace.clear();
        self.forced_rule = None;
        self.forced_location = None;
        self.forced_log = None;
    }
}
