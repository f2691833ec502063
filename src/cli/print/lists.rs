//! The tables of guests, sources, alerts and blocks, and the one screen of `hids status`.

use super::{Side, Table, Tone, absolute, bytes, duration, escape, relative};
use crate::control::Time;
use crate::control::api::{self, Allowed, Block, Brief, Effect, Guest, GuestDetail, Source, Status, Why};
use crate::guest::id::HOST;

use Side::{Left, Right};

fn moment(moment: Option<Time>, now: Time) -> String {
    moment.map(|moment| relative(moment, now)).unwrap_or_default()
}

fn host_or(guest: &Option<String>) -> String {
    guest.clone().unwrap_or_else(|| HOST.to_owned())
}

fn health_tone(health: &str) -> Tone {
    if health.is_empty() || health == "ok" { Tone::Plain } else { Tone::Bad }
}

/// `hids guests list`.
pub fn guests(guests: &[Guest], now: Time) -> Table {
    let mut table = Table::new([
        ("NAME", Left),
        ("STATE", Left),
        ("PID", Right),
        ("SOURCES", Right),
        ("EVENTS", Right),
        ("ALERTS", Right),
        ("LAST EVENT", Left),
        ("HEALTH", Left),
        ("ROOT", Left),
    ]);
    for guest in guests {
        let tone = match (health_tone(&guest.health), &*guest.state) {
            (Tone::Plain, "running" | "host") => Tone::Plain,
            (Tone::Plain, _) => Tone::Dim,
            (bad, _) => bad,
        };
        table.row(
            tone,
            [
                guest.name.clone(),
                guest.state.clone(),
                guest.pid.map(|pid| pid.to_string()).unwrap_or_default(),
                guest.sources.to_string(),
                guest.events.to_string(),
                guest.alerts.to_string(),
                moment(guest.last_event, now),
                guest.health.clone(),
                guest.root.clone().unwrap_or_default(),
            ],
        );
    }
    table
}

/// `hids guests show`.
pub fn guest(detail: &GuestDetail, now: Time, colour: bool) -> String {
    let guest = &detail.guest;
    let last = guest.last_event.map_or_else(String::new, |at| format!("{} ({})", absolute(at), relative(at, now)));
    let lines = [
        ("name", guest.name.clone()),
        ("path", guest.path.clone()),
        ("state", guest.state.clone()),
        ("pid", guest.pid.map(|pid| pid.to_string()).unwrap_or_default()),
        ("root", guest.root.clone().unwrap_or_default()),
        ("addresses", detail.addresses.join(" ")),
        ("events", guest.events.to_string()),
        ("alerts", guest.alerts.to_string()),
        ("last event", last),
        ("blocks", detail.blocks.to_string()),
        ("responds", if detail.respond { "yes" } else { "no" }.to_owned()),
        ("health", guest.health.clone()),
    ];
    let mut text = pairs(&lines);
    for note in &detail.notes {
        text.push_str(&Tone::Warn.paint(&format!("  {}", escape(note)), colour));
        text.push('\n');
    }
    if !detail.followed.is_empty() {
        text.push('\n');
        text.push_str(&sources(&detail.followed, now).draw(colour));
    }
    text
}

/// `hids sources list`.
pub fn sources(sources: &[Source], now: Time) -> Table {
    let mut table = Table::new([
        ("GUEST", Left),
        ("PATH", Left),
        ("POSITION", Right),
        ("LAG", Right),
        ("LAST LINE", Left),
        ("LINES", Right),
        ("LOST", Right),
        ("HEALTH", Left),
    ]);
    for source in sources {
        let position = match &source.position {
            api::Position::Offset(offset) => offset.to_string(),
            // A journal's cursor is long, and its beginning names the machine only.
            api::Position::Cursor(cursor) => {
                let tail = cursor.char_indices().rev().nth(15).map_or(0, |(at, _)| at);
                cursor[tail..].to_owned()
            }
        };
        let tone = if source.lost > 0 { Tone::Warn } else { health_tone(&source.health) };
        table.row(
            tone,
            [
                host_or(&source.guest),
                source.path.clone(),
                position,
                source.lag.map(bytes).unwrap_or_default(),
                moment(source.last_line, now),
                source.lines.to_string(),
                bytes(source.lost),
                source.health.clone(),
            ],
        );
    }
    table
}

/// `hids blocks list`.
pub fn blocks(blocks: &[Block], now: Time) -> Table {
    let mut table = Table::new([
        ("ADDRESS", Left),
        ("GATEWAY", Left),
        ("SET", Left),
        ("STATE", Left),
        ("GUEST", Left),
        ("RULE", Right),
        ("SINCE", Left),
        ("UNTIL", Left),
        ("COUNT", Right),
        ("REASON", Left),
    ]);
    for block in blocks {
        let tone = match &*block.state {
            "active" => Tone::Plain,
            "dry_run" | "expired" => Tone::Dim,
            _ => Tone::Warn,
        };
        table.row(
            tone,
            [
                block.address.clone(),
                block.gateway.clone(),
                block.set.clone(),
                block.state.clone(),
                block.guest.clone().unwrap_or_default(),
                block.rule.map(|rule| rule.to_string()).unwrap_or_default(),
                moment(block.since, now),
                block.until.map_or_else(|| "for ever".to_owned(), |until| relative(until, now)),
                block.count.to_string(),
                block.reason.clone().unwrap_or_default(),
            ],
        );
    }
    table
}

/// `hids allow list`.
pub fn allowed(allowed: &[Allowed], now: Time) -> Table {
    let mut table = Table::new([("NETWORK", Left), ("ORIGIN", Left), ("SINCE", Left), ("REASON", Left)]);
    for entry in allowed {
        let reason = entry.reason.clone().unwrap_or_default();
        table.row(Tone::Plain, [entry.network.clone(), entry.origin.clone(), moment(entry.since, now), reason]);
    }
    table
}

/// What came of an order.
pub fn effects(effects: &[Effect], colour: bool) -> String {
    let mut text = String::new();
    for effect in effects {
        let at = effect.gateway.as_ref().map(|gateway| format!(" at {gateway}")).unwrap_or_default();
        let line = escape(&format!("{}{at}: {}", effect.subject, effect.message));
        let tone = if effect.done { Tone::Plain } else { Tone::Bad };
        text.push_str(&tone.paint(&line, colour));
        text.push('\n');
    }
    text
}

/// `hids alerts list`.
pub fn alerts(alerts: &[Brief]) -> Table {
    let mut table = Table::new([
        ("TIME", Left),
        ("GUEST", Left),
        ("LEVEL", Right),
        ("RULE", Right),
        ("SOURCE IP", Left),
        ("DESCRIPTION", Left),
    ]);
    for alert in alerts {
        table.row(
            Tone::of_level(alert.level),
            [
                absolute(alert.time),
                host_or(&alert.guest),
                alert.level.to_string(),
                alert.rule.to_string(),
                alert.srcip.clone().unwrap_or_default(),
                alert.description.clone(),
            ],
        );
    }
    table
}

/// One alert on one line, for `hids alerts follow`.
pub fn alert_line(alert: &Brief, colour: bool) -> String {
    let line = format!(
        "{}  {:<16}  {:>2}  {:>6}  {:<15}  {}",
        absolute(alert.time),
        escape(&host_or(&alert.guest)),
        alert.level,
        alert.rule,
        escape(alert.srcip.as_deref().unwrap_or("-")),
        escape(&alert.description)
    );
    Tone::of_level(alert.level).paint(&line, colour) + "\n"
}

/// `hids blocks why`.
pub fn why(why: &Why, now: Time, colour: bool) -> String {
    let mut text = String::new();
    let address = escape(&why.address);
    let live = why.blocks.iter().any(|block| block.state == "active");
    text.push_str(&format!("{address} is {}\n", if live { "blocked" } else { "not blocked" }));
    if !why.allowed.is_empty() {
        text.push_str("\nIt is never blocked:\n");
        text.push_str(&allowed(&why.allowed, now).draw(colour));
    }
    if !why.blocks.is_empty() {
        text.push('\n');
        text.push_str(&blocks(&why.blocks, now).draw(colour));
    }
    if !why.alerts.is_empty() {
        text.push('\n');
        text.push_str(&alerts(&why.alerts).draw(colour));
    }
    text
}

/// `hids status`.
pub fn status(status: &Status, now: Time, colour: bool) -> String {
    let up = duration(u64::try_from(now.0.saturating_sub(status.started.0)).unwrap_or(0));
    let counts = status.guests;
    let unwell = if counts.unwell > 0 { format!(", {} unwell", counts.unwell) } else { String::new() };
    let lines = [
        ("hids", format!("{}, pid {}, up {up}", status.version, status.pid)),
        ("configuration", format!("{}, loaded {}", status.config, relative(status.loaded, now))),
        ("rules", status.rules.to_string()),
        ("guests", format!("{} running, {} stopped{unwell}", counts.running, counts.stopped)),
        ("sources", status.sources.to_string()),
        ("events", format!("{} ({:.1} a second)", status.events, status.events_per_second)),
        ("alerts", status.alerts.to_string()),
        ("blocks", status.blocks.to_string()),
    ];
    let mut text = pairs(&lines);
    for gateway in &status.gateways {
        let error = gateway.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let synced = gateway.synced.map(|at| format!(", compared {}", relative(at, now))).unwrap_or_default();
        let line = format!(
            "{:<15} {} ({}), {}{error}, {} blocked{synced}",
            "gateway", gateway.name, gateway.transport, gateway.state, gateway.blocks
        );
        let tone = if gateway.state == "down" { Tone::Bad } else { Tone::Plain };
        text.push_str(&tone.paint(&escape(&line), colour));
        text.push('\n');
    }
    let failed = status.reload_failed.iter().map(|why| format!("the last reload failed: {why}"));
    for warning in status.warnings.iter().cloned().chain(failed) {
        text.push_str(&Tone::Warn.paint(&format!("warning: {}", escape(&warning)), colour));
        text.push('\n');
    }
    if !status.last_alerts.is_empty() {
        text.push('\n');
        text.push_str(&alerts(&status.last_alerts).draw(colour));
    }
    text
}

/// Names and values, one pair a line; empty values are left out.
fn pairs(lines: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("{name:<15} {}\n", escape(value)));
    }
    text
}
