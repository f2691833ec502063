//! Attackers that are timed, one after the other: from the write of the line that completes an attack, in the real
//! guest's root, to the moment an outside observer sees the address in the gateway's set.

use super::super::guests::install::{Install, LOG};
use super::super::guests::lab::Lab;
use super::figures::Series;
use super::watch::{Watch, init};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

/// Long enough to tell a slow block from none.
const PATIENCE: Duration = Duration::from_secs(10);

/// The guest that is attacked.
pub const VICTIM: &str = "12-ssh";

/// An installation whose limits do not hold back the measurement: only the victim's are raised, so that a hostile guest
/// beside it is held by the usual ones. `gateway` is how the gateway is reached.
pub fn install<'lab>(lab: &'lab Lab, gateway: &str) -> Install<'lab> {
    let lxc = lab.env("LAB_LXC");
    Install::new(lab).configured(format!(
        "<ossec_config>
  <global>
    <white_list>127.0.0.1</white_list>
    <white_list>10.126.160.0/24</white_list>
  </global>
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
    <timeout>1800</timeout>
  </active-response>
  <guests>
    <lxc_path>{lxc}</lxc_path>
    <localfile>
      <log_format>syslog</log_format>
      <location>{LOG}</location>
    </localfile>
    <guest name=\"{VICTIM}\">
      <limits>
        <blocks_per_minute>1000000</blocks_per_minute>
        <blocks_live>60000</blocks_live>
      </limits>
    </guest>
  </guests>
  <gateway>
    {gateway}
    <set_v4>global-blk4</set_v4>
    <set_v6>global-blk6</set_v6>
  </gateway>
  <limits>
    <blocks_live_total>65000</blocks_live_total>
  </limits>
</ossec_config>
"
    ))
}

/// Elements of `<gateway>` for the lab's gateway by its network namespace.
pub const NSENTER: &str = "<transport>nsenter</transport><guest>10-gateway</guest>";

/// Attackers of the victim, and the observer.
pub struct Attacks {
    log: File,
    watch: Watch,
    number: u32,
}

impl Attacks {
    /// Ready to attack.
    pub fn on(lab: &Lab) -> Self {
        let log = format!("/proc/{}/root{LOG}", init(lab, VICTIM));
        let log = OpenOptions::new().append(true).open(log).unwrap();
        Self { log, watch: Watch::open(lab), number: 0 }
    }

    /// The observer's own resolution.
    pub fn resolution(&mut self) -> Series {
        self.watch.resolution()
    }

    /// One attacker guesses four times; the fourth line fires rule 5720. From its write to the entry.
    pub fn block(&mut self) -> Option<Duration> {
        self.number += 1;
        // RFC 2544: addresses for measurements.
        let address = format!("198.{}.{}.{}", 18 + self.number / 62500, self.number / 250 % 250, 1 + self.number % 250);
        let line = line(&address, self.number);
        for _ in 0..3 {
            self.log.write_all(line.as_bytes()).unwrap();
        }
        // Of no even length, so that nothing that happens at regular times is always or never met.
        std::thread::sleep(Duration::from_micros(10_000 + u64::from(self.number) * 7_919 % 15_000));
        let written = Instant::now();
        self.log.write_all(line.as_bytes()).unwrap();
        self.watch.sees(&address, PATIENCE).map(|seen| seen - written)
    }

    /// So many, one after the other.
    pub fn blocks(&mut self, count: usize) -> Series {
        let mut series = Series::default();
        (0..count).for_each(|_| series.note(self.block()));
        series
    }
}

/// As sshd's syslog would write it now.
pub fn line(address: &str, number: u32) -> String {
    let stamp = jiff::Zoned::now().strftime("%b %e %H:%M:%S").to_string();
    let port = 1024 + number % 60_000;
    format!("{stamp} {VICTIM} sshd[{port}]: Failed password for root from {address} port {port} ssh2\n")
}
