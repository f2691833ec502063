//! Threads that take turns: fair between owners, and never used up by turns that hang.
//!
//! Jobs of one owner run one after the other, and owners take turns, so that no guest drowns another. When jobs wait and
//! no thread is free for a while (a read that hangs), another thread is started, up to a bound; it ends when it has been
//! idle.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread beyond the regular number stays without work.
const IDLE: Duration = Duration::from_secs(10);

/// What a thread does with a job; the job's owner gets its next turn afterwards.
type Work<J> = Arc<dyn Fn(J) + Send + Sync>;

/// The threads.
pub(super) struct Pool<J> {
    shared: Arc<Shared<J>>,
}

struct Shared<J> {
    name: &'static str,
    regular: usize,
    most: usize,
    state: Mutex<State<J>>,
    ready: Condvar,
    work: Work<J>,
}

struct State<J> {
    /// Owners that have jobs and none under way.
    ring: VecDeque<u64>,
    jobs: HashMap<u64, VecDeque<J>>,
    busy: HashSet<u64>,
    threads: usize,
    idle: usize,
    /// Since when jobs wait without any thread becoming free.
    waiting: Option<Instant>,
    stopped: bool,
}

impl<J: Send + 'static> Pool<J> {
    /// Makes a pool of `regular` threads that grows up to `most`.
    pub(super) fn new(
        name: &'static str,
        regular: usize,
        most: usize,
        work: impl Fn(J) + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            ring: VecDeque::new(),
            jobs: HashMap::new(),
            busy: HashSet::new(),
            threads: 0,
            idle: 0,
            waiting: None,
            stopped: false,
        };
        let shared =
            Shared { name, regular, most, state: Mutex::new(state), ready: Condvar::new(), work: Arc::new(work) };
        Self { shared: Arc::new(shared) }
    }

    /// Queues a job of an owner. Tells whether it may have to wait: then [`Pool::relieve`] should be called in a while.
    pub(super) fn queue(&self, owner: u64, job: J) -> bool {
        let mut state = self.shared.state();
        if state.stopped {
            return false;
        }
        state.jobs.entry(owner).or_default().push_back(job);
        if !state.busy.contains(&owner) && !state.ring.contains(&owner) {
            state.ring.push_back(owner);
        }
        if state.ring.is_empty() {
            return false;
        }
        if state.idle >= state.ring.len() {
            drop(state);
            self.shared.ready.notify_one();
            return false;
        }
        if state.threads < self.shared.regular {
            self.shared.grow(&mut state);
            return false;
        }
        state.waiting.get_or_insert_with(Instant::now);
        drop(state);
        self.shared.ready.notify_one();
        true
    }

    /// Starts another thread if jobs have waited for `patience` without any thread becoming free. Tells whether jobs wait.
    pub(super) fn relieve(&self, patience: Duration) -> bool {
        let mut state = self.shared.state();
        if state.ring.is_empty() || state.stopped {
            state.waiting = None;
            return false;
        }
        if state.waiting.is_some_and(|since| since.elapsed() >= patience) && state.threads < self.shared.most {
            state.waiting = Some(Instant::now());
            self.shared.grow(&mut state);
        }
        true
    }

    /// Drops all queued jobs and ends the threads; one that hangs ends when it is let go.
    pub(super) fn stop(&self) {
        let mut state = self.shared.state();
        state.stopped = true;
        state.ring.clear();
        state.jobs.clear();
        drop(state);
        self.shared.ready.notify_all();
    }

    /// Drops the queued jobs of an owner.
    pub(super) fn forget(&self, owner: u64) {
        let mut state = self.shared.state();
        state.jobs.remove(&owner);
        state.ring.retain(|other| *other != owner);
    }
}

impl<J: Send + 'static> Shared<J> {
    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grow(self: &Arc<Self>, state: &mut State<J>) {
        let shared = Arc::clone(self);
        let started = std::thread::Builder::new().name(self.name.into()).spawn(move || shared.run());
        match started {
            Ok(_) => state.threads += 1,
            Err(error) => tracing::error!("collect: no thread for {}: {error}", self.name),
        }
    }

    fn run(self: Arc<Self>) {
        let mut state = self.state();
        loop {
            let Some(owner) = state.ring.pop_front() else {
                if state.stopped {
                    break;
                }
                state.waiting = None;
                state.idle += 1;
                let extra = state.threads > self.regular;
                if extra {
                    let (woken, waited) = self.ready.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                    state = woken;
                    state.idle -= 1;
                    if waited.timed_out() && state.ring.is_empty() && state.threads > self.regular {
                        break;
                    }
                } else {
                    state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle -= 1;
                }
                continue;
            };
            let Some(job) = state.jobs.get_mut(&owner).and_then(VecDeque::pop_front) else { continue };
            state.busy.insert(owner);
            // A thread is free: nobody hangs at the moment.
            if state.waiting.is_some() {
                state.waiting = Some(Instant::now());
            }
            drop(state);
            (self.work)(job);
            state = self.state();
            state.busy.remove(&owner);
            match state.jobs.get(&owner).is_some_and(|jobs| !jobs.is_empty()) {
                true => state.ring.push_back(owner),
                false => {
                    state.jobs.remove(&owner);
                }
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn owners_take_turns_and_one_owners_jobs_keep_their_order() {
        let (done, results) = sync_channel(1_000);
        let pool = Pool::new("test", 1, 1, move |(owner, n): (u64, u32)| {
            if n == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            done.send((owner, n)).unwrap();
        });
        for n in 0..50 {
            pool.queue(1, (1, n));
        }
        pool.queue(2, (2, 99));
        let order: Vec<_> = results.iter().take(51).collect();
        let other = order.iter().position(|(owner, _)| *owner == 2).unwrap();
        assert!(other <= 2, "the neighbour waited for {other} turns");
        let mine: Vec<u32> = order.iter().filter(|(owner, _)| *owner == 1).map(|(_, n)| *n).collect();
        assert!(mine.is_sorted());
        pool.stop();
    }

    #[test]
    fn a_hanging_job_is_relieved() {
        let (release, hang) = sync_channel::<()>(0);
        let hang = Mutex::new(hang);
        let (done, results) = sync_channel(10);
        let pool = Pool::new("test", 1, 2, move |owner: u64| {
            if owner == 1 {
                let _ = hang.lock().unwrap().recv();
            } else {
                done.send(owner).unwrap();
            }
        });
        pool.queue(1, 1);
        while pool.shared.state().busy.is_empty() {
            std::thread::yield_now();
        }
        assert!(pool.queue(2, 2));
        assert!(results.recv_timeout(Duration::from_millis(30)).is_err());
        assert!(pool.relieve(Duration::from_millis(10)));
        assert_eq!(results.recv_timeout(Duration::from_secs(5)), Ok(2));
        assert!(!pool.relieve(Duration::from_millis(10)));
        drop(release);
        pool.stop();
    }
}
