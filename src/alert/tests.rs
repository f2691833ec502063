//! The whole room, over real files.

#![allow(clippy::disallowed_methods)]

use super::fixture::{Case, NOW};
use super::*;
use crate::event::receipt::Outcome;
use crate::event::{Field, Receipt, Stamp};
use crate::guest;
use crate::metrics::Registry;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn config(dir: &Path) -> Config {
    Config { json: Some(dir.join("alerts.json")), log: Some(dir.join("alerts.log")), ..Config::default() }
}

fn started(config: Config) -> (Handle, Registry) {
    let registry = Registry::new();
    (Writer::start(config, &registry).unwrap(), registry)
}

fn offer(handle: &Handle, case: &mut Case, receipt: Receipt) -> Offered {
    case.meta.id = handle.claim(case.meta.arrival);
    case.with(|verdict| handle.offer(verdict, &case.meta, receipt))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_alert_stands_in_both_files_before_its_receipt_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, registry) = started(config(dir.path()));
    let (receipt, progress) = Receipt::new();
    let mut case = Case::new("d", "x").field(Field::SrcIp, b"192.0.2.1");
    assert_eq!(offer(&handle, &mut case, receipt), Offered::Taken);
    until("the receipt", || progress.outcome() == Outcome::Done);
    assert!(read(dir.path().join("alerts.log")).starts_with("** Alert 1795552640.1: - local,door,\n"));
    let json = read(dir.path().join("alerts.json"));
    assert!(json.contains("\"id\":\"1795552640.1\"") && json.ends_with("}\n"));
    assert!(handle.stop(PATIENCE));
    let page = registry.text();
    for series in [
        "hids_alerts_total{guest=\"web1\"} 1",
        "hids_alerts_total{guest=\"host\"} 0",
        "hids_alerts_by_level_total{level=\"5\"} 1",
        "hids_alerts_by_level_total{level=\"12\"} 0",
        "hids_rule_alerts_total{rule=\"100500\"} 1",
        "hids_alert_written_total 1",
        "hids_queue_bytes{queue=\"alerts\"} 0",
    ] {
        assert!(page.contains(&format!("\n{series}\n")), "{series} in\n{page}");
    }
    crate::metrics::tests::promtool(&page);
}

#[test]
fn numbers_go_on_after_a_restart_and_after_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let mut case = Case::new("d", "x");
    for round in 0..3 {
        let (handle, _) = started(config(dir.path()));
        offer(&handle, &mut case, Receipt::none());
        offer(&handle, &mut case, Receipt::none());
        assert!(handle.stop(PATIENCE));
        assert_eq!(case.meta.id.number, 2 * round + 2);
        for name in ["alerts.json", "alerts.log"] {
            fs::rename(dir.path().join(name), dir.path().join(name.to_owned() + ".1")).unwrap();
        }
    }
}

#[test]
fn while_a_file_cannot_be_written_receipts_stay_open_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    let blocked = dir.path().join("no");
    fs::write(&blocked, "a file where a folder should be").unwrap();
    config.log = Some(blocked.join("alerts.log"));
    let (handle, _) = started(config);
    let (receipt, progress) = Receipt::new();
    let mut case = Case::new("d", "x");
    for _ in 0..50 {
        assert_eq!(offer(&handle, &mut case, receipt.share()), Offered::Taken);
    }
    receipt.done();
    until("the failure to show", || handle.health().failing.is_some());
    assert_eq!(progress.outcome(), Outcome::Open);
    fs::remove_file(&blocked).unwrap();
    until("the receipts", || progress.outcome() == Outcome::Done);
    assert!(handle.stop(PATIENCE));
    assert_eq!(handle.health().failing, None);
    assert_eq!(read(dir.path().join("alerts.json")).lines().count(), 50);
    assert_eq!(read(blocked.join("alerts.log")).matches("** Alert").count(), 50);
}

#[test]
fn a_disk_that_is_really_full_tears_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "none"])
        .arg(&small)
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("SKIPPED: mounting a small file system needs root, so a really full disk was not tried");
        return;
    }
    struct Unmount<'a>(&'a Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _unmount = Unmount(&small);
    let ballast = small.join("ballast");
    fs::write(&ballast, vec![0; 200 << 10]).unwrap();
    let (handle, _) = started(config(&small));
    let (receipt, progress) = Receipt::new();
    let mut case = Case::new("d", "x");
    for _ in 0..100 {
        assert_eq!(offer(&handle, &mut case, receipt.share()), Offered::Taken);
    }
    receipt.done();
    until("the disk to be full", || handle.health().failing.is_some());
    assert_eq!(progress.outcome(), Outcome::Open);
    fs::remove_file(&ballast).unwrap();
    until("the receipts", || progress.outcome() == Outcome::Done);
    assert!(handle.stop(PATIENCE));
    let json = read(small.join("alerts.json"));
    let numbers: Vec<String> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(numbers, (1..=100).map(|at| format!("{NOW}.{at}")).collect::<Vec<_>>());
    assert_eq!(read(small.join("alerts.log")).matches("\n\n** Alert").count(), 99);
}

#[test]
fn beyond_the_spool_the_loud_guest_is_refused_and_the_quiet_one_kept() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("no");
    fs::write(&blocked, "").unwrap();
    let config =
        Config { json: Some(blocked.join("alerts.json")), log: None, spool_bytes: 40_000, ..Config::default() };
    let (handle, _) = started(config);
    let mut loud = Case::new("d", "x").guest("loud");
    // The first batch is taken out of the spool by the writer, so more than the spool's size has to come.
    let outcomes: Vec<_> = (0..2_000).map(|_| offer(&handle, &mut loud, Receipt::none())).collect();
    assert!(outcomes.contains(&Offered::Refused));
    let (receipt, progress) = Receipt::new();
    let mut quiet = Case::new("d", "x").guest("quiet");
    assert_eq!(offer(&handle, &mut quiet, receipt), Offered::Taken);
    assert!(handle.health().waiting_bytes <= 40_000);
    assert_eq!(progress.outcome(), Outcome::Open);
    fs::remove_file(&blocked).unwrap();
    until("the quiet guest's alert", || progress.outcome() == Outcome::Done);
    until("the story of the refused", || read(blocked.join("alerts.json")).contains("\"sidid\":99902"));
    assert!(handle.stop(PATIENCE));
    // Some were refused at the door, some were pushed out later by the quiet guest.
    let at_the_door = outcomes.iter().filter(|outcome| **outcome == Offered::Refused).count() as u64;
    let pushed_out = handle.health().refused - at_the_door;
    assert_eq!(read(blocked.join("alerts.json")).lines().count() as u64, handle.health().taken - pushed_out);
}

#[test]
fn stopping_without_a_disk_drops_the_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("no");
    fs::write(&blocked, "").unwrap();
    let (handle, _) = started(Config { json: Some(blocked.join("a")), ..Config::default() });
    let (receipt, progress) = Receipt::new();
    let mut case = Case::new("d", "x");
    offer(&handle, &mut case, receipt);
    assert!(!handle.stop(Duration::from_millis(200)));
    until("the drop", || progress.outcome() == Outcome::Dropped);
    assert_eq!(offer(&handle, &mut case, Receipt::none()), Offered::Refused, "after the end nothing is taken");
}

#[test]
fn one_rule_of_one_guest_is_capped_and_the_rest_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, _) = started(Config { per_minute: 10, ..config(dir.path()) });
    let (receipt, progress) = Receipt::new();
    let mut case = Case::new("d", "x");
    let mut taken = 0;
    for _ in 0..25 {
        taken += u32::from(offer(&handle, &mut case, receipt.share()) == Offered::Taken);
    }
    receipt.done();
    assert_eq!(taken, 10);
    until("all receipts, also of what was held back", || progress.outcome() == Outcome::Done);
    let told = || {
        read(dir.path().join("alerts.json")).lines().find(|line| line.contains("\"sidid\":99901")).map(str::to_owned)
    };
    until("the count", || told().is_some());
    let line: serde_json::Value = serde_json::from_str(&told().unwrap()).unwrap();
    assert_eq!(line["full_log"], "15 alerts of rule 100500 of web1 held back: more than 10 in a minute");
    assert_eq!((&line["guest"], &line["decoder"]), (&"web1".into(), &"hids-own".into()));
    assert!(handle.stop(PATIENCE));
}

#[test]
fn alerts_are_found_in_memory_and_in_the_file_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, _) = started(Config { recent: 5, ..config(dir.path()) });
    let mut case = Case::new("d", "x");
    for at in 0..20 {
        case.rule.id = 1_000 + at;
        case.meta.arrival = Stamp::utc(NOW + i64::from(at));
        offer(&handle, &mut case, Receipt::none());
    }
    let wide = Bounds { alerts: 100, bytes: 1 << 20 };
    until("the file", || handle.health().written == 20);
    let found = handle.find(&Filter::default(), wide).unwrap();
    assert!(found.complete);
    let ids: Vec<_> = found
        .lines
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["rule"]["sidid"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1_000..1_020).rev().collect::<Vec<_>>());
    let few = handle.find(&Filter::default(), Bounds { alerts: 7, ..wide }).unwrap();
    assert_eq!((few.lines.len(), few.complete), (7, false));
    let one = handle.find(&Filter { rules: vec![1_003], ..Filter::default() }, wide).unwrap();
    assert_eq!(one.lines.len(), 1);
    assert!(handle.stop(PATIENCE));
}

#[test]
fn after_a_restart_the_latest_alerts_are_still_known_and_found_once() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, _) = started(config(dir.path()));
    for _ in 0..3 {
        offer(&handle, &mut Case::new("d", "x"), Receipt::none());
    }
    assert!(handle.stop(PATIENCE));
    let (handle, _) = started(config(dir.path()));
    assert_eq!(handle.latest(10).len(), 3);
    assert!(handle.latest(1)[0].contains("\"id\":\"1795552640.3\""));
    let found = handle.find(&Filter::default(), Bounds { alerts: 100, bytes: 1 << 20 }).unwrap();
    assert_eq!(found.lines.len(), 3);
    assert!(handle.stop(PATIENCE));
}

#[test]
fn many_lanes_at_once_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, registry) = started(Config { per_minute: u32::MAX, ..config(dir.path()) });
    let (receipt, progress) = Receipt::new();
    let (lanes, each) = (8, 500);
    std::thread::scope(|scope| {
        for lane in 0..lanes {
            let (handle, receipt, dir) = (&handle, &receipt, &dir);
            scope.spawn(move || {
                let mut case = Case::new("d", "x").guest(&format!("web{lane}"));
                for at in 0..each {
                    case.meta.place.offset = at;
                    assert_eq!(offer(handle, &mut case, receipt.share()), Offered::Taken);
                    if at == each / 2 {
                        // A rotation in the middle.
                        let _ = fs::rename(dir.path().join("alerts.json"), dir.path().join(format!("r{lane}")));
                    }
                }
            });
        }
    });
    receipt.done();
    until("all receipts", || progress.outcome() == Outcome::Done);
    assert!(handle.stop(PATIENCE));
    let mut offsets = std::collections::HashMap::<String, Vec<u64>>::new();
    let mut ids = std::collections::HashSet::new();
    let names = (0..lanes).rev().map(|lane| format!("r{lane}")).chain(["alerts.json".to_owned()]);
    for name in names {
        for line in read(dir.path().join(name)).lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(ids.insert(line["id"].as_str().unwrap().to_owned()));
            let guest = line["guest"].as_str().unwrap().to_owned();
            offsets.entry(guest).or_default().push(line["place"]["offset"].as_u64().unwrap());
        }
    }
    assert_eq!(ids.len() as u64, lanes * each);
    for (guest, mut seen) in offsets {
        seen.sort_unstable();
        assert_eq!(seen, (0..each).collect::<Vec<_>>(), "{guest}");
    }
    assert_eq!(read(dir.path().join("alerts.log")).matches("** Alert").count() as u64, lanes * each);
    assert!(registry.text().contains("hids_alerts_total{guest=\"web7\"} 500\n"));
}

#[tokio::test]
async fn followers_are_told_what_fits() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, _) = started(config(dir.path()));
    let mut follower = handle.follow(Filter { guest: Some("host".into()), ..Filter::default() });
    offer(&handle, &mut Case::new("d", "of web1"), Receipt::none());
    handle.tell(None, Own::GatewayDown.facts(), "gateway 10-gateway:\n\u{1b}[31m gone");
    let Some(Followed::Alert(line)) = follower.next().await else { panic!("an alert") };
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["full_log"], "gateway 10-gateway:??[31m gone");
    assert_eq!((&line["location"], &line["guest"]), (&"hids".into(), &serde_json::Value::Null));
    for _ in 0..3_000 {
        handle.tell(None, Own::GatewayUp.facts(), "up");
    }
    assert!(matches!(follower.next().await, Some(Followed::Missed(count)) if count > 0));
    assert!(handle.stop(PATIENCE));
}

#[test]
fn a_deleted_guest_leaves_no_series() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, registry) = started(config(dir.path()));
    let name = guest::Name::new("web9");
    handle.announce(&name);
    assert!(registry.text().contains("hids_alerts_total{guest=\"web9\"} 0"));
    offer(&handle, &mut Case::new("d", "x").guest("web9"), Receipt::none());
    handle.forget(&name);
    assert!(!registry.text().contains("web9"));
    assert!(handle.stop(PATIENCE));
}

#[test]
fn reopening_lets_a_rotated_file_go_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, _) = started(config(dir.path()));
    let path = dir.path().join("alerts.json");
    fs::rename(&path, dir.path().join("old")).unwrap();
    let open = || {
        fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == dir.path().join("old")))
    };
    assert!(open());
    handle.reopen();
    until("the old file to be let go", || !open());
    offer(&handle, &mut Case::new("d", "x"), Receipt::none());
    until("the new file", || read(&path).lines().count() == 1);
    assert!(handle.stop(PATIENCE));
}
