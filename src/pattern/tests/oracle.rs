//! Random patterns and texts, each engine against PCRE2 in the way in which OSSEC 4.3.0 uses it: a textual rewriting that
//! shares nothing with the parsers under test.

use super::*;
use pcre2::bytes::{Regex, RegexBuilder};

/// Numbers that are the same in every run.
struct Dice(u64);

/// How many patterns to try: `HIDS_ORACLE_ROUNDS` times as many as usual, which also draws others.
fn rounds(usual: usize) -> usize {
    usual * std::env::var("HIDS_ORACLE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<'p>(&mut self, pieces: &[&'p str]) -> &'p str {
        pieces[self.below(pieces.len())]
    }

    fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| self.pick(pieces)).collect()
    }
}

/// OSSEC's rewriting of an `os_match` pattern.
fn os_match_as_perl(pattern: &str) -> String {
    pattern
        .chars()
        .map(|c| match c {
            '|' | '^' | '$' => c.to_string(),
            c if c.is_ascii_punctuation() => format!("\\{c}"),
            c => c.to_string(),
        })
        .collect()
}

/// OSSEC's rewriting of an `os_regex` pattern; nothing for an escape that it refuses.
fn os_regex_as_perl(pattern: &str) -> Option<String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut text = String::new();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => {
                at += 1;
                text.push_str(match chars.get(at)? {
                    'd' => "[0-9]",
                    'D' => "[^0-9]",
                    'w' => "[A-Za-z0-9@_-]",
                    'W' => "[^A-Za-z0-9@_-]",
                    's' => " ",
                    'S' => "[^ ]",
                    'p' => r"[!-.:;<=>?\[\]{|}]",
                    '.' => r"(?:.|\n)",
                    't' => r"\t",
                    '$' => r"\$",
                    '(' => r"\(",
                    ')' => r"\)",
                    '{' => r"\{",
                    '}' => r"\}",
                    '[' => r"\[",
                    ']' => r"\]",
                    '|' => r"\|",
                    '<' => "<",
                    '\\' => r"\\",
                    _ => return None,
                });
            }
            c @ ('*' | '+') if at >= 2 && chars[at - 2] == '\\' => {
                text.push(c);
                let rest: String = chars[at + 1..].iter().collect();
                let rest = rest.trim_start_matches(')');
                let last = rest.is_empty() || rest.starts_with('|');
                let backslash = chars[at - 1] == '\\' && escapes(&chars, at - 1);
                if !last || backslash {
                    text.push('?');
                }
                // Two quantifiers in a row are an error, but `+?+` would be none.
                if at >= 3 && matches!(chars[at - 1], '*' | '+') {
                    return None;
                }
            }
            c @ ('^' | '(' | ')' | '|') => text.push(c),
            '$' => text.push_str(r"\z"),
            c if c.is_ascii_punctuation() => {
                text.push('\\');
                text.push(c);
            }
            c => text.push(c),
        }
        at += 1;
    }
    Some(text)
}

/// Tells whether the backslash at a place is escaped by one before it.
fn escapes(chars: &[char], at: usize) -> bool {
    let before = chars[..at].iter().rev().take_while(|c| **c == '\\').count();
    before % 2 == 1
}

fn perl(text: &str, utf: bool) -> Option<Regex> {
    RegexBuilder::new().caseless(true).utf(utf).build(text).ok()
}

fn answer(oracle: &Regex, subject: &[u8]) -> Option<(usize, Captures)> {
    let mut locations = oracle.capture_locations();
    let end = oracle.captures_read(&mut locations, subject).ok()??.end();
    let captures = (1..locations.len()).filter_map(|group| locations.get(group)).map(|(start, end)| start..end);
    Some((end, captures.collect()))
}

/// Compares all that can be asked, for each pattern and text.
fn compare(language: Language, oracle: &dyn Fn(&str) -> Option<Regex>, patterns: &[String], subjects: &[Vec<u8>]) {
    let mut accepted = Vec::new();
    let (mut hits, mut wrong) = (0, Vec::new());
    let mut captures = Captures::new();
    let mut grams = Grams::new();
    for text in patterns {
        let pattern = Pattern::compile(language, text);
        let Some(oracle) = oracle(text) else {
            assert!(pattern.is_err(), "{language:?} {text:?} is accepted");
            continue;
        };
        let pattern = pattern.unwrap_or_else(|error| panic!("{language:?} {text:?}: {error}"));
        if pattern.is_literal() {
            continue;
        }
        for subject in subjects {
            let wanted = answer(&oracle, subject);
            hits += usize::from(wanted.is_some());
            let subject = Subject::new(subject);
            let got = pattern.captures(subject, &mut captures).map(|end| (end, captures.clone()));
            let alike = if language == OsMatch { got.is_some() == wanted.is_some() } else { got == wanted };
            // Asked another way, about a subject whose pairs of bytes are noted.
            let end = pattern.find_end(grams.note(subject.bytes));
            if !alike || end != got.as_ref().map(|(end, _)| *end) || pattern.is_match(subject) != end.is_some() {
                wrong.push(format!("{text:?} in {subject:?}: {got:?}, PCRE2 says {wanted:?}"));
            }
        }
        accepted.push(pattern);
    }
    eprintln!("{language:?}: {} patterns, {hits} matches, {} differences", accepted.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(accepted.len() > patterns.len() / 10 && hits > patterns.len(), "too little was compared");
    for siblings in accepted.chunks(70) {
        nobody_is_lost(siblings, subjects);
    }
}

/// A set never leaves out a pattern that matches.
fn nobody_is_lost(siblings: &[Pattern], subjects: &[Vec<u8>]) {
    let mut bits = Bits::default();
    for count in [siblings.len().min(3), siblings.len()] {
        let set = Set::new(&siblings[..count].iter().collect::<Vec<_>>());
        for subject in subjects {
            let subject = Subject::new(subject);
            set.candidates(subject, &mut bits);
            for (number, pattern) in siblings[..count].iter().enumerate() {
                assert!(bits.contains(number) || !pattern.is_match(subject), "{pattern:?} is lost in {subject:?}");
            }
        }
    }
}

const WORDS: &[&str] = &[
    "a", "b", "s", "k", "ab", "ask", "x", "1", "23", " ", ".", "\\", "|", "(", ")", "[", "{", "}", "<", "$", "+", "*",
    "?", "-", "@", "é", "É", "\u{17F}", "\u{212A}", "\n", "K", "S", ":", "ß",
];

fn subjects(dice: &mut Dice, count: usize) -> Vec<Vec<u8>> {
    let mut subjects: Vec<Vec<u8>> = (0..count)
        .map(|number| {
            // Two of three are ASCII, as nearly all lines are; a few are no UTF-8, and some end in LF.
            let text = dice.text(WORDS, 9);
            let text: String = if number % 3 < 2 { text.chars().filter(char::is_ascii).collect() } else { text };
            let mut text = text.into_bytes();
            match dice.below(12) {
                0 => text.push(0xE9),
                1 => text.push(b'\n'),
                _ => {}
            }
            text
        })
        .collect();
    subjects.push(Vec::new());
    subjects.push(b"\n".to_vec());
    subjects
}

#[test]
fn os_match_answers_as_perl() {
    let mut dice = Dice(1);
    let pieces: Vec<&str> = WORDS.iter().copied().chain(["|", "^", "$", "|^", "$|", "^"]).collect();
    let patterns: Vec<String> = (0..rounds(1500)).map(|_| dice.text(&pieces, 7)).collect();
    let subjects = subjects(&mut dice, 60);
    compare(OsMatch, &|text| perl(&os_match_as_perl(text), true), &patterns, &subjects);
}

#[test]
fn os_regex_answers_as_perl() {
    let mut dice = Dice(2);
    let pieces: Vec<&str> = WORDS
        .iter()
        .copied()
        .chain([r"\d", r"\d+", r"\w+", r"\S*", r"\.*", r"\.+", r"\s", r"\p", r"\W", r"\D+", r"\w*", r"\S+"])
        .chain([r"(\d+)", r"(\S+)", "(a|b)", r"(\w+|\.)", r"\(", r"\)", r"\\", r"\\+", r"\$", r"\|", r"\<", r"\t"])
        .chain(["(", ")", "|", "^", "$", "(", ")", "|", r"\>"])
        .collect();
    let mut patterns: Vec<String> = (0..rounds(2000)).map(|_| dice.text(&pieces, 7)).collect();
    patterns.retain(|text| !text.is_empty());
    let subjects = subjects(&mut dice, 40);
    let oracle = |text: &str| perl(&os_regex_as_perl(text)?, true);
    compare(OsRegex, &oracle, &patterns, &subjects);
}

#[test]
fn pcre2_answers_as_perl() {
    let mut dice = Dice(3);
    let pieces: Vec<&str> = WORDS
        .iter()
        .copied()
        .chain([
            r"\d", r"\w", r"\s", r"\S", r"\h", r"\v", r"\R", r"\N", r"\b", r"\B", r"\D", r"\H", r"\V", ".", "^", "$",
        ])
        .chain(["+", "*", "?", "+?", "*?", "??", "++", "*+", "?+", "{2}", "{1,2}", "{,2}", "{1,}", "{0}", "{", "}"])
        .chain([
            "(", ")", "|", "(?:", "(?i)", "(?-i)", "(?s)", "(?m)", "(?x)", "(?U)", "(?=", "(?!", "(?>", "(?<n>", "(?|",
        ])
        .chain([
            "[",
            "]",
            "^",
            "-",
            "[^",
            "[ab]",
            "[a-k]",
            "[^a]",
            r"[\d-]",
            r"[\w.-]",
            "[[:alpha:]]",
            "[[]",
            "[]a]",
            "&&",
        ])
        .chain([
            r"\Z", r"\z", r"\A", r"\G", r"\K", r"\1", r"\Q", r"\E", r"\x61", r"\12", r"\012", r"\<", r"\>", "(?#c)",
            "#",
        ])
        .chain([
            r"\pL",
            r"\C",
            r"\e",
            r"\cA",
            r"\o{141}",
            r"\g1",
            "(?1)",
            "~~",
            "--",
            "[:alpha:]",
            r"[\x61-z]",
            r"[\b\n]",
        ])
        .collect();
    let mut patterns: Vec<String> = (0..rounds(9000)).map(|_| dice.text(&pieces, 7)).collect();
    patterns.retain(|text| !text.is_empty());
    let subjects = subjects(&mut dice, 24);
    compare(Pcre2, &|text| perl(text, false), &patterns, &subjects);
}

#[test]
fn loops_with_captures_answer_as_perl() {
    // Where automata and backtracking differ most easily: nested loops over groups that may be empty.
    let mut dice = Dice(4);
    let pieces = [
        "a",
        "b",
        "(a)",
        "(a|b)",
        "(a|)",
        "(|b)",
        "(a*)",
        "(a+)",
        "(b?)",
        "(?:a|(b))",
        "(",
        ")",
        "(?:",
        "|",
        "*",
        "+",
        "?",
        "*?",
        "+?",
        "{2}",
        "{1,3}",
        "^",
        "$",
    ];
    let mut patterns: Vec<String> = (0..rounds(9000)).map(|_| dice.text(&pieces, 7)).collect();
    patterns.retain(|text| !text.is_empty());
    let subjects: Vec<Vec<u8>> = ["", "a", "b", "ab", "ba", "aab", "abab", "bbaa", "aaabbb"].map(|s| s.into()).to_vec();
    compare(Pcre2, &|text| perl(text, false), &patterns, &subjects);
}

#[test]
fn nothing_panics_on_random_bytes() {
    let mut dice = Dice(5);
    let mut captures = Captures::new();
    for round in 0..1500 {
        let bytes: Vec<u8> = (0..dice.below(24)).map(|_| dice.below(256) as u8).collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let subject: Vec<u8> = (0..dice.below(200)).map(|_| dice.below(256) as u8).collect();
        let language = [OsMatch, OsRegex, Pcre2][round % 3];
        if let Ok(pattern) = Pattern::compile(language, &text) {
            for subject in [Subject::new(&subject), Subject::new(text.as_bytes())] {
                let end = pattern.captures(subject, &mut captures);
                assert_eq!(end, pattern.find_end(subject));
                assert!(captures.iter().all(|range| range.end <= subject.bytes.len() && range.start <= range.end));
            }
        }
    }
}
