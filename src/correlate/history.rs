//! Earlier events: what counting rules search (spec/rules.md 8.1).
//!
//! Every event with a final rule above level 0 takes its place in the order of all events, since the marks on it and its
//! share of the limit count; what it said is kept only if some rule may ask for it.

use crate::decode::{Category, Decoded};
use crate::event::{Event, Field, Value};
use crate::rules::{Demand, Links, Rule, RuleSet};
use std::collections::VecDeque;
use std::sync::Arc;

/// No text is kept of an event.
const NOTHING: u32 = u32::MAX;

/// As many events leave together when the limit is exceeded.
const LEAVING: usize = 10;

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
    rule: u32,
}

impl Memory {
    fn new(now: &Now<'_>, rule: u32) -> Self {
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

    pub(super) fn log(&self) -> &[u8] {
        self.line.get(self.log.0 as usize..self.log.1 as usize).unwrap_or_default()
    }
}

/// One event in the order of all events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub time: i64,
    /// The level of the last counting rule that fired over this event.
    pub mark: u32,
    /// What it said, if that is kept.
    memory: u32,
    /// Hash of its source address, so that most events are passed over without a look at what they said.
    pub source: u32,
}

/// The hash of a source address; 0 without one. Any hash will do: it only saves comparisons.
pub(super) fn hash(address: Option<&[u8]>) -> u32 {
    let fold = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
    address.map_or(0, |address| address.iter().fold(2_166_136_261, fold) | 1)
}

/// One list: numbers of events, oldest first, and how many of them have a source address of some hash.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    numbers: VecDeque<u64>,
    /// By the low bits of the hash; a power of two, at least as many as there are numbers.
    counts: Vec<u32>,
}

impl List {
    /// The numbers, oldest first.
    pub(super) fn numbers(&self) -> &VecDeque<u64> {
        &self.numbers
    }

    /// Tells whether more than so many events may have a source address of this hash. A no is certain, so a flood from
    /// ever new addresses is not searched for the sake of each.
    pub(super) fn may_hold(&self, source: u32, more_than: u32) -> bool {
        self.place(source).is_some_and(|place| self.counts[place] > more_than)
    }

    fn place(&self, source: u32) -> Option<usize> {
        // The low bits of a product depend on few of the factors' bits, so the high ones are folded in.
        let mixed = source ^ source >> 15;
        (!self.counts.is_empty()).then(|| mixed as usize & (self.counts.len() - 1))
    }

    /// Adds the newest event; `source_of` gives the hash of an event already in the list.
    fn push(&mut self, number: u64, source: u32, source_of: impl Fn(u64) -> u32) {
        self.numbers.push_back(number);
        if self.numbers.len() > self.counts.len() {
            self.counts = vec![0; self.numbers.len().next_power_of_two().max(16) * 2];
            for at in 0..self.numbers.len() - 1 {
                self.count(source_of(self.numbers[at]));
            }
        }
        self.count(source);
    }

    fn count(&mut self, source: u32) {
        if let Some(place) = self.place(source) {
            self.counts[place] += 1;
        }
    }

    /// Takes the oldest event out.
    fn pop(&mut self, source: u32) {
        if self.numbers.pop_front().is_some()
            && let Some(place) = self.place(source)
        {
            self.counts[place] = self.counts[place].saturating_sub(1);
        }
    }

    fn clear(&mut self) {
        if !self.numbers.is_empty() {
            self.numbers.clear();
            self.counts.clear();
        }
    }
}

/// All earlier events of one judge.
#[derive(Debug, Default)]
pub(super) struct History {
    demand: Demand,
    /// Number of the first entry of `order`.
    first: u64,
    order: VecDeque<Entry>,
    memories: Vec<Option<Memory>>,
    free: Vec<u32>,
    sids: Vec<List>,
    groups: Vec<List>,
    sid_events: usize,
    events: usize,
    largest_frequency: i64,
    /// Bytes of lines kept.
    bytes: usize,
}

/// The lists that the events of a rule go to, in this judge.
pub(super) type LinksOf = fn(&Rule) -> &Links;

impl History {
    pub(super) fn new(rules: &RuleSet, demand: Demand, sid_events: usize, events: usize) -> Self {
        Self {
            demand,
            sids: vec![List::default(); demand.sids],
            groups: vec![List::default(); demand.groups],
            sid_events,
            events,
            largest_frequency: i64::from(rules.largest_frequency),
            ..Self::default()
        }
    }

    /// Number of events whose texts are kept, and the bytes of their lines.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.memories.len() - self.free.len(), self.bytes)
    }

    pub(super) fn entry(&self, number: u64) -> &Entry {
        &self.order[(number - self.first) as usize]
    }

    pub(super) fn mark(&mut self, number: u64, level: u32) {
        let first = self.first;
        self.order[(number - first) as usize].mark = level;
    }

    pub(super) fn memory(&self, entry: &Entry) -> Option<&Memory> {
        self.memories.get(entry.memory as usize)?.as_ref()
    }

    pub(super) fn sid(&self, list: u32) -> &List {
        &self.sids[list as usize]
    }

    pub(super) fn group(&self, list: u32) -> &List {
        &self.groups[list as usize]
    }

    /// Numbers of all events.
    pub(super) fn all(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.order.len() as u64
    }

    /// Remembers the event that ended with a rule, as far as anybody may ask for it.
    pub(super) fn store(&mut self, now: &Now<'_>, mark: u32, rule: &Rule, links: &Links) {
        let searched = now.category.is_some_and(|category| self.demand.searches_all(category));
        let memory = if searched || !links.is_empty() {
            let memory = Memory::new(now, rule.facts.id);
            self.keep(memory)
        } else {
            NOTHING
        };
        let source = if memory == NOTHING { 0 } else { hash(now.text(Text::SourceIp)) };
        self.enter(Entry { time: now.event.time.seconds, mark, memory, source }, links);
        if self.order.len() > self.events {
            self.shrink(now.event.time.seconds);
        }
    }

    fn keep(&mut self, memory: Memory) -> u32 {
        self.bytes += memory.line.len() + memory.beside.len();
        match self.free.pop() {
            Some(slot) => {
                self.memories[slot as usize] = Some(memory);
                slot
            }
            None => {
                self.memories.push(Some(memory));
                self.memories.len() as u32 - 1
            }
        }
    }

    fn enter(&mut self, entry: Entry, links: &Links) {
        let number = self.first + self.order.len() as u64;
        self.order.push_back(entry);
        let Self { order, first, sids, groups, .. } = self;
        let source_of = |number: u64| order[(number - *first) as usize].source;
        let mut leaving = None;
        if let Some(list) = links.sid {
            let list = &mut sids[list as usize];
            list.push(number, entry.source, source_of);
            if list.numbers.len() > self.sid_events {
                leaving = list.numbers.front().copied();
                list.pop(leaving.map_or(0, source_of));
            }
        }
        for list in &links.groups {
            groups[*list as usize].push(number, entry.source, source_of);
        }
        if let Some(number) = leaving {
            self.let_go(number);
        }
    }

    /// An event has left its sid list: what it said is forgotten unless all events of its category are searched.
    fn let_go(&mut self, number: u64) {
        let at = (number - self.first) as usize;
        let slot = self.order[at].memory;
        let searched = self
            .memories
            .get(slot as usize)
            .and_then(Option::as_ref)
            .is_some_and(|memory| memory.category.is_some_and(|category| self.demand.searches_all(category)));
        if !searched {
            self.forget(slot);
            self.order[at].memory = NOTHING;
        }
    }

    fn forget(&mut self, slot: u32) {
        if let Some(memory) = self.memories.get_mut(slot as usize).and_then(Option::take) {
            self.bytes -= memory.line.len() + memory.beside.len();
            self.free.push(slot);
        }
    }

    /// The oldest ten leave, then further ones as long as they are older, in seconds, than the largest frequency of any
    /// rule is a number.
    fn shrink(&mut self, now: i64) {
        let mut leaving = LEAVING;
        while let Some(oldest) = self.order.front() {
            if leaving == 0 && now.saturating_sub(oldest.time) <= self.largest_frequency {
                break;
            }
            leaving = leaving.saturating_sub(1);
            let (number, slot, source) = (self.first, oldest.memory, oldest.source);
            self.order.pop_front();
            self.first += 1;
            if slot == NOTHING {
                continue;
            }
            self.forget(slot);
            // An event enters all its lists when it enters the order, so it is the first of each that still has it.
            for list in self.sids.iter_mut().chain(&mut self.groups) {
                while list.numbers.front() == Some(&number) {
                    list.pop(source);
                }
            }
        }
    }

    /// Forgets all events.
    pub(super) fn clear(&mut self) {
        if self.order.is_empty() {
            return;
        }
        self.order.clear();
        self.memories.clear();
        self.free.clear();
        self.bytes = 0;
        for list in self.sids.iter_mut().chain(&mut self.groups) {
            list.clear();
        }
    }

    /// Takes over the events of an older history, as far as the new rules want them.
    pub(super) fn adopt(&mut self, mut old: History, rules: &RuleSet, links: LinksOf) {
        let mut order = std::mem::take(&mut old.order);
        for entry in order.drain(..) {
            let memory = old.memories.get_mut(entry.memory as usize).and_then(Option::take);
            let rule = memory.as_ref().and_then(|memory| rules.index_of(memory.rule));
            let nowhere = Links::default();
            let links = rule.map_or(&nowhere, |rule| links(rules.rule(rule)));
            let memory = match memory {
                Some(memory)
                    if !links.is_empty()
                        || memory.category.is_some_and(|category| self.demand.searches_all(category)) =>
                {
                    self.keep(memory)
                }
                _ => NOTHING,
            };
            self.enter(Entry { memory, ..entry }, links);
        }
    }
}
