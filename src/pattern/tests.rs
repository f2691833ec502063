//! What spec/patterns.md says, row by row; and each engine against PCRE2 itself (`oracle`).

mod oracle;

use super::*;
use Language::{OsMatch, OsRegex, Pcre2};

fn compile(language: Language, text: &str) -> Pattern {
    Pattern::compile(language, text).unwrap_or_else(|error| panic!("{language:?} {text:?}: {error}"))
}

/// Matches in all three ways, which must agree, and gives the end and the captured texts.
fn run(language: Language, pattern: &str, subject: impl AsRef<[u8]>) -> Option<(usize, Vec<Vec<u8>>)> {
    let pattern = compile(language, pattern);
    let subject = Subject::new(subject.as_ref());
    let mut captures = Captures::from([7..9, 1..2]);
    let end = pattern.captures(subject, &mut captures);
    assert_eq!(pattern.is_match(subject), end.is_some(), "{pattern:?} {subject:?}");
    assert_eq!(pattern.find_end(subject), end, "{pattern:?} {subject:?}");
    let mut grams = Grams::new();
    let noted = grams.note(subject.bytes);
    let mut bits = Bits::default();
    for subject in [subject, noted] {
        Set::new(&[&pattern]).candidates(subject, &mut bits);
        assert!(bits.contains(0) || end.is_none(), "{pattern:?} {subject:?}");
    }
    assert_eq!(pattern.find_end(noted), end, "{pattern:?} {noted:?}");
    end.map(|end| (end, captures.into_iter().map(|range| subject.bytes[range].to_vec()).collect()))
}

fn matches(language: Language, pattern: &str, subject: impl AsRef<[u8]>) -> bool {
    run(language, pattern, subject).is_some()
}

fn captured(language: Language, pattern: &str, subject: &str) -> Vec<String> {
    let (_, captures) = run(language, pattern, subject).unwrap_or_else(|| panic!("{pattern:?} in {subject:?}"));
    captures.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
}

fn end(language: Language, pattern: &str, subject: &str) -> Option<usize> {
    run(language, pattern, subject).map(|(end, _)| end)
}

fn refused(language: Language, pattern: &str) -> Error {
    Pattern::compile(language, pattern).err().unwrap_or_else(|| panic!("{language:?} {pattern:?} is accepted"))
}

#[test]
fn which_patterns_take_the_fast_path() {
    for (language, pattern, fast) in [
        (OsMatch, "^abc", true),
        (OsMatch, "abc$", true),
        (OsMatch, "^a.(c$", true),
        (OsMatch, "abc", false),
        (OsMatch, "^", false),
        (OsMatch, "^^a", false),
        (OsMatch, "^a|b", false),
        (OsRegex, "^abc", true),
        (OsRegex, "^", true),
        (OsRegex, "$", true),
        (OsRegex, "^$", true),
        (OsRegex, "^a! \"#%&',/:;<=>@_`~-9$", true),
        (OsRegex, "^a.b", false),
        (OsRegex, "abc", false),
        (OsRegex, "^(a)", false),
        (OsRegex, "^a+", false),
        (Pcre2, "^abc", true),
        (Pcre2, "^a.b", false),
        (Pcre2, "abc", false),
        (Pcre2, "^é", false),
    ] {
        assert_eq!(compile(language, pattern).is_literal(), fast, "{language:?} {pattern:?}");
    }
}

#[test]
fn the_fast_path_compares_bytes() {
    for language in [OsMatch, OsRegex, Pcre2] {
        assert_eq!(end(language, "^ab", "ABc"), Some(2));
        assert_eq!(end(language, "bc$", "aBC"), Some(3));
        assert_eq!(end(language, "^abc$", "ABC"), Some(3));
        assert_eq!(end(language, "^abc$", "ABCd"), None);
        assert_eq!(end(language, "^abc$", "abc\n"), None);
        assert_eq!(end(language, "abc$", "abc\n"), None);
        assert_eq!(end(language, "^abcd", "abc"), None);
        assert!(matches(language, "^foo", b"foo\xFF"));
        assert!(!matches(language, "^s", "\u{17F}"));
    }
    assert!(!matches(OsMatch, "^é", "É"));
    assert!(matches(OsMatch, "^é", "é!"));
}

#[test]
fn text_that_is_no_utf8() {
    assert!(!matches(OsMatch, "foo", b"foo\xFF"));
    assert!(!matches(OsRegex, "foo", b"foo\xFF"));
    assert!(matches(Pcre2, "foo", b"foo\xFF"));
    assert!(!matches(OsRegex, r"(\S+) b", b"a\xFF b"));
    assert!(matches(Pcre2, r"(\S+) b", b"a\xFF b"));
    for invalid in [b"foo\xED\xA0\x80".as_slice(), b"foo\xC0\x80", b"foo\xF4\x90\x80\x80"] {
        assert!(!matches(OsRegex, "foo", invalid), "{invalid:x?}");
    }
    let subject = Subject::new(b"\xFFfoo");
    assert!(!compile(OsMatch, "foo").is_match(subject));
    assert!(compile(OsMatch, "foo").is_match(subject.from(1)));
}

#[test]
fn os_match_rows() {
    for (pattern, subject, fits) in [
        ("a.b", "axb", false),
        ("a.*+?()[]{}\\!b", "A.*+?()[]{}\\!B", true),
        ("a\\|b", "a\\", true),
        ("a\\|b", "b", true),
        ("a\\|b", "a|b", true),
        ("a\\$b", "a\\$b", false),
        ("^a|b", "a", true),
        ("^a|b", "xb", true),
        ("^a|b", "xa", false),
        ("a^b", "a^b", false),
        ("a$b", "a$b", false),
        ("^^a", "ab", true),
        ("^^a", "ba", false),
        ("", "", true),
        ("", "x", true),
        ("a|", "x", true),
        ("|a", "x", true),
        ("^", "x", true),
        ("$", "x", true),
        ("^$", "", true),
        ("^$", "x", false),
        ("abc$|zzz", "abc\n", true),
        ("abc$|zzz", "abc\n\n", false),
        ("abc$|zzz", "abcd", false),
        ("s", "\u{17F}", true),
        ("k", "\u{212A}", true),
        ("é", "É", true),
        ("é", "e", false),
        ("\u{17F}", "S", true),
        ("\u{212A}x", "kX", true),
        ("!bob", "!bob", true),
        ("!bob", "al", false),
        ("one|two|three|four|five", "xFOURx", true),
        ("one|two|three|four|five", "fiv", false),
        ("one|two|three|four|^five", "xfive", false),
        ("one|two|three|four|^five", "five", true),
        ("masse", "ma\u{17F}\u{17F}e", true),
        ("masse|1|2|3|4", "é ma\u{17F}\u{17F}e", true),
    ] {
        assert_eq!(matches(OsMatch, pattern, subject), fits, "{pattern:?} in {subject:?}");
    }
    assert!(matches(OsMatch, &"a".repeat(2048), "a".repeat(2048)));
    assert_eq!(refused(OsMatch, &"a".repeat(2049)).kind(), ErrorKind::TooLong);
}

#[test]
fn os_regex_classes() {
    let members = |class: &str| {
        let pattern = compile(OsRegex, class);
        (1..=0x7Fu8).filter(|byte| pattern.is_match(Subject::new(&[*byte]))).map(char::from).collect::<String>()
    };
    assert_eq!(members(r"\d"), "0123456789");
    assert_eq!(members(r"\w"), "-0123456789@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
    assert_eq!(members(r"\s"), " ");
    assert_eq!(members(r"\p"), "!\"#$%&'()*+,-.:;<=>?[]{|}");
    assert_eq!(members(r"\t"), "\t");
    assert_eq!(members(r"\."), (1..=0x7Fu8).map(char::from).collect::<String>());
    for (small, large) in [(r"\d", r"\D"), (r"\w", r"\W"), (r"\s", r"\S")] {
        assert_eq!(members(small).len() + members(large).len(), 0x7F);
        assert!(members(small).chars().all(|c| !members(large).contains(c)));
    }
    for class in [r"\D", r"\W", r"\S", r"\."] {
        assert!(matches(OsRegex, class, "é"), "{class}");
    }
    for class in [r"\d", r"\w", r"\s", r"\p"] {
        assert!(!matches(OsRegex, class, "é"), "{class}");
    }
    for folding in ["\u{17F}", "\u{212A}"] {
        assert!(matches(OsRegex, r"\w", folding));
        assert!(!matches(OsRegex, r"\W", folding));
        assert!(matches(OsRegex, r"\D", folding));
    }
    assert_eq!(captured(OsRegex, r"(\.)x", "éx"), ["é"]);
}

#[test]
fn os_regex_escapes() {
    for escape in r#"> - n r / " b * + ? ^ : & ' # @ ~ 1"#.split(' ').chain([" ", "é"]) {
        let error = refused(OsRegex, &format!("ab\\{escape}"));
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Syntax, Some(2)), "{escape}");
    }
    assert_eq!(refused(OsRegex, "a\\").offset(), Some(1));
    for sign in ["$", "(", ")", "{", "}", "[", "]", "\\", "|", "<"] {
        assert_eq!(end(OsRegex, &format!("a\\{sign}b"), &format!("a{sign}b")), Some(3), "{sign}");
    }
    for (pattern, subject, fits) in [
        ("a.c", "abc", false),
        ("a.c", "A.C", true),
        ("a{2}", "a{2}", true),
        ("a{2}", "aa", false),
        ("[a]?", "[a]?", true),
        ("[a]?", "a", false),
        (r"\[a\]", "[a]", true),
    ] {
        assert_eq!(matches(OsRegex, pattern, subject), fits, "{pattern:?} in {subject:?}");
    }
    assert_eq!(captured(OsRegex, "(?:x)", "?:x"), ["?:x"]);
}

#[test]
fn os_regex_quantifiers() {
    for (pattern, subject, wanted) in [
        ("x+", "x+", Some(2)),
        ("x+", "xx", None),
        ("(a)+", "a+", Some(2)),
        ("(a)+", "aa", None),
        (r"\d++", "12+", Some(3)),
        (r"\d++", "12", None),
        (r"\\+", r"\\", Some(1)),
        (r"\\d+", r"\ddd", Some(4)),
        (r"\\.*", r"\...", Some(4)),
        (r"(a\\)+b", r"a\a\b", Some(5)),
        (r"\w+$", "abc", Some(3)),
        (r"\d*", "x", Some(0)),
        (r"\t+x", "\t\tx", Some(3)),
    ] {
        assert_eq!(end(OsRegex, pattern, subject), wanted, "{pattern:?} in {subject:?}");
    }
    for pattern in [r"\\++", r"\\**", r"\\(+", r"\\|+", r"\\^+", r"\\$*"] {
        assert_eq!(refused(OsRegex, pattern).offset(), Some(3), "{pattern}");
    }
}

#[test]
fn os_regex_laziness() {
    for (pattern, subject, wanted) in [
        (r"(\d+)(\w*)", "123abc", &["1", "23abc"][..]),
        (r"(\w+)(\d+)", "abc123", &["abc", "123"]),
        (r"(\.*)x(\.*)", "aaxbbx", &["aa", "bbx"]),
        (r"(\d+|\w+)z", "12abz", &["12ab"]),
        (r"(\d+|\w+)", "12ab", &["12"]),
        (r"(\S+)\)", "a(b)c)", &["a(b"]),
        (r"(\S+) from (\S+)", "x from y z", &["x", "y"]),
    ] {
        assert_eq!(captured(OsRegex, pattern, subject), wanted, "{pattern:?} in {subject:?}");
    }
}

#[test]
fn os_regex_anchors() {
    for (pattern, subject, wanted) in [
        ("abc$", "abc\n", None),
        ("a.c$", "a.c\n", None),
        ("^a.|b", "xb", Some(2)),
        ("foo$|b.", "xfoo", Some(4)),
        ("foo$|bar", "xbarx", Some(4)),
        ("^(a|b)c", "bc", Some(2)),
        ("^(a|b)c", "xbc", None),
        ("a^b", "a^b", None),
        ("a$b", "a$b", None),
        ("a||b", "x", Some(0)),
        ("^", "abc", Some(0)),
        ("$", "abc", Some(3)),
        ("^$", "", Some(0)),
        ("^$", "x", None),
    ] {
        assert_eq!(end(OsRegex, pattern, subject), wanted, "{pattern:?} in {subject:?}");
    }
    assert_eq!(refused(OsRegex, "").kind(), ErrorKind::Empty);
    assert_eq!(refused(OsRegex, "a(b").offset(), Some(1));
    assert_eq!(refused(OsRegex, "a)b").offset(), Some(1));
    assert_eq!(refused(OsRegex, &"(a".repeat(1025)).kind(), ErrorKind::TooLong);
    assert!(refused(OsRegex, &format!("{}a{}", "(".repeat(251), ")".repeat(251))).message().contains("250"));
    assert!(matches(OsRegex, &format!("{}a{}", "(".repeat(250), ")".repeat(250)), "xa"));
    let subject = Subject::new(b"x: abc");
    assert!(!compile(OsRegex, r"^a\w+").is_match(subject));
    assert_eq!(compile(OsRegex, r"^a\w+").find_end(subject.from(3)), Some(3));
}

#[test]
fn effort_limits_hide_nothing() {
    let ba = |times: usize| format!("x{}z", "ba".repeat(times));
    assert!(matches(OsRegex, r"x\.+a\.+a\.+a\.+a\.+aY|z", ba(100)));
    assert!(matches(Pcre2, "x.+a.+a.+a.+a.+aY|z", ba(200)));
    assert!(matches(Pcre2, r"^(?:[a-z]|\d|x)+$", "a".repeat(2000)));
    assert_eq!(end(Pcre2, "(a|b)*c|a", &"ab".repeat(1000)), Some(1));
}

#[test]
fn captures_move_left() {
    for (language, pattern, subject, wanted) in [
        (OsRegex, "(a)(b)|(c)", "c", &["c"][..]),
        (OsRegex, r"(a)(\d)|(b)(\d)", "b2", &["b", "2"]),
        (Pcre2, "(x)?(y)(z)?", "yz", &["y", "z"]),
        (OsRegex, "x(a|(b))c(d)", "xacd", &["a", "d"]),
        (OsRegex, r"((\d+)-(\d+))", "12-34", &["12-34", "12", "34"]),
        (OsRegex, r"(\d*)(x)", "x", &["", "x"]),
        (Pcre2, "^abc", "abc", &[]),
        (Pcre2, "abc", "abc", &[]),
    ] {
        assert_eq!(captured(language, pattern, subject), wanted, "{pattern:?} in {subject:?}");
    }
    let many = "(a)".repeat(70);
    assert_eq!(captured(OsRegex, &many, &"a".repeat(70)).len(), MAX_CAPTURES);
    assert_eq!(captured(Pcre2, &format!("(?=a){many}"), &"a".repeat(70)).len(), MAX_CAPTURES);
}

#[test]
fn pcre2_works_on_bytes() {
    for (pattern, subject, fits) in [
        ("É", "é".as_bytes(), false),
        ("É", "É".as_bytes(), true),
        ("k", "\u{212A}".as_bytes(), false),
        (r"\w", b"\xE9", false),
        ("^.$", b"\xE9", true),
        ("^..$", "é".as_bytes(), true),
        ("a.b", b"a\nb", false),
        (r"^\s\s$", b"\x0B\x0C", true),
        ("(?-i)a", b"A", false),
        ("a(?-i)b", b"Ab", true),
        ("(?s)a.b", b"a\nb", true),
        ("(?m)a$", b"a\nb", true),
        ("(?m)^b", b"a\nb", true),
        ("(?x) a  b # c", b"ab", true),
        ("(a(?-i)b|c)d", b"CD", false),
        ("(a(?-i)b|c)d", b"cD", true),
    ] {
        assert_eq!(matches(Pcre2, pattern, subject), fits, "{pattern:?} in {subject:?}");
    }
    assert_eq!(refused(Pcre2, "").kind(), ErrorKind::Empty);
    assert!(matches(Pcre2, &"ab".repeat(3000), "ab".repeat(3000)));
}

#[test]
fn pcre2_where_a_plain_hand_over_goes_wrong() {
    for (pattern, subject, fits) in [
        (r"user=\<(\S+)\>", "user=<bob>", true),
        (r"user=\<(\S+)\>", "user=bob", false),
        (r"[\<a\>]b", "<b", true),
        // The fast path, which OSSEC compares itself; and PCRE2's meaning.
        ("a$", "a\n", false),
        ("(?:a)$", "a\n", true),
        ("a.$", "ab\n", true),
        ("a.$", "ab\nc", false),
        ("a++ab", "aaab", false),
        ("a++b", "aaab", true),
        ("[x&&y]", "x", true),
        ("[x&&y]", "&", true),
        ("[a~~b]", "~", true),
        (r"\v", "\r", true),
        (r"\v", "\x0B", true),
        ("x{,3}", "x{,3}", true),
        ("^x{,3}z", "xxz", false),
        ("a{", "a{", true),
        ("{", "{", true),
        ("a{1", "a{1", true),
        ("a{1}b{", "ab{", true),
        ("[[]", "[", true),
        ("[]a]x", "]x", true),
        ("[^]a]x", "bx", true),
        (r"\e", "\x1B", true),
        (r"\h", "\t", true),
        (r"a\Rb", "a\r\nb", true),
        (r"a\R\nb", "a\r\nb", false),
        (r"a\Nb", "axb", true),
        (r"a\Nb", "a\nb", false),
        (r"a\Z", "a\n", true),
        (r"a\z", "a\n", false),
        (r"\Qa.b\E.", "a.bc", true),
        (r"\Qa.b\E.", "axbc", false),
        (r"\cA", "\x01", true),
        (r"\012", "\n", true),
        (r"\x41\x{42}", "ab", true),
        ("a(?#comment)b", "ab", true),
        ("[[:alpha:][:digit:]-]x", "-x", true),
        ("[[:^alpha:]]x", "1x", true),
        (r"[a\-z]y", "-y", true),
        (r"[a\-z]y", "by", false),
        (r"[\w-]y", "-y", true),
        ("(?|(a)|(b))x", "bx", true),
        ("a(?=b)", "ab", true),
        ("a(?=b)", "ac", false),
        ("a(?!b)", "ac", true),
        ("(?<!x)a", "xa", false),
        (r"(a|b)\1", "bb", true),
        (r"(a|b)\1", "ab", false),
        ("(?>a+)ab", "aaab", false),
        (r"a\Kb", "ab", true),
        (r"(\((?:a|(?1))\))", "((a))", true),
    ] {
        assert_eq!(matches(Pcre2, pattern, subject), fits, "{pattern:?} in {subject:?}");
    }
    let error = refused(Pcre2, "x[a--b]");
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Syntax, Some(4)), "{error}");
    assert_eq!(error.message(), "range out of order in character class");
    assert_eq!(refused(Pcre2, "a{b{c(").offset(), Some(6));
    assert_eq!(end(Pcre2, r"a\Kb", "xab"), Some(3));
    assert_eq!(captured(Pcre2, "(?<n>a)(?'m'b)(?P<o>c)(?:d)(?i:(e))", "abcde"), ["a", "b", "c", "e"]);
}

#[test]
fn only_what_no_automaton_has_backtracks() {
    for (pattern, backtracks) in [
        (r"from (\S+) port \d{1,5}$", false),
        (r"a++b", false),
        (r"a++", false),
        (r"(a\d++)$", true),
        (r"(?:\d++\s)$", false),
        (r"a\R", false),
        (r"x{,3}[[:alpha:]]\h\Q.\E", false),
        ("(?m)a$", false),
        ("(?m)^a", true),
        ("a++ab", true),
        ("a(?=b)", true),
        (r"(a)\1", true),
        ("(?>a)", true),
        (r"\pL", true),
        ("(a*)*b", true),
    ] {
        assert_eq!(compile(Pcre2, pattern).backtracks(), backtracks, "{pattern}");
    }
}

#[test]
fn backtracking_is_bounded() {
    let before = given_up();
    let started = std::time::Instant::now();
    assert!(!matches(Pcre2, r"^(a+)+(?=c)$", "a".repeat(6000)));
    assert!(given_up() > before);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    // A counted repetition that is too large for an automaton.
    assert!(matches(Pcre2, r"^(?:\w{1,200}\s?){1,200}x$", "ab ab ab x"));
}

#[test]
fn deep_and_long_patterns_end_well() {
    let nest = |open: &str, depth: usize| format!("{}a{}", open.repeat(depth), ")".repeat(depth));
    for open in ["(", "(?:", "(?:b|", "(?i:x*"] {
        assert!(matches(Pcre2, &nest(open, 250), "xa"), "{open}");
        for depth in [251, 100_000] {
            assert_eq!(refused(Pcre2, &nest(open, depth)).kind(), ErrorKind::Syntax, "{open}");
        }
    }
    assert!(matches(Pcre2, &nest("(?=", 250), "a"));
    assert!(matches(Pcre2, &nest("(", 3).repeat(300), "a".repeat(300)));
    assert!(matches(Pcre2, &format!("x|{}", "[a-c]".repeat(1500)), "abc".repeat(500)));
    for text in
        ["(?#".repeat(50_000), "[".repeat(50_000), "(?(".repeat(50_000), "\\Q".repeat(50_000), "{".repeat(50_000)]
    {
        let _ = Pattern::compile(Pcre2, &text);
    }
}

#[test]
fn required_texts() {
    for (language, pattern, wanted) in [
        (OsMatch, "Failed password", &["failed password"][..]),
        (OsMatch, "one|two", &["one", "two"]),
        (OsMatch, "^Abc", &["abc"]),
        (OsMatch, "é failed", &[" failed"]),
        (OsMatch, "a|two", &[]),
        (OsMatch, "|two", &[]),
        (OsRegex, r"(\S+) from (\S+) port", &[" from "]),
        (OsRegex, r"\d+", &[]),
        (OsRegex, r"(user|login) \S+", &["login", "user"]),
        (Pcre2, "a(?:bc)d", &["abcd"]),
        (Pcre2, "(?-i)ABC", &[]),
        (Pcre2, r"fo+\<bar", &["<bar"]),
        (Pcre2, "(?:abc)*def", &["def"]),
        (Pcre2, "(?=abc)def", &["def"]),
        (Pcre2, "(?>abc)d", &["abc"]),
        (Pcre2, "abcdef(*ACCEPT)xyz", &[]),
        (Pcre2, r"(foo)\1", &["foo"]),
    ] {
        let pattern = compile(language, pattern);
        let got: Vec<&str> =
            pattern.required_literals().iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
        assert_eq!(got, wanted, "{pattern:?}");
    }
}

#[test]
fn a_set_tells_who_may_match() {
    let texts = ["failed password", "accepted", r"\d+ times", r"\d+", "invalid user|illegal user", "^sshd", "mask"];
    let patterns: Vec<Pattern> = texts.iter().map(|text| compile(OsRegex, text)).collect();
    let set = Set::new(&patterns.iter().collect::<Vec<_>>());
    let mut bits = Bits::default();
    let mut candidates = |subject: &[u8]| {
        set.candidates(Subject::new(subject), &mut bits);
        bits.iter().collect::<Vec<_>>()
    };
    assert_eq!(candidates(b"nothing"), [3]);
    assert_eq!(candidates(b"FAILED Password for illegal user"), [0, 3, 4]);
    assert_eq!(candidates(b"x sshd 3 times"), [2, 3, 5]);
    assert_eq!(candidates("ma\u{17F}\u{212A}".as_bytes()), [0, 1, 2, 3, 4, 6]);
    assert_eq!(candidates(b"accepted \xFF sshd"), [5]);
    assert_eq!((set.len(), set.is_empty()), (7, false));
    assert!(Set::new(&[]).is_empty());
    Set::new(&[]).candidates(Subject::new(b"x"), &mut bits);
    assert!(bits.is_empty());
}

#[test]
fn pairs_of_bytes_are_noted_anew_for_each_text() {
    let pattern = compile(OsRegex, r"fail\w+ \S+");
    let mut grams = Grams::new();
    for _ in 0..600 {
        assert!(pattern.may_match(grams.note(b"x FAILED y")));
        assert!(pattern.may_match(grams.note(b"x FAILED y").from(2)));
        assert!(!pattern.may_match(grams.note(b"x")));
        assert!(!pattern.may_match(grams.note(b"")));
        assert!(!pattern.may_match(grams.note(b"fill ale")));
    }
    assert!(pattern.may_match(Subject::new(b"x")));
    assert!(compile(OsRegex, r"mask \S+").is_match(grams.note("ma\u{17F}\u{212A} x".as_bytes())));
    assert!(compile(Pcre2, "mask").is_match(grams.note(b"\xFF\xC5\xBFMASK")));
}

#[test]
fn patterns_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Pattern>();
    let pattern = compile(OsRegex, r"(\d+)-(\d+)");
    std::thread::scope(|scope| {
        for number in 0..4 {
            let pattern = pattern.clone();
            scope.spawn(move || {
                let text = format!("{number}-{number}");
                let mut captures = Captures::new();
                for _ in 0..500 {
                    assert_eq!(pattern.captures(Subject::new(text.as_bytes()), &mut captures), Some(3));
                    assert_eq!(captures, [0..1, 2..3]);
                }
            });
        }
    });
}
