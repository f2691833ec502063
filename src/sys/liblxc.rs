//! liblxc, where it is installed: asked for a guest's state and first process.
//!
//! The types are `lxc-sys`'s; the symbols are found by `dlopen`, so the program starts where liblxc is absent. Calls run
//! on one thread only (liblxc changes its process's working state) and under a time limit, because the answer comes over
//! an abstract socket that any process in the network namespace may have bound before the guest's monitor: it may lie or
//! stay silent. What liblxc says is a hint; who asks must check it.
//!
//! Making a container's handle leaves a lock file, `/run/lxc/lock/LXC_PATH/.NAME`. A guest that was ever started since
//! the host's boot has it already; others are not asked about, so nothing is left behind. And a guest whose creation was
//! broken off (a file `partial` in its folder) would be *destroyed* by making the handle: it is not asked about either.

use lxc_sys::lxc_container;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

type New = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut lxc_container;
type Put = unsafe extern "C" fn(*mut lxc_container) -> c_int;
type Version = unsafe extern "C" fn() -> *const c_char;

/// Where liblxc keeps its locks, for root.
const LOCKS: &str = "/run/lxc/lock";

/// What liblxc says of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its word for the state, in capitals. `STOPPED` proves nothing: a guest whose monitor lives in another network
    /// namespace is called that as well.
    pub state: String,
    /// The number of the first process, if any.
    pub pid: Option<u32>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// The library is not there, or lacks a symbol.
    Absent(String),
    /// The guest was never started since the host's boot, is just being created, or liblxc does not know it.
    Unknown,
    /// No answer in time, or the thread is still busy with a call that hangs.
    Silent,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Absent(why) => write!(f, "liblxc cannot be used: {why}"),
            Error::Unknown => f.write_str("liblxc does not know this guest"),
            Error::Silent => f.write_str("liblxc gives no answer in time"),
        }
    }
}

impl std::error::Error for Error {}

struct Question {
    lxc_path: CString,
    name: CString,
    answer: SyncSender<Option<Answer>>,
}

/// The library and its thread.
#[derive(Debug)]
pub struct Liblxc {
    questions: SyncSender<Question>,
    version: String,
}

impl Liblxc {
    /// Loads the library and starts its thread.
    ///
    /// # Errors
    ///
    /// [`Error::Absent`].
    pub fn load() -> Result<Self, Error> {
        let (questions, asked) = sync_channel(1);
        let (told, loaded) = sync_channel(1);
        let run = move || match Library::open() {
            Ok(library) => {
                let _ = told.send(Ok(library.version()));
                library.serve(&asked);
            }
            Err(why) => drop(told.send(Err(why))),
        };
        let absent = |why: String| Error::Absent(why);
        std::thread::Builder::new().name("hids-liblxc".into()).spawn(run).map_err(|cause| absent(cause.to_string()))?;
        match loaded.recv() {
            Ok(Ok(version)) => Ok(Self { questions, version }),
            Ok(Err(why)) => Err(absent(why)),
            Err(_) => Err(absent("its thread ended".into())),
        }
    }

    /// The library's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Asks about a guest; blocks for `limit` at most.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], [`Error::Silent`].
    pub fn ask(&self, lxc_path: &Path, name: &str, limit: Duration) -> Result<Answer, Error> {
        if !lock_of(Path::new(LOCKS), lxc_path, name).exists() || lxc_path.join(name).join("partial").exists() {
            return Err(Error::Unknown);
        }
        let lxc_path = CString::new(lxc_path.as_os_str().as_bytes()).map_err(|_| Error::Unknown)?;
        let name = CString::new(name).map_err(|_| Error::Unknown)?;
        let (answer, answered) = sync_channel(1);
        self.questions.try_send(Question { lxc_path, name, answer }).map_err(|_| Error::Silent)?;
        match answered.recv_timeout(limit) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Error::Unknown),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(Error::Silent),
        }
    }
}

/// The lock file that `lxc_container_new` would make (lxc 5.0, `src/lxc/lxclock.c`: RUNDIR/lxc/lock/LXC_PATH/.NAME).
fn lock_of(locks: &Path, lxc_path: &Path, name: &str) -> PathBuf {
    locks.join(lxc_path.strip_prefix("/").unwrap_or(lxc_path)).join(format!(".{name}"))
}

struct Library {
    new: New,
    put: Put,
    version: Version,
    /// Keeps the symbols above valid.
    _library: libloading::Library,
}

impl Library {
    fn open() -> Result<Self, String> {
        // SAFETY: loading runs the initialisers of Debian's liblxc, which set up its own state only; the name is a plain
        // soname, looked up by the loader's own rules.
        let library = unsafe { libloading::Library::new("liblxc.so.1") }.map_err(|cause| cause.to_string())?;
        // SAFETY: the types are those of lxc/lxccontainer.h, unchanged since LXC 1.0 for this soname.
        let symbols = unsafe {
            let new = library.get::<New>(b"lxc_container_new\0").map(|symbol| *symbol);
            let put = library.get::<Put>(b"lxc_container_put\0").map(|symbol| *symbol);
            let version = library.get::<Version>(b"lxc_get_version\0").map(|symbol| *symbol);
            (new, put, version)
        };
        match symbols {
            (Ok(new), Ok(put), Ok(version)) => Ok(Self { new, put, version, _library: library }),
            (Err(cause), ..) | (_, Err(cause), _) | (.., Err(cause)) => Err(cause.to_string()),
        }
    }

    fn version(&self) -> String {
        // SAFETY: takes nothing, gives a static string.
        text(unsafe { (self.version)() }).unwrap_or_default()
    }

    fn serve(&self, asked: &Receiver<Question>) {
        while let Ok(question) = asked.recv() {
            let answer = self.answer(&question.name, &question.lxc_path);
            // Nobody waits any more if it took too long.
            let _ = question.answer.send(answer);
        }
    }

    fn answer(&self, name: &CStr, lxc_path: &CStr) -> Option<Answer> {
        // SAFETY: both strings end with NUL and outlive the call, which copies them.
        let container = unsafe { (self.new)(name.as_ptr(), lxc_path.as_ptr()) };
        if container.is_null() {
            return None;
        }
        // SAFETY: not null, so it is a live container that only this thread has, until `put` below; these fields stand
        // early in the structure, which liblxc only ever extends at its end.
        let (state, init_pid) = unsafe { ((*container).state, (*container).init_pid) };
        // SAFETY: the container lives; the string that comes back is one of liblxc's constants.
        let state = state.and_then(|state| text(unsafe { state(container) }));
        // SAFETY: the container lives.
        let pid = init_pid.map(|init_pid| unsafe { init_pid(container) });
        // SAFETY: the one reference that `new` gave is given back; the container is not used afterwards.
        unsafe { (self.put)(container) };
        Some(Answer { state: state?, pid: pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0) })
    }
}

fn text(string: *const c_char) -> Option<String> {
    if string.is_null() {
        return None;
    }
    // SAFETY: not null, and both callers pass strings of liblxc's that end with NUL and live for ever.
    Some(unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_was_never_started_is_not_asked_about() {
        let Ok(liblxc) = Liblxc::load() else {
            eprintln!("SKIPPED: no liblxc here");
            return;
        };
        assert!(!liblxc.version().is_empty());
        let folder = tempfile::tempdir().unwrap();
        let answer = liblxc.ask(folder.path(), "nobody", Duration::from_secs(5));
        assert!(matches!(answer, Err(Error::Unknown)), "{answer:?}");
        assert!(!lock_of(Path::new(LOCKS), folder.path(), "nobody").exists());
    }

    #[test]
    fn the_lock_lies_where_liblxc_puts_it() {
        let lock = lock_of(Path::new("/run/lxc/lock"), Path::new("/var/lib/lxc"), "web");
        assert_eq!(lock, Path::new("/run/lxc/lock/var/lib/lxc/.web"));
    }
}
