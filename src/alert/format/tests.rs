use super::*;
use crate::alert::fixture::{Case, NOW};
use crate::decode;
use crate::event::{Field, Stamp, Value};
use std::collections::HashSet;
use std::sync::Arc;

fn record(case: &Case) -> Vec<u8> {
    let mut out = Vec::new();
    case.with(|verdict| ossec::write(&mut out, verdict, &case.meta));
    out
}

fn text(case: &Case) -> String {
    String::from_utf8(record(case)).unwrap()
}

fn line(case: &Case) -> String {
    let mut out = Vec::new();
    case.with(|verdict| json::write(&mut out, verdict, &case.meta));
    String::from_utf8(out).unwrap()
}

fn object(case: &Case) -> serde_json::Value {
    let line = line(case);
    assert!(line.ends_with("}\n") && line.matches('\n').count() == 1, "one line: {line:?}");
    assert_no_key_twice(line.trim_end());
    serde_json::from_str(&line).unwrap()
}

/// serde_json's value keeps the last of two equal keys silently, so the keys are counted by a reader of our own.
fn assert_no_key_twice(line: &str) {
    struct Keys;
    impl<'de> serde::de::DeserializeSeed<'de> for Keys {
        type Value = ();
        fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
            from.deserialize_any(self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut seen = HashSet::new();
            while let Some(key) = map.next_key::<String>()? {
                assert!(seen.insert(key.clone()), "key {key} twice");
                map.next_value_seed(Keys)?;
            }
            Ok(())
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while seq.next_element_seed(Keys)?.is_some() {}
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
    }
    use serde::de::DeserializeSeed;
    Keys.deserialize(&mut serde_json::Deserializer::from_str(line)).unwrap();
}

fn door() -> Case {
    let mut case = Case::new("doord[9]", "rattle by carol from 198.51.100.8")
        .field(Field::SrcIp, b"198.51.100.8")
        .field(Field::DstUser, b"carol");
    case.decoder =
        Some(decode::Facts { name: "doord".into(), parent: Some("doord".into()), ..decode::Facts::default() });
    case
}

#[test]
fn a_plain_record() {
    assert_eq!(
        text(&door()),
        "** Alert 1795552640.7: - local,door,\n\
         2026 Nov 24 20:37:20 web->/var/lib/lxc/web1/rootfs/var/log/auth.log\n\
         Rule: 100500 (level 5) -> 'Door rattled.'\n\
         Src IP: 198.51.100.8\n\
         User: carol\n\
         Nov 24 10:00:01 web doord[9]: rattle by carol from 198.51.100.8\n\n"
    );
}

#[test]
fn every_optional_line_alone_all_together_and_empty() {
    let labels = [
        (Field::SrcIp, "Src IP: "),
        (Field::SrcPort, "Src Port: "),
        (Field::DstIp, "Dst IP: "),
        (Field::DstPort, "Dst Port: "),
        (Field::DstUser, "User: "),
    ];
    let head = "-> 'Door rattled.'\n";
    for (field, label) in labels {
        assert!(text(&Case::new("d", "x").field(field, b"v")).contains(&format!("{head}{label}v\nNov 24")), "{label}");
        assert!(text(&Case::new("d", "x").field(field, b"")).contains(&format!("{head}{label}\nNov 24")), "{label}");
    }
    let all = labels.iter().fold(Case::new("d", "x"), |case, (field, _)| case.field(*field, b"-"));
    assert!(text(&all).contains("Src IP: -\nSrc Port: -\nDst IP: -\nDst Port: -\nUser: -\nNov 24"));
    let others = [Field::SrcUser, Field::Protocol, Field::Action, Field::Id, Field::Url, Field::Data, Field::Status];
    let case = others.iter().fold(Case::new("d", "x"), |case, field| case.field(*field, b"hidden"));
    assert!(!text(&case).contains("hidden"));
}

#[test]
fn the_mail_flag_and_a_missing_description() {
    let mut case = Case::new("d", "x");
    case.rule.mail = true;
    case.rule.description = None;
    case.rule.groups = "nocommaadded".into();
    let record = text(&case);
    assert!(record.starts_with("** Alert 1795552640.7: mail  - nocommaadded\n"), "{record}");
    assert!(record.contains("\nRule: 100500 (level 5) -> '(null)'\n"));
}

#[test]
fn the_log_is_cut_at_1256_bytes_even_within_a_character() {
    let shown = |full: Vec<u8>| {
        let mut case = Case::new("d", "x");
        case.header = crate::event::Header { host: None, program: None, log: 0..full.len() };
        case.full = full;
        let record = record(&case);
        let at = memchr::memmem::find(&record, b"'\n").unwrap() + 2;
        record[at..record.len() - 2].to_vec()
    };
    for length in [1_255, 1_256, 1_257, 6_000] {
        assert_eq!(shown(vec![b'x'; length]).len(), length.min(1_256));
    }
    let mut across = vec![b'x'; 1_255];
    across.extend_from_slice("é".as_bytes());
    assert_eq!(shown(across).last(), Some(&0xC3));
    assert_eq!(shown(b"New file\n".to_vec()), b"New file\n", "a log that ends with a newline gives two empty lines");
}

#[test]
fn context_lines_stand_below_the_log() {
    let mut case = door();
    case.events = ["third", "second", "first"].map(|line| Arc::from(line.as_bytes())).to_vec();
    assert!(text(&case).ends_with("198.51.100.8\nthird\nsecond\nfirst\n\n"));
    let object = object(&case);
    assert_eq!(object["previous_output"], "second");
    assert_eq!(object["events"], serde_json::json!(["third", "second", "first"]));

    case.events.truncate(1);
    assert!(text(&case).ends_with("198.51.100.8\nthird\n\n"));
    let object = self::object(&case);
    assert!(object.get("previous_output").is_none());
    assert_eq!(object["events"], serde_json::json!(["third"]));
    case.events = vec![Arc::from(&b"a"[..]), Arc::from(&b""[..])];
    assert!(self::object(&case).get("previous_output").is_none(), "an empty second line is none");

    case.output = Some(b"tcp 0.0.0.0:22".to_vec());
    assert!(text(&case).ends_with("198.51.100.8\nPrevious output:\ntcp 0.0.0.0:22\n\n"));
    let object = self::object(&case);
    assert_eq!(object["previous_output"], "tcp 0.0.0.0:22");
    assert!(object.get("events").is_none());
}

#[test]
fn json_keys_stand_in_ossecs_order_then_ours() {
    let mut case = door();
    case.rule.frequency = 6;
    case.rule.cve = Some("CVE-2026-1".into());
    case.rule.info = Some("http://example.net/a".into());
    case.meta.event_time = Some(Stamp { seconds: NOW - 3, offset: 3_600 });
    case.events = vec![Arc::from(&b"one"[..]), Arc::from(&b"two"[..])];
    assert_eq!(
        line(&case),
        concat!(
            r#"{"rule":{"level":5,"comment":"Door rattled.","sidid":100500,"cve":"CVE-2026-1","#,
            r#""info":"http://example.net/a","frequency":6,"firedtimes":1,"group":"local,door,","#,
            r#""groups":["local","door"]},"id":"1795552640.7","TimeStamp":1795552640000,"decoder":"doord","#,
            r#""decoder_parent":"doord","srcip":"198.51.100.8","dstuser":"carol","#,
            r#""location":"/var/lib/lxc/web1/rootfs/var/log/auth.log","#,
            r#""full_log":"Nov 24 10:00:01 web doord[9]: rattle by carol from 198.51.100.8","previous_output":"two","#,
            r#""hostname":"web","program_name":"doord[9]","decoder_desc":{"parent":"doord","name":"doord"},"#,
            r#""agent_name":"web","timestamp":"2026 Nov 24 20:37:20","#,
            r#""logfile":"/var/lib/lxc/web1/rootfs/var/log/auth.log","guest":"web1","source":"/var/log/auth.log","#,
            r#""place":{"guest":"web1","source":"/var/log/auth.log","inode":42,"offset":4096},"#,
            r#""time":"2026-11-24T20:37:20.250000Z","event_time":"2026-11-24T21:37:17+01:00","events":["one","two"]}"#,
            "\n"
        )
    );
}

#[test]
fn all_fields_have_their_json_names() {
    let mut case =
        Field::ALL.iter().fold(Case::new("d", "x"), |case, field| case.field(*field, field.label().as_bytes()));
    case.decoder = Some(decode::Facts { name: "allf".into(), fts: 576, accumulate: true, ..decode::Facts::default() });
    let line = line(&case);
    let position = |key: &str| line.find(&format!(",\"{key}\":")).unwrap_or_else(|| panic!("{key} in {line}"));
    let order = [
        "TimeStamp",
        "decoder",
        "action",
        "protocol",
        "srcip",
        "srcport",
        "srcuser",
        "dstip",
        "dstport",
        "dstuser",
        "location",
        "full_log",
        "SyscheckFile",
        "hostname",
        "program_name",
        "status",
        "url",
        "data",
        "systemname",
        "decoder_desc",
        "agent_name",
        "timestamp",
        "logfile",
        "guest",
    ];
    assert!(order.windows(2).all(|pair| position(pair[0]) < position(pair[1])), "{line}");
    assert!(line.contains(r#""decoder_desc":{"fts":576,"accumulate":1,"name":"allf"}"#), "{line}");
    assert!(line.contains(r#""SyscheckFile":{"path":"filename"}"#));
    assert_eq!(object(&case)["id"], "1795552640.7", "the decoded id is nowhere");
    let bare = Case::new("d", "x");
    assert!(self::line(&bare).contains(r#""decoder_desc":{},"#));
}

#[test]
fn a_dynamic_field_never_takes_a_name_of_ours() {
    let mut case = door();
    let names =
        ["request_id", "hostname", "rule", "id", "location", "guest", "events", "note", "fields", "note", "place"];
    case.decoder = Some(decode::Facts {
        name: "dyn".into(),
        order: names.iter().map(|name| Some((*name).into())).chain([None]).collect(),
        ..decode::Facts::default()
    });
    for at in 0..names.len() {
        let text = if at == 9 { String::new() } else { format!("v{at}") };
        case.decoded.fields.set_dynamic(at, Value::Owned(text.into_bytes().into()));
    }
    case.decoded.fields.set_dynamic(20, Value::Owned(b"no name".as_slice().into()));
    let object = object(&case);
    assert_eq!(object["request_id"], "v0");
    assert_eq!(object["note"], "", "of two with one name the later one counts");
    assert_eq!(object["guest"], "web1");
    assert_eq!(
        object["fields"],
        serde_json::json!({"hostname":"v1","rule":"v2","id":"v3","location":"v4","guest":"v5","events":"v6","fields":"v8","place":"v10"})
    );
}

#[test]
fn locations_of_agents_and_of_forwarded_alerts() {
    let mut case = door();
    case.decoded.forced_location = Some(b"(agent1) 192.0.2.50->/var/log/secure".as_slice().into());
    assert!(text(&case).contains("\n2026 Nov 24 20:37:20 (agent1) 192.0.2.50->/var/log/secure\nRule"));
    let object = object(&case);
    assert_eq!(object["hostname"], "(agent1) 192.0.2.50->/var/log/secure");
    assert_eq!(object["agent_name"], "agent1");
    assert_eq!(object["agentip"], "192.0.2.50");
    assert_eq!(object["logfile"], "/var/log/secure");

    case.decoded.forced_location = Some(b"gate|alpha->/l".as_slice().into());
    case.decoded.forced_log = Some(20..28);
    case.fired_times = 0;
    assert!(text(&case).contains("\n2026 Nov 24 20:37:20 gate|alpha->/l->gate|alpha->/l\n"));
    let object = self::object(&case);
    assert_eq!(object["full_log"], "doord[9]");
    assert!(object["rule"].get("firedtimes").is_none());

    for odd in ["(", "()", "(a", "(a) ", ") (", "(a) b", ">(", ""] {
        case.decoded.forced_location = Some(odd.as_bytes().into());
        self::object(&case);
        record(&case);
    }
}

#[test]
fn groups_are_split_and_policies_become_lists() {
    let rule = |groups: &str, log: &str| {
        let mut case = Case::new("d", log);
        case.rule.groups = groups.into();
        object(&case)["rule"].clone()
    };
    assert_eq!(rule("a,,b c,", "")["groups"], serde_json::json!(["a", "b c"]));
    let marked = rule("local,pci_dss_10.2.4,cis_2.1,extra,", "{X: 1}");
    assert_eq!(marked["groups"], serde_json::json!(["local", "extra"]));
    assert_eq!(marked["PCI_DSS"], serde_json::json!(["10.2.4"]));
    assert_eq!(marked["CIS"], serde_json::json!(["2.1"]));
    assert!(marked.get("X").is_none(), "marks count in rootcheck alerts only");

    let audit =
        rule("rootcheck,pci_dss_9", "a {PCI_DSS: 2.2.4,10.1} {CIS: 1.4 Debian Linux} {Empty: } {:} {: 1} {no} {a:b}");
    assert_eq!(audit["PCI_DSS"], serde_json::json!(["9", "2.2.4", "10.1"]));
    assert_eq!(audit["CIS"], serde_json::json!(["1.4 Debian Linux"]));
    assert_eq!(audit["Empty"], serde_json::json!([]));
    assert!(rule("rootchecks,", "{X: 1}").get("X").is_none());
    assert_eq!(rule("rootcheck,", "{level: 1} {groups: x}")["level"], 5);

    let long = format!("{{PCI_DSS: {}}}", "1.2, ".repeat(60));
    assert_eq!(rule("rootcheck,", &long)["PCI_DSS"].as_array().unwrap().len(), 60);
    let many: String = (0..90).map(|at| format!("{{W{at}: 1}}")).collect();
    assert_eq!(rule("rootcheck,", &many).as_object().unwrap().keys().filter(|k| k.starts_with('W')).count(), 32);
    let wide = rule(&"é,".repeat(600), "");
    assert!(!wide["groups"].as_array().unwrap().is_empty(), "the cut may fall within a character");
}

#[test]
fn hostile_bytes_make_a_valid_line() {
    let mut case = Case::new("d", "x").field(Field::DstUser, b"\"\\\xff\x1b[2J").field(Field::FileName, b"/tmp/\xc3\n");
    case.full = b"Nov 24 10:00:01 web d: \xff\xfe \xe2\x80\xa8 \x1b]0;x\x07 \0 \"\\".to_vec();
    case.header.log = 23..case.full.len();
    case.events = vec![Arc::from(&b"\xff"[..]), Arc::from(&b"\xf0\x9f"[..])];
    let object = object(&case);
    assert_eq!(object["dstuser"], "\"\\\u{FFFD}\u{1b}[2J");
    assert_eq!(object["events"], serde_json::json!(["\u{FFFD}", "\u{FFFD}"]));
    case.source.guest = None;
    assert_eq!(self::object(&case)["guest"], serde_json::Value::Null);
}

/// Not a benchmark, but the number can be seen with `--nocapture`; in release about one microsecond for both shapes.
#[test]
fn writing_reuses_its_buffer() {
    let case = door();
    let mut out = Vec::with_capacity(4_096);
    let held = out.as_ptr();
    let start = std::time::Instant::now();
    case.with(|verdict| {
        for _ in 0..10_000 {
            out.clear();
            ossec::write(&mut out, verdict, &case.meta);
            json::write(&mut out, verdict, &case.meta);
        }
    });
    println!("{:?} an alert", start.elapsed() / 10_000);
    assert_eq!(out.as_ptr(), held, "no allocation");
}
