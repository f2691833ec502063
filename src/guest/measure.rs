//! What is told to Prometheus of guests, discovery and the hub. Labels are names of guests and states only.

use super::discover::{Fleet, Handle};
use super::state::State;
use crate::metrics::{Registry, Scrape};
use crate::sys::Hub;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of discovery since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Looks at everything.
    pub scans: AtomicU64,
    /// How long the last one took, in microseconds.
    pub last_scan: AtomicU64,
    /// Watches are missing, so that discovery polls.
    pub blind: AtomicBool,
    /// Changes told.
    pub changes: AtomicU64,
}

/// Registers the metrics of this room.
pub fn register(registry: &Registry, handle: &Handle, hub: &Hub) {
    let (fleet, counters, hub) = (handle.watch(), handle.counters(), hub.clone());
    registry.collect(move |scrape| {
        let present: Arc<Fleet> = Arc::clone(&fleet.borrow());
        tell(scrape, &present, &counters);
        let load = hub.load();
        let told = [
            ("hids_sys_watches", "Inodes watched by inotify.", load.inodes as f64),
            ("hids_sys_awaited_processes", "Processes whose end is awaited.", load.processes as f64),
        ];
        for (name, help, value) in told {
            scrape.gauge(name, help, &[], value);
        }
        let told = [
            (
                "hids_sys_overflows_total",
                "Times that inotify lost events and everything was looked at.",
                load.overflows,
            ),
            ("hids_sys_storms_total", "Watches given up because their file changed too fast.", load.storms),
        ];
        for (name, help, value) in told {
            scrape.counter(name, help, &[], value as f64);
        }
    });
}

fn tell(scrape: &mut Scrape, fleet: &Fleet, counters: &Counters) {
    for state in State::ALL {
        let count = fleet.guests.iter().filter(|guest| guest.state == state).count();
        scrape.gauge("hids_guests", "Guests by state.", &[("state", state.as_str())], count as f64);
    }
    for guest in &fleet.guests {
        let up = if guest.state.is_live() { 1.0 } else { 0.0 };
        scrape.gauge("hids_guest_up", "Whether the guest runs.", &[("guest", guest.name.as_str())], up);
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
    scrape.counter("hids_guest_scans_total", "Looks at all guests anew.", &[], count(&counters.scans));
    scrape.counter("hids_guest_changes_total", "Changes of guests told.", &[], count(&counters.changes));
    let seconds = count(&counters.last_scan) / 1e6;
    scrape.gauge("hids_guest_scan_seconds", "Duration of the last look at all guests.", &[], seconds);
    let blind = if counters.blind.load(Ordering::Relaxed) { 1.0 } else { 0.0 };
    scrape.gauge("hids_guest_discovery_polls", "1 while inotify watches are missing and discovery polls.", &[], blind);
}
