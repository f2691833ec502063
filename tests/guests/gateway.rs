//! The gateway forgets, goes away and comes back; what stands in its sets is compared, not assumed.

use std::time::Duration;

use super::install::{Install, LOG, failed};
use super::lab::{turn, within};

#[test]
fn a_flushed_set_is_filled_again_with_the_time_that_is_left() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab).timeout(600);
    let _daemon = install.start();
    let (four, six) = (lab.env("LAB_ATTACKER4"), lab.env("LAB_ATTACKER6"));
    lab.writes("12-ssh", LOG, failed("blockme", four, 1) + &failed("blockme", six, 2));
    within(2.0, "both entries", || lab.left("global-blk4", four).and(lab.left("global-blk6", six)));
    std::thread::sleep(Duration::from_secs(2));
    lab.does(&["flush"]);
    let ((left4, left6), took) =
        within(32.0, "both are back", || lab.left("global-blk4", four).zip(lab.left("global-blk6", six)));
    // What has gone by since the block began is not given again.
    let most = 600 - 1 - took.as_secs();
    assert!(
        (540..=most).contains(&left4) && (540..=most).contains(&left6),
        "{left4} and {left6} s left after {took:?}"
    );
    assert!(!lab.ping("attacker", "12-ssh"));
}

#[test]
fn a_restarted_gateway_gets_its_blocks_back() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER4");
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(1.0, "the entry", || lab.left("global-blk4", attacker));
    lab.does(&["restart", "10-gateway", "--hard"]);
    within(32.0, "the entry is back", || lab.left("global-blk4", attacker));
    within(2.0, "the block is active", || (install.block_state(attacker)? == "active").then_some(()));
    assert!(!lab.ping("attacker", "12-ssh"));
    // And new ones arrive in the new sets, not in those of the dead namespace.
    lab.writes("12-ssh", LOG, failed("blockme", "203.0.113.21", 2));
    within(2.0, "a new block", || lab.left("global-blk4", "203.0.113.21"));
}

#[test]
fn what_cannot_be_blocked_yet_is_pending_and_done_later() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    lab.does(&["stop", "10-gateway", "--hard"]);
    let attacker = lab.env("LAB_ATTACKER4");
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(3.0, "the block is pending", || (install.block_state(attacker)? == "pending").then_some(()));
    lab.does(&["start", "10-gateway"]);
    within(32.0, "the block is active", || (install.block_state(attacker)? == "active").then_some(()));
    assert!(lab.left("global-blk4", attacker).is_some());
    assert!(!lab.ping("attacker", "12-ssh"));
}

#[test]
fn a_gateway_that_is_down_when_hids_starts_is_no_end() {
    let Some(lab) = turn() else { return };
    lab.does(&["stop", "10-gateway", "--hard"]);
    let install = Install::new(&lab);
    let _daemon = install.start();
    let attacker = "203.0.113.22";
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(3.0, "the block is pending", || (install.block_state(attacker)? == "pending").then_some(()));
    lab.does(&["start", "10-gateway"]);
    within(32.0, "the entry", || lab.left("global-blk4", attacker));
}

#[test]
fn blocks_sync_compares_at_once() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    let attacker = "203.0.113.23";
    lab.writes("12-ssh", LOG, failed("blockme", attacker, 1));
    within(1.0, "the entry", || lab.left("global-blk4", attacker));
    lab.does(&["flush"]);
    let out = install.ask(&["blocks", "sync"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    within(2.0, "the entry is back", || lab.left("global-blk4", attacker));
}
