//! What every process tells of itself, from `/proc/self` (proc(5)), under the names that Prometheus's clients agree on.
#![allow(clippy::disallowed_methods)]

use super::Scrape;
use std::fs;

/// The kernel's user-space tick rate (`USER_HZ`): 100 on every architecture that Rust runs Linux on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Tells `process_*` and `hids_build_info`; what cannot be read is left out.
pub(super) fn collect(scrape: &mut Scrape) {
    let revision = option_env!("HIDS_REVISION").unwrap_or("unknown");
    let build = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", revision),
        ("rustc", option_env!("HIDS_RUSTC").unwrap_or(env!("CARGO_PKG_RUST_VERSION"))),
    ];
    scrape.gauge("hids_build_info", "Version, revision and compiler of this program; always 1.", &build, 1.0);

    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::read) {
        let help = "Total user and system CPU time spent in seconds.";
        scrape.counter("process_cpu_seconds_total", help, &[], stat.cpu_seconds);
        let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| boot_time(&text));
        if let Some(booted) = booted {
            let help = "Start time of the process since the Unix epoch in seconds.";
            scrape.gauge("process_start_time_seconds", help, &[], booted + stat.started_after_boot);
        }
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |key: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    if let Some(kib) = number("VmRSS") {
        scrape.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", &[], kib * 1024.0);
    }
    if let Some(kib) = number("VmSize") {
        scrape.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", &[], kib * 1024.0);
    }
    if let Some(threads) = number("Threads") {
        scrape.gauge("process_threads", "Number of OS threads in the process.", &[], threads);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // The folder being read is one of them.
        let open = entries.count().saturating_sub(1);
        scrape.gauge("process_open_fds", "Number of open file descriptors.", &[], open as f64);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = limits.lines().find_map(|line| line.strip_prefix("Max open files")) {
        let most = most.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(f64::INFINITY);
        scrape.gauge("process_max_fds", "Maximum number of open file descriptors.", &[], most);
    }
}

struct Stat {
    cpu_seconds: f64,
    started_after_boot: f64,
}

impl Stat {
    /// Reads fields 14, 15 and 22. The second field, the program's name, may hold blanks and brackets.
    fn read(text: &str) -> Option<Self> {
        let rest = &text[text.rfind(')')? + 1..];
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |field: usize| -> Option<f64> { fields.get(field - 3)?.parse().ok() };
        Some(Self {
            cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
            started_after_boot: ticks(22)? / TICKS_PER_SECOND,
        })
    }
}

fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_does_not_confuse_the_fields() {
        let stat = Stat::read("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 5 0 1000 9 9").unwrap();
        assert!((stat.cpu_seconds - 4.0).abs() < 1e-9);
        assert!((stat.started_after_boot - 10.0).abs() < 1e-9);
        assert!(Stat::read("").is_none() && Stat::read("1 (x) S 1").is_none());
    }
}
