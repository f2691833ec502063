//! Every section and element of `ossec.conf` that hids knows, once: what it may hold and what hids does with it.
//!
//! The facts come from spec/config.md, sections 3 to 11; the sections `guests`, `gateway`, `limits` and `metrics` are
//! ours (design 2.2).

/// What an element may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Any text, also none.
    Text,
    /// Text that must not be empty.
    Needed,
    /// `yes` or `no`.
    YesNo,
    /// A decimal number in a range; the empty text counts as 0, as in OSSEC.
    Number(u64, u64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Elements of its own, listed in another table.
    Nested(&'static [Known]),
}

/// What becomes of a known section or element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// hids does what it says.
    Done,
    /// hids does not do it yet; goes into the loud list under this name, unless its value is `no`.
    Later(&'static str),
    /// Known and without effect, on purpose, for this reason.
    Ignored(&'static str),
}

use Standing::{Done, Ignored, Later};
use Value::{Needed, Nested, Number, OneOf, Text, YesNo};

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub value: Value,
    /// What becomes of it.
    pub standing: Standing,
}

/// One section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What becomes of it as a whole.
    pub standing: Standing,
    /// What may stand in it; empty: anything, unread.
    pub elements: &'static [Known],
}

const fn known(name: &'static str, value: Value, standing: Standing) -> Known {
    Known { name, value, standing }
}

const MAIL: Standing = Later("mail of alerts (<global> email_…, <email_alerts>)");
const WINDOWS: Standing = Ignored("it concerns Windows agents");
const WAZUH: Standing = Ignored("an element of Wazuh");
const LEVEL: Value = Number(0, 255);
const NUMBER: Value = Number(0, u32::MAX as u64);

const GLOBAL: &[Known] = &[
    known("email_notification", YesNo, MAIL),
    known("email_to", Text, Done),
    known("email_from", Text, Done),
    known("email_reply_to", Text, Done),
    known("email_idsname", Text, Done),
    known("smtp_server", Text, Done),
    known("helo_server", Text, Done),
    known("smtp_port", Number(1, 65_535), Done),
    known("auth_smtp", YesNo, Done),
    known("secure_smtp", YesNo, Done),
    known("smtp_tls_verify", YesNo, Done),
    known("smtp_user", Text, Done),
    known("smtp_password", Text, Done),
    known("email_maxperhour", Number(1, 9_999), Done),
    known("logall", YesNo, Later("the archive of all events (<logall>)")),
    known("logall_json", YesNo, Later("the archive of all events (<logall_json>)")),
    known("jsonout_output", YesNo, Done),
    known("custom_alert_output", Text, Later("a layout of one's own for alerts.log (<custom_alert_output>)")),
    known("stats", LEVEL, Ignored("hourly statistics and rule 11 are not built: a metric tells the rate")),
    known("integrity_checking", LEVEL, Ignored("it has no effect in OSSEC either")),
    known("rootkit_detection", LEVEL, Ignored("it has no effect in OSSEC either")),
    known("host_information", LEVEL, Ignored("it has no effect in OSSEC either")),
    known("memory_size", Number(0, u32::MAX as u64), Done),
    known("white_list", Text, Done),
    known("allow_list", Text, Done),
    known("compress_alerts", Text, Ignored("it has no effect in OSSEC either")),
    known("geoipdb", Text, Ignored("no GeoIP")),
    known("geoip_db_path", Text, Ignored("no GeoIP")),
    known("geoip6_db_path", Text, Ignored("no GeoIP")),
    known("md5_whitelist", Text, Later("the list of known checksums (<md5_whitelist>)")),
    known("md5_allowlist", Text, Later("the list of known checksums (<md5_allowlist>)")),
    known("auto_ignore", YesNo, Done),
    known("alert_new_files", YesNo, Done),
    known("prelude_output", YesNo, Later("Prelude (<prelude_output>)")),
    known("prelude_profile", Text, Done),
    known("prelude_log_level", LEVEL, Done),
    known("zeromq_output", YesNo, Later("ZeroMQ (<zeromq_output>)")),
    known("zeromq_uri", Text, Done),
    known("zeromq_server_cert", Text, Done),
    known("zeromq_client_cert", Text, Done),
    known("picviz_output", YesNo, Ignored("gone since OSSEC 3")),
    known("picviz_socket", Text, Ignored("gone since OSSEC 3")),
    known("max_output_size", Text, WAZUH),
    known("alerts_log", Text, WAZUH),
    known("queue_size", Text, WAZUH),
    known("agents_disconnection_time", Text, WAZUH),
    known("agents_disconnection_alert_time", Text, WAZUH),
    known("update_check", Text, WAZUH),
];

const RULES: &[Known] = &[
    known("include", Needed, Done),
    known("rule", Needed, Done),
    known("rule_dir", Needed, Done),
    known("decoder", Needed, Done),
    known("decoder_dir", Needed, Done),
    known("list", Needed, Done),
    known("rule_include", Needed, WAZUH),
    known("rule_exclude", Needed, WAZUH),
];

const ALERTS: &[Known] = &[
    known("log_alert_level", LEVEL, Done),
    known("email_alert_level", LEVEL, Done),
    known("use_geoip", YesNo, Ignored("no GeoIP")),
];

const LOCALFILE: &[Known] = &[
    known("log_format", Needed, Done),
    known("location", Needed, Done),
    known("command", Needed, Done),
    known("alias", Text, Done),
    known("frequency", Text, Done),
    known("only-future-events", Text, WINDOWS),
    known("query", Text, WINDOWS),
    known("out_format", Text, WAZUH),
    known("label", Text, WAZUH),
    known("target", Text, WAZUH),
    known("filter", Text, WAZUH),
    known("exclude", Text, WAZUH),
    known("ignore", Text, WAZUH),
    known("restrict", Text, WAZUH),
    known("ignore_binaries", Text, WAZUH),
    known("age", Text, WAZUH),
    known("multiline_regex", Text, WAZUH),
    known("reconnect_time", Text, WAZUH),
];

const COMMAND: &[Known] = &[
    known("name", Needed, Done),
    known("executable", Needed, Done),
    known("expect", Text, Done),
    known("timeout_allowed", YesNo, Done),
    known("extra_args", Text, WAZUH),
];

const ACTIVE_RESPONSE: &[Known] = &[
    known("disabled", YesNo, Done),
    known("command", Needed, Done),
    known("location", Needed, Done),
    known("agent_id", Text, Ignored("there are no agents")),
    known("level", Number(0, 20), Done),
    known("rules_id", Needed, Done),
    known("rules_group", Needed, Done),
    known("timeout", Text, Done),
    known("repeated_offenders", Text, Later("longer blocks for repeated offenders (<repeated_offenders>)")),
    known("ca_store", Text, WAZUH),
    known("ca_verification", Text, WAZUH),
];

/// Sections whose work has issues of their own are checked all the same, so that a mistake shows before it counts.
const SYSCHECK: &[Known] = &[
    known("directories", Text, Done),
    known("ignore", Text, Done),
    known("nodiff", Text, Done),
    known("frequency", NUMBER, Done),
    known("scan_time", Text, Done),
    known("scan_day", Text, Done),
    known("scan_on_start", YesNo, Done),
    known("disabled", YesNo, Done),
    known("skip_nfs", YesNo, Done),
    known("auto_ignore", YesNo, Done),
    known("alert_new_files", YesNo, Done),
    known("prefilter_cmd", Text, Done),
    known("windows_registry", Text, WINDOWS),
    known("registry_ignore", Text, WINDOWS),
    known("skip_dev", Text, WAZUH),
    known("skip_proc", Text, WAZUH),
    known("skip_sys", Text, WAZUH),
    known("process_priority", Text, WAZUH),
    known("max_eps", Text, WAZUH),
    known("synchronization", Text, WAZUH),
    known("whodata", Text, WAZUH),
    known("file_limit", Text, WAZUH),
    known("diff", Text, WAZUH),
];

const ROOTCHECK: &[Known] = &[
    known("disabled", YesNo, Done),
    known("frequency", NUMBER, Done),
    known("rootkit_files", Text, Done),
    known("rootkit_trojans", Text, Done),
    known("system_audit", Text, Done),
    known("base_directory", Text, Done),
    known("ignore", Text, Done),
    known("scanall", YesNo, Done),
    known("readall", YesNo, Done),
    known("skip_nfs", YesNo, Done),
    known("check_dev", YesNo, Done),
    known("check_files", YesNo, Done),
    known("check_if", YesNo, Done),
    known("check_pids", YesNo, Done),
    known("check_ports", YesNo, Done),
    known("check_sys", YesNo, Done),
    known("check_trojans", YesNo, Done),
    known("check_unixaudit", YesNo, Done),
    known("windows_audit", Text, WINDOWS),
    known("windows_apps", Text, WINDOWS),
    known("windows_malware", Text, WINDOWS),
    known("check_winapps", Text, WINDOWS),
    known("check_winaudit", Text, WINDOWS),
    known("check_winmalware", Text, WINDOWS),
];

const EMAIL_ALERTS: &[Known] = &[
    known("email_to", Text, Done),
    known("level", LEVEL, Done),
    known("rule_id", Text, Done),
    known("group", Text, Done),
    known("event_location", Text, Done),
    known("format", OneOf(&["default", "full", "sms"]), Done),
    known("do_not_delay", Text, Done),
    known("do_not_group", Text, Done),
];

const SYSLOG_OUTPUT: &[Known] = &[
    known("server", Needed, Done),
    known("port", Number(1, 65_535), Done),
    known("format", OneOf(&["default", "cef", "json", "splunk"]), Done),
    known("level", LEVEL, Done),
    known("rule_id", Text, Done),
    known("group", Text, Done),
    known("location", Text, Done),
    known("use_fqdn", YesNo, Done),
    known("protocol", OneOf(&["udp", "tcp"]), Done),
    known("tls", YesNo, Done),
    known("tls_verify", YesNo, Done),
    known("tls_ca", Text, Done),
];

const REPORTS: &[Known] = &[
    known("title", Text, Done),
    known("type", Text, Done),
    known("category", Text, Done),
    known("group", Text, Done),
    known("rule", Text, Done),
    known("level", Text, Done),
    known("location", Text, Done),
    known("srcip", Text, Done),
    known("user", Text, Done),
    known("showlogs", YesNo, Done),
    known("email_to", Text, Done),
    known("frequency", Text, Done),
];

const GUEST_LOCALFILE: &[Known] = &[known("log_format", Needed, Done), known("location", Needed, Done)];

const LIMITS: &[Known] = &[
    known("blocks_per_minute", Number(1, 1_000_000), Done),
    known("blocks_live", Number(1, 10_000_000), Done),
    known("blocks_live_total", Number(1, 10_000_000), Done),
];

const GUEST_LIMITS: &[Known] =
    &[known("blocks_per_minute", Number(1, 1_000_000), Done), known("blocks_live", Number(1, 10_000_000), Done)];

const JOURNAL: Value = OneOf(&["auto", "yes", "no"]);

/// The journal is read by an issue of its own; `no` asks for nothing.
const JOURNAL_STANDING: Standing = Later("guests' journals (<journal>)");

const ONE_GUEST: &[Known] = &[
    known("journal", JOURNAL, JOURNAL_STANDING),
    known("localfile", Nested(GUEST_LOCALFILE), Done),
    known("respond", YesNo, Done),
    known("dry_run", YesNo, Done),
    known("limits", Nested(GUEST_LIMITS), Done),
];

const GUESTS: &[Known] = &[
    known("lxc_path", Needed, Done),
    known("ignore", Needed, Done),
    known("correlation", OneOf(&["guest", "all"]), Done),
    known("localfile", Nested(GUEST_LOCALFILE), Done),
    known("journal", JOURNAL, JOURNAL_STANDING),
    known("respond", YesNo, Done),
    known("guest", Nested(ONE_GUEST), Done),
];

const GATEWAY: &[Known] = &[
    known("transport", OneOf(&["nsenter", "ssh", "local"]), Done),
    known("guest", Needed, Done),
    known("address", Needed, Done),
    known("port", Number(1, 65_535), Done),
    known("identity_file", Needed, Done),
    known("known_hosts", Needed, Done),
    known("set_v4", Needed, Done),
    known("set_v6", Needed, Done),
    known("backend", OneOf(&["ipset", "nftables"]), Done),
    known("dry_run", YesNo, Done),
    known("create_sets", YesNo, Done),
    known("ipv6_prefix", Number(64, 128), Done),
    known("cut_established", YesNo, Later("ending open connections of a blocked address (<cut_established>)")),
];

const METRICS: &[Known] = &[known("listen", Needed, Done)];

const NO_NETWORK: Standing = Ignored("hids listens to no agents: it sees every guest from the host");

/// All sections, ours last.
pub const SECTIONS: &[Section] = &[
    Section { name: "global", standing: Done, elements: GLOBAL },
    Section { name: "rules", standing: Done, elements: RULES },
    Section { name: "alerts", standing: Done, elements: ALERTS },
    Section { name: "localfile", standing: Done, elements: LOCALFILE },
    Section { name: "command", standing: Done, elements: COMMAND },
    Section { name: "active-response", standing: Done, elements: ACTIVE_RESPONSE },
    Section { name: "syscheck", standing: Later("file integrity (<syscheck>)"), elements: SYSCHECK },
    Section { name: "rootcheck", standing: Later("rootkits and policy (<rootcheck>)"), elements: ROOTCHECK },
    Section { name: "email_alerts", standing: MAIL, elements: EMAIL_ALERTS },
    Section { name: "syslog_output", standing: Later("alerts by syslog (<syslog_output>)"), elements: SYSLOG_OUTPUT },
    Section { name: "reports", standing: Later("daily reports (<reports>)"), elements: REPORTS },
    Section { name: "remote", standing: NO_NETWORK, elements: &[] },
    Section { name: "client", standing: NO_NETWORK, elements: &[] },
    Section { name: "database_output", standing: Ignored("alerts.json is what data bases read"), elements: &[] },
    Section { name: "agentless", standing: NO_NETWORK, elements: &[] },
    Section { name: "guests", standing: Done, elements: GUESTS },
    Section { name: "gateway", standing: Done, elements: GATEWAY },
    Section { name: "limits", standing: Done, elements: LIMITS },
    Section { name: "metrics", standing: Done, elements: METRICS },
];

/// The name of the table that comes nearest to a mistyped one, if one comes near enough to be worth a hint.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (distance(wrong, name), name))
        .min()
        .filter(|(far, name)| *far <= name.len().max(4) / 3)
        .map(|n| n.1)
}

/// Levenshtein's distance, ASCII case apart.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<u8> = right.bytes().map(|b| b.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let change = corner + usize::from(a.to_ascii_lowercase() != *b);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_neighbour() {
        let names = || SECTIONS.iter().map(|s| s.name);
        assert_eq!(nearest("localfiles", names()), Some("localfile"));
        assert_eq!(nearest("active_response", names()), Some("active-response"));
        assert_eq!(nearest("wodle", names()), None);
    }

    #[test]
    fn no_name_stands_twice() {
        for section in SECTIONS {
            for (i, element) in section.elements.iter().enumerate() {
                assert!(section.elements[..i].iter().all(|e| e.name != element.name), "{}", element.name);
            }
        }
    }
}
