//! What is counted and measured.

use super::block::State;
use super::shared::Shared;
use crate::metrics::{Counter, Histogram, Registry};
use std::sync::Arc;

/// Upper ends of the latency histogram's buckets, in seconds: the aims (20 and 60 ms) are among them.
pub const LATENCY_BOUNDS: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Counters since the start.
#[derive(Debug)]
pub struct Counters {
    /// From reading the offending line to its new entry in the set.
    pub latency: Histogram,
    /// New blocks.
    pub blocks: Counter,
    /// Offences of attackers who are blocked already.
    pub repeats: Counter,
    /// Attackers that a limit held back.
    pub held: Counter,
    /// Attackers that are spared.
    pub spared: Counter,
    /// Source addresses that are none.
    pub not_addresses: Counter,
    /// Events that claim to be our own.
    pub forged: Counter,
    /// Late events whose block would be over.
    pub too_late: Counter,
    /// Blocks whose time has come.
    pub expired: Counter,
    /// Entries that were missing in a set and were put in again.
    pub lost: Counter,
    /// Commands to gateways that failed.
    pub failures: Counter,
    /// Writes of the ledger that failed.
    pub ledger_failures: Counter,
}

impl Counters {
    /// Registers all of them.
    pub fn new(registry: &Registry) -> Self {
        let counter = |name, help| registry.counter(name, help);
        Self {
            latency: registry.histogram(
                "hids_block_latency_seconds",
                "Time from reading the offending line to its new entry in the gateway's set.",
                &LATENCY_BOUNDS,
            ),
            blocks: counter("hids_respond_blocks_total", "New blocks caused by rules."),
            repeats: counter("hids_respond_repeats_total", "Offences of attackers who were blocked already."),
            held: counter("hids_respond_held_total", "Blocks that a limit held back."),
            spared: counter("hids_respond_spared_total", "Blocks not made since the address is never blocked."),
            not_addresses: counter("hids_respond_not_addresses_total", "Source addresses that are no addresses."),
            forged: counter("hids_respond_forged_total", "Events not responded to since they claim to be hids's own."),
            too_late: counter("hids_respond_too_late_total", "Late events whose block would have been over."),
            expired: counter("hids_respond_expired_total", "Blocks whose time had come."),
            lost: counter("hids_respond_lost_total", "Entries missing in a gateway's set that were put in again."),
            failures: counter("hids_respond_failures_total", "Commands to gateways that failed."),
            ledger_failures: counter("hids_respond_ledger_failures_total", "Failed writes of the ledger of blocks."),
        }
    }
}

/// Lets every scrape ask for the blocks by state and for the gateways.
pub(super) fn ask_at_scrape(registry: &Registry, shared: &Arc<Shared>) {
    let shared = Arc::downgrade(shared);
    registry.collect(move |scrape| {
        let Some(shared) = shared.upgrade() else { return };
        let desk = shared.desk();
        let counts = desk.counts();
        let gateways: Vec<(String, bool)> = desk.lanes.iter().map(|lane| (lane.name.clone(), lane.up)).collect();
        drop(desk);
        for (state, count) in State::WORDS.into_iter().zip(counts) {
            scrape.gauge(
                "hids_blocks",
                "Blocks by state, counted once for each gateway.",
                &[("state", state)],
                count as f64,
            );
        }
        for (gateway, up) in gateways {
            let value = f64::from(u8::from(up));
            scrape.gauge(
                "hids_gateway_up",
                "Whether the gateway can be told what to block.",
                &[("gateway", &gateway)],
                value,
            );
        }
    });
}
