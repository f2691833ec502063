//! The walk through the tree of rules (spec/rules.md 6.1, 9.1), and what follows it (9.2).

use super::history::LinksOf;
use super::said::Now;
use super::search::{Wanted, search};
use super::state::{Shown, State};
use crate::decode::{self, Category, fts};
use crate::event::{Field, Origin, Value};
use crate::pattern::{Encoding, Pattern, Subject};
use crate::rules::plan::{self, Below, Choice, Entry, Plan, Segment};
use crate::rules::predicate::Test;
use crate::rules::{Counting, Rule, RuleSet};

/// What the walk came to, without the texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The place of the final rule in the tree.
    pub node: u32,
    /// Its index.
    pub rule: u32,
    pub fired_times: u32,
    pub alert: bool,
    pub respond: bool,
    /// The event counts for others.
    pub stored: bool,
}

/// One walk.
pub(super) struct Walk<'a, 's> {
    pub rules: &'a RuleSet,
    pub now: Now<'a>,
    pub decoder: Option<&'a decode::Facts>,
    pub log: Subject<'a>,
    pub state: &'s mut State,
    pub links: LinksOf,
}

impl Walk<'_, '_> {
    /// Finds the final rule's place by the whole tree: what [`Self::follow`] must come to.
    pub(super) fn find(&mut self) -> Option<u32> {
        let rules = self.rules;
        rules.roots(self.now.decoded.category).find_map(|root| self.visit(root))
    }

    /// Finds the final rule's place by the plan of the event's kind.
    pub(super) fn follow(&mut self, plan: &Plan) -> Option<u32> {
        plan.segments.iter().find_map(|segment| self.choose(segment))
    }

    fn choose(&mut self, segment: &Segment) -> Option<u32> {
        let mut choice = segment.always;
        if !segment.gates.is_empty() {
            // Texts are looked for as ASCII; what holds other characters is tried against everything.
            if self.log.encoding == Encoding::Ascii {
                self.look(segment, &mut choice);
            } else {
                choice = segment.all;
            }
        }
        for (word, mut bits) in choice.into_iter().enumerate() {
            while bits != 0 {
                let entry = &segment.entries[word * 64 + bits.trailing_zeros() as usize];
                bits &= bits - 1;
                if let Some(found) = self.enter(entry) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Adds the entries whose required texts occur in the log.
    fn look(&mut self, segment: &Segment, choice: &mut Choice) {
        let mut add = |place: u16| choice[usize::from(place) / 64] |= 1 << (place % 64);
        for gate in &segment.gates {
            let Some(siblings) = self.rules.siblings(gate.node) else { continue };
            siblings.set.candidates(self.log, &mut self.state.bits);
            for number in self.state.bits.iter() {
                let place = gate.places[number];
                if place != plan::NONE {
                    add(place);
                }
            }
        }
        if segment.by_field != [0; plan::WORDS] && self.has_foreign_field() {
            for (word, by_field) in choice.iter_mut().zip(segment.by_field) {
                *word |= by_field;
            }
        }
    }

    /// Tells whether a field by which rules are found in the log is no part of it.
    fn has_foreign_field(&self) -> bool {
        let Now { event, decoded, .. } = self.now;
        let log = &event.header.log;
        plan::GATE_FIELDS.into_iter().filter_map(|field| decoded.fields.value(field)).any(|value| match value {
            Value::Span(span) => span.start < log.start || span.end > log.end,
            _ => true,
        })
    }

    fn enter(&mut self, entry: &Entry) -> Option<u32> {
        let rule = self.rules.rule(entry.rule);
        if !rule.tests[usize::from(entry.known)..].iter().all(|test| self.holds(test, rule)) {
            return None;
        }
        if let Some(counting) = &rule.counting
            && !self.counts(counting, rule)
        {
            return None;
        }
        let rules = self.rules;
        let found = match &entry.below {
            Below::Nothing => None,
            Below::Shared => self.follow(rules.shared(entry.node)),
            Below::Own(plan) => self.follow(plan),
        };
        found.or_else(|| (!rule.noalert).then_some(entry.node))
    }

    /// Tries a place and what is below it. The first child that takes the event wins; a `noalert` rule without one is
    /// as if it had not matched.
    pub(super) fn visit(&mut self, node: u32) -> Option<u32> {
        let place = self.rules.node(node);
        let rule = self.rules.rule(place.rule);
        if !rule.tests.iter().all(|test| self.holds(test, rule)) {
            return None;
        }
        if let Some(counting) = &rule.counting
            && !self.counts(counting, rule)
        {
            return None;
        }
        for child in &place.children {
            if let Some(found) = self.visit(*child) {
                return Some(found);
            }
        }
        (!rule.noalert).then_some(node)
    }

    fn holds(&mut self, test: &Test, rule: &Rule) -> bool {
        let Now { event, decoded, .. } = self.now;
        let fields = &decoded.fields;
        let get = |field| fields.get(field, event.full);
        let matches = |pattern: &Pattern, text: Option<&[u8]>| text.is_some_and(|t| pattern.is_match(Subject::new(t)));
        match test {
            Test::Decoder(id) => self.decoder.is_some_and(|decoder| decoder.id == *id),
            Test::Program(pattern) => matches(pattern, event.program()),
            Test::Field(field, pattern) => matches(pattern, get(*field)),
            Test::Log(pattern) => pattern.is_match(self.log),
            Test::Action(action) => get(Field::Action) == Some(action),
            Test::Dynamic(name, pattern) => self.decoder.is_some_and(|decoder| {
                let called = |known: &Option<String>| known.as_ref().is_some_and(|k| k.eq_ignore_ascii_case(name));
                let position = decoder.order.iter().position(called);
                position.is_some_and(|position| matches(pattern, fields.get_dynamic(position, event.full)))
            }),
            Test::Address(field, addresses) => get(*field).is_some_and(|text| addresses.covers(text)),
            Test::Builtin(builtin) => builtin.holds(event, fields),
            Test::User(pattern) => matches(pattern, get(Field::DstUser).or_else(|| get(Field::SrcUser))),
            Test::Never => false,
            Test::Longer(size) => event.log().len() >= *size,
            Test::Time(hours) => hours.hold(event.time),
            Test::Days(days) => days.hold(event.time),
            Test::Host(pattern) => matches(pattern, Some(event.host())),
            Test::Differs => self.differs(rule),
            Test::FirstTime => self.first_time(),
            Test::Listed(listed) => listed.holds(event, fields),
        }
    }

    fn differs(&mut self, rule: &Rule) -> bool {
        let event = self.now.event;
        let State { differences, output, shown, changes, .. } = &mut *self.state;
        let (differs, changed) = differences.differs(event.host(), rule.facts.id, event.log(), output);
        *changes += u64::from(changed);
        if differs {
            *shown = Shown::Output;
        }
        differs
    }

    fn first_time(&mut self) -> bool {
        let Some(decoder) = self.decoder else { return false };
        let State { seen, key, .. } = &mut *self.state;
        let Now { event, decoded, .. } = self.now;
        fts::key(event, decoded, decoder, key) && seen.first_time(key, decoded.category == Category::Ids)
    }

    fn counts(&mut self, counting: &Counting, rule: &Rule) -> bool {
        let wanted = Wanted { counting, frequency: rule.facts.frequency, level: rule.facts.level };
        let State { history, mark, previous, shown, .. } = &mut *self.state;
        let found = search(history, &self.now, wanted, mark, previous);
        if found {
            *shown = Shown::Lines;
        }
        found
    }

    /// What follows when the final rule is known. `counts_as_new` is false where the commons only try their rules.
    pub(super) fn conclude(&mut self, node: u32) -> Outcome {
        let index = self.rules.node(node).rule;
        let rule = self.rules.rule(index);
        let Now { event, decoded, .. } = self.now;
        let quiet = &mut self.state.quiet;
        let fired_times = quiet.count(index, event.time);
        let mut outcome = Outcome { node, rule: index, fired_times, alert: false, respond: false, stored: false };
        if rule.facts.level == 0
            || quiet.silent(index, rule, event.time)
            || quiet.listed(rule, event, &decoded.fields, self.decoder)
        {
            return outcome;
        }
        self.state.changes += u64::from(quiet.list(rule, event, &decoded.fields, self.decoder));
        // A log that claims to be an event of OSSEC's or hids' own is judged, but never causes a response.
        let forged = event.source.origin == Origin::Log
            && (decoded.forced_rule.is_some() || decoded.category == Category::Ossec);
        outcome.alert = rule.facts.log;
        outcome.respond = rule.facts.respond && !forged;
        outcome.stored = true;
        let mark = self.state.mark;
        self.state.history.store(&self.now, mark, rule, (self.links)(rule));
        outcome
    }
}
