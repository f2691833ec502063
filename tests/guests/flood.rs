//! One guest floods its log; the others' attackers are shut out all the same.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::install::{Install, LOG, failed};
use super::lab::turn;

#[test]
fn a_flood_of_200_mb_delays_no_block_of_another_guest() {
    let Some(lab) = turn() else { return };
    lab.light("30-flood");
    let install = Install::new(&lab);
    let mut daemon = install.start();
    let over = AtomicBool::new(false);
    let path = lab.inside("30-flood", LOG);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let line = failed("root", "203.0.113.200", 4242);
            let portion = line.repeat(1 << 20).into_bytes();
            let portion = &portion[..line.len() * ((1 << 20) / line.len())];
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            for _ in 0..200 {
                file.write_all(portion).unwrap();
            }
            over.store(true, Ordering::Release);
        });
        for number in 0..5 {
            std::thread::sleep(Duration::from_millis(200));
            slowest = slowest.max(daemon.still_guards(&format!("203.0.113.{}", 201 + number), 2.0));
        }
        while !over.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // Most of the flood is still to be read: it costs the flooder alone.
    slowest = slowest.max(daemon.still_guards("203.0.113.210", 2.0));
    assert!(slowest < Duration::from_secs(1), "the slowest block took {slowest:?}");
    assert!(daemon.memory() < 400 * 1024, "{} KiB resident", daemon.memory());
}
