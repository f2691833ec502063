//! Whether a hostile guest is felt by the guest beside it: the block for the other shall come within twice its idle p99
//! plus 5 ms.

use super::super::guests::install::LOG;
use super::super::guests::lab::{Lab, turn};
use super::attacks::{Attacks, NSENTER, install, line};
use super::corpus;
use super::figures::{Part, milliseconds};
use super::rest::{cpu, high_water};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const GUEST: &str = "30-hostile";
const BLOCKS: usize = 200;
const FLOOD: usize = 200_000_000;

/// What the hostile guest goes on doing while `over` is not said: given its log's path, gives a word on what it did.
type Evil = fn(&Path, &AtomicBool) -> String;

#[test]
#[ignore = "a measurement: make bench"]
fn hostile() {
    let Some(lab) = turn() else { return };
    let mut part = Part::begin("hostile");
    part.say(
        "blocks for 12-ssh, by nsenter, while guest 30-hostile is idle and then hostile; in each pair the same daemon",
    );
    pair(&lab, &mut part, "a pipe for a log", |log, over| {
        fs::remove_file(log).unwrap();
        assert!(Command::new("mkfifo").arg(log).status().unwrap().success());
        wait(over);
        String::new()
    });
    pair(&lab, &mut part, "a sparse log of 1 TB", |log, over| {
        fs::OpenOptions::new().write(true).open(log).unwrap().set_len(1 << 40).unwrap();
        wait(over);
        String::new()
    });
    pair(&lab, &mut part, "a log replaced 1,000 times a second", replace);
    pair(&lab, &mut part, "200 MB of mixed lines in one go", |log, over| {
        flood(log, over, &corpus::bytes(FLOOD / 100, 1)[..])
    });
    pair(&lab, &mut part, "200 MB of attack lines in one go", |log, over| {
        let lines: Vec<String> = (0..10_000).map(|n| line(&format!("203.0.113.{}", n % 250), n)).collect();
        flood(log, over, lines.concat().as_bytes())
    });
}

fn pair(lab: &Lab, part: &mut Part, label: &str, evil: Evil) {
    lab.does(&["flush"]);
    lab.light(GUEST);
    let install = install(lab, NSENTER);
    let daemon = install.start();
    let mut attacks = Attacks::on(lab);
    attacks.blocks(20);
    let idle = attacks.blocks(BLOCKS);
    let spent = cpu(daemon.id());
    let begin = Instant::now();
    let over = AtomicBool::new(false);
    let log = lab.inside(GUEST, LOG);
    let (hostile, word) = std::thread::scope(|scope| {
        let evil = scope.spawn(|| evil(&log, &over));
        std::thread::sleep(Duration::from_millis(100));
        let hostile = attacks.blocks(BLOCKS);
        over.store(true, Ordering::Relaxed);
        (hostile, evil.join().unwrap())
    });
    let share = (cpu(daemon.id()) - spent).as_secs_f64() / begin.elapsed().as_secs_f64();
    part.series(&format!("{label}: idle"), &idle);
    part.series(&format!("{label}: hostile"), &hostile);
    let bound = 2 * idle.percentile(99.0) + Duration::from_millis(5);
    let kept = hostile.missing == 0 && hostile.percentile(99.0) <= bound;
    part.say(&format!(
        "  p99 may be {:.2} ms: {}; hids used {:.0} % of a core, at most {} MiB{word}",
        milliseconds(bound),
        if kept { "kept" } else { "NOT KEPT" },
        100.0 * share,
        high_water(daemon.id()) / 1024,
    ));
    let behind = || {
        let rows = install.list(&["sources", "list"]);
        rows.iter().filter(|row| row["guest"] == GUEST).filter_map(|row| row["lag"].as_u64()).sum::<u64>()
    };
    part.say(&format!("  bytes of the hostile guest still to be read at the end: {}", behind()));
    drop(daemon);
    lab.does(&["destroy", GUEST]);
}

fn wait(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Replaces the log by a file, a link out and a pipe in turn.
fn replace(log: &Path, over: &AtomicBool) -> String {
    let next = log.with_file_name("next");
    let begin = Instant::now();
    let mut times = 0_u32;
    while !over.load(Ordering::Relaxed) {
        match times % 3 {
            0 => fs::write(&next, "a line\n").unwrap(),
            1 => symlink("/proc/self/mem", &next).unwrap(),
            _ => symlink("../../../../../../etc/passwd", &next).unwrap(),
        }
        fs::rename(&next, log).unwrap();
        times += 1;
        let due = Duration::from_millis(u64::from(times));
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    format!("; replaced {:.0} times a second", f64::from(times) / begin.elapsed().as_secs_f64())
}

/// Writes the lines again and again until it is 200 MB, in one go.
fn flood(log: &Path, over: &AtomicBool, lines: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(FLOOD + lines.len());
    while bytes.len() < FLOOD {
        bytes.extend_from_slice(lines);
    }
    let mut file = fs::OpenOptions::new().append(true).open(log).unwrap();
    let begin = Instant::now();
    file.write_all(&bytes).unwrap();
    let took = begin.elapsed();
    wait(over);
    format!("; {} MB written in {:.2} s", bytes.len() / 1_000_000, took.as_secs_f64())
}
