//! The inside of an opening tag: a name, then attributes.

use super::{Attribute, MAX_LENGTH};
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use std::ops::Range;
use std::sync::Arc;

/// What stands between `<` and `>`.
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: Vec<Attribute>,
}

/// Reads a tag; `inside` is the range between its angle brackets, without the slash of a self-closing one.
///
/// Attributes that are repeated or too long are noted and left out.
///
/// # Errors
/// What is not `name name="value" name='value'`.
pub(super) fn read(source: &Arc<Source>, inside: Range<usize>, notes: &mut Diagnostics) -> Result<Tag, Diagnostic> {
    let mut cursor = Cursor { source, at: inside.start, end: inside.end };
    let name = cursor.name("element")?;
    let mut attributes: Vec<Attribute> = Vec::new();
    while cursor.skip_space() {
        let start = cursor.at;
        let name = cursor.name("attribute")?;
        let value = cursor.value(&name)?;
        let span = Span::new(start, cursor.at);
        let complaint = if attributes.iter().any(|a| a.name == name) {
            format!("attribute '{name}' is repeated")
        } else if value.contains('>') {
            format!("attribute '{name}' has a > in its value, which OSSEC does not read")
        } else if value.len() > MAX_LENGTH {
            format!("the value of attribute '{name}' has {} bytes, more than the {MAX_LENGTH} allowed", value.len())
        } else {
            attributes.push(Attribute { name, value, span });
            continue;
        };
        notes.push(Diagnostic::error(source, span, complaint));
    }
    Ok(Tag { name, attributes })
}

struct Cursor<'s> {
    source: &'s Arc<Source>,
    at: usize,
    end: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        self.source.text.get(self.at..self.end).unwrap_or_default()
    }

    /// Skips white space; tells whether something follows it.
    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
        self.at < self.end
    }

    fn name(&mut self, what: &str) -> Result<String, Diagnostic> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let rest = self.rest();
        let name = &rest[..rest.find(|c| !known(c)).unwrap_or(rest.len())];
        let next = rest[name.len()..].chars().next();
        // A name ends at white space, an attribute's also at its equals sign.
        let ends_well = next.is_none_or(|c| c.is_ascii_whitespace() || (c == '=' && what == "attribute"));
        if name.is_empty() || !ends_well {
            let place = Span::new(self.at + name.len(), self.at + name.len() + next.map_or(1, char::len_utf8));
            let message = match next {
                Some(c) => format!("{:?} cannot stand in the name of an {what}", c),
                None => format!("a tag has no name of an {what}"),
            };
            return Err(Diagnostic::error(self.source, place, message));
        }
        if name.len() > MAX_LENGTH {
            let place = Span::new(self.at, self.at + name.len());
            let message = format!("the name of an {what} has {} bytes, more than the {MAX_LENGTH} allowed", name.len());
            return Err(Diagnostic::error(self.source, place, message));
        }
        let name = name.to_owned();
        self.at += name.len();
        Ok(name)
    }

    /// Reads `="value"`: space is allowed behind the equals sign only.
    fn value(&mut self, name: &str) -> Result<String, Diagnostic> {
        let here = Span::new(self.at, self.at + 1);
        if !self.rest().starts_with('=') {
            let message = format!("attribute '{name}' has no value");
            let error = Diagnostic::error(self.source, here, message);
            return Err(error.help("write name=\"value\", without a space before the equals sign"));
        }
        self.at += 1;
        self.skip_space();
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let closing = quote.and_then(|quote| rest[1..].find(quote));
        let Some(closing) = closing else {
            let message = format!("the value of attribute '{name}' is not in quotes");
            return Err(Diagnostic::error(self.source, Span::new(self.at, self.at + 1), message));
        };
        let value = rest[1..=closing].to_owned();
        self.at += closing + 2;
        let next = self.rest().chars().next();
        if next.is_some_and(|c| !c.is_ascii_whitespace()) {
            let message = format!("attribute '{name}' is followed by something without a space between");
            return Err(Diagnostic::error(self.source, Span::new(self.at, self.at + 1), message));
        }
        Ok(value)
    }
}
