//! Recorded answers of OSSEC 4.3.0 for log lines, `../shared/golden` (its README says how they were made): lines alone,
//! recorded histories, and small sets for the corners of the language.
//!
//! The recordings are no part of the project; where they are absent everything here is skipped, loudly.

use hids::correlate::{Book, Firewall, Judge};
use hids::decode::{self, Decoders};
use hids::diag::{Diagnostics, Severity, Source};
use hids::event::{self, Origin, Stamp};
use hids::rules::{self, List, Lists, RuleSet};
use hids::xml;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arrival of `t` = 0.
const START: i64 = 1_709_726_400;

fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if path.join("golden/README.md").exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: the recordings in ../shared/golden are not there; nothing was compared with OSSEC's answers");
    None
}

fn source(path: &Path) -> Arc<Source> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source::new(path.display().to_string(), String::from_utf8_lossy(&bytes))
}

fn complain(diagnostics: Diagnostics, severity: Severity, told: &mut Vec<String>) {
    told.extend(diagnostics.into_iter().filter(|d| d.severity >= severity).map(|d| d.to_string()));
}

/// Decoders and rules from files, compiled; and the errors found in them.
fn book(decoders: &Path, rules: &[PathBuf], lists: Lists) -> (Arc<Book>, Vec<String>) {
    let mut told = Vec::new();
    let (docs, found) = decode::doc::read(&source(decoders));
    complain(found, Severity::Error, &mut told);
    let (decoders, found) = Decoders::compile(docs, decode::DEFAULT_ORDER_SIZE);
    complain(found, Severity::Error, &mut told);
    let mut files = Vec::new();
    for path in rules {
        let (file, found) = rules::doc::read(&source(path));
        complain(found, Severity::Error, &mut told);
        files.push(file);
    }
    let (rules, found) = RuleSet::compile(files, &decoders, &rules::Options::default(), lists);
    if std::env::var_os("SHOW").is_some() {
        found.iter().for_each(|diagnostic| eprintln!("{diagnostic}"));
    }
    complain(found, Severity::Error, &mut told);
    (Arc::new(Book { decoders, rules, options: Default::default() }), told)
}

/// The texts of an element of the `<rules>` sections of a configuration.
fn named(configuration: &Path, element: &str) -> Vec<String> {
    let (roots, _) = xml::parse(&source(configuration));
    let sections = roots.iter().flat_map(|root| &root.children).filter(|section| section.name == "rules");
    let elements = sections.flat_map(|section| &section.children).filter(|child| child.name == element);
    elements.map(|element| element.text.clone()).collect()
}

/// One of the big sets: a configuration of the recordings, a folder of decoders and rules, and whose local rules.
fn big_set(shared: &Path, configuration: &str, folder: &str, seed: bool) -> (Arc<Book>, Vec<String>) {
    let folder = shared.join(folder);
    let included = named(&shared.join("golden/conf").join(configuration), "include");
    assert!(included.len() > 50, "{configuration} names {} files", included.len());
    let file = |name: &String| match name.as_str() {
        "local_rules.xml" if seed => shared.join("seed/local_rules.xml"),
        name => folder.join("rules").join(name),
    };
    book(&folder.join("decoder.xml"), &included.iter().map(file).collect::<Vec<_>>(), Lists::default())
}

/// A small set of its own.
fn corner_set(folder: &Path) -> (Arc<Book>, Vec<String>) {
    let configuration = folder.join("etc/ossec.conf");
    let rules: Vec<PathBuf> =
        named(&configuration, "include").iter().map(|name| folder.join("rules").join(name)).collect();
    let mut lists = Lists::default();
    for list in named(&configuration, "list") {
        let bytes = std::fs::read(folder.join(&list)).unwrap();
        lists.insert(&list, List::text(&bytes));
    }
    book(&folder.join("etc/decoder.xml"), &rules, lists)
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(object) => data_encoding::BASE64.decode(object["b64"].as_str().unwrap().as_bytes()).unwrap(),
        other => panic!("no text: {other}"),
    }
}

/// What one line came to, in the recordings' terms.
#[derive(Debug, PartialEq, Eq, Default)]
struct Answer {
    decoder: Option<String>,
    fields: BTreeMap<String, Vec<u8>>,
    rule: Option<u64>,
    level: u64,
    alert: bool,
}

/// Beside the five that make agreement.
#[derive(Debug, PartialEq, Eq, Default)]
struct Rest {
    description: Option<String>,
    groups: Option<String>,
    hostname: Option<Vec<u8>>,
    program: Option<Vec<u8>>,
    body: Vec<u8>,
}

fn recorded(line: &Value) -> Answer {
    let fields = match (line.get("fields"), line.get("srcip")) {
        (Some(fields), _) => {
            fields.as_object().unwrap().iter().map(|(name, value)| (name.clone(), bytes(value))).collect()
        }
        (None, Some(srcip)) => BTreeMap::from([("srcip".to_owned(), bytes(srcip))]),
        (None, None) => BTreeMap::new(),
    };
    Answer {
        decoder: line["decoder"].as_str().map(str::to_owned),
        fields,
        rule: line["rule"].as_u64(),
        level: line["level"].as_u64().unwrap_or(0),
        alert: line["alert"].as_bool().unwrap_or(false),
    }
}

fn judged(judge: &mut Judge, log: &[u8], time: i64, only_srcip: bool) -> (Answer, Rest) {
    let book = Arc::clone(judge.book());
    let stdin = event::Source {
        guest: None,
        path: "stdin".into(),
        location: "stdin".into(),
        label: "stdin".into(),
        origin: Origin::Log,
    };
    let judgement = judge.weigh(log, &stdin, "oraclehost", Stamp::utc(time));
    let verdict = judgement.verdict();
    let (decoded, full) = (judgement.decoded, judgement.event.full);
    // As logtest prints them: the captures of the line itself, not what a plug-in sets or earlier lines fill in.
    let captures = decoded.trace.iter().map(|a| (book.decoders.label(a).to_owned(), full[a.span.clone()].to_vec()));
    let mut fields: BTreeMap<String, Vec<u8>> = captures.collect();
    if only_srcip {
        fields.retain(|name, text| name == "srcip" && !text.is_empty());
    }
    let answer = Answer {
        decoder: judgement.decoder.map(|decoder| decoder.name.clone()),
        fields,
        rule: verdict.as_ref().map(|verdict| u64::from(verdict.rule.id)),
        level: verdict.as_ref().map_or(0, |verdict| u64::from(verdict.rule.level)),
        alert: verdict.as_ref().is_some_and(|verdict| verdict.alert),
    };
    let rest = Rest {
        description: verdict.as_ref().and_then(|verdict| verdict.rule.description.clone()),
        groups: verdict.as_ref().map(|verdict| verdict.rule.groups.clone()),
        hostname: Some(judgement.event.host().to_vec()),
        program: judgement.event.program().map(<[u8]>::to_vec),
        body: judgement.event.log().to_vec(),
    };
    (answer, rest)
}

#[derive(Default)]
struct Tally {
    lines: usize,
    agreeing: usize,
    /// decoder, fields, rule, level, alert.
    keys: [usize; 5],
    /// description, groups, hostname, program_name, body: compared and agreeing.
    rest: [(usize, usize); 5],
    sequences: usize,
    whole: usize,
}

impl Tally {
    fn compare_rest(&mut self, line: &Value, rest: &Rest) {
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        let bytes_of = |key: &str| (!line[key].is_null()).then(|| bytes(&line[key]));
        let mut note = |at: usize, same: bool| {
            self.rest[at].0 += 1;
            self.rest[at].1 += usize::from(same);
            if !same && std::env::var_os("SHOW").is_some() {
                eprintln!("rest {at}: {rest:?}\n  {line}");
            }
        };
        if line.get("description").is_some() {
            note(0, text("description") == rest.description);
        }
        if line.get("groups").is_some() {
            note(1, text("groups") == rest.groups);
        }
        if line.get("hostname").is_some() {
            note(2, bytes_of("hostname") == rest.hostname);
        }
        if line.get("program_name").is_some() {
            note(3, bytes_of("program_name") == rest.program);
        }
        if line.get("body").is_some() {
            note(4, bytes_of("body").unwrap_or_else(|| bytes(&line["log"])) == rest.body);
        }
    }
}

/// Judges a file of recordings and compares.
fn compare(path: &Path, name: &str, book: &Arc<Book>, stateful: bool) -> Tally {
    let mut tally = Tally::default();
    let mut judge = Judge::new(Arc::clone(book), Firewall::Untouched);
    let mut sequence = (None, true);
    let mut shown = 0;
    let most = std::env::var("SHOW").ok().and_then(|most| most.parse().ok()).unwrap_or(0);
    let text = std::fs::read_to_string(path).unwrap();
    for row in text.split('\n').filter(|row| !row.is_empty()) {
        let line: Value = serde_json::from_str(row).unwrap();
        let log = bytes(&line["log"]);
        let seq = line["seq"].as_str().map(str::to_owned);
        if !stateful || seq != sequence.0 {
            judge.forget();
            if stateful {
                tally.sequences += 1;
                tally.whole += usize::from(sequence.1 && sequence.0.is_some());
            }
            sequence = (seq, true);
        }
        let wanted = recorded(&line);
        let time = START + line["t"].as_i64().unwrap_or(0);
        let only_srcip = stateful && line.get("fields").is_none();
        let (got, rest) = if log.len() < 2 {
            (Answer::default(), None)
        } else {
            let (answer, rest) = judged(&mut judge, &log, time, only_srcip);
            (answer, Some(rest))
        };
        if let Some(rest) = rest {
            tally.compare_rest(&line, &rest);
        }
        tally.lines += 1;
        let same = got == wanted;
        tally.agreeing += usize::from(same);
        sequence.1 &= same;
        let keys = [
            got.decoder == wanted.decoder,
            got.fields == wanted.fields,
            got.rule == wanted.rule,
            got.level == wanted.level,
            got.alert == wanted.alert,
        ];
        for (count, same) in tally.keys.iter_mut().zip(keys) {
            *count += usize::from(same);
        }
        if !same && shown < most {
            shown += 1;
            eprintln!("{name}: {}\n  wanted {wanted:?}\n  got    {got:?}", row.chars().take(300).collect::<String>());
        }
    }
    tally.whole += usize::from(stateful && sequence.1 && sequence.0.is_some());
    tally
}

fn report(name: &str, tally: &Tally, failures: &mut Vec<String>) {
    let percent = 100.0 * tally.agreeing as f64 / tally.lines as f64;
    let [decoder, fields, rule, level, alert] = tally.keys;
    let mut row = format!(
        "{name:28} {:5}/{:5} {percent:6.2} %  decoder {decoder} fields {fields} rule {rule} level {level} alert {alert}",
        tally.agreeing, tally.lines
    );
    if tally.sequences > 0 {
        row.push_str(&format!("  sequences {}/{}", tally.whole, tally.sequences));
    }
    for (label, (compared, agreeing)) in
        ["description", "groups", "hostname", "program_name", "body"].iter().zip(tally.rest)
    {
        if compared != agreeing {
            row.push_str(&format!("  {label} {agreeing}/{compared}"));
        }
    }
    println!("{row}");
    // Everything agrees, and must go on agreeing.
    if tally.agreeing < tally.lines {
        failures.push(format!("{name}: {} of {} lines agree (SHOW=10 shows where)", tally.agreeing, tally.lines));
    }
    if tally.rest.iter().any(|(compared, agreeing)| compared != agreeing) {
        failures.push(format!("{name}: description, groups or header differ (SHOW=10 shows where)"));
    }
}

#[test]
fn recorded_answers() {
    let Some(shared) = shared() else { return };
    let golden = shared.join("golden");
    let mut failures = Vec::new();
    let sets = [
        ("stock.", "stock.conf", "ossec-ruleset", false),
        ("allrules.", "allrules.conf", "ossec-ruleset", false),
        ("legacy283.", "legacy283.conf", "ossec-ruleset/ossec-2.8.3", false),
        ("stateful.stock43", "stock.conf", "ossec-ruleset", false),
        ("stateful.user43", "stock.conf", "ossec-ruleset", true),
        ("stateful.user283", "legacy283.conf", "ossec-ruleset/ossec-2.8.3", true),
    ];
    let mut files: Vec<PathBuf> = std::fs::read_dir(&golden).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (prefix, configuration, folder, seed) in sets {
        let (book, told) = big_set(&shared, configuration, folder, seed);
        for error in told {
            failures.push(format!("{prefix}: {error}"));
        }
        let mut found = 0;
        for path in &files {
            let name = path.file_stem().unwrap().to_str().unwrap();
            if name.starts_with(prefix) {
                found += 1;
                report(name, &compare(path, name, &book, prefix.starts_with("stateful")), &mut failures);
            }
        }
        assert!(found > 0, "no recordings of {prefix}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn recorded_corners() {
    let Some(shared) = shared() else { return };
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(shared.join("golden/corner")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 28);
    let mut failures = Vec::new();
    for folder in folders {
        let name = format!("corner/{}", folder.file_name().unwrap().to_str().unwrap());
        let (book, told) = corner_set(&folder);
        for error in told {
            failures.push(format!("{name}: {error}"));
        }
        report(&name, &compare(&folder.join("answers.jsonl"), &name, &book, true), &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Judges find their way by plans cut to the kind of event; the whole tree must give the same answers, in one long
/// history too.
#[test]
fn plans_change_no_answer() {
    let Some(shared) = shared() else { return };
    let golden = shared.join("golden");
    for (configuration, folder, seed) in
        [("allrules.conf", "ossec-ruleset", false), ("legacy283.conf", "ossec-ruleset/ossec-2.8.3", true)]
    {
        let (book, _) = big_set(&shared, configuration, folder, seed);
        let mut by_plan = Judge::new(Arc::clone(&book), Firewall::Daemon);
        let mut by_tree = Judge::new(Arc::clone(&book), Firewall::Daemon).by_whole_tree();
        let mut files: Vec<PathBuf> = std::fs::read_dir(&golden).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut lines = 0;
        for path in files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")) {
            let text = std::fs::read_to_string(path).unwrap();
            for row in text.split('\n').filter(|row| row.contains("\"log\"")) {
                let line: Value = serde_json::from_str(row).unwrap();
                let log = bytes(&line["log"]);
                lines += 1;
                let (one, _) = judged(&mut by_plan, &log, START + lines / 40, false);
                let (other, _) = judged(&mut by_tree, &log, START + lines / 40, false);
                assert_eq!(one, other, "{configuration}: {row}");
            }
        }
        assert!(lines > 20_000, "{lines} lines");
    }
}
