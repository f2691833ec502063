//! The decoders, compiled, and one line's way through them (spec/decoders.md 6 and 7).
//!
//! Two root lists: an event with a program name sees only the roots that name one, an event without sees only the
//! others. The first root that fits is the only one; below it, the first child that fits. The oddities of chains are
//! OSSEC's (src/analysisd/decoders/decoder.c, 4.3.0).

use super::builtin::{Plugin, SonicWall};
use super::doc::Offset;
use super::first::First;
use super::order::Word;
use super::{Assigned, Decoded, Facts};
use crate::event::{Event, Value};
use crate::pattern::{Captures, Pattern, Subject};
use std::collections::HashMap;

/// A set of decoders, linked and compiled.
#[derive(Debug, Default)]
pub struct Decoders {
    /// Tells this set from others, for what [`Scratch`] remembers.
    pub(super) generation: u64,
    pub(super) nodes: Vec<Node>,
    /// One for each node, then one for each decoder that is not in a file.
    pub(super) facts: Vec<Facts>,
    pub(super) ids: HashMap<String, u16>,
    /// Where the facts of decoders that are not in a file start.
    pub(super) own: usize,
    pub(super) with_program: Roots,
    pub(super) without_program: Roots,
    pub(super) sonicwall: Option<SonicWall>,
}

/// One decoder, whatever it hangs under.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) prematch: Option<Gate>,
    pub(super) regex: Option<Gate>,
    pub(super) order: Vec<Word>,
    pub(super) plugin: Option<Plugin>,
}

/// A pattern, where its search starts, and what its matches begin with if it is anchored.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) pattern: Pattern,
    pub(super) offset: Option<Offset>,
    pub(super) first: Option<First>,
}

impl Gate {
    fn possible(&self, text: &[u8]) -> bool {
        self.first.as_ref().is_none_or(|first| first.admits(text))
    }

    fn is_match(&self, subject: Subject<'_>) -> bool {
        self.possible(subject.bytes) && self.pattern.is_match(subject)
    }

    /// The end of the match, counted from the start of `subject`.
    fn end(&self, subject: Subject<'_>, from: usize) -> Option<usize> {
        // A byte tells, before anything is said about the rest of the text.
        if !self.possible(subject.bytes.get(from..).unwrap_or_default()) {
            return None;
        }
        Some(from + self.pattern.find_end(subject.from(from))?)
    }
}

#[derive(Debug)]
pub(super) struct Root {
    pub(super) node: u32,
    pub(super) program: Option<Gate>,
    pub(super) children: Vec<Child>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Child {
    pub(super) node: u32,
    /// After this one, the next sibling in the list is searched too, whatever its name.
    pub(super) goes_on: bool,
}

/// One of the two root lists, and which of its roots can fit a text that begins with a certain byte.
#[derive(Debug, Default)]
pub(super) struct Roots {
    pub(super) list: Vec<Root>,
    /// By first byte; the last entry is for the empty text. In list order.
    by_first: Vec<Box<[u16]>>,
}

impl Roots {
    /// Builds the index; `gate` is what tests the text that roots of this list are chosen by.
    pub(super) fn index<'a>(&'a self, gate: impl Fn(&'a Root) -> Option<&'a Gate>) -> Vec<Box<[u16]>> {
        let gates: Vec<_> = self.list.iter().map(|root| gate(root).and_then(|gate| gate.first.as_ref())).collect();
        (0..=256_u16)
            .map(|byte| {
                let byte = u8::try_from(byte).ok();
                let fits = |first: &Option<&First>| first.is_none_or(|first| first.admits_byte(byte.as_ref()));
                (0_u16..).zip(&gates).filter(|(_, first)| fits(first)).map(|(at, _)| at).collect()
            })
            .collect()
    }

    pub(super) fn set_index(&mut self, index: Vec<Box<[u16]>>) {
        self.by_first = index;
    }

    fn candidates(&self, text: &[u8]) -> &[u16] {
        let at = text.first().map_or(256, |&byte| usize::from(byte));
        self.by_first.get(at).map_or(&[], |list| list)
    }
}

/// How many program names one lane remembers the roots of, and how long they may be. An attacker's invented names push
/// out the others at worst, which costs a few tests more.
const PROGRAMS: usize = 256;
const PROGRAM_LENGTH: usize = 48;

/// Working memory of one lane for decoding; keeps nothing of any line but program names.
#[derive(Debug, Default)]
pub struct Scratch {
    captures: Captures,
    generation: u64,
    programs: HashMap<Box<[u8]>, Box<[u16]>>,
}

impl Scratch {
    /// Number of program names remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.programs.len()
    }
}

/// How far the searches in one line have come; all are offsets in the shortened log.
struct Reached {
    /// End of the parent's match.
    parent: usize,
    /// End of the child's prematch.
    prematch: usize,
    /// End of the last regex, if it matched.
    regex: Option<usize>,
}

impl Decoders {
    /// What is known of a decoder, by [`Decoded::decoder`].
    pub fn facts(&self, decoder: u32) -> &Facts {
        static NOBODY: std::sync::LazyLock<Facts> = std::sync::LazyLock::new(Facts::default);
        self.facts.get(decoder as usize).unwrap_or(&NOBODY)
    }

    /// The id of a decoder name, as `decoded_as` uses it; `None` for a name that no decoder bears. Names that exist
    /// without a decoder element (spec/decoders.md 10) are known too. Case-sensitive.
    pub fn id_of(&self, name: &str) -> Option<u16> {
        self.ids.get(name).copied()
    }

    /// The decoder of events that no decoder element makes (integrity, rootcheck, host information), by the name that
    /// `decoded_as` uses, such as `syscheck_new_entry`.
    pub fn own(&self, name: &str) -> Option<u32> {
        let id = self.id_of(name)?;
        let at = self.facts[self.own..].iter().position(|facts| facts.id == id)?;
        u32::try_from(self.own + at).ok()
    }

    /// Names of all decoders in file order; children bear the name that shows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.facts[..self.own].iter().map(|facts| facts.name.as_str())
    }

    /// The name under which a capture became a field: a fixed field's label or the dynamic field's name.
    pub fn label(&self, assigned: &Assigned) -> &str {
        match self.nodes.get(assigned.decoder as usize).and_then(|node| node.order.get(assigned.position)) {
            Some(Word::Fixed(field)) => field.label(),
            Some(Word::Dynamic(name)) => name,
            None => "",
        }
    }

    /// All fields by name, as OSSEC's logtest shows them, each once: the fixed ones in their order, then the dynamic
    /// ones in the order of their assignment. A dynamic field of an earlier member of a chain is shown, although
    /// rules can no longer name it.
    pub fn shown<'a>(&'a self, decoded: &'a Decoded, full: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
        let mut shown: Vec<_> = decoded.fields.iter(full).map(|(field, text)| (field.label(), text)).collect();
        for assigned in &decoded.trace {
            let node = self.nodes.get(assigned.decoder as usize);
            let Some(Word::Dynamic(name)) = node.and_then(|node| node.order.get(assigned.position)) else { continue };
            let text = &full[assigned.span.clone()];
            match shown.iter_mut().find(|(known, _)| known == name) {
                Some((_, value)) => *value = text,
                None => shown.push((name, text)),
            }
        }
        shown
    }

    /// Decodes one line into `out`, which is cleared first.
    pub fn decode(&self, event: &Event<'_>, scratch: &mut Scratch, out: &mut Decoded) {
        out.clear();
        let log = event.subject();
        if let Some(program) = event.program() {
            let Scratch { captures, generation, programs } = scratch;
            if *generation != self.generation {
                programs.clear();
                *generation = self.generation;
            }
            if let Some(known) = programs.get(program) {
                self.choose(&self.with_program, known, event, log, captures, out);
                return;
            }
            let subject = Subject::new(program);
            let fits = |at: &&u16| {
                let root = self.with_program.list.get(usize::from(**at));
                root.is_some_and(|root| root.program.as_ref().is_none_or(|gate| gate.is_match(subject)))
            };
            let roots: Box<[u16]> = self.with_program.candidates(program).iter().filter(fits).copied().collect();
            self.choose(&self.with_program, &roots, event, log, captures, out);
            if program.len() <= PROGRAM_LENGTH {
                if programs.len() >= PROGRAMS {
                    programs.clear();
                }
                programs.insert(program.into(), roots);
            }
        } else {
            let roots = self.without_program.candidates(log.bytes);
            self.choose(&self.without_program, roots, event, log, &mut scratch.captures, out);
        }
    }

    /// Takes the first of `roots` whose prematch fits, and nothing else, whatever happens below it.
    fn choose(
        &self,
        list: &Roots,
        roots: &[u16],
        event: &Event<'_>,
        log: Subject<'_>,
        captures: &mut Captures,
        out: &mut Decoded,
    ) {
        for root in roots.iter().filter_map(|&at| list.list.get(usize::from(at))) {
            let node = &self.nodes[root.node as usize];
            let parent = match &node.prematch {
                None => 0,
                Some(gate) => match gate.end(log, 0) {
                    Some(end) => end,
                    None => continue,
                },
            };
            self.name(out, root.node);
            let reached = Reached { parent, prematch: parent, regex: None };
            if root.children.is_empty() {
                let alone = [Child { node: root.node, goes_on: false }];
                self.extract(&alone, reached, event, log, captures, out);
            } else {
                self.descend(&root.children, reached, event, log, captures, out);
            }
            return;
        }
    }

    fn name(&self, out: &mut Decoded, node: u32) {
        out.decoder = Some(node);
        out.category = self.facts[node as usize].category;
    }

    /// Selects a child; the root's own regex and plug-in count for nothing.
    fn descend(
        &self,
        children: &[Child],
        mut reached: Reached,
        event: &Event<'_>,
        log: Subject<'_>,
        captures: &mut Captures,
        out: &mut Decoded,
    ) {
        let mut at = 0;
        while let Some(child) = children.get(at) {
            let Some(gate) = &self.nodes[child.node as usize].prematch else {
                // Without a prematch it is taken at once, but the event bears its name only if its regex matches.
                self.extract(&children[at..], reached, event, log, captures, out);
                return;
            };
            let from = if gate.offset == Some(Offset::AfterParent) { reached.parent } else { 0 };
            if let Some(end) = gate.end(log, from) {
                reached.prematch = end;
                self.name(out, child.node);
                self.extract(&children[at..], reached, event, log, captures, out);
                return;
            }
            // The rest of its chain goes with it, up to and including the first member that does not go on.
            while children.get(at).is_some_and(|child| child.goes_on) {
                at += 1;
            }
            at += 1;
        }
    }

    /// Runs the plug-in or the regex of the first node, and while nodes go on those of the following.
    fn extract(
        &self,
        chain: &[Child],
        mut reached: Reached,
        event: &Event<'_>,
        log: Subject<'_>,
        captures: &mut Captures,
        out: &mut Decoded,
    ) {
        for (step, child) in chain.iter().enumerate() {
            let node = &self.nodes[child.node as usize];
            if let Some(plugin) = node.plugin.filter(|_| step == 0) {
                // A child without a prematch leaves the event its root's name.
                plugin.run(self.sonicwall.as_ref(), event, captures, out);
                return;
            }
            let Some(gate) = &node.regex else { return };
            let from = match gate.offset {
                None => 0,
                Some(Offset::AfterParent) => reached.parent,
                Some(Offset::AfterPrematch) => reached.prematch,
                Some(Offset::AfterRegex) => reached.regex.unwrap_or(reached.prematch),
            };
            reached.regex = None;
            if gate.possible(log.bytes.get(from..).unwrap_or_default())
                && let Some(end) = gate.pattern.captures(log.from(from), captures)
            {
                reached.regex = Some(from + end);
                self.name(out, child.node);
                assign(child.node, &node.order, event.header.log.start + from, captures, out);
            }
            if !child.goes_on {
                return;
            }
        }
    }
}

/// The n-th capture goes to the n-th word; captures or words without a partner are left.
fn assign(decoder: u32, order: &[Word], base: usize, captures: &Captures, out: &mut Decoded) {
    for (position, (word, capture)) in order.iter().zip(captures).enumerate() {
        let span = base + capture.start..base + capture.end;
        match word {
            Word::Fixed(field) => out.fields.set(*field, Value::Span(span.clone())),
            Word::Dynamic(_) => out.fields.set_dynamic(position, Value::Span(span.clone())),
        }
        out.trace.push(Assigned { decoder, position, span });
    }
}
