//! What does a match at the start of a text begin with?
//!
//! Most gates of decoders are anchored (`^sshd`, `^\d\d\d\d-`). Knowing the bytes such a pattern can begin with spares
//! the engine most of the work: a look at a few bytes says no. The answer may be too wide, never too narrow; what is not
//! understood has no answer.

use crate::pattern::Language;

/// How many bytes are known at most. Dates of logs differ in their twentieth.
const LONGEST: usize = 24;

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    const NONE: Self = Self([0; 4]);

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn holds(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
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

/// The bytes with which every match begins, place by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct First {
    places: Box<[Bytes]>,
    /// Characters may take several bytes: behind the first of them nothing is known of places.
    characters: bool,
}

impl First {
    /// Whether a match can begin with this byte; at the end of the text none can.
    pub(super) fn admits_byte(&self, byte: Option<&u8>) -> bool {
        byte.is_some_and(|&byte| self.places[0].holds(byte))
    }

    /// Whether a match can stand at the start of this text.
    pub(super) fn admits(&self, text: &[u8]) -> bool {
        for (at, place) in self.places.iter().enumerate() {
            match text.get(at) {
                Some(&byte) if !place.holds(byte) => return false,
                Some(&byte) if byte >= 0x80 && self.characters => return true,
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// Keeps the first place only, for a pattern that is as quick to try itself.
    pub(super) fn shortened(self) -> Self {
        Self { places: self.places[..1].into(), ..self }
    }
}

/// The bytes with which every match begins; `None` where the pattern is not anchored at its start, can match an empty
/// text, or is not understood.
pub(super) fn first(language: Language, pattern: &str) -> Option<First> {
    let places = match language {
        Language::OsMatch => os_match(pattern),
        Language::OsRegex => Reader { text: pattern.as_bytes(), at: 0, language }.whole(),
        Language::Pcre2 => {
            // Options, look-arounds and verbs can change what follows them.
            let odd = pattern.match_indices("(?").any(|(at, _)| pattern.as_bytes().get(at + 2) != Some(&b':'))
                || pattern.contains("(*");
            if odd { None } else { Reader { text: pattern.as_bytes(), at: 0, language }.whole() }
        }
    }?;
    let places: Box<[Bytes]> = places.into();
    (!places.is_empty()).then_some(First { places, characters: language != Language::Pcre2 })
}

fn os_match(pattern: &str) -> Option<Vec<Bytes>> {
    let mut all = Places::nothing();
    for part in pattern.split('|') {
        let literal = part.strip_prefix('^')?;
        let literal = literal.strip_suffix('$').unwrap_or(literal);
        // Assertions elsewhere are not worth understanding.
        if literal.is_empty() || literal.contains(['^', '$']) {
            return None;
        }
        all.either(Places { sets: literal.bytes().take(LONGEST).map(Bytes::character).collect(), whole: false });
    }
    Some(all.sets)
}

/// What is known of the first places of something.
struct Places {
    sets: Vec<Bytes>,
    /// It takes exactly these places: what follows it stands right behind.
    whole: bool,
}

impl Places {
    /// What any number of alternatives start from.
    fn nothing() -> Self {
        Self { sets: Vec::new(), whole: false }
    }

    /// One of two. The first alternative finds an empty list, and stands for itself.
    fn either(&mut self, other: Self) {
        if self.sets.is_empty() {
            *self = other;
            return;
        }
        self.whole &= other.whole && self.sets.len() == other.sets.len();
        self.sets.truncate(other.sets.len());
        for (mine, theirs) in self.sets.iter_mut().zip(other.sets) {
            *mine = mine.union(theirs);
        }
    }
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

    fn whole(mut self) -> Option<Vec<Bytes>> {
        let places = self.alternatives(true)?;
        (self.at == self.text.len()).then_some(places.sets)
    }

    /// `alt ( "|" alt )*`, up to the end or the closing parenthesis. At the top each must begin with `^`. Each must
    /// take up at least one place.
    fn alternatives(&mut self, top: bool) -> Option<Places> {
        let mut all = Places::nothing();
        loop {
            let anchored = self.peek() == Some(b'^');
            if top && !anchored {
                return None;
            }
            self.at += usize::from(anchored);
            let one = self.sequence()?;
            if one.sets.is_empty() {
                return None;
            }
            all.either(one);
            match self.peek() {
                Some(b'|') => self.at += 1,
                _ => return Some(all),
            }
        }
    }

    /// Items for as long as each takes a known number of places; then the rest of the alternative is skipped.
    fn sequence(&mut self) -> Option<Places> {
        let mut sets = Vec::new();
        while sets.len() < LONGEST {
            let Some(byte) = self.peek() else { break };
            if matches!(byte, b'|' | b')' | b'$') {
                break;
            }
            // What is not understood inside may hide the end of the alternative, so nothing is known at all.
            let item = self.item()?;
            let (least, most) = self.count();
            for _ in 0..least.min(LONGEST) {
                sets.extend_from_slice(&item.sets);
                if !item.whole {
                    break;
                }
            }
            if !item.whole || most != Some(least) {
                self.skip_rest()?;
                sets.truncate(LONGEST);
                return Some(Places { sets, whole: false });
            }
        }
        // A text that ends here may also end in `$`; a place behind it matters to nobody.
        let whole = sets.len() < LONGEST && matches!(self.peek(), None | Some(b'|' | b')'));
        self.skip_rest()?;
        sets.truncate(LONGEST);
        Some(Places { sets, whole })
    }

    /// One thing that takes up places: a character, a class or a group, without its quantifier.
    fn item(&mut self) -> Option<Places> {
        let byte = self.peek()?;
        self.at += 1;
        let one = |set| Some(Places { sets: vec![set], whole: true });
        match byte {
            b'(' => {
                if self.text[self.at..].starts_with(b"?") {
                    if self.language != Language::Pcre2 {
                        return None;
                    }
                    self.at += 2;
                }
                let places = self.alternatives(false)?;
                if self.peek() != Some(b')') {
                    return None;
                }
                self.at += 1;
                Some(places)
            }
            b'\\' => {
                let class = self.peek()?;
                self.at += 1;
                one(self.escape(class)?)
            }
            b'^' => None,
            b'[' if self.language == Language::Pcre2 => one(self.bracket()?),
            // No line holds a line feed.
            b'.' if self.language == Language::Pcre2 => one(Bytes::of(|_| true)),
            b'*' | b'+' | b'?' | b'{' if self.language == Language::Pcre2 => None,
            _ if byte < 0x80 => one(Bytes::character(byte)),
            _ if self.language == Language::Pcre2 => one(Bytes::of(|other| other == byte)),
            _ => {
                // The whole character; its place is the first byte, and what follows is not known.
                while self.peek().is_some_and(|next| next & 0xC0 == 0x80) {
                    self.at += 1;
                }
                Some(Places { sets: vec![Bytes::character(byte)], whole: false })
            }
        }
    }

    /// Reads the quantifier behind an item: how often it occurs at least and at most.
    fn count(&mut self) -> (usize, Option<usize>) {
        if self.language != Language::Pcre2 {
            // Behind a backslash pair (or a group that ends in one) these are quantifiers, else literals: an item less
            // is known than could be.
            return match self.peek() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                _ => (1, Some(1)),
            };
        }
        match self.peek() {
            Some(b'*') => (0, None),
            Some(b'?') => (0, Some(1)),
            Some(b'+') => (1, None),
            Some(b'{') => self.braces(),
            _ => (1, Some(1)),
        }
    }

    /// `{3}`, `{3,}`, `{3,5}`; anything else could be a literal brace, of which nothing is known.
    fn braces(&mut self) -> (usize, Option<usize>) {
        let rest = &self.text[self.at + 1..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let least = std::str::from_utf8(&rest[..digits]).ok().and_then(|text| text.parse().ok());
        match (least, rest.get(digits)) {
            (Some(least), Some(b'}')) if !matches!(rest.get(digits + 1), Some(b'?' | b'+')) => {
                self.at += digits + 2;
                (least, Some(least))
            }
            (Some(least), Some(b',')) => (least, None),
            _ => (0, None),
        }
    }

    fn escape(&self, class: u8) -> Option<Bytes> {
        let wide = |byte: u8| byte >= 0x80;
        if self.language == Language::Pcre2 {
            return match class {
                b'd' => Some(Bytes::of(|byte| byte.is_ascii_digit())),
                b'D' => Some(Bytes::of(|byte| !byte.is_ascii_digit())),
                b'w' => Some(Bytes::of(|byte| byte.is_ascii_alphanumeric() || byte == b'_')),
                b'S' => Some(Bytes::of(|byte| !matches!(byte, b' ' | 0x09..=0x0D))),
                b's' => Some(Bytes::of(|byte| matches!(byte, b' ' | 0x09..=0x0D))),
                _ if class.is_ascii_punctuation() => Some(Bytes::character(class)),
                _ => None,
            };
        }
        Some(match class {
            b'd' => Bytes::of(|byte| byte.is_ascii_digit()),
            b'D' => Bytes::of(|byte| !byte.is_ascii_digit()),
            b'w' => Bytes::of(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'_' | b'-') || wide(byte)),
            b'W' => Bytes::of(|byte| !byte.is_ascii_alphanumeric() || wide(byte)),
            b's' => Bytes::of(|byte| byte == b' '),
            b'S' => Bytes::of(|byte| byte != b' '),
            b'p' => Bytes::of(|byte| byte.is_ascii_punctuation()),
            b'.' => Bytes::of(|_| true),
            b'$' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'\\' | b'|' | b'<' => Bytes::character(class),
            _ => return None,
        })
    }

    fn bracket(&mut self) -> Option<Bytes> {
        let mut set = Bytes::NONE;
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
                        set = set.union(Bytes::character(byte));
                    }
                }
                _ => set = set.union(Bytes::character(byte)),
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
        Some((0x20..0x7F_u8).filter(|byte| set.admits_byte(Some(byte))).map(char::from).collect())
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
            (OsMatch, "^|^a", None),
            (OsMatch, "^a$$", None),
            (OsRegex, r"^\d\d-", Some("0123456789")),
            (OsRegex, r"^(a|\d)x|^z", Some("0123456789AZaz")),
            (OsRegex, r"^\d*x", None),
            (OsRegex, r"^x*", None),
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
        assert!(set.admits("\u{17F}x".as_bytes()));
        let set = first(Language::OsMatch, "^\u{212A}x|^y").expect("anchored");
        assert!(set.admits(b"kx") && set.admits(b"K\xFF"));
    }

    #[test]
    fn further_places_are_known_as_far_as_their_number_is() {
        use Language::{OsMatch, OsRegex, Pcre2};
        for (language, pattern, length) in [
            (OsMatch, "^sshd", 4),
            (OsMatch, "^a$|^bcd", 1),
            (OsRegex, r"^\d\d-\d+x", 4),
            (OsRegex, r"^ab(c|d)e", 4),
            (OsRegex, r"^ab(c|de)f", 3),
            (OsRegex, r"^a\.b", 3),
            (OsRegex, "^aéb", 2),
            (Pcre2, r"^\d{4}-\d{2}-\d{2} \S+ x", 12),
            (Pcre2, r"^20\d{2}/", 5),
            (Pcre2, r"^ab?c", 1),
            (Pcre2, r"^ab{0}c", 2),
            (Pcre2, r"^ab{2,}c", 3),
            (Pcre2, r"^(?:\[warn\] |\[error\] )x", 7),
            (Pcre2, r"^(?:ab){2}c", 5),
            (Pcre2, r"^(?:ab|c){2}c", 1),
            (Pcre2, r"^a{30}", LONGEST),
        ] {
            assert_eq!(
                first(language, pattern).map(|first| first.places.len()),
                Some(length),
                "{language:?} {pattern}"
            );
        }
        let date = first(Pcre2, r"^\d{4}-\d{2}").expect("anchored");
        assert!(date.admits(b"2024-11-24") && !date.admits(b"2024/11/24") && !date.admits(b"2024-1"));
    }
}
