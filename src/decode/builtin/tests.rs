//! The plug-ins, against what OSSEC 4.3.0 answered (spec/decoders.md 13).

use super::SonicWall;
use crate::decode::tests::{Answer, decode, good};
use crate::decode::{Category, Decoders};

fn decoders() -> Decoders {
    good(
        r#"<decoder name="pf"><program_name>^pf$</program_name><plugin_decoder>PF_Decoder</plugin_decoder><type>firewall</type></decoder>
           <decoder name="relay"><program_name>^ossec$</program_name><plugin_decoder>OSSECAlert_Decoder</plugin_decoder></decoder>
           <decoder name="sonic"><prematch>^id=firewall </prematch><plugin_decoder>SonicWall_Decoder</plugin_decoder></decoder>
           <decoder name="symws"><prematch>^\d\d\d\d\d\d\d\d,</prematch><plugin_decoder>SymantecWS_Decoder</plugin_decoder></decoder>"#,
    )
}

fn table(prefix: &str, rows: &[(&str, &str)]) {
    let decoders = decoders();
    for (text, fields) in rows {
        assert_eq!(decode(&decoders, &format!("{prefix}{text}")).fields(), *fields, "{text}");
    }
}

#[test]
fn packet_filter() {
    table(
        "Mar  6 12:00:00 h pf: ",
        &[
            (
                "rule 2/(match) pass in on xl0: 10.1.1.1.6667 > 10.1.2.2.80: P 1:2(1)",
                "action=pass dstip=10.1.2.2 dstport=80 proto=TCP srcip=10.1.1.1 srcport=6667",
            ),
            (
                "rule 2/(match) block in on xl0: 10.1.1.1 > 10.1.2.2: icmp: echo",
                "action=block dstip=10.1.2.2 proto=ICMP srcip=10.1.1.1",
            ),
            (
                "rule 2/(match) block in on xl0: 10.1.1.1 > 10.1.2.2.80:udp 1",
                "action=block dstip=10.1.2.2 dstport=80 proto=UDP srcip=10.1.1.1",
            ),
            (
                "rule 2/(match) block in on xl0: 10.1.1.1.6667 < 10.1.2.2.80: x",
                "action=block srcip=10.1.1.1 srcport=6667",
            ),
            ("rule 2/(match) block in on xl0: 10.1.1.1.6667 > 10.1.2.2.80", "action=block srcip=10.1.1.1 srcport=6667"),
            ("rule 2/(match) block in on xl0: 10.1.1.1.6667", "action=block"),
            ("rule 2/(match) block in on xl0:10.1.1.1.6667 > 10.1.2.2.80: x", "action=block"),
            ("rule 2/(match) drop in on xl0: 10.1.1.1.6667 > 10.1.2.2.80: x", ""),
            ("rule 2/(match)pass in on xl0: 10.1.1.1.6667 > 10.1.2.2.80: x", ""),
            ("rule 2/match pass", ""),
            (
                "rule 2/(match) p: a.b.c.d.x > 10.1.2.2.80: x",
                "action=pass dstip=10.1.2.2 dstport=80 proto=TCP srcip=a.b.c.d srcport=x",
            ),
            (
                "rule 2/(match) b: 2001:db8::1 > 10.1.2.2.80: x",
                "action=block dstip=10.1.2.2 dstport=80 proto=TCP srcip=2001:db8::1",
            ),
            ("(a) (b) block on: 10.1.1.1.1 > 10.1.2.2.80: x", ""),
            (
                "(m) block in on xl0: 10.1.1.1. > 10.1.2.2.80: x",
                "action=block dstip=10.1.2.2 dstport=80 proto=TCP srcip=10.1.1.1 srcport=",
            ),
            (
                "(m) block in on xl0: 10.1.1.1.5.x > 10.1.2.2.80.9: x",
                "action=block dstip=10.1.2.2 dstport=80.9 proto=TCP srcip=10.1.1.1 srcport=5.x",
            ),
        ],
    );
}

#[test]
fn symantec_web_security() {
    table(
        "20070717,",
        &[
            ("73613,1=5,11=10.1.1.3,10=userc,3=1,2=1", "dstuser=userc id=3=1,2=1 srcip=10.1.1.3"),
            (
                "73614,1=5,11=10.1.1.3,1106=News,60=http://news.x/,10=userc,1000=2,2=27",
                "dstuser=userc id=2=27 srcip=10.1.1.3 url=http://news.x/",
            ),
            ("2=27,10=userc,10=other,11=10.1.1.3,11=9.9.9.9", "dstuser=other id=2=27,10=u srcip=10.1.1.3"),
            ("3=1,2=1,10=userc", "id=3=1,2=1,1"),
            ("10=userc", "dstuser=userc"),
            ("10=,2=1", "dstuser= id=2=1"),
            (" 2=27,60=x", "url=x"),
            ("12=27,32=1", ""),
            ("110=userc,13=1", ""),
            ("2=", "id=2="),
        ],
    );
    let long = decode(&decoders(), &format!("20070717,10={},2=27", "u".repeat(200)));
    assert_eq!(long.text("dstuser").map(str::len), Some(128));
    assert_eq!(long.text("id"), Some("2=27"));
}

#[test]
fn sonicwall() {
    assert!(SonicWall::new().is_some());
    let decoders = decoders();
    let addresses = "dstip=1.1.1.1 dstport=50000";
    let source = "srcip=2.2.2.2 srcport=36701";
    for (text, category, fields) in [
        (
            "sn=0 pri=6 c=262144 m=98 msg=x n=2 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN proto=tcp/50000",
            Category::Firewall,
            format!("action=pass {addresses} id=98 proto=tcp {source} status=6"),
        ),
        (
            "sn=0 pri=1 c=32 m=98 msg=x src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN",
            Category::Ids,
            format!("{addresses} id=98 {source} status=1"),
        ),
        (
            "sn=0 pri=1 c=032 m=98 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN",
            Category::Firewall,
            format!("action=pass {addresses} id=98 {source} status=1"),
        ),
        (
            "sn=0 pri=1 c=1 m=38 n=1 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN",
            Category::Firewall,
            format!("action=drop {addresses} id=38 {source} status=1"),
        ),
        (
            "sn=0 pri=1 c=1 m=537 n=1 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN",
            Category::Firewall,
            format!("action=close {addresses} id=537 {source} status=1"),
        ),
        (
            "sn=0 xpri=1 c=1 m=99 n=1 Src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:",
            Category::Syslog,
            format!("{addresses} id=99 {source} status=1"),
        ),
        ("sn=0 pri=1 c=1 m=98", Category::Syslog, String::new()),
        ("sn=0 pri=10 c=32 m=30 x", Category::Syslog, String::new()),
        ("sn=0 pri=1  c=32 m=30 x", Category::Syslog, String::new()),
        ("sn=0 pri=1 c=32 m=30,x", Category::Syslog, String::new()),
        ("sn=0 pri=1 c=32 m=30 msg=x", Category::Syslog, "id=30 status=1".to_owned()),
        ("sn=0 pri=1 c=32 m=30 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000", Category::Syslog, "id=30 status=1".to_owned()),
        ("sn=0 pri=1 c=32 m=30 src=2.2.2.2:36701: dst=1.1.1.1:5:", Category::Syslog, "id=30 status=1".to_owned()),
        ("sn=0 pri=1 c=32 m=30 src=2.2.2.2:36701:X  dst=1.1.1.1:5:", Category::Syslog, "id=30 status=1".to_owned()),
        ("sn=0 pri=1 c=32 m=30 src=2.2.2.x:36701:X dst=1.1.1.1:5:", Category::Syslog, "id=30 status=1".to_owned()),
        ("sn=0 pri=1 c=32 m=30 src=2.2.2.2.2:36701:X dst=1.1.1.1:5:", Category::Syslog, "id=30 status=1".to_owned()),
        (
            "sn=0 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN pri=1 c=32 m=30 x",
            Category::Syslog,
            "id=30 status=1".to_owned(),
        ),
        (
            "pri=6 c=1 m=97 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN proto=tcp/80 op=GET result=404 dstname=www.x.org arg=/a/b",
            Category::Squid,
            format!("{addresses} id=404 proto=tcp {source} status=6 url=www.x.org/a/b"),
        ),
        (
            "pri=6 c=1 m=97 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN result=404 dstname=www.x.org arg=/a/b ",
            Category::Squid,
            format!("{addresses} id=97 {source} status=6"),
        ),
        (
            "pri=6 c=1 m=97 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WANresult=404 dstname=www.x.org arg=/a/b",
            Category::Squid,
            format!("{addresses} id=97 {source} status=6"),
        ),
    ] {
        let answer = decode(&decoders, &format!("id=firewall {text}"));
        assert_eq!((answer.category, answer.fields()), (category, fields), "{text}");
    }
}

/// The named rule, the location put together, the log that replaces the line, and the fields.
fn forwarded(answer: &Answer) -> Option<(u32, String, String, String)> {
    let rule = answer.decoded.forced_rule.expect("the plug-in always decides")?;
    let location = answer.decoded.forced_location.as_deref().expect("a location");
    let log = answer.decoded.forced_log.clone().expect("a log");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((rule, text(location), text(&answer.full[log]), answer.fields()))
}

#[test]
fn forwarded_alerts() {
    let decoders = decoders();
    let parse = |text: &str| forwarded(&decode(&decoders, &format!("Mar  6 12:00:00 h ossec: {text}")));
    let some = |rule: u32, place: &str, log: &str, fields: &str| {
        Some((rule, format!("stdin|{place}"), log.to_owned(), fields.to_owned()))
    };
    for (text, expected) in [
        ("Alert Level: 9; Rule: 101 - text; Location: a->b;  x y", some(101, "a->b", "x y", "")),
        (
            "Alert Level: 9; Rule: 101 - text; Location: a->b; srcip: 10.0.0.1; user: bob;  x",
            some(101, "a->b", "x", "dstuser=bob srcip=10.0.0.1"),
        ),
        ("Alert Level: 9; Rule: 101 - text; Location: a->b; srcip: 10.0.0.1; x", None),
        ("Alert Level: 9; Rule: 101 - text; Location: a->b;x", some(101, "a->b", "x", "")),
        ("Alert Level: 9; Rule: 101 - text; Location: a->b; x", None),
        ("Alert Level: 9; Rule: 101 - text; Location: a->b; x; y", None),
        ("Alert Level: 9; Rule: 101 - text; Location: a->b;", some(101, "a->b", "", "")),
        ("Alert Level: 9; Rule: 101 - text; Location: a->b; ", None),
        ("Alert Level: 9; Rule: 101 - text; Location: a->b", None),
        ("Alert Level: 9; Rule: 101 - text;  Location: a->b;  x", None),
        ("Alert Level: 9; Rule: 101 - text;Location: a->b;  x", None),
        ("Alert Level: 9; Rule:  101 - text; Location: a->b;  x", None),
        ("Alert Level: 9; Rule:101 - text; Location: a->b;  x", None),
        ("Alert Level: 9; Rule: 101; Location: a->b;  x", None),
        ("Alert Level: 9; Rule: 101 ; Location: ;  ", some(101, "", "", "")),
        ("Alert Level: 9; Rule: 0101 - t; Location: a;  x", None),
        ("Alert Level:x; any: 101 t; Location: a;  x", some(101, "a", "x", "")),
        ("Alert Level 9; Rule: 101 - t; Location: a;  x", None),
        ("alert Level: 9; Rule: 101 - t; Location: a;  x", None),
        ("ossec: Alert Level 9; Rule: 101 - t; Location: a;  x", some(101, "a", "x", "")),
        ("Alert Level: 9; Rule: 101 - t; Location: a; other: y;  x", some(101, "a", "x", "")),
        ("Alert Level: 9; Rule: 101 - t: u; Location: a;  x", some(101, "a", "x", "")),
        ("nothing like it", None),
    ] {
        assert_eq!(parse(text), expected, "{text}");
    }
    let long = parse(&format!("Alert Level: 9; Rule: 1 - t; Location: {};  {}", "l".repeat(400), "x".repeat(5_000)));
    let (_, location, log, _) = long.expect("parses");
    assert_eq!((location.len(), log.len()), (254, 4_094));
}
