//! The daemon's end of the control socket.
//!
//! One connection, one question. Connections are capped, requests bounded in size and time, answers in time; a follower
//! may stay, but must read. The fence is the socket's mode (0660, group `hids` where it exists); who passes it is asked
//! once more for who he is.
#![allow(clippy::disallowed_methods)]

use super::api::{Answer, Peer, Question, VERSION};
use super::error::{Error, Kind};
use super::fault::{Fault, FaultKind};
use super::wire::{self, Reply, Request, Versioned};
use crate::alert::{Followed, Follower};
use serde::Serialize;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream, unix::OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What this end has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the socket lies.
    pub path: PathBuf,
    /// The group that may ask, where it exists.
    pub group: String,
    /// Connections at a time; half of them may be followers.
    pub connections: usize,
    /// How long a question may take: to arrive, to be answered, and each line to be taken.
    pub deadline: Duration,
    /// Bytes of a request at most.
    pub request_bytes: u64,
}

impl Config {
    /// The usual values for a socket at that place.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            group: "hids".into(),
            connections: 32,
            deadline: Duration::from_secs(30),
            request_bytes: 64 << 10,
        }
    }
}

/// The listening socket.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    config: Config,
    group: Option<u32>,
    identity: (u64, u64),
}

impl Server {
    /// Opens the socket. What is left of an earlier daemon is replaced, but only if nobody listens there.
    ///
    /// # Errors
    /// [`Kind::Taken`] if a daemon listens there or something that is no socket lies there; otherwise what the system
    /// said. Needs a tokio runtime.
    pub fn bind(config: Config) -> Result<Self, Error> {
        let path = config.path.clone();
        let wrong = |cause| Error::io("cannot open the control socket", path.display(), cause);
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(wrong)?;
        }
        make_way(&path)?;
        // Made under another name and moved into place, so that there is no moment with other rights.
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}", std::process::id()));
        let aside = PathBuf::from(aside);
        let _ = fs::remove_file(&aside);
        let listener = UnixListener::bind(&aside).map_err(wrong)?;
        let group = group_id(&config.group);
        let ready = || -> io::Result<(u64, u64)> {
            fs::set_permissions(&aside, fs::Permissions::from_mode(0o600))?;
            if let Some(group) = group {
                chown(&aside, None, Some(group))?;
            }
            fs::set_permissions(&aside, fs::Permissions::from_mode(0o660))?;
            fs::rename(&aside, &path)?;
            let meta = fs::symlink_metadata(&path)?;
            Ok((meta.dev(), meta.ino()))
        };
        let identity = ready().map_err(|cause| {
            let _ = fs::remove_file(&aside);
            wrong(cause)
        })?;
        Ok(Self { listener, config, group, identity })
    }

    /// Answers until `stop` is ready, then removes the socket. Questions being answered at that moment are cut off.
    pub async fn run(self, answer: Arc<impl Answer>, stop: impl Future<Output = ()>) {
        let seats = Arc::new(Semaphore::new(self.config.connections.max(2)));
        let followers = Arc::new(Semaphore::new((self.config.connections / 2).max(1)));
        let mut open = tokio::task::JoinSet::new();
        tokio::pin!(stop);
        loop {
            let stream = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of descriptors, most likely: it passes.
                        tracing::warn!(%error, "a control connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                Some(_) = open.join_next() => continue,
            };
            let connection = Connection {
                config: self.config.clone(),
                group: self.group,
                answer: Arc::clone(&answer),
                followers: Arc::clone(&followers),
            };
            match Arc::clone(&seats).try_acquire_owned() {
                Ok(seat) => {
                    open.spawn(async move {
                        connection.serve(stream).await;
                        drop(seat);
                    });
                }
                Err(_) => {
                    let fault = Fault::new(FaultKind::Unavailable, "too many connections to the daemon; try again");
                    let line = wire::reply(&Reply::Fault(fault));
                    // A fresh socket's buffer takes one line at once; if not, the closed connection says enough.
                    let _ = stream.try_write(line.as_bytes());
                }
            }
        }
        let same = fs::symlink_metadata(&self.config.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if same {
            let _ = fs::remove_file(&self.config.path);
        }
    }
}

/// Checks that nobody listens at a path and that nothing but a socket lies there.
fn make_way(path: &Path) -> Result<(), Error> {
    let taken = |why: &str| Error::new(Kind::Taken, format!("the control socket is taken: {}: {why}", path.display()));
    match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(meta) if !meta.file_type().is_socket() => return Err(taken("something that is no socket lies there")),
        Ok(_) => {}
    }
    match wire::connect(path, Duration::from_secs(2)) {
        Ok(_) => Err(taken("another hids listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // Its queue is full: somebody listens, and is busy or hangs.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(taken("another hids listens there, but hangs")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("cannot open the control socket", path.display(), error)),
    }
}

/// Looks a group up in `/etc/group` (group(5)).
fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        (parts.next() == Some(name)).then(|| parts.nth(1)?.parse().ok())?
    })
}

struct Connection<A> {
    config: Config,
    group: Option<u32>,
    answer: Arc<A>,
    followers: Arc<Semaphore>,
}

impl<A: Answer> Connection<A> {
    async fn serve(self, stream: UnixStream) {
        let peer = self.peer(&stream);
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read.take(self.config.request_bytes));
        let result = async {
            let peer = peer?;
            let question = timeout(self.config.deadline, self.question(&mut read))
                .await
                .map_err(|_| Fault::new(FaultKind::Unavailable, "the question did not arrive in time"))??;
            if let Question::Follow { filter } = question {
                let _seat = self
                    .followers
                    .try_acquire()
                    .map_err(|_| Fault::new(FaultKind::Unavailable, "too many follow the alerts already; try again"))?;
                let follower = self.answer.follow(filter).await?;
                self.follow(follower, &mut read, &mut write).await;
                return Ok(());
            }
            let lines = timeout(self.config.deadline, self.reply(question, peer))
                .await
                .map_err(|_| Fault::new(FaultKind::Unavailable, "the daemon did not answer in time"))??;
            for line in lines {
                if !self.send(&mut write, &line).await {
                    break;
                }
            }
            Ok(())
        };
        if let Err(fault) = result.await {
            self.send(&mut write, &wire::reply(&Reply::Fault(fault))).await;
        }
    }

    /// Who asks, if he may: root, the daemon's own user, or a member of the socket's group.
    fn peer(&self, stream: &UnixStream) -> Result<Peer, Fault> {
        let no = |why: String| Fault::new(FaultKind::NoPermission, why);
        let who = stream.peer_cred().map_err(|error| no(format!("cannot tell who asks: {error}")))?;
        let peer = Peer { uid: who.uid(), pid: who.pid() };
        let own = rustix::process::geteuid().as_raw();
        let member = self.group.is_some_and(|group| {
            group == who.gid() || who.pid().is_some_and(|pid| supplementary_groups(pid).contains(&group))
        });
        if who.uid() == 0 || who.uid() == own || member {
            return Ok(peer);
        }
        Err(no(format!("user {} may not ask the daemon: only root and the group {} may", who.uid(), self.config.group)))
    }

    async fn question(
        &self,
        read: &mut BufReader<tokio::io::Take<tokio::net::unix::OwnedReadHalf>>,
    ) -> Result<Question, Fault> {
        let invalid = |why: String| Fault::new(FaultKind::Invalid, why);
        let mut line = Vec::new();
        read.read_until(b'\n', &mut line)
            .await
            .map_err(|error| invalid(format!("cannot read the question: {error}")))?;
        if line.last() != Some(&b'\n') {
            return Err(invalid(if read.get_ref().limit() == 0 {
                format!("the question is longer than {} bytes", self.config.request_bytes)
            } else {
                "the question ends in the middle of its line".into()
            }));
        }
        match serde_json::from_slice::<Request>(&line) {
            Ok(request) if request.version == VERSION => Ok(request.question),
            result => Err(match serde_json::from_slice::<Versioned>(&line) {
                Ok(other) if other.version != VERSION => invalid(format!(
                    "the daemon speaks version {VERSION} of its questions, not {}: restart it after an upgrade",
                    other.version
                )),
                _ => invalid(result.err().map_or_else(String::new, |error| format!("not a question: {error}"))),
            }),
        }
    }

    /// Asks the daemon, and gives the lines of its answer.
    async fn reply(&self, question: Question, by: Peer) -> Result<Vec<String>, Fault> {
        let daemon = &self.answer;
        match question {
            Question::Status => one(&daemon.status().await?),
            Question::Guests => all(&daemon.guests().await?),
            Question::Guest { name } => one(&daemon.guest(name).await?),
            Question::Pause { name } => all(&daemon.pause(name, true, by).await?),
            Question::Resume { name } => all(&daemon.pause(name, false, by).await?),
            Question::Sources { guest } => all(&daemon.sources(guest).await?),
            Question::Alerts { filter, limit } => {
                let found = daemon.alerts(filter, limit).await?;
                let mut lines: Vec<String> = found.lines.iter().map(|line| wire::item(line)).collect();
                lines.push(wire::reply(&Reply::End { complete: found.complete }));
                Ok(lines)
            }
            Question::Blocks(filter) => all(&daemon.blocks(filter).await?),
            Question::Block(order) => all(&daemon.block(order, by).await?),
            Question::Unblock { address, gateway } => all(&daemon.unblock(address, gateway, by).await?),
            Question::Why { address } => one(&daemon.why(address).await?),
            Question::Sync { gateway } => all(&daemon.sync(gateway, by).await?),
            Question::AllowList => all(&daemon.allow_list().await?),
            Question::Allow { network, reason } => all(&daemon.allow(network, reason, by).await?),
            Question::Disallow { network } => all(&daemon.disallow(network, by).await?),
            Question::Reload => all(&daemon.reload(by).await?),
            Question::Follow { .. } => Err(Fault::new(FaultKind::Invalid, "a follower is served elsewhere")),
        }
    }

    async fn follow(
        &self,
        mut follower: Follower,
        read: &mut BufReader<tokio::io::Take<tokio::net::unix::OwnedReadHalf>>,
        write: &mut OwnedWriteHalf,
    ) {
        let mut nothing = [0u8; 16];
        loop {
            let line = tokio::select! {
                followed = follower.next() => match followed {
                    Some(Followed::Alert(line)) => wire::item(&line),
                    Some(Followed::Missed(count)) => wire::reply(&Reply::Missed(count)),
                    None => break,
                },
                // A follower has nothing more to say: whatever can be read is its end, or nonsense.
                _ = read.read(&mut nothing) => return,
            };
            if !self.send(write, &line).await {
                return;
            }
        }
        self.send(write, &wire::reply(&Reply::End { complete: true })).await;
    }

    /// Sends a line; `false`: the other end is gone, or does not read.
    async fn send(&self, write: &mut OwnedWriteHalf, line: &str) -> bool {
        matches!(timeout(self.config.deadline, write.write_all(line.as_bytes())).await, Ok(Ok(())))
    }
}

fn one(item: &impl Serialize) -> Result<Vec<String>, Fault> {
    all(std::slice::from_ref(item))
}

fn all<T: Serialize>(items: &[T]) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::with_capacity(items.len() + 1);
    for item in items {
        let json = serde_json::to_string(item)
            .map_err(|error| Fault::new(FaultKind::Failed, format!("cannot write the answer: {error}")))?;
        lines.push(wire::item(&json));
    }
    lines.push(wire::reply(&Reply::End { complete: true }));
    Ok(lines)
}

/// A process's further groups (proc_pid_status(5)); the kernel's own word on a peer knows its first group only.
fn supplementary_groups(pid: i32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    groups.split_whitespace().filter_map(|group| group.parse().ok()).collect()
}
