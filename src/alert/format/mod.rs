//! The shapes in which an alert is written: OSSEC's record ([`ossec`]) and one JSON object a line ([`json`]).
//!
//! Both append to a buffer that the caller reuses, so that writing an alert allocates nothing.

pub mod json;
mod marks;
pub mod ossec;
mod text;

use crate::correlate::Verdict;

/// Host and location as alerts print them.
///
/// A forwarded alert replaces both by `<location>|<original location>` (spec/logtest.md 2.4).
#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    /// The host; the whole location where that starts with `(`.
    host: &'a [u8],
    location: &'a [u8],
}

impl<'a> Origin<'a> {
    fn of(verdict: &'a Verdict<'_>) -> Self {
        let (host, location) = match &verdict.decoded.forced_location {
            Some(forced) => (&forced[..], &forced[..]),
            None => (verdict.event.host(), verdict.event.source.location.as_bytes()),
        };
        if location.starts_with(b"(") { Self { host: location, location } } else { Self { host, location } }
    }

    /// An agent's location of OSSEC's form `(name) address->file`.
    fn is_agent(&self) -> bool {
        self.location.starts_with(b"(")
    }
}

#[cfg(test)]
mod tests;
