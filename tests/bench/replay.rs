//! `hids replay` of whole corpora: lines per CPU second, with alerts and without, and the memory it takes.
//!
//! Each figure is the median of a few runs, and each run is told, since other work beside changes them by a fifth.

use super::super::guests::install::HIDS;
use super::super::guests::lab::skip;
use super::corpus;
use super::figures::{Part, median};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 5;

#[test]
#[ignore = "a measurement: make bench"]
fn replay() {
    let mut part = Part::begin("replay");
    part.say(&format!("lines per CPU second of the judging thread, median of {RUNS} runs (least to most)"));
    let place = tempfile::tempdir().unwrap();
    let own = place.path().join("own.log");
    fs::write(&own, corpus::lines(corpus::LINES, corpus::SEED)).unwrap();
    let shipped = installation(place.path(), "shipped", "<ossec_config></ossec_config>\n", None);
    figure(&mut part, "own corpus, shipped rules", &shipped, &own);

    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let Ok(stock) = fs::read_to_string(shared.join("golden/conf/stock.conf")) else {
        return skip("OSSEC's stock rules and the mixed corpus are not in ../shared");
    };
    let stock = installation(place.path(), "stock", &stock, Some(&shared.join("ossec-ruleset")));
    figure(&mut part, "own corpus, stock rules", &stock, &own);
    for name in ["mixed", "sshd"] {
        let packed = shared.join("bench").join(format!("{name}.log.gz"));
        figure(&mut part, &format!("{name}.log.gz, stock rules"), &stock, &packed);
        let plain = place.path().join(format!("{name}.log"));
        let unpacked = Command::new("zcat").arg(&packed).output().unwrap();
        fs::write(&plain, unpacked.stdout).unwrap();
        figure(&mut part, &format!("{name}.log unpacked, stock rules"), &stock, &plain);
    }
}

/// An installation in OSSEC's layout, with rules from elsewhere or hids's own.
fn installation(place: &Path, name: &str, conf: &str, rules: Option<&Path>) -> PathBuf {
    let dir = place.join(name);
    fs::create_dir_all(dir.join("etc")).unwrap();
    fs::write(dir.join("etc/ossec.conf"), conf).unwrap();
    if let Some(rules) = rules {
        let rules = fs::canonicalize(rules).unwrap();
        symlink(rules.join("decoder.xml"), dir.join("etc/decoder.xml")).unwrap();
        symlink(rules.join("rules"), dir.join("rules")).unwrap();
    }
    dir
}

/// What one run came to.
struct Run {
    events: f64,
    alerts: f64,
    /// Of the judging thread, from its first line to its last.
    rate: f64,
    /// Of the whole program from its start, compiling the rules included.
    whole: Duration,
    memory: u64,
}

fn figure(part: &mut Part, label: &str, dir: &Path, log: &Path) {
    for (how, options) in [("judging alone", &["--quiet"][..]), ("with alerts", &[])] {
        let runs: Vec<Run> = (0..RUNS).map(|_| run(dir, log, options)).collect();
        let rates: Vec<f64> = runs.iter().map(|run| run.rate).collect();
        let least = rates.iter().copied().fold(f64::MAX, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        let whole = median(runs.iter().map(|run| run.whole.as_secs_f64()).collect());
        let memory = runs.iter().map(|run| run.memory).max().unwrap_or_default();
        part.say(&format!(
            "{label:33} {how:14} {:8.0} ({least:.0} to {most:.0})  {:.0} lines, {:.0} % alert; whole run {whole:.2} s, {} MiB at most",
            median(rates),
            runs[0].events,
            100.0 * runs[0].alerts / runs[0].events,
            memory / 1024
        ));
    }
}

fn run(dir: &Path, log: &Path, options: &[&str]) -> Run {
    let out = tempfile::tempfile().unwrap();
    let begin = Instant::now();
    let mut command = Command::new(HIDS);
    command.arg("replay").arg("-D").arg(dir).args(options).arg(log);
    let mut child = command.stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        memory = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(memory);
        std::thread::sleep(Duration::from_millis(10));
    }
    let whole = begin.elapsed();
    let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    // "N events of 1 files in S s (N events/s), S s of CPU (N events/s), N alerts"
    let summary =
        said.lines().find(|line| line.contains(" events of ")).unwrap_or_else(|| panic!("hids replay: {said}"));
    let number = |text: &str| text.split_whitespace().next().and_then(|word| word.trim_matches('(').parse().ok());
    let parts: Vec<&str> = summary.split(", ").collect();
    Run {
        events: number(summary).unwrap(),
        alerts: number(parts[2]).unwrap(),
        rate: number(parts[1].split("CPU ").nth(1).unwrap()).unwrap(),
        whole,
        memory,
    }
}
