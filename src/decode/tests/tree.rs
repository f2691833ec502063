//! The tree's own rules: spec/decoders.md 6 to 10 and 16.

use super::*;
use crate::event::Field;

const P: &str = "<decoder name=\"p\"><program_name>^p$</program_name></decoder>\n";

/// Decodes with the parent `p` and further decoders; the line's text stands behind `p: `.
fn under_p(decoders: &str, text: &str) -> Answer {
    decode(&good(&format!("{P}{decoders}")), &format!("Dec 29 10:00:01 h p: {text}"))
}

#[test]
fn events_with_and_without_a_program_see_different_roots() {
    let decoders = good(
        r#"<decoder name="zz"><prematch>^zz|^only</prematch></decoder>
           <decoder name="both"><program_name>^both$</program_name><prematch>^only</prematch></decoder>
           <decoder name="any"><program_name></program_name><prematch>^any</prematch></decoder>"#,
    );
    let name = |line| decode(&decoders, line).name;
    assert_eq!(name("Dec 25 10:00:01 h zz[1]: zz"), None);
    assert_eq!(name("zz"), Some("zz".into()));
    assert_eq!(name("Dec 25 10:00:01 h both: only"), Some("both".into()));
    assert_eq!(name("only"), Some("zz".into()));
    assert_eq!(name("Dec 25 10:00:01 h whatever: any"), Some("any".into()));
    assert_eq!(name("Dec 25 10:00:01 h : any"), Some("any".into()), "an empty program is a program");
    assert_eq!(name("any"), None);
}

#[test]
fn the_first_root_that_fits_is_final() {
    let decoders = good(
        r#"<decoder name="a"><prematch>^x</prematch></decoder>
           <decoder name="b"><prematch>^xy (\d+)</prematch><regex>(\d+)</regex><order>id</order></decoder>
           <decoder name="a-child"><parent>a</parent><prematch>never</prematch></decoder>"#,
    );
    let answer = decode(&decoders, "xy 12");
    assert_eq!((answer.name.as_deref(), answer.fields().as_str()), (Some("a"), ""));
}

#[test]
fn chains_restart_where_a_member_failed() {
    let chain = r#"
        <decoder name="c1"><parent>p</parent><prematch>^x </prematch>
          <regex offset="after_prematch">^a(\d+)</regex><order>id</order></decoder>
        <decoder name="c1"><parent>p</parent><regex offset="after_regex">b(\d+)</regex><order>status</order></decoder>
        <decoder name="c1"><parent>p</parent><regex offset="after_regex">c(\d+)</regex><order>srcport</order></decoder>"#;
    for (text, fields) in [
        ("x a1 b2 c3", "id=1 srcport=3 status=2"),
        ("x a1 c3", "id=1 srcport=3"),
        ("x a1 c3 b2", "id=1 status=2"),
        ("x c9 b2", "status=2"),
    ] {
        assert_eq!(under_p(chain, text).fields(), fields, "{text}");
    }
}

#[test]
fn worked_examples_of_children() {
    let plain = |first: &str, second: &str| {
        format!(
            r#"<decoder name="{first}"><parent>p</parent><regex>^aaa (\d+)</regex><order>id</order></decoder>
               <decoder name="{second}"><parent>p</parent><regex>^bbb (\d+)</regex><order>id</order></decoder>"#
        )
    };
    let answer = under_p(&plain("c1", "c2"), "bbb 2");
    assert_eq!((answer.name.as_deref(), answer.fields().as_str()), (Some("p"), ""));
    assert_eq!(under_p(&plain("c1", "c1"), "bbb 2").fields(), "id=2");

    let gated = r#"<decoder name="c1"><parent>p</parent><prematch>^x</prematch><regex>^xa (\d+)</regex><order>id</order></decoder>
                   <decoder name="c2"><parent>p</parent><prematch>^xb</prematch><type>ids</type></decoder>"#;
    let answer = under_p(gated, "xb 2");
    assert_eq!((answer.category, answer.fields().as_str()), (Category::Syslog, ""));

    let decoders = good(
        r#"<decoder name="r"><program_name>^r$</program_name><regex>id=(\d+)</regex><order>id</order></decoder>
           <decoder name="c"><parent>r</parent><prematch>never</prematch></decoder>"#,
    );
    let answer = decode(&decoders, "Dec 29 10:00:01 h r: id=5");
    assert_eq!((answer.name.as_deref(), answer.fields().as_str()), (Some("r"), ""));
}

#[test]
fn a_root_without_children_is_its_own_child() {
    let decoders = good(
        r#"<decoder name="r"><prematch>^head </prematch><regex offset="after_prematch">^(\d+)</regex><order>id</order></decoder>"#,
    );
    assert_eq!(decode(&decoders, "head 12").fields(), "id=12");
    assert_eq!(decode(&decoders, "head x12").name.as_deref(), Some("r"));
}

#[test]
fn offsets_move_the_anchor() {
    let decoders = good(
        r#"<decoder name="r"><prematch>^head </prematch></decoder>
           <decoder name="r-a"><parent>r</parent><prematch offset="after_parent">^a </prematch>
             <regex offset="after_parent">^(\S+) </regex><order>status</order></decoder>
           <decoder name="r-b"><parent>r</parent><regex offset="after_parent">^(\S+) (\S+)</regex><order>id, url</order></decoder>"#,
    );
    assert_eq!(decode(&decoders, "head a b").fields(), "status=a");
    assert_eq!(decode(&decoders, "head b c").fields(), "id=b url=c");
}

#[test]
fn types_are_not_inherited() {
    let decoders = good(
        r#"<decoder name="p"><program_name>^p$</program_name><type>firewall</type></decoder>
           <decoder name="c"><parent>p</parent><prematch>^c</prematch></decoder>
           <decoder name="d"><parent>p</parent><regex>^d(\d)</regex><order>id</order></decoder>"#,
    );
    assert_eq!(decode(&decoders, "Dec 29 10:00:01 h p: c").category, Category::Syslog);
    assert_eq!(decode(&decoders, "Dec 29 10:00:01 h p: d1").category, Category::Syslog);
    assert_eq!(decode(&decoders, "Dec 29 10:00:01 h p: dx").category, Category::Firewall);
    let undecoded = decode(&decoders, "nothing");
    assert_eq!((undecoded.name, undecoded.category), (None, Category::Syslog));
}

#[test]
fn every_word_of_order_has_its_field() {
    let words = [
        ("dstuser", "dstuser"),
        ("user", "dstuser"),
        ("srcuser", "srcuser"),
        ("srcip", "srcip"),
        ("dstip", "dstip"),
        ("srcport", "srcport"),
        ("dstport", "dstport"),
        ("protocol", "proto"),
        ("action", "action"),
        ("id", "id"),
        ("url", "url"),
        ("data", "extra_data"),
        ("extra_data", "extra_data"),
        ("status", "status"),
        ("system_name", "system_name"),
        ("filename", "filename"),
        ("my_filename_x", "filename"),
        ("Srcip", "Srcip"),
        ("anything", "anything"),
    ];
    for (word, label) in words {
        let decoders = good(&format!(
            r#"<decoder name="r"><prematch>^r </prematch><regex offset="after_prematch">^(\S*)</regex><order>{word}</order></decoder>"#
        ));
        assert_eq!(decode(&decoders, "r 5").fields(), format!("{label}=5"));
        assert_eq!(decode(&decoders, "r  ").text(label), Some(""), "an empty capture is set");
    }
}

#[test]
fn captures_and_words_are_paired_as_far_as_they_go() {
    let decoders = good(
        r#"<decoder name="r"><prematch>^r </prematch>
             <pcre2 offset="after_prematch">^(?:a(\d)|b(\d)) (\d) (\d)</pcre2><order>id, status, id, url, srcip</order></decoder>"#,
    );
    let answer = decode(&decoders, "r b1 2 3");
    assert_eq!(answer.fields(), "id=3 status=2", "the later value of a word wins");
    assert!(answer.decoded.fields.value(Field::SrcIp).is_none());
    assert_eq!(answer.decoded.trace.len(), 3);
}

#[test]
fn dynamic_fields_are_stored_by_position() {
    let decoders = good(
        r#"<decoder name="r"><program_name>^r$</program_name></decoder>
           <decoder name="c"><parent>r</parent><prematch>^b </prematch>
             <regex offset="after_prematch">^(\S+) (\S+)</regex><order>color, shape</order></decoder>
           <decoder name="c"><parent>r</parent><regex offset="after_regex">^ (\S+) (\S+)</regex><order>id, size</order></decoder>"#,
    );
    let answer = decode(&decoders, "Dec 29 10:00:01 h r: b red ball 9 44");
    let fields = &answer.decoded.fields;
    assert_eq!(fields.get_dynamic(1, &answer.full), Some(&b"44"[..]));
    let facts = decoders.facts(answer.decoded.decoder.expect("decoded"));
    assert_eq!(facts.order, [None, Some("size".to_owned())]);
    assert_eq!(answer.fields(), "color=red id=9 shape=ball size=44", "logtest shows the lost names");
}

#[test]
fn names_and_ids_follow_the_parent() {
    let decoders = good(
        r#"<decoder name="p"><program_name>^p$</program_name></decoder>
           <decoder name="p"><prematch>^p </prematch></decoder>
           <decoder name="plain"><parent>p</parent><prematch>plain</prematch></decoder>
           <decoder name="own"><parent>p</parent><prematch>own</prematch><use_own_name>true</use_own_name></decoder>"#,
    );
    let id = |line| decode(&decoders, line).decoded.decoder.map(|decoder| decoders.facts(decoder).id);
    let p = decoders.id_of("p");
    assert!(p.is_some());
    for line in ["Dec 29 10:00:01 h p: x", "Dec 29 10:00:01 h p: plain", "p x", "p plain"] {
        assert_eq!(id(line), p, "{line}");
    }
    assert_eq!(id("p own"), decoders.id_of("own"));
    assert_eq!(id("Dec 29 10:00:01 h p: own"), decoders.id_of("own"));
    assert!(decoders.id_of("plain").is_some_and(|plain| Some(plain) != p));
    assert_eq!(decoders.id_of("P"), None);
    let answer = decode(&decoders, "p plain");
    let facts = decoders.facts(answer.decoded.decoder.expect("decoded"));
    assert_eq!((facts.name.as_str(), facts.parent.as_deref()), ("p", Some("p")));
}

#[test]
fn decoders_without_an_element_have_ids() {
    let (decoders, _) = compile("");
    for name in [
        "rootcheck",
        "syscheck_integrity_changed",
        "syscheck_integrity_changed_2nd",
        "syscheck_integrity_changed_3rd",
        "syscheck_new_entry",
        "syscheck_deleted",
        "hostinfo_new",
        "hostinfo_modified",
    ] {
        let own = decoders.own(name).expect(name);
        assert_eq!(Some(decoders.facts(own).id), decoders.id_of(name));
        assert_eq!(decoders.facts(own).category, Category::Ossec);
    }
    let deleted = decoders.own("syscheck_deleted").expect("known");
    assert_eq!(decoders.facts(deleted).name, "syscheck_integrity_changed");
    assert_eq!(decoders.own("sshd"), None);
}

#[test]
fn accumulated_values_stick_for_two_minutes() {
    let decoders = good(
        r#"<decoder name="r"><prematch>^r </prematch><regex offset="after_prematch">^(\S*) (\S*) (\S*)</regex>
             <order>id, dstuser, srcip</order><accumulate>no</accumulate></decoder>"#,
    );
    let mut accumulator = Accumulator::default();
    let mut apply = |seconds: i64, line: &str| {
        let source = source();
        let full = line.as_bytes();
        let event =
            Event { full, header: header::parse(full), own_host: "own", source: &source, time: Stamp::utc(seconds) };
        let (mut out, mut scratch) = (Decoded::default(), Scratch::default());
        decoders.decode(&event, &mut scratch, &mut out);
        let facts = decoders.facts(out.decoder.expect("decoded"));
        accumulator.apply(&event, &mut out, facts);
        let text = |field| String::from_utf8_lossy(out.fields.get(field, full).unwrap_or(b"-")).into_owned();
        (text(Field::DstUser), text(Field::SrcIp))
    };
    let pair = |user: &str, address: &str| (user.to_owned(), address.to_owned());
    assert_eq!(apply(0, "r 1 bob "), pair("bob", ""));
    assert_eq!(apply(10, "r 1  10.0.0.1"), pair("bob", "10.0.0.1"));
    assert_eq!(apply(20, "r 1 eve "), pair("eve", "10.0.0.1"), "an event's own value is not overwritten");
    assert_eq!(apply(140, "r 1  "), pair("bob", "10.0.0.1"), "and the first value sticks");
    assert_eq!(apply(150, "r 2  "), pair("", ""), "another id");
    assert_eq!(apply(261, "r 1  "), pair("", ""), "121 seconds without a line");
    let long = "u".repeat(81);
    assert_eq!(apply(300, &format!("r 3 {long} ")), pair(&long, ""));
    assert_eq!(apply(301, "r 3  "), pair("", ""), "too long to be kept");
}

#[test]
fn accumulating_is_bounded() {
    let decoders = good(
        r#"<decoder name="r"><prematch>^r </prematch><regex offset="after_prematch">^(\S*)</regex>
             <order>id</order><accumulate/></decoder>"#,
    );
    let mut accumulator = Accumulator::default();
    let (mut out, mut scratch) = (Decoded::default(), Scratch::default());
    for n in 0..20_000 {
        let source = source();
        let line = format!("r {n}");
        let full = line.as_bytes();
        let time = Stamp::utc(n / 1_000);
        let event = Event { full, header: header::parse(full), own_host: "own", source: &source, time };
        decoders.decode(&event, &mut scratch, &mut out);
        let facts = decoders.facts(out.decoder.expect("decoded"));
        accumulator.apply(&event, &mut out, facts);
    }
    assert!(accumulator.len() <= 4_096, "{}", accumulator.len());
}

#[test]
fn fts_keys_hold_the_selected_parts() {
    let decoders = good(
        r#"<decoder name="r"><prematch>^r </prematch><regex offset="after_prematch">^(\S*) (\S*) (\S*) (\S*) (\S*) (\S*) (\S*)</regex>
             <order>id, dstuser, srcuser, srcip, dstip, extra_data, system_name</order>
             <fts>srcuser, id</fts><fts>location</fts></decoder>
           <decoder name="q"><prematch>^q </prematch></decoder>"#,
    );
    let key = |line: &str| {
        let source = source();
        let full = line.as_bytes();
        let event = Event { full, header: header::parse(full), own_host: "own", source: &source, time: Stamp::utc(0) };
        let (mut out, mut scratch, mut key) = (Decoded::default(), Scratch::default(), Vec::new());
        decoders.decode(&event, &mut scratch, &mut out);
        let facts = decoders.facts(out.decoder.expect("decoded"));
        fts::key(&event, &out, facts, &mut key).then(|| String::from_utf8_lossy(&key).into_owned())
    };
    assert_eq!(key("r 1 du su si di xd sn"), Some("r 1 du      stdin".to_owned()));
    assert_eq!(key("q x"), None);
    assert_eq!(key(&format!("r {} du su si di xd sn", "1".repeat(300))).map(|key| key.len()), Some(255));
}
