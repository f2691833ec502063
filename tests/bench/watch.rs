//! The outside observer of the gateway's set: Debian's own `ipset`, kept open in the gateway's network namespace.
//!
//! It shares no code with hids. A question and its answer take some 50 µs, and between two questions it pauses, so as not
//! to take from hids a core that both need; [`Watch::resolution`] measures how far apart its looks really are.

use super::super::guests::lab::Lab;
use super::figures::Series;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The pause between two looks; the kernel's timer adds some 60 µs.
const PAUSE: Duration = Duration::from_micros(50);

/// A kept `ipset -` that is asked for one address after the other.
pub struct Watch {
    ipset: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStderr>,
}

impl Watch {
    /// Opens the observer on the lab's gateway.
    pub fn open(lab: &Lab) -> Self {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", init(lab, "10-gateway"))).args(["--", "ipset", "-"]);
        // Its prompt goes to stdout, answers to stderr, which it does not buffer.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut ipset = command.spawn().unwrap();
        let questions = ipset.stdin.take().unwrap();
        let answers = BufReader::new(ipset.stderr.take().unwrap());
        Self { ipset, questions, answers }
    }

    /// Does the address stand in `global-blk4` now?
    fn has(&mut self, address: &str) -> bool {
        self.questions.write_all(format!("test global-blk4 {address}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        match (answer.contains(" is in set "), answer.contains(" is NOT in set ")) {
            (true, false) => true,
            (false, true) => false,
            _ => panic!("ipset says: {answer}"),
        }
    }

    /// The moment at which the address is seen there; `None` if it does not come for `patience`.
    pub fn sees(&mut self, address: &str, patience: Duration) -> Option<Instant> {
        let begin = Instant::now();
        while !self.has(address) {
            if begin.elapsed() > patience {
                return None;
            }
            std::thread::sleep(PAUSE);
        }
        Some(Instant::now())
    }

    /// How far apart two looks are: what an entry may stand there unseen.
    pub fn resolution(&mut self) -> Series {
        let mut series = Series::default();
        let mut last = Instant::now();
        for _ in 0..500 {
            std::thread::sleep(PAUSE);
            self.has("192.0.2.1");
            let now = Instant::now();
            series.note(Some(now - last));
            last = now;
        }
        series
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.ipset.kill();
        let _ = self.ipset.wait();
    }
}

/// The pid of a running guest's init.
pub fn init(lab: &Lab, guest: &str) -> u32 {
    let state = lab.does(&["state"]);
    let row = state.lines().find(|row| row.starts_with(&format!("{guest} RUNNING"))).unwrap();
    row.split(' ').nth(2).unwrap().parse().unwrap()
}
