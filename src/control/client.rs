//! The asking end of the control socket, for commands: plain and blocking.

use super::api::{Question, VERSION};
use super::error::{Error, Kind};
use super::wire::{self, Reply, Request};
use serde::de::DeserializeOwned;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the daemon may take for one line of an answer; a follower waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A line of an answer is at most this long.
const LONGEST: u64 = 64 << 20;

/// Knows where the daemon listens.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
}

/// All items of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// `false`: a bound cut the answer short.
    pub complete: bool,
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An item, as JSON text.
    Item(String),
    /// So many items passed while we were too slow.
    Missed(u64),
    /// There is no more.
    End {
        /// `false`: a bound cut the answer short.
        complete: bool,
    },
}

/// An answer while it arrives.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    from: BufReader<UnixStream>,
}

impl Client {
    /// A client of the daemon at that socket.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the daemon listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks, and gives the answer line by line: for following.
    ///
    /// # Errors
    /// [`Kind::NotRunning`], [`Kind::NoPermission`], or what the system said. What the daemon says comes with the
    /// lines.
    pub fn ask(&self, question: &Question) -> Result<Incoming, Error> {
        let at = self.path.display();
        let mut stream = wire::connect(&self.path, PATIENCE).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Error::new(Kind::NotRunning, format!("hids is not running: nobody listens at {at}"))
            }
            io::ErrorKind::PermissionDenied => Error::new(
                Kind::NoPermission,
                format!("no permission to ask the daemon: {at}: be root or a member of the socket's group"),
            ),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Error::new(Kind::NotRunning, format!("hids does not answer: it listens at {at} but takes nobody in"))
            }
            _ => Error::io("cannot reach the daemon", at, error),
        })?;
        let wrong = |error| Error::io("cannot ask the daemon", self.path.display(), error);
        let patience = (!matches!(question, Question::Follow { .. })).then_some(PATIENCE);
        stream.set_read_timeout(patience).map_err(wrong)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(wrong)?;
        let mut line = serde_json::to_vec(&Request { version: VERSION, question: question.clone() })
            .map_err(|error| wrong(error.into()))?;
        line.push(b'\n');
        match stream.write_all(&line) {
            // It may have said no and closed before it read; its word is still to be read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other.map_err(wrong)?,
        }
        Ok(Incoming { path: self.path.clone(), from: BufReader::new(stream) })
    }

    /// Asks, and gives the items as JSON text: for alerts, and for `--json`.
    ///
    /// # Errors
    /// As [`Client::ask`], and [`Kind::Fault`] if the daemon says no.
    pub fn texts(&self, question: &Question) -> Result<List<String>, Error> {
        let mut incoming = self.ask(question)?;
        let mut items = Vec::new();
        loop {
            match incoming.next()? {
                Told::Item(json) => items.push(json),
                Told::Missed(_) => {}
                Told::End { complete } => return Ok(List { items, complete }),
            }
        }
    }

    /// Asks, and gives the items.
    ///
    /// # Errors
    /// As [`Client::texts`], and [`Kind::Protocol`] if an item is something else.
    pub fn list<T: DeserializeOwned>(&self, question: &Question) -> Result<List<T>, Error> {
        let texts = self.texts(question)?;
        let items = texts.items.iter().map(|json| {
            serde_json::from_str(json)
                .map_err(|error| Error::new(Kind::Protocol, format!("the daemon's answer is not understood: {error}")))
        });
        Ok(List { items: items.collect::<Result<_, _>>()?, complete: texts.complete })
    }

    /// Asks a question that has one item as its answer.
    ///
    /// # Errors
    /// As [`Client::list`].
    pub fn one<T: DeserializeOwned>(&self, question: &Question) -> Result<T, Error> {
        let mut items = self.list(question)?.items;
        match (items.pop(), items.is_empty()) {
            (Some(item), true) => Ok(item),
            _ => Err(Error::new(Kind::Protocol, "the daemon's answer is not one item")),
        }
    }
}

impl Incoming {
    /// Waits only so long for each further line.
    #[cfg(test)]
    pub(super) fn hurry(&mut self, patience: Duration) {
        self.from.get_ref().set_read_timeout(Some(patience)).unwrap();
    }

    /// Waits for the next line. After [`Told::End`] there is none.
    ///
    /// # Errors
    /// [`Kind::Fault`] if the daemon says no, [`Kind::Protocol`] if it ends in the middle or is no hids.
    #[allow(clippy::should_implement_trait)] // an iterator would make callers match on Option<Result<…>>
    pub fn next(&mut self) -> Result<Told, Error> {
        let mut line = String::new();
        let read = self.from.by_ref().take(LONGEST).read_line(&mut line);
        let count = read.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Error::new(Kind::Protocol, format!("the daemon does not answer: {}", self.path.display()))
            }
            _ => Error::io("cannot read the daemon's answer", self.path.display(), error),
        })?;
        if count == 0 || !line.ends_with('\n') {
            return Err(Error::new(Kind::Protocol, "the daemon ended before its answer did"));
        }
        if let Some(json) = wire::unwrapped(&line) {
            return Ok(Told::Item(json.to_owned()));
        }
        match serde_json::from_str(&line) {
            Ok(Reply::Missed(count)) => Ok(Told::Missed(count)),
            Ok(Reply::End { complete }) => Ok(Told::End { complete }),
            Ok(Reply::Fault(fault)) => Err(fault.into()),
            Err(error) => Err(Error::new(Kind::Protocol, format!("the daemon's answer is not understood: {error}"))),
        }
    }
}
