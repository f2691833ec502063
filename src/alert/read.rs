//! Reading alerts back from `alerts.json`, newest first and bounded.
#![allow(clippy::disallowed_methods)]

use super::filter::{Filter, Line};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes that are read at a time.
const BLOCK: u64 = 256 << 10;

/// A line longer than this is no alert of ours.
const LONGEST: usize = 4 << 20;

/// Bytes of lines that one answer holds at most.
const MOST_FOUND: usize = 64 << 20;

/// Alerts may stand out of order by this many seconds (a clock set back, guests served in turn).
const DISORDER: i64 = 3_600;

/// How much work one question may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Alerts found at most.
    pub alerts: usize,
    /// Bytes read at most.
    pub bytes: u64,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// JSON lines without their newlines, newest first.
    pub lines: Vec<String>,
    /// Nothing older fits; `false`: a bound ended the search.
    pub complete: bool,
}

/// Reads the file and the one that it was last rotated to (`.1`), newest alert first. `known` holds ids of alerts that
/// the caller has already.
///
/// # Errors
/// What reading said; a missing file holds no alerts.
pub fn newest_first(path: &Path, filter: &Filter, known: &HashSet<String>, bounds: Bounds) -> io::Result<Found> {
    let mut found = Found::default();
    let (mut left, mut held) = (bounds.bytes, 0);
    for path in [path.to_owned(), rotated(path)] {
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let ended = backwards(&mut file, &mut left, |line| {
            let Some(read) = Line::read(line) else { return true };
            if filter.since.is_some_and(|since| read.seconds() < since.saturating_sub(DISORDER)) {
                found.complete = true;
                return false;
            }
            if filter.fits_line(&read) && !known.contains(&*read.id) {
                held += line.len();
                if found.lines.len() >= bounds.alerts || held > MOST_FOUND {
                    return false;
                }
                found.lines.push(line.to_owned());
            }
            true
        })?;
        if !ended {
            return Ok(found);
        }
    }
    found.complete = true;
    Ok(found)
}

/// The name under which logrotate(8) keeps the last file.
fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// The highest alert number that the file's last lines hold; 0 where there is none.
pub(super) fn last_number(path: &Path) -> u64 {
    let mut highest = 0;
    for path in [path.to_owned(), rotated(path)] {
        let Ok(mut file) = File::open(path) else { continue };
        let mut left = BLOCK;
        // Guests are served in turn, so the very last line need not hold the highest number.
        let _ = backwards(&mut file, &mut left, |line| {
            let number = Line::read(line).and_then(|line| line.id.split_once('.')?.1.parse().ok());
            highest = highest.max(number.unwrap_or(0));
            true
        });
    }
    highest
}

/// The highest alert number that the last records of an `alerts.log` hold; 0 where there is none.
pub(super) fn last_record(path: &Path) -> u64 {
    let mut highest = 0;
    for path in [path.to_owned(), rotated(path)] {
        let Ok(mut file) = File::open(path) else { continue };
        let mut left = BLOCK;
        let _ = backwards(&mut file, &mut left, |line| {
            let id = line.strip_prefix("** Alert ").and_then(|rest| rest.split_once(':')).map(|(id, _)| id);
            let number = id.and_then(|id| id.split_once('.')?.1.parse().ok());
            // A log line may claim to be a record: no number that could not be ours is believed.
            highest = highest.max(number.filter(|number| *number < u64::MAX / 2).unwrap_or(0));
            true
        });
    }
    highest
}

/// Calls with each line from the last to the first until it says no or `left` bytes were read. Tells whether the
/// file's beginning was reached.
fn backwards(file: &mut File, left: &mut u64, mut call: impl FnMut(&str) -> bool) -> io::Result<bool> {
    let mut position = file.seek(SeekFrom::End(0))?;
    // What was read of a line whose beginning is still to come.
    let mut rest: Vec<u8> = Vec::new();
    let mut too_long = false;
    while position > 0 {
        let size = BLOCK.min(position);
        if *left == 0 {
            return Ok(false);
        }
        *left = left.saturating_sub(size);
        position -= size;
        let mut block = vec![0; usize::try_from(size).unwrap_or_default()];
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(&mut block)?;
        block.append(&mut rest);
        let mut end = block.len();
        while let Some(at) = memchr::memrchr(b'\n', &block[..end]) {
            if !std::mem::take(&mut too_long) && !line(&block[at + 1..end], &mut call) {
                return Ok(false);
            }
            end = at;
        }
        block.truncate(end);
        if block.len() > LONGEST {
            too_long = true;
            block.clear();
        }
        rest = block;
    }
    Ok(too_long || line(&rest, &mut call))
}

fn line(bytes: &[u8], call: &mut impl FnMut(&str) -> bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() => call(text),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn alert(number: usize, seconds: i64, pad: usize) -> String {
        let id = format!("{seconds}.{number}");
        let pad = "x".repeat(pad);
        format!(
            r#"{{"rule":{{"level":5,"sidid":{number},"groups":["g"]}},"id":"{id}","TimeStamp":{seconds}000,"full_log":"{pad}","guest":null}}"#
        )
    }

    const WIDE: Bounds = Bounds { alerts: 10_000, bytes: 1 << 30 };

    fn numbers(found: &Found) -> Vec<u32> {
        found
            .lines
            .iter()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["rule"]["sidid"].as_u64().unwrap() as u32
            })
            .collect()
    }

    #[test]
    fn lines_are_read_newest_first_over_blocks_torn_lines_and_the_rotated_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.json");
        let lines: Vec<String> = (0..900).map(|at| alert(at, 1_000 + at as i64, at * 3)).collect();
        fs::write(rotated(&path), lines[..400].join("\n") + "\n").unwrap();
        let torn = lines[400..].join("\n").replacen("\"id\":\"1500.500\"", "\"id\":\"1500.5\n00\"", 1);
        fs::write(&path, torn + "\n{\"rule\":{\"lev").unwrap();
        let found = newest_first(&path, &Filter::default(), &HashSet::new(), WIDE).unwrap();
        let expected: Vec<u32> = (0..900).rev().filter(|at| *at != 500).collect();
        assert_eq!((numbers(&found), found.complete), (expected, true));
        assert_eq!(last_number(&path), 899);
        fs::remove_file(&path).unwrap();
        assert_eq!(last_number(&path), 399);
    }

    #[test]
    fn bounds_end_the_search_and_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.json");
        let lines: Vec<String> = (0..2_000).map(|at| alert(at, 10_000 * at as i64, 400)).collect();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let ask = |filter: &Filter, bounds| newest_first(&path, filter, &HashSet::new(), bounds).unwrap();
        let found = ask(&Filter::default(), Bounds { alerts: 3, ..WIDE });
        assert_eq!((numbers(&found), found.complete), (vec![1_999, 1_998, 1_997], false));
        let none = Filter { rules: vec![1], ..Filter::default() };
        let found = ask(&none, Bounds { bytes: 1, ..WIDE });
        assert_eq!((found.lines.len(), found.complete), (0, false));
        assert!(ask(&none, WIDE).complete);
        let since = Filter { since: Some(19_980_000), ..Filter::default() };
        let found = ask(&since, Bounds { bytes: BLOCK, ..WIDE });
        assert_eq!((numbers(&found), found.complete), (vec![1_999, 1_998], true));
        let known = HashSet::from(["19990000.1999".to_owned()]);
        assert_eq!(numbers(&newest_first(&path, &since, &known, WIDE).unwrap()), [1_998]);
        assert!(newest_first(&dir.path().join("none"), &since, &known, WIDE).unwrap().complete);
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.json");
        fs::write(&path, format!("{}\n{}\n{}\n", alert(1, 1, 0), "x".repeat(LONGEST + 600_000), alert(2, 2, 0)))
            .unwrap();
        let found = newest_first(&path, &Filter::default(), &HashSet::new(), WIDE).unwrap();
        assert_eq!(numbers(&found), [2, 1]);
    }

    #[test]
    fn numbers_of_records() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.log");
        fs::write(
            &path,
            "** Alert 5.8: mail  - a\nx\n\n** Alert 6.9: - a\n** Alert 6.18446744073709551615: no\n** Alert z\n",
        )
        .unwrap();
        assert_eq!(last_record(&path), 9);
    }
}
