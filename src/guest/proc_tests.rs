#![allow(clippy::disallowed_methods)]

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

/// A procfs of our own making. Namespaces are compared by device and inode of what their links lead to.
struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let fake = Self { folder: tempfile::tempdir().unwrap() };
        for space in ["host-pid", "host-mnt", "guest-pid", "guest-mnt"] {
            fs::write(fake.folder.path().join(space), "").unwrap();
        }
        fake.process("self", "hids\0", "1", 0, "host", "");
        fake
    }

    fn process(&self, pid: &str, cmdline: &str, numbers: &str, uid: u32, spaces: &str, cgroup: &str) {
        let folder = self.folder.path().join(pid);
        fs::create_dir_all(folder.join("ns")).unwrap();
        fs::create_dir_all(folder.join(format!("task/{pid}"))).unwrap();
        fs::write(folder.join("cmdline"), cmdline).unwrap();
        fs::write(folder.join("status"), format!("Name:\tx\nPPid:\t1\nUid:\t{uid}\t0\t0\t0\nNSpid:\t{numbers}\n"))
            .unwrap();
        fs::write(folder.join("stat"), format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0")).unwrap();
        fs::write(folder.join("cgroup"), cgroup).unwrap();
        fs::write(folder.join(format!("task/{pid}/children")), "").unwrap();
        for kind in ["pid", "mnt"] {
            let _ = symlink(self.folder.path().join(format!("{spaces}-{kind}")), folder.join("ns").join(kind));
        }
    }

    fn children(&self, pid: &str, children: &str) {
        fs::write(self.folder.path().join(format!("{pid}/task/{pid}/children")), children).unwrap();
    }

    fn proc(&self) -> Proc {
        Proc::new(self.folder.path())
    }
}

const TITLE: &str = "[lxc monitor] /var/lib/lxc web\0\0\0";

#[test]
fn a_monitor_and_its_first_process_are_found() {
    let fake = Fake::new();
    fake.process("20", TITLE, "20", 0, "host", "0::/lxc.monitor.web\n");
    fake.process("21", "sh\0", "21", 0, "host", "0::/\n");
    fake.process("22", "/sbin/init\0", "22 1", 0, "guest", "0::/lxc.payload.web/init.scope\n");
    fake.children("20", "21 22 9999 ");
    let monitors = fake.proc().monitors();
    let expected = Monitor { pid: 20, lxc_path: Some("/var/lib/lxc".into()), lxc_name: "web".into() };
    assert_eq!(monitors, [expected]);
    assert_eq!(fake.proc().init_of(&monitors[0]), Some(Init { pid: 22, start_time: 777 }));
    assert_eq!(fake.proc().payload(22).as_deref(), Some("lxc.payload.web"));
    assert!(!fake.proc().is(Init { pid: 22, start_time: 778 }));
}

#[test]
fn a_title_that_a_guest_gave_itself_is_not_believed() {
    let fake = Fake::new();
    fake.process("30", TITLE, "30 7", 0, "guest", "0::/lxc.payload.evil\n");
    // In the host's process namespace, as with lxc.namespace.keep, but in a guest's cgroup.
    fake.process("31", TITLE, "31", 0, "host", "0::/lxc.payload.evil/lxc.monitor.web\n");
    // A user of the host.
    fake.process("32", TITLE, "32", 1000, "host", "0::/user.slice\n");
    assert_eq!(fake.proc().monitors(), []);
}

#[test]
fn only_number_one_with_its_own_mounts_is_a_first_process() {
    let fake = Fake::new();
    fake.process("40", "x\0", "40 2", 0, "guest", "");
    fake.process("41", "x\0", "41 1", 0, "host", "");
    fake.process("42", "x\0", "42 5 1", 0, "guest", "");
    for pid in [40, 41, 42, 43] {
        assert_eq!(fake.proc().first_process(pid), None, "{pid}");
    }
}

#[test]
fn a_guest_without_a_number_one_is_its_monitors_child_in_its_cgroup() {
    let fake = Fake::new();
    fake.process("20", TITLE, "20", 0, "host", "0::/lxc.monitor.web\n");
    fake.process("21", "hook\0", "21", 0, "guest", "0::/lxc.monitor.web\n");
    fake.process("22", "hook\0", "22", 0, "host", "0::/lxc.payload.web\n");
    fake.process("23", "init\0", "23", 0, "guest", "0::/lxc.payload.web\n");
    fake.children("20", "21 22 23");
    let monitor = fake.proc().monitor(20).unwrap();
    assert_eq!(fake.proc().init_of(&monitor), Some(Init { pid: 23, start_time: 777 }));
}

#[test]
fn command_lines_of_monitors_are_read() {
    let parse = |line: &str| parse_title(line.as_bytes()).or_else(|| parse_start(line.as_bytes()));
    let some = |path: Option<&str>, name: &str| Some((path.map(PathBuf::from), name.to_owned()));
    for (line, expected) in [
        ("[lxc monitor] /a b/c web\0rest", some(Some("/a b/c"), "web")),
        ("[lxc monitor] relative web\0", None),
        ("[lxc monitor] /a \0", None),
        ("[lxc monitor] \0", None),
        ("/usr/bin/lxc-start\0-F\0-n\x00100\0", some(None, "100")),
        ("lxc-start\0-nweb\0-P/a\0-F\0", some(Some("/a"), "web")),
        ("lxc-start\0--name=web\0--lxcpath=/a\0-F\0", some(Some("/a"), "web")),
        ("lxc-start\0-F\0-o\0log\0web\0", some(None, "web")),
        ("lxc-start\0-F\0", None),
        ("not-lxc-start\0-n\0web\0", None),
        ("", None),
    ] {
        assert_eq!(parse(line), expected, "{line:?}");
    }
}

#[test]
fn the_payload_is_the_outermost_one() {
    for (text, expected) in [
        ("0::/lxc.payload.web\n", Some("lxc.payload.web")),
        ("12:pids:/lxc.payload.a\n0::/lxc.payload.web-1/init.scope\n", Some("lxc.payload.web-1")),
        ("12:pids:/lxc.payload.a/x\n0::/\n", Some("lxc.payload.a")),
        ("0::/lxc.payload.evil/lxc.payload.victim\n", Some("lxc.payload.evil")),
        ("0::/guests/lxc.payload.web/x\n", Some("guests/lxc.payload.web")),
        ("0::/lxc/100/ns\n", Some("lxc/100")),
        ("0::/lxc.monitor.web\n", None),
        ("0::/user.slice\n", None),
        ("nonsense", None),
        ("", None),
    ] {
        assert_eq!(parse_payload(text).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn our_own_status_is_read() {
    let proc = Proc::new("/proc");
    let status = proc.status(std::process::id()).unwrap();
    assert_eq!(status.numbers.first(), Some(&std::process::id()));
    assert_eq!(parse_status("Name:\tx\nUid:\t0\n"), None);
}

#[test]
fn the_memory_of_a_guests_process_is_never_read() {
    let fake = Fake::new();
    fake.process("30", "", "30 1", 0, "guest", "0::/lxc.payload.web\n");
    fake.process("31", "", "31", 0, "host", "0::/lxc.payload.web\n");
    let pipes = ["30", "31"].map(|pid| {
        let path = fake.folder.path().join(pid).join("cmdline");
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let mut pipe = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        std::io::Write::write_all(&mut pipe, TITLE.as_bytes()).unwrap();
        pipe
    });
    assert_eq!(fake.proc().monitors(), []);
    for pipe in pipes {
        let mut bytes = vec![0; TITLE.len()];
        assert_eq!(rustix::io::ioctl_fionread(&pipe).unwrap(), TITLE.len() as u64, "somebody has read from it");
        assert_eq!(rustix::io::read(&pipe, &mut bytes).unwrap(), TITLE.len());
    }
}
