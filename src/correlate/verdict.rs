//! What judging one event comes to.

use crate::decode::{self, Decoded};
use crate::event::{Event, Field};
use crate::rules;
use std::sync::Arc;

/// The final rule of one event. Borrows everything, so that an event that nobody reports costs no copy.
#[derive(Debug, Clone)]
pub struct Verdict<'a> {
    /// The final rule.
    pub rule: &'a rules::Facts,
    /// The event that it was found on.
    pub event: &'a Event<'a>,
    /// Its fields.
    pub decoded: &'a Decoded,
    /// Its decoder.
    pub decoder: Option<&'a decode::Facts>,
    /// What led to it.
    pub previous: Previous<'a>,
    /// How often the rule was the final one since the last change of the hour.
    pub fired_times: u32,
    /// An alert is written: level above 0, log flag set, neither ignore time nor ignore list hold it back.
    pub alert: bool,
    /// Responses may run: as `alert`, but `no_log` does not prevent it and the rule allows it.
    pub respond: bool,
}

/// The earlier texts that an alert carries.
#[derive(Debug, Clone, Default)]
pub enum Previous<'a> {
    /// Nothing led to it.
    #[default]
    None,
    /// Full lines of the counted events, newest first, at most 11 (spec/rules.md 8.4).
    Events(&'a [Arc<[u8]>]),
    /// The text that `check_diff` found before.
    Output(&'a [u8]),
}

impl Verdict<'_> {
    /// The text of a fixed field.
    pub fn field(&self, field: Field) -> Option<&[u8]> {
        self.decoded.fields.get(field, self.event.full)
    }

    /// The full log that is reported: the line's, or the original inside a forwarded alert.
    pub fn full_log(&self) -> &[u8] {
        match &self.decoded.forced_log {
            Some(span) => &self.event.full[span.clone()],
            None => self.event.full,
        }
    }
}
