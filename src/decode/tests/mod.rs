//! Decoding, against what OSSEC 4.3.0 answered.

mod first;
mod hostile;
mod load;
mod tree;

use super::*;
use crate::diag::{Diagnostics, Source};
use crate::event::{Event, Stamp, header, record};

/// Compiles one file, broken decoders left out.
pub(super) fn compile(text: &str) -> (Decoders, Diagnostics) {
    let (docs, mut findings) = doc::read(&Source::new("decoder.xml", text));
    let (decoders, more) = Decoders::compile(docs, DEFAULT_ORDER_SIZE);
    findings.append(more);
    (decoders, findings)
}

/// Compiles one file that must be without fault.
pub(super) fn good(text: &str) -> Decoders {
    let (decoders, findings) = compile(text);
    assert!(!findings.has_errors(), "{}", findings.iter().map(|f| f.to_string()).collect::<Vec<_>>().join("\n"));
    decoders
}

pub(super) fn source() -> record::Source {
    record::Source {
        guest: None,
        path: "stdin".into(),
        location: "stdin".into(),
        label: "stdin".into(),
        origin: record::Origin::Log,
    }
}

/// What became of one line.
pub(super) struct Answer {
    pub(super) name: Option<String>,
    pub(super) category: Category,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) decoded: Decoded,
    pub(super) full: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self, label: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(name, _)| name == label)?;
        std::str::from_utf8(value).ok()
    }

    /// `id=1 status=2`, in label order.
    pub(super) fn fields(&self) -> String {
        let mut parts: Vec<_> =
            self.fields.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value))).collect();
        parts.sort();
        parts.join(" ")
    }
}

/// A judge's hand: everything that is reused from line to line.
#[derive(Default)]
pub(super) struct Bench {
    scratch: Scratch,
    buffer: Vec<u8>,
    out: Decoded,
}

impl Bench {
    pub(super) fn decode(&mut self, decoders: &Decoders, line: &[u8]) -> Answer {
        let source = source();
        let full = header::clean(line, &mut self.buffer);
        let event = Event {
            full,
            header: header::parse(full),
            own_host: "own",
            source: &source,
            time: Stamp::utc(1_709_726_400),
        };
        decoders.decode(&event, &mut self.scratch, &mut self.out);
        let shown = decoders.shown(&self.out, full);
        Answer {
            name: self.out.decoder.map(|decoder| decoders.facts(decoder).name.clone()),
            category: self.out.category,
            fields: shown.into_iter().map(|(name, text)| (name.to_owned(), text.to_vec())).collect(),
            decoded: self.out.clone(),
            full: full.to_vec(),
        }
    }
}

pub(super) fn decode(decoders: &Decoders, line: &str) -> Answer {
    Bench::default().decode(decoders, line.as_bytes())
}
