//! A kept ssh session to a gateway on another machine: a new one for each block would cost a third of a second.
//!
//! On the far side a receiver of a few lines of shell (`receiver.sh`) reads one request a line and answers each with a
//! status line. It is sent as the session's command; a forced command of the key (sshd(8), `command=`) may hold the
//! same text instead.

use super::call::{Answer, Call, Run};
use super::{Error, Kind};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The receiver, as it may also be installed on the gateway.
pub const RECEIVER: &str = include_str!("receiver.sh");

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const LINE_MAX: u64 = 64 << 20;

/// Where to, and with which keys.
#[derive(Debug, Clone)]
pub struct Target {
    /// `[USER@]HOST`.
    pub address: String,
    /// Port.
    pub port: Option<u16>,
    /// Private key.
    pub identity_file: Option<PathBuf>,
    /// Known host keys.
    pub known_hosts: Option<PathBuf>,
}

/// The way to one machine.
pub struct Ssh {
    target: Target,
    session: Option<Session>,
}

struct Session {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    complaint: Arc<Mutex<String>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Session {
    /// The next line, or `None` once the session has ended.
    fn line(&self, ends: Instant) -> Result<Option<String>, Error> {
        match self.lines.recv_timeout(ends.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(Error::new(Kind::Deadline, "ssh: no answer in time")),
        }
    }

    fn last_words(&mut self) -> String {
        // What ssh had to say is read by a thread of its own; it is through as soon as ssh is.
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::thread::sleep(Duration::from_millis(20));
        let said = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("the session ended").trim().to_owned()
    }
}

impl Ssh {
    /// A way that is not yet gone.
    pub fn new(target: Target) -> Self {
        Self { target, session: None }
    }

    fn command(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
        ssh.args(["-o", "ConnectTimeout=8", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2"]);
        ssh.args(["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "PermitLocalCommand=no"]);
        ssh.args(["-o", "ClearAllForwardings=yes", "-o", "IPQoS=lowdelay"]);
        if let Some(port) = self.target.port {
            ssh.args(["-p", &port.to_string()]);
        }
        if let Some(path) = &self.target.identity_file {
            ssh.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(path);
        }
        if let Some(path) = &self.target.known_hosts {
            let mut option = std::ffi::OsString::from("UserKnownHostsFile=");
            option.push(path);
            ssh.arg("-o").arg(option).args(["-o", "GlobalKnownHostsFile=none"]);
        }
        ssh.args(["--", &self.target.address]);
        // The far side's login shell reads this: the receiver holds no single quote (tested).
        ssh.arg(format!("exec /bin/sh -c '{}'", without_comments(RECEIVER)));
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ssh
    }

    fn fail(&mut self, error: Option<Error>) -> Error {
        let address = self.target.address.clone();
        let Some(mut session) = self.session.take() else {
            return Error::new(Kind::Down, format!("ssh {address}: no session"));
        };
        match error {
            Some(error) => Error::new(error.kind(), format!("ssh {address}: {error}")),
            None => {
                let words = session.last_words();
                let denied = words.contains("Permission denied") || words.contains("Host key verification failed");
                Error::new(if denied { Kind::Denied } else { Kind::Down }, format!("ssh {address}: {words}"))
            }
        }
    }

    fn start(&mut self) -> Result<(), Error> {
        let mut child = self.command().spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(Kind::NoProgram, "ssh: is not installed"),
            _ => Error::new(Kind::Other, format!("ssh: cannot be started: {error}")),
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Error::new(Kind::Other, "ssh: no pipes"));
        };
        let (send, lines) = sync_channel(1024);
        let complaint = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&complaint);
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let started = thread("hids-ssh-out")
            .spawn(move || pump(BufReader::new(stdout), &send))
            .and_then(|_| thread("hids-ssh-err").spawn(move || keep_words(stderr, &said)));
        self.session = Some(Session { child, stdin, lines, complaint });
        match started {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(Some(Error::new(Kind::Other, error.to_string())))),
        }
    }

    fn request(&mut self, line: &str, limit: Duration) -> Result<Answer, Error> {
        let ends = Instant::now() + limit;
        let outcome = match &mut self.session {
            None => return Err(Error::new(Kind::Changed, format!("ssh {}: no session", self.target.address))),
            Some(session) => exchange(session, line, ends),
        };
        match outcome {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.fail(None)),
            Err(error) => Err(self.fail(Some(error))),
        }
    }
}

fn exchange(session: &mut Session, line: &str, ends: Instant) -> Result<Option<Answer>, Error> {
    // A request is at most some 40 KB and the far side reads it before anything else, so this blocks only while the
    // connection hangs, and ssh itself gives a hanging connection up (ServerAliveInterval).
    if session.stdin.write_all(line.as_bytes()).and_then(|()| session.stdin.flush()).is_err() {
        return Ok(None);
    }
    let mut text = String::new();
    loop {
        let Some(line) = session.line(ends)? else { return Ok(None) };
        if let Some(status) = line.strip_prefix("hids-end ") {
            return Ok(Some(Answer { ok: status.trim() == "0", text }));
        }
        if text.len() + line.len() > LINE_MAX as usize {
            return Err(Error::new(Kind::Other, "the answer is too long"));
        }
        text.push_str(&line);
        text.push('\n');
    }
}

fn pump(mut from: impl BufRead, to: &SyncSender<String>) {
    let mut line = Vec::new();
    while matches!(from.by_ref().take(LINE_MAX).read_until(b'\n', &mut line), Ok(count) if count > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        line.clear();
        if to.send(text).is_err() {
            return;
        }
    }
}

fn keep_words(mut from: impl Read, into: &Mutex<String>) {
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        let mut said = into.lock().unwrap_or_else(PoisonError::into_inner);
        // A talkative far side is cut short; what it says last is what ended the session.
        if said.len() > 8 << 10 {
            said.clear();
        }
        said.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
}

fn without_comments(script: &str) -> String {
    let lines: Vec<&str> = script.lines().filter(|line| !line.starts_with('#')).collect();
    lines.join("\n")
}

impl Call<'_> {
    /// The receiver's request line.
    fn request(&self) -> String {
        let joined = |text: &str| text.trim_end().replace('\n', "|");
        match self {
            Self::IpsetRestore(text) => format!("restore {}\n", joined(text)),
            Self::NftApply(text) => format!("nft {}\n", joined(text)),
            Self::IpsetSave(set) => format!("save {set}\n"),
            Self::IpsetTerse(set) => format!("terse {set}\n"),
            Self::NftList(set) => format!("nftlist {set}\n"),
            Self::NftTerse(set) => format!("nftterse {set}\n"),
            Self::Cut(IpAddr::V4(address)) => format!("cut4 {address}\n"),
            Self::Cut(IpAddr::V6(address)) => format!("cut6 {address}\n"),
            Self::Ping => "ping\n".to_owned(),
        }
    }
}

impl Run for Ssh {
    fn connect(&mut self) -> Result<(), Error> {
        self.session = None;
        self.start()?;
        let ends = Instant::now() + CONNECT_LIMIT;
        // A forced command or a talkative shell may say something first.
        for _ in 0..1_000 {
            let line = match &self.session {
                Some(session) => session.line(ends),
                None => Ok(None),
            };
            match line {
                Ok(Some(line)) if line.starts_with("hids-receiver ") => return Ok(()),
                Ok(Some(_)) => {}
                Ok(None) => return Err(self.fail(None)),
                Err(error) => return Err(self.fail(Some(error))),
            }
        }
        Err(self.fail(Some(Error::new(Kind::Other, "the far side does not answer as hids's receiver"))))
    }

    fn lost(&mut self) -> bool {
        match &mut self.session {
            Some(session) => !matches!(session.child.try_wait(), Ok(None)),
            None => true,
        }
    }

    fn run(&mut self, call: Call<'_>, limit: Duration) -> Result<Answer, Error> {
        self.request(&call.request(), limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receiver_can_stand_between_single_quotes() {
        assert!(!without_comments(RECEIVER).contains('\''));
        assert!(without_comments(RECEIVER).starts_with("PATH="));
    }

    #[test]
    fn requests_are_one_line() {
        let text = Call::IpsetRestore("add a 1.2.3.4\ndel a 1.2.3.5\n").request();
        assert_eq!(text, "restore add a 1.2.3.4|del a 1.2.3.5\n");
    }

    #[test]
    fn a_host_key_that_nobody_knows_is_never_accepted() {
        let target = Target { address: "gw".into(), port: Some(2222), identity_file: None, known_hosts: None };
        let words: Vec<String> =
            Ssh::new(target).command().get_args().map(|w| w.to_string_lossy().into_owned()).collect();
        for expected in ["BatchMode=yes", "StrictHostKeyChecking=yes", "2222", "--"] {
            assert!(words.iter().any(|word| word == expected), "{expected}");
        }
    }
}
