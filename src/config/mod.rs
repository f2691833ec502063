//! config: what the user wants.
//!
//! Holds the whole configuration: one field for each room, of that room's own type. Comes in: `ossec.conf`, the files
//! that it names, the embedded defaults. Goes out: a [`Config`] and everything that is wrong with those files, at once.
//! Touches the files named to it, reading only.
#![forbid(unsafe_code)]

mod book;
pub mod collection;
pub mod doc;
mod files;
pub mod locate;
pub mod options;
pub mod places;
mod responses;
pub mod shipped;
pub mod table;
#[cfg(test)]
mod tests;

pub use book::Levels;
pub use collection::Collection;
pub use places::Places;

use crate::correlate::Book;
use crate::diag::{Diagnostic, Diagnostics, Severity, Source};
use crate::respond;
use crate::xml;
use doc::Document;
use options::InternalOptions;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where metrics are served when nothing else is said (design 2.2).
const LISTEN: &str = "127.0.0.1:9855";

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where things lie.
    pub places: Places,
    /// Decoders and rules.
    pub book: Arc<Book>,
    /// Who is watched, and which files are followed.
    pub collection: Collection,
    /// Responses, gateways, limits, the white list.
    pub respond: respond::Config,
    /// Alerts are written as JSON lines.
    pub json: bool,
    /// Address of `/metrics`.
    pub listen: SocketAddr,
    /// OSSEC's run-time options.
    pub internal: InternalOptions,
    /// What the configuration asks for and hids does not do yet.
    pub later: Vec<String>,
    /// No configuration was found: the embedded defaults are in force.
    pub embedded: bool,
}

/// What loading came to.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; `None` if `ossec.conf` or an options file is wrong.
    pub config: Option<Config>,
    /// Findings in `ossec.conf` and the options files. An error here means exit code 78.
    pub configuration: Diagnostics,
    /// Findings in decoders, rules and lists. What is wrong there is left out and the rest works.
    pub judgement: Diagnostics,
}

/// Loads everything that the places name.
pub fn load(places: &Places) -> Loaded {
    let mut configuration = Diagnostics::default();
    let mut internal = InternalOptions::default();
    for path in places.internal_options().iter().filter(|path| path.exists()) {
        match files::read(path) {
            Ok((source, _)) => configuration.append(internal.read(&source)),
            Err(error) => configuration.push(files::unreadable("options file", path, &error)),
        }
    }
    let Some((source, embedded)) = source(places, &mut configuration) else {
        return Loaded { config: None, configuration, judgement: Diagnostics::default() };
    };
    let (roots, found) = xml::parse(&source);
    configuration.append(found);
    let (document, found) = doc::check(&source, &roots);
    configuration.append(found);
    let (collection, found) = collection::read(&document, &source);
    configuration.append(found);
    let (respond, left_out, found) = responses::read(&document, &source, places);
    configuration.append(found);
    let listen = listen(&document, &source, &mut configuration);

    let level = |name, default| document.last("alerts", name).map_or(default, |item| item.number() as u32);
    let levels = Levels { log: level("log_alert_level", 1), mail: level("email_alert_level", 7) };
    let (book, judgement) = book::load(&document, &source, places, internal, levels);

    let mut later: Vec<String> = document.later.keys().map(|what| (*what).to_owned()).collect();
    later.extend(collection.later.keys().cloned());
    later.extend(left_out.iter().map(|program| {
        let by_hids = if program == respond::config::GATEWAY_PROGRAM {
            ": with a <gateway> section hids does itself what this one does"
        } else {
            ""
        };
        format!("response scripts ({program}){by_hids}")
    }));
    later.dedup();
    unknown_rules(&document, &source, &book, &mut configuration);
    let json = document.last("global", "jsonout_output").is_none_or(doc::Item::is_yes);
    let config = Config { places: places.clone(), book, collection, respond, json, listen, internal, later, embedded };
    let usable = !configuration.has_errors();
    Loaded { config: usable.then_some(config), configuration, judgement }
}

/// The configuration's text, and whether it is the embedded one. `None`: it is there and cannot be read.
fn source(places: &Places, found: &mut Diagnostics) -> Option<(Arc<Source>, bool)> {
    let path = places.configuration();
    // Without a configuration the embedded one is in force, but a file or a folder that the user named must be there.
    if !places.configuration_named() && places.base().is_none() && !path.exists() {
        return Some((Source::new("the embedded configuration", shipped::CONFIGURATION), true));
    }
    match files::read(&path) {
        Ok((source, warning)) => {
            warning.into_iter().for_each(|warning| found.push(warning));
            Some((source, false))
        }
        Err(error) => {
            found.push(
                files::unreadable("configuration", &path, &error)
                    .help("name another file with -c, or a folder with -D"),
            );
            None
        }
    }
}

/// Warns of responses to rules that do not exist. Not an error: OSSEC takes them, and a rule may be missing because its
/// file is broken, which is told by itself.
fn unknown_rules(document: &Document, source: &Arc<Source>, book: &Book, found: &mut Diagnostics) {
    for item in document.sections("active-response").flat_map(|part| part.all("rules_id")) {
        for id in item.text.split(',').filter_map(|word| word.trim().parse::<u32>().ok()) {
            if book.rules.facts(id).is_none() {
                let message = format!("<rules_id> names rule {id}, which no file defines: it never responds");
                found
                    .push(Diagnostic::warning(source, item.span, message).help("is the file with that rule included?"));
            }
        }
    }
}

fn listen(document: &Document, source: &Arc<Source>, found: &mut Diagnostics) -> SocketAddr {
    let item = document.last("metrics", "listen");
    let text = item.map_or(LISTEN, |item| item.text.as_str());
    text.parse().unwrap_or_else(|_| {
        let span = item.map_or_else(Default::default, |item| item.span);
        let message = format!("<listen> {text:?} is no address with a port");
        found.push(Diagnostic::error(source, span, message).help(format!("write it like {LISTEN} or [::1]:9855")));
        SocketAddr::from(([127, 0, 0, 1], 9855))
    })
}

impl Loaded {
    /// Everything that was found, in the order in which the files are read.
    pub fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.configuration.iter().chain(self.judgement.iter())
    }

    /// Number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.configuration.count(severity) + self.judgement.count(severity)
    }
}
