#![allow(clippy::disallowed_methods)]

use super::*;

fn facts(text: &str) -> Facts {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, text).unwrap();
    read(&config).unwrap()
}

#[test]
fn present_keys_are_read() {
    let facts = facts(
        "# lxc.uts.name = no\n lxc.uts.name=12-ssh\nlxc.rootfs.path = dir:/var/lib/lxc/12-ssh/rootfs\n\
         lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n\
         lxc.net.1.type = veth\nlxc.net.1.ipv6.address = 2001:db8::5/64\n\
         lxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.hwaddr = 00:16:3E:AA:BB:CC\n\
         lxc.net.0.ipv4.address = 10.0.3.5/24 10.0.3.255\nlxc.net.0.ipv4.gateway = 10.0.3.1\n\
         lxc.net.0.ipv6.gateway = auto\nlxc.start.auto = 1\nlxc.group = onboot\nlxc.made.up = 7\nnonsense\n",
    );
    assert_eq!(facts.hostname.as_deref(), Some("12-ssh"));
    assert_eq!(facts.rootfs, Rootfs { store: Store::Dir, source: "/var/lib/lxc/12-ssh/rootfs".into() });
    assert_eq!(facts.idmap.host_user(0), Some(100_000));
    assert_eq!(facts.networks.len(), 2);
    assert_eq!(facts.networks[0].link.as_deref(), Some("lxcbr0"));
    assert_eq!(facts.networks[0].hwaddr.as_deref(), Some("00:16:3e:aa:bb:cc"));
    assert_eq!(facts.networks[0].gateways, ["10.0.3.1".parse::<IpAddr>().unwrap()]);
    let addresses: Vec<String> = facts.addresses().map(|address| address.to_string()).collect();
    assert_eq!(addresses, ["10.0.3.5", "2001:db8::5"]);
    assert!(facts.autostart);
    assert_eq!(facts.groups, ["onboot"]);
}

#[test]
fn keys_of_before_lxc_2_1_are_read() {
    let facts = facts(
        "lxc.utsname = old\nlxc.rootfs = /srv/old/rootfs\nlxc.id_map = b 0 5000 10\n\
         lxc.network.type = veth\nlxc.network.link = br0\nlxc.network.ipv4 = 192.0.2.9/24\n\
         lxc.network.type = empty\nlxc.network.ipv4 = 192.0.2.10\n",
    );
    assert_eq!(facts.hostname.as_deref(), Some("old"));
    assert!(facts.rootfs.is_folder());
    assert_eq!(facts.idmap.host_group(9), Some(5009));
    assert_eq!(facts.networks.len(), 2);
    assert_eq!(facts.networks[1].addresses, ["192.0.2.10".parse::<IpAddr>().unwrap()]);
}

#[test]
fn kinds_of_roots_are_told_apart() {
    for (value, store, source) in [
        ("/a/b", Store::Dir, "/a/b"),
        ("btrfs:/a", Store::Btrfs, "/a"),
        ("overlay:/lower:/upper", Store::Overlay, "/lower"),
        ("overlayfs:/lower:/upper", Store::Overlay, "/lower"),
        ("loop:/a/rootdev", Store::Loop, "/a/rootdev"),
        ("zfs:tank/web", Store::Zfs, "tank/web"),
        ("lvm:/dev/vg/web", Store::Lvm, "/dev/vg/web"),
        ("/a:b", Store::Dir, "/a:b"),
        ("", Store::None, ""),
    ] {
        assert_eq!(Rootfs::parse(value), Rootfs { store, source: source.into() }, "{value}");
    }
}

#[test]
fn an_empty_value_takes_back_what_an_include_said() {
    let facts = facts(
        "lxc.net.0.type = veth\nlxc.net.0.ipv4.address = 192.0.2.1\nlxc.net.0.ipv6.address = 2001:db8::1\n\
         lxc.net.0.ipv4.address =\nlxc.net.1.type = veth\nlxc.net.1 =\nlxc.idmap = u 0 1 2\nlxc.idmap =\n",
    );
    assert_eq!(facts.networks.len(), 1);
    assert_eq!(facts.networks[0].addresses, ["2001:db8::1".parse::<IpAddr>().unwrap()]);
    assert!(facts.idmap.is_privileged());
}

#[test]
fn includes_are_followed_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let parts = folder.path().join("parts");
    std::fs::create_dir(&parts).unwrap();
    std::fs::write(parts.join("b.conf"), "lxc.uts.name = b\n").unwrap();
    std::fs::write(parts.join("a.conf"), format!("lxc.uts.name = a\nlxc.include = {}\n", config.display())).unwrap();
    std::fs::write(parts.join("c.txt"), "lxc.uts.name = c\n").unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let text = format!(
        "lxc.include = {}\nlxc.include = {}\nlxc.include = /nowhere\nlxc.start.auto = 1\n",
        parts.display(),
        fifo.display()
    );
    std::fs::write(&config, text).unwrap();
    let facts = read(&config).unwrap();
    assert_eq!(facts.hostname.as_deref(), Some("b"));
    assert!(facts.autostart);
    assert!(read(&folder.path().join("none")).is_err());
    assert!(read(&fifo).is_err());
}

#[test]
fn a_huge_or_binary_file_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let mut bytes = vec![0xFF; 300_000];
    bytes.extend_from_slice(b"\nlxc.uts.name = late\n");
    std::fs::write(&config, &bytes).unwrap();
    assert_eq!(read(&config).unwrap(), Facts::default());
    let many: String = (0..10_000).map(|i| format!("lxc.net.{i}.ipv4.address = 192.0.2.1\n")).collect();
    assert!(facts(&many).networks.len() <= MOST);
}
