//! The metrics that are looked up when Prometheus asks (design 2.5).

use super::build::Daemon;
use crate::guest;
use crate::metrics::Registry;
use crate::pattern;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Registers everything that the daemon itself knows.
pub fn register(registry: &Registry, daemon: &Arc<Daemon>) {
    let asked = Arc::downgrade(daemon);
    registry.collect(move |scrape| {
        let Some(daemon) = asked.upgrade() else { return };
        let fleet = daemon.discovery.snapshot();
        for guest in fleet.guests.iter().filter(|guest| guest.state.is_live()) {
            let watched = daemon.roster.trouble(&guest.name).is_none();
            let help = "Whether the running guest's root can be reached.";
            scrape.gauge("hids_guest_watched", help, &[("guest", guest.name.as_str())], f64::from(u8::from(watched)));
        }
        for (guest, counts) in daemon.doers.tallies.look() {
            let guest = shown(guest.as_ref());
            for (name, help, value) in [
                ("hids_events_total", "Events judged.", counts.events),
                ("hids_events_undecoded_total", "Events that no decoder took.", counts.undecoded),
                ("hids_events_discarded_total", "Incomplete firewall events, which no rule sees.", counts.discarded),
                ("hids_events_skipped_total", "Events skipped because judging them went wrong.", counts.skipped),
            ] {
                scrape.counter(name, help, &[("guest", guest)], value as f64);
            }
        }
        for source in daemon.collector.totals() {
            let pairs = [("guest", shown(source.guest.as_ref())), ("source", &*source.label)];
            for (name, help, value) in [
                ("hids_source_lines_total", "Lines handed in.", source.lines),
                ("hids_source_lost_bytes_total", "Bytes that became no event.", source.lost_bytes),
                ("hids_source_cut_lines_total", "Lines longer than the limit.", source.cut_lines),
                ("hids_source_read_bytes_total", "Bytes read.", source.read_bytes),
            ] {
                scrape.counter(name, help, &pairs, value as f64);
            }
            if let Some(Ok(last)) = source.last_event.map(|last| last.duration_since(UNIX_EPOCH)) {
                let help = "When the last line was read, in seconds since 1970.";
                scrape.gauge("hids_source_last_event_timestamp_seconds", help, &pairs, last.as_secs_f64());
            }
        }
        let help = "Bytes that wait in a queue.";
        scrape.gauge("hids_queue_bytes", help, &[("queue", "lanes")], daemon.roster.waiting_bytes() as f64);
        let help = "Searches that a pattern gave up at its step limit; they count as no match.";
        scrape.counter("hids_pattern_given_up_total", help, &[], pattern::given_up() as f64);
        let loaded = daemon.loaded.load();
        let successful = f64::from(u8::from(loaded.1.is_none()));
        let help = "Whether the last attempt to load configuration and rules succeeded.";
        scrape.gauge("hids_config_last_reload_successful", help, &[], successful);
        let help = "When configuration and rules were loaded last, in seconds since 1970.";
        scrape.gauge("hids_config_last_reload_timestamp_seconds", help, &[], loaded.0 as f64);
    });
}

fn shown(guest: Option<&guest::Name>) -> &str {
    guest.map_or(guest::id::HOST, guest::Name::as_str)
}
