use super::*;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn metrics_are_told_in_the_text_format() {
    let registry = Registry::new();
    let events = registry.counters("hids_events_total", "Events judged.", ["guest"]);
    events.with(["web1"]).inc_by(3);
    events.with(["b\"a\\d\n"]);
    registry.gauge("hids_queue_bytes", "Bytes waiting.").set(1.5);
    registry.collect(|scrape| {
        scrape.gauge("hids_guests", "Guests by state.", &[("state", "running")], 2.0);
        scrape.gauge("hids_guests", "Guests by state.", &[("state", "running")], 9.0);
        scrape.gauge("hids_guests", "Guests by state.", &[("state", "stopped")], 0.0);
    });
    assert_eq!(
        registry.text(),
        "# HELP hids_events_total Events judged.\n# TYPE hids_events_total counter\n\
         hids_events_total{guest=\"b\\\"a\\\\d\\n\"} 0\nhids_events_total{guest=\"web1\"} 3\n\
         # HELP hids_guests Guests by state.\n# TYPE hids_guests gauge\n\
         hids_guests{state=\"running\"} 2\nhids_guests{state=\"stopped\"} 0\n\
         # HELP hids_queue_bytes Bytes waiting.\n# TYPE hids_queue_bytes gauge\nhids_queue_bytes 1.5\n"
    );
}

#[test]
fn beyond_the_cap_everything_is_other() {
    let registry = Registry::new();
    let rules = registry.counters_capped("hids_rule_alerts_total", "Alerts by rule.", ["rule"], 3);
    for id in 0..50 {
        rules.with([&id.to_string()]).inc();
    }
    let text = registry.text();
    assert!(text.contains("hids_rule_alerts_total{rule=\"other\"} 47\n"), "{text}");
    assert_eq!(text.lines().count(), 2 + 4);

    let pairs = registry.counters_capped("hids_pairs_total", "Pairs.", ["guest", "source"], 2);
    for guest in 0..50 {
        pairs.with([&guest.to_string(), "a"]).inc();
    }
    assert!(registry.text().lines().filter(|line| line.starts_with("hids_pairs_total{")).count() <= 5);
}

#[test]
fn a_deleted_guest_takes_its_series_along() {
    let registry = Registry::new();
    let lines = registry.counters("hids_lines_total", "Lines.", ["guest", "source"]);
    let held = lines.with(["web1", "a"]);
    lines.with(["web1", "b"]).inc();
    lines.with(["web2", "a"]).inc();
    registry.counters("hids_by_level_total", "Levels.", ["level"]).with(["web1"]);
    registry.forget("guest", "web1");
    held.inc();
    let text = registry.text();
    assert!(!text.contains("guest=\"web1\"") && text.contains("guest=\"web2\""), "{text}");
    assert!(text.contains("level=\"web1\""));
    lines.remove(["web2", "a"]);
    assert!(!registry.text().contains("web2"));
}

#[test]
fn asking_for_a_name_again_gives_the_same_metric() {
    let registry = Registry::new();
    registry.counter("hids_x_total", "X.").inc();
    registry.clone().counter("hids_x_total", "X.").inc();
    assert!(registry.text().ends_with("hids_x_total 2\n"));
}

#[test]
fn a_long_label_value_is_cut() {
    let registry = Registry::new();
    registry.gauges("hids_g", "G.", ["source"]).with([&"é".repeat(5_000)]).set(1.0);
    assert!(registry.text().len() < 300);
}

/// Checks with Prometheus's own tool that a page is well formed and follows its conventions.
pub(crate) fn promtool(page: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!(
            "SKIPPED: promtool is not installed (Debian: prometheus), so the page of metrics is not checked by it"
        );
        return;
    };
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "promtool: {said}\n{page}");
}

#[test]
fn promtool_has_no_complaint() {
    let registry = Registry::of_process();
    registry.counters("hids_events_total", "Events judged.", ["guest"]).with(["web1"]).inc();
    let latency = registry.histogram("hids_block_latency_seconds", "Line read to block.", &[0.001, 0.01, 0.1]);
    latency.observe(0.004);
    let page = registry.text();
    for name in [
        "hids_build_info{version=",
        "process_cpu_seconds_total ",
        "process_start_time_seconds ",
        "process_resident_memory_bytes ",
        "process_virtual_memory_bytes ",
        "process_open_fds ",
        "process_max_fds ",
        "hids_block_latency_seconds_bucket{le=\"0.01\"} 1",
    ] {
        assert!(page.contains(&format!("\n{name}")) || page.starts_with(name), "{name} in\n{page}");
    }
    promtool(&page);
}
