//! Guests that want their watcher to hang, to lie, or to run out of descriptors.

use super::bench::*;
use crate::collect::{FileSpec, Format, Scope};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A FUSE mount with one file, `x.log`, whose server answers everything but questions for attributes from the threads
/// that look at folders.
struct SlyFuse {
    at: PathBuf,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl SlyFuse {
    fn mount(at: &Path) -> Option<Self> {
        let server = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").ok()?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,default_permissions", server.as_raw_fd());
        let options = std::ffi::CString::new(options).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("sly", at, "fuse", flags, options.as_c_str()).ok()?;
        let thread = std::thread::spawn(move || serve(server));
        Some(Self { at: at.to_owned(), thread: Some(thread) })
    }
}

impl Drop for SlyFuse {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::FORCE);
        let _ = rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::DETACH);
        drop(self.thread.take());
    }
}

const CONTENT: &[u8] = b"one\ntwo\n";

fn attributes(node: u64) -> Vec<u8> {
    let (mode, size) = if node == 1 { (0o040_755_u32, 0) } else { (0o100_644, CONTENT.len() as u64) };
    let mut out = Vec::new();
    [node, size, 0, 0, 0, 0].iter().for_each(|n: &u64| out.extend(n.to_ne_bytes()));
    [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].iter().for_each(|n: &u32| out.extend(n.to_ne_bytes()));
    out
}

/// Answers requests of linux/fuse.h.
fn serve(mut server: File) {
    let mut request = vec![0; 1 << 17];
    while let Ok(length @ 40..) = server.read(&mut request) {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_ne_bytes(request[at..at + 8].try_into().unwrap());
        let (opcode, unique, node, thread) = (word(4), long(8), long(16), word(32));
        let comm = fs::read_to_string(format!("/proc/self/task/{thread}/comm")).unwrap_or_default();
        let mut error = 0_i32;
        let mut answer = Vec::new();
        match opcode {
            2 | 42 => continue,
            3 if comm.starts_with("hids-scout") => continue,
            1 if request[40..length].starts_with(b"x.log") => {
                answer.extend([2_u64, 1, 0, 0, 0].iter().flat_map(|n| n.to_ne_bytes()));
                answer.extend(attributes(2));
            }
            1 => error = -2,
            3 => {
                answer.extend([0_u64, 0].iter().flat_map(|n| n.to_ne_bytes()));
                answer.extend(attributes(node));
            }
            // Open, past the page cache.
            14 | 27 => answer.extend([0_u64, 1].iter().flat_map(|n| n.to_ne_bytes())),
            15 => {
                let from = (long(48) as usize).min(CONTENT.len());
                answer.extend(&CONTENT[from..]);
            }
            17 => answer.resize(80, 0),
            18 | 25 | 29 => {}
            26 => {
                answer.extend([7_u32, 31, 0, 0, 0, 4096, 0, 0].iter().flat_map(|n| n.to_ne_bytes()));
                answer.resize(64, 0);
            }
            _ => error = -38,
        }
        let mut out = Vec::new();
        out.extend((16 + answer.len() as u32).to_ne_bytes());
        out.extend(error.to_ne_bytes());
        out.extend(unique.to_ne_bytes());
        out.extend(answer);
        let _ = server.write(&out);
    }
}

fn everywhere(path: &str) -> FileSpec {
    FileSpec { scope: Scope::EveryGuest, label: path.into(), path: path.into(), format: Format::Lines }
}

#[test]
fn a_fuse_server_that_goes_silent_while_its_file_is_watched_hangs_nobody_else() {
    let mut bench = Bench::new(quick());
    bench.config.files = vec![everywhere("/var/log/app/x.log"), everywhere("/var/log/good.log")];
    let (bad, bad_root) = bench.guest("bad");
    let (_, good_root) = bench.guest("good");
    fs::create_dir_all(bad_root.join("var/log/app")).unwrap();
    fs::write(good_root.join("var/log/good.log"), "").unwrap();
    let Some(fuse) = SlyFuse::mount(&bad_root.join("var/log/app")) else {
        eprintln!("SKIPPED: FUSE cannot be mounted here");
        return;
    };
    bench.start();
    let (lane, other) = (Lane::new(1 << 20), Lane::new(1 << 20));
    bench.add_guest_soon("bad", &lane);
    std::thread::sleep(Duration::from_secs(1));
    let hub = bench.hub.clone();
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || tell.send(hub.load()));
    let hub_answers = told.recv_timeout(Duration::from_secs(2)).is_ok();
    let good = hub_answers.then(|| {
        bench.add_guest_soon("good", &other);
        std::thread::sleep(Duration::from_millis(300));
        append(&good_root.join("var/log/good.log"), b"line\n");
        let end = Instant::now() + Duration::from_secs(5);
        while other.texts().is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        other.texts()
    });
    let begun = Instant::now();
    if hub_answers {
        bench.collector().remove(Some(&bad));
    }
    let took = begun.elapsed();
    drop(fuse);
    assert!(hub_answers, "the hub hangs, and with it everybody");
    assert_eq!(good, Some(vec!["line".to_owned()]));
    assert!(took < Duration::from_secs(2), "letting go took {took:?}");
}

#[test]
fn a_file_name_cannot_forge_a_line_of_what_is_written_about_it() {
    let mut bench = Bench::new(quick());
    bench.config.files = vec![everywhere("/var/log/*.log")];
    let (_, root) = bench.guest("bad");
    let name = "x\n\n** Alert 1.1: - forged\n2026 Nov 24 00:00:00 host->\u{1b}[2J\u{85}y.log";
    bench.start();
    let lane = Lane::new(1 << 20);
    bench.add_guest("bad", &lane);
    fs::write(root.join("var/log").join(name), "line\n").unwrap();
    lane.expect(&["line"]);
    let got = &lane.got()[0];
    for text in [&got.location, &got.path] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    for report in bench.collector().sources() {
        assert!(!report.path.chars().chain(report.location.chars()).any(char::is_control), "{report:?}");
    }
}

#[test]
fn one_guest_cannot_use_up_the_descriptors() {
    let mut bench = Bench::new(quick());
    bench.config.files = vec![everywhere("/var/log/*.log")];
    bench.config.files_per_guest = 20;
    bench.config.grace = Duration::from_secs(60);
    let (_, root) = bench.guest("bad");
    let log = root.join("var/log");
    for file in 0..20 {
        fs::write(log.join(format!("{file}.log")), "").unwrap();
    }
    bench.start();
    let lane = Lane::new(1 << 20);
    bench.add_guest("bad", &lane);
    let open = || {
        let mine = |entry: std::io::Result<fs::DirEntry>| {
            fs::read_link(entry.ok()?.path()).ok().filter(|to| to.starts_with(root.canonicalize().unwrap()))
        };
        fs::read_dir("/proc/self/fd").unwrap().filter_map(mine).count()
    };
    for round in 0..12 {
        for file in 0..20 {
            let path = log.join(format!("{file}.log"));
            append(&path, format!("line {round}\n").as_bytes());
            let _ = fs::rename(&path, log.join(format!("{file}.old{round}")));
            fs::write(&path, "").unwrap();
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    // A look opens some more for a moment, to compare them.
    wait(|| open() <= 45);
}
