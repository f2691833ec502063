//! Small books for tests.

use super::{Book, Firewall, Judge};
use crate::decode::{self, Decoders};
use crate::diag::{Diagnostics, Source};
use crate::event::{self, Origin, Stamp};
use crate::guest;
use crate::rules::{self, Lists, RuleSet};
use std::sync::Arc;

/// Decoders for lines such as `Mar  6 12:00:00 h app: ev bad ip=10.0.0.1 du=bob`: each of `ip su du id url sp dp ac st
/// da dip pr` that stands in the line becomes a field; `fw:`, `web:`, `own:` are other categories, `acc:` accumulates, `new:` has a
/// first-time key of its id.
fn decoder_file() -> String {
    let words = [
        ("srcip", "ip"),
        ("srcuser", "su"),
        ("dstuser", "du"),
        ("id", "id"),
        ("url", "url"),
        ("srcport", "sp"),
        ("dstport", "dp"),
        ("action", "ac"),
        ("status", "st"),
        ("data", "da"),
        ("dstip", "dip"),
        ("protocol", "pr"),
    ];
    let mut file = String::from(
        "<decoder name=\"bare\"><prematch>^bare </prematch></decoder>
         <decoder name=\"new\"><program_name>^new$</program_name><regex> id=(\\S+)</regex><order>id</order>
         <fts>name,id</fts></decoder>",
    );
    for (program, rest) in [
        ("app", ""),
        ("fw", "<type>firewall</type>"),
        ("web", "<type>web-log</type>"),
        ("own", "<type>ossec</type>"),
        ("acc", "<accumulate/>"),
    ] {
        file += &format!("<decoder name=\"{program}\"><program_name>^{program}$</program_name>{rest}</decoder>\n");
        for (order, word) in words {
            file += &format!(
                "<decoder name=\"{program}\"><parent>{program}</parent><regex> {word}=(\\S*)</regex>\
                 <order>{order}</order>{rest}</decoder>\n"
            );
        }
    }
    file
}

/// The seven roots, as every rule file wants them first.
pub(crate) fn roots() -> String {
    let categories = ["syslog", "firewall", "ids", "web-log", "squid", "windows", "ossec"];
    let mut group = String::from("<group name=\"base,\">");
    for (id, category) in (1..).zip(categories) {
        group += &format!("<rule id=\"{id}\" level=\"0\" noalert=\"1\"><category>{category}</category></rule>");
    }
    group + "</group>"
}

/// Compiles rules, given without the roots, and says what was found.
pub(crate) fn compile(rules: &str) -> (Book, Diagnostics) {
    let (docs, found) = decode::doc::read(&Source::new("decoder.xml", decoder_file()));
    assert!(found.is_empty(), "{found:?}");
    let (decoders, found) = Decoders::compile(docs, decode::DEFAULT_ORDER_SIZE);
    assert!(!found.has_errors(), "{}", found.iter().map(ToString::to_string).collect::<String>());
    let (base, _) = rules::doc::read(&Source::new("base.xml", roots()));
    let (file, mut diagnostics) = rules::doc::read(&Source::new("test.xml", rules));
    let (rules, found) = RuleSet::compile(vec![base, file], &decoders, &rules::Options::default(), Lists::default());
    diagnostics.append(found);
    (Book { decoders, rules, options: Default::default() }, diagnostics)
}

/// A book of rules without errors.
pub(crate) fn book(rules: &str) -> Arc<Book> {
    let (book, diagnostics) = compile(rules);
    assert!(!diagnostics.has_errors(), "{}", diagnostics.iter().map(ToString::to_string).collect::<String>());
    Arc::new(book)
}

/// A file of a guest, or of the host.
pub(crate) fn source(guest: Option<&str>) -> event::Source {
    event::Source {
        guest: guest.map(guest::Name::new),
        path: "/var/log/auth.log".into(),
        location: "/var/log/auth.log".into(),
        label: "/var/log/auth.log".into(),
        origin: Origin::Log,
    }
}

/// What an event came to: the rule, 0 for none, and whether an alert is written.
pub(crate) type Answer = (u32, bool);

/// Judges one line of program `app` (or with its own header), `t` seconds after the start.
pub(crate) fn weigh(judge: &mut Judge, t: i64, text: &str) -> Answer {
    let line = if text.starts_with("Mar") || text.starts_with("bare") {
        text.to_owned()
    } else {
        format!("Mar  6 12:00:00 h app: {text}")
    };
    let source = source(None);
    let judgement = judge.weigh(line.as_bytes(), &source, "own", Stamp::utc(1_709_726_400 + t));
    judgement.verdict().map_or((0, false), |verdict| (verdict.rule.id, verdict.alert))
}

/// The rules that events come to, one second apart.
pub(crate) fn ids(book: &Arc<Book>, events: &[&str]) -> Vec<u32> {
    let mut judge = Judge::new(Arc::clone(book), Firewall::Untouched);
    (0..).zip(events).map(|(t, text)| weigh(&mut judge, t, text).0).collect()
}

/// The same at given times.
pub(crate) fn ids_at(book: &Arc<Book>, events: &[(i64, &str)]) -> Vec<u32> {
    let mut judge = Judge::new(Arc::clone(book), Firewall::Untouched);
    events.iter().map(|(t, text)| weigh(&mut judge, *t, text).0).collect()
}
