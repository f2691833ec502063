//! The commons: counting over guests (design, decision 3).
//!
//! A rule with `<global_frequency/>` is left out in the lanes. What they make of an event is offered to the commons,
//! which remember it if such a rule counts it, and try those rules that hang where the event ended, or above. What the
//! commons find is an alert of its own, beside the lane's.

use super::book::Book;
use super::judge::{Judgement, previous};
use super::said::Now;
use super::state::State;
use super::walk::{Outcome, Walk};
use crate::decode::Decoded;
use crate::event::{Event, Header, Source, Stamp};
use crate::rules::{Links, Rule};
use std::sync::Arc;

/// An event that a lane offers, with everything that the commons need of it.
#[derive(Debug, Clone)]
pub struct Offer {
    full: Box<[u8]>,
    header: Header,
    own_host: Box<str>,
    source: Source,
    time: Stamp,
    decoded: Decoded,
    /// Id of the final rule in the lane.
    rule: u32,
    node: u32,
    stored: bool,
}

impl Offer {
    pub(super) fn new(event: &Event<'_>, decoded: &Decoded, rule: u32, outcome: Outcome) -> Self {
        Self {
            full: event.full.into(),
            header: event.header.clone(),
            own_host: event.own_host.into(),
            source: event.source.clone(),
            time: event.time,
            decoded: decoded.clone(),
            rule,
            node: outcome.node,
            stored: outcome.stored,
        }
    }

    /// Where the line was read.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// The memory of all guests together.
#[derive(Debug)]
pub struct Commons {
    book: Arc<Book>,
    state: State,
}

fn shared(rule: &Rule) -> &Links {
    &rule.commons
}

impl Commons {
    /// Commons without any memory.
    pub fn new(book: Arc<Book>) -> Self {
        Self { state: State::new(&book, book.rules.commons), book }
    }

    /// Judges an event that a lane offered. The offer must come from a judge with the same book; one from before a
    /// reload is judged as far as its rule still exists.
    pub fn weigh<'a>(&'a mut self, offer: &'a Offer) -> Judgement<'a> {
        let Self { book, state } = self;
        let rules = &book.rules;
        let decoded = &offer.decoded;
        let event = Event {
            full: &offer.full,
            header: offer.header.clone(),
            own_host: &offer.own_host,
            source: &offer.source,
            time: offer.time,
        };
        let decoder = decoded.decoder.map(|decoder| book.decoders.facts(decoder));
        state.begin();
        let outcome = {
            let now = Now::new(&event, decoded);
            let mut walk = Walk { rules, now, decoder, log: event.subject(), state: &mut *state, links: shared };
            let known = rules.has_node(offer.node, offer.rule).then_some(offer.node);
            let tried = known.map_or(&[][..], |node| &rules.node(node).commons);
            let found = tried.iter().find_map(|node| walk.visit(*node));
            match (found, rules.index_of(offer.rule)) {
                (Some(node), _) => Some(walk.conclude(node)),
                (None, Some(rule)) if offer.stored => {
                    let (rule, mark) = (rules.rule(rule), walk.state.mark);
                    walk.state.history.store(&walk.now, mark, rule, &rule.commons);
                    None
                }
                (None, _) => None,
            }
        };
        Judgement {
            event,
            decoded,
            decoder,
            discarded: false,
            accumulated: false,
            rules,
            outcome,
            previous: previous(state),
        }
    }

    /// Goes on with new rules and decoders.
    pub fn adopt(&mut self, book: Arc<Book>) {
        let old = std::mem::replace(&mut self.state, State::new(&book, book.rules.commons));
        self.state = old.adopt(&self.book, &book, book.rules.commons, shared);
        self.book = book;
    }

    /// A number that moves whenever what [`Self::export`] gives has changed.
    pub fn changes(&self) -> u64 {
        self.state.changes.wrapping_add(self.state.seen.changes())
    }

    /// What must survive a restart, as bytes, like that of a [`Judge`](super::Judge).
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

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.state.clear();
    }

    /// How many earlier events are remembered, and the bytes of their texts.
    pub fn size(&self) -> (usize, usize) {
        self.state.history.size()
    }
}
