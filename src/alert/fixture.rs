//! Verdicts made by hand, for the tests of this room.

use super::{Id, Meta, Place};
use crate::correlate::{Previous, Verdict};
use crate::decode::{self, Decoded};
use crate::event::{Event, Field, Header, Origin, Source, Stamp, Value};
use crate::guest;
use crate::rules;
use std::sync::Arc;

/// A verdict with all that it borrows.
pub(super) struct Case {
    pub rule: rules::Facts,
    pub decoder: Option<decode::Facts>,
    pub decoded: Decoded,
    pub source: Source,
    pub full: Vec<u8>,
    pub header: Header,
    pub events: Vec<Arc<[u8]>>,
    pub output: Option<Vec<u8>>,
    pub fired_times: u32,
    pub meta: Meta,
}

/// Second at which the fixtures' alerts arrive: 2026-11-24 20:37:20 UTC.
pub(super) const NOW: i64 = 1_795_552_640;

impl Case {
    /// An event of guest `web1` with header `Nov 24 10:00:01 web PROGRAM: `.
    pub fn new(program: &str, text: &str) -> Self {
        let full = format!("Nov 24 10:00:01 web {program}: {text}").into_bytes();
        let behind = 20 + program.len();
        Self {
            rule: rules::Facts {
                id: 100_500,
                level: 5,
                description: Some("Door rattled.".into()),
                groups: "local,door,".into(),
                ..rules::Facts::default()
            },
            decoder: None,
            decoded: Decoded::default(),
            source: Source {
                guest: Some(guest::Name::new("web1")),
                path: "/var/log/auth.log".into(),
                location: "/var/lib/lxc/web1/rootfs/var/log/auth.log".into(),
                label: "/var/log/auth.log".into(),
                origin: Origin::Log,
            },
            header: Header { host: Some(16..19), program: Some(20..behind), log: behind + 2..full.len() },
            full,
            events: Vec::new(),
            output: None,
            fired_times: 1,
            meta: Meta {
                id: Id { epoch: NOW, number: 7 },
                arrival: Stamp::utc(NOW),
                nanos: 250_000_000,
                place: Place { inode: 42, offset: 4_096 },
                event_time: None,
            },
        }
    }

    /// Sets a field.
    pub fn field(mut self, field: Field, text: &[u8]) -> Self {
        self.decoded.fields.set(field, Value::Owned(text.into()));
        self
    }

    /// Puts the guest's name in place of `web1`.
    pub fn guest(mut self, name: &str) -> Self {
        self.source.guest = Some(guest::Name::new(name));
        self
    }

    /// Hands the verdict to a closure.
    pub fn with<T>(&self, then: impl FnOnce(&Verdict<'_>) -> T) -> T {
        let event = Event {
            full: &self.full,
            header: self.header.clone(),
            own_host: "web1",
            source: &self.source,
            time: self.meta.arrival,
        };
        let previous = match (&self.output, &self.events[..]) {
            (Some(output), _) => Previous::Output(output),
            (None, []) => Previous::None,
            (None, events) => Previous::Events(events),
        };
        then(&Verdict {
            rule: &self.rule,
            event: &event,
            decoded: &self.decoded,
            decoder: self.decoder.as_ref(),
            previous,
            fired_times: self.fired_times,
            alert: true,
            respond: true,
        })
    }
}
