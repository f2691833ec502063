//! From bytes to lines, bounded: a [`Cutter`] finds the lines in a stretch of a file, whatever a guest wrote there.
//!
//! A line ends at `\n`, which is taken off; a `\r` stays (the judge's side deletes it, as OSSEC's does). A line longer
//! than [`LINE_MAX`] is handed on at once, marked as cut, and its rest is skipped up to its end. NUL bytes before a line's
//! text (what a log that was truncated under its writer begins with) are left out. What is left out is counted.

/// The longest line, in bytes (design, decision 8).
pub const LINE_MAX: usize = 6_143;

/// One line as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// The line without its end.
    pub(super) bytes: &'a [u8],
    /// Where it begins, as an index of the stretch.
    pub(super) start: usize,
    /// It was longer than the limit.
    pub(super) cut: bool,
}

/// Where in a stretch the cutting stands: before the first byte that is not yet part of a line handed on.
#[derive(Debug)]
pub(super) struct Cutter<'a> {
    stretch: &'a [u8],
    at: usize,
    /// Inside a line whose beginning has been handed on: everything up to the line's end is left out.
    skipping: bool,
    lost: u64,
}

impl<'a> Cutter<'a> {
    /// Begins to cut a stretch at an index, inside the rest of a long line or not.
    pub(super) fn new(stretch: &'a [u8], at: usize, skipping: bool) -> Self {
        Self { stretch, at: at.min(stretch.len()), skipping, lost: 0 }
    }

    /// The next line, whole or cut; `None` when only an incomplete one is left.
    pub(super) fn next(&mut self) -> Option<Found<'a>> {
        loop {
            let rest = &self.stretch[self.at..];
            if self.skipping {
                match memchr::memchr(b'\n', rest) {
                    Some(end) => {
                        self.lost += end as u64;
                        self.at += end + 1;
                        self.skipping = false;
                        continue;
                    }
                    None => {
                        self.lost += rest.len() as u64;
                        self.at = self.stretch.len();
                        return None;
                    }
                }
            }
            let nuls = rest.iter().take_while(|byte| **byte == 0).count();
            if nuls > 0 {
                self.lost += nuls as u64;
                self.at += nuls;
                continue;
            }
            let start = self.at;
            let window = &rest[..rest.len().min(LINE_MAX + 1)];
            if let Some(end) = memchr::memchr(b'\n', window) {
                self.at += end + 1;
                return Some(Found { bytes: &rest[..end], start, cut: false });
            }
            if rest.len() <= LINE_MAX {
                return None;
            }
            self.at += LINE_MAX;
            self.skipping = true;
            // A line that runs into a hole ends where its text does.
            let text = rest[..LINE_MAX].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            self.lost += (LINE_MAX - text) as u64;
            return Some(Found { bytes: &rest[..text], start, cut: true });
        }
    }

    /// Index of the first byte not dealt with: the beginning of the incomplete line, or the end.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Tells whether the cutting stands inside the rest of a long line.
    pub(super) fn skipping(&self) -> bool {
        self.skipping
    }

    /// Bytes left out so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stretch: &[u8]) -> (Vec<(Vec<u8>, bool)>, usize, bool, u64) {
        let mut cutter = Cutter::new(stretch, 0, false);
        let mut found = Vec::new();
        while let Some(line) = cutter.next() {
            assert_eq!(&stretch[line.start..line.start + line.bytes.len()], line.bytes);
            found.push((line.bytes.to_vec(), line.cut));
        }
        (found, cutter.at(), cutter.skipping(), cutter.lost())
    }

    #[test]
    fn lines_end_at_a_newline_and_an_incomplete_one_waits() {
        let (found, at, skipping, lost) = cut(b"a\n\nb\r\nrest");
        assert_eq!(found, [(b"a".to_vec(), false), (b"".to_vec(), false), (b"b\r".to_vec(), false)]);
        assert_eq!((at, skipping, lost), (6, false, 0));
    }

    #[test]
    fn exactly_the_limit_is_whole_and_one_byte_more_is_cut() {
        for more in [0, 1, 2, 20_000] {
            let mut stretch = vec![b'x'; LINE_MAX + more];
            stretch.extend_from_slice(b"\nnext\n");
            let (found, at, skipping, lost) = cut(&stretch);
            assert_eq!(found.len(), 2, "{more}");
            assert_eq!((found[0].0.len(), found[0].1), (LINE_MAX, more > 0));
            assert_eq!(found[1], (b"next".to_vec(), false));
            assert_eq!((at, skipping, lost), (stretch.len(), false, more as u64));
        }
    }

    #[test]
    fn a_long_line_is_handed_on_before_its_end_and_skipped_over_stretches() {
        let (found, at, skipping, lost) = cut(&vec![b'x'; 10_000]);
        assert_eq!(found.len(), 1);
        assert_eq!((at, skipping, lost), (10_000, true, 10_000 - LINE_MAX as u64));
        let mut cutter = Cutter::new(b"yyyy\nz\n", 0, true);
        assert_eq!(cutter.next().map(|line| line.bytes), Some(&b"z"[..]));
        assert_eq!(cutter.lost(), 4);
        let (found, at, skipping, _) = cut(&vec![b'x'; LINE_MAX]);
        assert_eq!((found.len(), at, skipping), (0, 0, false), "may still become a whole line");
    }

    #[test]
    fn a_line_that_runs_into_nul_bytes_ends_with_its_text() {
        let mut stretch = b"half".to_vec();
        stretch.resize(10_000, 0);
        let (found, at, skipping, lost) = cut(&stretch);
        assert_eq!(found, [(b"half".to_vec(), true)]);
        assert_eq!((at, skipping, lost), (10_000, true, 9_996));
    }

    #[test]
    fn nul_bytes_before_a_text_are_left_out_and_counted() {
        let mut stretch = vec![0; 20_000];
        stretch.extend_from_slice(b"text\0more\n\0\0");
        let (found, at, skipping, lost) = cut(&stretch);
        assert_eq!(found, [(b"text\0more".to_vec(), false)]);
        assert_eq!((at, skipping, lost), (stretch.len(), false, 20_002));
    }
}
