#![allow(clippy::disallowed_methods)]

use super::*;
use crate::guest::{FileKind, Meta, OpenFile};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A stopped guest `web` with a root on disk.
struct Fixture {
    folder: tempfile::TempDir,
    root: GuestRoot,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("web/rootfs/var/log")).unwrap();
        let root = at_rest(folder.path(), "").unwrap();
        Self { folder, root }
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.folder.path().join("web/rootfs").join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.inside(path).parent().unwrap()).unwrap();
        std::fs::write(self.inside(path), text).unwrap();
    }

    fn read(&self, path: &str) -> Result<String, Kind> {
        self.root.open_log(Path::new(path)).map(content).map_err(|e| e.kind())
    }
}

fn content(mut open: OpenFile) -> String {
    let mut text = String::new();
    open.file.read_to_string(&mut text).unwrap();
    text
}

fn at_rest(lxc_path: &Path, source: &str) -> Result<GuestRoot, Error> {
    let store = crate::guest::lxc::Store::Dir;
    GuestRoot::at_rest(&Name::new("web"), lxc_path, "web", &Rootfs { store, source: source.into() })
}

/// A secret that lies outside the root, beside the guests.
const SECRET: &str = "the host's secret\n";

#[test]
fn a_log_is_opened_with_its_facts() {
    let guest = Fixture::new();
    guest.write("/var/log/auth.log", "line\n");
    let open = guest.root.open_log(Path::new("/var/log/auth.log")).unwrap();
    assert_eq!((open.meta.size, open.meta.kind), (5, FileKind::Regular));
    assert_eq!(open.meta, Meta::of(std::fs::File::open(guest.inside("var/log/auth.log")).unwrap()).unwrap());
    assert_eq!(content(open), "line\n");
    assert_eq!(guest.read("var/log/auth.log").unwrap(), "line\n");
    assert_eq!(guest.read("/var/log/none.log"), Err(Kind::NotFound));
    assert_eq!(guest.read("/var/log/auth.log/x"), Err(Kind::NotFound));
}

#[test]
fn links_stay_in_the_root() {
    let guest = Fixture::new();
    std::fs::write(guest.folder.path().join("secret"), SECRET).unwrap();
    let host_secret = guest.folder.path().join("secret");
    symlink(&host_secret, guest.inside("absolute")).unwrap();
    symlink("../../secret", guest.inside("relative")).unwrap();
    symlink("../../../../../../../../../../../../etc/passwd", guest.inside("climb")).unwrap();
    symlink("/a", guest.inside("chain")).unwrap();
    symlink("b", guest.inside("a")).unwrap();
    symlink(&host_secret, guest.inside("b")).unwrap();
    symlink("loop", guest.inside("loop")).unwrap();
    symlink("..", guest.inside("up")).unwrap();
    for path in ["absolute", "relative", "climb", "chain", "up/../../secret", "../../secret", "up/up/etc/passwd"] {
        assert_eq!(guest.read(path), Err(Kind::NotFound), "{path}");
    }
    assert_eq!(guest.read("loop"), Err(Kind::SafetyViolation));
    // A link to a path that exists in the guest as well reads the guest's own file.
    guest.write("/etc/passwd", "guest's\n");
    assert_eq!(guest.read("climb").unwrap(), "guest's\n");
    // The links that Debian's programs use themselves.
    symlink("/etc", guest.inside("var/log/etc")).unwrap();
    assert_eq!(guest.read("/var/log/etc/passwd").unwrap(), "guest's\n");
}

#[test]
fn only_regular_files_are_opened_and_nothing_blocks() {
    let guest = Fixture::new();
    let fifo = guest.inside("var/log/fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(guest.inside("sock")).unwrap();
    symlink("var/log/fifo", guest.inside("to-fifo")).unwrap();
    let begun = Instant::now();
    for path in ["var/log/fifo", "sock", "to-fifo", "var/log", "/"] {
        assert_eq!(guest.read(path), Err(Kind::NotRegular), "{path}");
    }
    if rustix::process::geteuid().is_root() {
        let device = rustix::fs::makedev(1, 3);
        let kind = rustix::fs::FileType::CharacterDevice;
        rustix::fs::mknodat(rustix::fs::CWD, guest.inside("null"), kind, 0o600.into(), device).unwrap();
        assert_eq!(guest.read("null"), Err(Kind::NotRegular));
    } else {
        eprintln!("SKIPPED: devices: not root");
    }
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(guest.root.open_folder(Path::new("var/log/fifo")).unwrap_err().kind(), Kind::NotFolder);
    assert_eq!(guest.root.stat(Path::new("var/log/fifo"), true).unwrap().kind, FileKind::Fifo);
    assert_eq!(guest.root.stat(Path::new("to-fifo"), false).unwrap().kind, FileKind::Link);
}

#[test]
fn paths_that_are_none_are_refused() {
    let guest = Fixture::new();
    assert_eq!(guest.read(""), Err(Kind::Invalid));
    assert_eq!(guest.read(&"x/".repeat(3000)), Err(Kind::Invalid));
    assert_eq!(guest.read(&"x".repeat(300)), Err(Kind::Invalid));
    assert_eq!(guest.read("a\0b"), Err(Kind::Invalid));
}

#[test]
fn an_error_names_the_guest_and_hides_control_characters() {
    let guest = Fixture::new();
    let error = guest.root.open_log(Path::new("/var/log/\x1b[31m\n")).unwrap_err();
    assert_eq!(error.guest(), Some(&Name::new("web")));
    let text = error.to_string();
    assert!(text.starts_with("guest web: /var/log/\u{FFFD}[31m\u{FFFD}: not found"), "{text}");
}

#[test]
fn the_doors_of_the_kernel_are_not_logs() {
    let guest = Fixture::new();
    // No mount is needed: the same check, on a root that holds a procfs.
    let root = hostfile::open_folder(Path::new("/")).unwrap();
    let tree = Tree::new(Some(Name::new("web")), root, None);
    for path in ["/proc/self/mem", "/proc/uptime", "/proc/self/stat"] {
        let kind = tree.open_log(Path::new(path)).unwrap_err().kind();
        assert_eq!(kind, Kind::SafetyViolation, "{path}");
    }
    // A magic link, however reached.
    symlink("/proc/self/root/etc/passwd", guest.inside("magic")).unwrap();
    for path in ["/proc/self/root/etc/passwd", "/proc/self/exe", "/proc/self/cwd/Cargo.toml"] {
        let kind = tree.open_log(Path::new(path)).unwrap_err().kind();
        assert_eq!(kind, Kind::SafetyViolation, "{path}");
    }
    // The host may name such files itself.
    assert!(HostRoot::open().unwrap().open_log(Path::new("/proc/uptime")).is_ok());
}

#[test]
fn a_racing_renamer_gains_nothing() {
    let guest = Fixture::new();
    std::fs::write(guest.folder.path().join("secret"), SECRET).unwrap();
    guest.write("/var/log/x.log", "guest's\n");
    guest.write("/deep/a/b/x.log", "guest's\n");
    symlink(guest.folder.path().join("secret"), guest.inside("evil")).unwrap();
    symlink("../../..", guest.inside("deep/climb")).unwrap();
    let fifo = guest.inside("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let over = AtomicBool::new(false);
    let (good, evil, aside) = (guest.inside("var/log/x.log"), guest.inside("evil"), guest.inside("aside"));
    let (a, climb, b) = (guest.inside("deep/a"), guest.inside("deep/climb"), guest.inside("deep/b"));
    // Folders are also moved out of the root while `..` is resolved.
    let outside = guest.folder.path().join("outside");
    let (mut opened, mut tried) = (0, 0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for other in [&evil, &fifo] {
                    std::fs::rename(&good, &aside).unwrap();
                    std::fs::rename(other, &good).unwrap();
                    std::fs::rename(&good, other).unwrap();
                    std::fs::rename(&aside, &good).unwrap();
                }
                std::fs::rename(&a, &b).unwrap();
                std::fs::rename(&climb, &a).unwrap();
                std::fs::rename(&a, &climb).unwrap();
                std::fs::rename(&b, &outside).unwrap();
                std::fs::rename(&outside, &a).unwrap();
            }
        });
        let end = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < end {
            for path in ["/var/log/x.log", "/deep/a/b/x.log", "/deep/a/b/../../../../../secret", "/deep/a/secret"] {
                tried += 1;
                match guest.root.open_log(Path::new(path)) {
                    Ok(open) => {
                        opened += 1;
                        assert_eq!(content(open), "guest's\n", "{path}");
                    }
                    Err(error) => assert!(
                        matches!(error.kind(), Kind::NotFound | Kind::NotRegular | Kind::Busy | Kind::SafetyViolation),
                        "{error}"
                    ),
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(opened > 20, "the racer kept us from every one of {tried} opens: the test shows nothing");
}

#[test]
fn a_leased_file_is_busy_and_does_not_block() {
    let guest = Fixture::new();
    guest.write("/var/log/x.log", "x");
    // util-linux has no lease program; python3 is on every Debian that builds this, but may be absent elsewhere.
    let script = "import fcntl,sys,time,signal\nsignal.signal(signal.SIGIO, signal.SIG_IGN)\nf=open(sys.argv[1],'r+')\n\
                  fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)\nprint('held',flush=True)\nsys.stdin.read()";
    let child = Command::new("python3")
        .args(["-c", script])
        .arg(guest.inside("var/log/x.log"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: leases: no python3");
        return;
    };
    let mut word = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    let begun = Instant::now();
    assert_eq!(guest.read("/var/log/x.log"), Err(Kind::Busy));
    assert!(begun.elapsed() < Duration::from_secs(1));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(guest.read("/var/log/x.log").unwrap(), "x");
}

#[test]
fn folders_are_listed_and_globbed_within_bounds() {
    let guest = Fixture::new();
    for name in ["a-access.log", "b-access.log", ".c-access.log", "d.log"] {
        guest.write(&format!("/var/log/nginx/{name}"), "");
    }
    guest.write("/srv/one/logs/x.log", "");
    guest.write("/srv/two/logs/x.log", "");
    guest.write("/srv/two/other", "");
    symlink("/srv/two", guest.inside("srv/linked")).unwrap();
    symlink("/../../..", guest.inside("srv/outside")).unwrap();
    let listing = guest.root.list_folder(Path::new("/var/log/nginx"), 100).unwrap();
    assert_eq!((listing.entries.len(), listing.cut), (4, false));
    let listing = guest.root.list_folder(Path::new("/var/log/nginx"), 2).unwrap();
    assert_eq!((listing.entries.len(), listing.cut), (2, true));
    let found = |pattern: &str, most: usize| {
        let found = guest.root.glob(Path::new(pattern), most).unwrap();
        let paths: Vec<String> = found.paths.iter().map(|path| path.display().to_string()).collect();
        (paths.join(" "), found.cut)
    };
    let both = "/var/log/nginx/a-access.log /var/log/nginx/b-access.log";
    assert_eq!(found("/var/log/nginx/*access.log", 10), (both.into(), false));
    assert_eq!(found("/var/log/nginx/*access.log", 1), ("/var/log/nginx/a-access.log".into(), true));
    let all = "/srv/linked/logs/x.log /srv/one/logs/x.log /srv/two/logs/x.log";
    assert_eq!(found("/srv/*/logs/x.log", 10), (all.into(), false));
    assert_eq!(found("/srv/*/*/*.log", 10), (all.into(), false));
    assert_eq!(found("/srv/t?o/logs/[x-z].log", 10).0, "/srv/two/logs/x.log");
    assert_eq!(found("/var/log/nginx/d.log", 10).0, "/var/log/nginx/d.log");
    assert_eq!(found("/nowhere/*/x", 10).0, "");
    assert_eq!(found("/../../*/rootfs/var/log/nginx/d.log", 10).0, "");
}

#[test]
fn a_root_at_rest_is_not_reached_through_links() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("rootfs")).unwrap();
    let lxc = folder.path().join("lxc");
    std::fs::create_dir(&lxc).unwrap();
    symlink(&elsewhere, lxc.join("web")).unwrap();
    let kind = |source: &str| at_rest(&lxc, source).unwrap_err().kind();
    assert_eq!(kind(""), Kind::SafetyViolation);
    std::fs::remove_file(lxc.join("web")).unwrap();
    assert_eq!(kind(""), Kind::NotFound);
    std::fs::create_dir(lxc.join("web")).unwrap();
    symlink("/", lxc.join("web/rootfs")).unwrap();
    assert_eq!(kind(""), Kind::SafetyViolation);
    assert_eq!(kind("/"), Kind::SafetyViolation);
    assert_eq!(kind("/proc"), Kind::SafetyViolation);
    assert_eq!(kind(&format!("{}/web/../../elsewhere", lxc.display())), Kind::SafetyViolation);
    // A folder elsewhere is a place for a root, if no link leads there.
    assert!(at_rest(&lxc, elsewhere.join("rootfs").to_str().unwrap()).is_ok());
    let overlay = Rootfs::parse("overlay:/a:/b");
    let error = GuestRoot::at_rest(&Name::new("web"), &lxc, "web", &overlay).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
}

#[test]
fn dropping_a_root_closes_it() {
    let guest = Fixture::new();
    guest.write("/x", "");
    let count = |path: &Path| {
        let descriptors = hostfile::list(Path::new("/proc/self/fd"), 10_000).unwrap();
        let targets = descriptors.iter().filter_map(|fd| std::fs::read_link(Path::new("/proc/self/fd").join(fd)).ok());
        targets.filter(|target| target.starts_with(path)).count()
    };
    let Fixture { folder, root } = guest;
    let copy = root.clone();
    drop(copy.open_log(Path::new("/x")).unwrap());
    drop(root);
    assert!(count(folder.path()) >= 1);
    drop(copy);
    assert_eq!(count(folder.path()), 0);
}

/// A process that sleeps, made by a shell line; killed at the end.
struct Sleeper(Child);

impl Sleeper {
    fn start(line: &str) -> (Self, Init) {
        let script = format!("{line} & echo $!; cat >/dev/null; kill -9 $!; wait");
        let child = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let mut text = String::new();
        let out = child.stdout.as_mut().unwrap();
        let mut byte = [0];
        while out.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            text.push(byte[0].into());
        }
        let pid = text.parse().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        (Self(child), Init { pid, start_time: namespace::start_time(Path::new("/proc"), pid).unwrap() })
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_live_root_is_never_the_hosts() {
    let name = Name::new("web");
    let live = |init| GuestRoot::live(&name, init, Path::new("/proc")).map_err(|error| error.kind());
    let (_plain, init) = Sleeper::start("exec sleep 60");
    assert_eq!(live(init).unwrap_err(), Kind::Starting);
    assert_eq!(live(Init { start_time: init.start_time + 1, ..init }).unwrap_err(), Kind::Unreachable);
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: mount namespaces: not root");
        return;
    }
    // The instant before pivot_root: mounts of its own, but the host's root.
    let (_cloned, init) = Sleeper::start("exec unshare -m sleep 60");
    assert_eq!(live(init).unwrap_err(), Kind::Starting);
}

#[test]
fn a_live_root_is_read_and_is_over_with_its_process() {
    let busybox = Path::new("/bin/busybox");
    if !rustix::process::geteuid().is_root() || !busybox.exists() {
        eprintln!("SKIPPED: a live root needs root and a static busybox");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("var/log")).unwrap();
    std::fs::create_dir_all(folder.path().join("bin")).unwrap();
    std::fs::copy(busybox, folder.path().join("bin/busybox")).unwrap();
    let line = format!("exec unshare -m chroot {} /bin/busybox sleep 60", folder.path().display());
    let (sleeper, init) = Sleeper::start(&line);
    let root = GuestRoot::live(&Name::new("web"), init, Path::new("/proc")).unwrap();
    let mut log = std::fs::File::create(folder.path().join("var/log/x")).unwrap();
    log.write_all(b"hello").unwrap();
    assert_eq!(content(root.open_log(Path::new("/var/log/x")).unwrap()), "hello");
    assert!(root.is_alive());
    drop(sleeper);
    assert!(!root.is_alive());
    assert_eq!(root.open_log(Path::new("/var/log/x")).unwrap_err().kind(), Kind::Unreachable);
}

/// liblxc's pivot_root(".", ".") leaves the host's root on top of the guest's until it is unmounted: `..` at the root leads
/// there.
#[test]
fn the_instant_after_pivot_root_shows_nothing_of_the_host() {
    let busybox = Path::new("/bin/busybox");
    if !rustix::process::geteuid().is_root() || !busybox.exists() {
        eprintln!("SKIPPED: a live root needs root and a static busybox");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("var/log")).unwrap();
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    symlink(format!("../../..{}", secret.display()), root.join("var/log/x")).unwrap();
    let at = root.display();
    let inside = format!("mount --bind {at} {at} && cd {at} && pivot_root . . && exec /bin/busybox sleep 60");
    let (_sleeper, init) = Sleeper::start(&format!("exec unshare -m sh -c '{inside}'"));
    let live = GuestRoot::live(&Name::new("web"), init, Path::new("/proc"));
    let shown = live.map(|root| root.open_log(Path::new("/var/log/x")).map(content).map_err(|error| error.kind()));
    assert_eq!(shown.map_err(|error| error.kind()), Err(Kind::Starting));
}

/// A FUSE mount whose server never answers; gone when dropped.
struct DeadFuse {
    at: PathBuf,
    server: Option<std::os::fd::OwnedFd>,
}

impl DeadFuse {
    fn mount(at: &Path) -> Option<Self> {
        use std::os::fd::AsRawFd;
        let server = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").ok()?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
        let options = std::ffi::CString::new(options).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("dead", at, "fuse", flags, options.as_c_str()).ok()?;
        Some(Self { at: at.to_owned(), server: Some(server.into()) })
    }
}

impl Drop for DeadFuse {
    fn drop(&mut self) {
        // Without its server everything that hangs there gets an error.
        self.server = None;
        let _ = rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn a_dead_fuse_mount_hangs_a_thread_and_not_us() {
    let guest = Fixture::new();
    guest.write("/var/log/good.log", "good");
    std::fs::create_dir_all(guest.inside("var/log/app")).unwrap();
    let Some(mut fuse) = DeadFuse::mount(&guest.inside("var/log/app")) else {
        eprintln!("SKIPPED: FUSE cannot be mounted here");
        return;
    };
    let begun = Instant::now();
    let hung = guest.read("/var/log/app/x.log");
    let others = (guest.read("/var/log/good.log"), guest.root.hanging());
    let globbed = guest.root.glob(Path::new("/var/log/*/x.log"), 10).map_err(|error| error.kind());
    fuse.server = None;
    let took = begun.elapsed();
    drop(fuse);
    assert_eq!(hung, Err(Kind::Stuck));
    assert_eq!(others, (Ok("good".into()), 1));
    assert_eq!(globbed, Err(Kind::Stuck));
    assert!(took < 4 * crate::guest::tree::PATIENCE, "{took:?}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while guest.root.hanging() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(guest.root.hanging(), 0, "threads do not come back");
}

#[test]
fn a_first_process_that_has_gone_to_a_dead_fuse_mount_hangs_a_thread_and_not_us() {
    let folder = tempfile::tempdir().unwrap();
    let (at, pipe) = (folder.path().join("fuse"), folder.path().join("pipe"));
    std::fs::create_dir(&at).unwrap();
    let Some(fuse) = DeadFuse::mount(&at) else {
        eprintln!("SKIPPED: FUSE cannot be mounted here");
        return;
    };
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let (at, pipe) = (at.display(), pipe.display());
    let inside = format!("exec 3<>{pipe}; pivot_root {at} {at}; read x <&3");
    let (sleeper, init) = Sleeper::start(&format!("exec unshare -m sh -c '{inside}'"));
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let limit = Duration::from_millis(100);
        let live = GuestRoot::live_within(&Name::new("web"), init, Path::new("/proc"), limit);
        tell.send(live.map(drop).map_err(|error| error.kind()))
    });
    let live = told.recv_timeout(Duration::from_secs(5));
    drop(fuse);
    drop(sleeper);
    assert_eq!(live, Ok(Err(Kind::Stuck)));
}

#[test]
fn files_on_mounts_of_the_guests_own_choice_are_odd() {
    let guest = Fixture::new();
    guest.write("/plain", "");
    assert!(!guest.root.open_log(Path::new("/plain")).unwrap().odd);
    let at = guest.inside("var/log");
    let mount = |kind: &str| {
        rustix::mount::mount("test", &at, kind, rustix::mount::MountFlags::empty(), None::<&std::ffi::CStr>).is_ok()
    };
    if !mount("tmpfs") {
        eprintln!("SKIPPED: mounting needs root");
        return;
    }
    std::fs::write(at.join("x"), "x").unwrap();
    let open = guest.root.open_log(Path::new("/var/log/x"));
    // A procfs in the guest's tree, of which nothing is a log.
    let proc = mount("proc");
    let mem = guest.root.open_log(Path::new("/var/log/self/mem")).map_err(|error| error.kind());
    let kmsg = guest.root.open_log(Path::new("/var/log/kmsg")).map_err(|error| error.kind());
    for _ in 0..=usize::from(proc) {
        rustix::mount::unmount(&at, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
    let open = open.unwrap();
    assert_eq!((open.fs_type.name(), open.odd), (Some("tmpfs"), false));
    if proc {
        assert_eq!(mem.unwrap_err(), Kind::SafetyViolation);
        assert_eq!(kmsg.unwrap_err(), Kind::SafetyViolation);
    }
}
