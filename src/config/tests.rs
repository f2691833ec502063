use super::*;
use crate::collect::Scope;
use crate::respond::config::Transport;
use std::fs;
use std::path::Path;

fn load_text(text: &str) -> (tempfile::TempDir, Loaded) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("etc")).unwrap();
    fs::write(folder.path().join("etc/ossec.conf"), text).unwrap();
    let loaded = load(&Places::new(Some(folder.path().to_owned()), None));
    (folder, loaded)
}

fn said(loaded: &Loaded) -> Vec<String> {
    loaded.configuration.iter().map(|d| d.to_string().lines().next().unwrap_or("").to_owned()).collect()
}

#[test]
fn the_embedded_configuration_and_the_example_are_without_fault() {
    for text in [shipped::CONFIGURATION, include_str!("../../deploy/ossec.conf")] {
        let (_folder, loaded) = load_text(text);
        let found: Vec<String> = loaded.findings().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
        assert!(loaded.config.unwrap().later.is_empty());
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let (_folder, loaded) = load_text(
        "<ossec_config>\n<global><white_lst>x</white_lst><logall>maybe</logall></global>\n<localfile><log_format>sysloog\
         </log_format><location>/x</location></localfile>\n<active-response><command>no-such</command><location>local\
         </location><level>99</level></active-response>\n<gateway><transport>nsenter</transport></gateway>\n<wodle/>\n\
         </ossec_config>\n",
    );
    assert!(loaded.config.is_none());
    let said = said(&loaded).join("\n");
    for part in [
        "ossec.conf:2:9: <white_lst> is unknown in <global>",
        "<logall> in <global> says \"maybe\"",
        "<log_format> \"sysloog\" is unknown",
        "no <command> above is called \"no-such\"",
        "<level> in <active-response> says \"99\"",
        "a <gateway> by nsenter without <guest>",
        "warning: section <wodle> is unknown and left out",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn a_location_through_the_lxc_path_belongs_to_the_guest() {
    let (_folder, loaded) = load_text(
        "<ossec_config><guests><lxc_path>/srv/lxc/</lxc_path><guest name=\"a*b\"><localfile><log_format>syslog</log_format>\
         <location>/l</location></localfile></guest></guests><localfile><log_format>apache</log_format>\
         <location>/srv/lxc/11-nginx/rootfs/var/log/nginx/*access.log</location></localfile></ossec_config>",
    );
    let files = loaded.config.unwrap().collection.files;
    assert_eq!(files[0].scope, Scope::Guest("a[*]b".into()));
    assert_eq!(
        (&files[1].scope, files[1].path.as_str()),
        (&Scope::Folder { lxc_path: "/srv/lxc".into(), name: "11-nginx".into() }, "/var/log/nginx/*access.log")
    );
}

#[test]
fn the_first_users_configuration_loads_unchanged() {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seed");
    let Ok(text) = fs::read_to_string(seed.join("ossec.conf")) else {
        return eprintln!("SKIPPED: ../shared is absent, the first user's configuration is not tried");
    };
    let gateway = "<ossec_config><gateway><transport>nsenter</transport><guest>10-gateway</guest>\
                   <set_v4>global-blk4</set_v4><set_v6>global-blk6</set_v6></gateway></ossec_config>";
    let (_folder, loaded) = load_text(&format!("{text}\n{gateway}"));
    assert!(!loaded.configuration.has_errors(), "{:?}", said(&loaded));
    let config = loaded.config.unwrap();
    assert_eq!(config.respond.responses.len(), 1);
    assert_eq!(config.respond.gateways[0].transport, Transport::Nsenter { guest: "10-gateway".into() });
    assert_eq!(config.respond.white_list.len(), 6);
    assert_eq!(config.collection.files.len(), 8);
    assert!(config.later.iter().any(|what| what.contains("syscheck")), "{:?}", config.later);
    assert!(!config.later.iter().any(|what| what.contains("script")), "{:?}", config.later);
}

#[test]
fn a_response_to_a_rule_that_does_not_exist_is_told() {
    let (_folder, loaded) = load_text(
        "<ossec_config><command><name>c</name><executable>ipset.sh</executable><expect>srcip</expect></command>\n\
         <active-response><command>c</command><location>local</location><rules_id>5716, 4711</rules_id></active-response>\n\
         </ossec_config>",
    );
    let said = said(&loaded);
    assert!(said.iter().any(|line| line.contains(":2:") && line.contains("rule 4711")), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("5716,") && line.contains("no file")), "{said:?}");
    assert!(loaded.config.unwrap().later.iter().any(|what| what.contains("<gateway>")));
}

#[test]
fn a_response_that_is_switched_off_needs_nothing_else() {
    let (_folder, loaded) = load_text(
        "<ossec_config><active-response><disabled>yes</disabled></active-response><active-response>\
         <repeated_offenders>30,60</repeated_offenders></active-response></ossec_config>",
    );
    assert!(!loaded.configuration.has_errors(), "{:?}", said(&loaded));
    assert!(loaded.config.unwrap().respond.responses.is_empty());
}

#[test]
fn a_location_through_what_the_lxc_path_links_to_is_a_guests_too() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real");
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, folder.path().join("lxc")).unwrap();
    let (_folder, loaded) = load_text(&format!(
        "<ossec_config><guests><lxc_path>{}/lxc</lxc_path></guests><localfile><log_format>syslog</log_format>\
         <location>{}/web/rootfs/var/log/secure</location></localfile></ossec_config>",
        folder.path().display(),
        fs::canonicalize(&real).unwrap().display(),
    ));
    let files = loaded.config.unwrap().collection.files;
    let lxc_path = folder.path().join("lxc").display().to_string();
    let web = Scope::Folder { lxc_path, name: "web".into() };
    assert_eq!((&files[0].scope, files[0].path.as_str()), (&web, "/var/log/secure"));
}

#[test]
fn sections_whose_work_is_still_to_come_are_checked_all_the_same() {
    let (_folder, loaded) = load_text(
        "<ossec_config><syscheck><frequncy>1</frequncy></syscheck><rootcheck><scanall>perhaps</scanall></rootcheck>\
         <rootcheck><disabled>yes</disabled></rootcheck></ossec_config>",
    );
    let said = said(&loaded).join("\n");
    assert!(said.contains("<frequncy> is unknown in <syscheck>"), "{said}");
    assert!(said.contains("<scanall> in <rootcheck> says \"perhaps\""), "{said}");
}
