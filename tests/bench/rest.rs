//! What hids costs while nothing happens: 100 running guests with five followed files each.

use super::super::guests::install::Install;
use super::super::guests::lab::{Lab, turn, within};
use super::corpus;
use super::figures::Part;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

const GUESTS: usize = 100;
const FILES: [&str; 5] =
    ["/var/log/auth.log", "/var/log/messages", "/var/log/mail.log", "/var/log/daemon.log", "/var/log/access.log"];
const LINES: usize = 200;
/// A minute: everything that hids does at intervals happens in it.
const REST: Duration = Duration::from_secs(60);

#[test]
#[ignore = "a measurement: make bench"]
fn rest() {
    let Some(lab) = turn() else { return };
    let mut part = Part::begin("rest");
    let few = start(&lab, &mut part, "3 guests", 0);
    raise(&lab);
    let many = start(&lab, &mut part, &format!("{GUESTS} guests x {} files more", FILES.len()), LINES);
    part.say(&format!("a guest with {} files: {:.0} KiB", FILES.len(), (many - few) / GUESTS as f64));
    for number in 0..GUESTS {
        lab.does(&["destroy", &name(number)]);
    }
}

/// Starts hids, lets it rest, gives every file some lines, lets it rest again. Gives its first private memory in KiB.
fn start(lab: &Lab, part: &mut Part, label: &str, lines: usize) -> f64 {
    let locations: String = FILES
        .iter()
        .map(|file| {
            let format = if file.ends_with("access.log") { "apache" } else { "syslog" };
            format!("<localfile><log_format>{format}</log_format><location>{file}</location></localfile>\n")
        })
        .collect();
    let lxc = lab.env("LAB_LXC");
    let install = Install::new(lab)
        .configured(format!("<ossec_config><guests><lxc_path>{lxc}</lxc_path>\n{locations}</guests></ossec_config>\n"));
    let daemon = install.start();
    let mine = || {
        let rows = install.list(&["sources", "list"]);
        rows.iter().filter(|row| row["guest"].as_str().is_some_and(|guest| guest.starts_with("40-"))).count()
    };
    if lines > 0 {
        within(60.0, "all files are followed", || (mine() == GUESTS * FILES.len()).then_some(()));
    }
    std::thread::sleep(Duration::from_secs(5));
    let first = memory(part, label, daemon.id());
    at_rest(part, label, daemon.id());
    if lines > 0 {
        let text = corpus::bytes(lines * 107, 2);
        let (begin, cpu) = (Instant::now(), cpu(daemon.id()));
        for number in 0..GUESTS {
            for file in FILES {
                lab.writes(&name(number), file, &text);
            }
        }
        let lag = || {
            let rows = install.list(&["sources", "list"]);
            rows.iter().filter_map(|row| row["lag"].as_u64()).sum::<u64>()
        };
        within(60.0, "all lines are read", || (lag() == 0).then_some(()));
        std::thread::sleep(Duration::from_secs(2));
        let spent = self::cpu(daemon.id()).saturating_sub(cpu);
        part.say(&format!(
            "{label}: {} MB written into all files, judged after {:.1} s at most with {:.2} s of CPU",
            text.len() * GUESTS * FILES.len() / 1_000_000,
            begin.elapsed().as_secs_f64() - 2.0,
            spent.as_secs_f64()
        ));
        memory(part, &format!("{label}, after these lines"), daemon.id());
        at_rest(part, &format!("{label}, after these lines"), daemon.id());
    }
    first
}

fn name(number: usize) -> String {
    format!("40-g{number:03}")
}

fn raise(lab: &Lab) {
    std::thread::scope(|scope| {
        for quarter in 0..4 {
            scope.spawn(move || {
                for number in (quarter..GUESTS).step_by(4) {
                    lab.does(&["new", &name(number), "--with-log", FILES[0]]);
                    for file in &FILES[1..] {
                        lab.writes(&name(number), file, "");
                    }
                }
            });
        }
    });
}

/// Tells the resident memory; gives what of it is private, in KiB.
fn memory(part: &mut Part, label: &str, pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = |key: &str| -> f64 {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    part.say(&format!(
        "{label}: {:.1} MiB resident (of it {:.1} private, the rest is the program itself), at most {:.1}; {} threads, {} descriptors",
        value("VmRSS:") / 1024.0,
        value("RssAnon:") / 1024.0,
        value("VmHWM:") / 1024.0,
        value("Threads:"),
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
    ));
    value("RssAnon:")
}

/// Tells the CPU time and the wake-ups, by thread, of a minute in which nothing is written.
fn at_rest(part: &mut Part, label: &str, pid: u32) {
    let (before, begin) = (threads(pid), Instant::now());
    std::thread::sleep(REST);
    let (after, seconds) = (threads(pid), begin.elapsed().as_secs_f64());
    let mut by_name: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (thread, now) in &after {
        let then = before.get(thread);
        let row = by_name.entry(now.name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()).or_default();
        row.0 += (now.cpu - then.map_or(Duration::ZERO, |then| then.cpu)).as_secs_f64();
        row.1 += (now.woken - then.map_or(0, |then| then.woken)) as f64;
    }
    let all = by_name.values().fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    part.say(&format!(
        "{label}, at rest for {seconds:.0} s: {:.3} % of a core, {:.1} wake-ups a second",
        100.0 * all.0 / seconds,
        all.1 / seconds
    ));
    for (name, (cpu, woken)) in by_name.iter().filter(|(_, row)| row.1 > 0.0) {
        part.say(&format!("  {name:16} {:.3} %, {:.2} wake-ups a second", 100.0 * cpu / seconds, woken / seconds));
    }
}

struct Thread {
    name: String,
    cpu: Duration,
    woken: u64,
}

fn threads(pid: u32) -> BTreeMap<String, Thread> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let one = |path: std::path::PathBuf| -> Option<(String, Thread)> {
        let name = fs::read_to_string(path.join("comm")).ok()?.trim_end().to_owned();
        // Nanoseconds on a core (proc(5): schedstat).
        let nanos = fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse().ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let woken =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?.trim().parse().ok()?;
        let id = path.file_name()?.to_str()?.to_owned();
        Some((id, Thread { name, cpu: Duration::from_nanos(nanos), woken }))
    };
    tasks.filter_map(|task| one(task.ok()?.path())).collect()
}

/// CPU time of all its living threads so far.
pub fn cpu(pid: u32) -> Duration {
    threads(pid).values().map(|thread| thread.cpu).sum()
}

/// The most memory it ever had resident, in KiB.
pub fn high_water(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
