//! `os_match`: plain texts, `|`, and the anchors (spec/patterns.md 3).

use super::class::Bytes;
use super::tree::Node;

/// Parses a pattern; every text is one.
pub(super) fn parse(text: &str) -> Node {
    let branch = |text: &str| Node::concat(text.chars().map(item).collect());
    Node::alternate(text.split('|').map(branch).collect())
}

fn item(c: char) -> Node {
    match c {
        '^' => Node::Start,
        '$' => Node::LooseEnd,
        _ => literal(c),
    }
}

/// A character that stands for itself, in any case.
pub(super) fn literal(c: char) -> Node {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => Node::Class(Bytes::one(byte).folded()),
        _ => Node::Char(c),
    }
}
