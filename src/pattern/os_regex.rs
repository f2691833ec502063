//! `os_regex`: OSSEC's own small expressions, as its version 4 understands them (spec/patterns.md 5).

use super::Error;
use super::class::{ALNUM, Bytes, DIGIT};
use super::os_match::literal;
use super::tree::{Mode, Node};

/// Deepest nesting of groups, which is PCRE2's own.
const MAX_DEPTH: usize = 250;

const WORD: Bytes = ALNUM.or(Bytes::of(b"@_-"));
const PUNCTUATION: Bytes = Bytes::of(b"!\"#$%&'()*+,-.:;<=>?[]{|}");

/// Parses a pattern.
///
/// # Errors
/// A backslash before anything but the known letters and signs, unbalanced groups, groups nested too deeply, and a
/// quantifier that has nothing to repeat.
pub(super) fn parse(text: &str) -> Result<Node, Error> {
    let mut open: Vec<Level> = Vec::new();
    let mut level = Level::default();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let here = at;
        at += c.len_utf8();
        match c {
            '\\' => {
                let Some(escaped) = text[at..].chars().next() else {
                    return Err(Error::syntax("the pattern ends in a lone backslash", here));
                };
                at += escaped.len_utf8();
                level.push(
                    escape(escaped).ok_or_else(|| {
                        Error::syntax(format!("\\{escaped} means nothing in an os_regex pattern"), here)
                    })?,
                );
                level.after_backslash = escaped == '\\';
            }
            '(' if open.len() >= MAX_DEPTH => {
                return Err(Error::syntax(format!("groups are nested deeper than {MAX_DEPTH}"), here));
            }
            '(' => open.push(std::mem::replace(&mut level, Level { opened: here, ..Level::default() })),
            ')' => {
                let Some(outer) = open.pop() else {
                    return Err(Error::syntax("a group is closed that was never opened", here));
                };
                let group = Node::Group(Box::new(std::mem::replace(&mut level, outer).close()));
                level.push(group);
            }
            '|' => level.next_branch(),
            '^' => level.push_fixed(Node::Start),
            '$' => level.push_fixed(Node::End),
            '*' | '+' if is_quantifier(text, here) => level.repeat(c, here, &text[at..])?,
            _ => level.push(literal(c)),
        }
    }
    if !open.is_empty() {
        return Err(Error::syntax("a group is opened and never closed", level.opened));
    }
    Ok(level.close())
}

/// Tells whether a `*` or `+` repeats what stands before it: if the character two places before it is a backslash,
/// whatever that backslash belongs to (spec/patterns.md 5.4).
fn is_quantifier(text: &str, at: usize) -> bool {
    text[..at].chars().rev().nth(1) == Some('\\')
}

/// What stands between two parentheses, as far as it is read.
#[derive(Default)]
struct Level {
    opened: usize,
    branches: Vec<Node>,
    items: Vec<Node>,
    /// The last item may be repeated.
    repeatable: bool,
    /// The last item is an escaped backslash.
    after_backslash: bool,
}

impl Level {
    fn push(&mut self, node: Node) {
        self.items.push(node);
        self.repeatable = true;
        self.after_backslash = false;
    }

    fn push_fixed(&mut self, node: Node) {
        self.push(node);
        self.repeatable = false;
    }

    fn next_branch(&mut self) {
        self.branches.push(Node::concat(std::mem::take(&mut self.items)));
        self.repeatable = false;
    }

    fn repeat(&mut self, quantifier: char, here: usize, rest: &str) -> Result<(), Error> {
        let last = if self.repeatable { self.items.pop() } else { None };
        let Some(last) = last else {
            return Err(Error::syntax(format!("{quantifier} has nothing to repeat"), here));
        };
        // The last quantifier of a branch takes all it can, but not on an escaped backslash.
        let behind = rest.trim_start_matches(')');
        let is_final = behind.is_empty() || behind.starts_with('|');
        let mode = if is_final && !self.after_backslash { Mode::Greedy } else { Mode::Lazy };
        let min = u32::from(quantifier == '+');
        self.push_fixed(Node::Repeat { node: Box::new(last), min, max: None, mode });
        Ok(())
    }

    fn close(mut self) -> Node {
        self.next_branch();
        Node::alternate(self.branches)
    }
}

fn escape(c: char) -> Option<Node> {
    let set = match c {
        'd' => DIGIT,
        'D' => DIGIT.not(),
        'w' => WORD,
        'W' => WORD.not(),
        's' => Bytes::one(b' '),
        'S' => Bytes::one(b' ').not(),
        'p' => PUNCTUATION,
        '.' => Bytes::ALL,
        't' => Bytes::one(b'\t'),
        '$' | '(' | ')' | '{' | '}' | '[' | ']' | '\\' | '|' | '<' => return Some(literal(c)),
        _ => return None,
    };
    Some(Node::Class(set))
}
