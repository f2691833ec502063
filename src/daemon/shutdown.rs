//! The end, in the order of the data: producers, lanes, doers, store; each step under a deadline. And who must not run
//! beside us.

use super::build::Daemon;
use crate::config::Places;
use crate::sys::namespace;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the alerts in hand may take to be written.
const ALERTS: Duration = Duration::from_secs(5);

/// How long committing the last positions may take.
const POSITIONS: Duration = Duration::from_secs(2);

/// How long the commons may take for what lanes offered.
const COMMONS: Duration = Duration::from_secs(2);

/// Ends everything. What cannot be finished in time is read again at the next start; nobody is unblocked.
pub async fn walk(daemon: &Arc<Daemon>, commons: tokio::task::JoinHandle<()>) {
    let collector = Arc::clone(&daemon.collector);
    let _ = tokio::task::spawn_blocking(move || collector.stop_reading()).await;
    daemon.roster.close().await;
    // What the lanes offered is weighed first. The daemon itself keeps a way in, which never sends, so the commons are
    // told to end once they have nothing left to do, or when their time is over.
    let waited = tokio::time::Instant::now();
    let room = &daemon.doers.commons;
    while room.capacity() < room.max_capacity() && waited.elapsed() < COMMONS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    commons.abort();
    let _ = commons.await;
    let (alerts, responses, collector) =
        (daemon.doers.alerts.clone(), Arc::clone(&daemon.doers.responses), Arc::clone(&daemon.collector));
    let last = tokio::task::spawn_blocking(move || {
        if !alerts.stop(ALERTS) {
            tracing::warn!("not all alerts could be written: their lines are read again at the next start");
        }
        responses.stop();
        // Positions move only behind alerts that are written, so they are committed last.
        collector.finish(Instant::now() + POSITIONS);
    });
    let _ = last.await;
}

/// Tells whether OSSEC itself runs in the folder that is to be taken over, and which of its daemons.
pub fn ossec_running(places: &Places) -> Option<String> {
    let folder = places.ossec_pids()?;
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names.iter().find_map(|name| {
        let (daemon, pid) = name.strip_suffix(".pid")?.rsplit_once('-')?;
        let pid: u32 = pid.parse().ok()?;
        let works = daemon.starts_with("ossec-") && is_program(pid, daemon);
        works.then(|| {
            format!("{daemon} still runs here (pid {pid}): stop OSSEC before hids takes over, with ossec-control stop")
        })
    })
}

/// Whether a process of that number runs that program. The number may be another's by now, a guest's among them: then
/// it is not OSSEC, and its command line, which the kernel would read from the guest's own memory, is not looked at.
fn is_program(pid: u32, program: &str) -> bool {
    let proc = Path::new("/proc");
    let spaces = |who: &dyn std::fmt::Display| namespace::of(proc, who, namespace::Kind::Process).ok();
    let own = spaces(&"self");
    if own.is_none() || spaces(&pid) != own {
        return false;
    }
    let command = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
    let first = command.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(first).rsplit('/').next() == Some(program)
}
