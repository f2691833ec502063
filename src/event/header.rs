//! Pre-decoding: taking time, host and program off a line.

use std::ops::Range;

/// What pre-decoding found, as byte ranges of the full log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The host that the line names.
    pub host: Option<Range<usize>>,
    /// The program that the line names; may be present and empty.
    pub program: Option<Range<usize>>,
    /// What decoders and rules search.
    pub log: Range<usize>,
}
