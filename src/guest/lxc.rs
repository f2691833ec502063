//! What a guest's LXC configuration says (lxc.container.conf(5)).
//!
//! The file is the host's: `LXC_PATH/NAME/config`, never anything inside the guest's root. Only the keys that hids needs
//! are read; unknown ones are nobody's business. Keys of before LXC 2.1 (`lxc.utsname`, `lxc.rootfs`, `lxc.network.*`)
//! are read as well. Includes are followed, bounded in depth, number and size; cycles end there.

use super::idmap::IdMap;
use crate::sys::hostfile;
use serde::Serialize;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Bytes of one file that are read.
const FILE_LIMIT: usize = 256 * 1024;
/// Files of one guest that are read, includes counted.
const FILES: usize = 64;
/// How deep includes may lie.
const DEPTH: usize = 8;
/// Networks, addresses of one network, and mounts that are kept.
const MOST: usize = 256;

/// What hids wants to know of a guest's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The host name it is given (`lxc.uts.name`).
    pub hostname: Option<String>,
    /// Where its root lies.
    pub rootfs: Rootfs,
    /// Its map of users and groups.
    pub idmap: IdMap,
    /// Its network interfaces, in the order of their numbers.
    pub networks: Vec<Network>,
    /// The folder below the cgroup root that it is put into, where one is set (`lxc.cgroup.dir`,
    /// `lxc.cgroup.dir.container`).
    pub cgroup_dir: Option<String>,
    /// Started with the host (`lxc.start.auto`).
    pub autostart: bool,
    /// The groups it is in (`lxc.group`).
    pub groups: Vec<String>,
}

impl Facts {
    /// All addresses that the configuration gives the guest.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.networks.iter().flat_map(|network| network.addresses.iter().copied())
    }
}

/// How a guest's root is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// None configured: the guest shares the host's root, and hids has nothing to read of it.
    #[default]
    None,
    /// A folder on the host.
    Dir,
    /// A btrfs subvolume: a folder on the host as well.
    Btrfs,
    /// An overlay: the merged view exists only while the guest runs.
    Overlay,
    /// An image, mounted only while the guest runs.
    Loop,
    /// A ZFS data set.
    Zfs,
    /// A logical volume.
    Lvm,
    /// Another of LXC's kinds (nbd, rbd).
    Other,
}

/// A guest's root: `lxc.rootfs.path = KIND:SOURCE`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rootfs {
    /// How it is stored.
    pub store: Store,
    /// Where: the folder, image or device; of an overlay the lower layer.
    pub source: PathBuf,
}

impl Rootfs {
    /// Reads the value of `lxc.rootfs.path` or of the older `lxc.rootfs`.
    pub fn parse(value: &str) -> Self {
        let known = [
            ("dir", Store::Dir),
            ("btrfs", Store::Btrfs),
            ("overlay", Store::Overlay),
            ("overlayfs", Store::Overlay),
            ("loop", Store::Loop),
            ("zfs", Store::Zfs),
            ("lvm", Store::Lvm),
            ("nbd", Store::Other),
            ("rbd", Store::Other),
        ];
        if let Some((kind, source)) = value.split_once(':')
            && let Some((_, store)) = known.iter().find(|(name, _)| *name == kind)
        {
            let source = if *store == Store::Overlay { source.split(':').next().unwrap_or("") } else { source };
            return Self { store: *store, source: source.into() };
        }
        let store = if value.is_empty() { Store::None } else { Store::Dir };
        Self { store, source: value.into() }
    }

    /// Tells whether the root is a folder that the host sees also while the guest is stopped.
    pub fn is_folder(&self) -> bool {
        matches!(self.store, Store::Dir | Store::Btrfs)
    }
}

/// One of a guest's network interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Its number in the configuration.
    pub index: u32,
    /// Its type: `veth`, `macvlan`, `phys`, `none` (the host's network), `empty`, ….
    pub kind: String,
    /// The host's bridge or interface that it hangs on.
    pub link: Option<String>,
    /// The interface's name inside the guest.
    pub name: Option<String>,
    /// The name of the host's end of a veth pair.
    pub pair: Option<String>,
    /// The hardware address.
    pub hwaddr: Option<String>,
    /// The addresses that LXC sets.
    pub addresses: Vec<IpAddr>,
    /// The gateways that LXC sets.
    pub gateways: Vec<IpAddr>,
}

/// Reads a guest's configuration file and what it includes. What cannot be read of the includes is left out.
///
/// # Errors
///
/// The configuration file itself cannot be read.
pub fn read(config: &Path) -> io::Result<Facts> {
    let bytes = hostfile::read_regular(config, FILE_LIMIT)?;
    let mut reader = Reader { facts: Facts::default(), files: 1, old_network: None };
    reader.text(&String::from_utf8_lossy(&bytes), 0);
    reader.facts.networks.sort_by_key(|network| network.index);
    Ok(reader.facts)
}

struct Reader {
    facts: Facts,
    files: usize,
    /// Number of the network that the older `lxc.network.*` keys speak of.
    old_network: Option<u32>,
}

impl Reader {
    fn text(&mut self, text: &str, depth: usize) {
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with('#') {
                continue;
            }
            if let Some((key, value)) = line.split_once('=') {
                let value = value.trim();
                let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                let unquoted = unquoted.or_else(|| value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')));
                self.setting(key.trim(), unquoted.unwrap_or(value), depth);
            }
        }
    }

    fn setting(&mut self, key: &str, value: &str, depth: usize) {
        let facts = &mut self.facts;
        match key {
            "lxc.include" => self.include(Path::new(value), depth),
            "lxc.uts.name" | "lxc.utsname" => facts.hostname = (!value.is_empty()).then(|| value.to_owned()),
            "lxc.rootfs.path" | "lxc.rootfs" => facts.rootfs = Rootfs::parse(value),
            "lxc.idmap" | "lxc.id_map" if value.is_empty() => facts.idmap = IdMap::default(),
            "lxc.idmap" | "lxc.id_map" => {
                facts.idmap.add_lxc(value);
            }
            "lxc.cgroup.dir" | "lxc.cgroup.dir.container" => {
                facts.cgroup_dir = (!value.is_empty()).then(|| value.trim_matches('/').to_owned());
            }
            "lxc.start.auto" => facts.autostart = value == "1",
            "lxc.group" if value.is_empty() => facts.groups.clear(),
            "lxc.group" if facts.groups.len() < MOST => facts.groups.push(value.to_owned()),
            "lxc.net" | "lxc.network" if value.is_empty() => {
                facts.networks.clear();
                self.old_network = None;
            }
            "lxc.network.type" => {
                let next = self.old_network.map_or(0, |last| last + 1);
                self.old_network = Some(next);
                self.network(next, "type", value);
            }
            _ => {
                if let Some(rest) = key.strip_prefix("lxc.net.") {
                    let (index, what) = rest.split_once('.').unwrap_or((rest, ""));
                    if let Ok(index) = index.parse() {
                        self.network(index, what, value);
                    }
                } else if let (Some(what), Some(index)) = (key.strip_prefix("lxc.network."), self.old_network) {
                    self.network(index, what, value);
                }
            }
        }
    }

    fn network(&mut self, index: u32, what: &str, value: &str) {
        let networks = &mut self.facts.networks;
        if what.is_empty() {
            networks.retain(|network| network.index != index || !value.is_empty());
            return;
        }
        let at = match networks.iter().position(|network| network.index == index) {
            Some(at) => at,
            None if networks.len() >= MOST => return,
            None => {
                networks.push(Network { index, ..Network::default() });
                networks.len() - 1
            }
        };
        let network = &mut networks[at];
        let text = || (!value.is_empty()).then(|| value.to_owned());
        match what {
            "type" => network.kind = value.to_owned(),
            "link" => network.link = text(),
            "name" => network.name = text(),
            "veth.pair" => network.pair = text(),
            "hwaddr" => network.hwaddr = text().map(|mac| mac.to_ascii_lowercase()),
            "ipv4.address" | "ipv4" | "ipv6.address" | "ipv6" => {
                if value.is_empty() {
                    let six = what.starts_with("ipv6");
                    network.addresses.retain(|address| address.is_ipv6() != six);
                } else if let Some(address) = address(value)
                    && network.addresses.len() < MOST
                {
                    network.addresses.push(address);
                }
            }
            "ipv4.gateway" | "ipv6.gateway" => {
                if let Some(gateway) = address(value)
                    && network.gateways.len() < MOST
                {
                    network.gateways.push(gateway);
                }
            }
            _ => {}
        }
    }

    /// A file, or the `*.conf` of a folder, in the order of their names.
    fn include(&mut self, path: &Path, depth: usize) {
        if depth >= DEPTH {
            return;
        }
        let files = match hostfile::list(path, 4 * FILES) {
            Ok(mut names) => {
                names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "conf"));
                names.sort();
                names.into_iter().map(|name| path.join(name)).collect()
            }
            Err(_) => vec![path.to_owned()],
        };
        for file in files {
            if self.files >= FILES {
                return;
            }
            self.files += 1;
            if let Ok(bytes) = hostfile::read_regular(&file, FILE_LIMIT) {
                self.text(&String::from_utf8_lossy(&bytes), depth + 1);
            }
        }
    }
}

/// The address of `10.0.3.5/24 10.0.3.255`.
fn address(value: &str) -> Option<IpAddr> {
    let first = value.split_ascii_whitespace().next()?;
    first.split('/').next()?.parse().ok()
}

#[cfg(test)]
#[path = "lxc_tests.rs"]
mod tests;
