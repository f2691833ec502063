//! With which bytes can a match at the start of a text begin?
//!
//! Most gates of decoders are anchored (`^sshd`, `^\d\d\d\d-`). Knowing the bytes such a pattern can begin with spares
//! the engine most of the work: one look at a byte says no. The answer may be too wide, never too narrow; what is not
//! understood has no answer.

use crate::pattern::Language;

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First([u64; 4]);

impl First {
    const NONE: Self = Self([0; 4]);

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn holds(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    /// Whether a match can begin with this byte; at the end of the text none can.
    pub(super) fn admits(&self, byte: Option<&u8>) -> bool {
        byte.is_some_and(|&byte| self.holds(byte))
    }

    fn union(mut self, other: Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
        self
    }

    fn of(belongs: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::NONE;
        (0..=255).filter(|&byte| belongs(byte)).for_each(|byte| set.add(byte));
        set
    }

    /// A character, in either case. The two letters outside ASCII that fold into it, and all that fold among
    /// themselves, begin with a byte from 0x80 on.
    fn character(byte: u8) -> Self {
        if byte >= 0x80 {
            return Self::of(|other| other >= 0x80 || matches!(other, b's' | b'S' | b'k' | b'K'));
        }
        Self::of(|other| other.eq_ignore_ascii_case(&byte) || other >= 0x80 && matches!(byte | 0x20, b's' | b'k'))
    }
}

/// The bytes with which every match begins; `None` where the pattern is not anchored at its start, can match an empty
/// text, or is not understood.
pub(super) fn first(language: Language, pattern: &str) -> Option<First> {
    match language {
        Language::OsMatch => os_match(pattern),
        Language::OsRegex => Reader { text: pattern.as_bytes(), at: 0, language }.whole(),
        Language::Pcre2 => {
            // Options, look-arounds and verbs can change what follows them.
            let odd = pattern.match_indices("(?").any(|(at, _)| pattern.as_bytes().get(at + 2) != Some(&b':'))
                || pattern.contains("(*");
            if odd { None } else { Reader { text: pattern.as_bytes(), at: 0, language }.whole() }
        }
    }
}

fn os_match(pattern: &str) -> Option<First> {
    pattern.split('|').try_fold(First::NONE, |set, part| {
        let byte = *part.strip_prefix('^')?.as_bytes().first()?;
        (byte != b'^' && byte != b'$').then(|| set.union(First::character(byte)))
    })
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    language: Language,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn whole(mut self) -> Option<First> {
        let set = self.alternatives(true)?;
        (self.at == self.text.len()).then_some(set)
    }

    /// `alt ( "|" alt )*`, up to the end or the closing parenthesis. At the top each must begin with `^`.
    fn alternatives(&mut self, top: bool) -> Option<First> {
        let mut set = First::NONE;
        loop {
            let anchored = self.peek() == Some(b'^');
            if top && !anchored {
                return None;
            }
            self.at += usize::from(anchored);
            set = set.union(self.item()?);
            self.skip_rest()?;
            match self.peek() {
                Some(b'|') => self.at += 1,
                _ => return Some(set),
            }
        }
    }

    /// The first thing that takes up a character.
    fn item(&mut self) -> Option<First> {
        let byte = self.peek()?;
        self.at += 1;
        let set = match byte {
            b'(' => {
                if self.text[self.at..].starts_with(b"?") {
                    if self.language != Language::Pcre2 || !self.text[self.at..].starts_with(b"?:") {
                        return None;
                    }
                    self.at += 2;
                }
                let set = self.alternatives(false)?;
                if self.peek() != Some(b')') {
                    return None;
                }
                self.at += 1;
                set
            }
            b'\\' => {
                let class = self.peek()?;
                self.at += 1;
                self.escape(class)?
            }
            b'|' | b')' | b'^' | b'$' => return None,
            b'[' | b'.' | b'*' | b'+' | b'?' | b'{' if self.language == Language::Pcre2 => return self.class(byte),
            _ => {
                // The whole character, should it take several bytes.
                while self.peek().is_some_and(|next| next & 0xC0 == 0x80) {
                    self.at += 1;
                }
                if self.language == Language::Pcre2 && byte >= 0x80 {
                    return None;
                }
                let quantified = matches!(self.peek(), Some(b'*' | b'?' | b'{'));
                if self.language == Language::Pcre2 && quantified {
                    return None;
                }
                return Some(First::character(byte));
            }
        };
        self.required().then_some(set)
    }

    /// Whether the item just read must occur at least once.
    fn required(&self) -> bool {
        match (self.language, self.peek()) {
            (_, Some(b'*')) => false,
            (Language::Pcre2, Some(b'?')) => false,
            (Language::Pcre2, Some(b'{')) => {
                self.text.get(self.at + 1).is_some_and(|byte| (b'1'..=b'9').contains(byte))
            }
            _ => true,
        }
    }

    fn escape(&self, class: u8) -> Option<First> {
        let wide = |byte: u8| byte >= 0x80;
        if self.language == Language::Pcre2 {
            return match class {
                b'd' => Some(First::of(|byte| byte.is_ascii_digit())),
                b'D' => Some(First::of(|byte| !byte.is_ascii_digit())),
                b'w' => Some(First::of(|byte| byte.is_ascii_alphanumeric() || byte == b'_')),
                b'S' => Some(First::of(|byte| !matches!(byte, b' ' | 0x09..=0x0D))),
                b's' => Some(First::of(|byte| matches!(byte, b' ' | 0x09..=0x0D))),
                _ if class.is_ascii_punctuation() => Some(First::character(class)),
                _ => None,
            };
        }
        Some(match class {
            b'd' => First::of(|byte| byte.is_ascii_digit()),
            b'D' => First::of(|byte| !byte.is_ascii_digit()),
            b'w' => First::of(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'_' | b'-') || wide(byte)),
            b'W' => First::of(|byte| !byte.is_ascii_alphanumeric() || wide(byte)),
            b's' => First::of(|byte| byte == b' '),
            b'S' => First::of(|byte| byte != b' '),
            b'p' => First::of(|byte| byte.is_ascii_punctuation()),
            b'.' => First::of(|_| true),
            b'$' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'\\' | b'|' | b'<' => First::character(class),
            _ => return None,
        })
    }

    /// PCRE2: `.` and plain character classes. Anything unusual in a class has no answer.
    fn class(&mut self, byte: u8) -> Option<First> {
        let set = match byte {
            b'.' => First::of(|_| true),
            b'[' => self.bracket()?,
            _ => return None,
        };
        self.required().then_some(set)
    }

    fn bracket(&mut self) -> Option<First> {
        let mut set = First::NONE;
        let mut previous: Option<u8> = None;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b']' if previous.is_some() => return Some(set),
                b'^' | b'[' | b'\\' | b']' if previous.is_none() => return None,
                b'[' | b'\\' | b'&' | b'~' => return None,
                b'-' if self.peek() != Some(b']') => {
                    let (low, high) = (previous?, self.peek()?);
                    if !low.is_ascii_alphanumeric() || !high.is_ascii_alphanumeric() {
                        return None;
                    }
                    for byte in low..=high {
                        set = set.union(First::character(byte));
                    }
                }
                _ => set = set.union(First::character(byte)),
            }
            previous = Some(byte);
        }
    }

    /// Skips to the end of the alternative, over groups, escapes and classes.
    fn skip_rest(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        let mut class = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => {
                    if self.language == Language::Pcre2 && self.text.get(self.at + 1) == Some(&b'Q') {
                        return None;
                    }
                    self.at += 2;
                    continue;
                }
                b'[' if self.language == Language::Pcre2 && !class => {
                    class = true;
                    // A `]` that comes first stands for itself.
                    self.at += usize::from(self.text.get(self.at + 1) == Some(&b'^'));
                    self.at += usize::from(self.text.get(self.at + 1) == Some(&b']'));
                }
                // `[:alpha:]` inside a class.
                b'[' if class && matches!(self.text.get(self.at + 1), Some(b':' | b'.' | b'=')) => return None,
                b']' if class => class = false,
                b'(' if !class => depth += 1,
                b')' if !class && depth > 0 => depth -= 1,
                b')' | b'|' if !class && depth == 0 => return Some(()),
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.text.len();
        (depth == 0 && !class).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(language: Language, pattern: &str) -> Option<String> {
        let set = first(language, pattern)?;
        Some((0x20..0x7F_u8).filter(|&byte| set.holds(byte)).map(char::from).collect())
    }

    #[test]
    fn the_first_bytes_of_anchored_patterns_are_known() {
        use Language::{OsMatch, OsRegex, Pcre2};
        for (language, pattern, expected) in [
            (OsMatch, "^sshd", Some("Ss")),
            (OsMatch, "^a$|^B", Some("ABab")),
            (OsMatch, "^a|b", None),
            (OsMatch, "", None),
            (OsMatch, "^", None),
            (OsRegex, r"^\d\d-", Some("0123456789")),
            (OsRegex, r"^(a|\d)x|^z", Some("0123456789AZaz")),
            (OsRegex, r"^\d*x", None),
            (OsRegex, r"^x*", Some("Xx")),
            (OsRegex, r"^$", None),
            (OsRegex, r"^(a|)b", None),
            (OsRegex, r"^a|", None),
            (OsRegex, r"^[x", Some("[")),
            (OsRegex, r"^\(x\)", Some("(")),
            (Pcre2, r"^\[warn\] |^\[notice\] ", Some("[")),
            (Pcre2, r"^[A-C_]{2},", Some("ABC_abc")),
            (Pcre2, r"^(?:ab|cd)+?x", Some("ACac")),
            (Pcre2, r"^a?b", None),
            (Pcre2, r"^a{0,2}b", None),
            (Pcre2, r"^[^x]y", None),
            (Pcre2, r"^a[|]b", Some("Aa")),
            (Pcre2, r"^a[(]|^b", Some("ABab")),
            (Pcre2, r"^(?i)a", None),
            (Pcre2, r"^\Qa", None),
            (Pcre2, r"^.x", Some(&(' '..='~').collect::<String>())),
            (Pcre2, r"(^a|^b)", None),
            (Pcre2, r"^a(?-i)b|^c", None),
            (Pcre2, r"^a[[:alpha:]|]|^b", None),
            (Pcre2, r"^20\d{6}\<;>", Some("2")),
        ] {
            assert_eq!(set(language, pattern).as_deref(), expected, "{language:?} {pattern}");
        }
    }

    #[test]
    fn letters_outside_ascii_that_fold_are_admitted() {
        let set = first(Language::OsRegex, r"^sx|^y\d").expect("anchored");
        assert!(set.admits("\u{17F}x".as_bytes().first()));
        let set = first(Language::OsMatch, "^\u{212A}x|^y").expect("anchored");
        assert!(set.admits(Some(&b'k')) && set.admits(Some(&b'K')));
    }
}
