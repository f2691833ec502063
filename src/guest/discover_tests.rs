#![allow(clippy::disallowed_methods)]

use super::*;
use crate::guest::State;
use std::fs;

const SOON: Duration = Duration::from_secs(10);

/// LXC paths of our own, no cgroups, no monitors: folders only.
struct Fixture {
    folder: tempfile::TempDir,
    handle: Handle,
    changes: mpsc::Receiver<Change>,
}

fn config(folder: &tempfile::TempDir) -> Config {
    Config {
        lxc_paths: vec![folder.path().join("lxc"), folder.path().join("more")],
        ignore: Ignore::when(|name| name.starts_with("scratch-")),
        scan_interval: Duration::from_secs(600),
        cgroup: folder.path().join("cgroup"),
        proc: folder.path().join("proc"),
        liblxc: false,
    }
}

impl Fixture {
    fn new(prepare: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lxc")).unwrap();
        prepare(&folder.path().join("lxc"));
        let (handle, changes) = Discovery::start(config(&folder), Hub::start().unwrap()).unwrap();
        let fixture = Self { folder, handle, changes };
        let deadline = Instant::now() + SOON;
        while !fixture.handle.snapshot().complete && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        fixture
    }

    fn make(&self, name: &str, config: &str) {
        make(&self.folder.path().join("lxc"), name, config);
    }

    fn next(&mut self) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            match self.changes.try_recv() {
                Ok(Change::Appeared(guest)) => return format!("+{} {}", guest.name, guest.state),
                Ok(Change::Changed(guest)) => return format!("~{} {}", guest.name, guest.state),
                Ok(Change::Gone(name)) => return format!("-{name}"),
                Err(_) if Instant::now() > deadline => return "nothing".into(),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

fn make(path: &std::path::Path, name: &str, config: &str) {
    fs::create_dir_all(path.join(name).join("rootfs")).unwrap();
    fs::write(path.join(name).join("config"), config).unwrap();
}

#[test]
fn guests_at_rest_come_change_are_renamed_and_go_without_a_scan() {
    let mut fixture = Fixture::new(|lxc| {
        make(lxc, "web", "lxc.uts.name = web\n");
        make(lxc, "scratch-1", "");
        fs::create_dir(lxc.join("no-guest")).unwrap();
        fs::write(lxc.join("a-file"), "").unwrap();
    });
    assert_eq!(fixture.next(), "+web stopped");
    assert!(fixture.handle.snapshot().get("web").unwrap().from_start);
    let begun = Instant::now();
    fixture.make("db", "lxc.uts.name = db\n");
    assert_eq!(fixture.next(), "+db stopped");
    assert!(!fixture.handle.snapshot().get("db").unwrap().from_start);
    let lxc = fixture.folder.path().join("lxc");
    // A configuration written late, as lxc-create does.
    fs::write(lxc.join("no-guest/config"), "").unwrap();
    assert_eq!(fixture.next(), "+no-guest stopped");
    fs::write(lxc.join("web/config.new"), "lxc.uts.name = other\n").unwrap();
    fs::rename(lxc.join("web/config.new"), lxc.join("web/config")).unwrap();
    assert_eq!(fixture.next(), "~web stopped");
    assert_eq!(fixture.handle.snapshot().get("web").unwrap().facts.hostname.as_deref(), Some("other"));
    fs::rename(lxc.join("web"), lxc.join("www")).unwrap();
    assert_eq!(fixture.next(), "-web");
    assert_eq!(fixture.next(), "+www stopped");
    fs::remove_dir_all(lxc.join("db")).unwrap();
    assert_eq!(fixture.next(), "-db");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(fixture.changes.try_recv().is_err());
}

#[test]
fn a_guest_destroyed_and_made_anew_is_another_one() {
    let mut fixture = Fixture::new(|lxc| make(lxc, "web", ""));
    assert_eq!(fixture.next(), "+web stopped");
    let lxc = fixture.folder.path().join("lxc");
    make(&lxc, "aside", "");
    assert_eq!(fixture.next(), "+aside stopped");
    // Swapped in one step, so that the name is never without a guest.
    let flags = rustix::fs::RenameFlags::EXCHANGE;
    let (a, b) = (lxc.join("web"), lxc.join("aside"));
    rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, flags).unwrap();
    let mut seen: Vec<String> = (0..4).map(|_| fixture.next()).collect();
    seen.sort();
    assert_eq!(seen, ["+aside stopped", "+web stopped", "-aside", "-web"]);
}

#[test]
fn an_lxc_path_that_comes_later_is_found_by_a_scan_and_then_watched() {
    let mut fixture = Fixture::new(|lxc| make(lxc, "web", ""));
    assert_eq!(fixture.next(), "+web stopped");
    let more = fixture.folder.path().join("more");
    make(&more, "web", "");
    fixture.handle.rescan();
    assert_eq!(fixture.next(), format!("+web@{} stopped", more.display()));
    make(&more, "db", "");
    assert_eq!(fixture.next(), "+db stopped");
    // The whole path goes, and comes back.
    fs::rename(&more, fixture.folder.path().join("aside")).unwrap();
    assert_eq!(fixture.next(), "-db");
    assert_eq!(fixture.next(), format!("-web@{}", more.display()));
}

#[test]
fn a_new_configuration_is_taken_into_force() {
    let mut fixture = Fixture::new(|lxc| {
        make(lxc, "web", "");
        make(lxc, "scratch-1", "");
    });
    assert_eq!(fixture.next(), "+web stopped");
    let config = Config { ignore: Ignore::when(|name| name == "web"), ..config(&fixture.folder) };
    fixture.handle.reconfigure(config);
    assert_eq!(fixture.next(), "-web");
    assert_eq!(fixture.next(), "+scratch-1 stopped");
}

#[test]
fn hostile_names_and_configurations_are_survived() {
    let mut fixture = Fixture::new(|lxc| {
        for name in ["a b", "a\nb", "$(x)", "..x", "é", "-rf"] {
            make(lxc, name, "");
        }
        make(lxc, "web", "");
        fs::create_dir(lxc.join("dir-config")).unwrap();
        fs::create_dir(lxc.join("dir-config/config")).unwrap();
        fs::create_dir(lxc.join("fifo")).unwrap();
        let fifo = lxc.join("fifo/config");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    });
    assert_eq!(fixture.next(), "+web stopped");
    assert!(fixture.changes.try_recv().is_err());
    assert_eq!(fixture.handle.snapshot().guests.len(), 1);
}

#[test]
fn it_ends_with_its_handle_also_when_nobody_reads() {
    let fixture = Fixture::new(|lxc| {
        for number in 0..2 * CHANGES {
            make(lxc, &format!("g{number}"), "");
        }
    });
    let Fixture { handle, mut changes, .. } = fixture;
    drop(handle);
    let mut count = 0;
    let deadline = Instant::now() + SOON;
    loop {
        match changes.try_recv() {
            Ok(_) => count += 1,
            Err(mpsc::error::TryRecvError::Disconnected) => break,
            Err(mpsc::error::TryRecvError::Empty) => {
                assert!(Instant::now() < deadline);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    assert_eq!(count, 2 * CHANGES);
}

#[tokio::test]
async fn a_task_may_wait_until_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("lxc"), "web", "");
    let (handle, mut changes) = Discovery::start(config(&folder), Hub::start().unwrap()).unwrap();
    handle.ready().await;
    assert_eq!(handle.snapshot().get("web").map(|guest| guest.state), Some(State::Stopped));
    assert!(matches!(changes.recv().await, Some(Change::Appeared(_))));
}
