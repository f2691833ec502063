//! From decoders as written to the compiled tree: links, checks, patterns, ids (spec/decoders.md 5, 6, 10).
//!
//! OSSEC stops at the first error. Here a broken decoder is left out and named, and the rest works.

use super::builtin::{Plugin, SonicWall};
use super::doc::{self, Offset, Text};
use super::first::{First, first};
use super::order::{self, Word};
use super::tree::{Child, Decoders, Gate, Node, Root};
use super::{Category, Facts};
use crate::diag::{Diagnostic, Diagnostics, Severity, Span};
use crate::pattern::{Language, Pattern};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// OSSEC's `analysisd.decoder_order_size` as shipped: entries of one `order` at most.
pub const DEFAULT_ORDER_SIZE: usize = 256;

/// Parts of all `fts` elements of one decoder at most.
const FTS_PARTS: usize = 8;

/// Decoders that no file holds: what `decoded_as` calls them, and the name that shows (spec/decoders.md 10 and 14).
const OWN: [(&str, &str); 8] = [
    ("rootcheck", "rootcheck"),
    ("syscheck_integrity_changed", "syscheck_integrity_changed"),
    ("syscheck_integrity_changed_2nd", "syscheck_integrity_changed"),
    ("syscheck_integrity_changed_3rd", "syscheck_integrity_changed"),
    ("syscheck_new_entry", "syscheck_integrity_changed"),
    ("syscheck_deleted", "syscheck_integrity_changed"),
    ("hostinfo_new", "hostinfo_modified"),
    ("hostinfo_modified", "hostinfo_modified"),
];

impl Decoders {
    /// Links and compiles decoders, in the order of their files. A decoder with an error is left out, and so are its
    /// children; each is an error among the diagnostics. `order_size` limits the entries of one `order`
    /// ([`DEFAULT_ORDER_SIZE`]).
    pub fn compile(docs: Vec<doc::Decoder>, order_size: usize) -> (Self, Diagnostics) {
        static GENERATION: AtomicU64 = AtomicU64::new(1);
        let mut linker = Linker { docs: &docs, ..Linker::default() };
        for (at, doc) in docs.iter().enumerate() {
            // A broken one has been reported by whoever found it so.
            if !doc.broken {
                linker.add(at, doc, order_size);
            }
        }
        let mut findings = linker.findings;
        let mut decoders = Self {
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            own: linker.nodes.len(),
            nodes: linker.nodes,
            facts: linker.facts,
            ..Self::default()
        };
        decoders.give_ids(&linker.accepted, &mut findings);
        if decoders.nodes.iter().any(|node| node.plugin == Some(Plugin::SonicWall)) {
            decoders.sonicwall = SonicWall::new();
        }
        let (with, without): (Vec<_>, Vec<_>) = linker.roots.into_iter().partition(|root| root.program.is_some());
        decoders.with_program.list = with;
        decoders.without_program.list = without;
        let index = decoders.with_program.index(|root| root.program.as_ref());
        decoders.with_program.set_index(index);
        let index = decoders.without_program.index(|root| decoders.nodes[root.node as usize].prematch.as_ref());
        decoders.without_program.set_index(index);
        (decoders, findings)
    }

    /// One id a name: roots of one name share it, ordinary children bear their parent's.
    fn give_ids(&mut self, accepted: &[&doc::Decoder], findings: &mut Diagnostics) {
        let written = accepted.iter().map(|doc| doc.name.text.as_str());
        for name in OWN.iter().map(|(name, _)| *name).chain(written) {
            let next = self.ids.len() + 1;
            if self.ids.contains_key(name) {
                continue;
            }
            let Ok(id) = u16::try_from(next) else {
                findings.push(Diagnostic::global(Severity::Error, "more than 65,535 names of decoders"));
                break;
            };
            self.ids.insert(name.to_owned(), id);
        }
        for facts in &mut self.facts {
            facts.id = self.ids.get(&facts.name).copied().unwrap_or_default();
        }
        for (name, shown) in OWN {
            let id = self.ids.get(name).copied().unwrap_or_default();
            self.facts.push(Facts { name: shown.to_owned(), id, category: Category::Ossec, ..Facts::default() });
        }
    }
}

/// The tree while it grows.
#[derive(Default)]
struct Linker<'d> {
    docs: &'d [doc::Decoder],
    findings: Diagnostics,
    nodes: Vec<Node>,
    facts: Vec<Facts>,
    /// The decoders of `nodes`, as written.
    accepted: Vec<&'d doc::Decoder>,
    roots: Vec<Root>,
    /// Indices in `roots` by name.
    by_name: HashMap<&'d str, Vec<usize>>,
}

/// Collects what is wrong with one decoder.
struct Critic<'a> {
    doc: &'a doc::Decoder,
    findings: &'a mut Diagnostics,
    failed: bool,
}

impl Critic<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.failed = true;
        let message = format!("decoder `{}`: {}", self.doc.name.text, message.into());
        self.findings.push(Diagnostic::error(&self.doc.source, span, message).help(help));
    }

    fn warn(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let message = format!("decoder `{}`: {}", self.doc.name.text, message.into());
        self.findings.push(Diagnostic::warning(&self.doc.source, span, message).help(help));
    }

    /// Compiles a pattern; one that fails is reported and gone.
    fn gate(&mut self, pattern: &doc::Pattern) -> Option<Gate> {
        match Pattern::compile(pattern.language, &pattern.text.text) {
            Ok(compiled) => {
                let first = first(pattern.language, &pattern.text.text);
                Some(Gate {
                    first: if compiled.is_literal() { first.map(First::shortened) } else { first },
                    pattern: compiled,
                    offset: pattern.offset.map(|(offset, _)| offset),
                })
            }
            Err(error) => {
                self.error(
                    place(&pattern.text, self.doc, error.offset()),
                    error.message().to_owned(),
                    match pattern.language {
                        Language::OsMatch => "an os_match pattern knows only `|`, `^` and `$`",
                        Language::OsRegex => {
                            "os_regex escapes are \\d \\D \\w \\W \\s \\S \\p \\. \\t and \\$ \\( \\) \\{ \\} \\[ \\] \\\\ \\| \\<"
                        }
                        Language::Pcre2 => "the decoder is left out; write the pattern in another way",
                    },
                );
                None
            }
        }
    }
}

/// The place of a byte inside a pattern, where the pattern stands in the file as it is.
fn place(text: &Text, doc: &doc::Decoder, offset: Option<usize>) -> Span {
    let as_written = doc.source.text.get(text.span.start..text.span.end) == Some(text.text.as_str());
    match offset {
        Some(offset) if as_written => {
            let at = (text.span.start + offset).min(text.span.end);
            Span::new(at, (at + 1).min(text.span.end))
        }
        _ => text.span,
    }
}

impl<'d> Linker<'d> {
    fn add(&mut self, at: usize, doc: &'d doc::Decoder, order_size: usize) {
        let mut findings = std::mem::take(&mut self.findings);
        let mut critic = Critic { doc, findings: &mut findings, failed: false };
        let parents = self.parents(at, doc, &mut critic);
        check_shape(doc, &mut critic);
        for &parent in &parents {
            self.check_siblings(doc, parent, &mut critic);
            if critic.failed {
                break;
            }
        }
        let program = doc.program.as_ref().filter(|_| doc.parent.is_none()).and_then(|program| critic.gate(program));
        let node = Node {
            prematch: doc.prematch.as_ref().and_then(|prematch| critic.gate(prematch)),
            regex: doc.regex.as_ref().and_then(|regex| critic.gate(regex)),
            order: read_order(doc, order_size, &mut critic),
            plugin: doc.plugin.map(|(plugin, _)| plugin),
        };
        if let (Some(regex), Some(written)) = (&node.regex, &doc.regex)
            && written.language == Language::OsRegex
            && regex.pattern.is_literal()
        {
            critic.error(
                written.text.span,
                "the regex is a plain anchored text, which takes out no field",
                "put what is to be taken out in parentheses, or use <prematch>",
            );
        }
        let fts = read_fts(doc, &mut critic);
        let failed = critic.failed;
        self.findings = findings;
        if !failed {
            self.accept(doc, program, node, fts, &parents);
        }
    }

    fn accept(&mut self, doc: &'d doc::Decoder, program: Option<Gate>, node: Node, fts: u32, parents: &[usize]) {
        let Ok(index) = u32::try_from(self.nodes.len()) else { return };
        let parent = doc.parent.as_ref().map(|parent| parent.text.clone());
        let name = match &parent {
            Some(parent) if !doc.use_own_name => parent.clone(),
            _ => doc.name.text.clone(),
        };
        let names = node.order.iter().map(|word| match word {
            Word::Fixed(_) => None,
            Word::Dynamic(name) => Some(name.clone()),
        });
        self.facts.push(Facts {
            name,
            parent,
            id: 0,
            category: doc.category,
            fts,
            accumulate: doc.accumulate,
            order: names.collect(),
        });
        self.nodes.push(node);
        self.accepted.push(doc);
        if doc.parent.is_none() {
            self.by_name.entry(&doc.name.text).or_default().push(self.roots.len());
            self.roots.push(Root { node: index, program, children: Vec::new() });
            return;
        }
        for &parent in parents {
            let children = &mut self.roots[parent].children;
            if doc.regex.is_some() {
                for child in children.iter_mut() {
                    let sibling = self.accepted[child.node as usize];
                    child.goes_on |= sibling.name.text == doc.name.text && sibling.regex.is_some();
                }
            }
            children.push(Child { node: index, goes_on: false });
        }
    }

    /// The roots that a child hangs under; empty for a root.
    fn parents(&self, at: usize, doc: &doc::Decoder, critic: &mut Critic<'_>) -> Vec<usize> {
        let Some(parent) = &doc.parent else { return Vec::new() };
        if let Some(roots) = self.by_name.get(parent.text.as_str()) {
            return roots.clone();
        }
        let same = |other: &&doc::Decoder| other.name.text == parent.text;
        let (message, help) = match (self.docs[..at].iter().find(same), self.docs[at..].iter().find(same)) {
            (Some(earlier), _) if earlier.parent.is_some() => {
                ("is a child itself", "there are two levels only; name the root as the parent")
            }
            (Some(_), _) => ("is left out for an error of its own", "mend the parent first"),
            (None, Some(_)) => ("is defined further down", "move the parent's element in front of this one"),
            (None, None) => ("is defined nowhere", "names of decoders are case-sensitive and untrimmed"),
        };
        critic.error(parent.span, format!("its parent `{}` {message}", parent.text), help);
        Vec::new()
    }

    /// Rules for siblings of one name: they form a chain of regexes.
    fn check_siblings(&self, doc: &doc::Decoder, parent: usize, critic: &mut Critic<'_>) {
        let name = &doc.name.text;
        let siblings: Vec<_> = self.roots[parent]
            .children
            .iter()
            .map(|child| self.accepted[child.node as usize])
            .filter(|sibling| sibling.name.text == *name)
            .collect();
        if let Some((Offset::AfterRegex, span)) = doc.regex.as_ref().and_then(|regex| regex.offset)
            && !siblings.iter().any(|sibling| sibling.prematch.is_some() || sibling.regex.is_some())
        {
            critic.error(
                span,
                "after_regex, but no earlier decoder of this name has a regex",
                "the decoder whose regex comes first must bear the same name and stand above this one",
            );
        }
        let Some(first) = siblings.first() else { return };
        if let Some(prematch) = &doc.prematch {
            critic.error(
                prematch.text.span,
                "a second decoder of this name has a prematch",
                "only the first of a chain may have one; give another name to a decoder of its own",
            );
        }
        if let Some(fts) = doc.fts.first() {
            critic.error(fts.span, "a second decoder of this name has fts", "only the first of a chain may have one");
        }
        match (&doc.regex, siblings.iter().find_map(|sibling| sibling.regex.as_ref())) {
            (Some(mine), Some(theirs)) if siblings.iter().all(|sibling| sibling.regex.is_some()) => {
                if mine.language != theirs.language {
                    critic.error(
                        mine.text.span,
                        "decoders of one name mix <regex> and <pcre2>",
                        "use one of the two for the whole chain",
                    );
                }
            }
            (mine, _) => critic.error(
                mine.as_ref().map_or(doc.name.span, |_| first.name.span),
                "of several decoders of one name one has no regex",
                "decoders of one name form a chain of regexes; give this one another name",
            ),
        }
    }
}

/// What can be said of a decoder alone.
fn check_shape(doc: &doc::Decoder, critic: &mut Critic<'_>) {
    let root = doc.parent.is_none();
    if root && doc.program.is_none() && doc.prematch.is_none() {
        critic.error(
            doc.name.span,
            "it has neither program_name nor prematch",
            "say which lines it is for; for a child name its <parent>",
        );
    }
    if let Some(program) = doc.program.as_ref().filter(|_| !root) {
        critic.warn(program.text.span, "program_name of a child is ignored", "put it at the parent");
    }
    if let Some((offset, span)) = doc.prematch.as_ref().and_then(|prematch| prematch.offset)
        && offset != Offset::AfterParent
    {
        critic.error(span, "a prematch may start after_parent only", "leave the offset out to search the whole log");
    }
    if let Some((plugin, span)) = doc.plugin
        && (doc.regex.is_some() || doc.order.is_some())
    {
        critic.error(
            span,
            format!("plug-in {} together with regex, pcre2 or order", plugin.name()),
            "a plug-in sets the fields by itself",
        );
    }
    match (&doc.regex, &doc.order) {
        (Some(regex), None) => {
            critic.error(
                regex.text.span,
                "regex without order",
                "name the fields in <order>, in the order of the captures",
            );
        }
        (None, Some(order)) if doc.plugin.is_none() => {
            critic.error(order.span, "order without regex", "there is nothing to name");
        }
        _ => {}
    }
    if let Some(fts) = doc.fts.first().filter(|_| doc.regex.is_none()) {
        critic.error(fts.span, "fts without regex", "the key is made of decoded fields");
    }
    let Some((offset, span)) = doc.regex.as_ref().and_then(|regex| regex.offset) else { return };
    match offset {
        Offset::AfterParent if root => {
            critic.error(span, "regex after_parent, but it has no parent", "use after_prematch, or no offset");
        }
        Offset::AfterPrematch if !root && doc.prematch.is_none() => {
            critic.error(span, "regex after_prematch, but it has no prematch", "use after_parent");
        }
        Offset::AfterRegex if root => {
            critic.error(span, "regex after_regex, but no regex comes before", "use after_prematch, or no offset");
        }
        _ => {}
    }
}

fn read_order(doc: &doc::Decoder, most: usize, critic: &mut Critic<'_>) -> Vec<Word> {
    let Some(order) = &doc.order else { return Vec::new() };
    match order::order(&order.text) {
        Ok(words) if words.len() > most => {
            critic.error(order.span, format!("order has {} entries; {most} are allowed", words.len()), "shorten it");
            Vec::new()
        }
        Ok(words) => words,
        Err(at) => {
            critic.error(order.span, format!("entry {} of order is empty", at + 1), "remove the comma too many");
            Vec::new()
        }
    }
}

/// OSSEC's sum of the selected words.
fn read_fts(doc: &doc::Decoder, critic: &mut Critic<'_>) -> u32 {
    let mut sum = 0;
    let mut count = 0;
    for text in &doc.fts {
        for part in text.text.split(',') {
            count += 1;
            match order::fts(part) {
                Some(value) => sum |= value,
                None => critic.error(
                    text.span,
                    format!("fts entry `{}` is no known word", part.trim()),
                    "known are name, user, srcip, dstip, id, location, data, system_name",
                ),
            }
        }
    }
    if count > FTS_PARTS {
        critic.error(doc.fts[0].span, format!("fts has {count} entries; {FTS_PARTS} are allowed"), "shorten it");
    }
    sum
}
