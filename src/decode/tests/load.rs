//! What is wrong with decoder files: spec/decoders.md 5. A broken decoder is left out, the others work.

use super::*;

/// A root, a broken decoder, and a good one behind it.
fn broken(decoder: &str) -> Vec<String> {
    let text = format!(
        "<decoder name=\"p\"><program_name>^p$</program_name></decoder>\n{decoder}\n\
         <decoder name=\"good\"><prematch>^good</prematch></decoder>\n"
    );
    let (decoders, findings) = compile(&text);
    assert_eq!(decode(&decoders, "good").name.as_deref(), Some("good"), "the rest works beside {decoder}");
    assert_eq!(
        decode(&decoders, "Dec 29 10:00:01 h p: x").name.as_deref(),
        Some("p"),
        "the rest works beside {decoder}"
    );
    for finding in findings.iter() {
        assert!(finding.place.is_some() && finding.help.is_some(), "place and help: {finding}");
    }
    findings
        .iter()
        .filter(|finding| finding.severity == crate::diag::Severity::Error)
        .map(|f| f.message.clone())
        .collect()
}

#[test]
fn every_load_error_is_told() {
    let child = |rest: &str| format!(r#"<decoder name="c"><parent>p</parent>{rest}</decoder>"#);
    for (decoder, message) in [
        (r#"<decoder name="r"><type>ids</type></decoder>"#.to_owned(), "neither program_name nor prematch"),
        (child("<regex>(a)</regex>"), "regex without order"),
        (child("<order>id</order>"), "order without regex"),
        (child("<fts>id</fts>"), "fts without regex"),
        (child("<regex>^abc</regex><order>id</order>"), "plain anchored text"),
        (
            r#"<decoder name="r"><prematch>x</prematch><regex offset="after_parent">(a)</regex><order>id</order></decoder>"#.to_owned(),
            "after_parent, but it has no parent",
        ),
        (child(r#"<regex offset="after_prematch">(a)</regex><order>id</order>"#), "after_prematch, but it has no prematch"),
        (
            r#"<decoder name="r"><prematch>x</prematch><regex offset="after_regex">(a)</regex><order>id</order></decoder>"#.to_owned(),
            "no regex comes before",
        ),
        (child(r#"<regex offset="after_regex">(a)</regex><order>id</order>"#), "no earlier decoder of this name"),
        (child(r#"<regex offset="somewhere">(a)</regex><order>id</order>"#), "unknown offset `somewhere`"),
        (child(r#"<prematch offset="after_prematch">a</prematch>"#), "after_parent only"),
        (child(r#"<regex type="pcre2">(a)</regex><order>id</order>"#), "unknown attribute `type`"),
        (child(r#"<prematch type="pcre2">a</prematch>"#), "unknown attribute `type`"),
        (child(r#"<regex>(a)</regex><regex offset="after_parent">b</regex><order>id</order>"#), "offset on a further"),
        (child("<colour>red</colour>"), "unknown element <colour>"),
        (child("<prematch>a</prematch><type>weblog</type>"), "unknown type `weblog`"),
        (child("<prematch>a</prematch><Type>ids</Type>"), "unknown element <Type>"),
        (child("<plugin_decoder>XX_Decoder</plugin_decoder>"), "unknown plug-in"),
        (
            child("<plugin_decoder>PF_Decoder</plugin_decoder><regex>(a)</regex><order>id</order>"),
            "together with regex",
        ),
        (r#"<decoder name="c"><parent>nobody</parent><prematch>a</prematch></decoder>"#.to_owned(), "defined nowhere"),
        (r#"<decoder name="c"><parent>good</parent><prematch>a</prematch></decoder>"#.to_owned(), "defined further down"),
        (
            r#"<decoder name="c"><parent>p</parent><prematch>a</prematch></decoder>
               <decoder name="g"><parent>c</parent><prematch>a</prematch></decoder>"#.to_owned(),
            "is a child itself",
        ),
        (
            child("<prematch>a</prematch><regex>(a)</regex><order>id</order>")
                + &child("<prematch>b</prematch><regex>(b)</regex><order>id</order>"),
            "second decoder of this name has a prematch",
        ),
        (
            child("<regex>(a)</regex><order>id</order>") + &child("<regex>(b)</regex><order>id</order><fts>id</fts>"),
            "second decoder of this name has fts",
        ),
        (child("<prematch>a</prematch>") + &child("<regex>(b)</regex><order>id</order>"), "one has no regex"),
        (
            child("<regex>(a)</regex><order>id</order>") + &child("<pcre2>(b)</pcre2><order>id</order>"),
            "mix <regex> and <pcre2>",
        ),
        (child("<regex>(a)</regex><order>id,</order>"), "entry 2 of order is empty"),
        (child("<regex>(a)</regex><order>id</order><fts>id, url</fts>"), "`url` is no known word"),
        (
            child(&format!("<regex>(a)</regex><order>id{}</order>", ",id".repeat(256))),
            "order has 257 entries",
        ),
        (child("<regex>(a</regex><order>id</order>"), "decoder `c`"),
        (child(r"<prematch>a\n</prematch>"), "decoder `c`"),
        (r#"<decoder name="c" status="on"><prematch>a</prematch></decoder>"#.to_owned(), "unknown attribute `status`"),
        (r#"<decoder id="c"><prematch>a</prematch></decoder>"#.to_owned(), "without a name"),
        (r#"<rule id="1"></rule>"#.to_owned(), "unknown element <rule>"),
    ] {
        let errors = broken(&decoder);
        assert_eq!(errors.len(), 1, "{decoder}: {errors:?}");
        assert!(errors[0].contains(message), "{decoder}: {errors:?}");
    }
}

#[test]
fn children_of_a_broken_parent_say_so() {
    let (_, findings) = compile(
        r#"<decoder name="r"><prematch>\n</prematch></decoder>
           <decoder name="c"><parent>r</parent><prematch>a</prematch></decoder>"#,
    );
    let last = findings.iter().last().map(ToString::to_string).unwrap_or_default();
    assert!(last.starts_with("decoder.xml:2:") && last.contains("is left out for an error of its own"), "{last}");
}

#[test]
fn what_ossec_ignores_is_a_warning() {
    for (decoder, message) in [
        (
            r#"<decoder name="r"><prematch>a</prematch><prematch_pcre2>b</prematch_pcre2></decoder>"#,
            "<prematch> stands beside",
        ),
        (
            r#"<decoder name="r"><prematch>a</prematch><regex>(a)</regex><pcre2>(b)</pcre2><order>id</order></decoder>"#,
            "<regex> stands beside",
        ),
        (r#"<decoder name="r"><prematch>a</prematch><use_own_name>yes</use_own_name></decoder>"#, "use_own_name"),
        (r#"<decoder name="r"><prematch>a</prematch><accumulate>no</accumulate></decoder>"#, "accumulate is on"),
        (
            r#"<decoder name="r"><prematch>a</prematch></decoder>
               <decoder name="c"><parent>r</parent><program_name>x</program_name></decoder>"#,
            "program_name of a child",
        ),
    ] {
        let (decoders, findings) = compile(decoder);
        assert!(!findings.has_errors(), "{decoder}");
        assert!(findings.iter().any(|finding| finding.message.contains(message)), "{decoder}: {findings:?}");
        assert_eq!(decode(&decoders, "a").name.as_deref(), Some("r"));
    }
}

#[test]
fn roots_may_share_a_name_and_repeated_elements_are_joined() {
    let decoders = good(
        r#"<decoder name="r"><prematch>^one|</prematch><prematch>^two</prematch></decoder>
           <decoder name="r"><prematch>^three</prematch></decoder>
           <decoder name="c"><parent>r</parent><regex> (\d+)</regex><order>id</order></decoder>"#,
    );
    for line in ["one 1", "two 1", "three 1"] {
        let answer = decode(&decoders, line);
        assert_eq!((answer.name.as_deref(), answer.fields().as_str()), (Some("r"), "id=1"), "{line}");
    }
}
