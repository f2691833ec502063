//! PCRE2's language (version 10.42, bytes, caseless), as far as an automaton can have it.
//!
//! PCRE2 itself has accepted a pattern before its tree is used (`backtrack`), so this parser need not find mistakes; what
//! it does not know ends in no tree, and PCRE2 matches that pattern. Nothing is handed to another engine as written:
//! an automaton gets what is made from the tree, and PCRE2 the text with its literal braces escaped, which versions from
//! 10.43 on would partly read as quantifiers.

mod escape;
mod group;
mod set;

use super::class::{Bytes, LF};
use super::tree::{Mode, Node};

/// What was found in a pattern.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The tree; none if the pattern holds something unknown.
    pub(super) tree: Option<Node>,
    /// Texts that the tree requires are required of every match.
    pub(super) binding: bool,
    /// Offsets of braces that stand for themselves.
    pub(super) literal_braces: Vec<usize>,
}

/// Parses a pattern.
pub(super) fn parse(text: &str) -> Parsed {
    let mut parser = Parser { text: text.as_bytes(), at: 0, groups: 0, depth: 0, binding: true, braces: Vec::new() };
    let tree = match parser.alternation(Flags::default()) {
        Ok(tree) if parser.at == text.len() => Some(tree),
        _ => None,
    };
    Parsed { binding: parser.binding && tree.is_some(), tree, literal_braces: parser.braces }
}

/// Something that this parser does not know.
struct Unknown;

/// Deepest nesting of groups; PCRE2 has refused what is deeper.
const MAX_DEPTH: usize = 250;

/// Options that a pattern can switch.
#[derive(Clone, Copy)]
struct Flags {
    caseless: bool,
    multi_line: bool,
    dot_all: bool,
    extended: bool,
    /// `xx`: white space is ignored in sets as well.
    extended_more: bool,
    lazy: bool,
    no_capture: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            caseless: true,
            multi_line: false,
            dot_all: false,
            extended: false,
            extended_more: false,
            lazy: false,
            no_capture: false,
        }
    }
}

impl Flags {
    fn byte(self, byte: u8) -> Node {
        Node::Class(self.fold(Bytes::one(byte)))
    }

    fn fold(self, set: Bytes) -> Bytes {
        if self.caseless { set.folded() } else { set }
    }
}

struct Parser<'p> {
    text: &'p [u8],
    at: usize,
    /// Capturing groups opened so far.
    groups: usize,
    depth: usize,
    binding: bool,
    braces: Vec<usize>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, Unknown> {
        let byte = self.peek().ok_or(Unknown)?;
        self.at += 1;
        Ok(byte)
    }

    /// Steps over a text if it stands here.
    fn take(&mut self, text: &[u8]) -> bool {
        let stands = self.text[self.at..].starts_with(text);
        if stands {
            self.at += text.len();
        }
        stands
    }

    /// Steps over what stands before an end mark, and over the mark; gives what stood before.
    fn take_until(&mut self, mark: &[u8]) -> Result<&[u8], Unknown> {
        let rest = &self.text[self.at..];
        let length = memchr::memmem::find(rest, mark).ok_or(Unknown)?;
        self.at += length + mark.len();
        Ok(&rest[..length])
    }

    /// Reads branches up to the end or to the parenthesis that closes them, which is left.
    fn alternation(&mut self, mut flags: Flags) -> Result<Node, Unknown> {
        let mut branches = Vec::new();
        let mut items: Vec<Node> = Vec::new();
        // A quantifier may follow: the last item is not one itself, nor are there none.
        let mut repeatable = false;
        while let Some(byte) = self.peek() {
            match byte {
                b')' => break,
                b'|' => {
                    self.at += 1;
                    branches.push(Node::concat(std::mem::take(&mut items)));
                    repeatable = false;
                }
                b'(' if self.text[self.at..].starts_with(b"(?#") => {
                    self.take_until(b")")?;
                }
                b'\t' | b'\n' | 0x0B | 0x0C | b'\r' | b' ' if flags.extended => self.at += 1,
                b'#' if flags.extended => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                }
                b'\\' if self.take(b"\\E") => {}
                b'\\' if self.take(b"\\Q") => {
                    let rest = &self.text[self.at..];
                    let length = memchr::memmem::find(rest, b"\\E").unwrap_or(rest.len());
                    items.extend(rest[..length].iter().map(|byte| flags.byte(*byte)));
                    self.at += length;
                    repeatable = length > 0;
                }
                b'*' | b'+' | b'?' | b'{' => match self.quantifier()? {
                    Some((min, max)) => {
                        let last = if repeatable { items.pop() } else { None };
                        let mode = self.mode(flags);
                        let node = Box::new(last.ok_or(Unknown)?);
                        items.push(Node::Repeat { node, min, max, mode });
                        repeatable = false;
                    }
                    None => {
                        self.braces.push(self.at);
                        self.at += 1;
                        items.push(flags.byte(b'{'));
                        repeatable = true;
                    }
                },
                _ => {
                    // Flags switched by `(?i)` are no item, and hold until the group ends, in later branches too.
                    if let Some(item) = self.item(&mut flags)? {
                        items.push(item);
                        repeatable = true;
                    } else {
                        repeatable = false;
                    }
                }
            }
        }
        branches.push(Node::concat(items));
        Ok(Node::alternate(branches))
    }

    fn item(&mut self, flags: &mut Flags) -> Result<Option<Node>, Unknown> {
        let byte = self.next()?;
        Ok(Some(match byte {
            b'(' => return self.group(flags),
            b'[' => Node::Class(self.set(*flags)?),
            b'\\' => self.escape(*flags)?,
            b'.' if flags.dot_all => Node::Class(Bytes::ALL),
            b'.' => Node::Class(LF.not()),
            // Unlike an automaton's, it does not match behind an LF that ends the text.
            b'^' if flags.multi_line => Node::Beyond,
            b'^' => Node::Start,
            b'$' if flags.multi_line => Node::LineEnd,
            b'$' => Node::LooseEnd,
            _ => flags.byte(byte),
        }))
    }

    /// Reads `*`, `+`, `?` or `{1,2}`; nothing if a brace is not one of a quantifier.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, Unknown> {
        let bounds = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            _ => {
                let Some((length, bounds)) = braces(&self.text[self.at..]) else { return Ok(None) };
                self.at += length;
                return bounds.map(Some).ok_or(Unknown);
            }
        };
        self.at += 1;
        Ok(Some(bounds))
    }

    fn mode(&mut self, flags: Flags) -> Mode {
        if self.take(b"+") {
            Mode::Possessive
        } else if self.take(b"?") != flags.lazy {
            Mode::Lazy
        } else {
            Mode::Greedy
        }
    }
}

/// Least and most, the latter none if there is no most.
type Bounds = (u32, Option<u32>);

/// Reads `{n}`, `{n,}` or `{n,m}` at the start of a text: its length, and its bounds if they are no larger than allowed.
fn braces(text: &[u8]) -> Option<(usize, Option<Bounds>)> {
    let end = memchr::memchr(b'}', text)?;
    let inside = std::str::from_utf8(text.get(1..end)?).ok()?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = |part: &str| part.parse::<u32>().ok().filter(|number| *number <= 65_535);
    let bounds = match inside.split_once(',') {
        None if is_number(inside) => number(inside).map(|exact| (exact, Some(exact))),
        Some((min, "")) if is_number(min) => number(min).map(|min| (min, None)),
        Some((min, max)) if is_number(min) && is_number(max) => number(min).zip(number(max).map(Some)),
        _ => return None,
    };
    Some((end + 1, bounds))
}
