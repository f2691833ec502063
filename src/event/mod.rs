//! event: the door where seeing meets judging.
//!
//! Holds the shapes on which both sides agree: a [`Batch`] of lines with its [`Source`] and [`Receipt`], and an
//! [`Event`], one line after pre-decoding. Comes in: bytes of a producer. Goes out: events for the judges. Touches
//! nothing.
#![forbid(unsafe_code)]

pub mod field;
pub mod header;
pub mod intake;
pub mod receipt;
pub mod record;
pub mod time;

pub use field::{Field, Fields, Value};
pub use header::Header;
pub use intake::{Intake, Outlet, intake};
pub use receipt::{Progress, Receipt};
pub use record::{Batch, Freshness, Line, Origin, Source};
pub use time::Stamp;

use crate::pattern::Subject;
use std::ops::Range;

/// One line after pre-decoding. Everything is a range of `full`: nothing is copied.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// The full log: the line without its control characters; never changed again.
    pub full: &'a [u8],
    /// Host, program and what is left of the log.
    pub header: Header,
    /// The name of the guest (or host) that stands where the line names no host.
    pub own_host: &'a str,
    /// Where the line was read.
    pub source: &'a Source,
    /// The time of judgement: arrival, or the line's own stamp for what was read late.
    pub time: Stamp,
}

impl<'a> Event<'a> {
    /// The shortened log that decoders and rules search.
    pub fn log(&self) -> &'a [u8] {
        &self.full[self.header.log.clone()]
    }

    /// The shortened log, ready to be searched.
    pub fn subject(&self) -> Subject<'a> {
        Subject::new(self.log())
    }

    /// The host that the header names, else the guest's (or host's) own name.
    pub fn host(&self) -> &'a [u8] {
        self.header.host.clone().map_or(self.own_host.as_bytes(), |span: Range<usize>| &self.full[span])
    }

    /// The program that the header names; may be present and empty.
    pub fn program(&self) -> Option<&'a [u8]> {
        self.header.program.clone().map(|span| &self.full[span])
    }
}
