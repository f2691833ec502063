//! Earlier events: what counting rules search (spec/rules.md 8.1).
//!
//! Every event with a final rule above level 0 takes its place in the order of all events, since the marks on it and its
//! share of the limit count; what it said is kept only if some rule may ask for it.

use super::list::{List, hash};
use super::said::{Memory, Now, Text};
use crate::rules::{Demand, Links, Rule, RuleSet};
use std::collections::VecDeque;

/// No text is kept of an event.
const NOTHING: u32 = u32::MAX;

/// As many events leave together when the limit is exceeded.
const LEAVING: usize = 10;

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
        self.bytes += memory.size();
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
            if list.numbers().len() > self.sid_events {
                leaving = list.numbers().front().copied();
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
            self.bytes -= memory.size();
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
                while list.numbers().front() == Some(&number) {
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
