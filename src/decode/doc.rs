//! Decoders as written: what the file says, with its places, before anything is linked or compiled.
//!
//! Grammar and element rules: spec/decoders.md 4 and 5 (OSSEC 4.3.0, src/analysisd/decoders/decode-xml.c).

use super::Category;
use super::builtin::Plugin;
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use crate::pattern::Language;
use crate::xml::{self, Element};
use std::sync::Arc;

/// A text and where it stands. Of an element that is repeated: all pieces joined, and the place of the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The text, untrimmed.
    pub text: String,
    /// Its place in the file.
    pub span: Span,
}

/// Where a search starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// Behind the parent's match.
    AfterParent,
    /// Behind the decoder's own prematch.
    AfterPrematch,
    /// Behind the previous regex of the chain.
    AfterRegex,
}

/// A pattern as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The language that its element names.
    pub language: Language,
    /// The pattern.
    pub text: Text,
    /// The attribute `offset` and its place.
    pub offset: Option<(Offset, Span)>,
}

/// One `<decoder>` as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoder {
    /// The file.
    pub source: Arc<Source>,
    /// The whole element.
    pub span: Span,
    /// The attribute `name`.
    pub name: Text,
    /// `parent`.
    pub parent: Option<Text>,
    /// `program_name` or, where there is none, `program_name_pcre2`.
    pub program: Option<Pattern>,
    /// `prematch` or, where there is none, `prematch_pcre2`.
    pub prematch: Option<Pattern>,
    /// `regex` or, where there is none, `pcre2`.
    pub regex: Option<Pattern>,
    /// `order`.
    pub order: Option<Text>,
    /// `type`.
    pub category: Category,
    /// `fts`, one entry an element.
    pub fts: Vec<Text>,
    /// `accumulate` is there.
    pub accumulate: bool,
    /// `use_own_name` says `true`.
    pub use_own_name: bool,
    /// `plugin_decoder`.
    pub plugin: Option<(Plugin, Span)>,
    /// An error was found in it: it is known by name, but left out.
    pub broken: bool,
}

/// The decoders of a file in file order, and what is wrong with them. A broken decoder stays in the list, marked.
pub fn read(source: &Arc<Source>) -> (Vec<Decoder>, Diagnostics) {
    let (mut elements, mut findings) = xml::parse(source);
    findings.append(xml::expand_variables(&mut elements, source));
    let mut decoders = Vec::new();
    for element in &elements {
        if element.name.eq_ignore_ascii_case("decoder") {
            decoders.push(Reader { source, findings: &mut findings, broken: false }.decoder(element));
        } else if !element.name.eq_ignore_ascii_case("var") {
            findings.push(
                Diagnostic::error(source, element.span, format!("unknown element <{}>", element.name))
                    .help("a decoder file holds <decoder name=\"…\"> elements, and <var> elements for its own use"),
            );
        }
    }
    (decoders, findings)
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    findings: &'a mut Diagnostics,
    broken: bool,
}

/// The two spellings of a pattern: OSSEC's own language and PCRE2.
#[derive(Default)]
struct Twins {
    own: Option<Pattern>,
    pcre2: Option<Pattern>,
}

impl Reader<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.broken = true;
        self.findings.push(Diagnostic::error(self.source, span, message).help(help));
    }

    fn warn(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Diagnostic::warning(self.source, span, message).help(help));
    }

    fn decoder(mut self, element: &Element) -> Decoder {
        let name = self.name(element);
        let mut parent: Option<Text> = None;
        let mut order: Option<Text> = None;
        let (mut program, mut prematch, mut regex) = (Twins::default(), Twins::default(), Twins::default());
        let mut decoder = Decoder {
            source: Arc::clone(self.source),
            span: element.span,
            name,
            parent: None,
            program: None,
            prematch: None,
            regex: None,
            order: None,
            category: Category::Syslog,
            fts: Vec::new(),
            accumulate: false,
            use_own_name: false,
            plugin: None,
            broken: false,
        };
        for child in &element.children {
            let text = Text { text: child.text.clone(), span: child.text_span };
            match child.name.to_ascii_lowercase().as_str() {
                "parent" => join(&mut parent, text),
                "program_name" => self.pattern(&mut program.own, child, Language::OsMatch, false),
                "program_name_pcre2" => self.pattern(&mut program.pcre2, child, Language::Pcre2, false),
                "prematch" => self.pattern(&mut prematch.own, child, Language::OsRegex, true),
                "prematch_pcre2" => self.pattern(&mut prematch.pcre2, child, Language::Pcre2, true),
                "regex" => self.pattern(&mut regex.own, child, Language::OsRegex, true),
                "pcre2" => self.pattern(&mut regex.pcre2, child, Language::Pcre2, true),
                "order" => order = Some(text),
                "fts" => decoder.fts.push(text),
                "ftscomment" => {}
                "accumulate" => {
                    decoder.accumulate = true;
                    if matches!(text.text.trim(), "no" | "false" | "0") {
                        self.warn(child.span, "accumulate is on, whatever its text", "leave the element out");
                    }
                }
                "use_own_name" => {
                    if text.text == "true" {
                        decoder.use_own_name = true;
                    } else {
                        self.warn(child.span, "use_own_name is ignored", "only the exact text `true` switches it on");
                    }
                }
                "plugin_decoder" => match Plugin::from_name(&text.text) {
                    Some(plugin) => decoder.plugin = Some((plugin, child.span)),
                    None => self.error(
                        child.span,
                        format!("unknown plug-in decoder `{}`", text.text),
                        format!("known are {}", Plugin::NAMES.map(|(name, _)| name).join(", ")),
                    ),
                },
                // OSSEC compares this name alone case by case.
                "type" if child.name == "type" => match Category::from_word(&text.text) {
                    Some(category) => decoder.category = category,
                    None => self.error(
                        child.span,
                        format!("unknown type `{}`", text.text),
                        format!("known are {}", Category::WORDS.map(|(word, _)| word).join(", ")),
                    ),
                },
                _ => self.error(
                    child.span,
                    format!("unknown element <{}> in decoder `{}`", child.name, decoder.name.text),
                    "known are parent, program_name, prematch, regex, pcre2, order, type, fts, ftscomment, accumulate, \
                     use_own_name, plugin_decoder, and program_name_pcre2, prematch_pcre2",
                ),
            }
        }
        decoder.parent = parent;
        decoder.order = order;
        decoder.program = self.choose(program, "program_name");
        decoder.prematch = self.choose(prematch, "prematch");
        decoder.regex = self.choose(regex, "regex");
        decoder.broken = self.broken;
        decoder
    }

    fn name(&mut self, element: &Element) -> Text {
        match element.attributes.as_slice() {
            [name] if name.name.eq_ignore_ascii_case("name") && !name.value.is_empty() => {
                Text { text: name.value.clone(), span: name.span }
            }
            [name, second, ..] if name.name.eq_ignore_ascii_case("name") => {
                self.error(
                    second.span,
                    format!("unknown attribute `{}` of a decoder", second.name),
                    "a decoder has the attribute `name` only",
                );
                Text { text: name.value.clone(), span: name.span }
            }
            _ => {
                self.error(
                    element.span,
                    "decoder without a name",
                    "write <decoder name=\"…\">, with nothing before it",
                );
                Text::default()
            }
        }
    }

    /// Adds one piece of a pattern; only the first may carry an offset.
    fn pattern(&mut self, into: &mut Option<Pattern>, element: &Element, language: Language, offset_allowed: bool) {
        let mut offset = None;
        // A program name is not searched at an offset, and OSSEC does not look at its attributes.
        for attribute in element.attributes.iter().filter(|_| offset_allowed) {
            if !attribute.name.eq_ignore_ascii_case("offset") {
                self.error(
                    attribute.span,
                    format!("unknown attribute `{}` of <{}>", attribute.name, element.name),
                    "only `offset` is known; for a PCRE2 pattern use <pcre2> or <prematch_pcre2>",
                );
                continue;
            }
            offset = match attribute.value.as_str() {
                "after_parent" => Some((Offset::AfterParent, attribute.span)),
                "after_prematch" => Some((Offset::AfterPrematch, attribute.span)),
                "after_regex" => Some((Offset::AfterRegex, attribute.span)),
                other => {
                    self.error(
                        attribute.span,
                        format!("unknown offset `{other}`"),
                        "known are after_parent, after_prematch, after_regex",
                    );
                    None
                }
            };
        }
        match into {
            None => {
                let text = Text { text: element.text.clone(), span: element.text_span };
                *into = Some(Pattern { language, text, offset });
            }
            Some(pattern) => {
                if let Some((_, span)) = offset {
                    self.error(
                        span,
                        format!("offset on a further <{}>", element.name),
                        "repeated elements are joined to one pattern; only the first may carry an offset",
                    );
                }
                pattern.text.text.push_str(&element.text);
            }
        }
    }

    fn choose(&mut self, twins: Twins, name: &str) -> Option<Pattern> {
        match (twins.own, twins.pcre2) {
            (Some(own), Some(pcre2)) => {
                self.warn(
                    pcre2.text.span,
                    format!("ignored: <{name}> stands beside this PCRE2 pattern and wins"),
                    "keep one of the two",
                );
                Some(own)
            }
            (own, pcre2) => own.or(pcre2),
        }
    }
}

fn join(into: &mut Option<Text>, text: Text) {
    match into {
        None => *into = Some(text),
        Some(first) => first.text.push_str(&text.text),
    }
}
