//! Names of rotated files: which path is an earlier generation of which.
//!
//! `auth.log.1`, `auth.log-20261124`, `auth.log.2.gz`, `auth.log.old` and, with logrotate's `extension`,
//! `auth-20261124.log` and `auth.1.log` all come from `auth.log`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Longest suffix that is looked at.
const SUFFIX: usize = 40;

/// Tells whether a path bears the name of an earlier generation of another.
pub(super) fn is_generation(of: &Path, path: &Path) -> bool {
    if of.parent() != path.parent() {
        return false;
    }
    let (Some(of), Some(name)) = (of.file_name(), path.file_name()) else { return false };
    let (of, name) = (of.as_bytes(), name.as_bytes());
    if let Some(suffix) = name.strip_prefix(of) {
        return is_suffix(suffix);
    }
    let Some((stem, ending)) = split(of) else { return false };
    let middle = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending));
    middle.is_some_and(is_number)
}

/// Tells whether a path is an earlier generation of one of many.
pub(super) fn comes_from(paths: &BTreeSet<&Path>, path: &Path) -> bool {
    let Some(name) = path.file_name().map(OsStrExt::as_bytes) else { return false };
    let has = |base: &[u8]| {
        let base: PathBuf = path.with_file_name(OsStr::from_bytes(base));
        base != path && paths.contains(base.as_path())
    };
    let from = name.len().saturating_sub(SUFFIX).max(1);
    if (from..name.len()).any(|at| is_suffix(&name[at..]) && has(&name[..at])) {
        return true;
    }
    let Some((stem, ending)) = split(name) else { return false };
    let from = stem.len().saturating_sub(SUFFIX).max(1);
    (from..stem.len()).any(|at| is_number(&stem[at..]) && has(&[&stem[..at], ending].concat()))
}

/// A name before and from its last dot.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = memchr::memrchr(b'.', name).filter(|dot| *dot > 0)?;
    Some(name.split_at(dot))
}

/// What a rotation puts behind a name.
fn is_suffix(suffix: &[u8]) -> bool {
    let bare = [b".gz".as_slice(), b".xz", b".bz2", b".zst"]
        .iter()
        .find_map(|packed| suffix.strip_suffix(*packed))
        .unwrap_or(suffix);
    matches!(bare, b".old" | b".bak" | b".prev" | b".save" | b"~") || is_number(bare)
}

/// `.1`, `-20261124`, `_2026-11-24T10.00`: begins with a mark, then digits and marks, the first of them a digit.
fn is_number(text: &[u8]) -> bool {
    let digits = |bytes: &[u8]| {
        bytes.first().is_some_and(u8::is_ascii_digit)
            && bytes.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'T'))
    };
    match text {
        [b'.' | b'-' | b'_', rest @ ..] => digits(rest),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_by_name() {
        let of = Path::new("/var/log/auth.log");
        for (name, want) in [
            ("auth.log.1", true),
            ("auth.log.12.gz", true),
            ("auth.log-20261124", true),
            ("auth.log-2026-11-24T10:00.xz", true),
            ("auth.log.old", true),
            ("auth.log~", true),
            ("auth-20261124.log", true),
            ("auth.1.log", true),
            ("auth.log", false),
            ("auth.log.audit", false),
            ("auth.log2", false),
            ("auth.log.", false),
            ("author-1.log", false),
            ("auth2.log", false),
            ("other.log.1", false),
        ] {
            let path = Path::new("/var/log").join(name);
            assert_eq!(is_generation(of, &path), want, "{name}");
            assert_eq!(comes_from(&BTreeSet::from([of]), &path), want, "{name}");
        }
        assert!(!is_generation(of, Path::new("/var/log/old/auth.log.1")));
        assert!(!comes_from(&BTreeSet::new(), Path::new("/")));
    }
}
