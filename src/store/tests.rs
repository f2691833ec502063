//! What must survive, survives; what cannot be read, is moved aside.

use super::error::Failure;
use super::migrate::Step;
use super::*;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

fn rows(store: &Store, table: Table, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .walk(table, prefix, |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

#[test]
fn changes_of_several_tables_are_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/state.redb");
    {
        let store = Store::open(&path).unwrap();
        assert!(store.notices().is_empty());
        let mut commit = Commit::new();
        commit.put(Table::Positions, b"a\0x", b"1".to_vec());
        commit.put(Table::Positions, b"a\0y", b"2".to_vec());
        commit.put(Table::Positions, b"b\0x", b"3".to_vec());
        commit.put(Table::Lanes, b"a", vec![0; 100_000]);
        store.commit(&commit).unwrap();
        let mut commit = Commit::new();
        commit.delete(Table::Positions, b"a\0y");
        commit.delete(Table::Positions, b"was never there");
        store.commit(&commit).unwrap();
    }
    let store = Store::open(&path).unwrap();
    assert!(store.notices().is_empty());
    assert_eq!(rows(&store, Table::Positions, b"a\0"), [(b"a\0x".to_vec(), b"1".to_vec())]);
    assert_eq!(rows(&store, Table::Positions, b"").len(), 2);
    assert_eq!(store.get(Table::Lanes, b"a").unwrap().unwrap().len(), 100_000);
    assert_eq!(store.get(Table::Blocks, b"a").unwrap(), None);
    use std::os::unix::fs::MetadataExt;
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn notes_wait_for_their_commit_and_the_last_one_counts() {
    let store = Store::volatile().unwrap();
    store.note(Table::Positions, b"k", Some(b"old".to_vec()));
    store.note(Table::Positions, b"k", Some(b"new".to_vec()));
    store.note(Table::Lanes, b"l", Some(b"state".to_vec()));
    assert_eq!(store.get(Table::Positions, b"k").unwrap(), None);
    assert_eq!(store.commit_noted().unwrap(), 2);
    assert_eq!(store.get(Table::Positions, b"k").unwrap().unwrap(), b"new");
    assert_eq!(store.commit_noted().unwrap(), 0);
}

#[test]
fn a_value_beyond_the_limit_is_refused_and_harms_nothing_else() {
    let store = Store::volatile().unwrap();
    let mut commit = Commit::new();
    commit.put(Table::Lanes, &vec![b'k'; KEY_MAX + 1], Vec::new());
    assert_eq!(store.commit(&commit).unwrap_err().kind(), Kind::TooLarge);
    let mut commit = Commit::new();
    commit.put(Table::Lanes, b"k", b"v".to_vec());
    store.commit(&commit).unwrap();
}

#[test]
fn a_second_process_is_refused_but_nothing_is_moved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let _first = Store::open(&path).unwrap();
    assert_eq!(Store::open(&path).unwrap_err().kind(), Kind::Busy);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_file_is_moved_aside_and_work_goes_on() {
    let whole = {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let store = Store::open(&path).unwrap();
        for n in 0..200_u32 {
            store.note(Table::Positions, &n.to_le_bytes(), Some(vec![n as u8; 300]));
        }
        store.commit_noted().unwrap();
        drop(store);
        std::fs::read(&path).unwrap()
    };
    let middle = whole.len() / 2;
    let mut zeroed = whole.clone();
    zeroed[4096..].fill(0);
    let mut flipped = whole.clone();
    for at in (4096..whole.len()).step_by(97) {
        flipped[at] ^= 0x55;
    }
    let mut header = whole.clone();
    header[..200].fill(0xff);
    for (what, bytes) in [
        ("foreign", b"this is no database, only some text that somebody put there\n".repeat(100)),
        ("short", whole[..10].to_vec()),
        ("half", whole[..middle].to_vec()),
        ("zeroed", zeroed),
        ("flipped", flipped),
        ("header", header),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        std::fs::write(&path, &bytes).unwrap();
        let store = Store::open(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(store.notices().len(), 1, "{what}");
        assert!(store.notices()[0].contains("state.redb.damaged-"), "{what}: {}", store.notices()[0]);
        assert_eq!(store.get(Table::Positions, &1_u32.to_le_bytes()).unwrap(), None, "{what}");
        store.note(Table::Positions, b"k", Some(b"v".to_vec()));
        store.commit_noted().unwrap();
        let names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.len(), 2, "{what}: {names:?}");
        let aside = names.iter().find(|name| name.contains("damaged")).unwrap();
        assert_eq!(std::fs::read(folder.path().join(aside)).unwrap().len(), bytes.len(), "{what}");
    }
}

#[test]
fn any_torn_byte_range_is_either_read_or_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let store = Store::open(&path).unwrap();
    store.note(Table::Positions, b"k", Some(vec![7; 3000]));
    store.commit_noted().unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    for round in 0..60 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let mut bytes = whole.clone();
        let start = round * bytes.len() / 60;
        let end = (start + 512).min(bytes.len());
        bytes[start..end].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let store = Store::open(&path).unwrap();
        store.note(Table::Blocks, b"b", Some(b"v".to_vec()));
        store.commit_noted().unwrap();
        assert_eq!(store.get(Table::Blocks, b"b").unwrap().unwrap(), b"v");
    }
}

/// The step of a future hids: doubles every position.
fn double(writing: &WriteTransaction) -> Result<(), Failure> {
    let mut rows = writing.open_table(TableDefinition::<&[u8], &[u8]>::new("positions"))?;
    let mut changed = Vec::new();
    for row in rows.iter()? {
        let (key, value) = row?;
        changed.push((key.value().to_vec(), value.value().repeat(2)));
    }
    for (key, value) in changed {
        rows.insert(key.as_slice(), value.as_slice())?;
    }
    Ok(())
}

#[test]
fn an_old_schema_is_migrated_once_and_a_newer_one_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    {
        let store = Store::open(&path).unwrap();
        store.note(Table::Positions, b"k", Some(b"ab".to_vec()));
        store.commit_noted().unwrap();
    }
    let future: &[Step] = &[double];
    for _ in 0..2 {
        let opened = open::open_with(&path, future).unwrap();
        assert!(opened.notices.is_empty());
        let reading = opened.database.begin_read().unwrap();
        let table = reading.open_table(Table::Positions.definition()).unwrap();
        assert_eq!(table.get(b"k".as_slice()).unwrap().unwrap().value(), b"abab");
    }
    let store = Store::open(&path).unwrap();
    assert!(store.notices()[0].contains("schema 2"), "{:?}", store.notices());
    assert!(store.notices()[0].contains("state.redb.newer-"));
    assert_eq!(store.get(Table::Positions, b"k").unwrap(), None);
}

#[test]
fn a_full_disk_fails_the_commit_and_the_next_one_after_cleaning_up_holds() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2400k", "hids-test"])
        .arg(&disk)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("SKIPPED: a_full_disk_fails_the_commit: mounting a small tmpfs needs root");
        return;
    }
    let store = Store::open(&disk.join("state.redb")).unwrap();
    store.note(Table::Positions, b"before", Some(b"1".to_vec()));
    store.commit_noted().unwrap();
    std::fs::write(disk.join("filler"), vec![1; 8 << 20]).unwrap_err();
    store.note(Table::Lanes, b"big", Some(vec![1; 1 << 20]));
    store.note(Table::Positions, b"after", Some(b"2".to_vec()));
    assert_eq!(store.commit_noted().unwrap_err().kind(), Kind::Io);
    std::fs::remove_file(disk.join("filler")).unwrap();
    store.note(Table::Lanes, b"big", Some(vec![1; 1000]));
    let again = (0..3).any(|_| store.commit_noted().is_ok());
    let read = (store.get(Table::Positions, b"before"), store.get(Table::Positions, b"after"));
    drop(store);
    let _ = std::process::Command::new("umount").arg("-l").arg(&disk).status();
    assert!(again);
    assert_eq!(read.0.unwrap().unwrap(), b"1");
    assert_eq!(read.1.unwrap().unwrap(), b"2");
}

/// Runs in a process of its own, started by the test below: commits numbers without end and says which are on the disk.
#[test]
fn committer() {
    let Some(path) = std::env::var_os("HIDS_TEST_STORE") else { return };
    let store = Store::open(Path::new(&path)).unwrap();
    assert!(store.notices().is_empty(), "{:?}", store.notices());
    let before =
        store.get(Table::Positions, b"n").unwrap().map_or(0, |raw| u64::from_le_bytes(raw.try_into().unwrap()));
    for n in before + 1.. {
        // Two tables, that must never disagree, and some bulk, so that the kill comes in the middle of something.
        store.note(Table::Positions, b"n", Some(n.to_le_bytes().to_vec()));
        store.note(Table::Lanes, b"n", Some(n.to_le_bytes().to_vec()));
        store.note(Table::Lanes, &(n % 50).to_le_bytes(), Some(vec![n as u8; 5_000]));
        store.commit_noted().unwrap();
        println!("on disk {n} end");
    }
}

#[test]
fn a_kill_at_any_moment_loses_no_commit() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    for round in 0..6_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["store::tests::committer", "--exact", "--nocapture"])
            .env("HIDS_TEST_STORE", &path)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut killer = None;
        let mut child_to_kill = Some(child);
        let mut last = 0;
        for line in lines.lines() {
            let line = line.unwrap();
            // A line that the kill cut short has no end.
            if let Some(n) = line.strip_prefix("on disk ").and_then(|rest| rest.strip_suffix(" end")) {
                last = n.parse::<u64>().unwrap();
                killer = killer.or_else(|| {
                    let mut child = child_to_kill.take()?;
                    Some(std::thread::spawn(move || {
                        std::thread::sleep(std::time::Duration::from_millis(20 + round * 23));
                        child.kill().unwrap();
                        child.wait().unwrap();
                    }))
                });
            }
        }
        killer.expect("nothing was committed").join().unwrap();
        let store = Store::open(&path).unwrap();
        assert!(store.notices().is_empty(), "{:?}", store.notices());
        let n = |table| {
            let raw = store.get(table, b"n").unwrap();
            raw.map_or(0, |raw| u64::from_le_bytes(raw.try_into().unwrap()))
        };
        assert!(n(Table::Positions) >= last, "{} < {last}", n(Table::Positions));
        assert_eq!(n(Table::Positions), n(Table::Lanes));
    }
}
