//! SIGHUP: the user's files are read again. Whatever is wrong with them leaves the old set in force, as a whole.

use super::build::{Daemon, guest_config};
use super::clock;
use crate::alert::Own;
use crate::config::{self, Loaded};
use std::sync::Arc;

/// Loads everything again, and takes it over if nothing is wrong with it. Tells what is wrong otherwise. Blocks.
///
/// # Errors
/// What is wrong, in one line for each finding.
pub fn reload(daemon: &Arc<Daemon>) -> Result<String, String> {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Reloading]);
    daemon.doers.alerts.reopen();
    let done = take_over(daemon);
    let loaded_at = daemon.loaded.load().0;
    match &done {
        Ok(said) => {
            tracing::info!("{said}");
            daemon.loaded.store(Arc::new((clock::now().seconds, None)));
        }
        Err(why) => {
            tracing::error!("the files were not loaded again, the old ones stay in force:\n{why}");
            let first = why.lines().next().unwrap_or("").to_owned();
            daemon.doers.alerts.tell(None, Own::ReloadFailed.facts(), &first);
            daemon.loaded.store(Arc::new((loaded_at, Some(first))));
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    done
}

fn take_over(daemon: &Arc<Daemon>) -> Result<String, String> {
    let old = daemon.config.load_full();
    let Loaded { config, configuration, judgement } = config::load(&old.places);
    let wrong: Vec<String> = configuration
        .iter()
        .chain(judgement.iter())
        .filter(|finding| finding.severity == crate::diag::Severity::Error)
        .map(ToString::to_string)
        .collect();
    let Some(config) = config.filter(|_| wrong.is_empty()) else { return Err(wrong.join("\n")) };
    daemon.doers.responses.reload(config.respond.clone()).map_err(|error| error.to_string())?;
    for what in config.later.iter().filter(|what| !old.later.contains(what)) {
        tracing::warn!("the configuration asks for what hids does not do yet: {what}");
    }
    for (what, changed) in [
        ("<listen>", config.listen != old.listen),
        ("<correlation>", config.collection.one_history != old.collection.one_history),
        ("<jsonout_output>", config.json != old.json),
        ("analysisd.log_fw", config.internal.log_fw != old.internal.log_fw),
    ] {
        if changed {
            tracing::warn!("{what} is taken over at the next start only: restart hids for it");
        }
    }
    daemon.discovery.reconfigure(guest_config(&config));
    daemon.collector.reconfigure(config.collection.files.clone());
    let said = format!("loaded again: {} rules", config.book.rules.len());
    daemon.books.send_replace(Arc::clone(&config.book));
    daemon.config.store(Arc::new(config));
    Ok(said)
}
