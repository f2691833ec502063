//! `ossec.conf` as written: its sections and elements, each checked against the table.
//!
//! What is wrong becomes a diagnostic and is left out; the rest is kept, so that all mistakes of a file show at once.
//! More lenient than OSSEC in three points, as supersets of what it accepts: values are trimmed, empty sections and
//! unknown sections are no errors (spec/config.md 1).

use super::table::{self, Known, SECTIONS, Standing, Value};
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use crate::xml::Element;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One checked element: its trimmed text and where it stands.
#[derive(Debug, Clone)]
pub struct Item {
    /// The element's name as the table has it.
    pub name: &'static str,
    /// Its text without white space around it.
    pub text: String,
    /// The element's attributes as written.
    pub element: Element,
    /// Checked elements inside, where the table nests.
    pub inner: Vec<Item>,
    /// Where the value stands.
    pub span: Span,
}

/// One section of the file.
#[derive(Debug, Clone)]
pub struct Part {
    /// The section's name as the table has it.
    pub name: &'static str,
    /// Its elements in the order written.
    pub items: Vec<Item>,
    /// The whole section.
    pub span: Span,
}

/// The whole file.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// Known sections in the order written.
    pub parts: Vec<Part>,
    /// What the file asks for and hids does not do yet, with the first place that asks for it.
    pub later: BTreeMap<&'static str, Span>,
}

impl Part {
    /// The last element of that name.
    pub fn last(&self, name: &str) -> Option<&Item> {
        last(&self.items, name)
    }

    /// All elements of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| item.name == name)
    }
}

/// The last of the items with that name; a later value replaces an earlier one.
pub fn last<'a>(items: &'a [Item], name: &str) -> Option<&'a Item> {
    items.iter().rev().find(|item| item.name == name)
}

impl Document {
    /// All sections of that name, in order.
    pub fn sections<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Part> {
        self.parts.iter().filter(move |part| part.name == name)
    }

    /// The last value of an element over all sections of that name.
    pub fn last(&self, section: &str, element: &str) -> Option<&Item> {
        self.parts.iter().rev().filter(|part| part.name == section).find_map(|part| part.last(element))
    }
}

impl Item {
    /// `yes` is true, anything else (which the table has refused already) false.
    pub fn is_yes(&self) -> bool {
        self.text == "yes"
    }

    /// The number that the table has checked; the empty text is 0.
    pub fn number(&self) -> u64 {
        self.text.parse().unwrap_or(0)
    }
}

/// Checks the elements of a configuration against the table.
pub fn check(source: &Arc<Source>, roots: &[Element]) -> (Document, Diagnostics) {
    let mut reader = Reader { source, document: Document::default(), found: Diagnostics::default() };
    for root in roots {
        if root.name != "ossec_config" {
            let help = "sections stand inside <ossec_config>…</ossec_config>";
            reader.error(root.span, format!("<{}> is no root of a configuration", root.name), help);
            continue;
        }
        for element in &root.children {
            reader.section(element);
        }
    }
    (reader.document, reader.found)
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    document: Document,
    found: Diagnostics,
}

impl Reader<'_> {
    fn error(&mut self, span: Span, message: String, help: impl Into<String>) {
        self.found.push(Diagnostic::error(self.source, span, message).help(help));
    }

    fn section(&mut self, element: &Element) {
        let Some(section) = SECTIONS.iter().find(|known| known.name == element.name) else {
            if element.name == "var" {
                return;
            }
            let warning = Diagnostic::warning(
                self.source,
                element.span,
                format!("section <{}> is unknown and left out", element.name),
            );
            let hint = table::nearest(&element.name, SECTIONS.iter().map(|known| known.name));
            self.found.push(match hint {
                Some(name) => warning.help(format!("did you mean <{name}>?")),
                None => warning,
            });
            return;
        };
        if !element.children.is_empty() && !switched_off(element) {
            self.standing(section.standing, section.name, element.span);
        }
        if section.elements.is_empty() {
            return;
        }
        let items = self.elements(section.name, section.elements, &element.children);
        self.document.parts.push(Part { name: section.name, items, span: element.span });
    }

    fn elements(&mut self, parent: &str, known: &'static [Known], children: &[Element]) -> Vec<Item> {
        let mut items = Vec::new();
        for child in children {
            let Some(entry) = known.iter().find(|entry| entry.name.eq_ignore_ascii_case(&child.name)) else {
                let message = format!("<{}> is unknown in <{parent}>", child.name);
                let names: Vec<&str> = known.iter().map(|entry| entry.name).collect();
                let help = match table::nearest(&child.name, names.iter().copied()) {
                    Some(name) => format!("did you mean <{name}>?"),
                    None => format!("<{parent}> knows {}", names.join(", ")),
                };
                self.error(child.span, message, help);
                continue;
            };
            if let Some(item) = self.item(parent, entry, child) {
                if item.text != "no" {
                    self.standing(entry.standing, entry.name, child.span);
                }
                items.push(item);
            }
        }
        items
    }

    fn item(&mut self, parent: &str, known: &'static Known, element: &Element) -> Option<Item> {
        let text = element.text.trim().to_owned();
        let span = if text.is_empty() { element.span } else { trimmed(element) };
        let mut inner = Vec::new();
        let wrong = match known.value {
            Value::Text => None,
            Value::Needed => text.is_empty().then(|| "a value".to_owned()),
            Value::YesNo => (text != "yes" && text != "no").then(|| "yes or no".to_owned()),
            Value::Number(least, most) => {
                let digits = text.bytes().all(|b| b.is_ascii_digit());
                let number = if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
                let fits = digits && number.is_some_and(|n| (least..=most).contains(&n));
                (!fits).then(|| format!("a whole number from {least} to {most}"))
            }
            Value::OneOf(words) => (!words.contains(&text.as_str())).then(|| words.join(" or ")),
            Value::Nested(table) => {
                inner = self.elements(known.name, table, &element.children);
                None
            }
        };
        if let Some(wanted) = wrong {
            let shown = if text.is_empty() { "nothing".to_owned() } else { format!("{text:?}") };
            let message = format!("<{}> in <{parent}> says {shown}", known.name);
            self.error(span, message, format!("it takes {wanted}"));
            return None;
        }
        Some(Item { name: known.name, text, element: element.clone(), inner, span })
    }

    fn standing(&mut self, standing: Standing, name: &str, span: Span) {
        match standing {
            Standing::Done => {}
            Standing::Later(what) => {
                self.document.later.entry(what).or_insert(span);
            }
            Standing::Ignored(why) => {
                let message = format!("<{name}> has no effect here: {why}");
                self.found.push(Diagnostic::warning(self.source, span, message));
            }
        }
    }
}

/// Where the element's text stands without the white space around it.
fn trimmed(element: &Element) -> Span {
    let lead = element.text.len() - element.text.trim_start().len();
    let tail = element.text.len() - element.text.trim_end().len();
    let Span { start, end } = element.text_span;
    Span::new((start + lead).min(end), end.saturating_sub(tail).max(start))
}

/// Whether a section says of itself that it is off.
fn switched_off(section: &Element) -> bool {
    section.children.iter().any(|child| child.name == "disabled" && child.text.trim() == "yes")
}
