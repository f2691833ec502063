//! Stopping, killing and starting again, with a real store: where reading begins, and that nothing is lost or repeated.

use super::bench::*;
use crate::collect::Health;
use crate::event::Freshness;
use std::fs;
use std::time::Duration;

#[test]
fn stop_append_start() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "old\n");
    {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        bench.write("a.log", "1\n2\npart");
        lane.expect(&["1", "2"]);
        bench.stop();
    }
    bench.write("a.log", "ly\n3\n4\n");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.expect(&["partly", "3", "4"]);
    assert!(lane.got().iter().all(|got| got.freshness == Freshness::Late));
    bench.write("a.log", "5\n");
    lane.expect(&["partly", "3", "4", "5"]);
    assert_eq!(lane.got()[3].freshness, Freshness::Live);
}

#[test]
fn stop_rotate_append_start() {
    for how in ["rename", "copytruncate", "twice", "gone"] {
        let mut bench = Bench::new(quick()).follow(&["a.log"]);
        bench.write("a.log", "a line that is long enough to know the file by\n");
        {
            let lane = Lane::new(1 << 20);
            bench.run(&lane);
            bench.write("a.log", "1\n");
            lane.expect(&["1"]);
            bench.stop();
        }
        std::thread::sleep(Duration::from_millis(50));
        bench.write("a.log", "2\n");
        match how {
            "rename" => bench.rename("a.log", "a.log.1"),
            "copytruncate" => {
                fs::copy(bench.path("a.log"), bench.path("a.log.1")).unwrap();
                fs::write(bench.path("a.log"), "").unwrap();
            }
            "twice" => {
                bench.rename("a.log", "a.log.2");
                bench.write("a.log", "between\n");
                bench.rename("a.log", "a.log.1");
            }
            _ => fs::remove_file(bench.path("a.log")).unwrap(),
        }
        bench.write("a.log", "3\n");
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        match how {
            "twice" => lane.expect(&["2", "between", "3"]),
            "gone" => lane.expect(&["3"]),
            _ => lane.expect(&["2", "3"]),
        }
        assert!(lane.got().iter().all(|got| got.freshness == Freshness::Late), "{how}");
    }
}

#[test]
fn what_can_no_longer_be_found_is_counted() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        lane.deal(Dealing::Keep);
        bench.write("a.log", "never dealt with\n");
        wait(|| bench.source("a.log").lag == 17);
        std::thread::sleep(Duration::from_millis(100));
        bench.kill();
    }
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.write("a.log", "new\n");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.expect(&["new"]);
    // The size was last saved before the line came: it may be counted or not, but never more than there was.
    assert!(bench.source("a.log").lost_bytes_total <= 17);
}

#[test]
fn a_kill_loses_nothing_and_repeats_only_what_was_not_saved() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let mut seen: Vec<String> = Vec::new();
    let mut next = 0;
    for round in 0..8 {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        for _ in 0..200 {
            bench.write("a.log", &format!("line {next}\n"));
            next += 1;
        }
        // Killed at any moment.
        std::thread::sleep(Duration::from_millis(round * 7));
        bench.kill();
        let texts = lane.texts();
        drop(lane);
        for text in texts {
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
    }
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    std::thread::sleep(Duration::from_millis(300));
    for text in lane.texts() {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    let want: Vec<String> = (0..next).map(|n| format!("line {n}")).collect();
    let missing: Vec<&String> = want.iter().filter(|line| !seen.contains(line)).take(5).collect();
    assert!(missing.is_empty(), "missing: {missing:?}…");
    assert!(seen == want, "in another order");
    wait(|| bench.source("a.log").lag == 0);
    std::thread::sleep(Duration::from_millis(100));
    bench.kill();
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.expect(&[]);
}

#[test]
fn what_was_not_dealt_with_is_read_again() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        bench.write("a.log", "done\n");
        lane.expect(&["done"]);
        wait(|| bench.source("a.log").position == 5);
        lane.deal(Dealing::Keep);
        bench.write("a.log", "dropped\n");
        lane.expect(&["done", "dropped"]);
        lane.drop_kept();
        lane.deal(Dealing::Done);
        bench.write("a.log", "after\n");
        lane.expect(&["done", "dropped", "after"]);
        wait(|| bench.source("a.log").health == Health::Held);
        bench.stop();
    }
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.expect(&["dropped", "after"]);
}

#[test]
fn a_new_location_begins_at_the_end_and_a_new_file_of_a_known_one_at_its_start() {
    let mut bench = Bench::new(quick()).follow(&["a*.log"]);
    bench.write("a1.log", "old\n");
    bench.write("b.log", "old b\n");
    {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        bench.stop();
    }
    bench.write("a2.log", "appeared while down\n");
    bench.config.files.push(bench.spec("b.log"));
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("b.log", "new b\n");
    lane.expect(&["appeared while down", "new b"]);
    // And the same on a reload.
    bench.write("c.log", "old c\n");
    let mut files = bench.config.files.clone();
    files.push(bench.spec("c.log"));
    bench.collector().reconfigure(files);
    wait(|| bench.collector().sources().len() == 4);
    std::thread::sleep(Duration::from_millis(50));
    bench.write("c.log", "new c\n");
    lane.expect(&["appeared while down", "new b", "new c"]);
}

#[test]
fn lines_before_the_position_are_judged_again_silently() {
    let mut config = quick();
    config.rejudge = rejudge(30);
    let mut bench = Bench::new(config).follow(&["a.log"]);
    bench.write("a.log", "");
    {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        bench.write("a.log", "line one is long\nline two\nline three\n");
        lane.expect(&["line one is long", "line two", "line three"]);
        bench.stop();
    }
    bench.write("a.log", "four\n");
    {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        lane.expect(&["line two", "line three", "four"]);
        let freshness: Vec<Freshness> = lane.got().iter().map(|got| got.freshness).collect();
        assert_eq!(freshness, [Freshness::Again, Freshness::Again, Freshness::Late]);
        assert_eq!(bench.source("a.log").lines_total, 1, "lines judged again are not counted");
        bench.stop();
    }
    // By the lines' own stamps.
    bench.config.rejudge.as_mut().unwrap().bytes = 1_000;
    bench.config.rejudge.as_mut().unwrap().stamp =
        Some(|line, now| Some(if line.starts_with(b"line t") { now - 10 } else { now - 10_000 }));
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.expect(&["line two", "line three"]);
}

#[test]
fn a_guests_files_begin_and_end_with_it() {
    let mut config = quick();
    config.files = vec![crate::collect::FileSpec {
        scope: crate::collect::Scope::EveryGuest,
        path: "/var/log/*.log".into(),
        label: "/var/log/*.log".into(),
        format: crate::collect::Format::Lines,
    }];
    let mut bench = Bench::new(config);
    // A first run without any guest makes the location known.
    {
        bench.start();
        let (_, first) = bench.guest("first");
        append(&first.join("var/log/x.log"), b"");
        let lane = Lane::new(1 << 20);
        bench.add_guest("first", &lane);
        bench.stop();
    }
    bench.start();
    let (name, root) = bench.guest("clone");
    append(&root.join("var/log/old.log"), b"from long ago\n");
    let ancient = std::time::SystemTime::now() - Duration::from_secs(10_000);
    fs::File::options().write(true).open(root.join("var/log/old.log")).unwrap().set_modified(ancient).unwrap();
    let lane = Lane::new(1 << 20);
    bench.add_guest("clone", &lane);
    append(&root.join("var/log/old.log"), b"now\n");
    append(&root.join("var/log/new.log"), b"first byte\n");
    wait(|| lane.texts().len() == 2);
    let mut texts = lane.texts();
    texts.sort();
    assert_eq!(texts, ["first byte", "now"]);
    let got = lane.got().into_iter().find(|got| got.text == b"now").unwrap();
    assert_eq!(got.path, "/var/log/old.log");
    assert_eq!(got.location, root.join("var/log/old.log").to_string_lossy());
    // Its end: what was written last is read out, and nothing is held any more.
    append(&root.join("var/log/new.log"), b"last words\nand no end");
    let begun = std::time::Instant::now();
    bench.collector().remove(Some(&name));
    assert!(begun.elapsed() < Duration::from_secs(1));
    let held: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.starts_with(&root))
        .collect();
    assert!(held.is_empty(), "{held:?}");
    wait(|| lane.texts().len() == 4);
    assert_eq!(lane.texts()[2..], ["last words", "and no end"]);
    // While it is away.
    append(&root.join("var/log/new.log"), b"\nmeanwhile\n");
    bench.add_guest("clone", &lane);
    wait(|| lane.texts().len() >= 6);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(lane.texts()[4..], ["", "meanwhile"]);
}

#[test]
fn a_guest_that_comes_back_at_once_repeats_nothing() {
    let mut bench = Bench::new(quick()).follow(&["a.log"]);
    bench.write("a.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.deal(Dealing::Keep);
    for n in 0..20 {
        bench.write("a.log", &format!("{n}\n"));
        if n % 4 == 0 {
            // Its batches are still under way.
            bench.add_host(&lane);
        }
    }
    wait(|| lane.texts().len() >= 20);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(lane.texts(), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(bench.source("a.log").position, 0, "nothing has been dealt with");
    lane.deal(Dealing::Done);
    bench.write("a.log", "end\n");
    wait(|| lane.texts().len() == 21 && bench.source("a.log").lag == 0);
    bench.stop();
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.expect(&[]);
}

#[test]
fn a_forgotten_guest_is_a_new_one() {
    let mut config = quick();
    config.files = vec![crate::collect::FileSpec {
        scope: crate::collect::Scope::EveryGuest,
        path: "/var/log/a.log".into(),
        label: "a".into(),
        format: crate::collect::Format::Lines,
    }];
    let mut bench = Bench::new(config);
    bench.start();
    let (name, root) = bench.guest("g");
    let log = root.join("var/log/a.log");
    let lane = Lane::new(1 << 20);
    bench.add_guest("g", &lane);
    append(&log, b"1\n");
    lane.expect(&["1"]);
    bench.collector().forget(&name);
    let store = bench.store.as_ref().unwrap();
    let mut rows = 0;
    store
        .walk(crate::store::Table::Positions, b"gg\0", |_, _| {
            rows += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rows, 0);
    bench.stop();
}
