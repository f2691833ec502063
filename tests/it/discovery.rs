//! Discovery on real LXC guests: created, started, frozen, rebooted, stopped, renamed, destroyed, each seen within a
//! second. Needs root, LXC and its busybox template; skipped loudly without.

use hids::guest::proc::{Monitor, Proc};
use hids::guest::{Change, Config, Discovery, GuestRoot, Handle, Init, Kind, Name, State};
use hids::sys::Hub;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

/// The promise.
const SECOND: Duration = Duration::from_secs(1);
/// A loaded machine may be late with its own programs, but not with telling of what they did.
const PATIENCE: Duration = Duration::from_secs(20);

fn can_run() -> bool {
    let root = rustix::process::geteuid().is_root();
    let there = Path::new("/usr/bin/lxc-start").exists() && Path::new("/usr/share/lxc/templates/lxc-busybox").exists();
    let busybox = Path::new("/bin/busybox").exists() || Path::new("/usr/bin/busybox").exists();
    if !(root && there && busybox) {
        eprintln!("SKIPPED: real guests need root, lxc and busybox-static");
    }
    root && there && busybox
}

struct Lxc {
    folder: tempfile::TempDir,
}

impl Lxc {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(program);
        command.arg("-P").arg(self.folder.path()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn create(&self, name: &str) {
        assert!(self.run("lxc-create", &["-n", name, "-t", "busybox"]), "lxc-create");
        let config = self.path().join(name).join("config");
        let text = fs::read_to_string(&config).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("lxc.net.")).collect();
        fs::write(&config, kept.join("\n") + "\nlxc.net.0.type = empty\n").unwrap();
    }
}

impl Drop for Lxc {
    fn drop(&mut self) {
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            self.run("lxc-stop", &["-k", "-n", &name]);
        }
        let lock = self.folder.path().strip_prefix("/").unwrap();
        let _ = fs::remove_dir_all(Path::new("/run/lxc/lock").join(lock));
    }
}

struct Watcher {
    handle: Handle,
    changes: Receiver<Change>,
}

impl Watcher {
    fn start(config: Config) -> Self {
        let (handle, changes) = Discovery::start(config, Hub::start().unwrap()).unwrap();
        Self { handle, changes }
    }

    /// Waits for a guest's state, by way of any others; tells how long it took.
    fn until(&mut self, name: &str, wanted: Option<State>) -> Duration {
        self.until_told(&format!("{name} never became {wanted:?}"), |change| match change {
            Change::Appeared(guest) | Change::Changed(guest) => {
                guest.name.as_str() == name && Some(guest.state) == wanted
            }
            Change::Gone(gone) => gone.as_str() == name && wanted.is_none(),
        })
    }

    /// Waits until a guest runs with another first process. That it stood still in between may be told or not: between
    /// two looks it may be back already.
    fn until_back(&mut self, name: &str, first: Init) -> Duration {
        self.until_told(&format!("{name} never came back"), |change| match change {
            Change::Appeared(guest) | Change::Changed(guest) => {
                let other = guest.init.is_some_and(|init| init != first);
                guest.name.as_str() == name && guest.state == State::Running && other
            }
            Change::Gone(_) => false,
        })
    }

    fn until_told(&mut self, otherwise: &str, wanted: impl Fn(&Change) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            match self.changes.try_recv() {
                Ok(change) if wanted(&change) => return begun.elapsed(),
                Ok(_) => {}
                Err(TryRecvError::Empty) => {
                    assert!(begun.elapsed() < PATIENCE, "{otherwise}");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TryRecvError::Disconnected) => panic!("discovery ended"),
            }
        }
    }
}

fn config(lxc: &Lxc) -> Config {
    // No scan comes to help: what is seen is seen by watches.
    Config { lxc_paths: vec![lxc.path()], scan_interval: Duration::from_secs(3600), ..Config::default() }
}

#[test]
fn the_life_of_a_guest_is_seen() {
    if !can_run() {
        return;
    }
    let lxc = Lxc::new();
    let name = format!("hids-life-{}", std::process::id());
    let mut watcher = Watcher::start(config(&lxc));
    while !watcher.handle.snapshot().complete {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut late = Vec::new();
    let mut step = |watcher: &mut Watcher, what: &str, name: &str, wanted: Option<State>| {
        let took = watcher.until(name, wanted);
        eprintln!("{what}: seen after {took:?}");
        if took > SECOND {
            late.push(format!("{what}: {took:?}"));
        }
    };
    lxc.create(&name);
    step(&mut watcher, "created", &name, Some(State::Stopped));
    assert!(lxc.run("lxc-start", &["-n", &name]), "lxc-start");
    step(&mut watcher, "started", &name, Some(State::Running));

    let guest = watcher.handle.snapshot().get(&name).cloned().unwrap();
    let first = guest.init.unwrap();
    let root = guest.root().unwrap();
    assert!(root.open_log(Path::new("/etc/passwd")).is_ok());
    assert!(root.is_alive());

    assert!(lxc.run("lxc-freeze", &["-n", &name]), "lxc-freeze");
    step(&mut watcher, "frozen", &name, Some(State::Frozen));
    assert!(lxc.run("lxc-unfreeze", &["-n", &name]), "lxc-unfreeze");
    step(&mut watcher, "thawed", &name, Some(State::Running));

    assert!(lxc.run("lxc-stop", &["-r", "-n", &name]), "lxc-stop -r");
    let took = watcher.until_back(&name, first);
    eprintln!("rebooted: back after {took:?}");
    assert!(took < SECOND, "rebooted: seen after {took:?}");
    assert!(!root.is_alive());

    assert!(lxc.run("lxc-stop", &["-k", "-n", &name]), "lxc-stop");
    step(&mut watcher, "stopped", &name, Some(State::Stopped));
    assert!(!root.is_alive());
    assert!(root.open_log(Path::new("/etc/passwd")).is_err());
    assert!(GuestRoot::live(&guest.name, first, Path::new("/proc")).is_err());
    drop(root);
    let rest = watcher.handle.snapshot().get(&name).cloned().unwrap();
    assert!(rest.root().unwrap().open_log(Path::new("/etc/passwd")).is_ok());

    assert!(lxc.run("lxc-start", &["-n", &name]), "lxc-start again");
    step(&mut watcher, "started again", &name, Some(State::Running));
    let second = watcher.handle.snapshot().get(&name).and_then(|guest| guest.init).unwrap();
    assert_ne!(first, second);
    // Killed, as a crash would; LXC's monitor cleans up.
    let pid = rustix::process::Pid::from_raw(i32::try_from(second.pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    step(&mut watcher, "killed", &name, Some(State::Stopped));
    lxc.run("lxc-wait", &["-n", &name, "-s", "STOPPED", "-t", "10"]);

    let new = format!("{name}-new");
    fs::rename(lxc.path().join(&name), lxc.path().join(&new)).unwrap();
    step(&mut watcher, "renamed: the old one", &name, None);
    step(&mut watcher, "renamed: the new one", &new, Some(State::Stopped));
    let config_file = lxc.path().join(&new).join("config");
    let text = fs::read_to_string(&config_file).unwrap().replace(&format!("/{name}/"), &format!("/{new}/"));
    fs::write(&config_file, text).unwrap();
    step(&mut watcher, "configured", &new, Some(State::Stopped));
    assert!(lxc.run("lxc-destroy", &["-n", &new]), "lxc-destroy: something keeps the root busy");
    step(&mut watcher, "destroyed", &new, None);
    assert!(late.is_empty(), "too late: {late:?}");
}

#[test]
fn a_root_is_never_the_hosts_while_a_guest_starts() {
    if !can_run() {
        return;
    }
    let lxc = Lxc::new();
    let name = format!("hids-pivot-{}", std::process::id());
    lxc.create(&name);
    fs::write(lxc.path().join(&name).join("rootfs/etc/whose"), "the guest's").unwrap();
    let host = hids::guest::Meta::of(fs::File::open("/").unwrap()).unwrap();
    let mut watcher = Watcher::start(config(&lxc));
    let (mut opened, mut refused) = (0, 0);
    // The instant is short, and on a busy machine it may pass between two looks: so many starts until it was met.
    for start in 0..40 {
        if start >= 5 && opened > 0 && refused > 0 {
            break;
        }
        let starting = std::thread::scope(|threads| {
            let start = threads.spawn(|| lxc.run("lxc-start", &["-n", &name]));
            // As fast as it goes, from the first moment that there is a first process.
            let proc = Proc::new("/proc");
            let ours = |monitor: &Monitor| monitor.lxc_name == name && proc.init_of(monitor).is_some();
            let end = Instant::now() + Duration::from_secs(10);
            let mut monitor = None;
            let mut last = 0;
            while Instant::now() < end && !(last >= 20 && start.is_finished()) {
                if monitor.is_none() {
                    monitor = proc.monitors().into_iter().find(ours);
                }
                let Some(init) = monitor.as_ref().and_then(|monitor| proc.init_of(monitor)) else { continue };
                match GuestRoot::live(&Name::new(&name), init, Path::new("/proc")) {
                    Ok(root) => {
                        opened += 1;
                        last += 1;
                        let meta = hids::guest::Meta::of(root.descriptor()).unwrap();
                        assert_ne!((meta.dev, meta.ino), (host.dev, host.ino), "the host's root");
                        assert!(root.open_log(Path::new("/etc/whose")).is_ok(), "some other root");
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(matches!(error.kind(), Kind::Starting | Kind::Unreachable), "{error}");
                    }
                }
            }
            start.join().unwrap()
        });
        assert!(starting, "lxc-start");
        watcher.until(&name, Some(State::Running));
        assert!(lxc.run("lxc-stop", &["-k", "-n", &name]), "lxc-stop");
        watcher.until(&name, Some(State::Stopped));
    }
    eprintln!("opened {opened} times, refused {refused} times");
    assert!(opened > 0 && refused > 0, "the instant before pivot_root was not met: the test shows nothing");
    drop(watcher);
    assert!(lxc.run("lxc-destroy", &["-n", &name]), "lxc-destroy");
}

#[test]
fn guests_that_run_already_and_those_without_a_cgroup_are_found() {
    if !can_run() {
        return;
    }
    let lxc = Lxc::new();
    let plain = format!("hids-old-{}", std::process::id());
    let bare = format!("hids-bare-{}", std::process::id());
    for name in [&plain, &bare] {
        lxc.create(name);
        // Without the mounts of /sys and cgroups, which a guest without any cgroup cannot have.
        let config = lxc.path().join(name).join("config");
        let text = fs::read_to_string(&config).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("lxc.mount.auto")).collect();
        fs::write(&config, kept.join("\n") + "\nlxc.mount.auto = proc:mixed\n").unwrap();
    }
    assert!(lxc.run("lxc-start", &["-n", &plain]), "lxc-start");
    // `ip netns exec` hides /sys/fs/cgroup; so does this.
    let script = format!("umount -l /sys/fs/cgroup; exec lxc-start -P {} -n {bare}", lxc.path().display());
    let started = Command::new("unshare").args(["-m", "sh", "-c", &script]).stdin(Stdio::null()).status();
    let without = started.is_ok_and(|status| status.success());
    let mut watcher = Watcher::start(config(&lxc));
    watcher.until(&plain, Some(State::Running));
    if without {
        let guest = |watcher: &Watcher| watcher.handle.snapshot().get(&bare).cloned();
        let deadline = Instant::now() + PATIENCE;
        while guest(&watcher).is_none_or(|guest| guest.state != State::Running) {
            watcher.handle.rescan();
            std::thread::sleep(Duration::from_millis(50));
            assert!(Instant::now() < deadline, "the guest without a cgroup was not found");
        }
        assert!(lxc.run("lxc-stop", &["-k", "-n", &bare]), "lxc-stop");
        watcher.until(&bare, Some(State::Stopped));
    } else {
        eprintln!("SKIPPED: a guest without a cgroup did not start here");
    }
}

#[test]
fn whoever_sits_on_a_guests_command_socket_changes_nothing() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    if !can_run() {
        return;
    }
    let lxc = Lxc::new();
    let name = format!("hids-squat-{}", std::process::id());
    lxc.create(&name);
    let socket = format!("{}/{name}/command", lxc.path().display());
    // Never answers: liblxc waits for it. In another network namespace the monitor has its own socket of that name.
    let squatter = UnixListener::bind_addr(&SocketAddr::from_abstract_name(socket).unwrap()).unwrap();
    let script = format!("exec lxc-start -P {} -n {name}", lxc.path().display());
    let start = || Command::new("unshare").args(["-n", "sh", "-c", &script]).stdin(Stdio::null()).status();
    let mut watcher = Watcher::start(config(&lxc));
    watcher.until(&name, Some(State::Stopped));
    assert!(start().unwrap().success(), "lxc-start");
    let took = watcher.until(&name, Some(State::Running));
    assert!(took < SECOND, "{took:?}");
    let guest = watcher.handle.snapshot().get(&name).cloned().unwrap();
    assert!(guest.root().unwrap().open_log(Path::new("/etc/passwd")).is_ok());
    let pid = rustix::process::Pid::from_raw(i32::try_from(guest.init.unwrap().pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    watcher.until(&name, Some(State::Stopped));
    // Answers at once, with nothing: liblxc says STOPPED.
    drop(squatter);
    std::thread::sleep(Duration::from_millis(500));
    assert!(start().unwrap().success(), "lxc-start again");
    let took = watcher.until(&name, Some(State::Running));
    assert!(took < SECOND, "{took:?}");
    let guest = watcher.handle.snapshot().get(&name).cloned().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(guest.init.unwrap().pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    watcher.until(&name, Some(State::Stopped));
}
