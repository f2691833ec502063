//! A rule's elements (spec/rules.md 3).

use super::{Context, Correlation, Draft, Findings, Relations};
use crate::decode::Category;
use crate::diag::{Source, Span};
use crate::event::Field;
use crate::pattern::{Language, Pattern};
use crate::rules::builtin::Builtin;
use crate::rules::doc;
use crate::rules::list::{Key, Listed, Lookup};
use crate::rules::predicate::{PAIRS, Pair};
use crate::rules::schedule::{Days, Hours};
use crate::xml::Element;

/// Texts of this length lose their condition in OSSEC; here they are refused.
const TEXT_LIMIT: usize = 2_048;
/// As many `info` and `cve` elements are kept.
const REFERENCES: usize = 9;

/// The joined texts of an element that may be repeated, and where the first one stands.
#[derive(Default, Clone)]
struct Text<'a> {
    text: String,
    span: Option<Span>,
    pieces: Vec<&'a Element>,
}

impl<'a> Text<'a> {
    fn add(&mut self, element: &'a Element) {
        self.text.push_str(&element.text);
        self.span.get_or_insert(element.span);
        self.pieces.push(element);
    }

    /// Where the byte `offset` of the joined text stands in the file.
    fn place(&self, source: &Source, offset: Option<usize>) -> Option<Span> {
        let mut rest = offset?;
        for element in &self.pieces {
            if rest < element.text.len() {
                return Some(element.place(source, rest));
            }
            rest -= element.text.len();
        }
        None
    }

    fn take(self) -> Option<(String, Span)> {
        Some((self.text, self.span?))
    }
}

/// What is joined over several elements before it means anything.
#[derive(Default)]
struct Joined<'a> {
    os: [Text<'a>; PAIRS],
    pcre2: [Text<'a>; PAIRS],
    action: Text<'a>,
    sid: Text<'a>,
    group_parent: Text<'a>,
    level: Text<'a>,
    matched_group: Text<'a>,
    matched_regex: Text<'a>,
    relations: Relations,
    not_same: Option<(String, Span)>,
}

/// Reads the elements into the draft.
pub(super) fn read(rule: &doc::Rule, context: &Context<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let mut joined = Joined::default();
    for element in &rule.element.children {
        if element.text.len() >= TEXT_LIMIT {
            let message = format!("<{}> holds {} bytes, {} at most", element.name, element.text.len(), TEXT_LIMIT - 1);
            findings.error(element.span, message, "split it into two elements of the same name, the joint at a `|`");
            continue;
        }
        read_one(element, context, draft, &mut joined, findings);
    }
    finish(joined, draft, findings);
}

fn read_one<'a>(
    element: &'a Element,
    context: &Context<'_>,
    draft: &mut Draft,
    joined: &mut Joined<'a>,
    findings: &mut Findings<'_>,
) {
    // Five names are compared exactly by OSSEC (spec/rules.md 3.5).
    const EXACT: [&str; 5] = ["same_id", "different_url", "different_srcip", "different_srcgeoip", "not_same_id"];
    let name = element.name.to_ascii_lowercase();
    if EXACT.contains(&name.as_str()) && element.name != name {
        findings.error(element.span, format!("<{}> must be written in lower case", element.name), "");
        return;
    }
    if let Some((pair, pcre2)) = Pair::named(&name) {
        let texts = if pcre2 { &mut joined.pcre2 } else { &mut joined.os };
        texts[pair as usize].add(element);
        draft.conditions.extra |= pair.is_extra();
        draft.conditions.packet |= pair.is_packet();
        ignored_attributes(element, findings);
        return;
    }
    let (text, span) = (element.text.as_str(), element.span);
    let knows_attributes = matches!(name.as_str(), "field" | "list" | "info");
    let relation = |word: &str| {
        Some(match word {
            "same_source_ip" => Relations::SAME_SOURCE_IP,
            "same_user" => Relations::SAME_USER,
            "same_id" => Relations::SAME_ID,
            "same_location" => Relations::SAME_LOCATION,
            "same_src_port" => Relations::SAME_SOURCE_PORT,
            "same_dst_port" => Relations::SAME_DESTINATION_PORT,
            "different_url" => Relations::DIFFERENT_URL,
            "different_srcgeoip" => Relations::DIFFERENT_SOURCE_GEO,
            "different_srcip" => Relations::DIFFERENT_SOURCE_IP,
            _ => return None,
        })
    };
    match name.as_str() {
        "if_sid" => joined.sid.add(element),
        "if_group" => joined.group_parent.add(element),
        "if_level" => joined.level.add(element),
        "category" => match Category::from_word(text).filter(|category| *category != Category::HostInformation) {
            Some(category) => draft.category = category,
            None => findings.error(
                span,
                format!("`{text}` is no category"),
                "syslog, firewall, ids, web-log, squid, windows and ossec are known",
            ),
        },
        "decoded_as" => match context.decoders.id_of(text) {
            Some(id) => draft.conditions.decoded_as = Some(id),
            None => findings.error(span, format!("no decoder is called `{text}`"), "names are case-sensitive"),
        },
        "action" => joined.action.add(element),
        "srcip" | "dstip" => {
            draft.conditions.packet = true;
            let conditions = &mut draft.conditions;
            let list = if name == "srcip" { &mut conditions.srcip } else { &mut conditions.dstip };
            if let Err(fault) = list.add(text) {
                let help = "one address or network an element, `!` before it negates: 10.0.0.0/8, !2001:db8::1, any";
                findings.error(span, fault.message(text), help);
            }
        }
        "field" => field(element, draft, findings),
        "list" => list(element, context, draft, findings),
        "time" => {
            draft.conditions.extra = true;
            match Hours::parse(text) {
                Ok((hours, odd)) => {
                    draft.conditions.time = Some(hours);
                    if odd.lost_negation {
                        findings.warning(span, "`!` is lost before a span over midnight", "");
                    }
                    if odd.noon {
                        findings.warning(span, "`12 am` is noon here", "write 0:00 for midnight");
                    }
                }
                Err(message) => findings.error(span, message, "write it so: 8:30 - 17:00, or 6 pm - 8 am"),
            }
        }
        "weekday" => {
            draft.conditions.extra = true;
            match Days::parse(text) {
                Ok(days) => draft.conditions.days = Some(days),
                Err(message) => findings.error(span, message, "monday or mon, ..., weekdays, weekends; no `!`"),
            }
        }
        "compiled_rule" => {
            draft.conditions.extra = true;
            draft.conditions.builtin = Builtin::named(text);
            if draft.conditions.builtin.is_none() {
                let help = format!("{} are known", Builtin::NAMES.join(", "));
                findings.error(span, format!("`{text}` is no built-in condition"), &help);
            }
        }
        "if_fts" => draft.conditions.if_fts = true,
        "check_diff" => {
            draft.conditions.check_diff = true;
            draft.conditions.extra = true;
        }
        "if_matched_sid" => match text.parse::<u32>() {
            Ok(id) if id > 0 && text.bytes().all(|b| b.is_ascii_digit()) => {
                draft.correlation.sid = Some((id, span));
            }
            _ => findings.error(span, format!("`{text}` is no rule id"), "if_matched_sid takes one id"),
        },
        "if_matched_group" => joined.matched_group.add(element),
        "if_matched_regex" => joined.matched_regex.add(element),
        "global_frequency" => draft.correlation.global = true,
        "not_same_source_ip" | "not_same_user" | "not_same_id" | "not_same_agent" => {
            let undone = match name.as_str() {
                "not_same_source_ip" => Relations::SAME_SOURCE_IP,
                "not_same_user" => Relations::SAME_USER,
                "not_same_id" => Relations::SAME_ID,
                _ => Relations::SAME_LOCATION,
            };
            if !joined.relations.has(undone) {
                joined.not_same = Some((name.clone(), span));
            }
            joined.relations.remove(undone);
        }
        "description" => {
            draft.facts.description.get_or_insert_default().push_str(&text.replacen('\n', " ", 1));
        }
        "group" => draft.facts.groups.push_str(text),
        "info" => info(element, draft, findings),
        "cve" => {
            draft.facts.cve.get_or_insert_default().push_str(text);
            refer("CVE", element, draft, findings);
        }
        "options" => match text {
            "alert_by_email" => draft.facts.mail = true,
            "no_email_alert" => draft.facts.mail = false,
            "log_alert" => draft.facts.log = true,
            "no_log" => draft.facts.log = false,
            "no_ar" => draft.facts.respond = false,
            other => findings.error(
                span,
                format!("`{other}` is no option"),
                "one of alert_by_email, no_email_alert, log_alert, no_log, no_ar in each element",
            ),
        },
        "ignore" | "check_if_ignored" => {
            let parts = if name == "ignore" { &mut draft.silences } else { &mut draft.silenced_by };
            if !parts.add_words(text) {
                let help = "user, srcip, dstip, id, location, data and name are known";
                findings.error(span, format!("`{text}` names no part of an event"), help);
            }
        }
        word => match relation(word) {
            Some(relation) => joined.relations.add(relation),
            None => findings.error(span, format!("a rule has no element <{}>", element.name), ""),
        },
    }
    if !knows_attributes {
        ignored_attributes(element, findings);
    }
}

fn ignored_attributes(element: &Element, findings: &mut Findings<'_>) {
    for attribute in &element.attributes {
        let message = format!("the attribute `{}` of <{}> has no effect", attribute.name, element.name);
        let help = match attribute.name.to_ascii_lowercase().as_str() {
            "negate" => "nothing can be negated; use a child of level 0",
            "type" => "the element's name tells the language: match, regex, pcre2, match_pcre2, ...",
            _ => "",
        };
        findings.warning(attribute.span, message, help);
    }
}

/// Compiles what was joined.
fn finish(joined: Joined<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    draft.parents.sid = joined.sid.take();
    draft.parents.group = joined.group_parent.take();
    draft.parents.level = joined.level.take();
    draft.conditions.action = joined.action.take().map(|(text, _)| text.into_bytes().into());
    let texts = joined.os.into_iter().zip(joined.pcre2);
    for ((pair, _), (os, pcre2)) in Pair::ALL.into_iter().zip(texts) {
        let language = if pair == Pair::Regex { Language::OsRegex } else { Language::OsMatch };
        if let (Some(_), Some(span)) = (os.span, pcre2.span) {
            let message = format!("<{}> decides, <{}> has no effect", pair.name(false), pair.name(true));
            findings.warning(span, message, "");
        }
        let twin = os.span.is_some() && pair == Pair::Url;
        draft.conditions.os[pair as usize] = compile(os, language, &pair.name(false), findings);
        let pattern = compile(pcre2, Language::Pcre2, &pair.name(true), findings);
        draft.conditions.pcre2[pair as usize] = if twin { None } else { pattern };
    }
    draft.correlation.relations = joined.relations;
    let group = joined.matched_group.clone();
    if let (Some((text, span)), Some(pattern)) =
        (group.take(), compile(joined.matched_group, Language::OsMatch, "if_matched_group", findings))
    {
        draft.correlation.group = Some((text, pattern, span));
    }
    let span = joined.matched_regex.span;
    let regex = compile(joined.matched_regex, Language::OsRegex, "if_matched_regex", findings);
    draft.correlation.regex = regex.zip(span);
    if let Some((name, span)) = joined.not_same {
        let message = format!("<{name}> does not say \"different\": it takes back a same_ element before it");
        findings.warning(span, message, "there is none before it, so it has no effect");
    }
    warn_of_geo(&draft.conditions.os, &draft.conditions.pcre2, &draft.correlation, draft.head, findings);
}

fn warn_of_geo(
    os: &[Option<Pattern>; PAIRS],
    pcre2: &[Option<Pattern>; PAIRS],
    correlation: &Correlation,
    head: Span,
    findings: &mut Findings<'_>,
) {
    let geo = [Pair::SourceGeo as usize, Pair::DestinationGeo as usize];
    let asked = geo.into_iter().any(|at| os[at].is_some() || pcre2[at].is_some());
    if asked || correlation.relations.has(Relations::DIFFERENT_SOURCE_GEO) {
        findings.warning(head, "it asks for the country of an address, which is never known: it never matches", "");
    }
}

fn compile(text: Text<'_>, language: Language, name: &str, findings: &mut Findings<'_>) -> Option<Pattern> {
    let span = text.span?;
    match Pattern::compile(language, &text.text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let place = text.place(findings.source, error.offset()).unwrap_or(span);
            findings.error(place, format!("<{name}>: {error}"), "");
            None
        }
    }
}

/// `<field name="N">os_regex</field>`
fn field(element: &Element, draft: &mut Draft, findings: &mut Findings<'_>) {
    let name = match element.attributes.as_slice() {
        [only] if only.name.eq_ignore_ascii_case("name") => only.value.clone(),
        [] => return findings.error(element.span, "<field> needs the attribute name", "<field name=\"...\">"),
        attributes => {
            let spare = attributes.iter().find(|a| !a.name.eq_ignore_ascii_case("name"));
            let spare = spare.map_or("name", |a| a.name.as_str());
            return findings.error(element.span, format!("<field> has no attribute `{spare}`"), "name is known");
        }
    };
    let mut text = Text::default();
    text.add(element);
    if let Some(pattern) = compile(text, Language::OsRegex, "field", findings) {
        draft.conditions.fields.push((name, pattern));
    }
}

/// `<list field="F" lookup="L" check_value="P">path</list>`
fn list(element: &Element, context: &Context<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let (mut key, mut lookup, mut value) = (None, Lookup::Match, None);
    for attribute in &element.attributes {
        let word = attribute.value.to_ascii_lowercase();
        match attribute.name.to_ascii_lowercase().as_str() {
            "field" => match list_key(&word) {
                Some(found) => key = Some(found),
                None => {
                    let help = "srcip, dstip, srcport, dstport, url, id, hostname, program_name, status, action, user";
                    findings.error(attribute.span, format!("`{word}` is no field that can be looked up"), help);
                }
            },
            "lookup" => match list_lookup(&word) {
                Some(found) => lookup = found,
                None => findings.error(
                    attribute.span,
                    format!("`{word}` is no kind of look-up"),
                    "match_key, not_match_key, match_key_value, address_match_key, not_address_match_key, \
                     address_match_key_value",
                ),
            },
            "check_value" => {
                let text = Text { text: attribute.value.clone(), span: Some(attribute.span), pieces: Vec::new() };
                value = compile(text, Language::OsMatch, "list", findings);
            }
            other => findings.error(attribute.span, format!("<list> has no attribute `{other}`"), ""),
        }
    }
    let Some(key) = key else {
        if !findings.broken {
            findings.error(element.span, "<list> needs the attribute field", "");
        }
        return;
    };
    if matches!(lookup, Lookup::MatchValue | Lookup::AddressValue) && value.is_none() {
        findings.error(element.span, "this kind of look-up needs the attribute check_value", "");
    }
    if lookup == Lookup::AddressValue {
        let message = "address_match_key_value holds when nothing is found or the value does not match";
        findings.warning(element.span, message, "OSSEC inverts it; use address_match_key, or match_key_value");
    }
    let list = context.lists.get(&element.text).cloned();
    if list.is_none() {
        let message = format!("the list `{}` is not configured: the condition never holds", element.text);
        findings.warning(element.span, message, "name it with <list> in the <rules> of ossec.conf");
    }
    draft.conditions.lists.push(Listed { key, lookup, value, list });
}

fn list_key(word: &str) -> Option<Key> {
    Some(match word {
        "srcip" => Key::Field(Field::SrcIp),
        "dstip" => Key::Field(Field::DstIp),
        "srcport" => Key::Field(Field::SrcPort),
        "dstport" => Key::Field(Field::DstPort),
        "url" => Key::Field(Field::Url),
        "id" => Key::Field(Field::Id),
        "status" => Key::Field(Field::Status),
        "action" => Key::Field(Field::Action),
        "hostname" => Key::Host,
        "program_name" => Key::Program,
        "user" => Key::User,
        _ => return None,
    })
}

fn list_lookup(word: &str) -> Option<Lookup> {
    Some(match word {
        "match_key" => Lookup::Match,
        "not_match_key" => Lookup::NotMatch,
        "match_key_value" => Lookup::MatchValue,
        "address_match_key" => Lookup::Address,
        "not_address_match_key" => Lookup::NotAddress,
        "address_match_key_value" => Lookup::AddressValue,
        _ => return None,
    })
}

/// `<info type="text|link|cve|osvdb">text</info>`
fn info(element: &Element, draft: &mut Draft, findings: &mut Findings<'_>) {
    let mut kind = "Text";
    for attribute in &element.attributes {
        if !attribute.name.eq_ignore_ascii_case("type") {
            let message = format!("<info> has no attribute `{}`", attribute.name);
            return findings.error(attribute.span, message, "type is known");
        }
        kind = match attribute.value.to_ascii_lowercase().as_str() {
            "text" => "Text",
            "link" => "Link",
            "cve" => "CVE",
            "osvdb" => "OSVDB",
            other => {
                let message = format!("`{other}` is no type of <info>");
                return findings.error(attribute.span, message, "text, link, cve and osvdb are known");
            }
        };
    }
    draft.facts.info.get_or_insert_default().push_str(&element.text);
    refer(kind, element, draft, findings);
}

fn refer(kind: &'static str, element: &Element, draft: &mut Draft, findings: &mut Findings<'_>) {
    if draft.facts.references.len() < REFERENCES {
        draft.facts.references.push((kind, element.text.clone()));
    } else {
        findings.warning(element.span, format!("only the first {REFERENCES} info and cve elements are shown"), "");
    }
}
