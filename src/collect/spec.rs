//! What is to be followed: a location of the configuration, and whose files it means.

use super::Format;
use crate::guest;
use jiff::Zoned;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// One `<localfile>` with a file: whose, where, in which format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Whose files.
    pub scope: Scope,
    /// The owner's own path (`/var/log/*.log`): may hold `*`, `?`, `[…]` and strftime's `%`.
    pub path: String,
    /// The location as configured: the label of metrics.
    pub label: String,
    /// The format.
    pub format: Format,
}

/// Whose files a location means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The host's.
    Host,
    /// Those of guests whose name matches (`*`, `?`, `[…]`).
    Guest(String),
    /// Those of guests whose folder lies in that LXC path and has a matching name, whatever hids calls the guest.
    Folder {
        /// The LXC path.
        lxc_path: String,
        /// Glob on the folder's name.
        name: String,
    },
    /// Those of every guest.
    EveryGuest,
}

impl FileSpec {
    /// Tells whether this location means files of that guest, `None` being the host. `prefix` is where the guest's root
    /// stands on the host (`LXC_PATH/NAME/rootfs`).
    pub fn means(&self, guest: Option<&guest::Name>, prefix: &Path) -> bool {
        match (&self.scope, guest) {
            (Scope::Host, None) | (Scope::EveryGuest, Some(_)) => true,
            (Scope::Guest(pattern), Some(name)) => wildcard(pattern.as_bytes(), name.as_str().as_bytes()),
            (Scope::Folder { lxc_path, name }, Some(_)) => prefix.parent().is_some_and(|folder| {
                let named = folder.file_name().is_some_and(|own| wildcard(name.as_bytes(), own.as_bytes()));
                named && folder.parent() == Some(Path::new(lxc_path))
            }),
            _ => false,
        }
    }

    /// The path with its date filled in.
    pub(super) fn path_at(&self, now: &Zoned) -> String {
        dated(&self.path, now)
    }

    /// Tells whether the path, its date filled in, names more than one file.
    pub(super) fn is_glob(path: &str) -> bool {
        path.contains(['*', '?', '['])
    }

    /// The key under which the location counts as known (design, decision 12).
    pub(super) fn key(&self) -> Vec<u8> {
        let scope = match &self.scope {
            Scope::Host => "host".to_owned(),
            Scope::EveryGuest => "every".to_owned(),
            Scope::Guest(pattern) => pattern.clone(),
            Scope::Folder { lxc_path, name } => format!("{lxc_path}/{name}"),
        };
        format!("place\0{scope}\0{}", self.path).into_bytes()
    }
}

/// Fills in strftime's conversions one by one, so that one that is unknown stays as it is and spoils nothing else.
fn dated(path: &str, now: &Zoned) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let mut filled = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        filled.push_str(&rest[..at]);
        let letter = rest[at + 1..].chars().next().map_or(0, char::len_utf8);
        let conversion = &rest[at..at + 1 + letter];
        match jiff::fmt::strtime::format(conversion, now) {
            Ok(text) => filled.push_str(&text),
            Err(_) => filled.push_str(conversion),
        }
        rest = &rest[at + 1 + letter..];
    }
    filled.push_str(rest);
    filled
}

/// Matches a name against `*`, `?` and `[…]` (`!` or `^` negate, `a-c` is a range). Linear in pattern times name.
pub(super) fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        let step = match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, seen));
                at += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => match class(&pattern[at..], name[seen]) {
                Some((true, length)) => Some(length),
                Some((false, _)) => None,
                None => (name[seen] == b'[').then_some(1),
            },
            Some(byte) => (*byte == name[seen]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                at += length;
                seen += 1;
            }
            (None, Some((behind, from))) => {
                at = behind;
                seen = from + 1;
                star = Some((behind, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// A class at the head of a pattern: whether it holds the byte, and its length. `None`: it has no end.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = 1 + usize::from(negated);
    let mut at = first;
    let mut found = false;
    loop {
        match pattern.get(at)? {
            b']' if at > first => return Some((found != negated, at + 1)),
            low => match (pattern.get(at + 1), pattern.get(at + 2)) {
                (Some(b'-'), Some(high)) if *high != b']' => {
                    found |= (*low..=*high).contains(&byte);
                    at += 3;
                }
                _ => {
                    found |= *low == byte;
                    at += 1;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_the_shell_has_them() {
        for (pattern, yes, no) in [
            ("*", "12-ssh", ""),
            ("1?-*", "12-ssh", "2-ssh"),
            ("[0-9][0-9]-web", "07-web", "a7-web"),
            ("[!0-9]*", "web", "1web"),
            ("*-*-*", "a-b-c", "a-b"),
            ("a*b*c", "aXbYbZc", "aXbYbZ"),
            ("[]x]", "]", "y"),
        ] {
            assert!(wildcard(pattern.as_bytes(), yes.as_bytes()), "{pattern} {yes}");
            if !no.is_empty() {
                assert!(!wildcard(pattern.as_bytes(), no.as_bytes()), "{pattern} {no}");
            }
        }
        assert!(wildcard(b"[ab", b"[ab"), "a class without an end stands for itself");
        let stars = "*a".repeat(40);
        assert!(!wildcard(stars.as_bytes(), "a".repeat(39).as_bytes()));
    }

    #[test]
    fn dates_are_filled_in_and_the_unknown_is_left() {
        let now = jiff::civil::date(2026, 11, 4).at(3, 2, 1, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        assert_eq!(dated("/var/log/a-%Y%m%d.%H.log", &now), "/var/log/a-20261104.03.log");
        assert_eq!(dated("/x/100%", &now), "/x/100%");
        assert_eq!(dated("/x/%é-%d", &now), "/x/%é-04");
        assert_eq!(dated("/x/%%d", &now), "/x/%d");
    }

    #[test]
    fn a_location_means_whom_it_names() {
        let spec = |scope| FileSpec { scope, path: "/x".into(), label: "/x".into(), format: Format::Lines };
        let name = guest::Name::new("11-nginx");
        let here = Path::new("/var/lib/lxc/11-nginx/rootfs");
        assert!(spec(Scope::Host).means(None, here));
        assert!(!spec(Scope::Host).means(Some(&name), here));
        assert!(spec(Scope::EveryGuest).means(Some(&name), here));
        assert!(!spec(Scope::EveryGuest).means(None, here));
        assert!(spec(Scope::Guest("11-*".into())).means(Some(&name), here));
        assert!(!spec(Scope::Guest("12-*".into())).means(Some(&name), here));
        let folder = |lxc_path: &str, name: &str| spec(Scope::Folder { lxc_path: lxc_path.into(), name: name.into() });
        assert!(folder("/var/lib/lxc", "11-*").means(Some(&name), here));
        assert!(folder("/var/lib/lxc", "11-*").means(Some(&guest::Name::new("11-nginx@/var/lib/lxc")), here));
        assert!(!folder("/srv/lxc", "*").means(Some(&name), here), "of another LXC path");
        assert!(!folder("/var/lib/lxc", "12-*").means(Some(&name), here));
    }
}
