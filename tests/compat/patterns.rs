//! Recorded answers of OSSEC 4.3.0 for single patterns, `../shared/golden/os_regex.jsonl`.

use hids::pattern::{Bits, Language, Pattern, Set, Subject};
use serde_json::Value;
use std::path::Path;

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
