//! Patterns of paths inside a guest (glob(7)): `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before a character that is meant
//! as it stands. They never cross a `/`, and a leading dot must be written. Everything is bounded: a guest may fill a
//! folder with a million names.

use super::error::{Error, Kind};
use super::tree::{FileKind, Tree};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// Names that are looked at in all folders together.
const NAMES: usize = 65_536;
/// Paths that are followed to the next component.
const WIDTH: usize = 4_096;

/// What a pattern found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// The guest's own absolute paths, sorted; links are not resolved.
    pub paths: Vec<PathBuf>,
    /// There are more than were asked for, or a folder held too many names.
    pub cut: bool,
}

/// Tells whether a path holds a pattern at all.
pub fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Tells whether a name matches one component of a pattern.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && !matches!(pattern, [b'.', ..] | [b'\\', b'.', ..]) {
        return false;
    }
    // The usual walk with one point of return: linear in the name for each star, never exponential.
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p + 1, n));
            p += 1;
            continue;
        }
        match step(&pattern[p..], name[n]) {
            Some(length) => (p, n) = (p + length, n + 1),
            None => match back {
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    (p, n) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Length of the pattern's first element if it matches the byte.
fn step(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'\\' => match pattern.get(1) {
            Some(escaped) => (*escaped == byte).then_some(2),
            None => (byte == b'\\').then_some(1),
        },
        b'[' => match bracket(pattern, byte) {
            Some((length, inside)) => inside.then_some(length),
            // Without its end it is a character like any other.
            None => (byte == b'[').then_some(1),
        },
        literal => (literal == byte).then_some(1),
    }
}

/// Length of a bracket expression and whether the byte is meant; none where it has no end.
fn bracket(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    let mut at = first;
    let mut inside = false;
    loop {
        match *pattern.get(at)? {
            b']' if at > first => return Some((at + 1, inside != negated)),
            low => match (pattern.get(at + 1), pattern.get(at + 2)) {
                (Some(b'-'), Some(high)) if *high != b']' => {
                    inside |= (low..=*high).contains(&byte);
                    at += 3;
                }
                _ => {
                    inside |= low == byte;
                    at += 1;
                }
            },
        }
    }
}

/// Finds the paths that a pattern means in a tree.
pub(super) fn expand(tree: &Tree, pattern: &Path, most: usize) -> Result<Matches, Error> {
    let mut found = vec![PathBuf::from("/")];
    let mut cut = false;
    let mut names_left = NAMES;
    let components: Vec<Component<'_>> = pattern.components().collect();
    let mut exists = true;
    for (number, component) in components.iter().enumerate() {
        let part = match component {
            Component::Normal(part) => *part,
            Component::ParentDir => OsStr::new(".."),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
        };
        let last = number + 1 == components.len();
        if !is_pattern(Path::new(part)) {
            let plain = unescaped(part);
            for path in &mut found {
                path.push(&plain);
            }
            exists = false;
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let listing = match tree.listing(folder, names_left) {
                Ok(listing) => listing,
                Err(cause) if is_absence(cause.kind()) => continue,
                Err(cause) => return Err(cause),
            };
            cut |= listing.cut;
            names_left -= listing.entries.len().min(names_left);
            for entry in listing.entries {
                let way = matches!(entry.kind, FileKind::Folder | FileKind::Link | FileKind::Unknown);
                if (last || way) && matches(part.as_bytes(), entry.name.as_bytes()) {
                    next.push(folder.join(entry.name));
                }
            }
        }
        next.sort();
        if next.len() > WIDTH {
            next.truncate(WIDTH);
            cut = true;
        }
        (found, exists) = (next, true);
    }
    if !exists {
        found.retain(|path| tree.meta(path, true).is_ok());
    }
    if found.len() > most {
        found.truncate(most);
        cut = true;
    }
    Ok(Matches { paths: found, cut })
}

/// What makes a folder no part of the answer, instead of the answer an error.
fn is_absence(kind: Kind) -> bool {
    matches!(kind, Kind::NotFound | Kind::NotFolder | Kind::SafetyViolation | Kind::Denied | Kind::Invalid | Kind::Busy)
}

fn unescaped(part: &OsStr) -> OsString {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(if *byte == b'\\' { *rest.next().unwrap_or(byte) } else { *byte });
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_match_as_glob_7_says() {
        for (pattern, name, expected) in [
            ("*access.log", "web-access.log", true),
            ("*access.log", "access.log", true),
            ("*access.log", "access.log.1", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("?ab", "xab", true),
            ("?", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]]x", "]x", true),
            ("[a-]x", "-x", true),
            ("[ax", "[ax", true),
            ("\\*x", "*x", true),
            ("\\*x", "ax", false),
            ("a\\", "a\\", true),
            ("**", "anything", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hostile_name_costs_no_exponential_time() {
        let name = vec![b'a'; 255];
        let pattern = b"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
        let begun = std::time::Instant::now();
        assert!(!matches(pattern, &name));
        assert!(begun.elapsed().as_secs() < 1);
    }
}
