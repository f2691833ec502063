//! What a backslash begins.

use super::super::class::{ALNUM, Bytes, DIGIT, LF};
use super::super::tree::Node;
use super::{Flags, Parser, Unknown, braces};

const WORD: Bytes = ALNUM.or(Bytes::one(b'_'));
const SPACE: Bytes = Bytes::range(b'\t', b'\r').or(Bytes::one(b' '));
const HORIZONTAL: Bytes = Bytes::of(b"\t \xA0");
const VERTICAL: Bytes = Bytes::range(b'\n', b'\r').or(Bytes::one(0x85));

/// The sets that have a letter, inside of brackets and outside.
pub(super) fn class(letter: u8) -> Option<Bytes> {
    Some(match letter {
        b'd' => DIGIT,
        b'D' => DIGIT.not(),
        b'w' => WORD,
        b'W' => WORD.not(),
        b's' => SPACE,
        b'S' => SPACE.not(),
        b'h' => HORIZONTAL,
        b'H' => HORIZONTAL.not(),
        b'v' => VERTICAL,
        b'V' => VERTICAL.not(),
        _ => return None,
    })
}

impl Parser<'_> {
    /// Reads what follows a backslash outside of brackets.
    pub(super) fn escape(&mut self, flags: Flags) -> Result<Node, Unknown> {
        let letter = self.next()?;
        if let Some(set) = class(letter) {
            return Ok(Node::Class(set));
        }
        Ok(match letter {
            b'R' => Node::LineBreak,
            b'C' => Node::Class(Bytes::ALL),
            b'N' if self.peek() != Some(b'{') || braces(&self.text[self.at..]).is_some() => Node::Class(LF.not()),
            b'b' => Node::WordBoundary,
            b'B' => Node::NotWordBoundary,
            // A search begins at the start of the text, so that is where the first one must match.
            b'A' | b'G' => Node::Start,
            b'z' => Node::End,
            b'Z' => Node::LooseEnd,
            b'K' | b'X' => Node::Beyond,
            b'p' | b'P' => {
                self.property()?;
                Node::Beyond
            }
            b'g' | b'k' => {
                self.reference()?;
                Node::Beyond
            }
            b'1'..=b'9' => {
                let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number: usize = std::str::from_utf8(&self.text[self.at - 1..self.at + digits])
                    .ok()
                    .and_then(|number| number.parse().ok())
                    .ok_or(Unknown)?;
                if number < 10 || letter >= b'8' || number <= self.groups {
                    self.at += digits;
                    Node::Beyond
                } else {
                    self.at -= 1;
                    flags.byte(self.octal(3)?)
                }
            }
            _ => flags.byte(self.byte(letter)?),
        })
    }

    /// Reads the rest of an escape that stands for one byte, inside of brackets and outside.
    pub(super) fn byte(&mut self, letter: u8) -> Result<u8, Unknown> {
        Ok(match letter {
            b'a' => 0x07,
            b'e' => 0x1B,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'c' => self.next()?.to_ascii_uppercase() ^ 0x40,
            b'0' => self.octal(2)?,
            b'o' if self.take(b"{") => number(self.take_until(b"}")?, 8)?,
            b'x' if self.take(b"{") => number(self.take_until(b"}")?, 16)?,
            b'x' => {
                let digits = self.text[self.at..].iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
                let value = if digits == 0 { 0 } else { number(&self.text[self.at..self.at + digits], 16)? };
                self.at += digits;
                value
            }
            letter if letter.is_ascii_alphanumeric() => return Err(Unknown),
            sign => sign,
        })
    }

    /// Reads up to so many octal digits.
    pub(super) fn octal(&mut self, most: usize) -> Result<u8, Unknown> {
        let digits = self.text[self.at..].iter().take(most).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
        let value = if digits == 0 { 0 } else { number(&self.text[self.at..self.at + digits], 8)? };
        self.at += digits;
        Ok(value)
    }

    /// Steps over the name of a Unicode property: one letter, or some in braces.
    fn property(&mut self) -> Result<(), Unknown> {
        if self.next()? == b'{' {
            self.take_until(b"}")?;
        }
        Ok(())
    }

    /// Steps over the name or number of a group: `{n}`, `<n>`, `'n'`, `-1`, `12`.
    fn reference(&mut self) -> Result<(), Unknown> {
        match self.next()? {
            b'{' => self.take_until(b"}").map(drop),
            b'<' => self.take_until(b">").map(drop),
            b'\'' => self.take_until(b"'").map(drop),
            b'+' | b'-' | b'0'..=b'9' => {
                while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(Unknown),
        }
    }
}

fn number(digits: &[u8], radix: u32) -> Result<u8, Unknown> {
    let digits = std::str::from_utf8(digits).map_err(|_| Unknown)?;
    u32::from_str_radix(digits, radix).ok().and_then(|value| u8::try_from(value).ok()).ok_or(Unknown)
}
