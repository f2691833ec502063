//! What a parenthesis begins.

use super::super::tree::Node;
use super::{Flags, MAX_DEPTH, Parser, Unknown};

impl Parser<'_> {
    /// Reads a group up to and with its closing parenthesis; the opening one is read already. Nothing for one that only
    /// switches flags.
    pub(super) fn group(&mut self, flags: &mut Flags) -> Result<Option<Node>, Unknown> {
        if self.peek() == Some(b'*') {
            // Verbs steer the search, and (*ACCEPT) ends it anywhere.
            self.binding = false;
            self.take_until(b")")?;
            return Ok(Some(Node::Beyond));
        }
        if !self.take(b"?") {
            return self.capture(*flags, !flags.no_capture).map(Some);
        }
        let kind = self.next()?;
        Ok(Some(match kind {
            b':' => self.inside(*flags)?,
            // What it takes it never gives back; what it requires is required all the same.
            b'>' => Node::Concat(vec![self.inside(*flags)?, Node::Beyond]),
            b'|' => {
                self.binding = false;
                self.inside(*flags)?;
                Node::Beyond
            }
            b'=' | b'!' => {
                self.inside(*flags)?;
                Node::Beyond
            }
            b'<' if self.take(b"=") || self.take(b"!") => {
                self.inside(*flags)?;
                Node::Beyond
            }
            b'<' => {
                self.take_until(b">")?;
                self.capture(*flags, true)?
            }
            b'\'' => {
                self.take_until(b"'")?;
                self.capture(*flags, true)?
            }
            b'P' if self.take(b"<") => {
                self.take_until(b">")?;
                self.capture(*flags, true)?
            }
            b'(' => {
                self.condition()?;
                self.binding = false;
                self.inside(*flags)?;
                Node::Beyond
            }
            b'P' | b'&' | b'R' | b'C' | b'0'..=b'9' | b'+' => {
                self.binding = false;
                self.take_until(b")")?;
                Node::Beyond
            }
            b'-' if self.peek().is_some_and(|byte| byte.is_ascii_digit()) => {
                self.binding = false;
                self.take_until(b")")?;
                Node::Beyond
            }
            _ => {
                self.at -= 1;
                let switched = self.flags(*flags)?;
                if self.take(b")") {
                    *flags = switched;
                    return Ok(None);
                }
                if !self.take(b":") {
                    return Err(Unknown);
                }
                self.inside(switched)?
            }
        }))
    }

    fn capture(&mut self, flags: Flags, captures: bool) -> Result<Node, Unknown> {
        if captures {
            self.groups += 1;
            return Ok(Node::Group(Box::new(self.inside(flags)?)));
        }
        self.inside(flags)
    }

    /// Reads branches and the closing parenthesis.
    fn inside(&mut self, flags: Flags) -> Result<Node, Unknown> {
        if self.depth >= MAX_DEPTH {
            return Err(Unknown);
        }
        self.depth += 1;
        let node = self.alternation(flags)?;
        self.depth -= 1;
        if self.take(b")") { Ok(node) } else { Err(Unknown) }
    }

    /// Steps over a condition, of which the opening parenthesis is read already. One that is a look-around is left to
    /// PCRE2 altogether.
    fn condition(&mut self) -> Result<(), Unknown> {
        if matches!(self.peek(), Some(b'?' | b'*')) {
            return Err(Unknown);
        }
        self.take_until(b")").map(drop)
    }

    /// Reads letters of flags, up to the sign that ends them.
    fn flags(&mut self, mut flags: Flags) -> Result<Flags, Unknown> {
        if self.take(b"^") {
            flags = Flags { lazy: flags.lazy, caseless: false, ..Flags::default() };
        }
        let mut on = true;
        loop {
            match self.peek().ok_or(Unknown)? {
                b'-' => on = false,
                b'i' => flags.caseless = on,
                b'm' => flags.multi_line = on,
                b's' => flags.dot_all = on,
                b'n' => flags.no_capture = on,
                b'U' => flags.lazy = on,
                b'x' => {
                    let doubled = self.text.get(self.at + 1) == Some(&b'x');
                    self.at += usize::from(doubled);
                    flags.extended = on;
                    flags.extended_more = on && doubled;
                }
                b')' | b':' => return Ok(flags),
                _ => return Err(Unknown),
            }
            self.at += 1;
        }
    }
}
