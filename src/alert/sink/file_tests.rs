use super::*;
use std::os::unix::fs::PermissionsExt as _;

fn written(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_new_file_is_for_owner_and_group_and_its_folder_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs/alerts/alerts.json");
    let mut file = File::new(path.clone(), Ending::Line);
    file.append(b"{}\n");
    file.flush().unwrap();
    assert_eq!(written(&path), "{}\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o640, 0);
}

#[test]
fn a_torn_end_is_repaired_once() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        (Ending::Line, "", ""),
        (Ending::Line, "{\"a\"", "{\"a\"\n"),
        (Ending::Line, "x", "x\n"),
        (Ending::Line, "{}\n", "{}\n"),
        (Ending::EmptyLine, "", ""),
        (Ending::EmptyLine, "** Al", "** Al\n\n"),
        (Ending::EmptyLine, "line\n", "line\n\n"),
        (Ending::EmptyLine, "line\n\n", "line\n\n"),
    ];
    for (at, (ending, before, after)) in cases.into_iter().enumerate() {
        let path = dir.path().join(at.to_string());
        fs::write(&path, before).unwrap();
        for _ in 0..2 {
            File::new(path.clone(), ending).prepare().unwrap();
            assert_eq!(written(&path), after, "{before:?}");
        }
    }
}

#[test]
fn a_file_that_was_rotated_away_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("a.json"), dir.path().join("a.json.1"));
    let mut file = File::new(path.clone(), Ending::Line);
    file.append(b"1\n");
    file.flush().unwrap();
    fs::rename(&path, &old).unwrap();
    file.append(b"2\n");
    file.flush().unwrap();
    fs::remove_file(&path).unwrap();
    file.append(b"3\n");
    file.append(b"4\n");
    file.flush().unwrap();
    assert_eq!((written(&old), written(&path)), ("1\n".into(), "3\n4\n".into()));
}

#[test]
fn a_full_disk_is_waited_for_and_the_rest_follows() {
    assert!(File::new("/tmp".into(), Ending::Line).prepare().is_err(), "a folder is no file");
    // /dev/full takes nothing, like a full disk.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    let mut file = File::new(path.clone(), Ending::Line);
    file.prepare().unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let meta = fs::metadata(&path).unwrap();
    let real = file.open.replace(Open { file: full, device: meta.dev(), inode: meta.ino() }).unwrap();
    file.append(b"first\n");
    assert_eq!(file.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.append(b"second\n");
    assert!(file.flush().is_err());
    file.open = Some(real);
    file.flush().unwrap();
    file.flush().unwrap();
    assert_eq!(written(&path), "first\nsecond\n");
}

#[test]
fn a_part_written_entry_is_written_whole_into_the_next_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    let mut file = File::new(path.clone(), Ending::Line);
    file.append(b"first\n");
    file.append(b"second\n");
    file.written = 9; // the disk took "first\nsec" before it was full
    file.flush().unwrap();
    assert_eq!(written(&path), "second\n");
}

#[test]
fn a_pipe_in_its_place_does_not_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert!(File::new(path, Ending::Line).prepare().is_err());
}
