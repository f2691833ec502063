use super::{ReplayOptions, replay};
use crate::correlate::fixture::book;
use crate::event::Stamp;
use serde_json::Value;
use std::io::BufRead;

const RULES: &str = "<group name=\"t,\"><rule id=\"100\" level=\"5\"><match>bad</match></rule>
    <rule id=\"101\" level=\"10\" frequency=\"0\" timeframe=\"60\"><if_matched_sid>100</if_matched_sid></rule></group>";

fn run(files: &[&'static str]) -> (Vec<(u64, String)>, super::Summary) {
    let named =
        files.iter().zip(1..).map(|(text, n)| (format!("/f{n}"), Box::new(text.as_bytes()) as Box<dyn BufRead>));
    let options = ReplayOptions { host: "homsrv".into(), now: Stamp::utc(1_709_726_400), ..Default::default() };
    let mut out = Vec::new();
    let summary = replay(book(RULES), named.collect(), &options, &mut out).unwrap();
    let alerts = out.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(|line| {
        let alert: Value = serde_json::from_slice(line).unwrap();
        (alert["rule"]["sidid"].as_u64().unwrap(), alert["location"].as_str().unwrap().to_owned())
    });
    (alerts.collect(), summary)
}

fn rules(files: &[&'static str]) -> Vec<u64> {
    run(files).0.into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn lines_are_judged_at_their_own_times() {
    let near = "Mar  6 11:00:00 h app: bad\nMar  6 11:01:00 h app: bad\n";
    assert_eq!(rules(&[near]), [100, 101]);
    let far = "Mar  6 11:00:00 h app: bad\nMar  6 11:01:01 h app: bad\n";
    assert_eq!(rules(&[far]), [100, 100]);
    let backwards = "Mar  6 11:10:00 h app: bad\nMar  6 11:00:00 h app: bad\n";
    assert_eq!(rules(&[backwards]), [100, 101], "never before the previous event");
    let future = "Mar  6 12:30:00 h app: bad\nMar  6 12:40:00 h app: bad\n";
    assert_eq!(rules(&[future]), [100, 101], "never after now");
    let bare = "Mar  6 11:00:00 h app: bad\nbad\nMar  6 11:01:01 h app: fine\n";
    assert_eq!(rules(&[bare]), [100, 101], "a line without a time has the previous one's");
}

#[test]
fn files_are_merged_by_time() {
    let one = "Mar  6 11:00:00 h app: bad\nMar  6 11:05:00 h app: bad\n";
    let two = "Mar  6 11:02:00 h app: bad\nMar  6 11:05:30 h app: bad\n";
    let (alerts, summary) = run(&[one, two]);
    let expected = [(100, "/f1"), (100, "/f2"), (100, "/f1"), (101, "/f2")];
    assert_eq!(alerts, expected.map(|(rule, file)| (rule, file.to_owned())));
    assert_eq!((summary.files, summary.events, summary.alerts), (2, 4, 4));
    assert_eq!(summary.bytes, (one.len() + two.len()) as u64);
    assert!(summary.to_string().starts_with("4 events of 2 files in "), "{summary}");
}
