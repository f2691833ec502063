//! The files that judgement is made from: which ones, in which order, and the book compiled from them.

use super::doc::{Document, Item};
use super::files::{read, unreadable};
use super::options::InternalOptions;
use super::places::Places;
use super::shipped;
use crate::correlate::{self, Book};
use crate::decode::{self, Decoders};
use crate::diag::{Diagnostic, Diagnostics, Severity, Source};
use crate::pattern::{Language, Pattern, Subject};
use crate::rules::list::{List, Lists};
use crate::rules::{self, RuleSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Levels from which alerts are written and flagged for mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// `<log_alert_level>`.
    pub log: u32,
    /// `<email_alert_level>`.
    pub mail: u32,
}

/// Reads and compiles everything. What is wrong is left out and told; the rest works.
pub fn load(
    document: &Document,
    source: &Arc<Source>,
    places: &Places,
    internal: InternalOptions,
    levels: Levels,
) -> (Arc<Book>, Diagnostics) {
    let mut shelf = Shelf { source, places, found: Diagnostics::default() };
    let decoder_files = shelf.decoder_files(document);
    let rule_files = shelf.rule_files(document);
    let lists = shelf.lists(document);
    let mut found = shelf.found;

    let mut decoders = Vec::new();
    for file in &decoder_files {
        let (mut read, diagnostics) = decode::doc::read(file);
        decoders.append(&mut read);
        found.append(diagnostics);
    }
    let (decoders, diagnostics) = Decoders::compile(decoders, internal.decoder_order_size as usize);
    found.append(diagnostics);

    let mut files = Vec::new();
    for file in &rule_files {
        let (read, diagnostics) = rules::doc::read(file);
        files.push(read);
        found.append(diagnostics);
    }
    let options = rules::Options {
        log_alert_level: levels.log,
        email_alert_level: levels.mail,
        default_timeframe: internal.default_timeframe,
    };
    let (rules, diagnostics) = RuleSet::compile(files, &decoders, &options, lists);
    found.append(diagnostics);
    // OSSEC raises smaller values to 2,048.
    let remembered = document.last("global", "memory_size").map_or(8_192, |item| item.number().max(2_048) as usize);
    let options = correlate::Options {
        sid_events: internal.sid_prev_matched_max as usize,
        events: remembered,
        fts_list_size: internal.fts_list_size as usize,
        fts_min_size: internal.fts_min_size_for_str as usize,
    };
    (Arc::new(Book { decoders, rules, options }), found)
}

struct Shelf<'a> {
    source: &'a Arc<Source>,
    places: &'a Places,
    found: Diagnostics,
}

impl Shelf<'_> {
    fn text(&mut self, what: &str, path: &Path) -> Option<Arc<Source>> {
        match read(path) {
            Ok((source, warning)) => {
                warning.into_iter().for_each(|warning| self.found.push(warning));
                Some(source)
            }
            Err(error) => {
                self.found.push(unreadable(what, path, &error));
                None
            }
        }
    }

    /// A file that an element names: the first of the places where it may lie, else the shipped one of that name.
    fn named(
        &mut self,
        what: &str,
        item: &Item,
        paths: &[PathBuf],
        shipped: Option<Arc<Source>>,
    ) -> Option<Arc<Source>> {
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            return self.text(what, path);
        }
        if shipped.is_some() {
            return shipped;
        }
        let looked: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let message = format!("{what} {} is missing and left out", item.text);
        let help = format!("looked for {}", looked.join(", then "));
        self.found.push(Diagnostic::error(self.source, item.span, message).help(help));
        None
    }

    fn decoder_files(&mut self, document: &Document) -> Vec<Arc<Source>> {
        let mut files = Vec::new();
        let mut listed = Vec::new();
        let mut named = false;
        for item in document.sections("rules").flat_map(|part| &part.items) {
            match item.name {
                "decoder" => {
                    named = true;
                    let paths = self.places.relative_file(&item.text);
                    listed.push(item.text.clone());
                    files.extend(self.named("decoder file", item, &paths, None));
                }
                "decoder_dir" => {
                    named = true;
                    for path in self.folder(item, &mut listed) {
                        files.extend(self.text("decoder file", &path));
                    }
                }
                _ => {}
            }
        }
        if named {
            return files;
        }
        let (main, local) = self.places.decoder_files();
        match main.iter().find(|path| path.exists()) {
            Some(path) => files.extend(self.text("decoder file", path)),
            None => files.push(shipped::decoders()),
        }
        if local.exists() {
            files.extend(self.text("decoder file", &local));
        }
        files
    }

    fn rule_files(&mut self, document: &Document) -> Vec<Arc<Source>> {
        let mut sections = document.sections("rules");
        let names_any = sections.any(|part| part.items.iter().any(|item| names_rules(item.name)));
        if !names_any {
            return self.shipped_rules();
        }
        let mut files = Vec::new();
        let mut listed = Vec::new();
        for item in document.sections("rules").flat_map(|part| &part.items) {
            match item.name {
                "include" | "rule" => {
                    let paths = self.places.rule_file(&item.text);
                    listed.push(item.text.clone());
                    // OSSEC's own layout brings its own files; a name that it lacks is a mistake there, not a wish for ours.
                    let shipped = self.places.base().is_none().then(|| shipped::rule(&item.text)).flatten();
                    files.extend(self.named("rule file", item, &paths, shipped));
                }
                "rule_dir" => {
                    for path in self.folder(item, &mut listed) {
                        files.extend(self.text("rule file", &path));
                    }
                }
                _ => {}
            }
        }
        files
    }

    /// The shipped rule set, in the packaged layout each file replaced by one of that name on disk, and the user's local
    /// rules behind it.
    fn shipped_rules(&mut self) -> Vec<Arc<Source>> {
        let mut files = Vec::new();
        for source in shipped::rules() {
            let name = source.name.rsplit('/').next().unwrap_or(&source.name);
            match self.places.shipped_file(name).iter().find(|path| path.exists()) {
                Some(path) => files.extend(self.text("rule file", path)),
                None => files.push(source),
            }
        }
        let local = self.places.rule_file("local_rules.xml");
        if let Some(path) = local.iter().find(|path| path.exists()) {
            files.extend(self.text("rule file", path));
        }
        files
    }

    /// The files of a folder that its pattern takes, by name, without those listed already by path or name.
    fn folder(&mut self, item: &Item, listed: &mut Vec<String>) -> Vec<PathBuf> {
        let pattern = item.element.attribute("pattern").unwrap_or(".xml$");
        let pattern = match Pattern::compile(Language::OsRegex, pattern) {
            Ok(pattern) => pattern,
            Err(error) => {
                let message = format!("pattern {pattern:?}: {error}");
                self.found.push(Diagnostic::error(self.source, item.span, message).help("it is an os_regex"));
                return Vec::new();
            }
        };
        let Some(folder) = self.places.relative_file(&item.text).into_iter().find(|path| path.is_dir()) else {
            let message = format!("folder {} is missing: nothing is read from it", item.text);
            self.found.push(Diagnostic::warning(self.source, item.span, message));
            return Vec::new();
        };
        let mut names: Vec<String> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
            Err(error) => {
                self.found.push(unreadable("folder", &folder, &error));
                Vec::new()
            }
        };
        names.sort_unstable();
        names.retain(|name| {
            let known = listed.iter().any(|path| path == name || path.rsplit('/').next() == Some(name));
            !known && pattern.is_match(Subject::new(name.as_bytes()))
        });
        listed.extend(names.iter().cloned());
        names.into_iter().map(|name| folder.join(name)).collect()
    }

    /// The lists, from their compiled files, or from their text where there is no compiled one or the text is newer.
    fn lists(&mut self, document: &Document) -> Lists {
        let mut lists = Lists::default();
        for item in document.sections("rules").flat_map(|part| part.all("list")) {
            let name = item.text.strip_suffix(".cdb").unwrap_or(&item.text);
            let named = if name.contains('/') { name.to_owned() } else { format!("rules/{name}") };
            let bases = self.places.relative_file(&named);
            let found = bases.iter().find_map(|base| self.list(base));
            let list = found.unwrap_or_else(|| {
                let message = format!("list {} cannot be read", item.text);
                let looked: Vec<String> = bases.iter().map(|base| base.display().to_string()).collect();
                let help = format!("looked for {} and the same with .cdb", looked.join(", then "));
                self.found.push(Diagnostic::error(self.source, item.span, message).help(help));
                List::Unreadable
            });
            lists.insert(&item.text, list);
        }
        lists
    }

    fn list(&mut self, text: &Path) -> Option<List> {
        let compiled = PathBuf::from(format!("{}.cdb", text.display()));
        let written = |path: &Path| std::fs::metadata(path).and_then(|facts| facts.modified()).ok();
        match (written(text), written(&compiled)) {
            (None, None) => None,
            (Some(newer), Some(older)) if newer > older => Some(List::text(&std::fs::read(text).ok()?)),
            (Some(_), None) => Some(List::text(&std::fs::read(text).ok()?)),
            (_, Some(_)) => match List::cdb(&std::fs::read(&compiled).ok()?) {
                Ok(list) => Some(list),
                Err(error) => {
                    let message = format!("list {}: {error}", compiled.display());
                    self.found.push(Diagnostic::global(Severity::Error, message));
                    Some(List::Unreadable)
                }
            },
        }
    }
}

fn names_rules(element: &str) -> bool {
    matches!(element, "include" | "rule" | "rule_dir")
}
