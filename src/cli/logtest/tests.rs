use super::{LogtestOptions, logtest};
use crate::correlate::fixture::book;
use crate::event::Stamp;
use serde_json::{Value, json};
use std::io::ErrorKind;

const RULES: &str = "<group name=\"t,x,\"><rule id=\"100\" level=\"5\"><match>bad</match>
    <description>It is bad</description><info type=\"link\">http://a.example</info></rule>
    <rule id=\"101\" level=\"10\" frequency=\"0\" timeframe=\"60\"><if_matched_sid>100</if_matched_sid>
    <description>Twice</description></rule>
    <rule id=\"200\" level=\"12\" timeframe=\"60\"><if_matched_sid>100</if_matched_sid><global_frequency/>
    <description>Anywhere</description></rule></group>";

fn run(input: &[u8], options: LogtestOptions) -> String {
    let options = LogtestOptions { host: "homsrv".into(), now: Stamp::utc(1_709_726_400), ..options };
    let mut out = Vec::new();
    logtest(book(RULES), input, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn objects(input: &str, options: LogtestOptions) -> Vec<Value> {
    let options = LogtestOptions { json: true, ..options };
    run(input.as_bytes(), options).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The sample of spec/logtest.md 9.2, with decoders and rules of our own.
#[test]
fn ossecs_phases() {
    let out = run(b"Mar  6 12:00:00 web app[1]: bad ip=10.0.0.1 du=\nx\nplain\n", LogtestOptions::default());
    assert_eq!(
        out,
        "\n\n**Phase 1: Completed pre-decoding.
       full event: 'Mar  6 12:00:00 web app[1]: bad ip=10.0.0.1 du='
       hostname: 'web'
       program_name: 'app'
       log: 'bad ip=10.0.0.1 du='

**Phase 2: Completed decoding.
       srcip: '10.0.0.1'
       dstuser: ''
       decoder: 'app'

**Phase 3: Completed filtering (rules).
       Rule id: '100'
       Level: '5'
       Description: 'It is bad'
       Info - Link: 'http://a.example'
**Alert to be generated.


\n
**Phase 1: Completed pre-decoding.
       full event: 'plain'
       hostname: 'homsrv'
       program_name: '(null)'
       log: 'plain'

**Phase 2: Completed decoding.
       No decoder matched.
       decoder: '(null)'
"
    );
}

#[test]
fn one_object_a_line() {
    let found = objects("Mar  6 12:00:00 web app[1]: bad ip=10.0.0.1\n\nplain", LogtestOptions::default());
    assert_eq!(
        found,
        [
            json!({"log":"Mar  6 12:00:00 web app[1]: bad ip=10.0.0.1","timestamp":"Mar  6 12:00:00","hostname":"web",
            "program_name":"app","decoder":"app","fields":{"srcip":"10.0.0.1"},"rule":100,"level":5,
            "description":"It is bad","groups":["t","x"],"alert":true}),
            json!({"log":"","timestamp":null,"hostname":null,"program_name":null,"decoder":null,"fields":{},"rule":null,
            "level":0,"description":null,"groups":[],"alert":false}),
            json!({"log":"plain","timestamp":null,"hostname":"homsrv","program_name":null,"decoder":null,"fields":{},
            "rule":null,"level":0,"description":null,"groups":[],"alert":false}),
        ]
    );
    let keys: Vec<&String> = found[0].as_object().unwrap().keys().collect();
    let order = "log timestamp hostname program_name decoder fields rule level description groups alert";
    assert_eq!(keys, order.split(' ').collect::<Vec<_>>());
}

fn rules(found: &[Value]) -> Vec<u64> {
    found.iter().map(|object| object["rule"].as_u64().unwrap_or(0)).collect()
}

#[test]
fn history_or_none() {
    let lines = "bad\nbad\nbad\n";
    let found = objects(lines, LogtestOptions::default());
    assert_eq!(rules(&found), [100, 101, 100]);
    let fresh = objects(lines, LogtestOptions { fresh: true, ..Default::default() });
    assert_eq!(rules(&fresh), [100, 100, 100]);
}

#[test]
fn records_with_time_sequence_and_guest() {
    let records = LogtestOptions { records: true, ..Default::default() };
    let input = r#"{"log":"bad","t":0,"seq":"a","guest":"web"}
        {"log":{"b64":"YmFk"},"t":60,"seq":"a","guest":"web"}
        {"log":"bad","t":130,"seq":"a","guest":"web"}
        {"log":"bad","t":131,"seq":"a","guest":"db"}
        {"log":"bad","t":132,"seq":"b"}"#;
    let found = objects(input, records.clone());
    assert_eq!(rules(&found), [100, 101, 100, 100, 100]);
    let hosts: Vec<&str> = found.iter().map(|object| object["hostname"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["web", "web", "web", "db", "homsrv"]);
    let beyond: Vec<u64> = found.iter().map(|object| object["commons"]["rule"].as_u64().unwrap_or(0)).collect();
    assert_eq!(beyond, [0, 200, 0, 200, 0], "over guests, web's event a second ago and db's are two");
    for (wrong, why) in [
        ("bad", "line 2: not a JSON object"),
        ("[]", "line 2: not a JSON object"),
        ("{}", "line 2: a record without log"),
        (r#"{"log":5}"#, "line 2: log is neither"),
        (r#"{"log":{"b64":"?"}}"#, "line 2: log is no base64"),
        (r#"{"log":"a","t":"x"}"#, "line 2: t is no number"),
        (r#"{"log":"a","guest":1}"#, "line 2: guest is no text"),
    ] {
        let input = format!("{{\"log\":\"fine\"}}\n{wrong}\n");
        let error = logtest(book(RULES), input.as_bytes(), &records, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().starts_with(why), "{error}");
    }
}

#[test]
fn bytes_that_are_no_text() {
    let options = LogtestOptions { json: true, ..Default::default() };
    let out = run(b"bad \xFF\n", options);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["log"], "bad \u{FFFD}");
}

#[test]
fn it_says_why() {
    let out = run(b"bad\nbad\n", LogtestOptions { explain: true, ..Default::default() });
    assert!(out.contains("reached through the rules 1 > 100 > 101"), "{out}");
    assert!(out.contains("it fires on the 2nd event of rule 100 within 60 s"), "{out}");
}
