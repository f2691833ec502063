//! A guest's root belongs to an attacker: what it puts where its log should be neither hurts hids nor shows it the host.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::install::{Install, LOG, failed};
use super::lab::{Lab, turn, within};

const GUEST: &str = "30-hostile";

/// The hostile guest's log is what `make` puts there, from before hids starts and once more while it runs. hids goes on
/// guarding others with bounded memory, tells nothing of it, and follows the log once it is a file.
#[track_caller]
fn harmless(lab: &Lab, number: u8, make: impl Fn(&Path)) {
    lab.light(GUEST);
    let log = lab.inside(GUEST, LOG);
    let clear = || {
        let _ = fs::remove_file(&log).or_else(|_| fs::remove_dir_all(&log));
    };
    clear();
    make(&log);
    let install = Install::new(lab);
    let mut daemon = install.start();
    daemon.still_guards(&format!("203.0.113.{}", 40 + number), 2.0);
    clear();
    fs::write(&log, "").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    clear();
    make(&log);
    std::thread::sleep(Duration::from_millis(300));
    let took = daemon.still_guards(&format!("203.0.113.{}", 60 + number), 2.0);
    assert!(took < Duration::from_secs(2));
    assert!(daemon.memory() < 300 * 1024, "{} KiB resident", daemon.memory());
    let told = |alert: &serde_json::Value| {
        alert["guest"] == GUEST && alert["rule"]["sidid"].as_u64().is_some_and(|id| id == 100_900)
    };
    assert!(!install.alerts().iter().any(told), "what lies outside the guest was read as its log");
    clear();
    lab.writes(GUEST, LOG, failed("counted", "203.0.113.90", 1));
    within(3.0, "its log is followed once it is a file", || install.alerts_of(100_901).pop());
    daemon.lives();
}

/// A file of the host that no guest may make hids read; every line of it would block somebody.
fn secret(lab: &Lab) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().prefix("hids-secret.").tempfile_in(lab.lxc().parent().unwrap()).unwrap();
    fs::write(file.path(), failed("blockme", "203.0.113.99", 7)).unwrap();
    file
}

#[test]
fn a_link_to_a_file_of_the_host() {
    let Some(lab) = turn() else { return };
    let secret = secret(&lab);
    harmless(&lab, 0, |log| symlink(secret.path(), log).unwrap());
    assert_eq!(lab.left("global-blk4", "203.0.113.99"), None);
}

#[test]
fn a_link_that_climbs_out() {
    let Some(lab) = turn() else { return };
    let secret = secret(&lab);
    let out = Path::new("../../../../../../../../../../../..").join(secret.path().strip_prefix("/").unwrap());
    harmless(&lab, 1, |log| symlink(&out, log).unwrap());
    assert_eq!(lab.left("global-blk4", "203.0.113.99"), None);
}

#[test]
fn a_folder_that_is_a_link_out() {
    let Some(lab) = turn() else { return };
    let secret = secret(&lab);
    fs::write(secret.path().with_file_name("auth.log"), failed("blockme", "203.0.113.99", 7)).unwrap();
    lab.light(GUEST);
    let folder = lab.inside(GUEST, "/var/log");
    fs::remove_dir_all(&folder).unwrap();
    symlink(secret.path().parent().unwrap(), &folder).unwrap();
    let install = Install::new(&lab);
    let mut daemon = install.start();
    let mut file = fs::OpenOptions::new().append(true).open(secret.path().with_file_name("auth.log")).unwrap();
    std::io::Write::write_all(&mut file, failed("blockme", "203.0.113.99", 8).as_bytes()).unwrap();
    daemon.still_guards("203.0.113.42", 2.0);
    fs::remove_file(secret.path().with_file_name("auth.log")).unwrap();
    assert_eq!(lab.left("global-blk4", "203.0.113.99"), None);
}

#[test]
fn a_link_to_etc_shadow() {
    let Some(lab) = turn() else { return };
    harmless(&lab, 3, |log| symlink("/etc/shadow", log).unwrap());
}

#[test]
fn a_link_to_memory() {
    let Some(lab) = turn() else { return };
    harmless(&lab, 4, |log| symlink("/proc/self/mem", log).unwrap());
}

#[test]
fn a_link_through_a_process_to_the_hosts_root() {
    let Some(lab) = turn() else { return };
    let secret = secret(&lab);
    let through = format!("/proc/self/root{}", secret.path().display());
    harmless(&lab, 5, |log| symlink(&through, log).unwrap());
    assert_eq!(lab.left("global-blk4", "203.0.113.99"), None);
}

#[test]
fn a_pipe_without_a_writer() {
    let Some(lab) = turn() else { return };
    harmless(&lab, 6, |log| assert!(Command::new("mkfifo").arg(log).status().unwrap().success()));
}

#[test]
fn a_device_without_an_end() {
    let Some(lab) = turn() else { return };
    harmless(&lab, 7, |log| assert!(Command::new("mknod").arg(log).args(["c", "1", "5"]).status().unwrap().success()));
}

#[test]
fn a_folder() {
    let Some(lab) = turn() else { return };
    harmless(&lab, 8, |log| fs::create_dir(log).unwrap());
}

#[test]
fn a_link_to_itself() {
    let Some(lab) = turn() else { return };
    harmless(&lab, 9, |log| symlink("auth.log", log).unwrap());
}

#[test]
fn a_socket() {
    let Some(lab) = turn() else { return };
    // Bound where the name is short enough, and moved.
    harmless(&lab, 10, |log| {
        let short = tempfile::tempdir().unwrap();
        let made = std::os::unix::net::UnixListener::bind(short.path().join("s")).unwrap();
        assert!(Command::new("mv").arg(short.path().join("s")).arg(log).status().unwrap().success());
        drop(made);
    });
}

#[test]
fn a_sparse_file_of_a_terabyte() {
    let Some(lab) = turn() else { return };
    harmless(&lab, 11, |log| fs::File::create(log).unwrap().set_len(1 << 40).unwrap());
}

#[test]
fn a_log_that_is_replaced_a_thousand_times_a_second() {
    let Some(lab) = turn() else { return };
    let secret = secret(&lab);
    lab.light(GUEST);
    let install = Install::new(&lab);
    let mut daemon = install.start();
    let (log, next) = (lab.inside(GUEST, LOG), lab.inside(GUEST, "/var/log/next"));
    let mut times = 0;
    std::thread::scope(|scope| {
        let racer = scope.spawn(|| {
            let begin = Instant::now();
            let mut times = 0;
            while begin.elapsed() < Duration::from_secs(3) {
                // A link out, a file, a pipe, in turn: whoever checks one and opens another is caught.
                match times % 3 {
                    0 => symlink(secret.path(), &next).unwrap(),
                    1 => fs::write(&next, "a line\n").unwrap(),
                    _ => symlink("/proc/self/mem", &next).unwrap(),
                }
                fs::rename(&next, &log).unwrap();
                times += 1;
                std::thread::sleep(Duration::from_micros(300));
            }
            times
        });
        std::thread::sleep(Duration::from_millis(500));
        daemon.still_guards("203.0.113.58", 2.0);
        times = racer.join().unwrap();
    });
    assert!(times > 1000, "only {times} times");
    assert_eq!(lab.left("global-blk4", "203.0.113.99"), None, "the host's file was read as the guest's");
    assert!(daemon.memory() < 300 * 1024, "{} KiB resident", daemon.memory());
    daemon.still_guards("203.0.113.59", 2.0);
    let _ = fs::remove_file(&log);
    lab.writes(GUEST, LOG, failed("counted", "203.0.113.90", 1));
    within(5.0, "its log is followed once it is left alone", || install.alerts_of(100_901).pop());
}
