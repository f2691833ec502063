//! Pre-decoding: taking time, host and program off a line (spec/decoders.md 2).
//!
//! Formats are told apart only by the bytes at fixed positions; nothing else is checked, so `xxx xx xx:xx:xx ` is a
//! valid syslog date. That is OSSEC's behaviour (src/analysisd/cleanevent.c, 4.3.0), and rules depend on it.

mod host;
mod stamp;
#[cfg(test)]
mod tests;

pub use stamp::stamp;

use std::ops::Range;

/// What pre-decoding found, as byte ranges of the full log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The host that the line names; may be present and empty.
    pub host: Option<Range<usize>>,
    /// The program that the line names; may be present and empty.
    pub program: Option<Range<usize>>,
    /// What decoders and rules search.
    pub log: Range<usize>,
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7F
}

fn has_control(line: &[u8]) -> bool {
    // Whole chunks without a way out early: the compiler turns each into a few vector instructions. The last chunk
    // overlaps the one before it.
    const CHUNK: usize = 32;
    let any = |chunk: &[u8]| chunk.iter().fold(false, |found, &byte| found | is_control(byte));
    match line.last_chunk::<CHUNK>() {
        Some(last) => line.as_chunks::<CHUNK>().0.iter().any(|chunk| any(chunk)) || any(last),
        None => any(line),
    }
}

/// Deletes the control bytes 0x00–0x1F and 0x7F from a line; nothing is put in their place (spec/decoders.md 2.1).
///
/// Gives the line itself where it holds none; `buffer` is written only where it does.
pub fn clean<'a>(line: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    if !has_control(line) {
        return line;
    }
    buffer.clear();
    buffer.extend(line.iter().copied().filter(|&byte| !is_control(byte)));
    buffer
}

/// Tells header from log in a cleaned line. Never fails: what is not recognised stays in the log.
pub fn parse(full: &[u8]) -> Header {
    match shape(full) {
        Some(Shape::Named(at)) => host::parse(full, at),
        Some(Shape::Bare(at)) => Header { log: at.min(full.len())..full.len(), ..Header::default() },
        Some(Shape::Bracketed(at)) => host::bracketed(full, at),
        None => Header { log: 0..full.len(), ..Header::default() },
    }
}

/// What stands in front of a line, and where it ends.
enum Shape {
    /// A date; host and program may follow (rows A–F).
    Named(usize),
    /// A date only (rows G–J, L).
    Bare(usize),
    /// `[Time …] [Facility …] …` (row K).
    Bracketed(usize),
}

/// Whether each position holds its byte. Positions past the end hold nothing.
fn holds(line: &[u8], places: &[(usize, u8)]) -> bool {
    places.iter().all(|&(at, byte)| line.get(at) == Some(&byte))
}

fn digit(line: &[u8], at: usize) -> bool {
    line.get(at).is_some_and(u8::is_ascii_digit)
}

/// The rows of spec/decoders.md 2.2 in their order; the first hit wins.
fn shape(full: &[u8]) -> Option<Shape> {
    // German March: `Mär` is examined as if it read `Mar`, one byte shorter. What stands at the first three positions
    // of the line is then a letter, which no row that looks there accepts.
    let (line, skipped) = if full.get(1..3) == Some(&[0xC3, 0xA4]) { (&full[1..], 1) } else { (full, 0) };
    let letters = skipped > 0;
    let length = line.len();
    if length < 17 {
        return None;
    }
    // A
    if holds(line, &[(3, b' '), (6, b' '), (15, b' '), (9, b':'), (12, b':')]) {
        return Some(Shape::Named(past_space(line, 16) + skipped));
    }
    if length < 20 {
        return None;
    }
    let dashed = holds(line, &[(4, b'-'), (7, b'-'), (13, b':'), (16, b':')]);
    // B
    if length >= 24 && dashed && holds(line, &[(10, b' '), (19, b',')]) {
        return Some(Shape::Named(past_space(line, 23) + skipped));
    }
    if length >= 33 && dashed && line[10] == b'T' {
        // C
        if holds(line, &[(22, b':'), (25, b' ')]) {
            return Some(Shape::Named(past_space(line, 26) + skipped));
        }
        // D
        if matches!(line[19], b'.' | b',')
            && let Some(colon) = (24..=29).find(|&at| line[at] == b':')
        {
            return Some(Shape::Named(past_space(line, colon + 3) + skipped));
        }
    }
    // E
    if length >= 21
        && !letters
        && digit(line, 0)
        && holds(line, &[(4, b' '), (8, b' '), (11, b' '), (20, b' '), (14, b':'), (17, b':')])
    {
        return Some(Shape::Named(past_space(line, 21)));
    }
    // F
    if !letters && digit(line, 0) && holds(line, &[(4, b':'), (7, b':'), (13, b':'), (16, b':'), (10, b'-')]) {
        return Some(Shape::Named(past_space(line, 20)));
    }
    bare_shape(line, letters, skipped)
}

fn bare_shape(line: &[u8], letters: bool, skipped: usize) -> Option<Shape> {
    let length = line.len();
    // G
    if length >= 28
        && holds(line, &[(3, b' '), (7, b' '), (10, b' '), (19, b' '), (24, b' '), (26, b' '), (13, b':'), (16, b':')])
    {
        return Some(Shape::Bare(24 + skipped));
    }
    if letters {
        return None;
    }
    // H
    if length >= 24 && holds(line, &[(2, b'/'), (5, b'-'), (8, b':'), (11, b':'), (14, b'.'), (21, b' ')]) {
        return Some(Shape::Bare(23));
    }
    // I; of 27 bytes OSSEC cuts 28: an end past the end is the end here.
    if length >= 26 && holds(line, &[(2, b'/'), (5, b'/'), (10, b'-'), (13, b':'), (16, b':'), (19, b'.'), (26, b' ')])
    {
        return Some(Shape::Bare(28));
    }
    // J
    if length >= 27
        && holds(line, &[(0, b'['), (4, b' '), (8, b' '), (11, b' '), (20, b' '), (14, b':'), (17, b':'), (25, b']')])
    {
        return Some(Shape::Bare(27));
    }
    // K
    if length >= 26 && holds(line, &[(0, b'['), (1, b'T'), (5, b' '), (16, b' '), (10, b'.'), (13, b'.'), (19, b':')]) {
        return Some(Shape::Bracketed(25));
    }
    // L
    if length >= 32
        && holds(line, &[(0, b'1'), (10, b'.'), (14, b' ')])
        && [1, 2, 3, 13].iter().all(|&at| digit(line, at))
        && (line[21] == b' ' || line[22] == b' ')
    {
        let blanks = line[14..].iter().take_while(|&&byte| byte == b' ').count();
        return Some(Shape::Bare(14 + blanks));
    }
    None
}

/// One space behind the date of rows A–F goes too.
fn past_space(line: &[u8], at: usize) -> usize {
    let at = at.min(line.len());
    at + usize::from(line.get(at) == Some(&b' '))
}
