//! The tree of rules cut down to what an event of one kind can reach, so that most rules cost nothing.
//!
//! Category, decoder and program decide more than half of all tests. For each kind of event that occurs a [`Plan`] is
//! made once: places whose decoder or program test fails are left out, those that ask nothing else are replaced by what
//! hangs under them, and nothing is kept behind a place that always takes the event. What is left is tried in the order
//! of the tree, but only if the texts occur that its patterns require ([`Set`]). Tests that are left out change no
//! memory, so a walk by plan and a walk through the whole tree come to the same.

use super::predicate::Test;
use super::{Rule, RuleSet};
use crate::decode::Category;
use crate::event::Field;
use crate::pattern::{Pattern, Set};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

/// Entries that are chosen from by one look at the log.
const SEGMENT: usize = 512;
/// Words of 64 bits, one bit an entry.
pub const WORDS: usize = SEGMENT / 64;
/// Fewer patterns are tried one by one.
const FEW: usize = 4;
/// More kinds of events are not remembered: programs are named by whoever writes the log.
const PLANS: usize = 2_048;
/// No entry.
pub const NONE: u16 = u16::MAX;

/// A choice among the entries of a segment, one bit each.
pub type Choice = [u64; WORDS];

/// What an event of one kind can reach.
#[derive(Debug, Default)]
pub struct Plan {
    /// In pieces of limited size, to be tried one after the other.
    pub segments: Box<[Segment]>,
}

/// Places to be tried in order.
#[derive(Debug, Default)]
pub struct Segment {
    /// The places.
    pub entries: Box<[Entry]>,
    /// Those that are tried always.
    pub always: Choice,
    /// Those whose required text is looked for in the log, although a field is searched.
    pub by_field: Choice,
    /// All of them.
    pub all: Choice,
    /// How the others are found.
    pub gates: Box<[Gate]>,
}

/// One place in a plan.
#[derive(Debug)]
pub struct Entry {
    /// Its node.
    pub node: u32,
    /// Its rule.
    pub rule: u32,
    /// So many of the rule's tests are known to hold.
    pub known: u16,
    /// What is tried below it.
    pub below: Below,
}

/// What is tried below a place.
#[derive(Debug)]
pub enum Below {
    /// Nothing.
    Nothing,
    /// Places that do not depend on the kind of event; their plan is kept with the node.
    Shared,
    /// Places that do.
    Own(Plan),
}

/// The patterns of one node's children, and where these stand in a segment.
#[derive(Debug)]
pub struct Gate {
    /// The node whose [`RuleSet::siblings`] are searched for.
    pub node: u32,
    /// By number of the pattern.
    pub places: Box<[u16]>,
}

/// Children of one node whose patterns require texts.
#[derive(Debug)]
pub struct Siblings {
    /// Finds the candidates.
    pub set: Set,
    /// By position among the children: number of the pattern in the set, and whether it searches a field.
    children: Box<[Option<(u16, bool)>]>,
}

/// The kind of an event, as far as plans differ by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    category: Category,
    decoder: Option<u16>,
    /// Which of the program patterns match, a bit each; `None`: no program.
    programs: Option<Box<[u64]>>,
}

/// What plans are made from, and those made so far.
#[derive(Debug, Default)]
pub(super) struct Planner {
    /// The different program patterns.
    programs: Vec<Pattern>,
    /// By node.
    siblings: Box<[OnceLock<Option<Siblings>>]>,
    /// By node, for those below which no decoder or program is asked for.
    shared: Box<[OnceLock<Plan>]>,
    /// By node: some place below asks for a decoder or program.
    dependent: Box<[bool]>,
    plans: RwLock<HashMap<Kind, Arc<Plan>>>,
}

impl Planner {
    pub(super) fn new(set: &RuleSet) -> Self {
        let mut programs: Vec<Pattern> = Vec::new();
        for test in set.rules.iter().flat_map(|rule| &rule.tests) {
            if let Test::Program(pattern) = test
                && !programs.iter().any(|known| same(known, pattern))
            {
                programs.push(pattern.clone());
            }
        }
        let mut dependent = vec![false; set.nodes.len()];
        for (node, place) in set.nodes.iter().enumerate() {
            if set.rule(place.rule).tests.iter().any(|test| matches!(test, Test::Decoder(_) | Test::Program(_))) {
                let mut above = set.nodes[node].above;
                while let Some(up) = above {
                    dependent[up as usize] = true;
                    above = set.node(up).above;
                }
            }
        }
        Self {
            programs,
            siblings: set.nodes.iter().map(|_| OnceLock::new()).collect(),
            shared: set.nodes.iter().map(|_| OnceLock::new()).collect(),
            dependent: dependent.into(),
            plans: RwLock::default(),
        }
    }
}

fn same(one: &Pattern, other: &Pattern) -> bool {
    one.language() == other.language() && one.as_str() == other.as_str()
}

/// The pattern by which a rule is found: the one whose required texts are longest. A field's text is searched for in
/// the log, of which it is a part.
fn gate(rule: &Rule) -> Option<(&Pattern, bool)> {
    let patterns = rule.tests.iter().filter_map(|test| match test {
        Test::Log(pattern) => Some((pattern, false)),
        Test::Field(Field::Url | Field::Id | Field::Data | Field::Status, pattern) => Some((pattern, true)),
        _ => None,
    });
    let shortest = |pattern: &Pattern| pattern.required_literals().iter().map(|text| text.len()).min().unwrap_or(0);
    patterns
        .map(|found| (shortest(found.0), found))
        .filter(|(length, _)| *length > 0)
        .max_by_key(|(l, _)| *l)
        .map(|(_, f)| f)
}

/// Fields by which rules are found in the log.
pub const GATE_FIELDS: [Field; 4] = [Field::Url, Field::Id, Field::Data, Field::Status];

impl RuleSet {
    /// The plan for events of a kind: category, id of the decoder, program. Made when first asked for.
    pub fn plan(&self, category: Category, decoder: Option<u16>, program: Option<&[u8]>) -> Arc<Plan> {
        let programs = program.map(|program| {
            let subject = crate::pattern::Subject::new(program);
            let mut bits = vec![0u64; self.planner.programs.len().div_ceil(64)];
            for (number, pattern) in self.planner.programs.iter().enumerate() {
                if pattern.is_match(subject) {
                    bits[number / 64] |= 1 << (number % 64);
                }
            }
            bits.into_boxed_slice()
        });
        let kind = Kind { category, decoder, programs };
        // A poisoned lock has lost nothing: plans are put in whole.
        let known = self.planner.plans.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&kind).cloned();
        if let Some(plan) = known {
            return plan;
        }
        let mut builder = Builder { set: self, kind: Some(&kind), lists: Vec::new() };
        for root in self.roots(category) {
            if builder.place(root, None) {
                break;
            }
        }
        let plan = Arc::new(builder.finish());
        let mut plans = self.planner.plans.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if plans.len() < PLANS {
            plans.insert(kind, Arc::clone(&plan));
        }
        plan
    }

    /// The plan below a node that does not depend on the kind of event.
    pub fn shared(&self, node: u32) -> &Plan {
        self.planner.shared[node as usize].get_or_init(|| {
            let mut builder = Builder { set: self, kind: None, lists: Vec::new() };
            builder.children(node);
            builder.finish()
        })
    }

    /// The children of a node that are found by the texts they require.
    pub fn siblings(&self, node: u32) -> Option<&Siblings> {
        let make = || {
            let gates: Vec<_> =
                self.node(node).children.iter().map(|child| gate(self.rule(self.node(*child).rule))).collect();
            let patterns: Vec<&Pattern> = gates.iter().flatten().map(|(pattern, _)| *pattern).collect();
            if patterns.len() < FEW || patterns.len() >= usize::from(NONE) {
                return None;
            }
            let mut next = 0;
            let mut number = |(_, field): &(&Pattern, bool)| {
                next += 1;
                (next - 1, *field)
            };
            let children = gates.iter().map(|gate| gate.as_ref().map(&mut number)).collect();
            Some(Siblings { set: Set::new(&patterns), children })
        };
        self.planner.siblings[node as usize].get_or_init(make).as_ref()
    }
}

/// An entry before it has its place in a segment.
struct Found {
    entry: Entry,
    /// The node among whose siblings it is, the number of its pattern there, and whether a field is searched.
    gate: Option<(u32, u16, bool)>,
}

struct Builder<'a> {
    set: &'a RuleSet,
    /// `None`: decoder and program do not matter.
    kind: Option<&'a Kind>,
    lists: Vec<Found>,
}

impl Builder<'_> {
    /// Adds a place; true if it always takes the event, so that nothing behind it is ever tried.
    fn place(&mut self, node: u32, gate: Option<(u32, u16, bool)>) -> bool {
        let place = self.set.node(node);
        let rule = self.set.rule(place.rule);
        let Some(known) = self.known(rule) else { return false };
        if known == rule.tests.len() && rule.counting.is_none() {
            if self.children(node) {
                return true;
            }
            if !rule.noalert {
                let entry = Entry { node, rule: place.rule, known: known as u16, below: Below::Nothing };
                self.lists.push(Found { entry, gate: None });
            }
            return !rule.noalert;
        }
        let below = match (place.children.is_empty(), self.set.planner.dependent[node as usize]) {
            (true, _) => Below::Nothing,
            (false, false) => Below::Shared,
            (false, true) => {
                let mut builder = Builder { set: self.set, kind: self.kind, lists: Vec::new() };
                builder.children(node);
                Below::Own(builder.finish())
            }
        };
        let entry = Entry { node, rule: place.rule, known: known as u16, below };
        self.lists.push(Found { entry, gate });
        false
    }

    fn children(&mut self, node: u32) -> bool {
        let siblings = self.set.siblings(node);
        let children = self.set.node(node).children.iter().enumerate();
        for (position, child) in children {
            let gate = siblings.and_then(|siblings| siblings.children[position]);
            if self.place(*child, gate.map(|(number, field)| (node, number, field))) {
                return true;
            }
        }
        false
    }

    /// How many of a rule's first tests are known to hold; `None`: one is known to fail.
    fn known(&self, rule: &Rule) -> Option<usize> {
        let Some(kind) = self.kind else { return Some(0) };
        let holds = |test: &Test| match test {
            Test::Decoder(id) => Some(kind.decoder == Some(*id)),
            Test::Program(pattern) => {
                let programs = &self.set.planner.programs;
                let number = programs.iter().position(|known| same(known, pattern))?;
                let bits = kind.programs.as_ref();
                Some(bits.is_some_and(|bits| bits[number / 64] & 1 << (number % 64) != 0))
            }
            _ => None,
        };
        let mut known = 0;
        for test in &rule.tests {
            match holds(test) {
                Some(true) => known += 1,
                Some(false) => return None,
                None => break,
            }
        }
        Some(known)
    }

    fn finish(self) -> Plan {
        let mut segments = Vec::new();
        let mut rest = self.lists.into_iter().peekable();
        while rest.peek().is_some() {
            segments.push(segment(rest.by_ref().take(SEGMENT).collect(), self.set));
        }
        Plan { segments: segments.into() }
    }
}

fn segment(found: Vec<Found>, set: &RuleSet) -> Segment {
    let mut segment = Segment::default();
    let mut gated: HashMap<u32, usize> = HashMap::new();
    for (node, ..) in found.iter().filter_map(|found| found.gate) {
        *gated.entry(node).or_default() += 1;
    }
    let mut gates: Vec<Gate> = Vec::new();
    for (place, found) in found.iter().enumerate() {
        let (word, bit) = (place / 64, 1u64 << (place % 64));
        segment.all[word] |= bit;
        let worth = found.gate.filter(|(node, ..)| gated.get(node).is_some_and(|count| *count >= FEW));
        let Some((node, number, field)) = worth else {
            segment.always[word] |= bit;
            continue;
        };
        if field {
            segment.by_field[word] |= bit;
        }
        let at = gates.iter().position(|gate| gate.node == node).unwrap_or_else(|| {
            let count = set.siblings(node).map_or(0, |siblings| siblings.set.len());
            gates.push(Gate { node, places: vec![NONE; count].into() });
            gates.len() - 1
        });
        gates[at].places[usize::from(number)] = place as u16;
    }
    segment.gates = gates.into();
    segment.entries = found.into_iter().map(|found| found.entry).collect();
    segment
}
