//! Positions that wait for the batches before them to be dealt with.

use super::cursor::Mark;
use crate::event::Progress;
use crate::event::receipt::Outcome;
use std::collections::VecDeque;

/// So many batches of one file may be under way; beyond that its reading waits.
const MOST: usize = 1_024;

/// The batches of one file that somebody still works on, oldest first.
#[derive(Debug, Default)]
pub(super) struct Pending {
    queue: VecDeque<(Mark, Option<Progress>)>,
    settled: Mark,
    /// A batch was dropped: the position stays before it, and a restart reads from there.
    held: bool,
    changed: bool,
}

impl Pending {
    /// Begins at a position that counts as dealt with.
    pub(super) fn new(settled: Mark) -> Self {
        Self { queue: VecDeque::new(), settled, held: false, changed: true }
    }

    /// Notes the position behind a batch; without `progress` behind bytes that hold no event.
    pub(super) fn push(&mut self, mark: Mark, progress: Option<Progress>) {
        if self.held {
            return;
        }
        match (&progress, self.queue.back_mut()) {
            (None, None) => {
                self.changed |= self.settled != mark;
                self.settled = mark;
            }
            (None, Some((last, None))) => *last = mark,
            _ => self.queue.push_back((mark, progress)),
        }
    }

    /// Moves the settled position behind all batches that are done, in order. Tells whether it has changed since the
    /// last call.
    pub(super) fn settle(&mut self) -> bool {
        while let Some((mark, progress)) = self.queue.front_mut() {
            match progress.as_ref().map_or(Outcome::Done, Progress::outcome) {
                Outcome::Open => break,
                Outcome::Dropped => {
                    self.held = true;
                    self.queue.clear();
                }
                Outcome::Done => {
                    self.settled = std::mem::take(mark);
                    self.changed = true;
                    self.queue.pop_front();
                }
            }
        }
        std::mem::take(&mut self.changed)
    }

    /// The position up to which everything has been dealt with.
    pub(super) fn settled(&self) -> &Mark {
        &self.settled
    }

    /// Has the position saved again, because the file is another one now.
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    /// Tells whether there is, or will be, a position to save.
    pub(super) fn has_unsaved(&self) -> bool {
        self.changed || !self.queue.is_empty()
    }

    /// Tells whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Tells whether reading must wait.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= MOST
    }

    /// Tells whether a batch was dropped.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Receipt;

    fn at(position: u64) -> Mark {
        Mark { position, ..Mark::default() }
    }

    #[test]
    fn the_position_moves_up_to_the_oldest_open_batch() {
        let mut pending = Pending::new(at(10));
        assert!(pending.settle());
        let (first, progress) = Receipt::new();
        pending.push(at(20), Some(progress));
        let (second, progress) = Receipt::new();
        pending.push(at(30), Some(progress));
        pending.push(at(35), None);
        second.done();
        assert!(!pending.settle());
        assert_eq!(pending.settled(), &at(10));
        first.done();
        assert!(pending.settle());
        assert_eq!(pending.settled(), &at(35));
        assert!(pending.is_idle());
        pending.push(at(40), None);
        assert!(pending.settle());
        assert_eq!(pending.settled(), &at(40));
    }

    #[test]
    fn a_dropped_batch_holds_the_position_for_good() {
        let mut pending = Pending::new(at(0));
        let (first, progress) = Receipt::new();
        pending.push(at(10), Some(progress));
        let (second, progress) = Receipt::new();
        pending.push(at(20), Some(progress));
        first.done();
        drop(second);
        pending.settle();
        pending.push(at(30), None);
        pending.settle();
        assert_eq!((pending.settled(), pending.is_held()), (&at(10), true));
    }
}
