//! Which of the host's user and group numbers a guest's numbers are (user_namespaces(7), `lxc.idmap`).

use serde::Serialize;

/// One range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// First number as the guest sees it.
    pub inside: u32,
    /// First number as the host sees it.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Maps of users and groups. Empty maps mean: the guest's numbers are the host's own (a privileged guest).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IdMap {
    /// Ranges of users.
    pub users: Vec<Range>,
    /// Ranges of groups.
    pub groups: Vec<Range>,
}

/// Ranges that a map may have (user_namespaces(7): 340).
const MOST: usize = 340;

impl IdMap {
    /// Takes the value of one `lxc.idmap` line: `u 0 100000 65536`, with `u`, `g` or `b` (both). Anything else is left
    /// out; tells whether it was taken.
    pub fn add_lxc(&mut self, value: &str) -> bool {
        let mut words = value.split_ascii_whitespace();
        let Some(kind) = words.next() else { return false };
        let mut number = || words.next()?.parse().ok();
        let (Some(inside), Some(outside), Some(count)) = (number(), number(), number()) else { return false };
        let range = Range { inside, outside, count };
        let (user, group) = match kind {
            "u" => (true, false),
            "g" => (false, true),
            "b" => (true, true),
            _ => return false,
        };
        if user && self.users.len() < MOST {
            self.users.push(range);
        }
        if group && self.groups.len() < MOST {
            self.groups.push(range);
        }
        true
    }

    /// Reads the text of `/proc/PID/uid_map` and `gid_map`, the truth while the guest runs. The kernel's whole-range
    /// identity map of a privileged guest becomes an empty map.
    pub fn from_proc(uid_map: &str, gid_map: &str) -> Self {
        Self { users: ranges(uid_map), groups: ranges(gid_map) }
    }

    /// Tells whether the guest's root is the host's root.
    pub fn is_privileged(&self) -> bool {
        self.host_user(0) == Some(0)
    }

    /// The host's number of one of the guest's users; none where it is mapped to nobody.
    pub fn host_user(&self, inside: u32) -> Option<u32> {
        outward(&self.users, inside)
    }

    /// The host's number of one of the guest's groups.
    pub fn host_group(&self, inside: u32) -> Option<u32> {
        outward(&self.groups, inside)
    }

    /// The guest's number of one of the host's users; none where the guest does not know it.
    pub fn guest_user(&self, outside: u32) -> Option<u32> {
        inward(&self.users, outside)
    }

    /// The guest's number of one of the host's groups.
    pub fn guest_group(&self, outside: u32) -> Option<u32> {
        inward(&self.groups, outside)
    }
}

fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    for line in text.lines().take(MOST) {
        let mut numbers = line.split_ascii_whitespace().map(str::parse);
        if let (Some(Ok(inside)), Some(Ok(outside)), Some(Ok(count))) = (numbers.next(), numbers.next(), numbers.next())
        {
            ranges.push(Range { inside, outside, count });
        }
    }
    let whole = Range { inside: 0, outside: 0, count: u32::MAX };
    if ranges == [whole] { Vec::new() } else { ranges }
}

fn outward(ranges: &[Range], inside: u32) -> Option<u32> {
    if ranges.is_empty() {
        return Some(inside);
    }
    let range = ranges.iter().find(|r| inside.checked_sub(r.inside).is_some_and(|by| by < r.count))?;
    range.outside.checked_add(inside - range.inside)
}

fn inward(ranges: &[Range], outside: u32) -> Option<u32> {
    if ranges.is_empty() {
        return Some(outside);
    }
    let range = ranges.iter().find(|r| outside.checked_sub(r.outside).is_some_and(|by| by < r.count))?;
    range.inside.checked_add(outside - range.outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_mapped_both_ways() {
        let mut map = IdMap::default();
        assert!(map.is_privileged());
        assert!(map.add_lxc("u 0 100000 65536"));
        assert!(map.add_lxc("g 0 200000 10"));
        assert!(!map.is_privileged());
        assert_eq!(map.host_user(33), Some(100_033));
        assert_eq!(map.host_user(65536), None);
        assert_eq!(map.guest_user(100_033), Some(33));
        assert_eq!(map.guest_user(0), None);
        assert_eq!((map.host_group(9), map.host_group(10)), (Some(200_009), None));
    }

    #[test]
    fn nonsense_is_left_out_and_edges_do_not_overflow() {
        let mut map = IdMap::default();
        for line in ["", "u", "u 0 1", "x 0 1 2", "u -1 1 2", "u 0 99999999999 2"] {
            assert!(!map.add_lxc(line), "{line}");
        }
        assert!(map.add_lxc("b 10 4294967295 4294967295"));
        assert_eq!(map.host_user(11), None);
        assert_eq!(map.host_user(10), Some(u32::MAX));
    }

    #[test]
    fn the_kernel_identity_map_is_a_privileged_guest() {
        let whole = "         0          0 4294967295\n";
        assert_eq!(IdMap::from_proc(whole, whole), IdMap::default());
        assert_eq!(IdMap::from_proc("0 100000 65536\n", "").host_user(1), Some(100_001));
    }
}
