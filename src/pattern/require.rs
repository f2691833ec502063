//! Texts without which a pattern cannot match.

use super::grams::{ASKED, Grams, pairs_of};
use super::tree::Node;

/// Shorter texts occur nearly everywhere.
const SHORTEST: usize = 2;
/// Of longer ones this much is kept.
const LONGEST: usize = 24;
/// More alternatives are not worth looking for.
const MOST: usize = 160;

/// Texts in lower case, one of which occurs in all that the pattern matches if ASCII case is ignored. None are known if
/// there are none.
#[derive(Debug, Default)]
pub(super) struct Required {
    texts: Box<[Box<[u8]>]>,
    /// For each text the pairs of bytes to ask for.
    pairs: Box<[[u16; ASKED]]>,
}

impl Required {
    /// What a plain text requires.
    pub(super) fn of_literal(text: &[u8]) -> Self {
        let mut run = Run { text: text.to_ascii_lowercase(), best: None };
        run.end();
        Self::of(run)
    }

    /// What a tree requires.
    pub(super) fn of_tree(tree: &Node) -> Self {
        let mut run = Run::default();
        run.add(tree);
        run.end();
        Self::of(run)
    }

    fn of(run: Run) -> Self {
        let texts = run.best.unwrap_or_default();
        let pairs = texts.iter().map(|text| pairs_of(text)).collect();
        Self { texts: texts.into_iter().map(Vec::into_boxed_slice).collect(), pairs }
    }

    pub(super) fn texts(&self) -> &[Box<[u8]>] {
        &self.texts
    }

    /// Tells whether a text with these pairs may hold one of the texts; yes if none are required.
    pub(super) fn may_be_in(&self, grams: &Grams) -> bool {
        self.pairs.is_empty() || self.pairs.iter().any(|pairs| grams.has_all(pairs))
    }
}

/// The text that is certain just before the place reached, and the best requirement so far.
#[derive(Default)]
struct Run {
    text: Vec<u8>,
    best: Option<Vec<Vec<u8>>>,
}

impl Run {
    fn add(&mut self, node: &Node) {
        match node {
            Node::Class(set) => match set.as_folded_byte() {
                Some(byte) => self.text.push(byte),
                None => self.end(),
            },
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.add(node)),
            Node::Group(node) => self.add(node),
            Node::Alternate(nodes) => {
                self.end();
                let mut all = Vec::new();
                for node in nodes {
                    let mut run = Run::default();
                    run.add(node);
                    run.end();
                    match run.best {
                        Some(texts) => all.extend(texts),
                        None => return,
                    }
                }
                self.offer(all);
            }
            Node::Repeat { node, min, .. } => {
                self.end();
                if *min > 0 {
                    self.add(node);
                    self.end();
                }
            }
            // These take no text, so what stands around them stands together.
            Node::Empty | Node::Start | Node::End | Node::LooseEnd | Node::LineEnd => {}
            Node::WordBoundary | Node::NotWordBoundary => {}
            Node::Char(_) | Node::LineBreak | Node::Beyond => self.end(),
        }
    }

    fn end(&mut self) {
        let mut text = std::mem::take(&mut self.text);
        text.truncate(LONGEST);
        self.offer(vec![text]);
    }

    /// Keeps the better requirement: longer texts, then fewer.
    fn offer(&mut self, mut texts: Vec<Vec<u8>>) {
        texts.sort_unstable();
        texts.dedup();
        let worth = |texts: &[Vec<u8>]| {
            let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
            (shortest.min(4), std::cmp::Reverse(texts.len()), shortest)
        };
        let usable = texts.len() <= MOST && texts.iter().all(|text| text.len() >= SHORTEST);
        if usable && self.best.as_ref().is_none_or(|best| worth(&texts) > worth(best)) {
            self.best = Some(texts);
        }
    }
}
