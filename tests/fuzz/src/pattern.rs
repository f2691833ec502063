//! A pattern and a text, parted by the first NUL; the first byte chooses the language. No panic, all ways of asking agree,
//! and no set leaves out a pattern that matches.
//!
//! Run in `tests/fuzz`: `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . pattern`.
#![no_main]

use hids::pattern::{Bits, Captures, Grams, Language, Pattern, Set, Subject};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let language = [Language::OsMatch, Language::OsRegex, Language::Pcre2][usize::from(*choice) % 3];
    let cut = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (text, subject) = (&input[..cut], input.get(cut + 1..).unwrap_or_default());
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(pattern) = Pattern::compile(language, text) else { return };
    let plain = Subject::new(subject);
    let mut captures = Captures::new();
    let end = pattern.captures(plain, &mut captures);
    assert!(captures.iter().all(|range| range.start <= range.end && range.end <= subject.len()));
    assert!(end.is_none_or(|end| end <= subject.len()));
    if pattern.backtracks() {
        // One way of asking may reach a limit that another does not.
        return;
    }
    assert_eq!(pattern.find_end(plain), end);
    assert_eq!(pattern.is_match(plain), end.is_some());
    let mut grams = Grams::new();
    let noted = grams.note(subject);
    assert_eq!(pattern.find_end(noted), end);
    let mut bits = Bits::default();
    for subject in [plain, noted] {
        Set::new(&[&pattern]).candidates(subject, &mut bits);
        assert!(bits.contains(0) || end.is_none());
    }
});
