#![allow(clippy::disallowed_methods)] // The stock files are the project's own, not a guest's.

use super::*;
use std::path::{Path, PathBuf};

fn roots(text: &str) -> Vec<Element> {
    let (roots, diagnostics) = parse(&Source::new("t.xml", text));
    assert!(diagnostics.is_empty(), "{text:?}: {diagnostics:?}");
    roots
}

fn text_of(xml: &str) -> String {
    roots(xml).remove(0).text
}

fn error(text: &str) -> String {
    let (_, diagnostics) = parse(&Source::new("t.xml", text));
    let first = diagnostics.iter().next().unwrap_or_else(|| panic!("{text:?} was accepted"));
    let shown = first.to_string();
    let mut lines = shown.lines();
    lines.next().unwrap_or_default().to_owned()
}

#[test]
fn several_roots_and_text_outside_them() {
    let roots = roots("junk & more <a>1</a> junk\n<b/><c x='1'></c> end");
    let names: Vec<&str> = roots.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(roots[0].text, "1");
    assert_eq!(roots[1].text, "");
    assert_eq!(roots[2].attribute("X"), Some("1"));
}

#[test]
fn entities_are_ordinary_text() {
    assert_eq!(text_of("<a>a&lt;b &amp; &#60; & c&</a>"), "a&lt;b &amp; &#60; & c&");
}

#[test]
fn an_escaped_bracket_stays_with_its_backslash() {
    assert_eq!(text_of(r"<a>user=\<(\S+)> x\<y\\<z</a>"), r"user=\<(\S+)> x\<y\\<z");
}

#[test]
fn a_backslash_before_the_closing_tag_swallows_it() {
    let source = Source::new("t.xml", "<g>\n<match>C:\\</match>\n</g>");
    let (_, diagnostics) = parse(&source);
    let shown = diagnostics.iter().next().map(ToString::to_string).unwrap_or_default();
    assert!(shown.starts_with("t.xml:2:1: element 'match' is not closed"), "{shown}");
    assert!(shown.contains("a backslash before <"), "{shown}");
    assert!(error(r"<m>C:\\</m>").contains("'m' is not closed"));
}

#[test]
fn white_space_is_never_trimmed() {
    assert_eq!(text_of("<a> sp \n\t</a>"), " sp \n\t");
}

#[test]
fn comments_are_cut_out_of_texts() {
    for (xml, text) in [
        ("<a>x<!-- c -->y</a>", "xy"),
        ("<a>x<! c !>y</a>", "xy"),
        ("<a>x<!-- a -- b --->y</a>", "xy"),
        ("<a>x<!-->y</a>", "xy"),
        ("<a>x<!-- <b> & \\< </a> -->y</a>", "xy"),
        ("<a>x<!-- 1 -->y<!2!>z</a>", "xyz"),
        ("<!-- <a> --><a>é<!é!>é</a>", "éé"),
    ] {
        assert_eq!(text_of(xml), text, "{xml}");
    }
    assert_eq!(error("<a>\n<!DOCTYPE x>"), "t.xml:2:1: a comment is opened here and never closed");
    assert_eq!(error("<a><![CDATA[x]]></a>"), "t.xml:1:4: a comment is opened here and never closed");
    assert_eq!(error("<a><!></a>"), "t.xml:1:4: a comment is opened here and never closed");
    assert_eq!(error("<a <!-- x --> b='1'></a>"), "t.xml:1:1: a comment stands inside a tag");
}

#[test]
fn mark_and_prolog_are_skipped_at_the_start_only() {
    assert_eq!(text_of("\u{FEFF}<?xml version=\"1.0\"?>\n<a>x</a>"), "x");
    assert!(error("\n<?xml version=\"1.0\"?><a/>").starts_with("t.xml:2:1: "));
    assert!(error("<?xml version=\"1.0\"><a/>").starts_with("t.xml:1:1: "));
}

#[test]
fn attributes() {
    let element = roots("<a b=\"1 'x'\" c= '2' d='' e=\"a<b\"/>").remove(0);
    let values: Vec<&str> = element.attributes.iter().map(|a| a.value.as_str()).collect();
    assert_eq!(values, ["1 'x'", "2", "", "a<b"]);
    for (xml, place) in [
        ("<a b =\"1\"/>", "1:5: attribute 'b' has no value"),
        ("<a b/>", "1:5: attribute 'b' has no value"),
        ("<a b=1/>", "1:6: the value of attribute 'b' is not in quotes"),
        ("<a b=\"1\"c=\"2\"/>", "1:9: attribute 'b' is followed by"),
        ("<a b=\"1\"\n  b=\"2\"/>", "2:3: attribute 'b' is repeated"),
        ("<a b=\"x>y\"/>", "1:4: attribute 'b' has a >"),
        ("<a b=\"x></a>", "1:1: a tag is opened here"),
        ("< a></a>", "1:2: ' ' cannot stand"),
        ("<></>", "1:2: a tag has no name"),
        ("<a$></a$>", "1:3: '$' cannot stand"),
    ] {
        let said = error(xml);
        assert!(said.starts_with(&format!("t.xml:{place}")), "{xml}: {said}");
    }
}

#[test]
fn closing_tags_repeat_the_name_byte_for_byte() {
    assert_eq!(error("<a>\n</A>"), "t.xml:2:1: </A> does not repeat <a> byte for byte");
    assert_eq!(error("<a></a >"), "t.xml:1:4: </a > does not repeat <a> byte for byte");
    assert_eq!(error("<a></a></b>"), "t.xml:1:8: </b> closes nothing");
    assert_eq!(
        error("<o>\n <localfile>\n <localfile></localfile>\n</o>"),
        "t.xml:2:2: element 'localfile' is not closed"
    );
    assert_eq!(error("<o>\n <p>"), "t.xml:2:2: element 'p' is not closed");
}

#[test]
fn spans_are_those_of_the_file() {
    let text = "\u{FEFF}<!-- é -->\n<r>\n <a k=\"v\" l='w'>t\\<<!-- c -->é</a>\n</r>";
    let root = roots(text).remove(0);
    let a = &root.children[0];
    assert_eq!(&text[a.span.start..a.span.end], "<a k=\"v\" l='w'>t\\<<!-- c -->é</a>");
    assert_eq!(&text[a.text_span.start..a.text_span.end], "t\\<<!-- c -->é");
    assert_eq!(&text[a.attributes[1].span.start..a.attributes[1].span.end], "l='w'");
    assert_eq!(&text[a.tag_span().start..a.tag_span().end], "<a k=\"v\" l='w'>");
    let source = Source::new("t", text);
    let at = a.place(&source, a.text.find('é').unwrap());
    assert_eq!(text[at.start..].chars().next(), Some('é'));
    assert_eq!(a.place(&source, a.text.find('é').unwrap() + 1), at);
    assert_eq!(at.end, at.start + 2);
    assert_eq!(a.place(&source, a.text.len()).start, a.text_span.end);
    assert_eq!(a.place(&source, 1).start, a.text_span.start + 1);
    assert_eq!(a.place(&source, 999), a.text_span);
    let empty = &roots("<e/>")[0];
    assert_eq!((empty.tag_span(), empty.text_span), (Span::new(0, 4), Span::new(4, 4)));
}

#[test]
fn limits() {
    let long = "x".repeat(MAX_LENGTH);
    assert_eq!(text_of(&format!("<a>{long}</a>")), long);
    assert!(error(&format!("<a>{long}y</a>")).contains("8193 bytes"));
    assert!(error(&format!("<a b='{long}y'/>")).contains("8193 bytes"));
    assert!(error(&format!("<{long}y/>")).contains("8193 bytes"));
    roots(&format!("<a>{}<b/></a>", " ".repeat(2 * MAX_LENGTH)));
    let nest = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    roots(&nest(MAX_DEPTH));
    assert!(error(&nest(MAX_DEPTH + 1)).contains("deeper than 1024"));
}

fn expanded(text: &str) -> (Vec<String>, Diagnostics) {
    let source = Source::new("t.xml", text);
    let (mut roots, diagnostics) = parse(&source);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let notes = expand_variables(&mut roots, &source);
    (roots.into_iter().map(|e| e.text).collect(), notes)
}

#[test]
fn variables_are_put_in_their_places() {
    let (texts, notes) = expanded(
        "<a>$BAD and</a><var name=\"BAD\">one|two</var><a>$BAD</a><a>x$bad|$BAD.y $bad,$$BAD</a><a>a$|b$</a><a>$Z</a>\
         <var name=\"Z\">$BAD</var><a>$Z</a><a>x$Z</a>",
    );
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(texts, ["$BAD and", "one|two", "xone|two|one|two.y one|two,$one|two", "a$|b$", "$Z", "$Z", "x$BAD"]);
}

#[test]
fn unknown_variables_are_errors() {
    for text in ["(foo$)", "$N-x", "$M and", "a$b"] {
        let (texts, notes) = expanded(&format!("<a>{text}</a><var name='N'>v</var>\n <a>{text}</a>"));
        assert_eq!(notes.count(crate::diag::Severity::Error), 1, "{text}");
        assert_eq!(texts, [text, text]);
        let shown = notes.iter().next().map(ToString::to_string).unwrap_or_default();
        assert!(shown.starts_with("t.xml:2:5: $"), "{shown}");
    }
}

#[test]
fn variables_reach_attributes_and_nested_elements() {
    let source = Source::new("t", "<g><var name='LVL'>12</var><rule level='$LVL'><m>$LVL</m></rule></g>");
    let (mut roots, _) = parse(&source);
    assert!(expand_variables(&mut roots, &source).is_empty());
    assert_eq!(roots[0].children.len(), 1);
    assert_eq!(roots[0].children[0].attribute("level"), Some("12"));
    assert_eq!(roots[0].children[0].children[0].text, "12");
    let (_, notes) = expanded("<var>x</var><var name='n'>1</var><var name='N'>2</var><a>a $n</a>");
    assert_eq!((notes.count(crate::diag::Severity::Error), notes.count(crate::diag::Severity::Warning)), (1, 1));
}

#[test]
fn nothing_panics() {
    let pieces =
        ["<", ">", "a", "/", "!", "--", "\\", "\"", "'", "=", " ", "é", "<a>", "</a>", "<!", "?", "&", "\0", "$"];
    let mut state = 7u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        let source = Source::new("t", text);
        let (mut roots, diagnostics) = parse(&source);
        for diagnostic in &diagnostics.iter().collect::<Vec<_>>() {
            let _ = diagnostic.to_string();
        }
        for element in &roots {
            assert!(source.text.get(element.span.start..element.span.end).is_some(), "{source:?}");
            for offset in 0..4 {
                let _ = element.place(&source, offset);
            }
        }
        let _ = expand_variables(&mut roots, &source);
    }
}

#[test]
fn every_stock_file_is_read() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.is_dir() {
        eprintln!("SKIPPED: ../shared is absent, the stock files were not read");
        return;
    }
    let mut files = Vec::new();
    for folder in ["ossec-ruleset", "seed", "golden"] {
        find(&shared.join(folder), &mut files);
    }
    assert!(files.len() > 150, "only {} files found", files.len());
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let source = Source::new(file.display().to_string(), text);
        let (mut roots, mut diagnostics) = parse(&source);
        assert!(!roots.is_empty(), "{}", source.name);
        if !file.ends_with("ossec.conf") {
            diagnostics.append(expand_variables(&mut roots, &source));
        }
        assert!(diagnostics.is_empty(), "{}", diagnostics.iter().map(ToString::to_string).collect::<String>());
    }
    eprintln!("{} stock files read", files.len());
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "xml" || ext == "conf") {
            files.push(path);
        }
    }
}
