//! The lab of `containers/lab`, and whose turn it is on it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The guests that are always there; whatever else a case raised is destroyed before the next one's turn.
const RESIDENTS: [&str; 3] = ["10-gateway", "11-nginx", "12-ssh"];

/// Tells of a skipped case past the test harness, which keeps what passing tests print.
pub fn skip(why: &str) {
    let name = std::thread::current().name().unwrap_or("a case").to_owned();
    let _ = std::io::stderr().write_all(format!("\n*** SKIPPED {name}: {why}\n").as_bytes());
}

/// A raised lab.
pub struct Lab {
    dir: PathBuf,
    env: BTreeMap<String, String>,
}

/// The shared lab while it is this case's turn.
pub struct Turn {
    lab: &'static Lab,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Turn {
    type Target = Lab;
    fn deref(&self) -> &Lab {
        self.lab
    }
}

/// Waits for the lab; `None` where there can be none, which has been told.
pub fn turn() -> Option<Turn> {
    static TURN: Mutex<()> = Mutex::new(());
    static LAB: OnceLock<Option<Lab>> = OnceLock::new();
    if !rustix::process::geteuid().is_root() {
        skip("raising LXC guests needs root");
        return None;
    }
    let held = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(lab) = LAB.get_or_init(Lab::raise) else {
        panic!("the lab does not come up (its words stand above the first failed case)");
    };
    lab.tidy();
    Some(Turn { lab, _turn: held })
}

impl Lab {
    /// Raises the lab. It goes when this process is gone, however that ends.
    fn raise() -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("hids-lab.").tempdir().unwrap().keep();
        let said = script().args(["up", "--while", &std::process::id().to_string()]).arg(&dir).output().unwrap();
        let _ = std::io::stderr().write_all(&said.stderr);
        if !said.status.success() {
            return None;
        }
        let env = String::from_utf8(said.stdout).unwrap();
        let env = env.lines().filter_map(|line| line.split_once('='));
        Some(Self { dir, env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).collect() })
    }

    /// The lab as a case expects it, whatever the one before left.
    fn tidy(&self) {
        let state = self.does(&["state"]);
        for line in state.lines() {
            let mut words = line.split_whitespace();
            let (name, state) = (words.next().unwrap(), words.next().unwrap());
            if !RESIDENTS.contains(&name) {
                self.does(&["destroy", name]);
            } else if state != "RUNNING" {
                self.does(&["start", name]);
            }
        }
        self.does(&["flush"]);
    }

    /// One value of the lab's environment, such as `LAB_ATTACKER4`.
    pub fn env(&self, key: &str) -> &str {
        &self.env[key]
    }

    /// The LXC path.
    pub fn lxc(&self) -> PathBuf {
        PathBuf::from(self.env("LAB_LXC"))
    }

    /// A path inside guest `name`, seen from the host.
    pub fn inside(&self, name: &str, path: &str) -> PathBuf {
        self.lxc().join(name).join("rootfs").join(path.trim_start_matches('/'))
    }

    /// A command of `containers/lab`, whatever it answers.
    pub fn tries(&self, args: &[&str]) -> Output {
        script().arg("--lab").arg(&self.dir).args(args).output().unwrap()
    }

    /// A command of `containers/lab` that must succeed; its words.
    pub fn does(&self, args: &[&str]) -> String {
        let out = self.tries(args);
        assert!(
            out.status.success(),
            "lab {}: {}{}",
            args.join(" "),
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// A command in the network namespace where hids stands. (Its pid is the command's own: nsenter becomes it.)
    pub fn on_host(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.env("LAB_NS_HOST"))).arg("--").arg(program);
        command
    }

    /// Does one packet from `from` to `to` get an answer? A packet that could not even be sent fails the case.
    pub fn ping(&self, from: &str, to: &str) -> bool {
        let out = self.tries(&["ping", from, to]);
        match out.status.code() {
            Some(0) => true,
            Some(1) => false,
            _ => panic!("ping from {from} to {to}: {}", String::from_utf8_lossy(&out.stdout)),
        }
    }

    /// The seconds left to `address` in the gateway's set, if it stands there.
    pub fn left(&self, set: &str, address: &str) -> Option<u64> {
        let sets = self.does(&["sets"]);
        let mut entries = sets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        entries.find(|entry| entry[0] == set && entry[1] == address).map(|entry| entry[2].parse().unwrap())
    }

    /// An ssh guessing; true if the attacker was shut out before `count` guesses were over.
    pub fn guessed(&self, args: &[&str]) -> bool {
        let out = self.tries(args);
        match out.status.code() {
            Some(0) => false,
            Some(1) => true,
            _ => panic!(
                "{}: {}{}",
                args.join(" "),
                String::from_utf8_lossy(&out.stdout),
                String::from_utf8_lossy(&out.stderr)
            ),
        }
    }

    /// A light guest with an empty `/var/log/auth.log`, running.
    pub fn light(&self, name: &str) {
        self.does(&["new", name, "--with-log", "/var/log/auth.log"]);
    }

    /// Appends to a file of a guest, from the host.
    pub fn writes(&self, name: &str, path: &str, bytes: impl AsRef<[u8]>) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(self.inside(name, path)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("containers/lab"))
}

/// Asks until `what` is so, `seconds` at most; gives what it was and how long that took.
#[track_caller]
pub fn within<T>(seconds: f64, what: &str, mut asked: impl FnMut() -> Option<T>) -> (T, Duration) {
    let begin = Instant::now();
    loop {
        if let Some(answer) = asked() {
            return (answer, begin.elapsed());
        }
        assert!(begin.elapsed().as_secs_f64() < seconds, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
