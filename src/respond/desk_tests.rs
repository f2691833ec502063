//! The desk's bookkeeping, with a gateway played by hand.

use super::super::spare::OwnAddresses;
use super::super::white::WhiteList;
use super::*;
use crate::respond::config::{Gateway, Limits};
use crate::respond::lane::Report;
use crate::respond::reach::{SetFacts, Sets};
use arc_swap::ArcSwap;

const NOW: Millis = 1_000_000_000;

fn net(text: &str) -> IpNet {
    text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)).unwrap()
}

fn spare(white: &[&str]) -> Spare {
    let white: Vec<String> = white.iter().map(|entry| (*entry).to_owned()).collect();
    Spare::new(
        Arc::new(ArcSwap::from_pointee(WhiteList::of(&white))),
        Arc::new(ArcSwap::from_pointee(OwnAddresses::default())),
    )
}

fn sets(timeout: bool, networks: bool) -> Sets {
    let set = |name: &str| Some(SetFacts { name: name.into(), networks, timeout, max: None, references: Some(1) });
    Sets { v4: set("b4"), v6: set("b6") }
}

fn desk() -> Desk {
    let mut desk = Desk::default();
    desk.replace_lanes(vec![Lane::new(1, &Gateway::default())]);
    desk.lanes[0].sets = Some(sets(true, false));
    desk
}

fn wish(address: &str, seconds: i64) -> Wish {
    Wish {
        address: address.parse().unwrap(),
        until: Some(NOW + seconds * 1_000),
        guest: "web1".into(),
        rule: 5712,
        reason: "brute force".into(),
        dry: false,
    }
}

fn offer(desk: &mut Desk, wish: Wish, now: Millis) -> Outcome {
    let net = IpNet::from(wish.address);
    desk.wish(net, wish, None, Instant::now(), &Config::default(), now)
}

/// Writes down what there is, and takes what the gateway is to be told.
fn tasks(desk: &mut Desk, now: Millis) -> Vec<Task> {
    let (_, _, nets) = desk.take_ink(1_000, now);
    desk.written(&nets);
    desk.take_tasks(0, 1_000, now)
}

fn tell(desk: &mut Desk, now: Millis) -> Vec<Op> {
    let tasks = tasks(desk, now);
    for task in &tasks {
        desk.settle(0, task, End::Done);
    }
    tasks.into_iter().map(|task| task.op).collect()
}

fn added(address: &str, timeout: u64) -> Op {
    Op::Add { net: net(address), timeout: Some(timeout) }
}

fn states(desk: &Desk) -> Vec<String> {
    desk.views().into_iter().map(|view| view.state).collect()
}

#[test]
fn nothing_is_told_before_it_is_written() {
    let mut desk = desk();
    assert_eq!(offer(&mut desk, wish("192.0.2.1", 60), NOW), Outcome::New);
    assert!(desk.take_tasks(0, 10, NOW).is_empty());
    assert!(desk.has_ink());
    assert_eq!(tell(&mut desk, NOW + 500), [added("192.0.2.1", 60)]);
    assert_eq!(states(&desk), ["active"]);
    assert!(!desk.has_ink() && !desk.has_work(0));
}

#[test]
fn the_same_address_extends_and_counts() {
    let mut desk = desk();
    offer(&mut desk, wish("192.0.2.1", 60), NOW);
    tell(&mut desk, NOW);
    assert_eq!(offer(&mut desk, wish("192.0.2.1", 30), NOW), Outcome::Merged);
    assert!(tell(&mut desk, NOW).is_empty(), "an earlier end changes nothing");
    assert_eq!(offer(&mut desk, wish("192.0.2.1", 90), NOW), Outcome::Merged);
    assert_eq!(states(&desk), ["active"], "it stays in force while its end moves");
    offer(&mut desk, wish("192.0.2.1", 95), NOW);
    assert_eq!(tell(&mut desk, NOW), [added("192.0.2.1", 95)], "told once");
    let view = &desk.views()[0];
    assert_eq!((view.count, view.until), (4, Some(NOW / 1_000 + 95)));
    let endless = Wish { until: None, ..wish("192.0.2.1", 0) };
    offer(&mut desk, endless, NOW);
    assert_eq!(tell(&mut desk, NOW), [added("192.0.2.1", 0)]);
    offer(&mut desk, wish("192.0.2.1", 500), NOW);
    assert!(tell(&mut desk, NOW).is_empty());
}

#[test]
fn the_set_lets_go_by_itself_or_is_told() {
    let mut desk = desk();
    offer(&mut desk, wish("192.0.2.1", 60), NOW);
    tell(&mut desk, NOW);
    assert_eq!(desk.expire(NOW + 59_999), 0);
    assert_eq!(desk.expire(NOW + 60_000), 1);
    assert!(tell(&mut desk, NOW + 60_000).is_empty());
    assert_eq!(desk.len(), 0);
    let (lines, runs, _) = desk.take_ink(10, NOW);
    assert!(matches!(lines[..], [Line::Gone { .. }]), "{lines:?}");
    assert_eq!(runs.len(), 0, "the run was taken with the first ink");

    desk.lanes[0].sets = Some(sets(false, false));
    offer(&mut desk, wish("192.0.2.2", 60), NOW);
    assert_eq!(tell(&mut desk, NOW), [Op::Add { net: net("192.0.2.2"), timeout: None }]);
    desk.expire(NOW + 60_000);
    assert_eq!(states(&desk), ["removing"]);
    assert_eq!(tell(&mut desk, NOW + 60_000), [Op::Delete { net: net("192.0.2.2") }]);
    assert_eq!(desk.len(), 0);
}

#[test]
fn what_no_gateway_was_told_of_ends_without_one() {
    let mut desk = desk();
    offer(&mut desk, wish("192.0.2.1", 60), NOW);
    assert_eq!(desk.expire(NOW + 60_000), 1);
    assert_eq!(desk.len(), 0);
}

#[test]
fn a_removal_never_overtakes_a_newer_block() {
    let mut desk = desk();
    offer(&mut desk, wish("192.0.2.1", 60), NOW);
    tell(&mut desk, NOW);
    assert!(desk.remove(&net("192.0.2.1")));
    let removal = tasks(&mut desk, NOW);
    assert_eq!(removal[0].op, Op::Delete { net: net("192.0.2.1") });
    // While the gateway is being told, the attacker comes again.
    assert_eq!(offer(&mut desk, wish("192.0.2.1", 90), NOW), Outcome::New);
    desk.settle(0, &removal[0], End::Done);
    assert_eq!(states(&desk), ["pending"]);
    assert_eq!(tell(&mut desk, NOW), [added("192.0.2.1", 90)]);
    assert_eq!(states(&desk), ["active"]);
    assert!(!desk.remove(&net("192.0.2.9")));
}

#[test]
fn an_unreachable_gateway_loses_nothing() {
    let mut desk = desk();
    offer(&mut desk, wish("192.0.2.1", 60), NOW);
    for task in tasks(&mut desk, NOW) {
        desk.settle(0, &task, End::Again);
    }
    assert_eq!(states(&desk), ["pending"]);
    assert_eq!(tell(&mut desk, NOW + 20_000), [added("192.0.2.1", 40)], "with the time that is left");
}

#[test]
fn reconciling_restores_leaves_and_takes_out() {
    let mut desk = desk();
    for last in 1..=4 {
        offer(&mut desk, wish(&format!("192.0.2.{last}"), 600), NOW);
    }
    tell(&mut desk, NOW);
    desk.remove(&net("192.0.2.4"));
    tasks(&mut desk, NOW);
    let entry = |address: &str, timeout| (net(address), Some(timeout));
    let there = [
        entry("192.0.2.1", 598),
        entry("192.0.2.2", 100),
        entry("192.0.2.4", 600),
        entry("203.0.113.9", 7),
        entry("203.0.113.10", 0),
    ];
    let report = desk.reconcile(0, &HashMap::from(there), NOW);
    assert_eq!(report, Report { agree: 1, lost: 1, foreign: 2, error: None });
    let mut told = tell(&mut desk, NOW);
    told.sort_by_key(|op| *op.net());
    assert_eq!(told, [added("192.0.2.2", 600), added("192.0.2.3", 600), Op::Delete { net: net("192.0.2.4") }]);
    assert_eq!(desk.len(), 3);
}

#[test]
fn what_the_ledger_remembers_comes_back() {
    let mut before = desk();
    offer(&mut before, wish("192.0.2.1", 600), NOW);
    offer(&mut before, wish("192.0.2.2", 10), NOW);
    offer(&mut before, wish("10.0.0.1", 600), NOW);
    offer(&mut before, wish("192.0.2.3", 600), NOW);
    tell(&mut before, NOW);
    before.remove(&net("192.0.2.3"));
    let records = before.records(NOW);

    let mut desk = desk();
    desk.load(records.clone(), &spare(&["10.0.0.0/8"]), NOW + 60_000);
    desk.expire(NOW + 60_000);
    let mut told = tell(&mut desk, NOW + 60_000);
    told.sort_by_key(|op| *op.net());
    assert_eq!(
        told,
        [Op::Delete { net: net("10.0.0.1") }, added("192.0.2.1", 540), Op::Delete { net: net("192.0.2.3") }],
        "what is spared by now and what was being removed is taken out, what is over is gone"
    );
    assert_eq!(desk.len(), 1);

    // The clock was set back by a day while hids did not run: the block is not a day longer for that.
    let mut early = self::desk();
    early.load(records, &spare(&[]), NOW - 86_400_000);
    let view = early.views().into_iter().find(|view| view.address == "192.0.2.1").unwrap();
    assert_eq!(view.until, Some((NOW - 86_400_000) / 1_000 + 600));
}

#[test]
fn limits_hold_back_and_do_not_count_blocks_by_hand() {
    let config =
        Config { limits: Limits { blocks_per_minute: 3, blocks_live: 2, blocks_live_total: 100 }, ..Config::default() };
    let mut desk = desk();
    desk.add(net("203.0.113.1"), None, "by hand", false, NOW);
    let mut try_one = |last: u8, now| {
        let wish = wish(&format!("192.0.2.{last}"), 600);
        desk.wish(IpNet::from(wish.address), wish, None, Instant::now(), &config, now)
    };
    assert_eq!(try_one(1, NOW), Outcome::New);
    assert_eq!(try_one(2, NOW), Outcome::New);
    assert_eq!(try_one(3, NOW), Outcome::Held(Limit::Live));
    assert_eq!(try_one(2, NOW), Outcome::Merged, "who is blocked already is never held back");
    desk.remove(&net("192.0.2.1"));
    let mut try_one = |last: u8, now| {
        let wish = wish(&format!("192.0.2.{last}"), 600);
        desk.wish(IpNet::from(wish.address), wish, None, Instant::now(), &config, now)
    };
    assert_eq!(try_one(4, NOW), Outcome::New);
    assert_eq!(try_one(1, NOW + 1), Outcome::Held(Limit::Live));
}

#[test]
fn dry_runs_are_recorded_and_never_told() {
    let mut desk = desk();
    offer(&mut desk, Wish { dry: true, ..wish("192.0.2.1", 60) }, NOW);
    assert!(tell(&mut desk, NOW).is_empty());
    assert_eq!(states(&desk), ["dry_run"]);
    offer(&mut desk, wish("192.0.2.1", 30), NOW);
    assert_eq!(tell(&mut desk, NOW), [added("192.0.2.1", 60)], "another guest means it");
    desk.lanes[0].dry = true;
    offer(&mut desk, wish("192.0.2.2", 60), NOW);
    assert!(tell(&mut desk, NOW).is_empty());
}

#[test]
fn networks_go_only_where_the_set_holds_them() {
    let mut desk = desk();
    desk.add(net("203.0.113.0/24"), None, "a bad neighbourhood", false, NOW);
    assert!(tell(&mut desk, NOW).is_empty());
    assert!(desk.views()[0].reason.contains("no networks"), "{:?}", desk.views());
    let wide = net("2001:db8::/64");
    desk.wish(wide, wish("2001:db8::7", 60), None, Instant::now(), &Config::default(), NOW);
    assert_eq!(tell(&mut desk, NOW), [added("2001:db8::7", 60)], "of a widened prefix, the attacker itself");
    desk.remove(&wide);
    assert_eq!(tell(&mut desk, NOW), [Op::Delete { net: net("2001:db8::7") }]);
    desk.lanes[0].sets = Some(sets(true, true));
    desk.reconcile(0, &HashMap::new(), NOW);
    assert_eq!(tell(&mut desk, NOW), [added("203.0.113.0/24", 0)]);
}

#[test]
fn a_set_for_one_family_only_says_so() {
    let mut desk = desk();
    desk.lanes[0].sets = Some(Sets { v6: None, ..sets(true, false) });
    offer(&mut desk, wish("2001:db8::7", 60), NOW);
    assert!(tell(&mut desk, NOW).is_empty());
    assert_eq!(desk.views()[0].reason, "brute force (the gateway has no set for IPv6)");
}

#[test]
fn gateways_may_come_and_go() {
    let mut desk = desk();
    offer(&mut desk, wish("192.0.2.1", 60), NOW);
    tell(&mut desk, NOW);
    let second = Gateway { name: "second".into(), ..Gateway::default() };
    desk.replace_lanes(vec![Lane::new(2, &second), Lane::new(1, &Gateway::default())]);
    assert_eq!(states(&desk), ["pending", "active"]);
    desk.lanes[0].sets = Some(sets(true, false));
    assert_eq!(tell(&mut desk, NOW), [added("192.0.2.1", 60)]);
    desk.replace_lanes(vec![Lane::new(2, &second)]);
    assert_eq!(states(&desk), ["active"]);
}

#[test]
fn spared_by_now_means_taken_out_unless_forced() {
    let mut desk = desk();
    offer(&mut desk, wish("10.0.0.1", 60), NOW);
    desk.add(net("10.0.0.2"), None, "insisted", true, NOW);
    tell(&mut desk, NOW);
    assert_eq!(desk.sweep(&spare(&["10.0.0.0/8"])), [net("10.0.0.1")]);
    assert_eq!(tell(&mut desk, NOW), [Op::Delete { net: net("10.0.0.1") }]);
}
