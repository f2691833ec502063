//! `hids logtest`: lines in, the judgement of each line out.
//!
//! By OSSEC's own phases and labels (spec/logtest.md 9.2), or with `--json` one object a line (design 2.3).

#[cfg(test)]
mod tests;

use super::lines;
use super::print::escape_bytes;
use crate::correlate::{Book, Commons, Firewall, Judge, Judgement, Verdict};
use crate::event::time::MONTHS;
use crate::event::{Origin, Source, Stamp, header};
use crate::guest;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// `t` = 0 of records: a Wednesday noon, UTC.
const START: i64 = 1_709_726_400;

/// How lines are given, judged and shown.
#[derive(Debug, Clone, Default)]
pub struct LogtestOptions {
    /// One JSON object a line.
    pub json: bool,
    /// Every line alone, without history.
    pub fresh: bool,
    /// Each line is a JSON object: `log`, and optionally `t`, `seq`, `guest`, `source`.
    pub records: bool,
    /// Judge as lines of this guest.
    pub guest: Option<String>,
    /// Judge as the daemon does, with the firewall step.
    pub daemon: bool,
    /// Under the phases, say why.
    pub explain: bool,
    /// The host's name, which stands where a line names no host.
    pub host: String,
    /// When lines arrive that are no records.
    pub now: Stamp,
}

/// One line to be judged.
struct Line {
    log: Vec<u8>,
    time: Stamp,
    guest: Option<String>,
    source: Option<String>,
    sequence: Option<String>,
}

/// The lanes that records speak of.
struct Lanes {
    book: Arc<Book>,
    firewall: Firewall,
    judges: HashMap<Option<String>, Judge>,
    commons: Commons,
}

impl Lanes {
    fn forget(&mut self) {
        self.judges.values_mut().for_each(Judge::forget);
        self.commons.forget();
    }
}

/// Judges all lines of the input.
///
/// # Errors
/// What reading and writing say; `InvalidData` for a record that is none, naming its line.
pub fn logtest(
    book: Arc<Book>,
    mut input: impl BufRead,
    options: &LogtestOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let firewall = if options.daemon { Firewall::Daemon } else { Firewall::Untouched };
    let commons = Commons::new(Arc::clone(&book));
    let mut lanes = Lanes { book, firewall, judges: HashMap::new(), commons };
    let mut sequence = None;
    let mut text = Vec::new();
    let mut number = 0u64;
    loop {
        number += 1;
        let line = if options.records {
            text.clear();
            if input.read_until(b'\n', &mut text)? == 0 {
                break;
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {why}"));
            record(&text, options).map_err(wrong)?
        } else {
            if lines::next(&mut input, &mut text)?.is_none() {
                break;
            }
            let log = std::mem::take(&mut text);
            Line { log, time: options.now, guest: options.guest.clone(), source: None, sequence: None }
        };
        if options.fresh || line.sequence != sequence {
            lanes.forget();
            sequence.clone_from(&line.sequence);
        }
        judge(&mut lanes, &line, options, out)?;
        text = line.log;
    }
    out.flush()
}

/// Reads a record.
fn record(text: &[u8], options: &LogtestOptions) -> Result<Line, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| format!("not a JSON object: {error}"))?;
    let Value::Object(record) = value else { return Err("not a JSON object".to_owned()) };
    let log = match record.get("log") {
        Some(Value::String(log)) => log.clone().into_bytes(),
        Some(Value::Object(coded)) => {
            let base64 = coded.get("b64").and_then(Value::as_str).ok_or("log is an object without b64")?;
            data_encoding::BASE64.decode(base64.as_bytes()).map_err(|error| format!("log is no base64: {error}"))?
        }
        Some(_) => return Err("log is neither text nor {\"b64\":…}".to_owned()),
        None => return Err("a record without log".to_owned()),
    };
    let seconds = match record.get("t") {
        None | Some(Value::Null) => 0,
        Some(t) => t.as_i64().filter(|t| t.abs() < 1 << 40).ok_or("t is no number of seconds")?,
    };
    let word = |key: &str| match record.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) => Ok(Some(word.clone())),
        Some(_) => Err(format!("{key} is no text")),
    };
    let guest = word("guest")?.or_else(|| options.guest.clone());
    // A sequence may be named by a number as well.
    let sequence = record.get("seq").filter(|seq| !seq.is_null()).map(Value::to_string);
    Ok(Line { log, time: Stamp::utc(START + seconds), guest, source: word("source")?, sequence })
}

/// Where lines are said to come from.
pub(super) fn source(guest: Option<&str>, path: &str) -> Source {
    // OSSEC's logtest says `stdin`, and so do we where nothing else is said.
    let location = match guest {
        Some(guest) if path.starts_with('/') => format!("/var/lib/lxc/{guest}/rootfs{path}"),
        _ => path.to_owned(),
    };
    Source {
        guest: guest.filter(|guest| *guest != guest::id::HOST).map(guest::Name::new),
        path: path.into(),
        location: location.into(),
        label: path.into(),
        origin: Origin::Log,
    }
}

fn judge(lanes: &mut Lanes, line: &Line, options: &LogtestOptions, out: &mut impl Write) -> io::Result<()> {
    let given = &line.log;
    // OSSEC does not judge a line of one byte or none.
    if given.len() < 2 {
        return if options.json { writeln!(out, "{}", Value::Object(unjudged(given))) } else { Ok(()) };
    }
    let Lanes { book, firewall, judges, commons } = lanes;
    let judge = judges.entry(line.guest.clone()).or_insert_with(|| Judge::new(Arc::clone(book), *firewall));
    let source = source(line.guest.as_deref(), line.source.as_deref().unwrap_or("stdin"));
    let own_host = line.guest.as_deref().unwrap_or(&options.host);
    let judgement = judge.weigh(given, &source, own_host, line.time);
    let offer = judgement.offer();
    let beyond = offer.as_ref().map(|offer| commons.weigh(offer));
    let beyond = beyond.as_ref().and_then(Judgement::verdict);
    if options.json {
        let mut object = object(book, &judgement, given, line.time);
        if let Some(verdict) = &beyond {
            let mut commons = Map::new();
            put_verdict(&mut commons, Some(verdict));
            object.insert("commons".to_owned(), Value::Object(commons));
        }
        return writeln!(out, "{}", Value::Object(object));
    }
    phases(book, &judgement, out)?;
    if let Some(verdict) = &beyond {
        let description = verdict.rule.description.as_deref().unwrap_or("(null)");
        writeln!(
            out,
            "**Alert of all guests together: rule {} (level {}) -> '{description}'",
            verdict.rule.id, verdict.rule.level
        )?;
    }
    if options.explain {
        explain(book, &judgement, out)?;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

fn unjudged(given: &[u8]) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("log".to_owned(), text(given));
    for key in ["timestamp", "hostname", "program_name", "decoder"] {
        object.insert(key.to_owned(), Value::Null);
    }
    object.insert("fields".to_owned(), json!({}));
    put_verdict(&mut object, None);
    object
}

/// Rule, level, description, groups, alert.
fn put_verdict(object: &mut Map<String, Value>, verdict: Option<&Verdict<'_>>) {
    let rule = verdict.map(|verdict| verdict.rule);
    object.insert("rule".to_owned(), json!(rule.map(|rule| rule.id)));
    object.insert("level".to_owned(), json!(rule.map_or(0, |rule| rule.level)));
    object.insert("description".to_owned(), json!(rule.and_then(|rule| rule.description.as_deref())));
    let groups: Vec<&str> = rule.into_iter().flat_map(|rule| rule.group_names()).collect();
    object.insert("groups".to_owned(), json!(groups));
    object.insert("alert".to_owned(), json!(verdict.is_some_and(|verdict| verdict.alert)));
}

fn object(book: &Book, judgement: &Judgement<'_>, given: &[u8], now: Stamp) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("log".to_owned(), text(given));
    let stamp = header::stamp(judgement.event.full, now).map(|stamp| {
        let (_, month, day, hour, minute, second) = stamp.civil();
        let month = MONTHS[usize::from(month.clamp(1, 12)) - 1];
        format!("{month} {day:2} {hour:02}:{minute:02}:{second:02}")
    });
    object.insert("timestamp".to_owned(), json!(stamp));
    object.insert("hostname".to_owned(), text(judgement.event.host()));
    object.insert("program_name".to_owned(), judgement.event.program().map_or(Value::Null, text));
    object.insert("decoder".to_owned(), json!(judgement.decoder.map(|decoder| decoder.name.as_str())));
    let mut fields = Map::new();
    let (decoded, full) = (judgement.decoded, judgement.event.full);
    if judgement.accumulated {
        // As OSSEC prints them: the line's own, not what earlier lines filled in.
        for assigned in &decoded.trace {
            let name = book.decoders.label(assigned).to_owned();
            fields.insert(name, text(&full[assigned.span.clone()]));
        }
        object.insert("fields".to_owned(), Value::Object(fields));
        object.insert("accumulated".to_owned(), Value::Bool(true));
    } else {
        for (name, value) in book.decoders.shown(decoded, full) {
            fields.insert(name.to_owned(), text(value));
        }
        object.insert("fields".to_owned(), Value::Object(fields));
    }
    if judgement.discarded {
        object.insert("discarded".to_owned(), Value::Bool(true));
    }
    put_verdict(&mut object, judgement.verdict().as_ref());
    object
}

/// OSSEC's phases, byte for byte where its logtest prints something, but for characters that steer a terminal.
fn phases(book: &Book, judgement: &Judgement<'_>, out: &mut impl Write) -> io::Result<()> {
    let Judgement { event, decoded, decoder, .. } = judgement;
    out.write_all(b"\n\n**Phase 1: Completed pre-decoding.\n")?;
    label(out, "full event", event.full)?;
    label(out, "hostname", event.host())?;
    label(out, "program_name", event.program().unwrap_or(b"(null)"))?;
    label(out, "log", event.log())?;
    out.write_all(b"\n**Phase 2: Completed decoding.\n")?;
    for assigned in &decoded.trace {
        label(out, book.decoders.label(assigned), &event.full[assigned.span.clone()])?;
    }
    if decoder.is_none() {
        out.write_all(b"       No decoder matched.\n")?;
    }
    label(out, "decoder", decoder.map_or(&b"(null)"[..], |decoder| decoder.name.as_bytes()))?;
    if judgement.accumulated {
        out.write_all(b"\n**ACCUMULATOR: LEVEL UP!!**\n\n")?;
    }
    if judgement.discarded {
        out.write_all(b"\n**Incomplete firewall event: discarded before the rules.\n")?;
    }
    let Some(verdict) = judgement.verdict() else { return Ok(()) };
    out.write_all(b"\n**Phase 3: Completed filtering (rules).\n")?;
    label(out, "Rule id", verdict.rule.id.to_string().as_bytes())?;
    label(out, "Level", verdict.rule.level.to_string().as_bytes())?;
    label(out, "Description", verdict.rule.description.as_deref().unwrap_or("(null)").as_bytes())?;
    for (kind, reference) in &verdict.rule.references {
        label(out, &format!("Info - {kind}"), reference.as_bytes())?;
    }
    if verdict.alert {
        out.write_all(b"**Alert to be generated.\n\n\n")?;
    }
    Ok(())
}

fn label(out: &mut impl Write, name: &str, value: &[u8]) -> io::Result<()> {
    writeln!(out, "       {name}: '{}'", escape_bytes(value))
}

/// Says why the phases came out as they did.
fn explain(book: &Book, judgement: &Judgement<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n**Explanation:")?;
    let Some(verdict) = judgement.verdict() else {
        let why = match judgement.discarded {
            true => "an incomplete firewall event is discarded before the rules see it",
            false => "no rule took the line",
        };
        return writeln!(out, "       {why}");
    };
    let path = judgement.path();
    if path.len() > 1 {
        let path: Vec<String> = path.iter().map(u32::to_string).collect();
        writeln!(out, "       reached through the rules {}", path.join(" > "))?;
    }
    for requirement in book.rules.requirements(verdict.rule.id) {
        writeln!(out, "       it {requirement}")?;
    }
    match (verdict.alert, verdict.rule.level, verdict.rule.log) {
        (true, ..) => Ok(()),
        (_, 0, _) => writeln!(out, "       level 0: no alert, and the event counts for nothing"),
        (_, _, false) => writeln!(out, "       no alert is written: its level is too low, or no_log is set"),
        _ => writeln!(out, "       no alert: the rule is in its ignore time, or the event is on the ignore list"),
    }
}
