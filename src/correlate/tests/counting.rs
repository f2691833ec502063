//! Counting, marks, relations between events: spec/rules.md 13.1 to 13.5.

use crate::correlate::fixture::{book, ids, ids_at};
use crate::correlate::{Book, Firewall, Judge, Previous, fixture};
use crate::event::Stamp;
use std::sync::Arc;

/// P, and C with these attributes and further elements.
fn pair(attributes: &str, more: &str) -> Arc<Book> {
    book(&format!(
        "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match></rule>
         <rule id=\"101\" {attributes}><if_matched_sid>100</if_matched_sid>{more}</rule></group>"
    ))
}

fn times(book: &Arc<Book>, events: &[&str], count: usize) -> Vec<u32> {
    let all: Vec<&str> = events.iter().copied().cycle().take(count).collect();
    ids(book, &all)
}

const P: u32 = 100;
const C: u32 = 101;

#[test]
fn counting_and_the_mark() {
    let every_fourth = [P, P, P, C, P, P, P, C, P, P, P, C, P];
    assert_eq!(times(&pair("level=\"10\" frequency=\"2\"", ""), &["bad"], 13), every_fourth);
    let every_third = [P, P, C, P, P, C, P, P];
    assert_eq!(times(&pair("level=\"10\" frequency=\"1\"", ""), &["bad"], 8), every_third);
    for frequency in ["frequency=\"0\"", "", "frequency=\"\""] {
        assert_eq!(times(&pair(&format!("level=\"10\" {frequency}"), ""), &["bad"], 6), [P, C, P, C, P, C]);
    }
    let only_last = pair("level=\"10\" frequency=\"1\"", "<match>trig</match>");
    assert_eq!(ids(&only_last, &["bad", "bad", "bad trig"]), [P, P, C]);
    assert_eq!(times(&pair("level=\"0\" frequency=\"2\"", ""), &["bad"], 5), [P; 5]);
    assert_eq!(times(&pair("level=\"3\" frequency=\"1\"", ""), &["bad"], 7), [P, P, C, P, P, C, P]);
}

#[test]
fn a_level_zero_rule_is_not_counted_and_no_log_is() {
    let zero = book(
        "<group name=\"t,\"><rule id=\"100\" level=\"0\"><match>bad</match></rule>
         <rule id=\"101\" level=\"10\" frequency=\"1\"><if_matched_sid>100</if_matched_sid></rule></group>",
    );
    assert_eq!(times(&zero, &["bad"], 6), [P; 6]);
    let unlogged = book(
        "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match><options>no_log</options></rule>
         <rule id=\"101\" level=\"10\" frequency=\"1\"><if_matched_sid>100</if_matched_sid></rule></group>",
    );
    let mut judge = Judge::new(unlogged, Firewall::Untouched);
    let answers: Vec<_> = (0..6).map(|t| fixture::weigh(&mut judge, t, "bad")).collect();
    let (p, c) = ((P, false), (C, true));
    assert_eq!(answers, [p, p, c, p, p, c]);
}

#[test]
fn a_sid_list_holds_128() {
    for (frequency, expected) in [(127, vec![129, 258]), (128, vec![])] {
        let book = pair(&format!("level=\"10\" frequency=\"{frequency}\" timeframe=\"6000\""), "");
        let fired = times(&book, &["bad"], 300);
        let fired: Vec<usize> = (1..).zip(fired).filter(|(_, id)| *id == C).map(|(at, _)| at).collect();
        assert_eq!(fired, expected, "frequency {frequency}");
    }
}

#[test]
fn edges_of_the_timeframe() {
    let at = |book: &Arc<Book>, times: &[i64]| ids_at(book, &times.iter().map(|t| (*t, "bad")).collect::<Vec<_>>());
    let sixty = pair("level=\"10\" frequency=\"2\" timeframe=\"60\"", "");
    assert_eq!(at(&sixty, &[0, 1, 2, 60]), [P, P, P, C]);
    assert_eq!(at(&sixty, &[0, 1, 2, 61]), [P; 4]);
    let back = pair("level=\"10\" frequency=\"1\" timeframe=\"10\"", "");
    assert_eq!(at(&back, &[100, 100, 5]), [P, P, C]);
    let cut = pair("level=\"10\" frequency=\"1\" timeframe=\"100000\"", "");
    assert_eq!(at(&cut, &[1_000, 1_000, 61_480]), [P; 3]);
    assert_eq!(at(&cut, &[1_000, 1_000, 11_000]), [P, P, C]);
}

#[test]
fn one_address_and_the_mark_of_another() {
    let book = pair("level=\"10\" frequency=\"2\" timeframe=\"60\"", "<same_source_ip/>");
    let (a, b, none) = ("bad ip=10.0.0.1", "bad ip=10.0.0.2", "bad");
    assert_eq!(times(&book, &[none], 6), [P; 6]);
    assert_eq!(ids(&book, &[a, none, a, none, a, a]), [P, P, P, P, P, C]);
    let mixed = ids(&book, &[a, b, a, b, a, b, a, b, a, b, a, b, a, b]);
    assert_eq!(mixed, [P, P, P, P, P, P, C, P, P, P, P, P, P, C]);
    let events: Vec<&str> = [a, a, a, b, a].into_iter().chain([b; 8]).collect();
    assert_eq!(ids(&book, &events), [P, P, P, P, C, P, P, P, C, P, P, P, C]);
}

#[test]
fn other_relations() {
    let with = |more: &str| pair("level=\"10\" frequency=\"1\"", more);
    let url = ["bad url=/a", "bad url=/a", "bad url=/a", "bad url=/b", "bad", "bad url=/a", "bad url=/c", "bad url=/d"];
    assert_eq!(ids(&with("<different_url/>"), &url), [P, P, P, C, P, P, P, C]);
    let alike = ["bad url=/b", "bad url=/b", "bad url=/b", "bad url=/a"];
    assert_eq!(ids(&pair("level=\"10\" frequency=\"2\"", "<different_url/>"), &alike), [P, P, P, C]);
    assert_eq!(times(&with("<different_srcip/>"), &["bad ip=10.0.0.1"], 3), [P, P, C]);
    let users = ["bad du=a", "bad du=a", "bad du=b", "bad du=a"];
    assert_eq!(ids(&with("<same_user/>"), &users), [P, P, P, C]);
    assert_eq!(times(&with("<same_user/>"), &["bad su=a"], 4), [P; 4]);
    let addresses = ["bad ip=10.0.0.1", "bad ip=10.0.0.2", "bad ip=10.0.0.3"];
    assert_eq!(ids(&with("<same_source_ip/><not_same_source_ip/>"), &addresses), [P, P, C]);
    assert_eq!(ids(&with("<not_same_source_ip/><same_source_ip/>"), &addresses), [P; 3]);
}

/// 13.5: two counting rules on one list.
#[test]
fn rules_that_share_a_list() {
    let two = |first: &str, second: &str| {
        book(&format!(
            "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match></rule>
             <rule id=\"101\" {first}><if_matched_sid>100</if_matched_sid></rule>
             <rule id=\"102\" {second}</rule></group>"
        ))
    };
    let fired = |book: &Arc<Book>, count: usize| -> Vec<(usize, u32)> {
        (1..).zip(times(book, &["bad"], count)).filter(|(_, id)| *id != P).collect()
    };
    let of_100 = "><if_matched_sid>100</if_matched_sid>";
    let book = two("level=\"8\" frequency=\"1\"", &format!("level=\"12\" frequency=\"4\"{of_100}"));
    assert_eq!(fired(&book, 16), [(3, 101), (6, 101), (8, 102), (11, 101), (14, 101), (16, 102)]);
    let book = two("level=\"12\" frequency=\"1\"", &format!("level=\"8\" frequency=\"3\"{of_100}"));
    assert_eq!(fired(&book, 10), [(3, 101), (6, 101), (9, 101)]);
    let book = two("level=\"10\" frequency=\"1\" noalert=\"1\"", &format!("level=\"8\" frequency=\"2\"{of_100}"));
    assert_eq!(fired(&book, 10), []);
    let of_101 = "><if_matched_sid>101</if_matched_sid>";
    let book = two("level=\"10\" frequency=\"1\"", &format!("level=\"12\" frequency=\"0\"{of_101}"));
    assert_eq!(fired(&book, 14), [(3, 101), (6, 102), (9, 101), (12, 102)]);
    let book = two("level=\"10\" frequency=\"1\"", &format!("level=\"10\" frequency=\"0\"{of_101}"));
    assert_eq!(fired(&book, 14), [(3, 101), (6, 101), (9, 101), (12, 101)]);
}

/// 8.4: with a sid list all counted events are shown, else one less; at most eleven.
#[test]
fn earlier_lines_go_with_the_alert() {
    let shown = |book: &Arc<Book>, count: i64, line: &dyn Fn(i64) -> String| -> Vec<String> {
        let mut judge = Judge::new(Arc::clone(book), Firewall::Untouched);
        let source = fixture::source(None);
        for t in 0..count {
            let line = line(t);
            let judgement = judge.weigh(line.as_bytes(), &source, "own", Stamp::utc(t));
            if t + 1 == count {
                let verdict = judgement.verdict().unwrap();
                let Previous::Events(events) = verdict.previous else { panic!("{verdict:?}") };
                return events.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            }
        }
        Vec::new()
    };
    let line = |t: i64| format!("Mar  6 12:00:00 h app: bad {t}");
    let sid = pair("level=\"10\" frequency=\"2\"", "");
    assert_eq!(shown(&sid, 4, &line), [line(2), line(1), line(0)]);
    let group = book(
        "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match><group>gg,</group></rule>
         <rule id=\"101\" level=\"10\" frequency=\"2\"><if_matched_group>gg</if_matched_group></rule>
         <rule id=\"102\" level=\"12\"><if_sid>101</if_sid><match>bad 3</match></rule></group>",
    );
    assert_eq!(shown(&group, 4, &line), [line(2), line(1)], "a child shows them too");
    let many = pair("level=\"10\" frequency=\"20\"", "");
    assert_eq!(shown(&many, 22, &line).len(), 11);
}
