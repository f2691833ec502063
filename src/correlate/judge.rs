//! The judge of one guest: lines in, judgements out.

use super::book::Book;
use super::commons::Offer;
use super::routes::Routes;
use super::said::Now;
use super::state::{Shown, State};
use super::verdict::{Previous, Verdict};
use super::walk::{Outcome, Walk};
use crate::decode::{self, Accumulator, Decoded, Scratch, firewall};
use crate::event::{Event, Source, Stamp, header};
use crate::rules::{Rule, RuleSet};
use std::sync::Arc;

/// What is done with firewall events between decoding and rules (spec/decoders.md 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Firewall {
    /// As OSSEC's daemon: incomplete ones are discarded, the action of the others is rewritten.
    #[default]
    Daemon,
    /// As OSSEC's logtest: nothing.
    Untouched,
}

/// All judgement state of one guest, and what is reused from line to line.
#[derive(Debug)]
pub struct Judge {
    book: Arc<Book>,
    firewall: Firewall,
    state: State,
    accumulator: Accumulator,
    scratch: Scratch,
    decoded: Decoded,
    cleaned: Vec<u8>,
    routes: Routes,
}

/// What judging one line came to. Borrows from the judge, so it ends with the next line.
#[derive(Debug)]
pub struct Judgement<'a> {
    /// The line after pre-decoding.
    pub event: Event<'a>,
    /// The line decoded.
    pub decoded: &'a Decoded,
    /// Its decoder.
    pub decoder: Option<&'a decode::Facts>,
    /// An incomplete firewall event: no rule saw it.
    pub discarded: bool,
    /// The final decoder accumulates, so missing fields may have been filled from earlier lines.
    pub accumulated: bool,
    pub(super) rules: &'a RuleSet,
    pub(super) outcome: Option<Outcome>,
    pub(super) previous: Previous<'a>,
}

impl<'a> Judgement<'a> {
    /// The final rule and what is to be done about it; `None` where no rule took the event.
    pub fn verdict(&'a self) -> Option<Verdict<'a>> {
        let outcome = self.outcome?;
        Some(Verdict {
            rule: &self.rules.rule(outcome.rule).facts,
            event: &self.event,
            decoded: self.decoded,
            decoder: self.decoder,
            previous: self.previous.clone(),
            fired_times: outcome.fired_times,
            alert: outcome.alert,
            respond: outcome.respond,
        })
    }

    /// Ids of the rules from the root down to the final one; none where no rule took the event.
    pub fn path(&self) -> Vec<u32> {
        self.outcome.map_or_else(Vec::new, |outcome| self.rules.path(outcome.node))
    }

    /// The event as the commons want it; `None` where no rule that counts over guests asks for it, which is the usual
    /// case and costs nothing.
    pub fn offer(&self) -> Option<Offer> {
        let outcome = self.outcome?;
        let rule = self.rules.rule(outcome.rule);
        let tried = !self.rules.node(outcome.node).commons.is_empty();
        let all = self.decoded.forced_rule.is_none() && self.rules.commons.searches_all(self.decoded.category);
        let counted = outcome.stored && (all || !rule.commons.is_empty());
        (tried || counted).then(|| Offer::new(&self.event, self.decoded, rule.facts.id, outcome))
    }
}

fn lane(rule: &Rule) -> &crate::rules::Links {
    &rule.lane
}

impl Judge {
    /// A judge without any memory.
    pub fn new(book: Arc<Book>, firewall: Firewall) -> Self {
        Self {
            state: State::new(&book, book.rules.lane),
            book,
            firewall,
            accumulator: Accumulator::default(),
            scratch: Scratch::default(),
            decoded: Decoded::default(),
            cleaned: Vec::new(),
            routes: Routes::default(),
        }
    }

    /// Walks the whole tree for every line instead of the part that lines of its kind can reach: much slower, with the
    /// same answers. For tests that compare the two.
    #[must_use]
    pub fn by_whole_tree(mut self) -> Self {
        self.routes.whole_tree = true;
        self
    }

    /// What it judges by.
    pub fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// Judges one line, given without its line end.
    ///
    /// `own_host` is the name of the guest (or host) that stands where the line names no host; `time` is that of
    /// judgement, arrival for live lines. The same lines at the same times give the same judgements: nothing else is
    /// looked at.
    pub fn weigh<'a>(
        &'a mut self,
        line: &'a [u8],
        source: &'a Source,
        own_host: &'a str,
        time: Stamp,
    ) -> Judgement<'a> {
        let Self { book, firewall, state, accumulator, scratch, decoded, cleaned, routes } = self;
        let full = header::clean(line, cleaned);
        let event = Event { full, header: header::parse(full), own_host, source, time };
        book.decoders.decode(&event, scratch, decoded);
        let decoder = decoded.decoder.map(|decoder| book.decoders.facts(decoder));
        let discarded =
            *firewall == Firewall::Daemon && firewall::judge(event.full, decoded) == firewall::Fate::Discarded;
        let accumulated = !discarded && decoder.is_some_and(|decoder| decoder.accumulate);
        if accumulated && let Some(decoder) = decoder {
            accumulator.apply(&event, decoded, decoder);
        }
        state.begin();
        let decoded: &Decoded = decoded;
        let outcome = if discarded { None } else { judge(&book.rules, &event, decoded, decoder, state, routes) };
        let previous = previous(state);
        Judgement { event, decoded, decoder, discarded, accumulated, rules: &book.rules, outcome, previous }
    }

    /// Goes on with new rules and decoders. Memory is kept as far as the ids of rules still stand for the same.
    pub fn adopt(&mut self, book: Arc<Book>) {
        let old = std::mem::replace(&mut self.state, State::new(&book, book.rules.lane));
        self.state = old.adopt(&self.book, &book, book.rules.lane, lane);
        self.book = book;
        self.routes.clear();
    }

    /// Forgets everything, what survives a restart included.
    pub fn forget(&mut self) {
        self.state.clear();
        if !self.accumulator.is_empty() {
            self.accumulator = Accumulator::default();
        }
    }

    /// A number that moves whenever what [`Self::export`] gives has changed.
    pub fn changes(&self) -> u64 {
        self.state.changes.wrapping_add(self.state.seen.changes())
    }

    /// What must survive a restart, as bytes: keys seen, ignore list, texts of `check_diff`.
    pub fn export(&self) -> Vec<u8> {
        super::keep::export(&self.state)
    }

    /// Takes over what was exported, in addition to what is remembered.
    ///
    /// # Errors
    /// The bytes are no whole export; nothing is taken over then.
    pub fn import(&mut self, bytes: &[u8]) -> Result<(), super::keep::Damaged> {
        super::keep::import(&mut self.state, bytes)
    }

    /// How many earlier events are remembered, and the bytes of their texts.
    pub fn size(&self) -> (usize, usize) {
        self.state.history.size()
    }
}

fn judge(
    rules: &RuleSet,
    event: &Event<'_>,
    decoded: &Decoded,
    decoder: Option<&decode::Facts>,
    state: &mut State,
    routes: &mut Routes,
) -> Option<Outcome> {
    let mut walk = Walk { rules, now: Now::new(event, decoded), decoder, log: event.subject(), state, links: lane };
    let node = match decoded.forced_rule {
        Some(forced) => rules.node_of(forced?)?,
        None if routes.whole_tree => walk.find()?,
        None => {
            let decoder = decoder.map(|decoder| decoder.id);
            walk.follow(routes.to(rules, decoded.category, decoder, event.program()))?
        }
    };
    Some(walk.conclude(node))
}

pub(super) fn previous(state: &State) -> Previous<'_> {
    match state.shown {
        Shown::Nothing => Previous::None,
        Shown::Lines => Previous::Events(&state.previous),
        Shown::Output => Previous::Output(&state.output),
    }
}
