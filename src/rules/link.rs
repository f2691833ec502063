//! From rules as read to the tree: parents, order of siblings, who watches whom, overwrites (spec/rules.md 4).
//!
//! Reading order is everything: a rule sees only what was read before it.

mod finish;
mod overwrite;
mod parents;

use super::draft::Draft;
use crate::decode::Category;
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub(super) use finish::finish;

/// Rules that stand below one another at most; judges go down the tree by calling themselves.
const DEEPEST: usize = 100;
/// Places in the tree at most. Each `if_level` rule hangs under nearly all places before it, so a few of them double
/// the tree again and again.
const MOST_PLACES: usize = 500_000;

/// A rule in the tree under construction. All its nodes share it.
#[derive(Debug)]
struct Linked {
    draft: Draft,
    /// Its places in the tree.
    nodes: Vec<usize>,
    /// Which list it searches: decided when the rule was first read, an overwrite does not change it.
    search: Search,
    /// The rule as last read counts something; without, `search` is not used.
    counts: bool,
    /// Rules that name this one in `if_matched_sid`.
    watchers: Vec<usize>,
    /// Rules whose group list this one feeds, once for each of its nodes.
    feeds: Vec<usize>,
    /// Where it was read last.
    source: Arc<Source>,
}

/// What a counting rule searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Nothing: a plain rule, and one with `check_diff`.
    Nothing,
    /// The events of one rule.
    Sid(usize),
    /// The same, but that rule was not read before: it never fires.
    Unread,
    /// The events of the rules of a group.
    Group,
    /// All events.
    All,
}

#[derive(Debug)]
struct Node {
    rule: usize,
    parent: Option<usize>,
    children: Vec<usize>,
}

/// The tree under construction.
#[derive(Debug, Default)]
pub(super) struct Linker {
    rules: Vec<Linked>,
    nodes: Vec<Node>,
    roots: Vec<usize>,
    /// Rules by id; only ids below 10 may have several.
    by_id: HashMap<u32, Vec<usize>>,
    /// Ids of rules that were left out.
    left_out: HashSet<u32>,
}

/// A place for a new node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Under(usize),
}

impl Linker {
    /// Notes that a rule could not be read, so that those that refer to it can be told.
    pub(super) fn leave_out(&mut self, id: u32) {
        self.left_out.insert(id);
    }

    /// Puts a rule into the tree, or lets it overwrite an older one. What cannot be linked is left out and diagnosed.
    pub(super) fn add(&mut self, mut draft: Draft, source: &Arc<Source>, diagnostics: &mut Diagnostics) {
        let id = draft.id;
        let error = |span: Span, message: String| Diagnostic::error(source, span, message);
        let root = id < 10;
        let known = self.by_id.get(&id).and_then(|rules| rules.first()).copied();
        match known {
            Some(_) if !draft.overwrite => {
                let message = format!("rule {id} is defined a second time");
                let help = "overwrite=\"yes\" replaces the first one; a rule of your own needs an id of its own";
                diagnostics.push(error(draft.head, message).help(help));
                return;
            }
            Some(old) if !root => {
                self.overwrite(old, draft, source, diagnostics);
                return;
            }
            None if draft.overwrite && !root => {
                let why = if self.left_out.contains(&id) { "which was left out" } else { "which no file defines" };
                let message = format!("rule {id} overwrites a rule of that id, {why} before it");
                diagnostics.push(error(draft.head, message));
                self.leave_out(id);
                return;
            }
            _ => {}
        }
        let places = if root { vec![Place::Root] } else { self.places(&mut draft, source, diagnostics) };
        if places.is_empty() || !self.has_room(&places, &draft, source, diagnostics) {
            self.leave_out(id);
            return;
        }
        let rule = self.rules.len();
        let counts = draft.correlation.counts() && !draft.conditions.check_diff;
        let scaled = draft.scaled;
        self.rules.push(Linked {
            draft,
            nodes: Vec::new(),
            search: Search::Nothing,
            counts,
            watchers: Vec::new(),
            feeds: Vec::new(),
            source: Arc::clone(source),
        });
        self.by_id.entry(id).or_default().push(rule);
        for place in places {
            self.insert(rule, scaled, place);
        }
        self.watch(rule, rule, source, diagnostics);
        if counts {
            let correlation = &self.rules[rule].draft.correlation;
            self.rules[rule].search = match (&correlation.sid, &correlation.group, &correlation.regex) {
                (Some((id, _)), _, _) => {
                    self.by_id.get(id).and_then(|rules| rules.first()).map_or(Search::Unread, |rule| Search::Sid(*rule))
                }
                (None, Some(_), _) => Search::Group,
                (None, None, Some(_)) => Search::All,
                (None, None, None) => Search::Nothing,
            };
            if self.rules[rule].search == Search::Group {
                self.feed(rule);
            }
        }
    }

    /// Tells whether the tree may grow by these places.
    fn has_room(&self, places: &[Place], draft: &Draft, source: &Arc<Source>, diagnostics: &mut Diagnostics) -> bool {
        let depth = |place: &Place| {
            let above = match place {
                Place::Root => None,
                Place::Under(node) => Some(*node),
            };
            std::iter::successors(above, |node| self.nodes[*node].parent).count()
        };
        let message = if places.iter().any(|place| depth(place) > DEEPEST) {
            format!("rule {} stands more than {DEEPEST} rules below its root", draft.id)
        } else if self.nodes.len() + places.len() > MOST_PLACES {
            format!("rule {} would give the rules more than {MOST_PLACES} places in all", draft.id)
        } else {
            return true;
        };
        diagnostics.push(Diagnostic::error(source, draft.head, message));
        false
    }

    /// Puts a node in front of the first sibling whose level is lower now, else to the end.
    fn insert(&mut self, rule: usize, scaled: u64, place: Place) {
        let node = self.nodes.len();
        let parent = match place {
            Place::Root => None,
            Place::Under(parent) => Some(parent),
        };
        let siblings = parent.map_or(&self.roots, |parent| &self.nodes[parent].children);
        let lower = |sibling: &usize| self.rules[self.nodes[*sibling].rule].draft.scaled < scaled;
        let at = siblings.iter().position(lower).unwrap_or(siblings.len());
        self.nodes.push(Node { rule, parent, children: Vec::new() });
        self.rules[rule].nodes.push(node);
        match parent {
            None => self.roots.insert(at, node),
            Some(parent) => self.nodes[parent].children.insert(at, node),
        }
    }

    /// Notes that `watcher` names a rule in `if_matched_sid`; that rule then feeds no group list any more.
    fn watch(&mut self, watcher: usize, subject: usize, source: &Arc<Source>, diagnostics: &mut Diagnostics) {
        let Some((id, span)) = self.rules[subject].draft.correlation.sid else { return };
        self.watch_id(watcher, id, span, source, diagnostics);
    }

    fn watch_id(&mut self, watcher: usize, id: u32, span: Span, source: &Arc<Source>, diagnostics: &mut Diagnostics) {
        let watched = self.by_id.get(&id).cloned().unwrap_or_default();
        if watched.is_empty() {
            let waiting = self.rules[watcher].draft.id;
            let left_out = self.left_out.contains(&id);
            let why = if left_out { "which was left out" } else { "which no file defines before it" };
            let message = format!("rule {waiting} waits for rule {id}, {why}: it never fires");
            let mut diagnostic = Diagnostic::warning(source, span, message);
            if left_out {
                diagnostic.severity = crate::diag::Severity::Error;
            }
            diagnostics.push(diagnostic);
        }
        for rule in watched {
            self.rules[rule].watchers.push(watcher);
        }
    }

    /// Finds who feeds a rule's group list: every node read so far, its own included.
    fn feed(&mut self, owner: usize) {
        let fed: Vec<usize> = {
            let Some((_, pattern, _)) = &self.rules[owner].draft.correlation.group else { return };
            let fits =
                |rule: &Linked| pattern.is_match(crate::pattern::Subject::new(rule.draft.facts.groups.as_bytes()));
            let mut fitting: HashMap<usize, bool> = HashMap::new();
            let mut fits = |rule: usize| *fitting.entry(rule).or_insert_with(|| fits(&self.rules[rule]));
            self.nodes.iter().map(|node| node.rule).filter(|rule| fits(*rule)).collect()
        };
        for rule in fed {
            self.rules[rule].feeds.push(owner);
        }
    }

    /// The first root of a category.
    fn root_of(&self, category: Category) -> Option<usize> {
        self.roots.iter().copied().find(|root| self.rules[self.nodes[*root].rule].draft.category == category)
    }
}
