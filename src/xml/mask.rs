//! The file with everything painted over that OSSEC and quick-xml read differently.

use std::ops::Range;

/// A copy of a text, byte for byte as long, that quick-xml reads as OSSEC would read the original.
pub(super) struct Mask {
    painted: Vec<u8>,
    comments: Vec<Range<usize>>,
    unclosed: Option<usize>,
}

impl Mask {
    /// Paints a whole file: also its byte-order mark and prolog, which count at the very start only.
    pub(super) fn of_file(text: &str) -> Self {
        let mark = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        // A prolog that is not closed is left for quick-xml to find.
        let prolog = if text[mark..].starts_with("<?xml") { text[mark..].find("?>").map_or(0, |at| at + 2) } else { 0 };
        Self::paint(text, mark + prolog)
    }

    /// Paints the text inside one element; gives nothing if a comment in it is not closed.
    pub(super) fn of_fragment(text: &str) -> Option<Self> {
        let mask = Self::paint(text, 0);
        mask.unclosed.is_none().then_some(mask)
    }

    fn paint(text: &str, skipped: usize) -> Self {
        let original = text.as_bytes();
        let mut mask = Self { painted: original.to_vec(), comments: Vec::new(), unclosed: None };
        mask.painted[..skipped].fill(b' ');
        let mut at = skipped;
        while let Some(found) = memchr::memchr2(b'<', b'&', &original[at..]) {
            at += found;
            let escaped = at > skipped && original[at - 1] == b'\\';
            if original[at] == b'&' || escaped {
                mask.painted[at] = b'x';
                at += 1;
            } else if original.get(at + 1) == Some(&b'!') {
                let Some(end) = comment_end(original, at + 2) else {
                    mask.unclosed = Some(at);
                    return mask;
                };
                mask.painted[at..end].fill(b' ');
                mask.comments.push(at..end);
                at = end;
            } else {
                at += 1;
            }
        }
        mask
    }

    /// The copy for quick-xml.
    pub(super) fn painted(&self) -> &[u8] {
        &self.painted
    }

    /// Where the comments stand, in order.
    pub(super) fn comments(&self) -> &[Range<usize>] {
        &self.comments
    }

    /// Where the comment begins that is never closed.
    pub(super) fn unclosed_comment(&self) -> Option<usize> {
        self.unclosed
    }

    /// Tells whether a comment lies in a range.
    pub(super) fn touches_comment(&self, range: &Range<usize>) -> bool {
        let next = self.comments.partition_point(|comment| comment.end <= range.start);
        self.comments.get(next).is_some_and(|comment| comment.start < range.end)
    }

    /// The original's text of a range, without the comments in it.
    pub(super) fn cut(&self, original: &str, range: Range<usize>) -> String {
        let mut text = String::with_capacity(range.len());
        let mut at = range.start;
        let first = self.comments.partition_point(|comment| comment.end <= range.start);
        for comment in self.comments[first..].iter().take_while(|comment| comment.start < range.end) {
            text.push_str(original.get(at..comment.start).unwrap_or_default());
            at = comment.end;
        }
        text.push_str(original.get(at..range.end).unwrap_or_default());
        text
    }
}

/// Finds the first `-->` or `!>` from an offset on; gives the offset behind it.
fn comment_end(text: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'>', &text[from..]).map(|at| from + at).find_map(|at| {
        let inside = &text[from..at];
        (inside.ends_with(b"--") || inside.ends_with(b"!")).then_some(at + 1)
    })
}
