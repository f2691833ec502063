//! The way into a lane: a queue of batches, bounded in bytes, that never makes a producer wait.
//!
//! A producer asks [`Intake::has_room`], hands in one batch, and otherwise comes back when it is woken: the guest's
//! own file is the buffer behind a full queue. The consumer may wait on a thread or in a task.

use super::{Batch, Line};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

/// What a batch costs beside its bytes and lines.
const BATCH_COST: usize = 256;

/// Called when a full queue has room again; it must return at once, and says whether it wants to be called again.
type Wake = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    bytes: usize,
    wanted: bool,
    wakes: Vec<Wake>,
    waiting: Option<Waker>,
    closed: bool,
}

struct Shared {
    capacity: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the consumer, wherever it waits.
    fn news(&self, mut state: MutexGuard<'_, State>) {
        let waiting = state.waiting.take();
        drop(state);
        self.arrived.notify_one();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// The producers' end. The consumer sees the end of the queue when the last clone is gone.
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
    _end: Arc<End>,
}

/// The consumer's end. Dropping it closes the queue: what is still in it counts as not dealt with.
pub struct Outlet {
    shared: Arc<Shared>,
}

/// Closes the queue when the last producer goes.
struct End(Weak<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            let mut state = shared.state();
            state.closed = true;
            shared.news(state);
        }
    }
}

/// Makes a queue that holds about `capacity` bytes: at most one batch more for each producer that hands in at the same
/// moment.
pub fn intake(capacity: usize) -> (Intake, Outlet) {
    let shared = Arc::new(Shared { capacity, state: Mutex::default(), arrived: Condvar::new() });
    let end = Arc::new(End(Arc::downgrade(&shared)));
    (Intake { shared: Arc::clone(&shared), _end: end }, Outlet { shared })
}

/// What a batch occupies in a queue, in bytes.
pub fn cost(batch: &Batch) -> usize {
    batch.bytes.len() + batch.lines.len() * size_of::<Line>() + BATCH_COST
}

impl Intake {
    /// Registers what to call when there is room after [`Intake::has_room`] has said no. Each producer calls this once;
    /// what is registered says no when its producer is gone.
    pub fn when_room(&self, wake: impl Fn() -> bool + Send + Sync + 'static) {
        self.shared.state().wakes.push(Arc::new(wake));
    }

    /// Tells whether the next batch may be handed in; never again once the consumer is gone. After a no, every
    /// registered wake is called once when the queue is half empty.
    pub fn has_room(&self) -> bool {
        let mut state = self.shared.state();
        let room = !state.closed && state.bytes < self.shared.capacity;
        state.wanted |= !room;
        room
    }

    /// Hands a batch in. It is taken even beyond the capacity, so ask [`Intake::has_room`] before; a batch for a
    /// consumer that is gone is dropped, and its receipt says so.
    pub fn hand_in(&self, batch: Batch) {
        let mut state = self.shared.state();
        if state.closed {
            return;
        }
        state.bytes += cost(&batch);
        state.batches.push_back(batch);
        self.shared.news(state);
    }

    /// Bytes in the queue (`hids_queue_bytes`).
    pub fn bytes(&self) -> usize {
        self.shared.state().bytes
    }
}

impl Outlet {
    /// Takes the next batch without waiting.
    pub fn try_next(&mut self) -> Option<Batch> {
        self.take(self.shared.state())
    }

    /// Waits for the next batch; `None` when all producers are gone and the queue is empty. Safe to cancel.
    pub async fn next(&mut self) -> Option<Batch> {
        std::future::poll_fn(|context| {
            let mut state = self.shared.state();
            if state.batches.is_empty() && !state.closed {
                state.waiting = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(self.take(state))
        })
        .await
    }

    /// Waits on this thread for the next batch, at most for `patience`; `Err` when all producers are gone and the queue
    /// is empty.
    pub fn next_within(&mut self, patience: Duration) -> Result<Option<Batch>, Closed> {
        let state = self.shared.state();
        let (state, _) = self
            .shared
            .arrived
            .wait_timeout_while(state, patience, |state| state.batches.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let closed = state.closed;
        match self.take(state) {
            Some(batch) => Ok(Some(batch)),
            None if closed => Err(Closed),
            None => Ok(None),
        }
    }

    /// Bytes in the queue.
    pub fn bytes(&self) -> usize {
        self.shared.state().bytes
    }

    fn take(&self, mut state: MutexGuard<'_, State>) -> Option<Batch> {
        let batch = state.batches.pop_front()?;
        state.bytes -= cost(&batch);
        // Woken at half, not at the first free byte: a waiting producer then has room for more than one batch.
        if state.wanted && state.bytes <= self.shared.capacity / 2 {
            state.wanted = false;
            let wakes = state.wakes.clone();
            drop(state);
            let gone: Vec<Wake> = wakes.into_iter().filter(|wake| !wake()).collect();
            if !gone.is_empty() {
                self.shared.state().wakes.retain(|wake| !gone.iter().any(|gone| Arc::ptr_eq(gone, wake)));
            }
        }
        Some(batch)
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closed = true;
        state.bytes = 0;
        let (batches, wakes) = (std::mem::take(&mut state.batches), std::mem::take(&mut state.wakes));
        drop(state);
        drop(batches);
        // Producers that wait for room must learn that nobody will ever make any.
        for wake in wakes {
            wake();
        }
    }
}

/// All producers are gone and the queue is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::receipt::Outcome;
    use crate::event::{Freshness, Origin, Receipt, Source};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    fn batch(text: &str) -> (Batch, crate::event::Progress) {
        let (receipt, progress) = Receipt::new();
        let source =
            Source { guest: None, path: "/x".into(), location: "/x".into(), label: "/x".into(), origin: Origin::Log };
        let batch = Batch {
            source: Arc::new(source),
            inode: 1,
            bytes: text.as_bytes().to_vec(),
            lines: vec![Line { start: 0, end: text.len() as u32, offset: 0, cut: false }],
            freshness: Freshness::Live,
            read_at: Instant::now(),
            receipt,
        };
        (batch, progress)
    }

    #[test]
    fn a_full_queue_says_no_and_wakes_once_when_half_is_free() {
        let (intake, mut outlet) = intake(2_000);
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        intake.when_room(move || {
            count.fetch_add(1, Ordering::SeqCst);
            true
        });
        let mut handed = 0;
        while intake.has_room() {
            intake.hand_in(batch(&"x".repeat(300)).0);
            handed += 1;
        }
        assert_eq!(handed, 4);
        assert!(outlet.try_next().is_some());
        assert_eq!(woken.load(Ordering::SeqCst), 0);
        while outlet.try_next().is_some() {}
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        assert_eq!(intake.bytes(), 0);
    }

    #[test]
    fn the_consumer_sees_the_end_after_the_last_batch() {
        let (intake, mut outlet) = intake(1_000);
        intake.clone().hand_in(batch("a").0);
        drop(intake);
        assert!(outlet.next_within(Duration::from_secs(5)).unwrap().is_some());
        assert_eq!(outlet.next_within(Duration::from_secs(5)).unwrap_err(), Closed);
    }

    #[test]
    fn a_consumer_that_goes_drops_what_it_was_given() {
        let (intake, outlet) = intake(1_000);
        let (first, progress) = batch("a");
        intake.hand_in(first);
        drop(outlet);
        assert_eq!(progress.outcome(), Outcome::Dropped);
        let (late, progress) = batch("b");
        intake.hand_in(late);
        assert_eq!(progress.outcome(), Outcome::Dropped);
    }

    #[test]
    fn a_task_is_woken_by_a_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (intake, mut outlet) = intake(1_000);
        let writer = std::thread::spawn(move || {
            for n in 0..100 {
                intake.hand_in(batch(&n.to_string()).0);
                if n % 10 == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let got = runtime.block_on(async {
            let mut got = 0;
            while outlet.next().await.is_some() {
                got += 1;
            }
            got
        });
        writer.join().unwrap();
        assert_eq!(got, 100);
    }
}
