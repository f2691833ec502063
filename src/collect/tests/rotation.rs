//! Files that are written, rotated, truncated, deleted: every line once, in order.

use super::bench::*;
use crate::collect::{Health, LINE_MAX};
use crate::event::Freshness;
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn the_very_first_start_begins_at_the_end_and_follows() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "old 1\nold 2\n");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", "new 1\nnew 2\n");
    lane.expect(&["new 1", "new 2"]);
    let got = lane.got();
    assert_eq!(got[0].offset, 12);
    assert_eq!(got[0].freshness, Freshness::Live);
    assert_eq!(got[0].location, bench.path("a.log").to_string_lossy());
    use std::os::unix::fs::MetadataExt;
    assert_eq!(got[0].inode, fs::metadata(bench.path("a.log")).unwrap().ino());
    wait(|| bench.source("a.log").position == 24);
    let report = bench.source("a.log");
    assert_eq!((report.health, report.lines_total, report.lag, report.size), (Health::Good, 2, 0, 24));
    assert_eq!(bench.collector().totals()[0].lines, 2);
}

#[test]
fn a_line_written_in_three_pieces_is_one_event() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "half a line at the sta");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    std::thread::sleep(Duration::from_millis(600));
    assert!(lane.texts().is_empty(), "an old incomplete line is not handed on by waiting");
    for piece in ["rt\none ", "line ", "only\n"] {
        bench.write("a.log", piece);
        std::thread::sleep(Duration::from_millis(30));
    }
    lane.expect(&["half a line at the start", "one line only"]);
}

#[test]
fn an_incomplete_line_is_handed_on_when_it_has_waited() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    let begun = Instant::now();
    bench.write("a.log", "no end");
    lane.expect(&["no end"]);
    assert!(begun.elapsed() >= Duration::from_millis(400));
    bench.write("a.log", " yet\nnext\n");
    lane.expect(&["no end", " yet", "next"]);
}

#[test]
fn rename_and_create() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", "1\n2\n");
    bench.rename("a.log", "a.log.1");
    bench.write("a.log.1", "3\n");
    bench.write("a.log", "4\n");
    lane.expect(&["1", "2", "3", "4"]);
    // The writer has not been told yet.
    bench.write("a.log.1", "late\n");
    lane.expect(&["1", "2", "3", "4", "late"]);
    assert_eq!(lane.own().len(), 1);
    assert!(lane.own()[0].starts_with("ossec: File rotated (inode changed): '"), "{:?}", lane.own());
}

#[test]
fn two_rotations_at_once() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    for round in 0..3 {
        let base = round * 10;
        bench.write("a.log", &format!("{}\n", base + 1));
        let _ = fs::rename(bench.path("a.log.1"), bench.path("a.log.2"));
        bench.rename("a.log", "a.log.1");
        bench.write("a.log", &format!("{}\n", base + 2));
        bench.rename("a.log.1", "a.log.2");
        bench.rename("a.log", "a.log.1");
        bench.write("a.log", &format!("{}\n", base + 3));
        std::thread::sleep(Duration::from_millis(100));
    }
    lane.expect(&["1", "2", "3", "11", "12", "13", "21", "22", "23"]);
}

#[test]
fn copytruncate() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", "first line of the log, long enough to be known by\nsecond\n");
    lane.expect(&["first line of the log, long enough to be known by", "second"]);
    // Unread when it is copied: the lane does not take anything.
    lane.pause(true);
    std::thread::sleep(Duration::from_millis(100));
    bench.write("a.log", "third\n");
    fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    fs::write(bench.path("a.log"), "").unwrap();
    bench.write("a.log", "fourth\n");
    lane.pause(false);
    lane.expect(&["first line of the log, long enough to be known by", "second", "third", "fourth"]);
    assert!(lane.own().iter().any(|text| text.starts_with("ossec: File size reduced (inode remained): '")));
    assert_eq!(bench.source("a.log").lost_bytes_total, 0);
}

#[test]
fn truncated_and_refilled_beyond_the_old_size() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", "old\n");
    lane.expect(&["old"]);
    let text: String = (0..100).map(|n| format!("new {n}\n")).collect();
    fs::write(bench.path("a.log"), &text).unwrap();
    wait(|| lane.texts().len() >= 101);
    let texts = lane.texts();
    assert_eq!((texts.len(), &*texts[1], &*texts[100]), (101, "new 0", "new 99"));
}

#[test]
fn what_was_truncated_away_unread_is_counted() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    // A lane so small that it takes one batch.
    let lane = Lane::new(1);
    bench.run(&lane);
    lane.pause(true);
    std::thread::sleep(Duration::from_millis(100));
    bench.write("a.log", "taken\n");
    wait(|| bench.source("a.log").read == 6);
    bench.write("a.log", &"lost\n".repeat(100));
    wait(|| bench.source("a.log").health == Health::Waiting);
    fs::write(bench.path("a.log"), "new\n").unwrap();
    lane.pause(false);
    lane.expect(&["taken", "new"]);
    // Its size was never seen: only what was known to be there can be counted.
    assert!(bench.source("a.log").lost_bytes_total <= 500);
}

#[test]
fn shortened_is_not_read_again() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", &"line that is there\n".repeat(40));
    wait(|| lane.texts().len() == 40);
    let file = fs::OpenOptions::new().write(true).open(bench.path("a.log")).unwrap();
    file.set_len(19 * 38).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    bench.write("a.log", "after\n");
    wait(|| lane.texts().len() >= 41);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(lane.texts()[40..], ["after"]);
}

#[test]
fn deleted_and_made_again() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    for round in 0..5 {
        bench.write("a.log", &format!("{round} a\n{round} b\n"));
        // The file is open: what it holds may be deleted before it is read.
        fs::remove_file(bench.path("a.log")).unwrap();
        bench.write("a.log", &format!("{round} c\n"));
        // Deleted unread and unopened it would be gone for anybody.
        wait(|| lane.texts().len() == (round + 1) * 3);
    }
    let want: Vec<String> = (0..5).flat_map(|round| ["a", "b", "c"].map(|l| format!("{round} {l}"))).collect();
    lane.expect(&want.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_file_and_a_folder_that_appear_later() {
    let mut bench = Bench::new(quick()).follow(&["later.log", "deep/er/*.log", "x-%Y-%m-%d.log"]);
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    assert_eq!(bench.source("later.log").health, Health::Missing);
    bench.write("later.log", "1\n");
    wait(|| lane.texts().len() == 1);
    fs::create_dir_all(bench.path("deep/er")).unwrap();
    bench.write("deep/er/a.log", "2\n");
    wait(|| lane.texts().len() == 2);
    bench.write("deep/er/b.log", "3\n");
    wait(|| lane.texts().len() == 3);
    let today = jiff::Zoned::now().strftime("x-%Y-%m-%d.log").to_string();
    bench.write(&today, "4\n");
    lane.expect(&["1", "2", "3", "4"]);
}

#[test]
fn a_file_named_twice_or_linked_has_one_reader() {
    let mut bench = Bench::new(quick()).follow(&["a.log", "*.log", "a.*"]);
    bench.write("a.log", "");
    fs::hard_link(bench.path("a.log"), bench.path("hard.log")).unwrap();
    std::os::unix::fs::symlink("a.log", bench.path("soft.log")).unwrap();
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", "once\n");
    lane.expect(&["once"]);
}

#[test]
fn rotated_names_that_a_pattern_means_too() {
    let mut bench = Bench::new(quick()).follow(&["a.log*"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", &format!("1 {}\n", "x".repeat(600)));
    wait(|| lane.texts().len() == 1);
    bench.rename("a.log", "a.log.1");
    bench.write("a.log", &format!("2 {}\n", "y".repeat(600)));
    wait(|| lane.texts().len() == 2);
    // copytruncate of what is matched as well.
    fs::copy(bench.path("a.log"), bench.path("a.log.2")).unwrap();
    fs::write(bench.path("a.log"), "").unwrap();
    bench.write("a.log", "3\n");
    wait(|| lane.texts().len() == 3);
    std::thread::sleep(Duration::from_millis(100));
    bench.write("a.log", "late\n");
    fs::write(bench.path("a.log.3.gz"), b"\x1f\x8b\x08\x00junk\njunk\n").unwrap();
    wait(|| lane.texts().len() == 4);
    std::thread::sleep(Duration::from_millis(200));
    let firsts: Vec<String> = lane.texts().iter().map(|text| text.chars().take(4).collect::<String>()).collect();
    assert_eq!(firsts, ["1 xx", "2 yy", "3", "late"]);
}

#[test]
fn a_long_line_is_cut_and_the_next_is_intact() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("a.log", &format!("{}\nshort\n", "x".repeat(20_000)));
    bench.write("a.log", &format!("{}\n{}\n", "y".repeat(LINE_MAX), "z".repeat(LINE_MAX + 1)));
    wait(|| lane.texts().len() == 4);
    let got: Vec<(usize, bool)> = lane.got().iter().map(|got| (got.text.len(), got.cut)).collect();
    assert_eq!(got, [(LINE_MAX, true), (5, false), (LINE_MAX, false), (LINE_MAX, true)]);
    let totals = &bench.collector().totals()[0];
    assert_eq!((totals.cut_lines, totals.lost_bytes), (2, 20_000 - LINE_MAX as u64 + 1));
}

#[test]
fn a_full_lane_makes_its_files_wait_and_nothing_is_lost() {
    let mut bench = Bench::new(quick()).follow(&["a.log", "b.log"]);
    bench.write("a.log", "");
    bench.write("b.log", "");
    let lane = Lane::new(100_000);
    bench.run(&lane);
    lane.pause(true);
    std::thread::sleep(Duration::from_millis(100));
    let text: String = (0..50_000).map(|n| format!("line {n}\n")).collect();
    bench.write("a.log", &text);
    bench.write("b.log", "other\n");
    wait(|| bench.source("a.log").health == Health::Waiting);
    assert!(lane.intake.as_ref().unwrap().bytes() < 100_000 + 2 * 400_000);
    lane.pause(false);
    wait(|| lane.texts().len() == 50_001);
    let mine: Vec<String> = lane.texts().into_iter().filter(|text| text.starts_with("line")).collect();
    assert!(mine.iter().enumerate().all(|(n, line)| *line == format!("line {n}")));
    wait(|| bench.source("a.log").lag == 0);
}
