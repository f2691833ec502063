//! An installation of hids in OSSEC's layout for one case, and the daemon that runs on it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::lab::{Lab, within};

/// The program under test.
pub const HIDS: &str = env!("CARGO_BIN_EXE_hids");

/// The log that cases write: light guests have it, the configuration follows it in every guest.
pub const LOG: &str = "/var/log/auth.log";

/// Rules of these cases: `blockme` is blocked on sight, `counted` is told and nothing more; the user's own 5720.
const LOCAL_RULES: &str = r#"<group name="local,syslog,">
  <rule id="100900" level="8">
    <if_sid>5716</if_sid>
    <match>for blockme from</match>
    <description>blocked on sight</description>
  </rule>
  <rule id="100901" level="3">
    <if_sid>5716</if_sid>
    <match>for counted from</match>
    <description>told</description>
  </rule>
  <rule id="5720" level="10" frequency="2" overwrite="yes">
    <if_matched_sid>5716</if_matched_sid>
    <same_source_ip />
    <description>Passwords are guessed at sshd.</description>
    <group>authentication_failures,</group>
  </rule>
  <rule id="31151" level="10" frequency="5" timeframe="120" overwrite="yes">
    <if_matched_sid>31101</if_matched_sid>
    <same_source_ip />
    <description>Pages that are not there are asked for in a row.</description>
    <group>web_scan,recon,</group>
  </rule>
</group>
"#;

/// One line as sshd's syslog would write it now; `number` makes it the only one of its kind.
pub fn failed(user: &str, address: &str, number: usize) -> String {
    let out = Command::new("date").arg("+%b %e %H:%M:%S").env("LC_ALL", "C").output().unwrap();
    let stamp = String::from_utf8(out.stdout).unwrap();
    format!(
        "{} 12-ssh sshd[{}]: Failed password for {user} from {address} port {number} ssh2\n",
        stamp.trim_end(),
        100 + number
    )
}

/// An installation; the folder goes with it.
pub struct Install<'lab> {
    lab: &'lab Lab,
    dir: tempfile::TempDir,
    timeout: u32,
    gateway: String,
    own: Option<String>,
}

impl<'lab> Install<'lab> {
    /// The usual one: every guest's auth.log, 11-nginx's access log, the gateway by nsenter, blocks of 1800 s.
    pub fn new(lab: &'lab Lab) -> Self {
        let dir = tempfile::Builder::new().prefix("hids-test.").tempdir().unwrap();
        for sub in ["etc", "rules", "logs", "queue"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        fs::write(dir.path().join("rules/local_rules.xml"), LOCAL_RULES).unwrap();
        let gateway = "<transport>nsenter</transport><guest>10-gateway</guest>".to_owned();
        Self { lab, dir, timeout: 1800, gateway, own: None }
    }

    /// Blocks last so many seconds.
    pub fn timeout(mut self, seconds: u32) -> Self {
        self.timeout = seconds;
        self
    }

    /// How the gateway is reached: elements of `<gateway>`.
    pub fn gateway(mut self, elements: &str) -> Self {
        elements.clone_into(&mut self.gateway);
        self
    }

    /// A configuration of the case's own, whole.
    pub fn configured(mut self, conf: String) -> Self {
        self.own = Some(conf);
        self
    }

    /// Its folder, `-D`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn configure(&self) {
        if let Some(own) = &self.own {
            fs::write(self.dir().join("etc/ossec.conf"), own).unwrap();
            return;
        }
        let (lxc, timeout, gateway) = (self.lab.env("LAB_LXC"), self.timeout, &self.gateway);
        let conf = format!(
            r"<ossec_config>
  <global>
    <email_notification>no</email_notification>
    <white_list>127.0.0.1</white_list>
    <white_list>10.126.160.0/24</white_list>
  </global>
  <alerts><log_alert_level>1</log_alert_level></alerts>
  <command>
    <name>ipset-drop</name>
    <executable>ipset.sh</executable>
    <expect>srcip</expect>
    <timeout_allowed>yes</timeout_allowed>
  </command>
  <active-response>
    <command>ipset-drop</command>
    <location>local</location>
    <level>6</level>
    <timeout>{timeout}</timeout>
  </active-response>
  <localfile>
    <log_format>apache</log_format>
    <location>{lxc}/11-nginx/rootfs/var/log/nginx/*access.log</location>
  </localfile>
  <guests>
    <lxc_path>{lxc}</lxc_path>
    <localfile>
      <log_format>syslog</log_format>
      <location>{LOG}</location>
    </localfile>
  </guests>
  <gateway>
    {gateway}
    <set_v4>global-blk4</set_v4>
    <set_v6>global-blk6</set_v6>
  </gateway>
</ossec_config>
"
        );
        fs::write(self.dir().join("etc/ossec.conf"), conf).unwrap();
    }

    /// Starts the daemon on the lab's host and waits until it answers.
    #[track_caller]
    pub fn start(&self) -> Daemon<'_> {
        self.start_by(self.lab.on_host(Path::new(HIDS)))
    }

    /// Starts the daemon by a command of the case's own, which becomes hids. Waits for what a service manager is told.
    #[track_caller]
    pub fn start_by(&self, mut command: Command) -> Daemon<'_> {
        self.configure();
        let said = self.dir().join("said");
        let out = fs::OpenOptions::new().create(true).append(true).open(&said).unwrap();
        let at = self.dir().join("notify");
        let _ = fs::remove_file(&at);
        let notified = UnixDatagram::bind(&at).unwrap();
        notified.set_nonblocking(true).unwrap();
        command.args(["run", "-D"]).arg(self.dir()).env("NOTIFY_SOCKET", &at);
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let mut daemon = Daemon { child: command.spawn().unwrap(), install: self, said };
        within(15.0, "hids is ready", || {
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("hids run ended at once: {status}");
            }
            let mut words = [0; 512];
            let length = notified.recv(&mut words).ok()?;
            words[..length].split(|&byte| byte == b'\n').any(|word| word == b"READY=1").then_some(())
        });
        daemon
    }

    /// A command of hids on this installation, whatever it answers.
    pub fn ask(&self, args: &[&str]) -> Output {
        Command::new(HIDS).args(args).arg("-D").arg(self.dir()).output().unwrap()
    }

    /// The rows of a list.
    #[track_caller]
    pub fn list(&self, args: &[&str]) -> Vec<Value> {
        let mut with_json = args.to_vec();
        with_json.push("--json");
        let out = self.ask(&with_json);
        assert!(out.status.success(), "hids {}: {}", args.join(" "), String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|why| panic!("hids {}: no JSON array: {why}", args.join(" ")))
    }

    /// The row of guest `name` in `hids guests list`.
    pub fn guest(&self, name: &str) -> Option<Value> {
        self.list(&["guests", "list"]).into_iter().find(|row| row["name"] == name)
    }

    /// The state of guest `name` there, in small letters.
    pub fn state(&self, name: &str) -> Option<String> {
        self.guest(name).map(|row| row["state"].as_str().unwrap_or_default().to_lowercase())
    }

    /// The row of `address` in `hids blocks list`.
    pub fn block(&self, address: &str) -> Option<Value> {
        self.list(&["blocks", "list"]).into_iter().find(|row| row["address"] == address)
    }

    /// The state of the block of `address`, in small letters.
    pub fn block_state(&self, address: &str) -> Option<String> {
        self.block(address).map(|row| row["state"].as_str().unwrap_or_default().to_lowercase())
    }

    /// Every alert so far. A last line without its end is not one yet.
    pub fn alerts(&self) -> Vec<Value> {
        let text = fs::read(self.dir().join("logs/alerts/alerts.json")).unwrap_or_default();
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines = text[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// The alerts of one rule.
    pub fn alerts_of(&self, rule: u32) -> Vec<Value> {
        self.alerts().into_iter().filter(|alert| alert["rule"]["sidid"] == rule).collect()
    }
}

/// A running daemon; killed when it goes out of scope, and heard if the case fails.
pub struct Daemon<'i> {
    child: Child,
    install: &'i Install<'i>,
    said: PathBuf,
}

impl Daemon<'_> {
    /// SIGTERM, and its exit code.
    #[track_caller]
    pub fn stop(mut self) -> Option<i32> {
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        within(10.0, "hids ends after SIGTERM", || self.child.try_wait().unwrap()).0.code()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its pid.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Still there?
    #[track_caller]
    pub fn lives(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "hids ended: {ended:?}");
    }

    /// Shows that hids still judges and blocks: an attack on 12-ssh is answered within `seconds`; gives how long it took.
    #[track_caller]
    pub fn still_guards(&mut self, address: &str, seconds: f64) -> Duration {
        self.lives();
        let lab = self.install.lab;
        let begin = Instant::now();
        lab.writes("12-ssh", LOG, failed("blockme", address, 1));
        within(seconds, "an attacker of another guest is blocked", || lab.left("global-blk4", address));
        begin.elapsed()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for list in ["guests", "sources", "blocks"] {
                let out = self.install.ask(&[list, "list"]);
                eprintln!("--- hids {list} list: {}\n{}", out.status, String::from_utf8_lossy(&out.stdout));
            }
            let said = fs::read_to_string(&self.said).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(40).collect();
            eprintln!("--- the last words of hids:");
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
