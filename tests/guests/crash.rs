//! hids is killed in the middle of things and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::install::{Install, LOG, failed};
use super::lab::{turn, within};

#[test]
fn kill_nine_in_the_middle_loses_no_line() {
    let Some(lab) = turn() else { return };
    lab.light("30-busy");
    let install = Install::new(&lab);
    let mut daemon = Some(install.start());
    let (over, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let lab_ref = &lab;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let line = failed("counted", "203.0.113.11", 99_999);
            while !over.load(Ordering::Acquire) {
                let number = written.fetch_add(1, Ordering::AcqRel);
                lab_ref.writes("30-busy", LOG, line.replace(" port 99999 ", &format!(" port {number} ")));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(700));
            daemon.take().unwrap().kill();
            daemon = Some(install.start());
        }
        std::thread::sleep(Duration::from_millis(300));
        over.store(true, Ordering::Release);
    });
    let lines = written.load(Ordering::Acquire);
    assert!(lines > 500, "only {lines} lines were written");
    let told = || {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for alert in install.alerts_of(100_901) {
            let text = alert["full_log"].as_str().unwrap().to_owned();
            told.entry(text).or_default().insert(alert["place"].to_string());
        }
        told
    };
    within(10.0, "every line is told", || (told().len() == lines).then_some(()));
    // What was judged again says so: the same line has the same place.
    let twofold: Vec<_> = told().into_iter().filter(|(_, places)| places.len() != 1).collect();
    assert!(twofold.is_empty(), "one line, two places: {twofold:?}");
    let repeated = install.alerts_of(100_901).len() - lines;
    assert!(repeated < 3 * 1000, "{repeated} of {lines} lines were judged again: more than a moment's");
}

#[test]
fn a_block_outlives_kill_nine() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER4");
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(1.0, "the entry", || lab.left("global-blk4", attacker));
    daemon.kill();
    assert!(!lab.ping("attacker", "12-ssh"), "nobody is let in because hids died");
    // And where the set forgot meanwhile, the ledger did not.
    lab.does(&["flush"]);
    let _daemon = install.start();
    let (left, _) = within(5.0, "the entry is back", || lab.left("global-blk4", attacker));
    assert!((1700..=1800).contains(&left), "{left} s left");
    assert_eq!(install.block_state(attacker).as_deref(), Some("active"));
    assert!(!lab.ping("attacker", "12-ssh"));
}

#[test]
fn an_attack_goes_on_counting_over_kill_nine() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let daemon = install.start();
    let attacker = "203.0.113.12";
    lab.writes("12-ssh", LOG, failed("root", attacker, 1));
    lab.writes("12-ssh", LOG, failed("root", attacker, 2));
    within(2.0, "two are told", || (install.alerts_of(5716).len() == 2).then_some(()));
    // Longer than a quarter second: their positions are committed, so only memory can know them.
    std::thread::sleep(Duration::from_millis(600));
    daemon.kill();
    lab.writes("12-ssh", LOG, failed("root", attacker, 3));
    let _daemon = install.start();
    lab.writes("12-ssh", LOG, failed("root", attacker, 4));
    within(3.0, "the fourth event blocks", || lab.left("global-blk4", attacker));
    assert_eq!(install.alerts_of(5716).len(), 3, "what was judged again at the start was silent");
}

#[test]
fn an_attack_while_hids_is_down_is_answered_at_its_start() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let daemon = install.start();
    lab.writes("12-ssh", LOG, failed("counted", "203.0.113.13", 1));
    within(2.0, "the log is followed", || install.alerts_of(100_901).pop());
    std::thread::sleep(Duration::from_millis(600));
    daemon.kill();
    let attacker = "203.0.113.14";
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 2));
    let _daemon = install.start();
    let (left, _) = within(3.0, "the attacker is blocked", || lab.left("global-blk4", attacker));
    assert!(left <= 1800);
}

#[test]
fn nobody_is_let_in_because_hids_stops() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER4");
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(1.0, "the entry", || lab.left("global-blk4", attacker));
    assert_eq!(daemon.stop(), Some(0));
    assert!(!lab.ping("attacker", "12-ssh"));
}
