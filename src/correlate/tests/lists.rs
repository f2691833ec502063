//! Groups, all events, ignoring, siblings, overwrites: spec/rules.md 13.6 to 13.11.

use crate::correlate::fixture::{book, ids, ids_at, weigh};
use crate::correlate::{Book, Firewall, Judge};
use std::sync::Arc;

fn group(rules: &str) -> Arc<Book> {
    book(&format!("<group name=\"t,\">{rules}</group>"))
}

const BAD_WORSE: &str = "<rule id=\"100\" level=\"5\"><match>bad</match><group>authfail,</group></rule>
    <rule id=\"110\" level=\"5\"><match>worse</match><group>authfail,</group></rule>";
const COUNT_GROUP: &str =
    "<rule id=\"120\" level=\"10\" frequency=\"1\"><if_matched_group>authfail</if_matched_group></rule>";

/// 13.6
#[test]
fn groups() {
    let plain = group(&format!("{BAD_WORSE}{COUNT_GROUP}"));
    assert_eq!(ids(&plain, &["bad", "worse", "bad", "bad", "worse", "worse"]), [100, 110, 120, 100, 110, 120]);
    let watched = group(&format!(
        "{BAD_WORSE}<rule id=\"115\" level=\"9\"><if_matched_sid>100</if_matched_sid><match>never</match></rule>\
         {COUNT_GROUP}"
    ));
    let events = ["bad", "bad", "bad", "bad", "worse", "worse", "worse", "bad"];
    assert_eq!(ids(&watched, &events), [100, 100, 100, 100, 110, 110, 120, 100]);
    let later = group(&format!(
        "{BAD_WORSE}{COUNT_GROUP}<rule id=\"130\" level=\"5\"><match>late</match><group>authfail,</group></rule>"
    ));
    let events = ["late", "late", "late", "late", "bad", "bad", "bad"];
    assert_eq!(ids(&later, &events), [130, 130, 130, 130, 100, 100, 120]);
    let elsewhere = group(
        "<rule id=\"100\" level=\"5\"><match>bad</match><group>authfail,</group></rule>
         <rule id=\"110\" level=\"5\"><match>ok</match></rule>
         <rule id=\"120\" level=\"10\" frequency=\"1\"><if_sid>110</if_sid>
         <if_matched_group>authfail</if_matched_group></rule>",
    );
    let events = ["bad", "bad", "bad", "ok", "ok", "bad", "ok", "bad", "ok"];
    assert_eq!(ids(&elsewhere, &events), [100, 100, 100, 120, 110, 100, 110, 100, 120]);
}

#[test]
fn a_rule_with_two_parents_counts_double() {
    let rules = |parents: &str| {
        group(&format!(
            "<rule id=\"90\" level=\"0\" noalert=\"1\"><match>bad</match></rule>
             <rule id=\"91\" level=\"0\" noalert=\"1\"><match>other</match></rule>
             <rule id=\"100\" level=\"5\"><if_sid>{parents}</if_sid><match>bad</match><group>authfail,</group></rule>
             <rule id=\"120\" level=\"10\" frequency=\"3\"><if_matched_group>authfail</if_matched_group></rule>"
        ))
    };
    assert_eq!(ids(&rules("90,91"), &["bad"; 3]), [100, 100, 120]);
    assert_eq!(ids(&rules("90"), &["bad"; 5]), [100, 100, 100, 100, 120]);
}

/// 13.7
#[test]
fn all_events() {
    let rules = |parent: &str| {
        group(&format!(
            "<rule id=\"100\" level=\"5\"><match>bad</match></rule>
             <rule id=\"110\" level=\"5\"><match>ok</match></rule>
             <rule id=\"120\" level=\"10\" frequency=\"1\">{parent}<if_matched_regex>bad \\d+</if_matched_regex>
             <same_location/><same_src_port/></rule>"
        ))
    };
    let events = ["bad 1", "bad x", "bad 2", "ok", "ok", "bad 3", "bad 3", "ok", "ok"];
    let answers = [100, 100, 100, 120, 110, 100, 100, 120, 110];
    assert_eq!(ids(&rules("<if_sid>110</if_sid>"), &events), answers);
    let anything = ["bad 1", "bad x", "bad 2", "anything", "anything"];
    assert_eq!(ids(&rules(""), &anything), [100, 100, 100, 120, 0]);
}

#[test]
fn only_events_of_the_same_category_are_counted() {
    let rules = group(
        "<rule id=\"100\" level=\"5\"><category>web-log</category><match>bad</match></rule>
         <rule id=\"110\" level=\"5\"><match>ok</match></rule>
         <rule id=\"120\" level=\"10\" frequency=\"0\"><if_sid>110</if_sid><if_matched_regex>bad</if_matched_regex></rule>",
    );
    let web = "Mar  6 12:00:00 h web: bad ip=10.0.0.1";
    assert_eq!(ids(&rules, &[web, web, "ok"]), [100, 100, 110]);
}

fn alerts(book: &Arc<Book>, events: &[(i64, &str)]) -> Vec<(u32, bool)> {
    let mut judge = Judge::new(Arc::clone(book), Firewall::Untouched);
    events.iter().map(|(t, text)| weigh(&mut judge, *t, text)).collect()
}

/// 13.8, the daemon's side of it: each alert begins a new silence.
#[test]
fn ignore_times() {
    let plain = group("<rule id=\"100\" level=\"5\" ignore=\"60\"><match>bad</match></rule>");
    let times = [0, 1, 59, 60, 61, 62, 120, 121, 122, 181];
    let events: Vec<(i64, &str)> = times.iter().map(|t| (*t, "bad")).collect();
    let spoke: Vec<i64> = times.iter().zip(alerts(&plain, &events)).filter(|(_, a)| a.1).map(|(t, _)| *t).collect();
    assert_eq!(spoke, [0, 60, 120, 181]);
    let counted = group(
        "<rule id=\"100\" level=\"5\"><match>bad</match></rule>
         <rule id=\"101\" level=\"10\" frequency=\"2\" timeframe=\"600\" ignore=\"60\">
         <if_matched_sid>100</if_matched_sid></rule>",
    );
    let events: Vec<(i64, &str)> = (0..28).map(|n| (n * 10, "bad")).collect();
    let answers = alerts(&counted, &events);
    let fired: Vec<(i64, bool)> =
        events.iter().zip(answers).filter(|(_, a)| a.0 == 101).map(|(e, a)| (e.0, a.1)).collect();
    let expected = [(30, true), (70, false), (110, true), (150, false), (190, true), (230, false), (270, true)];
    assert_eq!(fired, expected);
    let silent = group(
        "<rule id=\"100\" level=\"5\" ignore=\"100\"><match>bad</match></rule>
         <rule id=\"101\" level=\"10\" frequency=\"1\" timeframe=\"600\"><if_matched_sid>100</if_matched_sid></rule>",
    );
    let events: Vec<(i64, &str)> = [0, 1, 2, 3, 4, 100, 101].map(|t| (t, "bad")).to_vec();
    let fired: Vec<u32> = alerts(&silent, &events).iter().map(|a| a.0).collect();
    assert_eq!(fired, [100, 100, 100, 100, 100, 100, 101]);
}

/// 9.4
#[test]
fn the_ignore_list() {
    let rules = group(
        "<rule id=\"100\" level=\"5\"><match>mark</match><ignore>srcip, id</ignore></rule>
         <rule id=\"101\" level=\"5\"><match>ask</match><check_if_ignored>id, srcip</check_if_ignored></rule>
         <rule id=\"102\" level=\"5\"><match>data</match><check_if_ignored>data</check_if_ignored></rule>",
    );
    let events = [
        (0, "ask ip=10.0.0.1"),
        (1, "mark ip=10.0.0.1"),
        (2, "ask ip=10.0.0.1"),
        (3, "ask ip=10.0.0.2"),
        (4, "data da=x"),
        (5, "data da=x"),
    ];
    let spoke: Vec<bool> = alerts(&rules, &events).iter().map(|a| a.1).collect();
    assert_eq!(spoke, [true, true, false, true, true, true]);
}

/// 13.9
#[test]
fn siblings() {
    let rules = |children: &str| {
        group(&format!(
            "<rule id=\"100\" level=\"0\" noalert=\"1\"><decoded_as>app</decoded_as></rule>{children}
             <rule id=\"104\" level=\"0\"><if_sid>100</if_sid><match>quiet</match></rule>
             <rule id=\"105\" level=\"15\" accuracy=\"0\"><if_sid>100</if_sid><match>fatal</match></rule>
             <rule id=\"106\" level=\"1\"><if_sid>100</if_sid><match>fatal</match></rule>"
        ))
    };
    let all = rules(
        "<rule id=\"101\" level=\"3\"><if_sid>100</if_sid><match>bad</match></rule>
         <rule id=\"102\" level=\"9\"><if_sid>100</if_sid><match>bad a</match></rule>
         <rule id=\"103\" level=\"9\"><if_sid>100</if_sid><match>bad</match></rule>",
    );
    assert_eq!(ids(&all, &["bad a", "bad b", "bad a quiet", "bad fatal"]), [102, 103, 104, 103]);
    assert_eq!(ids(&rules(""), &["bad fatal"]), [106]);
}

#[test]
fn noalert_falls_through_and_level_zero_does_not() {
    let noalert = group(
        "<rule id=\"100\" level=\"5\" noalert=\"1\"><match>bad</match></rule>
         <rule id=\"101\" level=\"5\"><if_sid>100</if_sid><match>kid</match></rule>
         <rule id=\"110\" level=\"2\"><match>bad</match></rule>",
    );
    assert_eq!(ids(&noalert, &["bad", "bad kid"]), [110, 101]);
    let zero = group(
        "<rule id=\"100\" level=\"0\"><match>bad</match></rule>
         <rule id=\"101\" level=\"0\" noalert=\"1\"><if_sid>100</if_sid></rule>
         <rule id=\"102\" level=\"3\"><if_sid>101</if_sid><match>kid</match></rule>
         <rule id=\"110\" level=\"2\"><match>bad</match></rule>",
    );
    assert_eq!(ids(&zero, &["bad", "bad kid"]), [100, 102]);
}

/// 13.11
#[test]
fn overwriting_a_counting_rule() {
    let rules = |old: &str, new: &str| {
        group(&format!(
            "<rule id=\"100\" level=\"5\"><match>bad</match></rule>
             <rule id=\"110\" level=\"5\"><match>worse</match></rule>
             <rule id=\"130\" level=\"10\" {old}</rule><rule id=\"130\" overwrite=\"yes\" {new}</rule>"
        ))
    };
    let of = |id: u32| format!("><if_matched_sid>{id}</if_matched_sid>");
    let moved = rules(&format!("frequency=\"1\"{}", of(100)), &format!("level=\"10\" frequency=\"1\"{}", of(110)));
    let events = ["worse", "worse", "worse", "worse", "bad", "bad", "bad", "bad", "bad"];
    assert_eq!(ids(&moved, &events), [110, 110, 110, 110, 100, 100, 130, 100, 100]);
    let stricter = format!("level=\"10\" frequency=\"2\" timeframe=\"600\"{}<same_source_ip/>", of(100));
    let events: Vec<(i64, &str)> = (0..4).map(|n| (n * 100, "bad ip=10.0.0.1")).collect();
    assert_eq!(ids_at(&rules(&format!("frequency=\"1\"{}", of(100)), &stricter), &events), [100, 100, 100, 130]);
    let plain = rules("><if_sid>100</if_sid>", &format!("level=\"10\" frequency=\"2\"{}", of(100)));
    assert_eq!(ids(&plain, &["bad"; 6]), [130; 6]);
    let old = format!("frequency=\"1\" timeframe=\"10\"{}", of(100));
    let longer = rules(&old, &format!("level=\"10\" frequency=\"1\"{}", of(100)));
    assert_eq!(ids_at(&longer, &[(0, "bad"), (1, "bad"), (360, "bad")]), [100, 100, 130]);
    let off = rules(&format!("frequency=\"1\"{}", of(100)), &format!("level=\"0\" frequency=\"1\"{}", of(100)));
    assert_eq!(ids(&off, &["bad"; 4]), [100; 4]);
}

#[test]
fn what_stays_of_an_overwritten_rule() {
    let rules = |old: &str, new: &str| {
        group(&format!(
            "<rule id=\"100\" level=\"5\">{old}</rule><rule id=\"100\" level=\"5\" overwrite=\"yes\">{new}</rule>"
        ))
    };
    let answers = |book: &Arc<Book>| ids(book, &["aa", "bb", "aa bb", "cc"]);
    let description = "<description>x</description>";
    assert_eq!(answers(&rules("<pcre2>aa</pcre2>", "<pcre2>bb</pcre2>")), [100, 0, 100, 0]);
    assert_eq!(answers(&rules("<pcre2>aa</pcre2>", "<regex>bb</regex>")), [0, 100, 100, 0]);
    assert_eq!(answers(&rules("<pcre2>aa</pcre2>", "<match>bb</match>")), [0, 0, 100, 0]);
    assert_eq!(answers(&rules("<match_pcre2>aa</match_pcre2>", "<match>bb</match>")), [0, 100, 100, 0]);
    assert_eq!(answers(&rules("<match>aa</match>", description)), [100; 4]);
    let users = |new: &str| ids(&rules("<user_pcre2>^joe$</user_pcre2>", new), &["x du=joe", "x du=eve"]);
    assert_eq!(users(description), [100, 100]);
    assert_eq!(users("<hostname>h</hostname>"), [100, 0]);
    let urls = rules("<url_pcre2>a</url_pcre2>", "<url>b</url>");
    assert_eq!(ids(&urls, &["x url=/a", "x url=/b", "x url=/ab"]), [0, 0, 100]);
}
