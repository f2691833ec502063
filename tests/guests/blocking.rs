//! Attackers are shut out at the gateway, over both families, and only they.

use super::install::{Install, LOG, failed};
use super::lab::{turn, within};

#[test]
fn guessing_passwords_shuts_the_attacker_out_over_ipv4() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER4");
    assert!(lab.ping("attacker", "12-ssh"), "the attacker's packets pass before");
    assert!(lab.guessed(&["attack-ssh", "--user", "bob", "--count", "10"]), "ten guesses were let through");
    assert!(lab.left("global-blk4", attacker).is_some_and(|left| left > 1700));
    assert!(!lab.ping("attacker", "12-ssh"), "the attacker's packets still pass");
    assert!(!lab.ping("attacker", "11-nginx"), "the attacker's packets still pass to another guest");
    assert!(lab.ping("neighbour", "12-ssh"), "the neighbour is shut out too");
    let (row, _) =
        within(2.0, "the block is active", || install.block(attacker).filter(|row| row["state"] == "active"));
    assert_eq!(
        (row["rule"].as_u64(), row["guest"].as_str(), row["set"].as_str()),
        (Some(5720), Some("12-ssh"), Some("global-blk4")),
        "{row}"
    );
    let alert = install.alerts_of(5720).pop().unwrap();
    assert_eq!(alert["events"].as_array().map(Vec::len), Some(3), "the lines that led to it: {alert}");
}

#[test]
fn guessing_passwords_shuts_the_attacker_out_over_ipv6() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER6");
    assert!(lab.ping("attacker", "12-ssh/6"), "the attacker's packets pass before");
    assert!(lab.guessed(&["attack-ssh6", "--user", "bob", "--count", "10"]), "ten guesses were let through");
    assert!(lab.left("global-blk6", attacker).is_some_and(|left| left > 1700));
    assert!(!lab.ping("attacker", "12-ssh/6"), "the attacker's packets still pass");
    assert!(lab.ping("neighbour", "12-ssh/6"), "the neighbour is shut out too");
    assert!(lab.ping("attacker", "12-ssh"), "only the address that attacked is blocked");
    within(2.0, "the block is active", || (install.block_state(attacker)? == "active").then_some(()));
}

#[test]
fn a_web_scan_shuts_the_scanner_out() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    let scanner = "203.0.113.80";
    assert!(lab.guessed(&["scan-web", "--from", scanner, "--count", "40"]), "forty pages were answered");
    assert!(lab.left("global-blk4", scanner).is_some());
    assert!(lab.ping("attacker", "11-nginx"), "another address of the same machine still passes");
    let (row, _) = within(2.0, "the block is listed", || install.block(scanner));
    assert_eq!((row["rule"].as_u64(), row["guest"].as_str()), (Some(31151), Some("11-nginx")), "{row}");
}

#[test]
fn the_right_password_blocks_nobody() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    for _ in 0..3 {
        let out = lab.does(&["attack-ssh", "--user", "bob", "--password", "builder", "--count", "1"]);
        assert!(out.contains("accepted"), "{out}");
    }
    within(3.0, "the sessions are told", || (install.alerts_of(5501).len() == 3).then_some(()));
    assert_eq!(lab.does(&["sets"]), "");
}

#[test]
fn a_block_ends_when_its_time_is_over() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab).timeout(3);
    let _daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER4");
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(1.0, "the entry", || lab.left("global-blk4", attacker));
    assert!(!lab.ping("attacker", "12-ssh"));
    within(5.0, "the attacker's packets pass again", || lab.ping("attacker", "12-ssh").then_some(()));
    within(2.0, "the block is no longer active", || {
        (install.block_state(attacker).as_deref() != Some("active")).then_some(())
    });
}

#[test]
fn the_users_own_addresses_are_never_blocked() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    // The white list, the gateway's two addresses, loopback, another guest over IPv6: told, and left alone.
    let own = [
        "10.126.160.77",
        "198.51.100.1",
        "10.126.160.1",
        "127.0.0.2",
        "fd26:160::11",
        "::ffff:10.126.160.78",
        "fe80::1",
    ];
    for (number, address) in own.iter().enumerate() {
        lab.writes("12-ssh", LOG, failed("blockme", address, number));
    }
    within(3.0, "all are told", || (install.alerts_of(100_900).len() == own.len()).then_some(()));
    lab.writes("12-ssh", LOG, failed("blockme", "203.0.113.81", 99));
    within(2.0, "a stranger is blocked", || lab.left("global-blk4", "203.0.113.81"));
    assert_eq!(lab.does(&["sets"]).lines().count(), 1, "only the stranger stands there: {}", lab.does(&["sets"]));
}

#[test]
fn each_guest_counts_alone() {
    let Some(lab) = turn() else { return };
    lab.light("30-one");
    lab.light("31-two");
    let install = Install::new(&lab);
    let _daemon = install.start();
    let attacker = "203.0.113.82";
    // 5720 fires on the fourth event. Two here and two there are two and two.
    for number in 0..2 {
        lab.writes("30-one", LOG, failed("root", attacker, number));
        lab.writes("31-two", LOG, failed("root", attacker, number + 10));
    }
    within(2.0, "four events are told", || (install.alerts_of(5716).len() == 4).then_some(()));
    assert!(install.block(attacker).is_none(), "guests are counted together");
    for number in 20..22 {
        lab.writes("30-one", LOG, failed("root", attacker, number));
    }
    let (alert, _) = within(2.0, "the fourth on 30-one", || install.alerts_of(5720).pop());
    assert_eq!(alert["guest"], "30-one");
}

#[test]
fn a_block_is_made_and_lifted_by_hand() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    let address = lab.env("LAB_ATTACKER4");
    let out = install.ask(&["blocks", "add", address]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    within(2.0, "the entry", || lab.left("global-blk4", address));
    assert!(!lab.ping("attacker", "12-ssh"));
    let out = install.ask(&["blocks", "remove", address]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    within(2.0, "no entry", || lab.left("global-blk4", address).is_none().then_some(()));
    assert!(lab.ping("attacker", "12-ssh"));
    assert_eq!(install.ask(&["blocks", "remove", address]).status.code(), Some(1), "nobody is blocked by that address");
}
