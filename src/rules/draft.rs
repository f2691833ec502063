//! One rule, read: everything of its own is compiled, nothing is linked yet (spec/rules.md 2 and 3).

mod attributes;
mod elements;

use super::list::Lists;
use super::predicate::Conditions;
use super::{Facts, Options, doc};
use crate::decode::{Category, Decoders};
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use crate::pattern::Pattern;
use std::sync::Arc;

/// What reading a rule needs to know.
pub(super) struct Context<'a> {
    pub source: &'a Arc<Source>,
    pub decoders: &'a Decoders,
    pub options: &'a Options,
    pub lists: &'a Lists,
}

/// One rule as read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub id: u32,
    /// The level as OSSEC scales it while it sorts siblings: 0 is 99, all times 100 unless accuracy is 0.
    pub scaled: u64,
    pub facts: Facts,
    pub timeframe: u32,
    pub ignore: u32,
    pub noalert: bool,
    pub overwrite: bool,
    pub parents: Parents,
    pub category: Category,
    pub conditions: Conditions,
    pub correlation: Correlation,
    /// The parts that `ignore` writes, and those that `check_if_ignored` compares.
    pub silences: Parts,
    pub silenced_by: Parts,
    /// Where the rule stands: its opening tag, and its parent and correlation elements.
    pub head: Span,
}

/// Where a rule wants to hang.
#[derive(Debug, Default)]
pub(super) struct Parents {
    pub sid: Option<(String, Span)>,
    pub group: Option<(String, Span)>,
    pub level: Option<(String, Span)>,
}

/// What a rule counts.
#[derive(Debug, Default)]
pub(super) struct Correlation {
    pub sid: Option<(u32, Span)>,
    pub group: Option<(String, Pattern, Span)>,
    pub regex: Option<(Pattern, Span)>,
    pub relations: Relations,
    pub global: bool,
}

impl Correlation {
    /// Has an element that makes the rule count.
    pub fn counts(&self) -> bool {
        self.sid.is_some() || self.group.is_some() || self.regex.is_some()
    }
}

/// Conditions between the event and an earlier one, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relations(u16);

impl Relations {
    /// `same_source_ip`
    pub const SAME_SOURCE_IP: Self = Self(1);
    /// `same_id`
    pub const SAME_ID: Self = Self(1 << 1);
    /// `same_user`
    pub const SAME_USER: Self = Self(1 << 2);
    /// `same_location`: the same host.
    pub const SAME_LOCATION: Self = Self(1 << 3);
    /// `same_src_port`
    pub const SAME_SOURCE_PORT: Self = Self(1 << 4);
    /// `same_dst_port`
    pub const SAME_DESTINATION_PORT: Self = Self(1 << 5);
    /// `different_url`
    pub const DIFFERENT_URL: Self = Self(1 << 6);
    /// `different_srcgeoip`: never holds without geo texts.
    pub const DIFFERENT_SOURCE_GEO: Self = Self(1 << 7);
    /// `different_srcip`: accepted, without effect.
    pub const DIFFERENT_SOURCE_IP: Self = Self(1 << 8);

    /// Tells whether all of the other set are in this one.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Tells whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

/// Parts of an event that `ignore` and `check_if_ignored` select, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts(u8);

impl Parts {
    /// `user`: the destination user.
    pub const USER: Self = Self(1);
    /// `srcip`
    pub const SRCIP: Self = Self(1 << 1);
    /// `dstip`
    pub const DSTIP: Self = Self(1 << 2);
    /// `id`
    pub const ID: Self = Self(1 << 3);
    /// `location`
    pub const LOCATION: Self = Self(1 << 4);
    /// `data`
    pub const DATA: Self = Self(1 << 5);
    /// `name`: the decoder's.
    pub const NAME: Self = Self(1 << 6);

    /// Words in the order in which they are looked for; each is found anywhere in the text.
    const WORDS: [(&'static str, Parts); 7] = [
        ("user", Self::USER),
        ("srcip", Self::SRCIP),
        ("dstip", Self::DSTIP),
        ("id", Self::ID),
        ("location", Self::LOCATION),
        ("data", Self::DATA),
        ("name", Self::NAME),
    ];

    /// Tells whether the part is selected.
    pub const fn has(self, part: Self) -> bool {
        self.0 & part.0 != 0
    }

    /// Tells whether nothing is selected.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn add_words(&mut self, text: &str) -> bool {
        let found = Self::WORDS.iter().filter(|(word, _)| text.contains(word));
        let found = found.fold(0, |set, (_, part)| set | part.0);
        self.0 |= found;
        found != 0
    }
}

/// Collects what is wrong with one rule.
struct Findings<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Diagnostics,
    broken: bool,
    /// `rule 5712`, once its id is known.
    subject: String,
}

impl Findings<'_> {
    fn error(&mut self, span: Span, message: impl AsRef<str>, help: &str) {
        self.broken = true;
        let message = format!("{}: {}", self.subject, message.as_ref());
        let mut diagnostic = Diagnostic::error(self.source, span, message);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.diagnostics.push(diagnostic);
    }

    fn warning(&mut self, span: Span, message: impl AsRef<str>, help: &str) {
        let message = format!("{}: {}", self.subject, message.as_ref());
        let mut diagnostic = Diagnostic::warning(self.source, span, message);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.diagnostics.push(diagnostic);
    }
}

/// Reads one rule of a group. `None`: it is broken, and the diagnostics say why. The id is given whenever it could be
/// read, so that rules that refer to a broken one can be told.
pub(super) fn read(
    rule: &doc::Rule,
    group: &str,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> (Option<u32>, Option<Draft>) {
    let mut findings = Findings { source: context.source, diagnostics, broken: false, subject: "a rule".to_owned() };
    let mut draft = Draft { head: rule.element.tag_span(), ..Draft::default() };
    let written = attributes::read(rule, context, &mut draft, &mut findings);
    if rule.element.children.is_empty() {
        findings.error(draft.head, "it has no element", "a rule without a condition or a description is refused");
    }
    draft.facts.groups = group.to_owned();
    elements::read(rule, context, &mut draft, &mut findings);
    check(&written, &mut draft, &mut findings);
    let broken = findings.broken;
    (written.id, (!broken).then_some(draft))
}

/// What makes sense only when the whole rule has been read.
fn check(written: &attributes::Written, draft: &mut Draft, findings: &mut Findings<'_>) {
    draft.conditions.extra |= draft.conditions.maxsize > 0;
    if findings.broken {
        // What follows would blame what is missing because it was refused.
        return;
    }
    let head = draft.head;
    if draft.correlation.counts() {
        check_counting(draft, findings);
    } else if !draft.conditions.check_diff {
        let help = "add if_matched_sid or if_matched_group";
        if draft.facts.frequency > 0 {
            findings.error(head, "frequency without anything to count", help);
        }
        if !draft.correlation.relations.is_empty() || draft.correlation.global {
            findings.error(head, "same_*, different_* and global_frequency need something to count", help);
        }
    }
    if written.noalert_off {
        let help = "the attribute's presence switches it on, whatever its value; remove it to switch it off";
        findings.warning(head, "noalert is on", help);
    }
}

/// What a counting rule asks in vain.
fn check_counting(draft: &Draft, findings: &mut Findings<'_>) {
    let Correlation { sid, group, regex, relations, .. } = &draft.correlation;
    if draft.conditions.check_diff {
        findings.warning(draft.head, "check_diff switches all counting off", "");
        return;
    }
    if draft.facts.level == 0 {
        findings.warning(draft.head, "a counting rule of level 0 never matches", "");
    }
    let decisive = match (sid, group) {
        (Some(_), _) => Some("if_matched_sid"),
        (None, Some(_)) => Some("if_matched_group"),
        (None, None) => None,
    };
    let in_vain = [
        (group.as_ref().filter(|_| sid.is_some()).map(|(_, _, span)| *span), "if_matched_group"),
        (regex.as_ref().map(|(_, span)| *span), "if_matched_regex"),
    ];
    for (span, name) in in_vain {
        if let (Some(span), Some(decisive)) = (span, decisive) {
            findings.warning(span, format!("{decisive} decides what is counted; {name} does not"), "");
        }
    }
    if relations.has(Relations::DIFFERENT_SOURCE_IP) {
        findings.warning(draft.head, "different_srcip has no effect", "");
    }
}
