//! The gateway reached by ssh, as where it is a machine of its own.

use super::install::{Install, LOG, failed};
use super::lab::{Lab, turn, within};

fn elements(lab: &Lab, known_hosts: &str) -> String {
    format!(
        "<transport>ssh</transport><address>root@{}</address><identity_file>{}</identity_file><known_hosts>{known_hosts}</known_hosts>",
        lab.env("LAB_GATEWAY"),
        lab.env("LAB_GATEWAY_KEY")
    )
}

#[test]
fn blocks_reach_the_gateway_by_ssh() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab).gateway(&elements(&lab, lab.env("LAB_GATEWAY_KNOWN_HOSTS")));
    let _daemon = install.start();
    let (four, six) = (lab.env("LAB_ATTACKER4"), lab.env("LAB_ATTACKER6"));
    lab.writes("12-ssh", LOG, failed("blockme", four, 1) + &failed("blockme", six, 2));
    within(12.0, "the first two blocks", || lab.left("global-blk4", four).and(lab.left("global-blk6", six)));
    assert!(!lab.ping("attacker", "12-ssh"));
    assert!(!lab.ping("attacker", "12-ssh/6"));
    within(2.0, "the block is active", || (install.block_state(four)? == "active").then_some(()));
    // The line is kept: a second block needs no new session.
    lab.writes("12-ssh", LOG, failed("blockme", "203.0.113.31", 3));
    let (_, took) = within(5.0, "one more block", || lab.left("global-blk4", "203.0.113.31"));
    assert!(took.as_secs_f64() < 1.0, "the second block took {took:?}");
}

#[test]
fn a_restarted_gateway_is_reached_by_ssh_again() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab).gateway(&elements(&lab, lab.env("LAB_GATEWAY_KNOWN_HOSTS")));
    let _daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER4");
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(12.0, "the entry", || lab.left("global-blk4", attacker));
    lab.does(&["restart", "10-gateway", "--hard"]);
    within(40.0, "the entry is back", || lab.left("global-blk4", attacker));
}

#[test]
fn a_gateway_with_a_strange_host_key_gets_nothing() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let strange = install.dir().join("known_hosts");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    std::fs::write(&strange, format!("{} {key}\n", lab.env("LAB_GATEWAY"))).unwrap();
    let install = install.gateway(&elements(&lab, strange.to_str().unwrap()));
    let _daemon = install.start();
    lab.writes("12-ssh", LOG, failed("blockme", "203.0.113.32", 1));
    within(5.0, "the block is pending", || (install.block_state("203.0.113.32")? == "pending").then_some(()));
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(lab.does(&["sets"]), "");
}
