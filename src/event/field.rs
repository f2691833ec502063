//! Fields that decoders take out of a line.

use std::ops::Range;

/// OSSEC's fixed fields, in the order in which `logtest` and `alerts.json` know them (spec/decoders.md 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// Destination user (`user`, `dstuser`).
    DstUser,
    /// Source user.
    SrcUser,
    /// Source address.
    SrcIp,
    /// Destination address.
    DstIp,
    /// Source port.
    SrcPort,
    /// Destination port.
    DstPort,
    /// Protocol.
    Protocol,
    /// Action.
    Action,
    /// Id.
    Id,
    /// URL.
    Url,
    /// Extra data (`data`, `extra_data`).
    Data,
    /// Status.
    Status,
    /// System name.
    SystemName,
    /// File name.
    FileName,
}

/// Number of fixed fields.
pub const FIELDS: usize = 14;

impl Field {
    /// All fixed fields in their order.
    pub const ALL: [Field; FIELDS] = [
        Field::DstUser,
        Field::SrcUser,
        Field::SrcIp,
        Field::DstIp,
        Field::SrcPort,
        Field::DstPort,
        Field::Protocol,
        Field::Action,
        Field::Id,
        Field::Url,
        Field::Data,
        Field::Status,
        Field::SystemName,
        Field::FileName,
    ];

    /// The label that `logtest` prints.
    pub fn label(self) -> &'static str {
        match self {
            Field::DstUser => "dstuser",
            Field::SrcUser => "srcuser",
            Field::SrcIp => "srcip",
            Field::DstIp => "dstip",
            Field::SrcPort => "srcport",
            Field::DstPort => "dstport",
            Field::Protocol => "proto",
            Field::Action => "action",
            Field::Id => "id",
            Field::Url => "url",
            Field::Data => "extra_data",
            Field::Status => "status",
            Field::SystemName => "system_name",
            Field::FileName => "filename",
        }
    }
}

/// A field's text: a range of the event's *full* log, or text that stands elsewhere (joined, rewritten, or filled from
/// memory).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A range of the full log.
    Span(Range<usize>),
    /// Text of hids' own, such as a firewall's rewritten action.
    Static(&'static str),
    /// Text that stands nowhere in the log.
    Owned(Box<[u8]>),
}

impl Value {
    /// The text.
    pub fn bytes<'a>(&'a self, full: &'a [u8]) -> &'a [u8] {
        match self {
            Value::Span(span) => &full[span.clone()],
            Value::Static(text) => text.as_bytes(),
            Value::Owned(text) => text,
        }
    }
}

/// The fields of one event. Reused from line to line, so that decoding a line allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    fixed: [Option<Value>; FIELDS],
    /// Dynamic fields by position in the decoder's `order`; their names belong to the final decoder.
    pub dynamic: Vec<Option<Value>>,
}

impl Fields {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.fixed = Default::default();
        self.dynamic.clear();
    }

    /// Sets a fixed field; a later value replaces an earlier one.
    pub fn set(&mut self, field: Field, value: Value) {
        self.fixed[field as usize] = Some(value);
    }

    /// The value of a fixed field.
    pub fn value(&self, field: Field) -> Option<&Value> {
        self.fixed[field as usize].as_ref()
    }

    /// The text of a fixed field, present even when empty.
    pub fn get<'a>(&'a self, field: Field, full: &'a [u8]) -> Option<&'a [u8]> {
        self.value(field).map(|value| value.bytes(full))
    }

    /// The fixed fields that are set, in their order.
    pub fn iter<'a>(&'a self, full: &'a [u8]) -> impl Iterator<Item = (Field, &'a [u8])> {
        Field::ALL.into_iter().filter_map(move |field| Some((field, self.get(field, full)?)))
    }

    /// The text of the dynamic field at a position of `order`.
    pub fn get_dynamic<'a>(&'a self, position: usize, full: &'a [u8]) -> Option<&'a [u8]> {
        self.dynamic.get(position)?.as_ref().map(|value| value.bytes(full))
    }

    /// Sets the dynamic field at a position of `order`.
    pub fn set_dynamic(&mut self, position: usize, value: Value) {
        if self.dynamic.len() <= position {
            self.dynamic.resize(position + 1, None);
        }
        self.dynamic[position] = Some(value);
    }
}
