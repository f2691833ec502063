//! A rule's attributes (spec/rules.md 2).

use super::{Context, Draft, Findings};
use crate::rules::doc;
use crate::xml::Attribute;

/// What must be known of the attributes beside what the draft holds.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub id: Option<u32>,
    /// `noalert="0"` or the like: on all the same.
    pub noalert_off: bool,
}

/// Reads the attributes into the draft.
pub(super) fn read(rule: &doc::Rule, context: &Context<'_>, draft: &mut Draft, findings: &mut Findings<'_>) -> Written {
    let mut written = Written::default();
    let attributes = &rule.element.attributes;
    // The id first, so that everything else can name the rule.
    if let Some(attribute) = attributes.iter().find(|a| a.name.eq_ignore_ascii_case("id")) {
        written.id = number(attribute, 6, findings);
        if let Some(id) = written.id {
            draft.id = id;
            draft.facts.id = id;
            findings.subject = format!("rule {id}");
        }
    }
    if written.id.is_none() && !findings.broken {
        findings.error(draft.head, "it has no id", "");
    }
    draft.timeframe = context.options.default_timeframe;
    let (mut level, mut accuracy) = (None, 1);
    for attribute in attributes {
        match attribute.name.to_ascii_lowercase().as_str() {
            "id" => {}
            "level" => level = number(attribute, 4, findings).or(level),
            "maxsize" => draft.conditions.maxsize = number(attribute, 4, findings).unwrap_or(0),
            "timeframe" => draft.timeframe = number(attribute, 5, findings).unwrap_or(draft.timeframe),
            "frequency" => draft.facts.frequency = number(attribute, 4, findings).unwrap_or(0),
            "accuracy" => accuracy = number(attribute, 4, findings).unwrap_or(1),
            "noalert" => {
                draft.noalert = true;
                written.noalert_off = matches!(attribute.value.to_ascii_lowercase().as_str(), "0" | "no" | "false");
            }
            "ignore" => draft.ignore = number(attribute, 6, findings).unwrap_or(0),
            "overwrite" => match attribute.value.as_str() {
                "yes" => draft.overwrite = true,
                "no" => draft.overwrite = false,
                other => findings.error(attribute.span, format!("overwrite is `{other}`"), "write yes or no"),
            },
            other => findings.error(
                attribute.span,
                format!("a rule has no attribute `{other}`"),
                "id, level, maxsize, timeframe, frequency, accuracy, noalert, ignore and overwrite are known",
            ),
        }
    }
    match level {
        Some(level) => set_level(level, accuracy, draft, findings, attributes),
        None if !findings.broken => findings.error(draft.head, "it has no level", ""),
        None => {}
    }
    let facts = &mut draft.facts;
    let level = level.unwrap_or(0);
    facts.log = level >= context.options.log_alert_level;
    facts.mail = level >= context.options.email_alert_level;
    facts.respond = accuracy != 0;
    written
}

/// OSSEC scales levels to sort with: 0 becomes 99, all times 100, unless accuracy is 0. It takes the scaling back once
/// for each place in the tree, which the linker does too.
fn set_level(level: u32, accuracy: u32, draft: &mut Draft, findings: &mut Findings<'_>, attributes: &[Attribute]) {
    let sorted = u64::from(if level == 0 { 99 } else { level });
    draft.scaled = if accuracy == 0 { sorted } else { sorted * 100 };
    draft.facts.level = level;
    let span = attributes.iter().find(|a| a.name.eq_ignore_ascii_case("level")).map_or(draft.head, |a| a.span);
    if level > 16 {
        let help = "write 0 to 16; 99 is read as 0, and levels above it may lose their last two digits";
        findings.warning(span, format!("level {level} is out of range"), help);
    }
    if level == 0 && accuracy == 0 {
        findings.warning(span, "level 0 with accuracy 0 is an ordinary rule of level 99", "");
    }
}

/// A numeric value: digits only, the surplus ones cut off as OSSEC does, `None` when empty.
fn number(attribute: &Attribute, kept: usize, findings: &mut Findings<'_>) -> Option<u32> {
    let (name, value) = (&attribute.name, &attribute.value);
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        findings.error(attribute.span, format!("{name} is `{value}`, which is not a number"), "");
        return None;
    }
    if value.len() > kept {
        let short = &value[..kept];
        findings.warning(attribute.span, format!("{name} is cut to its first {kept} digits: {short}"), "");
    }
    value.get(..kept.min(value.len()))?.parse().ok()
}
