//! What a hostile guest can put in place of a log. Nothing of the host is read, nothing hangs, the health says why.

use super::bench::*;
use crate::collect::{FileSpec, Format, Health, LINE_MAX, Scope};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

fn guest_spec(path: &str) -> FileSpec {
    FileSpec { scope: Scope::EveryGuest, path: path.into(), label: path.into(), format: Format::Lines }
}

/// A bench that follows `/var/log/a.log` of every guest, and knows the location already.
fn bench() -> Bench {
    let mut config = quick();
    config.files = vec![guest_spec("/var/log/a.log")];
    let mut bench = Bench::new(config);
    bench.start();
    let (_, root) = bench.guest("first");
    append(&root.join("var/log/a.log"), b"");
    let lane = Lane::new(1 << 20);
    bench.add_guest("first", &lane);
    bench.stop();
    bench.start();
    bench
}

fn health(bench: &Bench, name: &str) -> Health {
    let sources = bench.collector().sources();
    sources.into_iter().find(|source| source.guest.as_ref().is_some_and(|guest| guest.as_str() == name)).unwrap().health
}

#[test]
fn what_is_no_log_is_refused_and_a_log_in_its_place_is_followed_again() {
    let bench = bench();
    let secret = bench.folder.path().join("secret");
    fs::write(&secret, "root:secret\n").unwrap();
    let (_, root) = bench.guest("evil");
    let log = root.join("var/log/a.log");
    let lane = Lane::new(1 << 20);
    bench.add_guest("evil", &lane);
    let fifo = |path: &Path| {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    };
    type Trick<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let tricks: Vec<Trick<'_>> = vec![
        ("link to the host's file", Box::new(|| symlink(&secret, &log).unwrap())),
        ("link to /etc/shadow", Box::new(|| symlink("/etc/shadow", &log).unwrap())),
        ("link upwards", Box::new(|| symlink("../../../../secret", &log).unwrap())),
        ("link to /proc/self/mem", Box::new(|| symlink("/proc/self/mem", &log).unwrap())),
        ("link to itself", Box::new(|| symlink("a.log", &log).unwrap())),
        ("fifo", Box::new(|| fifo(&log))),
        ("folder", Box::new(|| fs::create_dir(&log).unwrap())),
        ("socket", Box::new(|| drop(std::os::unix::net::UnixListener::bind(&log).unwrap()))),
        (
            "device",
            Box::new(|| {
                let zero = rustix::fs::makedev(1, 5);
                let kind = rustix::fs::FileType::CharacterDevice;
                if rustix::fs::mknodat(rustix::fs::CWD, &log, kind, 0o600.into(), zero).is_err() {
                    eprintln!("SKIPPED: a device in place of a log: making one needs root");
                }
            }),
        ),
    ];
    let mut want = Vec::new();
    for (number, (what, make)) in tricks.iter().enumerate() {
        let _ = fs::remove_file(&log).or_else(|_| fs::remove_dir(&log));
        let begun = Instant::now();
        make();
        wait(|| health(&bench, "evil") != Health::Good || !log.exists());
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}");
        std::thread::sleep(Duration::from_millis(20));
        let said = health(&bench, "evil");
        assert!(matches!(said, Health::Refused(_) | Health::Missing), "{what}: {said:?}");
        let _ = fs::remove_file(&log).or_else(|_| fs::remove_dir(&log));
        append(&log, format!("honest {number}\n").as_bytes());
        want.push(format!("honest {number}"));
        wait(|| lane.texts().len() == want.len());
        wait(|| health(&bench, "evil") == Health::Good);
    }
    assert_eq!(lane.texts(), want);
}

#[test]
fn a_terabyte_of_nothing_takes_no_time_and_is_counted() {
    let bench = bench();
    let (_, root) = bench.guest("evil");
    let log = root.join("var/log/a.log");
    let lane = Lane::new(1 << 20);
    bench.add_guest("evil", &lane);
    let mut file = File::create(&log).unwrap();
    file.write_all(b"before\nhalf").unwrap();
    if file.seek(SeekFrom::Start(1 << 40)).and_then(|_| file.write_all(b"behind\n")).is_err() {
        eprintln!("SKIPPED: a_terabyte_of_nothing: the file system has no sparse files of this size");
        return;
    }
    let begun = Instant::now();
    wait(|| lane.texts().len() == 3);
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(lane.texts(), ["before", "half", "behind"]);
    assert_eq!(lane.got()[2].offset, 1 << 40);
    let lost = bench.collector().totals().iter().map(|totals| totals.lost_bytes).sum::<u64>();
    assert_eq!(lost, (1 << 40) - 11);
}

#[test]
fn bytes_of_any_kind_are_bounded_and_passed_on_as_they_are() {
    let bench = bench();
    let (_, root) = bench.guest("evil");
    let log = root.join("var/log/a.log");
    let lane = Lane::new(1 << 20);
    bench.add_guest("evil", &lane);
    let mut bytes = b"tab\tcr\r\nnul\0inside\n\xff\xfe\x80invalid\n\n".to_vec();
    bytes.extend(vec![b'A'; 10 << 20]);
    bytes.extend(b"\nafter\n");
    append(&log, &bytes);
    wait(|| lane.texts().len() == 6);
    let got = lane.got();
    assert_eq!(got[0].text, b"tab\tcr\r");
    assert_eq!(got[1].text, b"nul\0inside");
    assert_eq!(got[2].text, b"\xff\xfe\x80invalid");
    assert_eq!(got[3].text, b"");
    assert_eq!((got[4].text.len(), got[4].cut), (LINE_MAX, true));
    assert_eq!(got[5].text, b"after");
    let totals = bench.collector().totals();
    assert_eq!(totals.iter().map(|totals| totals.lost_bytes).sum::<u64>(), (10 << 20) - LINE_MAX as u64);
}

#[test]
fn a_file_replaced_without_end_costs_bounded_work_and_the_neighbour_nothing() {
    let mut bench = bench();
    bench.config.looks = 10;
    bench.stop();
    bench.start();
    let (_, evil) = bench.guest("evil");
    let (_, good) = bench.guest("good");
    let (evil_lane, good_lane) = (Lane::new(1 << 20), Lane::new(1 << 20));
    bench.add_guest("evil", &evil_lane);
    bench.add_guest("good", &good_lane);
    let log = evil.join("var/log/a.log");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let racer = {
        let (stop, other) = (std::sync::Arc::clone(&stop), log.with_extension("new"));
        std::thread::spawn(move || {
            let mut count = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                fs::write(&other, "replaced\n").unwrap();
                fs::rename(&other, &log).unwrap();
                count += 1;
                std::thread::sleep(Duration::from_micros(500));
            }
            count
        })
    };
    let good_log = good.join("var/log/a.log");
    let mut worst = Duration::ZERO;
    for n in 0..100 {
        let begun = Instant::now();
        append(&good_log, format!("{n}\n").as_bytes());
        wait(|| good_lane.texts().len() > n);
        worst = worst.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    let evil_name = crate::guest::Name::new("evil");
    let said = bench.collector().health(Some(&evil_name)).join("; ");
    assert!(said.contains("restless"), "{said:?}");
    assert!(bench.collector().health(Some(&crate::guest::Name::new("good"))).is_empty());
    let begun = Instant::now();
    bench.collector().remove(Some(&evil_name));
    assert!(begun.elapsed() < Duration::from_secs(1));
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let count = racer.join().unwrap();
    assert!(count > 300, "only {count} replacements");
    // Two milliseconds of it are this test's own polling.
    assert!(worst < Duration::from_millis(200), "the neighbour waited for {worst:?}");
}

#[test]
fn a_million_names_in_a_folder_are_bounded() {
    let mut config = quick();
    config.files = vec![guest_spec("/var/log/*.log")];
    config.files_per_guest = 50;
    let mut bench = Bench::new(config);
    bench.start();
    let (_, root) = bench.guest("evil");
    for n in 0..3_000 {
        File::create(root.join(format!("var/log/{n}.log"))).unwrap();
    }
    let lane = Lane::new(1 << 20);
    bench.add_guest("evil", &lane);
    let sources = bench.collector().sources();
    assert_eq!(sources.iter().filter(|source| source.inode > 0).count(), 50);
    let said = bench.collector().health(Some(&crate::guest::Name::new("evil"))).join("; ");
    assert!(said.contains("more than 50 files match"), "{said}");
}

#[test]
fn strange_names_and_deep_links_reach_nothing_outside() {
    let mut config = quick();
    config.files = vec![guest_spec("/var/log/*/x.log"), guest_spec("/../../../etc/passwd"), guest_spec("relative.log")];
    let mut bench = Bench::new(config);
    bench.start();
    let outside = bench.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("x.log"), "outside\n").unwrap();
    let (_, root) = bench.guest("evil");
    symlink(&outside, root.join("var/log/link")).unwrap();
    symlink("../../../../../outside", root.join("var/log/up")).unwrap();
    let odd = root.join("var/log").join("a\nb\u{1b}[2J");
    fs::create_dir(&odd).unwrap();
    let lane = Lane::new(1 << 20);
    bench.add_guest("evil", &lane);
    append(&odd.join("x.log"), b"inside\n");
    fs::write(outside.join("x.log"), "outside\nagain\n").unwrap();
    lane.expect(&["inside"]);
}

/// A FUSE file system that never answers; it dies with its device.
struct DeadMount {
    at: std::path::PathBuf,
    _device: File,
}

impl DeadMount {
    fn new(at: &Path) -> Option<Self> {
        use std::os::fd::{AsFd, AsRawFd};
        fs::create_dir_all(at).ok()?;
        let device = File::options().read(true).write(true).open("/dev/fuse").ok()?;
        // The program that mounts must inherit it.
        rustix::io::fcntl_setfd(device.as_fd(), rustix::io::FdFlags::empty()).ok()?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let mounted =
            std::process::Command::new("mount").args(["-i", "-t", "fuse", "-o", &options, "dead"]).arg(at).status();
        rustix::io::fcntl_setfd(device.as_fd(), rustix::io::FdFlags::CLOEXEC).ok()?;
        mounted.is_ok_and(|status| status.success()).then(|| Self { at: at.to_owned(), _device: device })
    }
}

impl Drop for DeadMount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

#[test]
fn a_dead_fuse_mount_hangs_its_own_guest_only() {
    let mut config = quick();
    config.files =
        vec![guest_spec("/var/log/a.log"), guest_spec("/var/log/dead/b.log"), guest_spec("/var/log/dead/*.x")];
    let mut bench = Bench::new(config);
    let (evil, root) = bench.guest("evil");
    let Some(_mount) = DeadMount::new(&root.join("var/log/dead")) else {
        eprintln!("SKIPPED: a_dead_fuse_mount: mounting /dev/fuse needs root");
        return;
    };
    bench.start();
    let (_, good) = bench.guest("good");
    let (evil_lane, good_lane) = (Lane::new(1 << 20), Lane::new(1 << 20));
    bench.add_guest("good", &good_lane);
    bench.add_guest_soon("evil", &evil_lane);
    let mut worst = Duration::ZERO;
    for n in 0..200 {
        let begun = Instant::now();
        append(&good.join("var/log/a.log"), format!("{n}\n").as_bytes());
        wait(|| good_lane.texts().len() > n);
        worst = worst.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(worst < Duration::from_millis(200), "the neighbour waited for {worst:?}");
    wait(|| bench.collector().health(Some(&evil)).join("; ").contains("stuck"));
    // A new file of the neighbour is found at once as well.
    append(&good.join("var/log/a.log.new"), b"rotated\n");
    fs::rename(good.join("var/log/a.log.new"), good.join("var/log/a.log")).unwrap();
    let begun = Instant::now();
    wait(|| good_lane.texts().len() == 201);
    assert!(begun.elapsed() < Duration::from_millis(500));
    let begun = Instant::now();
    bench.collector().remove(Some(&evil));
    assert!(begun.elapsed() < Duration::from_secs(1));
}
