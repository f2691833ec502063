//! The compiled rules: what judges walk.

use super::draft::{self, Context, Parts, Relations};
use super::link::{self, Linker};
use super::plan::Planner;
use super::predicate::Test;
use super::{Facts, Lists, Options, doc};
use crate::decode::{Category, Decoders};
use crate::diag::Diagnostics;
use crate::pattern::Pattern;
use std::collections::HashMap;

/// One rule, compiled. All its places in the tree share it.
#[derive(Debug)]
pub struct Rule {
    /// What it says about itself.
    pub facts: Facts,
    /// What it asks of an event, in the order in which it is asked.
    pub tests: Box<[Test]>,
    /// What it counts, as the last of its tests.
    pub counting: Option<Counting>,
    /// It counts over guests: the commons judge it, the lanes do not.
    pub global: bool,
    /// Without a child that takes the event it is as if it had not matched.
    pub noalert: bool,
    /// Seconds of silence after an alert; 0: none.
    pub ignore: i64,
    /// Parts of the event that its alert puts on the ignore list.
    pub silences: Parts,
    /// Parts of the event that are looked up on the ignore list.
    pub silenced_by: Parts,
    /// Where its events are remembered in a lane.
    pub lane: Links,
    /// Where its events are remembered in the commons.
    pub commons: Links,
}

/// What a rule counts (spec/rules.md 8).
#[derive(Debug)]
pub struct Counting {
    /// The list that is searched.
    pub counted: Counted,
    /// Seconds that it looks back.
    pub timeframe: i64,
    /// Conditions between the event and an earlier one.
    pub relations: Relations,
    /// What earlier logs must match; only asked when all events are searched.
    pub regex: Option<Pattern>,
}

/// A list of earlier events, by its number among its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Nothing ever (the rule to be watched was not read before).
    Never,
    /// The events of a watched rule.
    Sid(u32),
    /// The events of the rules of a group.
    Group(u32),
    /// All events of the same category.
    All,
}

/// The lists that a rule's events go to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The sid list, if some rule watches this one.
    pub sid: Option<u32>,
    /// Group lists, once for each place in the tree; empty for a watched rule.
    pub groups: Box<[u32]>,
}

impl Links {
    /// Tells whether nobody wants to know of the rule's events by id or group.
    pub fn is_empty(&self) -> bool {
        self.sid.is_none() && self.groups.is_empty()
    }
}

/// One place in the tree.
#[derive(Debug)]
pub struct Node {
    /// Index of its rule.
    pub rule: u32,
    /// The place above; `None` for a root.
    pub above: Option<u32>,
    /// Nodes below, in the order in which they are tried.
    pub children: Box<[u32]>,
    /// Nodes of rules that count over guests, to be tried by the commons for an event that ended here.
    pub commons: Box<[u32]>,
}

/// Sizes and needs of one set of lists, that of a lane or of the commons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Number of sid lists.
    pub sids: usize,
    /// Number of group lists.
    pub groups: usize,
    /// Categories (a bit each) of which all events are searched.
    pub categories: u8,
}

impl Demand {
    /// Tells whether all events of a category are searched.
    pub fn searches_all(&self, category: Category) -> bool {
        self.categories & 1 << category as u8 != 0
    }
}

/// All rules, compiled. Immutable: memory belongs to the judges.
#[derive(Debug)]
pub struct RuleSet {
    pub(super) rules: Box<[Rule]>,
    pub(super) nodes: Box<[Node]>,
    pub(super) planner: Planner,
    /// Roots in order, with the category of event that they take.
    roots: Box<[(Category, u32)]>,
    by_id: HashMap<u32, u32>,
    /// The first place of each rule.
    places: Box<[u32]>,
    /// What a lane's memory must hold.
    pub lane: Demand,
    /// What the commons' memory must hold.
    pub commons: Demand,
    /// The largest frequency of any rule; old events of a full memory leave by it.
    pub largest_frequency: u32,
    /// The longest timeframe of any counting rule, seconds.
    pub longest_timeframe: u32,
}

impl RuleSet {
    /// Compiles rule files in the order given. Broken rules are left out and diagnosed; so is what hangs under them.
    pub fn compile(
        files: Vec<doc::File>,
        decoders: &Decoders,
        options: &Options,
        lists: Lists,
    ) -> (RuleSet, Diagnostics) {
        let mut diagnostics = Diagnostics::default();
        let mut linker = Linker::default();
        for file in &files {
            let context = Context { source: &file.source, decoders, options, lists: &lists };
            for group in &file.groups {
                for rule in &group.rules {
                    match draft::read(rule, &group.name, &context, &mut diagnostics) {
                        (_, Some(draft)) => linker.add(draft, &file.source, &mut diagnostics),
                        (Some(id), None) => linker.leave_out(id),
                        (None, None) => {}
                    }
                }
            }
        }
        let set = link::finish(linker, &mut diagnostics);
        (set, diagnostics)
    }

    pub(super) fn assemble(
        rules: Vec<Rule>,
        nodes: Vec<Node>,
        roots: Vec<(Category, u32)>,
        demands: [Demand; 2],
    ) -> Self {
        let mut by_id = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            by_id.entry(rule.facts.id).or_insert(index as u32);
        }
        let mut places = vec![0; rules.len()];
        for (index, node) in nodes.iter().enumerate().rev() {
            places[node.rule as usize] = index as u32;
        }
        let [lane, commons] = demands;
        let mut set = Self {
            planner: Planner::default(),
            places: places.into(),
            rules: rules.into(),
            nodes: nodes.into(),
            roots: roots.into(),
            by_id,
            lane,
            commons,
            largest_frequency: 0,
            longest_timeframe: 0,
        };
        set.planner = Planner::new(&set);
        set
    }

    /// A rule by its index.
    pub fn rule(&self, index: u32) -> &Rule {
        &self.rules[index as usize]
    }

    /// A place in the tree by its index.
    pub fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    /// The roots that take events of a category, in order.
    pub fn roots(&self, category: Category) -> impl Iterator<Item = u32> {
        self.roots.iter().filter(move |(taken, _)| *taken == category).map(|(_, root)| *root)
    }

    /// The index of the (first) rule of an id.
    pub fn index_of(&self, id: u32) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The first place in the tree of the rule of an id.
    pub fn node_of(&self, id: u32) -> Option<u32> {
        Some(self.places[self.index_of(id)? as usize])
    }

    /// Tells whether a place exists and is one of the rule of that id.
    pub fn has_node(&self, node: u32, id: u32) -> bool {
        self.nodes.get(node as usize).is_some_and(|node| self.rule(node.rule).facts.id == id)
    }

    /// What the (first) rule of an id says about itself.
    pub fn facts(&self, id: u32) -> Option<&Facts> {
        Some(&self.rule(self.index_of(id)?).facts)
    }

    /// All rules in the order in which they were read first.
    pub fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.rules.iter()
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Tells whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Ids of the rules directly above a rule, in the order of its places; none for a root.
    pub fn parents(&self, id: u32) -> Vec<u32> {
        let Some(rule) = self.index_of(id) else { return Vec::new() };
        let places = self.nodes.iter().filter(|node| node.rule == rule);
        places.filter_map(|node| Some(self.rule(self.node(node.above?).rule).facts.id)).collect()
    }

    /// Ids of the rules from a root down to a place.
    pub fn path(&self, node: u32) -> Vec<u32> {
        let up = std::iter::successors(Some(node), |node| self.node(*node).above);
        let mut path: Vec<u32> = up.map(|node| self.rule(self.node(node).rule).facts.id).collect();
        path.reverse();
        path
    }
}
