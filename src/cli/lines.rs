//! Lines of a file, bounded: a file may be one endless line.

use std::io::{self, BufRead};

/// Bytes of a line that are judged; the rest is no event (design, decision 8).
pub const LONGEST: usize = 6_143;

/// What reading one line came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Bytes taken from the input, the line end included.
    pub taken: u64,
    /// The line was longer than the limit.
    pub cut: bool,
}

/// Reads the next line into `line` (cleared first) without its newline, at most [`LONGEST`] bytes of it; `None` at the
/// end of the input. A last line without a newline is a line.
///
/// # Errors
/// What the input says.
pub fn next(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<Read>> {
    line.clear();
    let mut read = Read { taken: 0, cut: false };
    loop {
        let chunk = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if chunk.is_empty() {
            return Ok((read.taken > 0).then_some(read));
        }
        let end = memchr::memchr(b'\n', chunk);
        let part = &chunk[..end.unwrap_or(chunk.len())];
        let room = LONGEST - line.len();
        read.cut |= part.len() > room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let taken = part.len() + usize::from(end.is_some());
        read.taken += taken as u64;
        input.consume(taken);
        if end.is_some() {
            return Ok(Some(read));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<(Vec<u8>, Read)> {
        // A small buffer, so that lines lie across its ends.
        let mut input = io::BufReader::with_capacity(7, bytes);
        let mut line = Vec::new();
        let mut found = Vec::new();
        while let Some(read) = next(&mut input, &mut line).unwrap() {
            found.push((line.clone(), read));
        }
        found
    }

    #[test]
    fn lines_with_and_without_an_end() {
        let texts: Vec<_> = all(b"one\n\nlonger than seven\r\nlast").into_iter().map(|(line, _)| line).collect();
        assert_eq!(texts, [&b"one"[..], b"", b"longer than seven\r", b"last"]);
        assert!(all(b"").is_empty());
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut bytes = vec![b'x'; 3 * LONGEST];
        bytes.extend(b"\nnext\n");
        let found = all(&bytes);
        assert_eq!(found[0].0.len(), LONGEST);
        assert_eq!(found[0].1, Read { taken: 3 * LONGEST as u64 + 1, cut: true });
        assert_eq!(found[1].0, b"next");
    }
}
