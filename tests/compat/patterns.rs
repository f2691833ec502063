//! Recorded answers of OSSEC 4.3.0 for single patterns, `../shared/golden/os_regex.jsonl`.

use hids::diag::Source;
use hids::pattern::{Bits, Language, Pattern, Set, Subject};
use hids::xml::{self, Element};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

#[test]
#[allow(clippy::disallowed_methods)] // The recordings are the project's own, not a guest's.
fn recorded_answers_agree() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden/os_regex.jsonl");
    let Ok(recorded) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is absent, no recorded answers for patterns were compared", path.display());
        return;
    };
    let (mut agreeing, mut cases, mut patterns) = (0, 0, 0);
    let mut misses = Vec::new();
    for line in recorded.split('\n').filter(|line| !line.is_empty()) {
        let record: Value = serde_json::from_str(line).expect("a record");
        let text = record["pattern"].as_str().expect("a pattern");
        let regex = Pattern::compile(Language::OsRegex, text);
        patterns += 1;
        if record["error"].is_string() {
            assert!(regex.is_err(), "{text:?} is accepted");
            continue;
        }
        let regex = regex.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let plain = Pattern::compile(Language::OsMatch, text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let set = Set::new(&[&regex, &plain]);
        let mut bits = Bits::default();
        for case in record["cases"].as_array().expect("cases") {
            let subject = case[0].as_str().expect("a subject");
            let wanted = case[1].as_str().expect("letters");
            let subject = Subject::new(subject.as_bytes());
            let (r, m) = (regex.is_match(subject), plain.is_match(subject));
            let got = format!("{}{}", if r { "r" } else { "" }, if m { "m" } else { "" });
            cases += 1;
            if got == wanted {
                agreeing += 1;
            } else {
                misses.push(format!("{text:?} in {:?}: {got:?}, recorded {wanted:?}", case[0]));
            }
            assert_eq!(regex.find_end(subject).is_some(), r, "{text:?}");
            assert_eq!(regex.captures(subject, &mut Vec::new()).is_some(), r, "{text:?}");
            assert_eq!(plain.find_end(subject).is_some(), m, "{text:?}");
            set.candidates(subject, &mut bits);
            assert!(bits.contains(0) || !r, "{text:?} is lost by its set in {:?}", case[0]);
            assert!(bits.contains(1) || !m, "{text:?} is lost by its set in {:?}", case[0]);
        }
    }
    eprintln!("os_regex: {agreeing} of {cases} recorded cases agree, {patterns} patterns");
    assert!(misses.is_empty(), "{}", misses.join("\n"));
    assert!(cases > 16_000, "only {cases} cases were found");
}

/// Names of elements and the language of their text (spec/patterns.md 9).
fn language(name: &str) -> Option<Language> {
    Some(match name.to_ascii_lowercase().as_str() {
        "match" | "program_name" | "hostname" | "user" | "id" | "url" | "status" | "extra_data" => Language::OsMatch,
        "regex" | "prematch" | "field" | "if_matched_regex" => Language::OsRegex,
        name if name.ends_with("pcre2") => Language::Pcre2,
        _ => return None,
    })
}

/// The patterns of an element's rules and decoders; a repeated element continues the one before it.
fn collect(element: &Element, patterns: &mut BTreeSet<(String, String)>) {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for child in &element.children {
        if language(&child.name).is_some() {
            texts.entry(child.name.to_ascii_lowercase()).or_default().push_str(&child.text);
        }
        collect(child, patterns);
    }
    patterns.extend(texts);
}

#[test]
#[allow(clippy::disallowed_methods)] // The stock rules are the project's own test input, not a guest's.
fn stock_patterns_compile_and_siblings_lose_none() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let Ok(rules) = std::fs::read_dir(shared.join("ossec-ruleset/rules")) else {
        eprintln!("SKIPPED: {} is absent, the stock patterns were not compiled", shared.display());
        return;
    };
    let mut found = BTreeSet::new();
    let rules = rules.map(|entry| entry.expect("an entry").path());
    for path in rules.chain([shared.join("ossec-ruleset/decoder.xml")]) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let source = Source::new(path.display().to_string(), text);
        let (mut roots, mut diagnostics) = xml::parse(&source);
        diagnostics.append(xml::expand_variables(&mut roots, &source));
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        roots.iter().for_each(|root| collect(root, &mut found));
    }
    let started = Instant::now();
    let patterns: Vec<Pattern> = found
        .iter()
        .map(|(name, text)| {
            let language = language(name).expect("a language");
            Pattern::compile(language, text).unwrap_or_else(|error| panic!("<{name}>{text}: {error}"))
        })
        .collect();
    let took = started.elapsed();
    assert!(patterns.len() > 1500, "only {} patterns were found", patterns.len());
    assert!(patterns.iter().all(|pattern| !pattern.backtracks()), "a stock pattern needs backtracking");
    let without = patterns.iter().filter(|pattern| pattern.required_literals().is_empty()).count();
    eprintln!("{} stock patterns in {took:?}, {without} of them require no text", patterns.len());
    let set = Set::new(&patterns.iter().collect::<Vec<_>>());
    let lines = std::fs::read_to_string(shared.join("golden/stock.ossec_samples.jsonl")).expect("samples");
    let mut bits = Bits::default();
    for line in lines.lines().step_by(if cfg!(debug_assertions) { 12 } else { 1 }) {
        let record: Value = serde_json::from_str(line).expect("a record");
        let Some(log) = record["log"].as_str() else { continue };
        let subject = Subject::new(log.as_bytes());
        set.candidates(subject, &mut bits);
        for (number, pattern) in patterns.iter().enumerate() {
            assert!(bits.contains(number) || !pattern.is_match(subject), "{pattern:?} is lost in {log:?}");
        }
    }
}
