//! Choosing how a pattern is matched, and building it when it is first needed.

use super::backtrack::Backtracker;
use super::emit::{Target, emit};
use super::literal::Literals;
use super::require::Required;
use super::tree::Node;
use super::{Captures, Encoding, Error, Language, MAX_CAPTURES, Pattern, Subject, os_match, os_regex, perl};
use regex::bytes::{CaptureLocations, Regex, RegexBuilder};
use std::sync::{Mutex, OnceLock};

/// A regex larger than this is left to PCRE2, whose counted repetitions take no room.
const SIZE_LIMIT: usize = 10 << 20;
/// Groups may nest 250 deep, and each brings some levels of its own.
const NEST_LIMIT: u32 = 2000;

/// A pattern's tree, and what else parsing it found.
pub(super) struct Parsed {
    tree: Option<Node>,
    binding: bool,
    literal_braces: Vec<usize>,
}

/// Parses a pattern of any language.
///
/// # Errors
/// What the language does not allow, except for PCRE2, which judges that itself.
pub(super) fn parse(language: Language, text: &str) -> Result<Parsed, Error> {
    let tree = match language {
        Language::OsMatch => os_match::parse(text),
        Language::OsRegex => os_regex::parse(text)?,
        Language::Pcre2 => {
            let perl::Parsed { tree, binding, literal_braces } = perl::parse(text);
            return Ok(Parsed { tree, binding, literal_braces });
        }
    };
    Ok(Parsed { tree: Some(tree), binding: true, literal_braces: Vec::new() })
}

impl Parsed {
    /// The texts required of each match.
    pub(super) fn required(&self) -> Required {
        self.tree.as_ref().filter(|_| self.binding).map(Required::of_tree).unwrap_or_default()
    }
}

/// A pattern beyond the fast path. Only what decides on the way of matching is kept; the tree is made again from the text
/// when something must be built.
#[derive(Debug)]
pub(super) struct Engine {
    literals: Option<Literals>,
    /// An automaton gives PCRE2's answers.
    regular: bool,
    /// There is an end that may stand before a final LF.
    loose_end: bool,
    groups: bool,
    automaton: OnceLock<Option<Automaton>>,
    unicode: OnceLock<Option<Automaton>>,
    backtracker: OnceLock<Option<Backtracker>>,
}

/// The way taken for one subject.
enum Way<'e> {
    Never,
    Literals(&'e Literals),
    Automaton(&'e Automaton),
    Backtracker(&'e Backtracker),
}

impl Engine {
    /// Decides how the pattern is matched.
    ///
    /// # Errors
    /// What PCRE2 refuses.
    pub(super) fn new(language: Language, text: &str, parsed: &Parsed) -> Result<Self, Error> {
        let tree = parsed.tree.as_ref();
        let engine = Self {
            literals: tree.and_then(Literals::of),
            regular: tree.is_some_and(|tree| tree.is_regular(true)),
            loose_end: tree.is_none_or(|tree| tree.any(&|node| *node == Node::LooseEnd)),
            groups: tree.is_none_or(|tree| tree.any(&|node| matches!(node, Node::Group(_)))),
            automaton: OnceLock::new(),
            unicode: OnceLock::new(),
            backtracker: OnceLock::new(),
        };
        if language == Language::Pcre2 {
            let backtracker = Backtracker::new(language, text, &parsed.literal_braces)?;
            if !engine.regular {
                let _ = engine.backtracker.set(Some(backtracker));
            }
        }
        Ok(engine)
    }

    pub(super) fn backtracks(&self) -> bool {
        !self.regular
    }

    pub(super) fn is_match(&self, pattern: &Pattern, subject: Subject<'_>) -> bool {
        match self.way(pattern, subject) {
            Way::Never => false,
            Way::Literals(literals) => literals.is_match(subject.bytes),
            Way::Automaton(automaton) => automaton.regex.is_match(subject.bytes),
            Way::Backtracker(backtracker) => backtracker.is_match(subject),
        }
    }

    pub(super) fn find_end(&self, pattern: &Pattern, subject: Subject<'_>) -> Option<usize> {
        match self.way(pattern, subject) {
            Way::Never => None,
            Way::Literals(literals) => literals.find_end(subject.bytes),
            Way::Automaton(automaton) => automaton.regex.find(subject.bytes).map(|found| found.end()),
            Way::Backtracker(backtracker) => backtracker.find_end(subject),
        }
    }

    pub(super) fn captures(&self, pattern: &Pattern, subject: Subject<'_>, captures: &mut Captures) -> Option<usize> {
        if !self.groups {
            return self.find_end(pattern, subject);
        }
        match self.way(pattern, subject) {
            Way::Never | Way::Literals(_) => None,
            Way::Automaton(automaton) => automaton.captures(subject.bytes, captures),
            Way::Backtracker(backtracker) => backtracker.captures(subject, captures),
        }
    }

    fn way(&self, pattern: &Pattern, subject: Subject<'_>) -> Way<'_> {
        let unicode = pattern.language() != Language::Pcre2;
        if unicode && subject.encoding == Encoding::Invalid {
            return Way::Never;
        }
        if let Some(literals) = &self.literals {
            let exact = !unicode
                || subject.encoding == Encoding::Ascii
                || literals.is_ascii && !(literals.has_folding_letter && subject.has_folding_letter());
            if exact {
                return Way::Literals(literals);
            }
        }
        if self.regular && !(self.loose_end && subject.bytes.ends_with(b"\n")) {
            let (slot, target) = match (pattern.language(), subject.encoding) {
                (Language::Pcre2, _) => (&self.automaton, Target::Bytes),
                (_, Encoding::Ascii) => (&self.automaton, Target::Ascii),
                _ => (&self.unicode, Target::Unicode),
            };
            if let Some(automaton) = slot.get_or_init(|| Automaton::build(pattern, target)) {
                return Way::Automaton(automaton);
            }
        }
        match self.backtracker.get_or_init(|| backtracker(pattern)) {
            Some(backtracker) => Way::Backtracker(backtracker),
            None => Way::Never,
        }
    }
}

fn backtracker(pattern: &Pattern) -> Option<Backtracker> {
    let parsed = parse(pattern.language(), pattern.as_str()).ok()?;
    match pattern.language() {
        Language::Pcre2 => Backtracker::new(Language::Pcre2, pattern.as_str(), &parsed.literal_braces),
        language => Backtracker::new(language, &emit(parsed.tree.as_ref()?, Target::Perl), &[]),
    }
    .ok()
}

/// A regex, with room for one set of captures.
#[derive(Debug)]
struct Automaton {
    regex: Regex,
    locations: Mutex<Option<CaptureLocations>>,
}

impl Automaton {
    fn build(pattern: &Pattern, target: Target) -> Option<Self> {
        let parsed = parse(pattern.language(), pattern.as_str()).ok()?;
        let regex = RegexBuilder::new(&emit(parsed.tree.as_ref()?, target))
            .unicode(target == Target::Unicode)
            .case_insensitive(target == Target::Unicode)
            .size_limit(SIZE_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .ok()?;
        Some(Self { regex, locations: Mutex::new(None) })
    }

    fn captures(&self, subject: &[u8], captures: &mut Captures) -> Option<usize> {
        // Lanes that match at the same time make room of their own; none waits.
        let kept = self.locations.try_lock().ok().and_then(|mut kept| kept.take());
        let mut locations = kept.unwrap_or_else(|| self.regex.capture_locations());
        let end = self.regex.captures_read(&mut locations, subject).map(|found| found.end());
        if end.is_some() {
            let groups = (1..locations.len()).filter_map(|group| locations.get(group));
            captures.extend(groups.map(|(start, end)| start..end).take(MAX_CAPTURES));
        }
        if let Ok(mut kept) = self.locations.try_lock() {
            *kept = Some(locations);
        }
        end
    }
}
