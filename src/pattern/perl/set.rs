//! Sets in brackets.

use super::super::class::{ALNUM, ALPHA, Bytes, DIGIT};
use super::escape::class;
use super::{Flags, Parser, Unknown};

/// What stood last in a set, which decides what a hyphen means.
#[derive(Clone, Copy)]
enum Last {
    /// Nothing that could begin a range.
    Nothing,
    /// A byte that may begin one.
    Byte(u8),
    /// A byte and a hyphen.
    Begun(u8),
    /// A set such as `\d`, after which a hyphen is refused unless it is last.
    Set,
}

/// One piece of a set.
enum Piece {
    Byte(u8),
    Set(Bytes),
}

impl Parser<'_> {
    /// Reads a set; the opening bracket is read already.
    pub(super) fn set(&mut self, flags: Flags) -> Result<Bytes, Unknown> {
        let negated = self.take(b"^");
        let mut set = Bytes::default();
        let mut last = Last::Nothing;
        let mut quoted = false;
        let mut at_start = true;
        loop {
            let byte = self.next()?;
            if byte == b'\\' && self.take(b"E") {
                // A quote that quotes nothing leaves open whether what follows is the first piece.
                if !quoted || at_start {
                    return Err(Unknown);
                }
                quoted = false;
                continue;
            }
            if !quoted && byte == b'\\' && self.take(b"Q") {
                quoted = true;
                continue;
            }
            let piece = match byte {
                _ if quoted && matches!(last, Last::Begun(_)) => return Err(Unknown),
                _ if quoted => Piece::Byte(byte),
                b']' if !at_start => break,
                b' ' | b'\t' if flags.extended_more => continue,
                b'[' => match self.posix(flags)? {
                    Some(named) => Piece::Set(named),
                    None => Piece::Byte(b'['),
                },
                b'\\' => self.escape_in_set()?,
                b'-' if !at_start => match last {
                    Last::Byte(first) => {
                        last = Last::Begun(first);
                        continue;
                    }
                    Last::Set if self.peek() != Some(b']') => return Err(Unknown),
                    _ => Piece::Byte(b'-'),
                },
                _ => Piece::Byte(byte),
            };
            at_start = false;
            last = match (piece, last) {
                (Piece::Byte(end), Last::Begun(first)) if first <= end => {
                    set = set.or(Bytes::range(first, end));
                    Last::Nothing
                }
                (_, Last::Begun(_)) => return Err(Unknown),
                (Piece::Byte(byte), _) => {
                    set = set.or(Bytes::one(byte));
                    Last::Byte(byte)
                }
                (Piece::Set(named), _) => {
                    set = set.or(named);
                    Last::Set
                }
            };
        }
        if let Last::Begun(_) = last {
            set = set.or(Bytes::one(b'-'));
        }
        let set = flags.fold(set);
        Ok(if negated { set.not() } else { set })
    }

    fn escape_in_set(&mut self) -> Result<Piece, Unknown> {
        let letter = self.next()?;
        if let Some(set) = class(letter) {
            return Ok(Piece::Set(set));
        }
        Ok(Piece::Byte(match letter {
            b'b' => 0x08,
            b'1'..=b'7' => {
                self.at -= 1;
                self.octal(3)?
            }
            b'8' | b'9' => letter,
            _ => self.byte(letter)?,
        }))
    }

    /// Reads `[:alpha:]` and its like; the opening bracket is read already. Nothing if it is only a bracket.
    fn posix(&mut self, flags: Flags) -> Result<Option<Bytes>, Unknown> {
        let rest = &self.text[self.at..];
        let Some(mark) = rest.first().copied().filter(|mark| b":.=".contains(mark)) else { return Ok(None) };
        let mut length = None;
        let mut at = 1;
        while let Some([a, b]) = rest.get(at..at + 2).and_then(|pair| <[u8; 2]>::try_from(pair).ok()) {
            match (a, b) {
                (b'\\', b']' | b'\\') => at += 1,
                (b']', _) => break,
                (b'[', b) if b == mark => break,
                (a, b']') if a == mark => {
                    length = Some(at);
                    break;
                }
                _ => {}
            }
            at += 1;
        }
        let Some(length) = length else { return Ok(None) };
        if mark != b':' {
            return Err(Unknown);
        }
        let name = &rest[1..length];
        self.at += length + 2;
        let (negated, name) = name.strip_prefix(b"^").map_or((false, name), |name| (true, name));
        let set = named(name, flags.caseless).ok_or(Unknown)?;
        Ok(Some(if negated { set.not() } else { set }))
    }
}

fn named(name: &[u8], caseless: bool) -> Option<Bytes> {
    Some(match name {
        b"lower" | b"upper" if caseless => ALPHA,
        b"alpha" => ALPHA,
        b"lower" => Bytes::range(b'a', b'z'),
        b"upper" => Bytes::range(b'A', b'Z'),
        b"alnum" => ALNUM,
        b"ascii" => Bytes::range(0, 0x7F),
        b"blank" => Bytes::of(b" \t"),
        b"cntrl" => Bytes::range(0, 0x1F).or(Bytes::one(0x7F)),
        b"digit" => DIGIT,
        b"graph" => Bytes::range(0x21, 0x7E),
        b"print" => Bytes::range(0x20, 0x7E),
        b"punct" => Bytes::range(0x21, 0x7E).and(ALNUM.not()),
        b"space" => class(b's')?,
        b"word" => class(b'w')?,
        b"xdigit" => DIGIT.or(Bytes::range(b'a', b'f')).or(Bytes::range(b'A', b'F')),
        _ => return None,
    })
}
