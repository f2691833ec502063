//! `hids check` on a configuration with several faults: all of them at once, each with its place. Needs no root.

use std::fs;
use std::process::Command;

use super::install::HIDS;

#[test]
fn check_tells_every_fault_and_ends_with_78() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let conf = "<ossec_config>
  <global>
    <white_list>10.0.0.0/99</white_list>
  </global>
  <guests>
    <lxc_pat>/var/lib/lxc</lxc_pat>
  </guests>
  <gateway>
    <transport>pigeon</transport>
    <guest>10-gateway</guest>
  </gateway>
  <active-response>
    <command>no-such-command</command>
    <location>local</location>
    <level>6</level>
  </active-response>
</ossec_config>
";
    fs::write(dir.path().join("etc/ossec.conf"), conf).unwrap();
    let out = Command::new(HIDS).args(["check", "-D"]).arg(dir.path()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(78), "{said}");
    for (line, word) in [(6, "lxc_pat"), (9, "pigeon"), (13, "no-such-command")] {
        assert!(said.contains(&format!("ossec.conf:{line}:")), "line {line} is not told:\n{said}");
        assert!(said.contains(word), "{word} is not told:\n{said}");
    }
    assert!(said.contains("lxc_path"), "no suggestion for lxc_pat:\n{said}");
}
