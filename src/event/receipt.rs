//! Receipts: how a producer learns that what it handed in has been dealt with, without anybody looking back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[derive(Debug, Default)]
struct State {
    open: AtomicUsize,
    dropped: AtomicBool,
}

/// A share of the duty to deal with a batch. The position behind the batch is saved when all shares are done; a share
/// that is dropped without [`Receipt::done`] says that the batch must be read again after a restart.
#[derive(Debug)]
pub struct Receipt {
    state: Arc<State>,
    done: bool,
}

/// The producer's end of a [`Receipt`].
#[derive(Debug, Clone)]
pub struct Progress(Arc<State>);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody still works on it.
    Open,
    /// Everybody is done with it.
    Done,
    /// Somebody let go of it without being done: read it again.
    Dropped,
}

impl Receipt {
    /// Makes the first share, and the end that the producer keeps.
    pub fn new() -> (Self, Progress) {
        let state = Arc::new(State { open: AtomicUsize::new(1), dropped: AtomicBool::new(false) });
        (Self { state: Arc::clone(&state), done: false }, Progress(state))
    }

    /// A receipt that nobody waits for.
    pub fn none() -> Self {
        Self::new().0
    }

    /// Makes a further share.
    #[must_use]
    pub fn share(&self) -> Self {
        self.state.open.fetch_add(1, Ordering::Relaxed);
        Self { state: Arc::clone(&self.state), done: false }
    }

    /// Says that this share has been dealt with.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.done {
            self.state.dropped.store(true, Ordering::Release);
        }
        self.state.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Progress {
    /// Tells how far it is.
    pub fn outcome(&self) -> Outcome {
        if self.0.dropped.load(Ordering::Acquire) {
            Outcome::Dropped
        } else if self.0.open.load(Ordering::Acquire) == 0 {
            // A share dropped undone sets its flag before it counts down, so this second look cannot miss it.
            if self.0.dropped.load(Ordering::Acquire) { Outcome::Dropped } else { Outcome::Done }
        } else {
            Outcome::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_must_be_done() {
        let (receipt, progress) = Receipt::new();
        let share = receipt.share();
        receipt.done();
        assert_eq!(progress.outcome(), Outcome::Open);
        share.done();
        assert_eq!(progress.outcome(), Outcome::Done);
    }

    #[test]
    fn a_share_let_go_means_read_again() {
        let (receipt, progress) = Receipt::new();
        let share = receipt.share();
        drop(share);
        receipt.done();
        assert_eq!(progress.outcome(), Outcome::Dropped);
    }
}
