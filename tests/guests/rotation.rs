//! Logs are rotated under a writer's hands, with hids running and without; every line is judged once.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::install::{Install, LOG, failed};
use super::lab::{Lab, turn};

const GUEST: &str = "30-writer";

/// How often each numbered line was told; a line that nobody wrote fails the case.
fn told(install: &Install<'_>, lines: usize) -> BTreeMap<usize, usize> {
    let mut told = BTreeMap::new();
    for alert in install.alerts_of(100_901) {
        let number: usize = alert["srcport"].as_str().map_or_else(
            || alert["full_log"].as_str().unwrap().rsplit(' ').nth(1).unwrap().parse().unwrap(),
            |port| port.parse().unwrap(),
        );
        assert!(number < lines, "a line that was never written: {alert}");
        *told.entry(number).or_default() += 1;
    }
    told
}

#[track_caller]
fn each_once(install: &Install<'_>, lines: usize) {
    let begin = Instant::now();
    while told(install, lines).len() < lines {
        let there = told(install, lines);
        let missing: Vec<_> = (0..lines).filter(|number| !there.contains_key(number)).collect();
        assert!(begin.elapsed() < Duration::from_secs(10), "{} lines were not told: {missing:?}", missing.len());
        std::thread::sleep(Duration::from_millis(50));
    }
    let repeated: Vec<_> = told(install, lines).into_iter().filter(|&(_, times)| times != 1).collect();
    assert!(repeated.is_empty(), "lines told more than once: {repeated:?}");
}

/// The log and its two earlier generations.
fn paths(lab: &Lab) -> (PathBuf, PathBuf, PathBuf) {
    let of = |end: &str| lab.inside(GUEST, &format!("{LOG}{end}"));
    (of(""), of(".1"), of(".2"))
}

fn write(lab: &Lab, numbers: std::ops::Range<usize>) {
    // One stamp for all: asking the time for each would give hids all the time in the world.
    let line = failed("counted", "203.0.113.10", 99_999);
    for number in numbers {
        lab.writes(GUEST, LOG, line.replace(" port 99999 ", &format!(" port {number} ")));
    }
}

#[test]
fn rename_and_create_loses_and_repeats_nothing() {
    let Some(lab) = turn() else { return };
    lab.light(GUEST);
    let install = Install::new(&lab);
    let _daemon = install.start();
    let generation = |number: usize| lab.inside(GUEST, &format!("{LOG}.{number}"));
    for round in 0..8 {
        write(&lab, round * 400..round * 400 + 300);
        for number in (1..=round).rev() {
            fs::rename(generation(number), generation(number + 1)).unwrap();
        }
        fs::rename(lab.inside(GUEST, LOG), generation(1)).unwrap();
        // The writer still holds the renamed file for a while, as rsyslog does until its HUP.
        for number in round * 400 + 300..round * 400 + 350 {
            lab.writes(GUEST, &format!("{LOG}.1"), failed("counted", "203.0.113.10", number));
        }
        fs::write(lab.inside(GUEST, LOG), "").unwrap();
        write(&lab, round * 400 + 350..round * 400 + 400);
    }
    each_once(&install, 3200);
}

/// Rounds of copytruncate: at once after the last line, so that hids has not read all of the log when it is cut. `shift`
/// keeps the copies apart as logrotate does; otherwise each copy is written over the one before, as `cp log log.1` does.
fn copytruncate(shift: bool) {
    let Some(lab) = turn() else { return };
    lab.light(GUEST);
    let install = Install::new(&lab);
    let _daemon = install.start();
    let (log, old, older) = paths(&lab);
    for round in 0..6 {
        write(&lab, round * 400..round * 400 + 399);
        if shift {
            let _ = fs::rename(&old, &older);
        }
        fs::copy(&log, &old).unwrap();
        fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
        write(&lab, round * 400 + 399..round * 400 + 400);
        // What is in a copy must be found before the next round.
        std::thread::sleep(Duration::from_millis(400));
    }
    each_once(&install, 2400);
}

#[test]
fn copytruncate_loses_and_repeats_nothing() {
    copytruncate(true);
}

#[test]
fn copytruncate_over_the_same_copy_loses_and_repeats_nothing() {
    copytruncate(false);
}

#[test]
fn rotation_while_hids_is_down_loses_and_repeats_nothing() {
    let Some(lab) = turn() else { return };
    lab.light(GUEST);
    let install = Install::new(&lab);
    let daemon = install.start();
    write(&lab, 0..200);
    each_once(&install, 200);
    assert_eq!(daemon.stop(), Some(0));
    let (log, old) = (lab.inside(GUEST, LOG), lab.inside(GUEST, "/var/log/auth.log.1"));
    write(&lab, 200..400);
    fs::rename(&log, &old).unwrap();
    write(&lab, 400..600);
    let _daemon = install.start();
    write(&lab, 600..700);
    each_once(&install, 700);
}

#[test]
fn a_log_that_is_removed_and_made_again_is_followed() {
    let Some(lab) = turn() else { return };
    lab.light(GUEST);
    let install = Install::new(&lab);
    let _daemon = install.start();
    write(&lab, 0..100);
    each_once(&install, 100);
    fs::remove_dir_all(lab.inside(GUEST, "/var/log")).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    fs::create_dir(lab.inside(GUEST, "/var/log")).unwrap();
    write(&lab, 100..200);
    each_once(&install, 200);
}
