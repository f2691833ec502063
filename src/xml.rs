//! xml: the OSSEC XML dialect to elements with spans.
#![forbid(unsafe_code)]

use crate::diag::Span;

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
}
