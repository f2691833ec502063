//! Figures: how long from a write until the lane has the line. Run by hand:
//! `cargo test --release --lib -- collect::tests::measure --ignored --nocapture`.

use super::bench::*;
use crate::collect::{Config, FileSpec, Format, Scope};
use crate::event::{Outlet, intake};
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const LINE: &str =
    "Nov 24 04:22:12 12-ssh sshd[4711]: Failed password for invalid user admin from 198.51.100.77 port 4711 ssh2\n";

/// What one core of judging costs a line, spent by a consumer that stands for a lane.
fn drain(mut outlet: Outlet, spend: Duration, lines: Arc<AtomicUsize>, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        let Ok(Some(batch)) = outlet.next_within(Duration::from_millis(50)) else { continue };
        let end = Instant::now() + spend * batch.lines.len() as u32;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        lines.fetch_add(batch.lines.len(), Ordering::Relaxed);
        batch.receipt.done();
    }
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!(
        "{what}: {:.3} / {:.3} / {:.3} / {:.3} ms (min / median / p99 / max, n {})",
        at(0.0),
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    );
}

/// Writes lines one by one and notes when the lane has each.
fn latency(path: &std::path::Path, mut outlet: Outlet, count: usize, pause: Duration) -> Vec<Duration> {
    let path = path.to_owned();
    let (begun, times) = std::sync::mpsc::sync_channel(1);
    let writer = std::thread::spawn(move || {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        for _ in 0..count {
            std::thread::sleep(pause);
            let at = Instant::now();
            file.write_all(LINE.as_bytes()).unwrap();
            begun.send(at).unwrap();
        }
    });
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = outlet.next_within(Duration::from_secs(10)).unwrap().unwrap();
        let now = Instant::now();
        for _ in &batch.lines {
            taken.push(now - times.recv().unwrap());
        }
        batch.receipt.done();
    }
    writer.join().unwrap();
    taken
}

fn guests_bench() -> Bench {
    let files = vec![FileSpec {
        scope: Scope::EveryGuest,
        path: "/var/log/*.log".into(),
        label: "/var/log/*.log".into(),
        format: Format::Lines,
    }];
    let mut bench = Bench::new(Config { files, ..Config::default() });
    bench.start();
    bench
}

fn join(bench: &Bench, name: &str, files: usize, capacity: usize) -> (std::path::PathBuf, Outlet) {
    let (_, root) = bench.guest(name);
    for n in 0..files {
        append(&root.join(format!("var/log/{n}.log")), b"");
    }
    let (way_in, outlet) = intake(capacity);
    let mut lane = Lane::new(1);
    lane.intake = Some(way_in);
    bench.add_guest(name, &lane);
    (root.join("var/log"), outlet)
}

#[test]
#[ignore = "prints figures"]
fn write_to_lane() {
    let bench = guests_bench();
    let (folder, outlet) = join(&bench, "one", 1, 1 << 20);
    show("1 file, idle", latency(&folder.join("0.log"), outlet, 1_000, Duration::from_millis(2)));
    let bench = guests_bench();
    let (folder, outlet) = join(&bench, "many", 500, 1 << 20);
    show("500 files, idle", latency(&folder.join("250.log"), outlet, 1_000, Duration::from_millis(2)));
}

#[test]
#[ignore = "prints figures"]
fn write_to_lane_while_a_neighbour_floods() {
    let bench = guests_bench();
    let (quiet, outlet) = join(&bench, "quiet", 1, 1 << 20);
    let (loud, flooded) = join(&bench, "loud", 1, 1 << 20);
    let (lines, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let judge = {
        let (lines, over) = (Arc::clone(&lines), Arc::clone(&over));
        std::thread::spawn(move || drain(flooded, Duration::from_nanos(2_000), lines, over))
    };
    let flood = LINE.repeat(200_000_000 / LINE.len());
    let total = 200_000_000 / LINE.len();
    let begun = Instant::now();
    let writer = std::thread::spawn(move || append(&loud.join("0.log"), flood.as_bytes()));
    show(
        "200 MB written by a neighbour at once",
        latency(&quiet.join("0.log"), outlet, 1_000, Duration::from_millis(2)),
    );
    writer.join().unwrap();
    while lines.load(Ordering::Relaxed) < total {
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("the flood itself: {total} lines in {:.1} s at 2 µs of judging each", begun.elapsed().as_secs_f64());
    over.store(true, Ordering::Relaxed);
    judge.join().unwrap();
}

#[test]
#[ignore = "prints figures"]
fn reading_alone() {
    let bench = guests_bench();
    let (folder, outlet) = join(&bench, "one", 1, 4 << 20);
    let (lines, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let judge = {
        let (lines, over) = (Arc::clone(&lines), Arc::clone(&over));
        std::thread::spawn(move || drain(outlet, Duration::ZERO, lines, over))
    };
    let total = 200_000_000 / LINE.len();
    let flood = LINE.repeat(total);
    let begun = Instant::now();
    append(&folder.join("0.log"), flood.as_bytes());
    while lines.load(Ordering::Relaxed) < total {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("written and read: {:.1} million lines/s", total as f64 / begun.elapsed().as_secs_f64() / 1e6);
    over.store(true, Ordering::Relaxed);
    judge.join().unwrap();
}

#[test]
#[ignore = "prints figures"]
fn idle() {
    let bench = guests_bench();
    let (_folder, _outlet) = join(&bench, "many", 500, 1 << 20);
    std::thread::sleep(Duration::from_secs(8));
    let ticks = || -> u64 {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let (before, begun) = (ticks(), Instant::now());
    std::thread::sleep(Duration::from_secs(30));
    let spent = (ticks() - before) as f64 / 100.0;
    println!(
        "500 files, idle for {:.0} s: {:.3} % of a core",
        begun.elapsed().as_secs_f64(),
        spent / begun.elapsed().as_secs_f64() * 100.0
    );
}
