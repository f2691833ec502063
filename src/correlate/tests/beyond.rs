//! What OSSEC does not have: counting over guests, forged events, reloads, memory that survives a restart.

use crate::correlate::fixture::{book, ids, source, weigh};
use crate::correlate::{Book, Commons, Firewall, Judge, Previous};
use crate::event::{Origin, Stamp};
use std::sync::Arc;

const GLOBAL: &str = "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match><group>fail,</group></rule>
    <rule id=\"101\" level=\"10\" frequency=\"3\"><if_matched_sid>100</if_matched_sid><same_source_ip/></rule>
    <rule id=\"200\" level=\"12\" frequency=\"2\" timeframe=\"60\"><if_matched_sid>100</if_matched_sid>
    <same_source_ip/><global_frequency/></rule>
    <rule id=\"201\" level=\"14\"><if_sid>200</if_sid><match>root</match></rule></group>";

/// Feeds lines of guests to lanes and what these offer to the commons; gives what each came to.
fn fleet(book: &Arc<Book>, lines: &[(i64, &str, &str)]) -> Vec<(u32, u32)> {
    let mut commons = Commons::new(Arc::clone(book));
    let mut lanes: Vec<(&str, Judge)> = Vec::new();
    let mut found = Vec::new();
    for (t, guest, text) in lines {
        if !lanes.iter().any(|(name, _)| name == guest) {
            lanes.push((guest, Judge::new(Arc::clone(book), Firewall::Daemon)));
        }
        let (_, judge) = lanes.iter_mut().find(|(name, _)| name == guest).unwrap();
        let line = format!("Mar  6 12:00:00 h app: {text}");
        let source = source(Some(guest));
        let judgement = judge.weigh(line.as_bytes(), &source, guest, Stamp::utc(*t));
        let lane = judgement.verdict().map_or(0, |verdict| verdict.rule.id);
        let offer = judgement.offer();
        let shared = offer.as_ref().map(|offer| commons.weigh(offer));
        let shared = shared.as_ref().and_then(|judgement| judgement.verdict());
        if let Some(verdict) = &shared {
            assert_eq!(verdict.event.source.guest.as_ref().unwrap().as_str(), *guest);
            assert!(verdict.alert && verdict.respond);
            assert!(matches!(verdict.previous, Previous::Events(lines) if lines.len() == 3));
        }
        found.push((lane, shared.map_or(0, |verdict| verdict.rule.id)));
    }
    found
}

#[test]
fn the_commons_count_over_guests() {
    let book = book(GLOBAL);
    let line = "bad ip=10.0.0.1";
    let spread = [(0, "a", line), (1, "b", line), (2, "c", line), (3, "d", line), (4, "e", line)];
    assert_eq!(fleet(&book, &spread), [(100, 0), (100, 0), (100, 0), (100, 200), (100, 0)]);
    let late = [(0, "a", line), (1, "b", line), (2, "c", line), (61, "d", line)];
    assert_eq!(fleet(&book, &late), [(100, 0); 4]);
    let child = [(0, "a", line), (1, "b", line), (2, "c", line), (3, "d", "bad root ip=10.0.0.1")];
    assert_eq!(fleet(&book, &child)[3], (100, 201));
    let others = [(0, "a", line), (1, "b", "bad ip=10.0.0.2"), (2, "c", line), (3, "d", "x"), (4, "d", line)];
    assert_eq!(fleet(&book, &others), [(100, 0), (100, 0), (100, 0), (0, 0), (100, 0)]);
}

#[test]
fn a_rule_of_the_commons_changes_nothing_in_a_lane() {
    let book = book(GLOBAL);
    let line = "bad ip=10.0.0.1";
    assert_eq!(ids(&book, &[line; 5]), [100, 100, 100, 100, 101]);
    // Rule 100 is watched over guests only, so it still feeds the group lists of its lane.
    let group = "<rule id=\"300\" level=\"9\" frequency=\"1\"><if_matched_group>fail</if_matched_group></rule></group>";
    let both = GLOBAL.replace("</group>", "").replace("fail,", "fail,</group>");
    let both = both.replace(
        "<rule id=\"101\" level=\"10\" frequency=\"3\"><if_matched_sid>100</if_matched_sid><same_source_ip/></rule>",
        "",
    );
    let both = super::super::fixture::book(&format!("{both}{group}"));
    assert_eq!(ids(&both, &["bad"; 3]), [100, 100, 300]);
}

#[test]
fn nothing_is_offered_where_nobody_counts_over_guests() {
    let book = book("<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match></rule></group>");
    let mut judge = Judge::new(book, Firewall::Daemon);
    let source = source(Some("a"));
    let judgement = judge.weigh(b"Mar  6 12:00:00 h app: bad", &source, "a", Stamp::utc(0));
    assert!(judgement.verdict().is_some() && judgement.offer().is_none());
}

#[test]
fn text_that_claims_to_be_our_own_never_responds() {
    let book = book(
        "<group name=\"t,\"><rule id=\"100\" level=\"5\"><category>ossec</category><match>bad</match></rule>
         <rule id=\"101\" level=\"5\"><match>bad</match></rule></group>",
    );
    let mut judge = Judge::new(book, Firewall::Daemon);
    let mut source = source(Some("a"));
    let mut respond = |origin, line: &str| {
        source.origin = origin;
        let judgement = judge.weigh(line.as_bytes(), &source, "a", Stamp::utc(0));
        let verdict = judgement.verdict().unwrap();
        assert!(verdict.alert);
        (verdict.rule.id, verdict.respond)
    };
    let own = "Mar  6 12:00:00 h own: bad ip=10.0.0.1";
    assert_eq!(respond(Origin::Log, own), (100, false));
    assert_eq!(respond(Origin::Own, own), (100, true));
    assert_eq!(respond(Origin::Log, "Mar  6 12:00:00 h app: bad ip=10.0.0.1"), (101, true));
}

#[test]
fn the_firewall_step_is_the_daemons() {
    let book = book(
        "<group name=\"t,\"><rule id=\"100\" level=\"5\"><category>firewall</category><action>DROP</action></rule></group>",
    );
    let line = b"Mar  6 12:00:00 h fw: x ip=10.0.0.1 dip=10.0.0.2 pr=tcp ac=deny";
    let source = source(None);
    for (firewall, rule, discarded) in [(Firewall::Daemon, 100, true), (Firewall::Untouched, 0, false)] {
        let mut judge = Judge::new(Arc::clone(&book), firewall);
        let judgement = judge.weigh(line, &source, "h", Stamp::utc(0));
        assert_eq!(judgement.verdict().map_or(0, |verdict| verdict.rule.id), rule, "{firewall:?}");
        let incomplete = judge.weigh(b"Mar  6 12:00:00 h fw: x ip=10.0.0.1", &source, "h", Stamp::utc(0));
        assert_eq!(incomplete.discarded, discarded, "{firewall:?}");
    }
}

#[test]
fn memory_outlives_a_reload() {
    let old = book(
        "<group name=\"t,\"><rule id=\"90\" level=\"3\"><match>else</match></rule>
         <rule id=\"100\" level=\"5\" ><match>bad</match></rule>
         <rule id=\"101\" level=\"10\" frequency=\"2\"><if_matched_sid>100</if_matched_sid></rule>
         <rule id=\"102\" level=\"5\" ignore=\"60\"><match>quiet</match></rule></group>",
    );
    let new = book(
        "<group name=\"t,\"><rule id=\"102\" level=\"5\" ignore=\"60\"><match>quiet</match></rule>
         <rule id=\"100\" level=\"5\"><match>bad</match></rule>
         <rule id=\"101\" level=\"10\" frequency=\"2\"><if_matched_sid>100</if_matched_sid></rule></group>",
    );
    let mut judge = Judge::new(old, Firewall::Daemon);
    for t in 0..3 {
        assert_eq!(weigh(&mut judge, t, "bad"), (100, true));
    }
    assert_eq!(weigh(&mut judge, 3, "quiet"), (102, true));
    let before = judge.size();
    judge.adopt(new);
    assert_eq!(judge.size(), before);
    assert_eq!(weigh(&mut judge, 4, "quiet"), (102, false), "still silent");
    assert_eq!(weigh(&mut judge, 5, "bad"), (101, true), "the three before the reload count");
    let fewer = book("<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match></rule></group>");
    judge.adopt(fewer);
    assert_eq!(judge.size(), (0, 0), "nobody asks any more");
    assert_eq!(weigh(&mut judge, 6, "bad"), (100, true));
}

const NEW: &str = "Mar  6 12:00:00 h new: new id=1";

#[test]
fn what_ossec_keeps_on_disk_survives_as_bytes() {
    let rules = book(
        "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>new</match><if_fts/></rule>
         <rule id=\"101\" level=\"5\"><match>mark</match><ignore>srcip</ignore></rule>
         <rule id=\"102\" level=\"5\"><match>ask</match><check_if_ignored>srcip</check_if_ignored></rule>
         <rule id=\"103\" level=\"5\"><match>out</match><check_diff/></rule></group>",
    );
    let mut judge = Judge::new(Arc::clone(&rules), Firewall::Daemon);
    let start = judge.changes();
    assert_eq!(weigh(&mut judge, 0, NEW), (100, true));
    assert_eq!(weigh(&mut judge, 1, "mark ip=10.0.0.1"), (101, true));
    assert_eq!(weigh(&mut judge, 2, "out a"), (0, false));
    assert_ne!(judge.changes(), start);
    let changes = judge.changes();
    assert_eq!(weigh(&mut judge, 3, NEW), (0, false));
    assert_eq!(judge.changes(), changes, "nothing new");
    let bytes = judge.export();
    let mut again = Judge::new(Arc::clone(&rules), Firewall::Daemon);
    again.import(&bytes).unwrap();
    assert_eq!(again.export(), bytes);
    assert_eq!(weigh(&mut again, 4, NEW), (0, false));
    assert_eq!(weigh(&mut again, 5, "ask ip=10.0.0.1"), (102, false));
    assert_eq!(weigh(&mut again, 6, "out b"), (103, true));
    for end in 0..bytes.len() {
        let mut broken = Judge::new(Arc::clone(&rules), Firewall::Daemon);
        assert!(broken.import(&bytes[..end]).is_err(), "{end}");
        assert_eq!(weigh(&mut broken, 4, NEW), (100, true));
    }
    again.forget();
    assert_eq!(weigh(&mut again, 7, NEW), (100, true));
}

#[test]
fn check_diff_shows_the_output_before() {
    let book = book("<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>out</match><check_diff/></rule></group>");
    let mut judge = Judge::new(book, Firewall::Daemon);
    assert_eq!(weigh(&mut judge, 0, "out a"), (0, false));
    let source = source(None);
    let judgement = judge.weigh(b"Mar  6 12:00:00 h app: out b", &source, "own", Stamp::utc(0));
    let verdict = judgement.verdict().unwrap();
    assert!(matches!(verdict.previous, Previous::Output(b"out a")), "{:?}", verdict.previous);
}

#[test]
fn memory_is_bounded() {
    let book = book(
        "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match></rule>
         <rule id=\"110\" level=\"5\"><match>fine</match></rule>
         <rule id=\"120\" level=\"10\" frequency=\"9\"><if_sid>110</if_sid><if_matched_regex>bad</if_matched_regex></rule>
         </group>",
    );
    let mut judge = Judge::new(book, Firewall::Daemon);
    for n in 0..20_000 {
        weigh(&mut judge, n / 1_000, "bad");
    }
    assert_eq!(judge.size().0, 8_183 + (20_000 - 8_193) % 10, "the oldest ten leave together");
    weigh(&mut judge, 3_600, "bad");
    assert!(judge.size().0 <= 8_192);
}
