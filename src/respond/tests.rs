//! The room with real sets: ipset, nft and sshd in network namespaces that the tests make and remove. Needs root; without
//! it each test says that it was skipped.

mod lab;

use super::desk::Outcome;
use super::*;
use lab::{Lab, Namespace, wait_for};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn ipv4(number: u32) -> String {
    std::net::Ipv4Addr::from(0xcb00_7100_u32.wrapping_add(number)).to_string()
}

#[test]
fn offences_reach_both_sets_with_their_time() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    lab.net.ok("ipset add global-blk4 203.0.113.200");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        assert_eq!(lab::offer(&responder, "198.51.100.7"), Answer::Wish(Outcome::New));
        assert_eq!(lab::offer(&responder, "2001:db8::7"), Answer::Wish(Outcome::New));
        assert_eq!(lab::offer(&responder, "::ffff:198.51.100.7"), Answer::Wish(Outcome::Merged));
        assert!(matches!(lab::offer(&responder, "127.0.0.1"), Answer::Spared(_)));
        assert!(matches!(lab::offer(&responder, "10.126.160.9"), Answer::Spared(_)));
        assert!(matches!(lab::offer(&responder, "192.0.2.254"), Answer::Spared(_)), "one of the guests'");
        wait_for("both entries", || lab.entry("198.51.100.7").is_some() && lab.entry("2001:db8::7").is_some());
        let left = lab.entry("198.51.100.7").flatten().unwrap();
        assert!((1_795..=1_800).contains(&left), "{left}");
        assert!(lab.entry("127.0.0.1").is_none() && lab.entry("10.126.160.9").is_none());
        wait_for("active", || responder.list().iter().all(|row| row.state == "active"));
        let rows = responder.list();
        let row = &rows[0];
        assert_eq!(
            (row.address.as_str(), row.gateway.as_str(), row.set.as_str()),
            ("198.51.100.7", "local", "global-blk4")
        );
        assert_eq!((row.guest.as_deref(), row.rule, row.count), (Some("12-ssh"), Some(5712), 2));
        assert_eq!(rows[1].set, "global-blk6");
        assert_eq!(responder.counters().latency.get_sample_count(), 2);
        assert_eq!(responder.remove("198.51.100.7/32".parse().unwrap()).unwrap(), []);
        assert!(lab.entry("198.51.100.7").is_none());
        responder.stop();
        assert!(lab.entry("2001:db8::7").is_some(), "nothing is unblocked because hids stops");
        assert!(lab.entry("203.0.113.200").is_some(), "what others put there is left alone");
    });
    let log = std::fs::read_to_string(lab.folder.path().join("active-responses.log")).unwrap();
    let lines: Vec<&str> = log.lines().map(|line| line.split_once("/var/ossec").unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "/active-response/bin/ipset.sh add - 198.51.100.7 1709726400.1 5712",
            "/active-response/bin/ipset.sh add - 2001:db8::7 1709726400.1 5712",
            "/active-response/bin/ipset.sh delete - 198.51.100.7 1709726400.1 5712",
        ]
    );
}

#[test]
fn by_hand_networks_force_and_refusals() {
    let Some(lab) = Lab::new() else { return };
    lab.net.ok("ipset create global-blk4 hash:net family inet timeout 0");
    lab.net.ok("ipset create global-blk6 hash:ip family inet6 timeout 0");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        let add = |net: &str, seconds: Option<u64>, force| {
            responder.add(net.parse().unwrap(), seconds.map(Duration::from_secs), "by hand", force)
        };
        assert_eq!(add("203.0.113.0/24", None, false).unwrap()[0].state, "active");
        assert_eq!(lab.entry("203.0.113.0/24"), Some(Some(0)));
        assert_eq!(add("203.0.113.0/24", Some(60), false).unwrap()[0].state, "active");
        assert!(lab.entry("203.0.113.0/24").flatten().is_some_and(|left| (55..=60).contains(&left)));
        for (net, force) in
            [("192.0.2.0/24", true), ("10.126.160.9/32", false), ("10.0.0.0/8", false), ("127.0.0.1/32", true)]
        {
            assert_eq!(add(net, None, force).unwrap_err().kind(), ErrorKind::Spared, "{net}");
        }
        assert_eq!(add("10.126.160.9/32", Some(9), true).unwrap()[0].state, "active");
        let failed = add("2001:db8::/64", None, false).unwrap();
        assert_eq!(failed[0].state, "failed", "{failed:?}");
        assert!(failed[0].reason.contains("holds single addresses"), "{failed:?}");
        assert_eq!(responder.remove("198.51.100.1/32".parse().unwrap()).unwrap_err().kind(), ErrorKind::NotBlocked);
    });
}

#[test]
fn a_flushed_set_is_filled_again() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        for number in 0..20 {
            lab::offer(&responder, &ipv4(number));
        }
        wait_for("20 entries", || lab.count("global-blk4") == 20);
        wait_for("active", || responder.list().iter().all(|row| row.state == "active"));
        lab.net.ok("ipset flush global-blk4");
        lab.net.ok("ipset add global-blk4 198.51.100.1 timeout 99");
        let report = &responder.sync()[0].1;
        assert_eq!((report.lost, report.foreign, report.error.clone()), (20, 1, None));
        wait_for("21 entries", || lab.count("global-blk4") == 21);
        assert!(lab.entry(&ipv4(3)).flatten().is_some_and(|left| left > 1_700));
    });
}

#[test]
fn a_missing_set_is_one_clear_error_and_then_repaired() {
    let Some(lab) = Lab::new() else { return };
    lab.net.ok("ipset create global-blk6 hash:ip family inet6 timeout 0");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        for number in 0..50 {
            lab::offer(&responder, &ipv4(number));
        }
        wait_for("the notice", || lab.notices().iter().any(|n| n.topic == Topic::GatewayDown));
        let told = lab.notices();
        assert_eq!(told.len(), 1, "one, not one per attack: {told:?}");
        assert!(told[0].text.contains("set global-blk4"), "{told:?}");
        assert!(told[0].text.contains("does not exist"), "{told:?}");
        let health = &responder.health()[0];
        assert!(!health.up && health.error.as_ref().is_some_and(|e| e.contains("global-blk4")), "{health:?}");
        assert!(responder.list().iter().all(|row| row.state == "pending"));
        lab.net.ok("ipset create global-blk4 hash:ip family inet timeout 0");
        wait_for("50 entries", || lab.count("global-blk4") == 50);
        wait_for("up", || responder.health()[0].up);
        assert!(lab.notices().iter().any(|n| n.topic == Topic::GatewayUp));
        let metrics = lab.registry.text();
        for line in ["hids_gateway_up{gateway=\"local\"} 1", "hids_blocks{state=\"active\"} 50"] {
            assert!(metrics.contains(line), "{line} is not in\n{metrics}");
        }
    });
}

#[test]
fn sets_are_created_where_that_is_asked_for() {
    let Some(lab) = Lab::new() else { return };
    lab.net.inside(|| {
        let mut config = lab.config();
        config.gateways[0].create_sets = true;
        config.gateways[0].ipv6_prefix = 64;
        let responder = lab.start(config);
        wait_for("up", || responder.health()[0].up);
        lab::offer(&responder, "2001:db8:0:5::7");
        assert_eq!(lab::offer(&responder, "2001:db8:0:5::8"), Answer::Wish(Outcome::Merged));
        wait_for("the prefix", || lab.entry("2001:db8:0:5::/64").is_some());
        wait_for("the odd", || lab.notices().iter().any(|n| n.text.contains("no firewall rule looks at set")));
    });
}

#[test]
fn without_the_sets_own_timeout_the_ledger_ends_blocks() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        let rows = responder.add("203.0.113.9/32".parse().unwrap(), Some(Duration::from_secs(1)), "", false).unwrap();
        assert_eq!(rows[0].state, "active");
        assert_eq!(lab.entry("203.0.113.9"), Some(None));
        let began = Instant::now();
        wait_for("the end", || lab.entry("203.0.113.9").is_none());
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        wait_for("forgotten", || responder.list().is_empty());
    });
}

#[test]
fn a_full_set_is_said_once_and_tried_again() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0 maxelem 8");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        for number in 0..40 {
            lab::offer(&responder, &ipv4(number));
        }
        let states = || responder.list().into_iter().map(|row| row.state).collect::<Vec<_>>();
        wait_for("settled", || states().iter().all(|state| state != "pending"));
        let active = states().iter().filter(|state| *state == "active").count();
        assert!((3..=8).contains(&active), "{active}");
        assert!(responder.list().iter().any(|row| row.reason.contains("full")));
        assert_eq!(lab.notices().iter().filter(|n| n.text.contains("full")).count(), 1);
        lab.net.ok("ipset destroy global-blk4");
        lab.net.ok("ipset create global-blk4 hash:ip family inet timeout 0");
        responder.sync();
        wait_for("all of them", || lab.count("global-blk4") == 40);
    });
}

#[test]
fn a_new_run_remembers_and_restores() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        for number in 0..30 {
            lab::offer(&responder, &ipv4(number));
        }
        wait_for("30 entries", || lab.count("global-blk4") == 30);
        responder.remove("203.0.113.3/32".parse().unwrap()).unwrap();
        drop(responder);
        lab.net.ok("ipset flush global-blk4");
        let responder = lab.start(lab.config());
        wait_for("29 entries", || lab.count("global-blk4") == 29);
        assert!(lab.entry("203.0.113.3").is_none());
        let row = responder.list().into_iter().find(|row| row.address == "203.0.113.4").unwrap();
        assert_eq!((row.guest.as_deref(), row.rule, row.reason.as_str()), (Some("12-ssh"), Some(5712), "brute force"));
    });
}

/// Not a test of its own: the process that [`a_kill_loses_no_block`] kills.
#[test]
fn the_one_that_is_killed() {
    let (Ok(folder), Ok(namespace)) = (std::env::var("HIDS_TEST_KILL"), std::env::var("HIDS_TEST_NETNS")) else {
        return;
    };
    Namespace::existing(&namespace).inside(|| {
        let lab = Lab::at(&folder);
        let responder = lab.start(lab.config());
        for number in 0.. {
            lab::offer(&responder, &ipv4(number));
            std::thread::sleep(Duration::from_micros(300));
        }
    });
}

#[test]
fn a_kill_loses_no_block() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "respond::tests::the_one_that_is_killed", "--nocapture"])
            .env("HIDS_TEST_KILL", lab.folder.path())
            .env("HIDS_TEST_NETNS", &lab.net.name)
            .spawn()
            .unwrap();
        let before = lab.count("global-blk4");
        wait_for("some blocks", || lab.count("global-blk4") > before + 100);
        child.kill().unwrap();
        child.wait().unwrap();
        let (ledger, loaded) = ledger::Ledger::open(lab.folder.path()).unwrap();
        drop(ledger);
        let known: std::collections::HashSet<String> =
            loaded.records.iter().map(|record| record.net.addr().to_string()).collect();
        let forgotten: Vec<String> =
            lab.addresses("global-blk4").into_iter().filter(|address| !known.contains(address)).collect();
        assert!(forgotten.is_empty(), "round {round}: in the set and not in the ledger: {forgotten:?}");
        assert_eq!(loaded.damaged, 0);
        lab.net.ok("ipset flush global-blk4");
    }
}

/// A mounted file system of 64 KiB, filled but for what is there.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mount(path: &std::path::Path) -> Self {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(path).status();
        assert!(mounted.unwrap().success());
        Self(path.to_owned())
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_opens_no_door() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    let tiny = Tiny::mount(lab.folder.path());
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        wait_for("up", || responder.health()[0].up);
        tiny.fill();
        for number in 0..100 {
            lab::offer(&responder, &ipv4(number));
        }
        wait_for("100 entries", || lab.count("global-blk4") == 100);
        assert!(lab.notices().iter().any(|notice| notice.topic == Topic::Ledger), "{:?}", lab.notices());
        std::fs::remove_file(lab.folder.path().join("filler")).unwrap();
        wait_for("the ledger", || lab.notices().iter().any(|notice| notice.text.contains("written again")));
        drop(responder);
        let (_, loaded) = ledger::Ledger::open(lab.folder.path()).unwrap();
        assert_eq!((loaded.records.len(), loaded.damaged), (100, 0));
    });
}

#[test]
fn five_thousand_attackers_at_once() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        wait_for("up", || responder.health()[0].up);
        let began = Instant::now();
        for number in 0..5_000 {
            assert_eq!(lab::offer(&responder, &ipv4(number)), Answer::Wish(Outcome::New));
        }
        let offered = began.elapsed();
        wait_for("5,000 entries", || lab.count("global-blk4") == 5_000);
        println!("5,000 attackers: offered in {offered:?}, in the set after {:?}", began.elapsed());
        assert!(responder.sync()[0].1.error.is_none());
    });
    // The limits that hold without being raised.
    let limited = Config { limits: Limits::default(), ..lab.config() };
    lab.net.ok("ipset flush global-blk4");
    std::fs::remove_file(lab.folder.path().join(ledger::FILE)).unwrap();
    lab.net.inside(|| {
        let responder = lab.start(limited);
        let held =
            (0..5_000).filter(|n| matches!(lab::offer(&responder, &ipv4(*n)), Answer::Wish(Outcome::Held(_)))).count();
        assert_eq!(held, 4_940);
        wait_for("60 entries", || lab.count("global-blk4") == 60);
        let told = lab.notices().into_iter().filter(|n| n.topic == Topic::Limit).collect::<Vec<_>>();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].text.contains("blocks_per_minute"), "{told:?}");
    });
}

#[test]
fn a_dry_run_touches_nothing() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    lab.net.inside(|| {
        let mut config = lab.config();
        config.gateways[0].dry_run = true;
        let responder = lab.start(config);
        lab::offer(&responder, "198.51.100.7");
        wait_for("recorded", || responder.list().iter().any(|row| row.state == "dry_run"));
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(lab.count("global-blk4"), 0);
        responder.reload(lab.config()).unwrap();
        wait_for("meant", || lab.entry("198.51.100.7").is_some());
    });
}

#[test]
fn a_reload_keeps_blocks_and_leaves_old_sets_in_order() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("");
    lab.net.ok("ipset create other4 hash:ip family inet timeout 0");
    lab.net.inside(|| {
        let responder = lab.start(lab.config());
        lab::offer(&responder, "198.51.100.7");
        wait_for("in the set", || lab.entry("198.51.100.7").is_some());
        wait_for("active", || responder.list()[0].state == "active");
        let mut config = lab.config();
        config.gateways[0].set_v4 = Some("other4".into());
        config.gateways[0].set_v6 = None;
        responder.reload(config).unwrap();
        assert!(lab.entry("198.51.100.7").is_none(), "a set without times would keep it for ever");
        wait_for("in the new set", || lab.addresses("other4") == ["198.51.100.7"]);
        let mut bad = lab.config();
        bad.gateways[0].set_v4 = Some("a;b".into());
        assert_eq!(responder.reload(bad).unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(responder.health().len(), 1);
    });
}

#[test]
fn a_guests_namespace_is_entered_and_its_restart_seen() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    let guest = lab.guest();
    // On the host's side: only the worker's thread goes in, and only for a batch.
    let responder = lab.start(lab.nsenter());
    lab::offer(&responder, "198.51.100.7");
    lab::offer(&responder, "2001:db8::7");
    wait_for("both entries", || lab.entry("198.51.100.7").is_some() && lab.entry("2001:db8::7").is_some());
    wait_for("active", || responder.list().iter().all(|row| row.state == "active"));
    guest.stop();
    wait_for("down", || !responder.health()[0].up);
    lab::offer(&responder, "198.51.100.8");
    assert_eq!(responder.health()[0].error.as_deref(), Some("guest 10-gateway: does not run"));
    assert!(responder.list().iter().any(|row| row.address == "198.51.100.8" && row.state == "pending"));
    // A namespace that somebody keeps would keep the guest's interfaces alive: none of our threads does.
    let its = std::fs::metadata(format!("/run/netns/{}", lab.net.name)).map(|m| m.ino()).unwrap();
    let threads = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let inside = threads.filter(|t| std::fs::metadata(t.path().join("ns/net")).is_ok_and(|m| m.ino() == its));
    assert_eq!(inside.count(), 0);
    lab.net.remove();
    lab.net.make();
    let _guest = lab.guest();
    wait_for("the missing set", || {
        responder.health()[0].error.as_ref().is_some_and(|error| error.contains("does not exist"))
    });
    lab.create_sets("timeout 0");
    wait_for("all three", || {
        ["198.51.100.7", "198.51.100.8", "2001:db8::7"].iter().all(|address| lab.entry(address).is_some())
    });
    responder.stop();
}

#[test]
fn a_guest_without_a_network_of_its_own_is_refused() {
    let Some(lab) = Lab::new() else { return };
    let child = Command::new("sleep").arg("60").spawn().unwrap();
    let _guest = lab.adopt(child);
    let responder = lab.start(lab.nsenter());
    wait_for("the refusal", || {
        responder.health()[0].error.as_ref().is_some_and(|error| error.contains("no network namespace of its own"))
    });
}

#[test]
fn ssh_keeps_one_session_and_comes_back() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    let Some(sshd) = lab.sshd() else { return };
    lab.net.inside(|| {
        let responder = lab.start(lab.ssh());
        for number in 0..700 {
            lab::offer(&responder, &ipv4(number));
        }
        lab::offer(&responder, "2001:db8::7");
        wait_for("all entries", || lab.count("global-blk4") == 700 && lab.entry("2001:db8::7").is_some());
        let rows = responder.add("203.0.113.0/24".parse().unwrap(), None, "", false).unwrap();
        assert_eq!(rows[0].state, "failed", "{rows:?}");
        assert_eq!(sshd.sessions(), 1);
        sshd.kill_sessions();
        lab.net.ok("ipset flush global-blk4");
        wait_for("all entries again", || lab.count("global-blk4") == 700);
        assert_eq!(sshd.sessions(), 1);
        responder.stop();
        wait_for("no session", || sshd.sessions() == 0);
    });
}

#[test]
fn ssh_refuses_a_host_that_it_does_not_know() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    let Some(_sshd) = lab.sshd() else { return };
    lab.net.inside(|| {
        std::fs::write(lab.folder.path().join("known_hosts"), "").unwrap();
        let responder = lab.start(lab.ssh());
        wait_for("the refusal", || responder.health()[0].error.is_some());
        let error = responder.health()[0].error.clone().unwrap();
        assert!(error.contains("Host key verification failed"), "{error}");
    });
}

#[test]
fn a_hanging_ssh_session_is_given_up() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    let Some(sshd) = lab.sshd() else { return };
    lab.net.inside(|| {
        let responder = lab.start(lab.ssh());
        wait_for("up", || responder.health()[0].up);
        let stopped = sshd.signal_sessions("STOP");
        lab::offer(&responder, "198.51.100.7");
        lab::wait_longer("down", || !responder.health()[0].up);
        wait_for("in the set over a new session", || lab.entry("198.51.100.7").is_some());
        for pid in stopped {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    });
}

#[test]
fn nftables_sets_work_as_well() {
    let Some(lab) = Lab::new() else { return };
    lab.net.inside(|| {
        let mut config = lab.config();
        config.gateways[0] = Gateway {
            backend: Backend::Nftables,
            set_v4: Some("inet filter blk4".into()),
            set_v6: Some("inet filter blk6".into()),
            create_sets: true,
            ..Gateway::default()
        };
        let responder = lab.start(config);
        for number in 0..600 {
            lab::offer(&responder, &ipv4(number));
        }
        lab::offer(&responder, "2001:db8::7");
        let listed = |set: &str| lab.net.says(&format!("nft list set inet filter {set}"));
        wait_for("v6", || listed("blk6").contains("2001:db8::7 timeout 30m"));
        wait_for("all", || listed("blk4").matches("timeout").count() >= 600);
        lab.net.ok("nft flush set inet filter blk4");
        assert_eq!(responder.sync()[0].1.lost, 600);
        wait_for("all again", || listed("blk4").matches("timeout").count() >= 600);
        responder.add("203.0.113.1/32".parse().unwrap(), Some(Duration::from_secs(90)), "", false).unwrap();
        let all = listed("blk4");
        assert!(all.contains("203.0.113.1 timeout 1m30s"), "{}", &all[..300]);
        assert_eq!(responder.remove("203.0.113.1/32".parse().unwrap()).unwrap(), []);
        assert!(!listed("blk4").contains("203.0.113.1 "));
    });
}

/// Prints how long a block takes, from the line's reading to the set.
#[test]
#[ignore = "measures"]
fn latency() {
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    let measure = |name: &str, config: Config| {
        let responder = lab.start(config);
        wait_for("up", || responder.health()[0].up);
        let next = AtomicUsize::new(0);
        let mut times: Vec<Duration> = (0..500)
            .map(|_| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let count = responder.counters().latency.get_sample_count();
                let began = Instant::now();
                lab::offer(&responder, &ipv4(u32::try_from(number).unwrap()));
                while responder.counters().latency.get_sample_count() == count {
                    std::thread::sleep(Duration::from_micros(20));
                }
                let time = began.elapsed();
                std::thread::sleep(Duration::from_millis(5));
                time
            })
            .collect();
        times.sort();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        println!("{name}: min {:?} median {:?} p99 {:?} max {:?} (n 500)", at(0), at(50), at(99), at(100));
        responder.stop();
        std::fs::remove_file(lab.folder.path().join(ledger::FILE)).unwrap();
        lab.net.ok("ipset flush global-blk4");
    };
    let _guest = lab.guest();
    measure("nsenter", lab.nsenter());
    if let Some(_sshd) = lab.sshd() {
        lab.net.inside(|| measure("ssh", lab.ssh()));
    }
    lab.net.inside(|| measure("local", lab.config()));
}

/// What the kernel is told without a program stands there as if the program had said it.
#[test]
fn the_kernel_is_told_as_the_program_would() {
    use crate::sys::ipset::{Change, change};
    let Some(lab) = Lab::new() else { return };
    lab.create_sets("timeout 0");
    lab.net.ok("ipset create nets6 hash:net family inet6 timeout 0");
    lab.net.ok("ipset create forever hash:ip family inet");
    let told = |changes: &[Change<'_>]| lab.net.inside(|| change(changes)).map_err(|error| error.raw_os_error());
    let add = |set, net: &str, timeout| Change { set, net: net.parse().unwrap(), add: true, timeout };
    let gone = |set, net: &str| Change { add: false, timeout: None, ..add(set, net, None) };

    // More than are told in one go, each with a time of its own; the second time is the one that counts.
    let many: Vec<String> = (0..300).map(|number| format!("{}/32", ipv4(number))).collect();
    let first: Vec<_> = many.iter().map(|net| add("global-blk4", net, Some(60))).collect();
    let second: Vec<_> = many.iter().zip(1000..).map(|(net, time)| add("global-blk4", net, Some(time))).collect();
    told(&first).unwrap();
    told(&second).unwrap();
    assert_eq!(lab.count("global-blk4"), 300);
    assert!(lab.entry(&ipv4(299)).flatten().is_some_and(|left| (1290..=1299).contains(&left)));
    assert!(lab.entry(&ipv4(0)).flatten().is_some_and(|left| (990..=1000).contains(&left)));

    told(&[add("global-blk6", "2001:db8::7/128", Some(0)), add("nets6", "2001:db8:1::/64", Some(2_147_483))]).unwrap();
    told(&[add("nets6", "2001:db8:2::1/128", Some(5)), add("forever", "203.0.113.1/32", None)]).unwrap();
    assert!(lab.net.says("ipset save global-blk6").contains("add global-blk6 2001:db8::7 timeout 0"));
    let nets = lab.net.says("ipset save nets6");
    assert!(
        nets.contains("add nets6 2001:db8:1::/64 timeout 21474") && nets.contains("add nets6 2001:db8:2::1 "),
        "{nets}"
    );
    assert!(lab.net.says("ipset save forever").contains("add forever 203.0.113.1\n"));

    // Absent is fine, also twice; the others stay.
    told(&[gone("nets6", "2001:db8:1::/64"), gone("nets6", "2001:db8:1::/64"), gone("forever", "203.0.113.1/32")])
        .unwrap();
    assert!(!lab.net.says("ipset save nets6").contains(":1::/64"));
    assert!(lab.net.says("ipset save nets6").contains("2001:db8:2::1"));

    // Refusals: no such set (ENOENT), a time for a set that keeps none (ipset's own number), a wrong family, a full set.
    let enoent = rustix::io::Errno::NOENT.raw_os_error();
    assert_eq!(
        told(&[add("global-blk4", "203.0.113.9/32", Some(1)), add("nowhere", "203.0.113.9/32", None)]),
        Err(Some(enoent))
    );
    assert!(told(&[add("forever", "203.0.113.2/32", Some(9))]).unwrap_err().is_some_and(|code| code > 4096));
    assert!(told(&[add("forever", "2001:db8::1/128", None)]).is_err());
    lab.net.ok("ipset create tiny hash:ip family inet timeout 0 maxelem 1");
    let full = [add("tiny", "203.0.113.1/32", Some(9)), add("tiny", "203.0.113.2/32", Some(9))];
    assert!(told(&full).unwrap_err().is_some_and(|code| code > 4096));
}
