//! A rule file as written: groups and rules with their places, variables expanded, nothing understood yet.

use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use crate::xml::{self, Element};
use std::sync::Arc;

/// One rule file.
#[derive(Debug, Clone)]
pub struct File {
    /// The file's name and text, for diagnostics.
    pub source: Arc<Source>,
    /// Its groups in the order written.
    pub groups: Vec<Group>,
}

/// One `<group name="...">` of a file.
#[derive(Debug, Clone)]
pub struct Group {
    /// The attribute `name`: the head of the group string of each of its rules.
    pub name: String,
    /// Its rules in the order written.
    pub rules: Vec<Rule>,
}

/// One `<rule>`: its attributes and elements as they stand in the file.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The whole element.
    pub element: Element,
}

/// Reads a rule file. Groups and rules that have no usable shape are left out, each with a diagnostic
/// (spec/rules.md 1 and 5).
pub fn read(source: &Arc<Source>) -> (File, Diagnostics) {
    let (mut elements, mut diagnostics) = xml::parse(source);
    diagnostics.append(xml::expand_variables(&mut elements, source));
    let mut groups = Vec::new();
    let mut seen = false;
    for element in elements {
        seen = true;
        if element.name.eq_ignore_ascii_case("var") {
            continue;
        }
        if !element.name.eq_ignore_ascii_case("group") {
            let message = format!("<{}> cannot stand here: a rule file holds <group> and <var> only", element.name);
            diagnostics.push(Diagnostic::error(source, element.span, message));
            continue;
        }
        if let Some(group) = group(element, source, &mut diagnostics) {
            groups.push(group);
        }
    }
    if !seen && !diagnostics.has_errors() {
        diagnostics.push(Diagnostic::error(source, Span::default(), "a rule file without any element"));
    }
    (File { source: Arc::clone(source), groups }, diagnostics)
}

fn group(element: Element, source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Option<Group> {
    let head = element.tag_span();
    let mut refuse = |span: Span, message: String, help: &str| {
        diagnostics.push(Diagnostic::error(source, span, message).help(help));
    };
    let name = match element.attributes.as_slice() {
        [only] if only.name.eq_ignore_ascii_case("name") => only.value.clone(),
        attributes => {
            let spare = attributes.iter().find(|a| !a.name.eq_ignore_ascii_case("name"));
            let help = "a group has the attribute name and no other; its rules are left out until this is mended";
            match spare {
                Some(spare) => refuse(spare.span, format!("a group has no attribute `{}`", spare.name), help),
                None => refuse(head, "a group without a name".to_owned(), help),
            }
            return None;
        }
    };
    if element.children.is_empty() {
        refuse(head, format!("group `{name}` has no rule"), "remove it, or put rules into it");
        return None;
    }
    let mut rules = Vec::new();
    for child in element.children {
        if child.name.eq_ignore_ascii_case("rule") {
            rules.push(Rule { element: child });
        } else if !child.name.eq_ignore_ascii_case("var") {
            let message = format!("<{}> cannot stand here: a group holds <rule> only", child.name);
            refuse(child.span, message, "elements such as <group> or <if_sid> belong inside a <rule>");
        }
    }
    Some(Group { name, rules })
}
