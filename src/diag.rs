//! diag: what is wrong in a user's file, cited.
//!
//! Holds the text of a file ([`Source`]), places in it ([`Span`]) and what is to be said about them ([`Diagnostic`]).
//! A reader of user files returns its value *and* a list of diagnostics, so that one bad line never hides the good
//! ones. Touches nothing: the files are read by whoever knows where they lie.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

/// A user's file: its name as the user knows it, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How the file is called in messages, usually its path.
    pub name: String,
    /// The file's content.
    pub text: String,
}

impl Source {
    /// Makes a source from a name and its text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// Tells line and column (both from 1; columns count characters) of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    fn line_at(&self, offset: usize) -> &str {
        let (line, _) = self.position(offset);
        self.text.lines().nth(line - 1).unwrap_or("")
    }
}

/// A range of bytes in a [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

impl Span {
    /// Makes a span from two byte offsets.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// Whether the thing works in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but probably not as meant.
    Warning,
    /// The thing cited is left out, or the whole file refused.
    Error,
}

/// One finding in a user's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in lower case, without a full stop.
    pub message: String,
    /// Where; absent when no place in a file is to blame.
    pub place: Option<(Arc<Source>, Span)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), place: Some((Arc::clone(source), span)), help: None }
    }

    /// A warning at a place.
    pub fn warning(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(source, span, message) }
    }

    /// An error of no place, such as a missing file.
    pub fn global(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: message.into(), place: None, help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    /// Prints `path:line:col: message`, the line, and a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        match &self.place {
            None => write!(f, "{kind}{}", self.message)?,
            Some((source, span)) => {
                let (line, column) = source.position(span.start);
                write!(f, "{}:{line}:{column}: {kind}{}", source.name, self.message)?;
                let text = source.line_at(span.start);
                let shown: String = text.chars().take(160).map(|c| if c.is_control() { ' ' } else { c }).collect();
                if column <= 160 {
                    let wanted = source
                        .text
                        .get(span.start..span.end)
                        .map_or(1, |cited| cited.lines().next().unwrap_or("").chars().count());
                    let room = shown.chars().count().saturating_sub(column - 1);
                    let tail = "~".repeat(wanted.min(room).saturating_sub(1));
                    write!(f, "\n    {shown}\n    {}^{tail}", " ".repeat(column - 1))?;
                }
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n    help: {help}")?;
        }
        Ok(())
    }
}

/// All that was found in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds everything that another reader found.
    pub fn append(&mut self, mut other: Diagnostics) {
        self.0.append(&mut other.0);
    }

    /// Tells whether at least one finding is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Tells whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Walks the findings in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// Number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|d| d.severity == severity).count()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_cited_with_its_line_and_a_caret() {
        let source = Source::new("rules/x.xml", "<group name=\"a\">\n  <rule id=\"é\">\n</group>");
        let at = source.text.find("id=").unwrap();
        let shown = Diagnostic::error(&source, Span::new(at, at + 7), "bad id").help("use digits").to_string();
        assert_eq!(shown, "rules/x.xml:2:9: bad id\n      <rule id=\"é\">\n            ^~~~~~\n    help: use digits");
    }

    #[test]
    fn a_place_past_the_end_does_not_panic() {
        let source = Source::new("x", "é");
        for start in 0..5 {
            let _ = Diagnostic::warning(&source, Span::new(start, start + 9), "w").to_string();
        }
    }
}
