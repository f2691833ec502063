//! From the tree to the text that an engine compiles.

use super::class::Bytes;
use super::tree::{Mode, Node};
use std::fmt::Write;

/// Which engine the text is for, and what its subjects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// `regex`, any bytes, Unicode off, no flags.
    Bytes,
    /// `regex`, ASCII subjects of the Unicode languages, Unicode off, no flags.
    Ascii,
    /// `regex`, valid UTF-8, Unicode on, case-insensitive.
    Unicode,
    /// PCRE2, valid UTF-8, caseless.
    Perl,
}

/// Writes the tree out. An end that may stand before a final LF becomes the very end for `regex`, which therefore must
/// not be asked about subjects that end in LF.
pub(super) fn emit(node: &Node, target: Target) -> String {
    let mut text = String::new();
    write_node(node, target, &mut text);
    text
}

fn write_node(node: &Node, target: Target, text: &mut String) {
    match node {
        Node::Empty => text.push_str("(?:)"),
        Node::Class(set) => write_class(*set, target, text),
        Node::Char(c) => write_char(*c, target, text),
        Node::Start => text.push_str(r"\A"),
        Node::LooseEnd if target == Target::Perl => text.push_str(r"\Z"),
        Node::End | Node::LooseEnd => text.push_str(r"\z"),
        Node::LineEnd => text.push_str("(?m:$)"),
        Node::WordBoundary => text.push_str(r"\b"),
        Node::NotWordBoundary => text.push_str(r"\B"),
        Node::LineBreak => text.push_str(r"(?:\x0D\x0A|[\x0A-\x0D\x85])"),
        Node::Concat(nodes) => {
            for node in nodes {
                if matches!(node, Node::Alternate(_)) {
                    wrap(node, target, text);
                } else {
                    write_node(node, target, text);
                }
            }
        }
        Node::Alternate(nodes) => {
            for (at, node) in nodes.iter().enumerate() {
                if at > 0 {
                    text.push('|');
                }
                write_node(node, target, text);
            }
        }
        Node::Repeat { node, min, max, mode } => {
            match **node {
                Node::Class(_) | Node::Char(_) | Node::Group(_) => write_node(node, target, text),
                _ => wrap(node, target, text),
            }
            match (min, max) {
                (0, None) => text.push('*'),
                (1, None) => text.push('+'),
                (0, Some(1)) => text.push('?'),
                (min, None) => drop(write!(text, "{{{min},}}")),
                (min, Some(max)) => drop(write!(text, "{{{min},{max}}}")),
            }
            if *mode == Mode::Lazy {
                text.push('?');
            }
        }
        Node::Group(node) => {
            text.push('(');
            write_node(node, target, text);
            text.push(')');
        }
        // A tree with one of these is never written out; if it were, it would match nothing.
        Node::Beyond => write_class(Bytes::default(), target, text),
    }
}

fn wrap(node: &Node, target: Target, text: &mut String) {
    text.push_str("(?:");
    write_node(node, target, text);
    text.push(')');
}

fn write_class(set: Bytes, target: Target, text: &mut String) {
    match target {
        Target::Bytes => write_ranges(set, false, text),
        Target::Ascii => write_ranges(set.and(ASCII), false, text),
        // The bytes from 0x80 on stand for all characters above U+007F, so such a set is told by what it lacks.
        Target::Unicode | Target::Perl if set == Bytes::ALL => text.push_str("(?s:.)"),
        Target::Unicode | Target::Perl if set.contains(0x80) => write_ranges(set.not(), true, text),
        Target::Unicode | Target::Perl => write_ranges(set, false, text),
    }
}

const ASCII: Bytes = Bytes::range(0, 0x7F);

fn write_ranges(set: Bytes, negated: bool, text: &mut String) {
    if set.is_empty() {
        // Nothing matches, neither in PCRE2 nor in regex (where `[^\x00-\xFF]` would do for bytes alone).
        text.push_str(r"(?:\z[a]|[a]\A)");
        return;
    }
    if !negated
        && let &[(first, last)] = set.ranges().as_slice()
        && first == last
    {
        write_byte(first, text);
        return;
    }
    text.push_str(if negated { "[^" } else { "[" });
    for (first, last) in set.ranges() {
        let _ = write!(text, "\\x{first:02X}");
        if first < last {
            let _ = write!(text, "-\\x{last:02X}");
        }
    }
    text.push(']');
}

fn write_byte(byte: u8, text: &mut String) {
    if byte.is_ascii_alphanumeric() {
        text.push(char::from(byte));
    } else {
        let _ = write!(text, "\\x{byte:02X}");
    }
}

fn write_char(c: char, target: Target, text: &mut String) {
    match (target, c) {
        // The only two characters above U+007F that equal an ASCII letter.
        (Target::Ascii, '\u{17F}') => text.push_str("[Ss]"),
        (Target::Ascii, '\u{212A}') => text.push_str("[Kk]"),
        (Target::Ascii | Target::Bytes, _) => write_ranges(Bytes::default(), false, text),
        (Target::Unicode | Target::Perl, c) => drop(write!(text, "\\x{{{:X}}}", u32::from(c))),
    }
}
