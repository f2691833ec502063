//! The command line, through the front door: exit codes, outputs for people and for programs, a daemon of its own.

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const HIDS: &str = env!("CARGO_BIN_EXE_hids");

/// An installation in a folder of its own, with the host's log file in it and no guests.
struct Place(tempfile::TempDir);

impl Place {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for below in ["etc", "rules", "lxc"] {
            fs::create_dir(folder.path().join(below)).unwrap();
        }
        fs::write(folder.path().join("auth.log"), "").unwrap();
        let place = Self(folder);
        place.configure(more);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn configure(&self, more: &str) {
        let base = self.path().display();
        let text = format!(
            "<ossec_config>\n<localfile><log_format>syslog</log_format><location>{base}/auth.log</location></localfile>\n\
             <guests><lxc_path>{base}/lxc</lxc_path></guests>\n<metrics><listen>127.0.0.1:0</listen></metrics>\n{more}\n\
             </ossec_config>\n"
        );
        fs::write(self.path().join("etc/ossec.conf"), text).unwrap();
    }

    fn hids(&self, arguments: &[&str]) -> Output {
        Command::new(HIDS).args(arguments).arg("-D").arg(self.path()).stdin(Stdio::null()).output().unwrap()
    }

    fn fed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(HIDS)
            .args(arguments)
            .arg("-D")
            .arg(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    fn log(&self, line: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(self.path().join("auth.log")).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let out = self.hids(arguments);
        assert_eq!(out.status.code(), Some(0), "{arguments:?}: {}", text(&out));
        serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", text(&out)))
    }

    /// Starts the daemon and waits until it watches.
    fn run(&self) -> Daemon {
        let log = fs::File::create(self.path().join("log")).unwrap();
        let child = Command::new(HIDS).arg("run").arg("-D").arg(self.path()).stderr(log).spawn().unwrap();
        let daemon = Daemon(child);
        self.until("the log is followed", || {
            let out = self.hids(&["sources", "list", "--json"]);
            out.status.success() && text(&out).contains("auth.log") && text(&out).contains("\"health\":\"ok\"")
        });
        daemon
    }

    fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let ends = Instant::now() + Duration::from_secs(20);
        while !so() {
            let said = || fs::read_to_string(self.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < ends, "in vain waited for: {what}\n{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn alerts(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join("logs/alerts/alerts.json")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

struct Daemon(Child);

impl Daemon {
    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

const FAILED: &str = "Nov 24 10:00:01 web sshd[12]: Failed password for bob from 198.51.100.7 port 22 ssh2";

#[test]
fn exit_codes_are_stable() {
    let place = Place::new("");
    for (arguments, code) in [
        (&["check"][..], 0),
        (&["no-such-command"], 2),
        (&["guests", "list"], 69),
        (&["alerts", "list", "--since", "yesterday"], 2),
        (&["blocks", "add", "not-an-address"], 2),
        (&["pattern", "os_regex", "("], 1),
        (&["replay", "/no/such/file"], 74),
    ] {
        let out = place.hids(arguments);
        assert_eq!(out.status.code(), Some(code), "{arguments:?}: {}", text(&out));
    }
    let out = place.hids(&["status"]);
    assert!(text(&out).contains("hids run"), "no next step: {}", text(&out));
    place.configure("<global><logall>perhaps</logall></global>");
    assert_eq!(place.hids(&["check"]).status.code(), Some(78));
    assert_eq!(place.hids(&["run"]).status.code(), Some(78));
}

#[test]
fn a_missing_or_broken_rule_file_is_told_and_the_rest_works() {
    let place = Place::new("<rules><include>a.xml</include><include>missing.xml</include></rules>");
    let rules = "<group name=\"local,\">\n<rule id=\"1\" level=\"0\" noalert=\"1\"><category>syslog</category></rule>\n\
                 <rule id=\"100100\" level=\"5\"><if_sid>1</if_sid><match>alarm</match></rule>\n\
                 <rule id=\"100101\" level=\"5\"><if_sid>4711</if_sid></rule>\n</group>\n";
    fs::write(place.path().join("rules/a.xml"), rules).unwrap();
    let out = place.hids(&["check"]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out));
    assert!(text(&out).contains("missing.xml"), "{}", text(&out));
    assert!(text(&out).contains("a.xml:4:"), "{}", text(&out));
    let judged = place.fed(&["logtest", "--json"], b"Nov 24 10:00:01 web x: alarm\n");
    let answer: Value = serde_json::from_slice(&judged.stdout).unwrap();
    assert_eq!(answer["rule"], 100_100);
    let findings = serde_json::from_slice::<Value>(&place.hids(&["check", "--json"]).stdout).unwrap();
    assert!(findings.as_array().unwrap().iter().any(|finding| finding["line"] == 4 && finding["severity"] == "error"));
}

#[test]
fn logtest_answers_one_object_a_line() {
    let place = Place::new("");
    let out = place.fed(&["logtest", "--json"], format!("{FAILED}\nnothing of note\n").as_bytes());
    let answers: Vec<Value> =
        out.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(answers.len(), 2, "{}", text(&out));
    let first = &answers[0];
    assert_eq!((&first["rule"], &first["level"], &first["decoder"]), (&5716.into(), &5.into(), &"sshd".into()));
    assert_eq!(first["fields"]["srcip"], "198.51.100.7");
    assert_eq!(first["alert"], true);
    assert_eq!(first["log"], FAILED);
    assert!(answers[1]["rule"].is_null());
    // The times of records count, and a new sequence begins without a history.
    let record = |t: u32, seq: &str| format!("{{\"log\":\"{FAILED}\",\"t\":{t},\"seq\":\"{seq}\"}}\n");
    let records: String = (0..8).map(|t| record(t, "a")).chain((0..8).map(|t| record(t * 400, "b"))).collect();
    let out = place.fed(&["logtest", "--json", "--records"], records.as_bytes());
    let rules: Vec<u64> = out
        .stdout
        .split(|b| *b == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok()?["rule"].as_u64())
        .collect();
    assert_eq!((rules[7], rules[15]), (5720, 5716), "{rules:?}");
}

#[test]
fn replay_judges_whole_files_by_their_own_times() {
    let place = Place::new("");
    let lines: String = (0..8).map(|second| FAILED.replace("10:00:01", &format!("10:00:{second:02}")) + "\n").collect();
    fs::write(place.path().join("old.log"), &lines).unwrap();
    let old = place.path().join("old.log").display().to_string();
    let out = place.hids(&["replay", &old]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    let alerts: Vec<Value> =
        out.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(alerts.len(), 8);
    assert_eq!(alerts[7]["rule"]["sidid"], 5720);
    assert_eq!(alerts[7]["events"].as_array().unwrap().len(), 7);
    assert!(String::from_utf8_lossy(&out.stderr).contains("events/s"), "{}", text(&out));
}

#[test]
fn what_steers_a_terminal_is_escaped_in_logtest() {
    let place = Place::new("");
    let line =
        "Nov 24 10:00:02 web sshd[12]: Failed password for \u{9b}31m\u{202e}bob from 198.51.100.8 port 22 ssh2\n";
    let shown = text(&place.fed(&["logtest"], line.as_bytes()));
    assert!(shown.contains("dstuser: '\\u{9b}31m\\u{202e}bob'"), "{shown:?}");
    assert!(!shown.contains(['\u{9b}', '\u{202e}']), "{shown:?}");
}

#[test]
fn pattern_tries_each_line() {
    let place = Place::new("");
    let out = place.fed(&["pattern", "os_regex", r"from (\S+) port", "--json"], b"x from 192.0.2.1 port 22\nnone\n");
    let answers: Vec<Value> =
        out.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(answers[0]["captures"][0], "192.0.2.1");
    assert_eq!((&answers[0]["match"], &answers[1]["match"]), (&true.into(), &false.into()));
}

#[test]
fn the_daemon_answers_and_shows_nothing_unescaped() {
    let place = Place::new("");
    let mut daemon = place.run();
    place.log(FAILED);
    place.log("Nov 24 10:00:02 web sshd[12]: Failed password for \u{9b}31m\u{202e}bob from 198.51.100.8 port 22 ssh2");
    place.until("two alerts", || place.alerts().len() == 2);
    assert_eq!(place.json(&["guests", "list", "--json"]), serde_json::json!([]));
    assert_eq!(place.json(&["guests", "show", "host", "--json"])["events"], 2);
    let alerts = place.json(&["alerts", "list", "--json"]);
    assert_eq!(alerts[0]["srcip"], "198.51.100.7");
    assert_eq!(alerts[0]["place"]["offset"], 0);
    assert!(alerts[0]["guest"].is_null());
    assert_eq!(place.json(&["alerts", "list", "--srcip", "198.51.100.8", "--json"]).as_array().unwrap().len(), 1);
    let log = place.path().join("auth.log").display().to_string();
    assert_eq!(place.json(&["alerts", "list", "--source", &log, "--json"]).as_array().unwrap().len(), 2);
    assert_eq!(place.json(&["alerts", "list", "--source", "/other", "--json"]), serde_json::json!([]));
    place.until("a committed position", || place.json(&["sources", "list", "--json"])[0]["lag"] == 0);
    assert_eq!(place.json(&["blocks", "list", "--json"]), serde_json::json!([]));
    assert_eq!(place.json(&["status", "--json"])["alerts"], 2);
    let why = place.json(&["blocks", "why", "127.0.0.1", "--json"]);
    assert_eq!((&why["blocks"], why["allowed"].as_array().unwrap().len()), (&serde_json::json!([]), 1), "{why}");
    assert_eq!(place.json(&["blocks", "why", "198.51.100.7", "--json"])["alerts"].as_array().unwrap().len(), 1);
    for arguments in [&["status"][..], &["alerts", "list"], &["guests", "show", "host"], &["sources", "list"]] {
        let shown = text(&place.hids(arguments));
        let bad = shown.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(bad, None, "{arguments:?}: {shown:?}");
    }
    let out = place.hids(&["guests", "show", "nobody"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out).contains("hids guests list"), "no next step: {}", text(&out));
    assert_eq!(place.hids(&["blocks", "add", "192.0.2.1"]).status.code(), Some(1), "there is no gateway");
    assert_eq!(place.hids(&["run"]).status.code(), Some(75), "a second daemon on the same files");
    daemon.signal("-TERM");
    let asked = Instant::now();
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(3), "nothing was in hand, and ending took {:?}", asked.elapsed());
    assert_eq!(place.hids(&["status"]).status.code(), Some(69));
}

#[test]
fn a_block_by_hand_lasts_as_long_as_was_said() {
    let place = Place::new(
        "<gateway><transport>local</transport><set_v4>four</set_v4><set_v6>six</set_v6><dry_run>yes</dry_run></gateway>",
    );
    let _daemon = place.run();
    for (address, time, ends) in [("198.51.100.9", "0", false), ("2001:db8::9", "2h", true)] {
        let out = place.hids(&["blocks", "add", address, "-t", time]);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out));
        let blocks = place.json(&["blocks", "list", "--json"]);
        let block = blocks.as_array().unwrap().iter().find(|block| block["address"] == address).unwrap();
        assert_eq!(block["until"].is_string(), ends, "{block}");
    }
    let out = place.hids(&["blocks", "remove", "198.51.100.10"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out).contains("hids blocks list"), "no next step: {}", text(&out));
}

#[test]
fn alerts_are_followed_as_they_happen() {
    let place = Place::new("");
    let _daemon = place.run();
    let follow = Command::new(HIDS)
        .args(["alerts", "follow", "--json", "-D"])
        .arg(place.path())
        .stdout(fs::File::create(place.path().join("followed")).unwrap())
        .spawn()
        .unwrap();
    let _follow = Daemon(follow);
    let followed = || fs::read_to_string(place.path().join("followed")).unwrap();
    // The follower may still be on its way in, so it is given more than one alert to see.
    place.until("a followed alert", || {
        place.log(FAILED);
        std::thread::sleep(Duration::from_millis(100));
        followed().lines().next().is_some_and(|line| serde_json::from_str::<Value>(line).is_ok())
    });
}

#[test]
fn a_reload_takes_over_what_is_right_and_refuses_what_is_wrong() {
    let local = |level: u32| {
        format!(
            "<group name=\"local,\"><rule id=\"100100\" level=\"{level}\"><if_sid>5716</if_sid><match>bob</match>\
             <description>Bob.</description></rule></group>"
        )
    };
    let place = Place::new("");
    fs::write(place.path().join("rules/local_rules.xml"), local(4)).unwrap();
    let daemon = place.run();
    let next_level = |wanted: u64| {
        place.until(&format!("an alert of level {wanted}"), || {
            place.log(FAILED);
            std::thread::sleep(Duration::from_millis(50));
            place.alerts().last().is_some_and(|alert| alert["rule"]["level"] == wanted)
        });
    };
    next_level(4);
    fs::write(place.path().join("rules/local_rules.xml"), local(9)).unwrap();
    daemon.signal("-HUP");
    next_level(9);
    // Broken: the old set stays in force, and everybody is told.
    fs::write(place.path().join("rules/local_rules.xml"), "<group name=\"local,\"><rule id=\"100100\"").unwrap();
    daemon.signal("-HUP");
    place.until("the refusal", || {
        place.json(&["status", "--json"])["reload_failed"].as_str().is_some_and(|why| why.contains("local_rules.xml"))
    });
    next_level(9);
    place.configure("<global><logall>perhaps</logall></global>");
    daemon.signal("-HUP");
    place.until("the second refusal", || {
        place.json(&["status", "--json"])["reload_failed"].as_str().is_some_and(|why| why.contains("logall"))
    });
    next_level(9);
    place.configure("");
    fs::write(place.path().join("rules/local_rules.xml"), local(3)).unwrap();
    daemon.signal("-HUP");
    next_level(3);
    assert!(place.json(&["status", "--json"])["reload_failed"].is_null());
}

#[test]
fn help_man_and_completions_come_from_one_definition() {
    let place = Place::new("");
    let help = text(&place.hids(&["--help"]));
    let man = text(&place.hids(&["man"]));
    let completions = text(&place.hids(&["completions", "bash"]));
    for command in ["run", "check", "status", "guests", "sources", "alerts", "blocks", "logtest", "replay", "pattern"] {
        assert!(help.contains(command) && man.contains(command) && completions.contains(command), "{command}");
    }
}
