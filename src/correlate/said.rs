//! What an event said, as far as counting rules compare it: of the current event, and of a remembered one.

use crate::decode::{Category, Decoded};
use crate::event::{Event, Field, Value};
use std::sync::Arc;

/// The texts of an event that counting rules compare, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Text {
    SourceIp,
    Id,
    User,
    Host,
    SourcePort,
    DestinationPort,
    Url,
}

const TEXTS: usize = 7;

const FIELDS: [(Text, Field); 6] = [
    (Text::SourceIp, Field::SrcIp),
    (Text::Id, Field::Id),
    (Text::User, Field::DstUser),
    (Text::SourcePort, Field::SrcPort),
    (Text::DestinationPort, Field::DstPort),
    (Text::Url, Field::Url),
];

/// The current event, as counting rules see it.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    pub event: &'a Event<'a>,
    pub decoded: &'a Decoded,
    /// `None`: a forwarded alert, which is of no category that a rule searches.
    pub category: Option<Category>,
}

impl<'a> Now<'a> {
    pub(super) fn new(event: &'a Event<'a>, decoded: &'a Decoded) -> Self {
        let category = decoded.forced_rule.is_none().then_some(decoded.category);
        Self { event, decoded, category }
    }

    pub(super) fn text(&self, text: Text) -> Option<&'a [u8]> {
        match FIELDS.iter().find(|(known, _)| *known == text) {
            Some((_, field)) => self.decoded.fields.get(*field, self.event.full),
            None => Some(self.host()),
        }
    }

    fn host(&self) -> &'a [u8] {
        self.decoded.forced_location.as_deref().unwrap_or_else(|| self.event.host())
    }

    fn full_log(&self) -> &'a [u8] {
        self.decoded.forced_log.clone().map_or(self.event.full, |span| &self.event.full[span])
    }
}

/// Where one text of a remembered event lies.
#[derive(Debug, Clone, Copy, Default)]
enum Part {
    #[default]
    Absent,
    /// In the line.
    Line(u32, u32),
    /// In the texts beside it.
    Beside(u32, u32),
}

/// What an event said.
#[derive(Debug)]
pub(super) struct Memory {
    /// The full line, as alerts show it.
    pub line: Arc<[u8]>,
    /// Texts that stand nowhere in the line.
    beside: Box<[u8]>,
    parts: [Part; TEXTS],
    /// The shortened log within the line.
    log: (u32, u32),
    pub category: Option<Category>,
    /// Id of its final rule.
    pub rule: u32,
}

impl Memory {
    pub(super) fn new(now: &Now<'_>, rule: u32) -> Self {
        let line = now.full_log();
        let base = now.decoded.forced_log.as_ref().map_or(0, |span| span.start);
        let mut beside = Vec::new();
        let mut parts = [Part::Absent; TEXTS];
        let inside = |start: usize, end: usize| {
            let (start, end) = (start.checked_sub(base)?, end.checked_sub(base)?);
            (start <= end && end <= line.len()).then_some(Part::Line(start as u32, end as u32))
        };
        let mut keep = |text: &[u8]| {
            let start = beside.len() as u32;
            beside.extend_from_slice(text);
            Part::Beside(start, beside.len() as u32)
        };
        for (text, field) in FIELDS {
            let Some(value) = now.decoded.fields.value(field) else { continue };
            let here = match value {
                Value::Span(span) => inside(span.start, span.end),
                _ => None,
            };
            parts[text as usize] = here.unwrap_or_else(|| keep(value.bytes(now.event.full)));
        }
        let header = match (&now.decoded.forced_location, &now.event.header.host) {
            (None, Some(span)) => inside(span.start, span.end),
            _ => None,
        };
        parts[Text::Host as usize] = header.unwrap_or_else(|| keep(now.host()));
        let log = &now.event.header.log;
        let log = match inside(log.start, log.end) {
            Some(Part::Line(start, end)) => (start, end),
            _ => (0, line.len() as u32),
        };
        Self { line: line.into(), beside: beside.into(), parts, log, category: now.category, rule }
    }

    pub(super) fn text(&self, text: Text) -> Option<&[u8]> {
        match self.parts[text as usize] {
            Part::Absent => None,
            Part::Line(start, end) => self.line.get(start as usize..end as usize),
            Part::Beside(start, end) => self.beside.get(start as usize..end as usize),
        }
    }

    /// Bytes of texts kept.
    pub(super) fn size(&self) -> usize {
        self.line.len() + self.beside.len()
    }

    pub(super) fn log(&self) -> &[u8] {
        self.line.get(self.log.0 as usize..self.log.1 as usize).unwrap_or_default()
    }
}
