//! What kind of file system a file lies on (statfs(2)), and whether reading there may hang.

use std::fmt;
use std::io;
use std::os::fd::AsFd;

/// A file system's magic number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FsType(pub u64);

/// Local file systems whose reads end: they wait for a disk at most. By statfs(2) and `linux/magic.h`.
const PLAIN: &[(u64, &str)] = &[
    (0xEF53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683E, "btrfs"),
    (0x0102_1994, "tmpfs"),
    (0x8584_58F6, "ramfs"),
    (0x2FC1_2FC1, "zfs"),
    (0xF2F5_2010, "f2fs"),
    (0x3153_464A, "jfs"),
    (0x5265_4973, "reiserfs"),
    (0xCA45_1A4E, "bcachefs"),
    (0x7371_7368, "squashfs"),
    (0xE0F5_E1E2, "erofs"),
];

/// File systems that hold no files but the kernel's own doors. Opening one may already do something.
const PSEUDO: &[(u64, &str)] = &[
    (0x9FA0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0x0027_E0EB, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0xCAFE_4A11, "bpf"),
    (0x1CD1, "devpts"),
    (0xDE5E_81E4, "efivarfs"),
    (0x6165_676C, "pstore"),
    (0x6265_6570, "configfs"),
    (0x4249_4E4D, "binfmt_misc"),
    (0xF97C_FF8C, "selinux"),
    (0x4341_5D53, "smack"),
    (0x6E73_6673, "nsfs"),
    (0x1980_0202, "mqueue"),
    (0x6759_6969, "rpc_pipefs"),
    (0x0BAD_1DEA, "futexfs"),
    (0x5049_5045, "pipefs"),
    (0x534F_434B, "sockfs"),
    (0x0904_1934, "anon_inodefs"),
    (0x0187, "autofs"),
    (0x9584_58F6, "hugetlbfs"),
];

/// Others by name; their reads may hang, because they wait for a program or another machine.
const ODD: &[(u64, &str)] = &[
    (0x6573_5546, "fuse"),
    (0x6969, "nfs"),
    (0x0102_1997, "9p"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x517B, "smb"),
    (0x00C3_6400, "ceph"),
    (0x7375_7245, "coda"),
    (0x5346_414F, "afs"),
    (0x6B41_4653, "afs"),
    (0x794C_7630, "overlayfs"),
    (0xF15F, "ecryptfs"),
];

impl FsType {
    /// Asks the kernel about what a descriptor refers to (`O_PATH` will do).
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub fn of(what: impl AsFd) -> io::Result<Self> {
        let facts = rustix::fs::fstatfs(what)?;
        // Some architectures sign this field; the magic numbers have 32 bits everywhere.
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
        Ok(Self(facts.f_type as u64 & 0xFFFF_FFFF))
    }

    /// A local file system whose reads end.
    pub fn is_plain(self) -> bool {
        PLAIN.iter().any(|(magic, _)| *magic == self.0)
    }

    /// One of the kernel's own doors (`/proc`, `/sys`, …): nothing there is a log.
    pub fn is_pseudo(self) -> bool {
        PSEUDO.iter().any(|(magic, _)| *magic == self.0)
    }

    /// An overlay: as good as its layers, which the one who mounted it has chosen.
    pub fn is_overlay(self) -> bool {
        self.0 == 0x794C_7630
    }

    /// The type's name, where it has one here.
    pub fn name(self) -> Option<&'static str> {
        let all = PLAIN.iter().chain(PSEUDO).chain(ODD);
        all.clone().find(|(magic, _)| *magic == self.0).map(|(_, name)| *name)
    }
}

impl fmt::Display for FsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

impl fmt::Debug for FsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_a_door_and_not_plain() {
        let proc = FsType::of(std::fs::File::open("/proc/self/stat").unwrap()).unwrap();
        assert!(proc.is_pseudo() && !proc.is_plain());
        assert_eq!(proc.to_string(), "proc");
        assert_eq!(FsType(0x77).to_string(), "0x77");
    }
}
