//! Threads that may be lost.
//!
//! Looking up a path, opening or reading may hang for ever where a guest has the last word: on a FUSE mount of its own,
//! behind its fanotify permission marks, on a dead network share. Such work is given to a [`Crew`] with a time limit.
//! When the limit is over the caller goes on and the thread is given up; it ends by itself should the kernel ever let it
//! go. How many may be lost at the same time is bounded.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Idle threads kept for the next job, by the whole process.
const IDLE: usize = 6;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that wait for a job; they belong to no crew.
static IDLERS: Mutex<Vec<SyncSender<Job>>> = Mutex::new(Vec::new());

/// A crew of threads: one for each guest, so that one guest's hanging calls are not the neighbours'. Clones are the same
/// crew.
#[derive(Clone)]
pub struct Crew(Arc<Shared>);

struct Shared {
    lost: AtomicUsize,
    most: usize,
}

/// Why a job has no result.
#[derive(Debug)]
pub enum Stuck {
    /// The time limit is over; the thread is given up.
    TimeOver,
    /// As many threads as allowed are hanging already: not tried.
    TooMany,
    /// The job panicked.
    Panicked,
    /// No thread could be started.
    Io(io::Error),
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stuck::TimeOver => f.write_str("no answer in time"),
            Stuck::TooMany => f.write_str("too many calls hang already"),
            Stuck::Panicked => f.write_str("the call panicked"),
            Stuck::Io(cause) => write!(f, "no thread: {cause}"),
        }
    }
}

impl std::error::Error for Stuck {}

impl Crew {
    /// Makes a crew of which at most `most` threads may hang at the same time.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared { lost: AtomicUsize::new(0), most }))
    }

    /// Runs a job on one of the crew's threads and blocks until it is done or the limit is over. What the job holds
    /// (descriptors, for one) stays held as long as it hangs.
    ///
    /// # Errors
    ///
    /// [`Stuck`], by reason.
    pub fn run<T, F>(&self, limit: Duration, job: F) -> Result<T, Stuck>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if self.lost() >= self.0.most {
            return Err(Stuck::TooMany);
        }
        let (answer, answered) = sync_channel(1);
        // Counts as lost from the start, so that many callers at once cannot lose more than allowed each.
        let hanging = Hanging::new(&self.0);
        let job: Job = Box::new(move || {
            let result = job();
            drop(hanging);
            let _ = answer.send(result);
        });
        hand_out(job)?;
        match answered.recv_timeout(limit) {
            Ok(result) => Ok(result),
            Err(RecvTimeoutError::Timeout) => Err(Stuck::TimeOver),
            Err(RecvTimeoutError::Disconnected) => Err(Stuck::Panicked),
        }
    }

    /// Number of jobs that are under way or hang.
    pub fn lost(&self) -> usize {
        self.0.lost.load(Ordering::Acquire)
    }
}

/// Gives a job to an idle thread, or to a new one.
fn hand_out(mut job: Job) -> Result<(), Stuck> {
    loop {
        let idle = IDLERS.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(thread) = idle else { break };
        match thread.send(job) {
            Ok(()) => return Ok(()),
            Err(back) => job = back.0,
        }
    }
    let body = move || {
        job();
        loop {
            let (own, jobs) = sync_channel::<Job>(1);
            {
                let mut idlers = IDLERS.lock().unwrap_or_else(PoisonError::into_inner);
                if idlers.len() >= IDLE {
                    return;
                }
                idlers.push(own);
            }
            let Ok(job) = jobs.recv() else { return };
            job();
        }
    };
    std::thread::Builder::new().name("hids-crew".into()).spawn(body).map_err(Stuck::Io)?;
    Ok(())
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("lost", &self.lost()).field("most", &self.0.most).finish()
    }
}

struct Hanging(Arc<Shared>);

impl Hanging {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.lost.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(shared))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.lost.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_hanging_job_costs_its_limit_and_is_counted() {
        let crew = Crew::new(1);
        let (release, released) = sync_channel::<()>(1);
        let begun = Instant::now();
        let hung = crew.run(Duration::from_millis(30), move || released.recv().is_ok());
        assert!(matches!(hung, Err(Stuck::TimeOver)));
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(matches!(crew.run(Duration::from_secs(1), || 1), Err(Stuck::TooMany)));
        release.send(()).unwrap();
        while crew.lost() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(crew.run(Duration::from_secs(5), || 2).unwrap(), 2);
    }

    #[test]
    fn a_job_that_panics_is_an_error() {
        let crew = Crew::new(3);
        assert!(matches!(crew.run(Duration::from_secs(5), || panic!("planted")), Err::<(), _>(Stuck::Panicked)));
        assert_eq!(crew.run(Duration::from_secs(5), || 3).unwrap(), 3);
        assert_eq!(crew.lost(), 0);
    }

    #[test]
    fn threads_are_used_again() {
        let crew = Crew::new(8);
        for i in 0..100 {
            assert_eq!(crew.run(Duration::from_secs(5), move || i).unwrap(), i);
        }
        assert!(IDLERS.lock().unwrap().len() <= IDLE);
    }
}
