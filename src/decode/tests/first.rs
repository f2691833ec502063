//! What a pattern is thought to begin with must never say no where the pattern says yes.

use super::*;
use crate::decode::first::first;
use crate::pattern::{Language, Pattern, Subject};

fn random() -> impl FnMut(usize) -> usize {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    move |below| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    }
}

/// Compares on all subjects; gives how often the first bytes spared the pattern.
fn compare(language: Language, text: &str, subjects: &[Vec<u8>]) -> usize {
    let (Some(first), Ok(pattern)) = (first(language, text), Pattern::compile(language, text)) else { return 0 };
    let spared = subjects.iter().filter(|subject| !first.admits(subject));
    spared
        .inspect(|subject| {
            let found = pattern.is_match(Subject::new(subject));
            assert!(!found, "{language:?} {text:?} matches {:?}", String::from_utf8_lossy(subject));
        })
        .count()
}

#[test]
fn invented_patterns_are_not_contradicted() {
    let pieces: [(Language, &[&str]); 3] = [
        (Language::OsMatch, &["a", "S", "k", "5", "-", " ", "^", "$", "|^", "é", "(", "*"]),
        (
            Language::OsRegex,
            &[
                "a", "s", "K", "5", "-", " ", "|^", "|", "(", ")", "$", "^", "é", "x", "[", "*", "+", r"\d", r"\d+",
                r"\d*", r"\w", r"\S+", r"\s", r"\p", r"\.", r"\W", r"\D", r"\\", r"\\+", r"\(", r"\<",
            ],
        ),
        (
            Language::Pcre2,
            &[
                "a",
                "s",
                "K",
                "5",
                "-",
                " ",
                "|^",
                "|",
                "(?:",
                "(",
                ")",
                ")?",
                ")+",
                "){2}",
                "$",
                "^",
                "x",
                "?",
                "*",
                "+?",
                "{2}",
                "{0}",
                "{0,1}",
                "{1,}",
                "{2}?",
                "{",
                "[a-c]",
                "[5 -]",
                "[^a]",
                "[]a]",
                r"[\d]",
                "[[:alpha:]]",
                r"\d",
                r"\w",
                r"\S",
                r"\s",
                r"\D",
                r"\.",
                r"\[",
                r"\<",
                ".",
                r"\b",
                "(?i)",
                "é",
            ],
        ),
    ];
    let letters =
        ["a", "S", "s", "K", "5", "-", " ", "x", "b", "(", "[", "\\", "<", "*", "é", "É", "ſ", "\u{212A}", "{"];
    let mut random = random();
    let mut spared = 0;
    for round in 0..6_000 {
        let (language, pieces) = pieces[round % 3];
        let mut text = "^".to_owned();
        (0..1 + random(7)).for_each(|_| text.push_str(pieces[random(pieces.len())]));
        let subjects: Vec<Vec<u8>> = (0..24)
            .map(|_| (0..random(6)).flat_map(|_| letters[random(letters.len())].bytes()).collect())
            .chain([b"\xFF".to_vec(), b"a\xFFb".to_vec()])
            .collect();
        spared += compare(language, &text, &subjects);
    }
    assert!(spared > 10_000, "only {spared} subjects were told by their first bytes");
}

#[test]
fn the_shipped_decoders_are_not_contradicted() {
    let text = include_str!("../../../rules/decoder.xml");
    let (docs, findings) = doc::read(&Source::new("decoder.xml", text));
    assert!(!findings.has_errors());
    let mut random = random();
    let words =
        ["2024", "-", "11", "/", " ", ":", "sshd", "Failed", "[", "from", "x", "192.0.2.1", "\"GET", "error", "a"];
    let subjects: Vec<Vec<u8>> =
        (0..400).map(|_| (0..1 + random(8)).flat_map(|_| words[random(words.len())].bytes()).collect()).collect();
    let mut spared = 0;
    for pattern in docs.iter().flat_map(|doc| [&doc.program, &doc.prematch, &doc.regex]).flatten() {
        spared += compare(pattern.language, &pattern.text.text, &subjects);
    }
    assert!(spared > 1_000, "only {spared} subjects were told by their first bytes");
}
