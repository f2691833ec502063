//! Plain texts with an anchor, which OSSEC compares itself (spec/patterns.md 1.1).

use super::Language;

/// `^text`, `text$` or `^text$`: bytes, ASCII case ignored, `$` the very end.
#[derive(Debug)]
pub(super) struct Fast {
    start: bool,
    end: bool,
    literal: Box<[u8]>,
}

impl Fast {
    /// Takes a pattern that qualifies.
    pub(super) fn of(language: Language, text: &str) -> Option<Self> {
        let (start, body) = text.strip_prefix('^').map_or((false, text), |body| (true, body));
        let (end, body) = body.strip_suffix('$').map_or((false, body), |body| (true, body));
        let qualifies = match language {
            Language::OsMatch => !body.is_empty() && !body.contains(['$', '|', '^']),
            Language::OsRegex | Language::Pcre2 => body.bytes().all(is_plain),
        };
        ((start || end) && qualifies).then(|| Self { start, end, literal: body.as_bytes().into() })
    }

    /// The text between the anchors, as written.
    pub(super) fn literal(&self) -> &[u8] {
        &self.literal
    }

    /// Compares; gives the offset behind the text.
    pub(super) fn find_end(&self, subject: &[u8]) -> Option<usize> {
        let length = self.literal.len();
        let part = match (self.start, self.end) {
            (true, true) => subject,
            (true, false) => subject.get(..length)?,
            _ => subject.get(subject.len().checked_sub(length)?..)?,
        };
        part.eq_ignore_ascii_case(&self.literal).then_some(if self.end { subject.len() } else { length })
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" !\"#%&',/:;<=>@_`~-".contains(&byte)
}
