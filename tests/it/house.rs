//! The house plan, enforced: which way imports go, what each room may touch, and the fences around guests' bytes.
//!
//! One crate has no walls of its own, so this reads the sources. A name that points the wrong way fails here.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in the order of the data; a room may name those before it. Rooms of one row are strangers to one another.
const ROWS: &[&[&str]] = &[
    &["diag"],
    &["xml", "pattern", "sys", "store", "metrics"],
    &["guest"],
    &["event"],
    &["collect"],
    &["decode"],
    &["rules"],
    &["correlate"],
    &["alert", "respond"],
    &["control"],
    &["config"],
    &["daemon"],
    &["cli"],
];

/// Judges think: they have no file, clock, task, socket, store.
const JUDGES: &[&str] = &["event", "decode", "rules", "correlate"];

/// What a judge must not say.
const FORBIDDEN_TO_JUDGES: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant::now",
    "tokio::",
    "rustix::",
    "redb::",
    "File::",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its room, its path and its code without comments and without the tests at its foot.
fn house() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files
        .into_iter()
        .filter_map(|path| {
            let below = path.strip_prefix(&root).unwrap();
            let first = below.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
            let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
            (first != "lib" && first != "main" && !is_tests).then(|| {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("").to_owned();
                let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
                (first, path.clone(), code.join("\n"))
            })
        })
        .collect()
}

fn row(room: &str) -> usize {
    ROWS.iter().position(|rooms| rooms.contains(&room)).unwrap_or_else(|| panic!("room {room} is not in the plan"))
}

fn rooms() -> impl Iterator<Item = &'static str> {
    ROWS.iter().flat_map(|rooms| rooms.iter().copied())
}

/// The rooms that a piece of code names, `use crate::{a, b}` included.
fn named(code: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or("").split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for name in names {
            let word: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.extend(rooms().find(|room| **room == word));
        }
    }
    found
}

/// What is wrong with a file's imports.
fn wrong_imports(room: &str, code: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for other in named(code) {
        let allowed = other == room || row(other) < row(room);
        // Only the producers' side of the door may see collect: judges get batches, never tails.
        let judge_or_doer_looks_back = other == "collect" && row(room) > row("collect") && row(room) < row("control");
        let judge_stores = other == "store" && JUDGES.contains(&room);
        if !allowed || judge_or_doer_looks_back || judge_stores {
            wrong.push(format!("{room} names {other}"));
        }
    }
    wrong
}

#[test]
fn imports_go_one_way() {
    let wrong: Vec<String> = house()
        .iter()
        .flat_map(|(room, path, code)| {
            wrong_imports(room, code).into_iter().map(|what| format!("{}: {what}", path.display())).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "imports against the plan:\n{}", wrong.join("\n"));
}

#[test]
fn planted_wrong_imports_are_caught() {
    for (room, code) in [
        ("diag", "use crate::xml::Element;"),
        ("guest", "use crate::event::Batch;"),
        ("event", "use crate::{diag, collect};"),
        ("decode", "fn f() { crate::rules::Facts::default(); }"),
        ("alert", "use crate::respond::Config;"),
        ("correlate", "use crate::collect::tail;"),
        ("rules", "use crate::store::Store;"),
        ("control", "use crate::daemon;"),
    ] {
        assert_eq!(wrong_imports(room, code).len(), 1, "{room}: {code}");
    }
    assert!(wrong_imports("alert", "use crate::{event, correlate::Verdict};").is_empty());
}

#[test]
fn judges_touch_nothing() {
    for (room, path, code) in house() {
        if JUDGES.contains(&room.as_str()) {
            for word in FORBIDDEN_TO_JUDGES {
                assert!(!code.contains(word), "{}: a judge says {word}", path.display());
            }
        }
    }
}

#[test]
fn only_sys_is_unsafe_and_nothing_is_unbounded() {
    for (room, path, code) in house() {
        let head = fs::read_to_string(&path).unwrap();
        if path.ends_with(format!("{room}/mod.rs")) || path.ends_with(format!("src/{room}.rs")) {
            let fence = if room == "sys" { "#![allow(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
            assert!(head.contains(fence), "{}: the room's head lacks {fence}", path.display());
        }
        for word in ["unbounded_channel", "UnboundedSender", "mpsc::channel()", "unbounded("] {
            assert!(!code.contains(word), "{}: {word}: every queue has a bound", path.display());
        }
    }
}

#[test]
fn rooms_that_touch_guests_deny_opens_of_the_hosts_view() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for room in ["guest", "collect"] {
        let head = fs::read_to_string(root.join(room).join("mod.rs")).unwrap();
        assert!(head.contains("#![deny(clippy::disallowed_methods)]"), "{room} lacks its fence");
    }
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let listed: Vec<&str> =
        map.lines().filter_map(|line| line.strip_prefix("pub mod ")).map(|name| name.trim_end_matches(';')).collect();
    let planned: Vec<&str> = rooms().collect();
    assert_eq!(listed, planned, "src/lib.rs and the plan differ");
}
