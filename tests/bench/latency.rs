//! From the offending line to the block: by nsenter, by ssh, and by nsenter while the same log gets 1,000 lines a second.

use super::super::guests::install::LOG;
use super::super::guests::lab::{Lab, turn};
use super::attacks::{Attacks, NSENTER, VICTIM, install};
use super::figures::Part;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const BLOCKS: usize = 300;

#[test]
#[ignore = "a measurement: make bench"]
fn latency() {
    let Some(lab) = turn() else { return };
    let mut part = Part::begin("latency");
    part.say("from the write of the offending line (the fourth, rule 5720) to the entry in the gateway's set, seen by `ipset test`");
    let ssh = format!(
        "<transport>ssh</transport><address>root@{}</address><identity_file>{}</identity_file><known_hosts>{}</known_hosts>",
        lab.env("LAB_GATEWAY"),
        lab.env("LAB_GATEWAY_KEY"),
        lab.env("LAB_GATEWAY_KNOWN_HOSTS")
    );
    measure(&lab, &mut part, "nsenter", NSENTER);
    beside_a_busy_log(&lab, &mut part);
    measure(&lab, &mut part, "ssh", &ssh);
}

fn measure(lab: &Lab, part: &mut Part, label: &str, gateway: &str) {
    lab.does(&["flush"]);
    let install = install(lab, gateway);
    let _daemon = install.start();
    let mut attacks = Attacks::on(lab);
    part.series(&format!("{label}: the observer's own resolution"), &attacks.resolution());
    part.series(&format!("{label}: the very first block"), &attacks.blocks(1));
    part.series(label, &attacks.blocks(BLOCKS));
    part.keep(&format!("{label}-histogram.txt"), &histogram(lab));
    part.say(&format!("{label}: hids's own histogram, line read to entry: {}", mean(&histogram(lab))));
}

fn beside_a_busy_log(lab: &Lab, part: &mut Part) {
    lab.does(&["flush"]);
    let install = install(lab, NSENTER);
    let _daemon = install.start();
    let mut attacks = Attacks::on(lab);
    let over = AtomicBool::new(false);
    let mut written = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut log = OpenOptions::new().append(true).open(lab.inside(VICTIM, LOG)).unwrap();
            let begin = Instant::now();
            let mut lines = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let due = (begin.elapsed().as_secs_f64() * 1000.0) as u32;
                while lines < due {
                    let stamp = jiff::Zoned::now().strftime("%b %e %H:%M:%S").to_string();
                    let line = format!("{stamp} {VICTIM} systemd[1]: Started Session {lines} of user alice.\n");
                    log.write_all(line.as_bytes()).unwrap();
                    lines += 1;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            lines
        });
        let series = attacks.blocks(BLOCKS);
        over.store(true, Ordering::Relaxed);
        written = writer.join().unwrap();
        part.series("nsenter, 1,000 innocent lines a second beside", &series);
    });
    part.say(&format!("  ({written} innocent lines were written into the same log)"));
}

/// hids's own latency histogram, as Prometheus sees it.
fn histogram(lab: &Lab) -> String {
    let mut curl = Command::new("nsenter");
    curl.arg(format!("--net={}", lab.env("LAB_NS_HOST"))).args(["--", "curl", "-sf", "http://127.0.0.1:9855/metrics"]);
    let said = String::from_utf8(curl.output().unwrap().stdout).unwrap();
    said.lines().filter(|line| line.starts_with("hids_block_latency_seconds")).map(|line| format!("{line}\n")).collect()
}

fn mean(histogram: &str) -> String {
    let value = |name: &str| -> f64 {
        let line = histogram.lines().find(|line| line.starts_with(&format!("hids_block_latency_seconds_{name} ")));
        line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0.0)
    };
    let within = |bound: &str| value(&format!("bucket{{le=\"{bound}\"}}"));
    format!(
        "{} blocks, mean {:.2} ms; within 1 ms {}, 5 ms {}, 20 ms {}, 60 ms {}",
        value("count"),
        1000.0 * value("sum") / value("count").max(1.0),
        within("0.001"),
        within("0.005"),
        within("0.02"),
        within("0.06")
    )
}
