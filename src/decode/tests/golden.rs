//! Decoder and fields of every recorded line, against OSSEC 4.3.0's answers beside the project (`../shared/golden`).

use super::*;
use crate::pattern::Language;
use data_encoding::BASE64;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn shared() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("shared");
    if shared.join("golden").is_dir() {
        return Some(shared);
    }
    eprintln!("SKIPPED: no ../shared/golden beside the project, so decoding is not compared with recorded answers");
    None
}

/// A text of the recordings: a string, or base64 of bytes that are not UTF-8.
fn bytes(json: &Json) -> Option<Vec<u8>> {
    match json {
        Json::String(text) => Some(text.as_bytes().to_vec()),
        Json::Object(object) => BASE64.decode(object.get("b64")?.as_str()?.as_bytes()).ok(),
        _ => None,
    }
}

fn load(path: &Path) -> Decoders {
    let text = std::fs::read(path).expect("a decoder file");
    let text = String::from_utf8_lossy(&text).into_owned();
    let (docs, mut findings) = doc::read(&Source::new(path.display().to_string(), text));
    let (decoders, more) = Decoders::compile(docs, DEFAULT_ORDER_SIZE);
    findings.append(more);
    let errors: Vec<_> = findings.iter().filter(|f| f.severity == crate::diag::Severity::Error).collect();
    assert!(errors.is_empty(), "{}", errors.iter().map(|f| f.to_string()).collect::<Vec<_>>().join("\n"));
    decoders
}

#[derive(Default)]
struct Score {
    lines: usize,
    decoder: usize,
    fields: usize,
    header: usize,
}

/// Decodes all lines of a recording; prints the first few that differ.
fn compare(decoders: &Decoders, path: &Path) -> Score {
    let mut score = Score::default();
    let mut bench = Bench::default();
    let mut told = 0;
    for line in std::fs::read_to_string(path).expect("a recording").lines() {
        let json: Json = serde_json::from_str(line).expect("a JSON line");
        if json.get("skipped").is_some() {
            continue;
        }
        score.lines += 1;
        let log = bytes(&json["log"]).expect("a log");
        let answer = bench.decode(decoders, &log);
        let decoder = json["decoder"].as_str() == answer.name.as_deref();
        let plugin = answer.decoded.trace.is_empty()
            && answer.name.as_deref().is_some_and(|name| {
                matches!(
                    name,
                    "pf" | "sonicwall"
                        | "sonic"
                        | "symantec-websecurity"
                        | "symws"
                        | "ossec-alert"
                        | "relay"
                        | "relay2"
                )
            });
        let found: BTreeMap<String, Vec<u8>> = answer.fields.iter().cloned().collect();
        let fields = match (&json["fields"], &json["srcip"]) {
            _ if plugin => true,
            (Json::Object(expected), _) => {
                let expected: BTreeMap<String, Vec<u8>> =
                    expected.iter().filter_map(|(name, value)| Some((name.clone(), bytes(value)?))).collect();
                expected == found
            }
            (_, srcip) => bytes(srcip) == found.get("srcip").filter(|text| !text.is_empty()).cloned(),
        };
        let header = header_agrees(&json, &answer);
        score.decoder += usize::from(decoder);
        score.fields += usize::from(fields);
        score.header += usize::from(header);
        if !(decoder && fields && header) && told < 5 {
            told += 1;
            eprintln!(
                "{}: {}\n   expected {} {} {}\n   found    {:?} {}",
                path.display(),
                String::from_utf8_lossy(&log),
                json["decoder"],
                json["fields"],
                json["srcip"],
                answer.name,
                answer.fields()
            );
        }
    }
    score
}

fn header_agrees(json: &Json, answer: &Answer) -> bool {
    let header = header::parse(&answer.full);
    let text = |span: Option<std::ops::Range<usize>>| span.map(|span| answer.full[span].to_vec());
    let program = json.get("program_name").is_none_or(|program| bytes(program) == text(header.program));
    let host =
        json.get("hostname").is_none_or(|host| bytes(host).filter(|host| host != b"oraclehost") == text(header.host));
    let body = json.get("body").is_none_or(|body| bytes(body).is_none_or(|body| Some(body) == text(Some(header.log))));
    program && host && body
}

fn check(name: &str, decoders: &Decoders, path: &Path, missed: &mut Vec<String>) {
    let score = compare(decoders, path);
    let Score { lines, decoder, fields, header } = score;
    println!("{name:32} {lines:6} lines  header {header:6}  decoder {decoder:6}  fields {fields:6}");
    if (header, decoder, fields) != (lines, lines, lines) {
        missed.push(name.to_owned());
    }
}

#[test]
fn corner_sets_agree() {
    let Some(shared) = shared() else { return };
    let mut missed = Vec::new();
    let mut sets: Vec<_> = std::fs::read_dir(shared.join("golden/corner")).expect("sets").flatten().collect();
    sets.sort_by_key(std::fs::DirEntry::path);
    for set in sets {
        let decoders = load(&set.path().join("etc/decoder.xml"));
        check(&set.file_name().to_string_lossy(), &decoders, &set.path().join("answers.jsonl"), &mut missed);
    }
    assert!(missed.is_empty(), "sets with differences: {missed:?}");
}

fn recordings_agree(prefixes: &[&str], decoder_file: &str) {
    let Some(shared) = shared() else { return };
    let decoders = load(&shared.join(decoder_file));
    let mut files: Vec<_> = std::fs::read_dir(shared.join("golden")).expect("recordings").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::path);
    let mut missed = Vec::new();
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".jsonl") && prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            check(&name, &decoders, &file.path(), &mut missed);
        }
    }
    assert!(missed.is_empty(), "recordings with differences: {missed:?}");
}

#[test]
fn recordings_of_the_stock_decoders_agree() {
    recordings_agree(&["stock.", "allrules.", "stateful.stock43", "stateful.user43"], "ossec-ruleset/decoder.xml");
}

#[test]
fn recordings_of_the_old_decoders_agree() {
    recordings_agree(&["legacy283.", "stateful.user283"], "ossec-ruleset/ossec-2.8.3/decoder.xml");
}

/// What the first bytes of a pattern are thought to be must never say no where the pattern says yes.
#[test]
fn first_bytes_never_contradict_the_pattern() {
    let Some(shared) = shared() else { return };
    let text = std::fs::read_to_string(shared.join("ossec-ruleset/decoder.xml")).expect("the stock decoders");
    let (docs, _) = doc::read(&Source::new("decoder.xml", text));
    let mut patterns: Vec<_> = docs
        .iter()
        .flat_map(|doc| [&doc.program, &doc.prematch, &doc.regex])
        .flatten()
        .map(|pattern| (pattern.language, pattern.text.text.clone()))
        .collect();
    let own = [r"^\d+x|^(a|b)c", r"^\Sx", r"^\Wx", r"^\px", r"^s|^k", r"^\.", r"^(s|\d)", "^é", r"^\\+x", r"^\<x"];
    patterns.extend(own.map(|text| (Language::OsRegex, text.to_owned())));
    // Bodies of lines that were made to fit the patterns, and short texts with odd first characters.
    let mut subjects: Vec<Vec<u8>> = Vec::new();
    for line in std::fs::read_to_string(shared.join("golden/stock.synth.jsonl")).expect("a recording").lines() {
        let json: Json = serde_json::from_str(line).expect("a JSON line");
        subjects.extend(bytes(&json["body"]).or_else(|| bytes(&json["log"])));
    }
    let heads = (0..=255_u8).map(|byte| vec![byte]).chain(["ſ", "\u{212A}", "É", "é"].map(|c| c.as_bytes().to_vec()));
    for head in heads.chain([Vec::new()]) {
        subjects.extend(["", "x", "c", "12 x", "d a"].map(|tail| [&head, tail.as_bytes()].concat()));
    }
    let mut known = 0;
    for (language, text) in patterns {
        let Some(first) = first::first(language, &text) else { continue };
        known += 1;
        let pattern = crate::pattern::Pattern::compile(language, &text).expect(&text);
        for subject in subjects.iter().filter(|subject| !first.admits(subject)) {
            let found = pattern.is_match(crate::pattern::Subject::new(subject));
            assert!(!found, "{text:?} matches {:?}", String::from_utf8_lossy(subject));
        }
    }
    assert!(known > 250, "only {known} patterns are understood");
}
