//! Guests come and go while hids runs; it sees that within a second.

use std::process::Command;

use super::install::{HIDS, Install, LOG, failed};
use super::lab::{turn, within};

#[test]
fn a_guest_that_starts_is_seen_within_a_second() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    assert_eq!(install.state("12-ssh").as_deref(), Some("running"), "who ran before is seen at once");
    lab.light("30-late");
    within(1.0, "30-late is running", || (install.state("30-late")? == "running").then_some(()));
    let row = install.guest("30-late").unwrap();
    assert!(row["pid"].as_u64().is_some_and(|pid| pid > 1), "{row}");
    assert!(row["path"].as_str().unwrap().contains("30-late"), "{row}");
}

#[test]
fn the_first_line_of_a_new_guest_is_judged() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    // The file appears after its guest is known, so it is read from its first byte.
    lab.does(&["new", "30-late"]);
    within(1.0, "30-late is running", || (install.state("30-late")? == "running").then_some(()));
    lab.writes("30-late", LOG, failed("counted", "203.0.113.5", 1));
    let (alert, _) = within(2.0, "the alert", || install.alerts_of(100_901).pop());
    assert_eq!(alert["guest"], "30-late");
    assert_eq!(alert["srcip"], "203.0.113.5");
    assert_eq!(alert["source"], LOG);
    assert_eq!(alert["location"], lab.inside("30-late", LOG).to_str().unwrap());
}

#[test]
fn a_guest_that_is_only_made_is_seen_at_rest() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    let _daemon = install.start();
    lab.does(&["new", "30-made", "--no-start"]);
    within(1.0, "30-made is stopped", || (install.state("30-made")? == "stopped").then_some(()));
}

#[test]
fn a_guest_that_stops_is_told_stopped_within_a_second() {
    let Some(lab) = turn() else { return };
    lab.light("30-brief");
    let install = Install::new(&lab);
    let _daemon = install.start();
    assert_eq!(install.state("30-brief").as_deref(), Some("running"));
    lab.does(&["stop", "30-brief", "--hard"]);
    within(1.0, "30-brief is stopped", || (install.state("30-brief")? == "stopped").then_some(()));
}

#[test]
fn a_renamed_guest_goes_by_its_new_name() {
    let Some(lab) = turn() else { return };
    lab.light("30-before");
    let install = Install::new(&lab);
    let _daemon = install.start();
    lab.does(&["stop", "30-before", "--hard"]);
    lab.does(&["rename", "30-before", "31-after"]);
    within(1.0, "only 31-after is there", || {
        (install.state("30-before").is_none() && install.state("31-after").is_some()).then_some(())
    });
    lab.does(&["start", "31-after"]);
    within(1.0, "31-after runs", || (install.state("31-after")? == "running").then_some(()));
    lab.writes("31-after", LOG, failed("counted", "203.0.113.6", 1));
    let (alert, _) = within(2.0, "the alert", || install.alerts_of(100_901).pop());
    assert_eq!(alert["guest"], "31-after");
}

#[test]
fn a_destroyed_guest_is_gone() {
    let Some(lab) = turn() else { return };
    lab.light("30-doomed");
    let install = Install::new(&lab);
    let _daemon = install.start();
    assert!(install.guest("30-doomed").is_some());
    lab.does(&["destroy", "30-doomed"]);
    within(1.0, "30-doomed is gone", || install.guest("30-doomed").is_none().then_some(()));
}

#[test]
fn a_stopped_guests_root_is_let_go() {
    let Some(lab) = turn() else { return };
    lab.does(&["new", "30-mounted", "--no-start"]);
    // A root that is a mount of its own, as LVM, ZFS and loop roots are: whoever holds it keeps it busy.
    let root = lab.inside("30-mounted", "");
    let run = |program: &str, args: &[&str]| Command::new(program).args(args).arg(&root).status().unwrap().success();
    let copy = lab.lxc().join("30-mounted/copy");
    std::fs::rename(&root, &copy).unwrap();
    std::fs::create_dir(&root).unwrap();
    assert!(run("mount", &["-t", "tmpfs", "lab"]));
    assert!(Command::new("cp").arg("-a").arg(copy.join(".")).arg(&root).status().unwrap().success());
    std::fs::remove_dir_all(&copy).unwrap();
    let install = Install::new(&lab);
    let daemon = install.start();
    lab.does(&["start", "30-mounted"]);
    std::fs::create_dir_all(lab.inside("30-mounted", "/var/log")).unwrap();
    lab.writes("30-mounted", LOG, failed("counted", "203.0.113.7", 1));
    let told = within(2.0, "the alert", || install.alerts_of(100_901).pop());
    drop(told);
    lab.does(&["stop", "30-mounted", "--hard"]);
    within(2.0, "its root can be unmounted", || run("umount", &["-q"]).then_some(()));
    drop(daemon);
}

#[test]
fn a_guest_whose_liblxc_says_stopped_is_seen_running() {
    let Some(lab) = turn() else { return };
    let install = Install::new(&lab);
    // liblxc asks an abstract socket, which is per network namespace: from here it finds nobody, and says STOPPED.
    let _daemon = install.start_by(Command::new(HIDS));
    for guest in ["10-gateway", "11-nginx", "12-ssh"] {
        assert_eq!(install.state(guest).as_deref(), Some("running"), "{guest}");
    }
    lab.writes("12-ssh", LOG, failed("blockme", "203.0.113.15", 1));
    within(2.0, "an attacker is blocked from here too", || lab.left("global-blk4", "203.0.113.15"));
}

#[test]
fn a_clone_with_old_logs_raises_no_old_alarms() {
    let Some(lab) = turn() else { return };
    lab.does(&["new", "30-clone", "--with-log", LOG, "--no-start"]);
    let (home, away) = (lab.lxc().join("30-clone"), lab.lxc().parent().unwrap().join("30-clone"));
    std::fs::rename(&home, &away).unwrap();
    let log = away.join("rootfs").join(LOG.trim_start_matches('/'));
    std::fs::write(&log, failed("blockme", "203.0.113.16", 1)).unwrap();
    assert!(Command::new("touch").args(["-d", "1 hour ago"]).arg(&log).status().unwrap().success());
    let install = Install::new(&lab);
    let _daemon = install.start();
    std::fs::rename(&away, &home).unwrap();
    lab.does(&["start", "30-clone"]);
    within(1.0, "30-clone runs", || (install.state("30-clone")? == "running").then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(500));
    lab.writes("30-clone", LOG, failed("counted", "203.0.113.16", 2));
    within(2.0, "its new line is told", || install.alerts_of(100_901).pop());
    assert!(install.alerts_of(100_900).is_empty(), "a line of an hour ago was judged as if it were new");
    assert_eq!(lab.left("global-blk4", "203.0.113.16"), None);
}

#[test]
fn a_guest_with_mapped_ids_is_followed() {
    let Some(lab) = turn() else { return };
    lab.does(&["new", "30-mapped", "--idmap", "--with-log", LOG]);
    let install = Install::new(&lab);
    let _daemon = install.start();
    assert_eq!(install.state("30-mapped").as_deref(), Some("running"));
    // Written by the guest itself, with the ids that it has there.
    let line = failed("counted", "203.0.113.17", 1);
    lab.does(&["exec", "30-mapped", "sh", "-c", &format!("printf '%s\\n' '{}' >>{LOG}", line.trim_end())]);
    let (alert, _) = within(2.0, "its line is told", || install.alerts_of(100_901).pop());
    assert_eq!(alert["guest"], "30-mapped");
}

#[test]
fn a_failed_start_leaves_no_phantom() {
    let Some(lab) = turn() else { return };
    lab.does(&["new", "30-broken", "--no-start"]);
    let config = lab.lxc().join("30-broken/config");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("lxc.init.cmd = /lab/init", "lxc.init.cmd = /no/such/init")).unwrap();
    let install = Install::new(&lab);
    let mut daemon = install.start();
    let _ = lab.tries(&["start", "30-broken"]);
    within(2.0, "30-broken is stopped", || (install.state("30-broken")? == "stopped").then_some(()));
    daemon.still_guards("203.0.113.18", 2.0);
}
