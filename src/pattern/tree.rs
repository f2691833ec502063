//! The tree that all three languages are parsed into.

use super::class::{Bytes, LF};

/// A piece of a pattern. Case is already folded into the sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Matches the empty text.
    Empty,
    /// One byte of a set (in the Unicode languages one character, see [`Bytes`]).
    Class(Bytes),
    /// One character above U+007F, in any case (Unicode languages only).
    Char(char),
    /// The start of the text searched.
    Start,
    /// The very end of the text.
    End,
    /// The end of the text, or just before one final LF.
    LooseEnd,
    /// Before an LF, or the very end.
    LineEnd,
    /// Between a word byte and another.
    WordBoundary,
    /// Anywhere else.
    NotWordBoundary,
    /// PCRE2's `\R`, which never gives back the LF of a CR LF.
    LineBreak,
    /// One after the other.
    Concat(Vec<Node>),
    /// The first that fits.
    Alternate(Vec<Node>),
    /// As often as said.
    Repeat { node: Box<Node>, min: u32, max: Option<u32>, mode: Mode },
    /// A capturing group.
    Group(Box<Node>),
    /// Something that no automaton has; it may match anything, the empty text too.
    Beyond,
}

/// How a repetition tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

impl Node {
    pub(super) fn concat(mut items: Vec<Node>) -> Node {
        match items.len() {
            0 => Node::Empty,
            1 => items.remove(0),
            _ => Node::Concat(items),
        }
    }

    pub(super) fn alternate(mut branches: Vec<Node>) -> Node {
        if branches.len() == 1 { branches.remove(0) } else { Node::Alternate(branches) }
    }

    /// Tells whether a predicate holds for the node or one below it.
    pub(super) fn any(&self, predicate: &dyn Fn(&Node) -> bool) -> bool {
        predicate(self)
            || match self {
                Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().any(|node| node.any(predicate)),
                Node::Repeat { node, .. } | Node::Group(node) => node.any(predicate),
                _ => false,
            }
    }

    /// Tells whether it may match the empty text.
    pub(super) fn is_nullable(&self) -> bool {
        match self {
            Node::Class(_) | Node::Char(_) | Node::LineBreak => false,
            Node::Concat(nodes) => nodes.iter().all(Node::is_nullable),
            Node::Alternate(nodes) => nodes.iter().any(Node::is_nullable),
            Node::Repeat { node, min, .. } => *min == 0 || node.is_nullable(),
            Node::Group(node) => node.is_nullable(),
            _ => true,
        }
    }

    /// The bytes with which its matches begin, if it never matches the empty text (byte languages only).
    pub(super) fn first(&self) -> Option<Bytes> {
        match self {
            Node::Class(set) => Some(*set),
            Node::LineBreak => Some(Bytes::range(b'\n', b'\r').or(Bytes::one(0x85))),
            Node::Concat(nodes) => nodes.first()?.first(),
            Node::Alternate(nodes) => nodes.iter().try_fold(Bytes::default(), |set, node| Some(set.or(node.first()?))),
            Node::Repeat { node, min, .. } if *min > 0 => node.first(),
            Node::Group(node) => node.first(),
            _ => None,
        }
    }

    /// Tells whether an automaton gives exactly what PCRE2 gives; `last` says that nothing follows in the pattern.
    pub(super) fn is_regular(&self, last: bool) -> bool {
        match self {
            Node::Beyond => false,
            Node::Concat(nodes) => nodes.iter().enumerate().all(|(at, node)| match node {
                Node::Repeat { node, mode: Mode::Possessive, .. } => {
                    // Giving back never helps where what follows cannot begin with what was taken.
                    let Node::Class(taken) = **node else { return false };
                    follows_otherwise(&nodes[at + 1..], taken, last)
                }
                Node::LineBreak => follows_otherwise(&nodes[at + 1..], LF, last),
                _ => node.is_regular(last && at + 1 == nodes.len()),
            }),
            Node::Alternate(nodes) => nodes.iter().all(|node| node.is_regular(last)),
            Node::LineBreak => last,
            Node::Repeat { mode: Mode::Possessive, node, .. } => last && matches!(**node, Node::Class(_)),
            // `{0}` drops groups from the count, and an empty turn ends a loop differently.
            Node::Repeat { max: Some(0), .. } => false,
            Node::Repeat { node, max, .. } => node.is_regular(false) && (*max == Some(1) || !node.is_nullable()),
            Node::Group(node) => node.is_regular(last),
            _ => true,
        }
    }
}

fn follows_otherwise(rest: &[Node], taken: Bytes, last: bool) -> bool {
    match rest.first() {
        None => last,
        Some(Node::End | Node::LooseEnd) => true,
        Some(next) => next.first().is_some_and(|next| next.and(taken).is_empty()),
    }
}
