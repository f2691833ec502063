//! The commons: rules that count over guests (design, decision 3). One task, fed by the lanes, sharing nothing with them.

use super::act::{Read, act};
use crate::alert::{self, Meta};
use crate::correlate::{Book, Commons, Offer};
use crate::event::{Freshness, Receipt};
use crate::respond::Responder;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// Events that may wait for the commons.
pub const QUEUE: usize = 4_096;

/// An event that a lane offers, with what an alert about it must say.
pub struct Offered {
    /// The event.
    pub offer: Offer,
    /// Arrival and place; the id is claimed here.
    pub meta: Meta,
    /// When the line was read.
    pub read_at: Instant,
    /// How it came to be read.
    pub freshness: Freshness,
    /// A share of its batch.
    pub receipt: Receipt,
}

/// Judges what the lanes offer, until all of them are gone.
pub async fn run(
    mut commons: Commons,
    mut offers: mpsc::Receiver<Offered>,
    alerts: alert::Handle,
    responses: Arc<Responder>,
    mut books: watch::Receiver<Arc<Book>>,
) {
    while let Some(offered) = offers.recv().await {
        if books.has_changed().unwrap_or(false) {
            commons.adopt(Arc::clone(&books.borrow_and_update()));
        }
        weigh(&mut commons, offered, &alerts, &responses);
    }
}

fn weigh(commons: &mut Commons, offered: Offered, alerts: &alert::Handle, responses: &Responder) {
    let judgement = commons.weigh(&offered.offer);
    if let Some(verdict) = judgement.verdict() {
        let Offered { freshness, read_at: at, meta, receipt, .. } = &offered;
        let read = Read { freshness: *freshness, at: *at, arrival: meta.arrival, receipt };
        act(&verdict, read, alerts, responses, |id| Meta { id, ..*meta });
    }
    offered.receipt.done();
}
