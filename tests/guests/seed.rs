//! The real installation that hids takes over (`../shared/seed`, beside the project): its own configuration and overrides,
//! with OSSEC's rule files. What is changed of it: the LXC path is the lab's, and `<guests>` and `<gateway>` stand behind it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::install::Install;
use super::lab::{Lab, skip, turn, within};

fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if shared.join("seed/ossec.conf").exists() && shared.join("ossec-ruleset/rules").exists() {
        return fs::canonicalize(shared).ok();
    }
    skip("the user's installation is not there (../shared/seed, ../shared/ossec-ruleset)");
    None
}

fn taken_over<'lab>(lab: &'lab Lab, shared: &Path) -> Install<'lab> {
    let conf = fs::read_to_string(shared.join("seed/ossec.conf")).unwrap();
    let conf = conf.replace("/var/lib/lxc/", &format!("{}/", lab.env("LAB_LXC")));
    let ours = format!(
        "<ossec_config>
  <guests><lxc_path>{}</lxc_path></guests>
  <gateway>
    <transport>nsenter</transport><guest>10-gateway</guest>
    <set_v4>global-blk4</set_v4><set_v6>global-blk6</set_v6>
  </gateway>
</ossec_config>
",
        lab.env("LAB_LXC")
    );
    let install = Install::new(lab).configured(conf + &ours);
    let rules = install.dir().join("rules");
    for file in fs::read_dir(shared.join("ossec-ruleset/rules")).unwrap() {
        let file = file.unwrap();
        if file.file_name() != "local_rules.xml" {
            symlink(file.path(), rules.join(file.file_name())).unwrap();
        }
    }
    fs::copy(shared.join("seed/local_rules.xml"), rules.join("local_rules.xml")).unwrap();
    symlink(shared.join("ossec-ruleset/decoder.xml"), install.dir().join("etc/decoder.xml")).unwrap();
    install
}

#[test]
fn the_users_installation_shuts_a_guesser_out() {
    let Some(lab) = turn() else { return };
    let Some(shared) = shared() else { return };
    let install = taken_over(&lab, &shared);
    let _daemon = install.start();
    let attacker = lab.env("LAB_ATTACKER4");
    assert!(lab.guessed(&["attack-ssh", "--count", "6"]), "six guesses were let through");
    let (row, _) = within(2.0, "the block is listed", || install.block(attacker));
    assert_eq!((row["rule"].as_u64(), row["guest"].as_str()), (Some(5712), Some("12-ssh")), "{row}");
    assert!(lab.left("global-blk4", attacker).is_some_and(|left| (1700..=1800).contains(&left)));
    assert!(lab.ping("neighbour", "12-ssh"));
    let alert = install.alerts_of(5712).pop().unwrap();
    assert_eq!(alert["location"], lab.inside("12-ssh", "/var/log/secure").to_str().unwrap());
    assert_eq!(alert["guest"], "12-ssh");
}

#[test]
fn the_users_installation_shuts_a_guesser_out_over_ipv6() {
    let Some(lab) = turn() else { return };
    let Some(shared) = shared() else { return };
    let install = taken_over(&lab, &shared);
    let _daemon = install.start();
    assert!(lab.guessed(&["attack-ssh6", "--user", "alice", "--count", "10"]), "ten guesses were let through");
    let (row, _) = within(2.0, "the block is listed", || install.block(lab.env("LAB_ATTACKER6")));
    assert_eq!((row["rule"].as_u64(), row["set"].as_str()), (Some(5720), Some("global-blk6")), "{row}");
}

#[test]
fn the_users_installation_shuts_a_scanner_out() {
    let Some(lab) = turn() else { return };
    let Some(shared) = shared() else { return };
    let install = taken_over(&lab, &shared);
    let _daemon = install.start();
    assert!(lab.guessed(&["scan-web", "--count", "40"]), "forty pages were answered");
    let (row, _) = within(2.0, "the block is listed", || install.block(lab.env("LAB_ATTACKER4")));
    assert_eq!((row["rule"].as_u64(), row["guest"].as_str()), (Some(31151), Some("11-nginx")), "{row}");
}

#[test]
fn check_says_what_the_users_installation_asks_for_and_does_not_get() {
    let Some(lab) = turn() else { return };
    let Some(shared) = shared() else { return };
    let install = taken_over(&lab, &shared);
    drop(install.start());
    let out = install.ask(&["check"]);
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(0), "{said}");
    for word in ["not do yet", "<syscheck>", "<rootcheck>", "mail of alerts"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // OSSEC counts over all guests, hids over each.
    assert!(said.contains("correlation"), "{said}");
}
