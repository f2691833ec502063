//! When a rule keeps silent: ignore times and the ignore list (spec/rules.md 9.3, 9.4), and how often it fired.

use crate::decode;
use crate::event::{Event, Field, Fields, Stamp};
use crate::rules::{Parts, Rule, RuleSet};
use std::collections::{HashSet, VecDeque};

/// As many texts stay on the ignore list; then the oldest leaves. OSSEC's list is never shortened.
const LISTED: usize = 8_192;

/// Silences and counters of one judge, by index of the rule.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// Start of the current silence; 0: none yet.
    since: Vec<i64>,
    /// How often the rule was the final one since the hour began.
    fired: Vec<u32>,
    /// Rules with a counter above 0.
    counted: Vec<u32>,
    hour: i64,
    /// Rules in a silence, so that forgetting costs no more than what there is to forget.
    silent: Vec<u32>,
    listed: HashSet<Box<[u8]>>,
    order: VecDeque<Box<[u8]>>,
    line: Vec<u8>,
}

impl Quiet {
    pub(super) fn new(rules: &RuleSet) -> Self {
        Self { since: vec![0; rules.len()], fired: vec![0; rules.len()], ..Self::default() }
    }

    /// Counts a rule that was the final one; gives how often it was since the last change of the hour.
    pub(super) fn count(&mut self, rule: u32, time: Stamp) -> u32 {
        let hour = time.hour();
        if hour != self.hour {
            self.hour = hour;
            for rule in self.counted.drain(..) {
                self.fired[rule as usize] = 0;
            }
        }
        let fired = &mut self.fired[rule as usize];
        if *fired == 0 {
            self.counted.push(rule);
        }
        *fired = fired.saturating_add(1);
        *fired
    }

    /// Tells whether the rule is in its silence; without, a new one begins.
    pub(super) fn silent(&mut self, index: u32, rule: &Rule, time: Stamp) -> bool {
        if rule.ignore == 0 {
            return false;
        }
        let since = &mut self.since[index as usize];
        if *since != 0 && time.seconds.saturating_sub(*since) < rule.ignore {
            return true;
        }
        if *since == 0 {
            self.silent.push(index);
        }
        *since = time.seconds;
        false
    }

    /// Tells whether the event's selected parts are on the ignore list.
    pub(super) fn listed(
        &mut self,
        rule: &Rule,
        event: &Event<'_>,
        fields: &Fields,
        decoder: Option<&decode::Facts>,
    ) -> bool {
        if rule.silenced_by.is_empty() {
            return false;
        }
        // OSSEC takes this one part from the other selection.
        let data = rule.silences.has(Parts::DATA);
        self.word(rule.silenced_by, data, event, fields, decoder);
        self.listed.contains(&*self.line)
    }

    /// Puts the event's selected parts on the ignore list; gives whether it changed.
    pub(super) fn list(
        &mut self,
        rule: &Rule,
        event: &Event<'_>,
        fields: &Fields,
        decoder: Option<&decode::Facts>,
    ) -> bool {
        if rule.silences.is_empty() {
            return false;
        }
        self.word(rule.silences, rule.silences.has(Parts::DATA), event, fields, decoder);
        let line = std::mem::take(&mut self.line);
        let new = self.put(&line);
        self.line = line;
        new
    }

    pub(super) fn put(&mut self, line: &[u8]) -> bool {
        if self.listed.contains(line) {
            return false;
        }
        if self.order.len() >= LISTED
            && let Some(oldest) = self.order.pop_front()
        {
            self.listed.remove(&oldest);
        }
        self.listed.insert(line.into());
        self.order.push_back(line.into());
        true
    }

    /// The texts on the ignore list, oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.order.iter().map(|line| &**line)
    }

    fn word(&mut self, parts: Parts, data: bool, event: &Event<'_>, fields: &Fields, decoder: Option<&decode::Facts>) {
        let get = |selected: bool, field| if selected { fields.get(field, event.full) } else { None };
        let name = decoder.filter(|_| parts.has(Parts::NAME)).map(|decoder| decoder.name.as_bytes());
        let location = parts.has(Parts::LOCATION).then_some(event.source.location.as_bytes());
        self.line.clear();
        for part in [
            name,
            get(parts.has(Parts::ID), Field::Id),
            get(parts.has(Parts::USER), Field::DstUser),
            get(parts.has(Parts::SRCIP), Field::SrcIp),
            get(parts.has(Parts::DSTIP), Field::DstIp),
            get(data, Field::Data),
            None,
        ] {
            self.line.extend_from_slice(part.unwrap_or_default());
            self.line.push(b' ');
        }
        self.line.extend_from_slice(location.unwrap_or_default());
    }

    /// Forgets everything; a list that is kept over restarts too.
    pub(super) fn clear(&mut self) {
        for rule in self.silent.drain(..) {
            self.since[rule as usize] = 0;
        }
        for rule in self.counted.drain(..) {
            self.fired[rule as usize] = 0;
        }
        self.listed.clear();
        self.order.clear();
    }

    /// Takes over what an older judge knew, rule by rule.
    pub(super) fn adopt(&mut self, old: Quiet, before: &RuleSet, after: &RuleSet) {
        self.hour = old.hour;
        let same = |rule: u32| after.index_of(before.rule(rule).facts.id);
        for rule in &old.silent {
            if let Some(now) = same(*rule) {
                self.since[now as usize] = old.since[*rule as usize];
                self.silent.push(now);
            }
        }
        for rule in &old.counted {
            if let Some(now) = same(*rule) {
                self.fired[now as usize] = old.fired[*rule as usize];
                self.counted.push(now);
            }
        }
        self.listed = old.listed;
        self.order = old.order;
    }
}
