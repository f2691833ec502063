//! `<localfile>` and `<guests>`: what is followed, and which guests there may be.

use super::doc::{Document, Item, Part, last};
use super::locate::{self, Place};
use crate::collect::{FileSpec, Foreign, Format, Scope};
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use crate::pattern::{Language, Pattern};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Where guests are looked for when nothing else is said.
const LXC_PATH: &str = "/var/lib/lxc";

/// What is followed, and who.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    /// The LXC paths, in order.
    pub lxc_paths: Vec<PathBuf>,
    /// `os_match` patterns on the names of guests that are left alone.
    pub ignore: Vec<Pattern>,
    /// One history for host and guests together, as OSSEC has it.
    pub one_history: bool,
    /// The files.
    pub files: Vec<FileSpec>,
    /// What is asked for and not done yet, with the place that asks.
    pub later: BTreeMap<String, Span>,
}

/// Reads the sections.
pub fn read(document: &Document, source: &Arc<Source>) -> (Collection, Diagnostics) {
    let mut reader =
        Reader { source, found: Diagnostics::default(), wanted: Collection::default(), real_paths: BTreeMap::new() };
    let mut lxc_paths: Vec<String> = document
        .sections("guests")
        .flat_map(|part| part.all("lxc_path"))
        .filter_map(|item| reader.lxc_path(item))
        .collect();
    if lxc_paths.is_empty() {
        lxc_paths.push(LXC_PATH.to_owned());
    }
    reader.wanted.lxc_paths = lxc_paths.iter().map(PathBuf::from).collect();
    // An LXC path may be a link: a location through what it leads to is a guest's as well.
    for written in &lxc_paths {
        if let Some(real) =
            std::fs::canonicalize(written).ok().and_then(|path| path.into_os_string().into_string().ok())
        {
            reader.real_paths.entry(real).or_insert_with(|| written.clone());
        }
    }
    let real = reader.real_paths.keys().filter(|path| !lxc_paths.contains(path));
    let lxc_paths: Vec<String> = lxc_paths.iter().chain(real).cloned().collect();
    reader.wanted.one_history = document.last("guests", "correlation").is_some_and(|item| item.text == "all");
    for part in &document.parts {
        match part.name {
            "localfile" => reader.localfile(&part.items, part.span, &lxc_paths),
            "guests" => reader.guests(part),
            _ => {}
        }
    }
    (reader.wanted, reader.found)
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    found: Diagnostics,
    wanted: Collection,
    /// What the LXC paths lead to, and how they are written.
    real_paths: BTreeMap<String, String>,
}

impl Reader<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.found.push(Diagnostic::error(self.source, span, message).help(help));
    }

    fn lxc_path(&mut self, item: &Item) -> Option<String> {
        if item.text.starts_with('/') {
            return Some(item.text.trim_end_matches('/').to_owned());
        }
        self.error(item.span, format!("<lxc_path> {:?} is not absolute", item.text), "it begins with /");
        None
    }

    fn guests(&mut self, part: &Part) {
        for item in part.all("ignore") {
            match Pattern::compile(Language::OsMatch, &item.text) {
                Ok(pattern) => self.wanted.ignore.push(pattern),
                Err(error) => {
                    self.error(item.span, format!("<ignore>: {error}"), "it is an os_match on the guest's name")
                }
            }
        }
        for item in part.all("localfile") {
            self.inside(&item.inner, item.element.span, Scope::EveryGuest);
        }
        for guest in part.all("guest") {
            let Some(name) = guest.element.attribute("name").filter(|name| !name.is_empty()) else {
                self.error(guest.element.span, "a <guest> without a name", "write <guest name=\"…\">");
                continue;
            };
            let scope = Scope::Guest(literal(name));
            for item in guest.inner.iter().filter(|item| item.name == "localfile") {
                self.inside(&item.inner, item.element.span, scope.clone());
            }
        }
    }

    /// A `<localfile>` of `<guests>`: its location is the guest's own path.
    fn inside(&mut self, items: &[Item], span: Span, scope: Scope) {
        let Some((format, location)) = self.format_and_location(items, span) else { return };
        if !location.text.starts_with('/') {
            let message = format!("<location> {:?} is not absolute", location.text);
            return self.error(location.span, message, "it is a path as the guest sees it and begins with /");
        }
        let (path, label) = (location.text.clone(), location.text.clone());
        self.wanted.files.push(FileSpec { scope, path, label, format });
    }

    /// A plain `<localfile>`: the host's file, or, through an LXC path, a guest's.
    fn localfile(&mut self, items: &[Item], span: Span, lxc_paths: &[String]) {
        let Some((format, location)) = self.format_and_location(items, span) else { return };
        let label = location.text.clone();
        let (scope, path) = match locate::place(&location.text, lxc_paths) {
            Place::Host(path) if path.starts_with('/') => (Scope::Host, path),
            Place::Host(path) => {
                return self.error(location.span, format!("<location> {path:?} is not absolute"), "it begins with /");
            }
            Place::Guest { lxc_path, name, path } => {
                let lxc_path = self.real_paths.get(&lxc_path).cloned().unwrap_or(lxc_path);
                (Scope::Folder { lxc_path, name }, path)
            }
        };
        self.wanted.files.push(FileSpec { scope, path, label, format });
    }

    fn format_and_location<'i>(&mut self, items: &'i [Item], span: Span) -> Option<(Format, &'i Item)> {
        let Some(written) = last(items, "log_format") else {
            self.error(span, "a <localfile> without <log_format>", "for log files with one event a line say syslog");
            return None;
        };
        let Some(format) = Format::parse(&written.text.to_ascii_lowercase()) else {
            let message = format!("<log_format> {:?} is unknown", written.text);
            self.error(written.span, message, "for log files with one event a line say syslog");
            return None;
        };
        match format {
            Format::Foreign(Foreign::Windows) => {
                let warning = "Windows event logs are not read here";
                self.found.push(Diagnostic::warning(self.source, written.span, warning));
                return None;
            }
            Format::Foreign(_) => {
                self.wanted.later.entry(format!("sources of log_format {format}")).or_insert(written.span);
                return None;
            }
            _ => {}
        }
        let location = last(items, "location");
        if location.is_none() {
            self.error(span, "a <localfile> without <location>", "name the file");
        }
        Some((format, location?))
    }
}

/// A name as a pattern that matches nothing else.
fn literal(name: &str) -> String {
    name.chars().map(|c| if matches!(c, '*' | '?' | '[') { format!("[{c}]") } else { c.to_string() }).collect()
}
