#![allow(clippy::disallowed_methods)]

use super::*;
use crate::guest::lxc::{Facts, Network};
use crate::guest::{Name, State};
use std::time::SystemTime;

fn guest(name: &str, mac: &str, addresses: &[&str]) -> Arc<Guest> {
    let network = Network {
        link: Some("lxcbr0".into()),
        hwaddr: Some(mac.into()),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        ..Network::default()
    };
    Arc::new(Guest {
        name: Name::new(name),
        lxc_name: name.into(),
        lxc_path: "/var/lib/lxc".into(),
        dir: format!("/var/lib/lxc/{name}").into(),
        state: State::Stopped,
        init: None,
        seen: SystemTime::UNIX_EPOCH,
        from_start: true,
        facts: Facts { networks: vec![network], ..Facts::default() },
    })
}

fn shown(own: &[Own]) -> Vec<String> {
    own.iter().map(|own| format!("{} {}", own.address, own.whose)).collect()
}

#[test]
fn what_the_host_gave_counts_and_what_a_guest_claims_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files { leases: folder.path().into(), reservations: folder.path().join("dnsmasq.conf") };
    std::fs::write(
        folder.path().join("dnsmasq.lxcbr0.leases"),
        // The last one took the name of a guest, with a hardware address that no configuration has.
        "1764000000 00:16:3E:00:00:01 10.0.3.11 x *\nnonsense\n1764000000 00:16:3e:ff:ff:ff 10.0.3.66 web *\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("dnsmasq.conf"),
        "# comment\ndhcp-host=web,10.0.3.12\ndhcp-host=00:16:3E:00:00:02,10.0.3.13,[2001:db8::d]\ndhcp-host=other,10.0.3.14\n",
    )
    .unwrap();
    let guests = [
        guest("web", "00:16:3e:00:00:01", &["10.0.3.10", "::ffff:10.0.3.9"]),
        guest("db", "00:16:3e:00:00:02", &["2001:db8::1"]),
    ];
    let mut found = shown(&of_guests(&guests, &files));
    found.sort();
    let expected = [
        "10.0.3.10 guest web",
        "10.0.3.11 guest web",
        "10.0.3.12 guest web",
        "10.0.3.13 guest db",
        "10.0.3.9 guest web",
        "2001:db8::1 guest db",
        "2001:db8::d guest db",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_host_is_there_without_any_file_or_guest() {
    let none = Files { leases: "/nowhere".into(), reservations: "/nowhere".into() };
    let found = shown(&gather(&[], &none).unwrap());
    assert!(found.contains(&"127.0.0.1 host".to_owned()), "{found:?}");
}

#[test]
fn a_gateway_is_asked_in_its_own_network() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: network namespaces need root");
        return;
    }
    let mut child = std::process::Command::new("unshare")
        .args(["-n", "sh", "-c", "ip address add 192.0.2.77/32 dev lo && ip link set lo up && echo && exec cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line).unwrap();
    let proc = Path::new("/proc");
    let init = Init { pid: child.id(), start_time: namespace::start_time(proc, child.id()).unwrap() };
    let found = of_gateway(init, proc);
    let wrong = of_gateway(Init { start_time: 1, ..init }, proc);
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(found.unwrap().contains(&"192.0.2.77".parse().unwrap()));
    assert!(wrong.is_err());
    let here = addresses::here().unwrap();
    assert!(!here.own.contains(&"192.0.2.77".parse().unwrap()), "this thread was moved");
}
