//! From the finished tree to what judges walk.

use super::{Linked, Linker, Search};
use crate::decode::Category;
use crate::diag::{Diagnostic, Diagnostics};
use crate::rules::set::Demand;
use crate::rules::{Counted, Counting, Links, Node, Rule, RuleSet};
use std::collections::HashMap;

/// A rule of this or a higher frequency counts on a watched rule's list in vain: the list holds 128 events.
const SID_LIST: u32 = 128;

/// Where the events of a rule go: one set of lists for the lanes, one for the commons.
#[derive(Default)]
struct Network {
    sids: HashMap<usize, u32>,
    groups: HashMap<usize, u32>,
    categories: u8,
}

/// Lowers everything, numbers the lists, and takes the scaling of levels back.
pub(in crate::rules) fn finish(mut linker: Linker, diagnostics: &mut Diagnostics) -> RuleSet {
    unscale(&mut linker);
    let mut networks = [Network::default(), Network::default()];
    let mut longest_timeframe = 0;
    for (index, rule) in linker.rules.iter().enumerate() {
        if !rule.counts {
            continue;
        }
        longest_timeframe = longest_timeframe.max(rule.draft.timeframe);
        let network = &mut networks[usize::from(rule.draft.correlation.global)];
        match rule.search {
            Search::Nothing | Search::Unread => {}
            Search::Sid(watched) => {
                let next = network.sids.len() as u32;
                network.sids.entry(watched).or_insert(next);
                if rule.draft.facts.frequency >= SID_LIST {
                    let message = format!(
                        "rule {}: frequency {} is never reached, a watched rule's list holds {SID_LIST} events",
                        rule.draft.id, rule.draft.facts.frequency
                    );
                    diagnostics.push(Diagnostic::warning(&rule.source, rule.draft.head, message));
                }
            }
            Search::Group => {
                let next = network.groups.len() as u32;
                network.groups.insert(index, next);
            }
            Search::All => {
                for node in &rule.nodes {
                    network.categories |= 1 << linker.category(*node) as u8;
                }
            }
        }
    }
    let links: Vec<[Links; 2]> = (0..linker.rules.len()).map(|rule| links(&linker, rule, &networks)).collect();
    let global: Vec<bool> = linker.rules.iter().map(|rule| rule.counts && rule.draft.correlation.global).collect();
    let nodes = nodes(&linker, &global);
    let roots = linker.roots.iter().map(|root| (linker.category(*root), *root as u32)).collect();
    let largest_frequency = linker.rules.iter().map(|rule| rule.draft.facts.frequency).max().unwrap_or(0);
    let rules = linker.rules.into_iter().zip(links).enumerate();
    let rules = rules.map(|(index, (rule, links))| lower(index, rule, links, &networks)).collect();
    let demands = networks.each_ref().map(|network| Demand {
        sids: network.sids.len(),
        groups: network.groups.len(),
        categories: network.categories,
    });
    let mut set = RuleSet::assemble(rules, nodes, roots, demands);
    set.largest_frequency = largest_frequency;
    set.longest_timeframe = longest_timeframe;
    set
}

/// Takes the scaling of levels back, once for each place in the tree, as OSSEC does.
fn unscale(linker: &mut Linker) {
    for node in 0..linker.nodes.len() {
        let draft = &mut linker.rules[linker.nodes[node].rule].draft;
        if draft.scaled == 9_900 {
            draft.scaled = 0;
        } else if draft.scaled >= 100 {
            draft.scaled /= 100;
        }
    }
    for rule in &mut linker.rules {
        rule.draft.facts.level = u32::try_from(rule.draft.scaled).unwrap_or(u32::MAX);
    }
}

impl Linker {
    /// The category of the root above a node.
    fn category(&self, mut node: usize) -> Category {
        while let Some(parent) = self.nodes[node].parent {
            node = parent;
        }
        self.rules[self.nodes[node].rule].draft.category
    }
}

fn links(linker: &Linker, rule: usize, networks: &[Network; 2]) -> [Links; 2] {
    [false, true].map(|global| {
        let network = &networks[usize::from(global)];
        let rule_of = |other: &&usize| linker.rules[**other].draft.correlation.global == global;
        // Watched at all, even by a rule that no longer counts: then it feeds no group list.
        let watched = linker.rules[rule].watchers.iter().filter(rule_of).count() > 0;
        let feeds = linker.rules[rule].feeds.iter().filter(rule_of).filter_map(|owner| network.groups.get(owner));
        let groups = if watched { Box::default() } else { feeds.copied().collect() };
        Links { sid: network.sids.get(&rule).copied(), groups }
    })
}

fn lower(index: usize, rule: Linked, links: [Links; 2], networks: &[Network; 2]) -> Rule {
    let Linked { draft, search, counts, .. } = rule;
    let global = draft.correlation.global;
    let network = &networks[usize::from(global)];
    let counted = match search {
        Search::Nothing => None,
        Search::Unread => Some(Counted::Never),
        Search::Sid(watched) => network.sids.get(&watched).copied().map(Counted::Sid),
        Search::Group => network.groups.get(&index).copied().map(Counted::Group),
        Search::All => Some(Counted::All),
    };
    let counting = counted.filter(|_| counts).map(|counted| Counting {
        counted,
        timeframe: i64::from(draft.timeframe),
        relations: draft.correlation.relations,
        regex: draft.correlation.regex.map(|(pattern, _)| pattern),
    });
    let [lane, commons] = links;
    Rule {
        facts: draft.facts,
        tests: draft.conditions.lower().into(),
        counting,
        global: global && counts,
        noalert: draft.noalert,
        ignore: i64::from(draft.ignore),
        silences: draft.silences,
        silenced_by: draft.silenced_by,
        lane,
        commons,
    }
}

/// The nodes with their children in order. Rules that count over guests are no children in the lanes; each node knows
/// those that the commons must try for an event that ended there: what hangs under it and under all nodes above it.
fn nodes(linker: &Linker, global: &[bool]) -> Vec<Node> {
    let of_commons = |node: &usize| global[linker.nodes[*node].rule];
    let split = |node: usize, commons: bool| {
        linker.nodes[node].children.iter().filter(move |child| of_commons(child) == commons).map(|child| *child as u32)
    };
    (0..linker.nodes.len())
        .map(|node| {
            let above = std::iter::successors(Some(node), |node| linker.nodes[*node].parent);
            Node {
                rule: linker.nodes[node].rule as u32,
                above: linker.nodes[node].parent.map(|parent| parent as u32),
                children: split(node, false).collect(),
                commons: above.flat_map(|node| split(node, true)).collect(),
            }
        })
        .collect()
}
