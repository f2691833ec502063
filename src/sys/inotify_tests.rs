use super::*;
use std::fs::File;
use std::io::Write;

fn folder() -> (tempfile::TempDir, File) {
    let folder = tempfile::tempdir().unwrap();
    let descriptor = File::open(folder.path()).unwrap();
    (folder, descriptor)
}

const SOON: Duration = Duration::from_secs(10);

#[test]
fn changes_in_a_folder_ring_its_bell() {
    let hub = Hub::start().unwrap();
    let bell = Bell::new();
    let (folder, descriptor) = folder();
    let _watch = hub.watch(descriptor.as_fd(), Interest::Folder, &bell, 4).unwrap();
    std::fs::write(folder.path().join("a"), "").unwrap();
    assert_eq!(bell.rung_within(SOON), [(4, Wake::DIRTY)]);
}

#[test]
fn the_watch_stays_with_the_inode_when_the_path_is_swapped() {
    let hub = Hub::start().unwrap();
    let bell = Bell::new();
    let (folder, _) = folder();
    let path = folder.path().join("log");
    let mut log = File::create(&path).unwrap();
    let _watch = hub.watch(log.as_fd(), Interest::File, &bell, 1).unwrap();
    std::fs::rename(&path, folder.path().join("log.1")).unwrap();
    assert_eq!(bell.rung_within(SOON), [(1, Wake::DIRTY)]);
    log.write_all(b"x").unwrap();
    assert_eq!(bell.rung_within(SOON), [(1, Wake::DIRTY)]);
}

#[test]
fn one_inode_serves_many_watchers_and_each_hears_what_it_asked_for() {
    let hub = Hub::start().unwrap();
    let (folder, descriptor) = folder();
    let (first, second) = (Bell::new(), Bell::new());
    let a = hub.watch(descriptor.as_fd(), Interest::Folder, &first, 1).unwrap();
    let b = hub.watch(descriptor.as_fd(), Interest::FolderAndWrites, &second, 2).unwrap();
    assert_eq!(hub.load().inodes, 1);
    drop(a);
    assert_eq!(hub.load().inodes, 1);
    std::fs::write(folder.path().join("a"), "x").unwrap();
    assert_eq!(second.rung_within(SOON), [(2, Wake::DIRTY)]);
    assert!(first.take().is_empty());
    drop(b);
    assert_eq!(hub.load().inodes, 0);
}

#[test]
fn a_deleted_file_ends_its_watch() {
    let hub = Hub::start().unwrap();
    let bell = Bell::new();
    let (folder, _) = folder();
    let path = folder.path().join("log");
    let log = File::create(&path).unwrap();
    let watch = hub.watch(log.as_fd(), Interest::File, &bell, 1).unwrap();
    drop(log);
    std::fs::remove_file(&path).unwrap();
    let deadline = Instant::now() + SOON;
    let mut seen = Wake::default();
    while !seen.has(Wake::GONE) && Instant::now() < deadline {
        for (_, wake) in bell.rung_within(SOON) {
            seen |= wake;
        }
    }
    assert!(seen.has(Wake::GONE), "{seen:?}");
    drop(watch);
    assert_eq!(hub.load().inodes, 0);
}

#[test]
fn a_storm_loses_its_watch_and_not_the_neighbours() {
    let hub = Hub::start().unwrap();
    let (noisy, quiet) = (Bell::new(), Bell::new());
    let (loud_folder, loud) = folder();
    let (quiet_folder, calm) = folder();
    let _a = hub.watch(loud.as_fd(), Interest::Folder, &noisy, 1).unwrap();
    let _b = hub.watch(calm.as_fd(), Interest::Folder, &quiet, 2).unwrap();
    let deadline = Instant::now() + SOON;
    let (one, two) = (loud_folder.path().join("one"), loud_folder.path().join("two"));
    std::fs::write(&one, "").unwrap();
    let mut seen = Wake::default();
    while !seen.has(Wake::GONE) && Instant::now() < deadline {
        for _ in 0..500 {
            std::fs::rename(&one, &two).unwrap();
            std::fs::rename(&two, &one).unwrap();
        }
        for (_, wake) in noisy.take() {
            seen |= wake;
        }
    }
    assert!(seen.has(Wake::GONE), "{seen:?}");
    assert_eq!(hub.load().storms, 1);
    std::fs::write(quiet_folder.path().join("x"), "").unwrap();
    assert!(!quiet.rung_within(SOON).is_empty());
}

#[test]
fn a_busy_log_keeps_its_watch() {
    let hub = Hub::start().unwrap();
    let bell = Bell::new();
    let (folder, _) = folder();
    let mut log = File::create(folder.path().join("log")).unwrap();
    let _watch = hub.watch(log.as_fd(), Interest::File, &bell, 1).unwrap();
    for _ in 0..100_000 {
        log.write_all(b"x").unwrap();
    }
    assert_eq!(bell.rung_within(SOON), [(1, Wake::DIRTY)]);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(hub.load().storms, 0);
}

#[test]
fn the_end_of_a_process_rings_once_and_a_dropped_watch_does_not() {
    let hub = Hub::start().unwrap();
    let bell = Bell::new();
    let mut children: Vec<_> = (0..2)
        .map(|_| std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    let pidfds: Vec<_> = children.iter().map(|child| Pidfd::open(child.id()).unwrap()).collect();
    let _kept = hub.watch_end(&pidfds[0], &bell, 10).unwrap();
    let dropped = hub.watch_end(&pidfds[1], &bell, 11).unwrap();
    let _twice = hub.watch_end(&pidfds[0], &bell, 12).unwrap();
    drop(dropped);
    for child in &mut children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    let mut rung = bell.rung_within(SOON);
    while rung.len() < 2 {
        rung.extend(bell.rung_within(SOON));
    }
    rung.sort_by_key(|(token, _)| *token);
    assert_eq!(rung, [(10, Wake::ENDED), (12, Wake::ENDED)]);
    assert_eq!(hub.load().processes, 0);
}

#[test]
fn the_thread_ends_with_the_last_hub() {
    let hub = Hub::start().unwrap();
    let shared = Arc::downgrade(&hub.0.shared);
    drop(hub.clone());
    assert!(shared.upgrade().is_some());
    drop(hub);
    let deadline = Instant::now() + SOON;
    while shared.strong_count() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(shared.strong_count(), 0);
}
