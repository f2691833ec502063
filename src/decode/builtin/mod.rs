//! Decoders that are code: what an element `<plugin_decoder>` names (spec/decoders.md 13).
//!
//! They run where a regex would, and set fields of the event directly.

mod ossec_alert;
mod pf;
mod sonicwall;
mod symantec;
#[cfg(test)]
mod tests;

use super::Decoded;
use crate::event::{Event, Field, Value};
use crate::pattern::Captures;
use std::ops::Range;

pub(super) use sonicwall::SonicWall;

/// A plug-in decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// Packet-filter text.
    PacketFilter,
    /// Symantec web security: `number=value` parts.
    SymantecWeb,
    /// SonicWall firewall text.
    SonicWall,
    /// A one-line alert forwarded by another server.
    OssecAlert,
}

impl Plugin {
    /// The names that decoder files use.
    pub const NAMES: [(&'static str, Plugin); 4] = [
        ("PF_Decoder", Plugin::PacketFilter),
        ("SymantecWS_Decoder", Plugin::SymantecWeb),
        ("SonicWall_Decoder", Plugin::SonicWall),
        ("OSSECAlert_Decoder", Plugin::OssecAlert),
    ];

    /// The plug-in of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find_map(|(known, plugin)| (known == name).then_some(plugin))
    }

    /// Its name in decoder files.
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find_map(|(name, plugin)| (plugin == self).then_some(name)).unwrap_or_default()
    }

    pub(super) fn run(
        self,
        sonicwall: Option<&SonicWall>,
        event: &Event<'_>,
        captures: &mut Captures,
        out: &mut Decoded,
    ) {
        match self {
            Plugin::PacketFilter => pf::decode(event, out),
            Plugin::SymantecWeb => symantec::decode(event, out),
            Plugin::SonicWall => {
                if let Some(sonicwall) = sonicwall {
                    sonicwall.decode(event, captures, out);
                }
            }
            Plugin::OssecAlert => ossec_alert::decode(event, out),
        }
    }
}

/// Sets a field to a range of the shortened log.
fn set(event: &Event<'_>, out: &mut Decoded, field: Field, span: Range<usize>) {
    let base = event.header.log.start;
    out.fields.set(field, Value::Span(base + span.start..base + span.end));
}

/// Where `needle` next stands, from an offset on.
fn find(text: &[u8], from: usize, needle: u8) -> Option<usize> {
    memchr::memchr(needle, text.get(from..)?).map(|at| from + at)
}
