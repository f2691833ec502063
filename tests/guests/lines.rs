//! Lines that are none: the ones after them are judged, and hids lives.

use std::time::Duration;

use super::install::{Install, LOG, failed};
use super::lab::{turn, within};

/// `bytes` come, then a line that is told.
#[track_caller]
fn passes(bytes: &[u8]) {
    let Some(lab) = turn() else { return };
    lab.light("30-odd");
    let install = Install::new(&lab);
    let mut daemon = install.start();
    lab.writes("30-odd", LOG, bytes);
    lab.writes("30-odd", LOG, failed("counted", "203.0.113.9", 1));
    let (alert, _) = within(5.0, "the line behind it is told", || install.alerts_of(100_901).pop());
    assert_eq!(alert["srcip"], "203.0.113.9");
    daemon.lives();
    assert!(daemon.memory() < 300 * 1024, "{} KiB resident", daemon.memory());
}

#[test]
fn a_line_of_10_mb() {
    let mut bytes = vec![b'x'; 10 << 20];
    bytes.push(b'\n');
    passes(&bytes);
}

#[test]
fn an_attack_line_of_10_mb_is_judged_by_its_beginning() {
    let Some(lab) = turn() else { return };
    lab.light("30-odd");
    let install = Install::new(&lab);
    let _daemon = install.start();
    let line = failed("blockme", "203.0.113.8", 1);
    let mut bytes = line.trim_end().as_bytes().to_vec();
    bytes.resize(10 << 20, b'x');
    bytes.push(b'\n');
    lab.writes("30-odd", LOG, bytes);
    let (alert, _) = within(5.0, "it is told", || install.alerts_of(100_900).pop());
    let told = alert["full_log"].as_str().unwrap();
    assert!(told.starts_with(line.trim_end()) && told.len() < 6_144, "{} bytes of it are told", told.len());
}

#[test]
fn bytes_of_zero() {
    passes(b"\0\0\0 a line \0 with zeros \0\n\0\n");
}

#[test]
fn bytes_that_are_no_utf8() {
    passes(b"Nov 24 20:35:46 h\xff\xfe sshd[1]: \xc3\x28 \xf0\x28\x8c\x28 \x80\n");
}

#[test]
fn control_characters_and_empty_lines() {
    passes(b"\n\n\r\n\x1b[2J\x07\x08\r\n\n");
}

#[test]
fn a_line_without_its_end_waits_for_it() {
    let Some(lab) = turn() else { return };
    lab.light("30-odd");
    let install = Install::new(&lab);
    let _daemon = install.start();
    let line = failed("counted", "203.0.113.9", 1);
    let (first, second) = line.split_at(line.len() / 2);
    lab.writes("30-odd", LOG, first);
    std::thread::sleep(Duration::from_millis(500));
    assert!(install.alerts_of(100_901).is_empty(), "half a line was judged");
    lab.writes("30-odd", LOG, second);
    let (alert, _) = within(2.0, "the whole line is told", || install.alerts_of(100_901).pop());
    assert_eq!(alert["full_log"], line.trim_end());
}
