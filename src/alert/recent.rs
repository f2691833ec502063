//! The latest alerts, kept in memory for `hids alerts list` and `hids status`, and handed on to whoever follows.

use super::filter::Filter;
use super::spool::Text;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::broadcast;

/// Bytes of alerts that are kept at most, whatever their number.
const MOST_BYTES: usize = 8 << 20;

/// Alerts that a slow follower may lag behind before it misses some.
const LAG: usize = 1_024;

/// The latest alerts.
#[derive(Debug)]
pub(super) struct Recent {
    most: usize,
    kept: Mutex<Kept>,
    followers: broadcast::Sender<Text>,
}

#[derive(Debug, Default)]
struct Kept {
    alerts: VecDeque<Text>,
    bytes: usize,
}

impl Recent {
    /// Keeps so many alerts.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default(), followers: broadcast::channel(LAG).0 }
    }

    /// Takes in an alert.
    pub fn push(&self, alert: &Text) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += alert.json().len();
        kept.alerts.push_back(alert.clone());
        while kept.alerts.len() > self.most || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.alerts.pop_front() else { break };
            kept.bytes -= oldest.json().len();
        }
        drop(kept);
        if self.followers.receiver_count() > 0 {
            // Fails only if the last follower left just now.
            let _ = self.followers.send(alert.clone());
        }
    }

    /// The alerts kept, newest first, at most so many.
    pub fn newest_first(&self, most: usize) -> Vec<Text> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).alerts.iter().rev().take(most).cloned().collect()
    }

    /// Begins to follow.
    pub fn follow(&self, filter: Filter) -> Follower {
        Follower { from: self.followers.subscribe(), filter }
    }
}

/// Somebody who is told every new alert that fits a filter.
#[derive(Debug)]
pub struct Follower {
    from: broadcast::Receiver<Text>,
    filter: Filter,
}

/// What a [`Follower`] is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// The JSON line of a new alert, without its newline.
    Alert(String),
    /// So many alerts passed while the follower was too slow to take them.
    Missed(u64),
}

impl Follower {
    /// Waits for the next alert that fits. `None`: there will be no more. Nothing is lost if the wait is cut short.
    pub async fn next(&mut self) -> Option<Followed> {
        loop {
            match self.from.recv().await {
                Ok(alert) if self.filter.fits(alert.line()) => return Some(Followed::Alert(alert.line().to_owned())),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(count)) => return Some(Followed::Missed(count)),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
