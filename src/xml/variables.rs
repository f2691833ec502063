//! `<var name="N">text</var>`: texts that stand for `$N` further down in the same file.

use super::Element;
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use std::sync::Arc;

/// Longest name of a variable, in bytes (spec/patterns.md 11).
const MAX_NAME: usize = 255;

/// Replaces `$N` by the text of the `<var name="N">` above it, in texts and attribute values, and removes the `<var>`
/// elements.
///
/// As OSSEC does (spec/patterns.md 11): names compare without regard to case and run to the next `$`, `.`, `|`, `,`,
/// space or the end; texts of two bytes or fewer stay as they are; what is put in is not searched again. A text with
/// an unknown name is an error and stays as it is. Of two variables of one name the first holds.
pub fn expand_variables(elements: &mut Vec<Element>, source: &Arc<Source>) -> Diagnostics {
    let mut table = Table { source, known: Vec::new(), diagnostics: Diagnostics::default() };
    table.walk(elements);
    table.diagnostics
}

struct Table<'s> {
    source: &'s Arc<Source>,
    known: Vec<(String, String)>,
    diagnostics: Diagnostics,
}

impl Table<'_> {
    fn walk(&mut self, elements: &mut Vec<Element>) {
        // In document order, since a variable holds from its place on.
        elements.retain_mut(|element| {
            if element.name.eq_ignore_ascii_case("var") {
                self.define(element);
                return false;
            }
            for attribute in &mut element.attributes {
                self.expand(&mut attribute.value, attribute.span);
            }
            self.expand(&mut element.text, element.text_span);
            self.walk(&mut element.children);
            true
        });
    }

    fn define(&mut self, element: &Element) {
        let Some(name) = element.attribute("name").filter(|name| !name.is_empty()) else {
            self.error(element.tag_span(), "a variable has no name");
            return;
        };
        if name.len() > MAX_NAME {
            self.error(element.tag_span(), format!("the name of a variable is longer than {MAX_NAME} bytes"));
        } else if self.value(name).is_some() {
            let message = format!("variable '{name}' is defined again; its first text holds");
            self.diagnostics.push(Diagnostic::warning(self.source, element.tag_span(), message));
        } else {
            self.known.push((name.to_owned(), element.text.clone()));
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, text)| text.as_str())
    }

    fn expand(&mut self, text: &mut String, span: Span) {
        if self.known.is_empty() || text.len() <= 2 || !text.contains('$') {
            return;
        }
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            let name = &rest[..rest.find(['$', '.', '|', ',', ' ']).unwrap_or(rest.len())];
            if name.is_empty() {
                expanded.push('$');
                continue;
            }
            let Some(value) = self.value(name) else {
                let shown: String = name.chars().take(60).collect();
                let message = format!("${shown} names no variable known here");
                let help = "below a <var> every $ begins a name, unless it is last or before one of $ . | , and space";
                self.diagnostics.push(Diagnostic::error(self.source, span, message).help(help));
                return;
            };
            expanded.push_str(value);
            rest = &rest[name.len()..];
        }
        expanded.push_str(rest);
        *text = expanded;
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        let error = Diagnostic::error(self.source, span, message);
        self.diagnostics.push(error);
    }
}
