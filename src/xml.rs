//! xml: the OSSEC XML dialect to elements with spans.
//!
//! Holds [`Element`], the tree that every reader of user files walks. In comes a [`Source`], out go its root elements
//! and what is wrong with it; [`expand_variables`] then puts `<var>` texts in their places, for the files that have
//! them. Touches nothing.
//!
//! OSSEC's dialect is not XML (spec/patterns.md 11, spec/config.md 1): several roots, no entities, `\<` is text,
//! comments run from `<!` to `-->` or `!>`. The tags are found by quick-xml all the same, over a copy of the file in
//! which whatever the two understand differently is painted over, byte for byte (`mask`). Offsets therefore agree with
//! the file, and every name and text is cut from the file itself, never from the copy. What is inside a tag is read
//! here, since quick-xml takes attributes that OSSEC refuses and does not say where they stand.
//!
//! An error of structure ends the reading of that file, since all that follows could be misread; a bad attribute or
//! an over-long text is noted, and reading goes on.
#![forbid(unsafe_code)]

mod mask;
mod tag;
mod variables;

use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use mask::Mask;
use quick_xml::events::Event;
use quick_xml::reader::Reader;
use std::ops::Range;
use std::sync::Arc;

pub use variables::expand_variables;

/// Longest name, attribute value or element text, in bytes (spec/patterns.md 11).
pub const MAX_LENGTH: usize = 8192;
/// Deepest nesting; a root has depth 1 (spec/patterns.md 11).
pub const MAX_DEPTH: usize = 1024;

/// One element, with its attributes in the order written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Name as written (callers compare case-insensitively where OSSEC does).
    pub name: String,
    /// Attributes in the order written; names are unique.
    pub attributes: Vec<Attribute>,
    /// Child elements in the order written.
    pub children: Vec<Element>,
    /// The element's own text: untrimmed, comments cut out, no entities decoded, `\<` kept as two characters.
    pub text: String,
    /// From `<` of the opening tag to behind the closing tag.
    pub span: Span,
    /// Where the text starts and ends in the file (comments inside included).
    pub text_span: Span,
}

/// One attribute of an element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attribute {
    /// Name as written.
    pub name: String,
    /// Value without its quotes.
    pub value: String,
    /// From the name to behind the closing quote.
    pub span: Span,
}

impl Element {
    /// The value of the attribute of that name (ASCII case-insensitive).
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name)).map(|a| a.value.as_str())
    }

    /// The opening tag alone, which is what to cite when the element as a whole is to blame.
    pub fn tag_span(&self) -> Span {
        let end = if self.text_span.start > self.span.start { self.text_span.start } else { self.span.end };
        Span::new(self.span.start, end)
    }

    /// Where in the file the byte `offset` of this element's text stands, to cite a place inside a pattern. Where the
    /// text is no longer what the file says (variables, children), it is the whole text.
    pub fn place(&self, source: &Source, offset: usize) -> Span {
        let whole = self.text_span;
        let Some(raw) = source.text.get(whole.start..whole.end) else { return whole };
        let Some(mask) = Mask::of_fragment(raw) else { return whole };
        if mask.cut(raw, 0..raw.len()) != self.text || offset > self.text.len() {
            return whole;
        }
        let mut at = offset;
        for comment in mask.comments() {
            if comment.start <= at {
                at += comment.len();
            }
        }
        // The whole character is cited, also when only a byte within it is to blame.
        let at = whole.start + raw.floor_char_boundary(at);
        let length = source.text[at..whole.end].chars().next().map_or(0, char::len_utf8);
        Span::new(at, at + length)
    }
}

/// Reads a file of the OSSEC dialect: its root elements, and what is wrong.
///
/// Text outside elements is ignored. On an error of structure the roots read until then are given, so a caller that
/// needs the whole file must look at the diagnostics first.
pub fn parse(source: &Arc<Source>) -> (Vec<Element>, Diagnostics) {
    let mask = Mask::of_file(&source.text);
    let mut builder =
        Builder { source, mask: &mask, roots: Vec::new(), open: Vec::new(), diagnostics: Diagnostics::default() };
    if let Err(broken) = builder.read() {
        builder.diagnostics.push(broken);
    }
    (builder.roots, builder.diagnostics)
}

/// The tree while it grows: finished roots, the elements still open, and what was wrong so far.
struct Builder<'s> {
    source: &'s Arc<Source>,
    mask: &'s Mask,
    roots: Vec<Element>,
    open: Vec<Element>,
    diagnostics: Diagnostics,
}

impl<'s> Builder<'s> {
    fn read(&mut self) -> Result<(), Diagnostic> {
        if let Some(at) = self.mask.unclosed_comment() {
            return Err(self
                .error(at..at + 2, "a comment is opened here and never closed")
                .help("a comment runs from <! to --> or !>, whatever stands behind <!"));
        }
        let mut reader = Reader::from_reader(self.mask.painted());
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.trim_markup_names_in_closing_tags = false;
        loop {
            let start = position(reader.buffer_position());
            let event = reader.read_event();
            let at = start..position(reader.buffer_position());
            match event {
                Ok(Event::Eof) => return self.end_of_file(),
                Ok(Event::Start(_)) => self.open(at, false)?,
                Ok(Event::Empty(_)) => self.open(at, true)?,
                Ok(Event::End(_)) => self.close(at)?,
                Ok(Event::Text(_)) => {
                    if let Some(element) = self.open.last_mut() {
                        element.text.push_str(&self.mask.cut(&self.source.text, at));
                    }
                }
                Ok(_) => return Err(self.error(at, "this is not known in OSSEC's dialect")),
                Err(_) => {
                    let at = position(reader.error_position());
                    return Err(self.error(at..at + 1, "a tag is opened here and never closed"));
                }
            }
        }
    }

    /// Takes an opening tag (`at` runs from `<` to behind `>`).
    fn open(&mut self, at: Range<usize>, empty: bool) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.error(at, format!("elements are nested deeper than {MAX_DEPTH}")));
        }
        if self.mask.touches_comment(&at) {
            return Err(self.error(at, "a comment stands inside a tag"));
        }
        let inside = at.start + 1..at.end - if empty { 2 } else { 1 };
        let tag::Tag { name, attributes } = tag::read(self.source, inside, &mut self.diagnostics)?;
        let span = Span::new(at.start, at.end);
        let text_span = Span::new(at.end, at.end);
        let element = Element { name, attributes, children: Vec::new(), text: String::new(), span, text_span };
        if empty {
            self.keep(element);
        } else {
            self.open.push(element);
        }
        Ok(())
    }

    /// Takes a closing tag: its name repeats the open element's byte for byte.
    fn close(&mut self, at: Range<usize>) -> Result<(), Diagnostic> {
        let name = self.source.text.get(at.start + 2..at.end - 1).unwrap_or_default();
        let Some(mut element) = self.open.pop() else {
            return Err(self.error(at, format!("</{name}> closes nothing")));
        };
        if name != element.name {
            if name.trim().eq_ignore_ascii_case(&element.name) {
                let message = format!("</{name}> does not repeat <{}> byte for byte", element.name);
                return Err(self.error(at, message));
            }
            return Err(self.never_closed(&element, Some(at)));
        }
        element.span.end = at.end;
        element.text_span.end = at.start;
        // A section's own text is the white space between its children, which nobody reads.
        if element.children.is_empty() && element.text.len() > MAX_LENGTH {
            let message =
                format!("the text of <{name}> has {} bytes, more than the {MAX_LENGTH} allowed", element.text.len());
            let tag = element.tag_span();
            let error = self.error(tag.start..tag.end, message);
            self.diagnostics.push(error);
        }
        self.keep(element);
        Ok(())
    }

    fn keep(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.roots.push(element),
        }
    }

    fn end_of_file(&mut self) -> Result<(), Diagnostic> {
        match self.open.pop() {
            Some(element) => Err(self.never_closed(&element, None)),
            None => Ok(()),
        }
    }

    /// Says that an element is not closed: `found` is the closing tag that came instead, if any.
    fn never_closed(&self, element: &Element, found: Option<Range<usize>>) -> Diagnostic {
        let opened = element.tag_span().start..element.text_span.start;
        let message = format!("element '{}' is not closed", element.name);
        let rest = &self.source.text[element.text_span.start..];
        let rest = &rest[..found.as_ref().map_or(rest.len(), |at| at.start - element.text_span.start)];
        let error = self.error(opened, message);
        if rest.contains(&format!("\\</{}>", element.name)) {
            return error.help(format!(
                "a backslash before < makes it text, so \\</{}> is no closing tag: end the text otherwise",
                element.name
            ));
        }
        match found {
            Some(at) => {
                let (line, _) = self.source.position(at.start);
                error.help(format!("line {line} has {} while it is open", &self.source.text[at]))
            }
            None => error.help(format!("the file ends without </{}>", element.name)),
        }
    }

    fn error(&self, at: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.source, Span::new(at.start, at.end), message)
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
