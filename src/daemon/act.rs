//! What becomes of a verdict, whether a lane found it or the commons: the response first, which waits for nothing, then
//! the alert, both under one id.

use crate::alert::{self, Id, Meta};
use crate::correlate::Verdict;
use crate::event::{Freshness, Receipt, Stamp};
use crate::respond::Responder;
use std::time::Instant;

/// How the line behind a verdict came in.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    /// Just written, late, or judged once more only to fill the memory: then nothing comes of it.
    pub freshness: Freshness,
    /// When its bytes were read.
    pub at: Instant,
    /// Its arrival, for the alert's id.
    pub arrival: Stamp,
    /// Its batch's receipt; an alert takes a share of it.
    pub receipt: &'a Receipt,
}

/// Hands a verdict to the doers. Tells whether it is an alert; `meta` is asked only then.
pub fn act(
    verdict: &Verdict<'_>,
    read: Read<'_>,
    alerts: &alert::Handle,
    responses: &Responder,
    meta: impl FnOnce(Id) -> Meta,
) -> bool {
    if read.freshness == Freshness::Again || !(verdict.alert || verdict.respond) {
        return false;
    }
    let id = alerts.claim(read.arrival);
    if verdict.respond {
        responses.offer(verdict, read.freshness, read.at, Some(&id.to_string()));
    }
    if verdict.alert {
        alerts.offer(verdict, &meta(id), read.receipt.share());
    }
    verdict.alert
}
