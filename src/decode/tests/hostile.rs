//! Whatever stands in a line, decoding ends, and every span lies in the line.

use super::*;

const DECODERS: &str = r#"
<decoder name="app"><program_name>^app|^su$</program_name></decoder>
<decoder name="app-a"><parent>app</parent><prematch>^a </prematch>
  <regex offset="after_prematch">^(\S+) (\d+)|(\w+)$</regex><order>id, color, srcip</order></decoder>
<decoder name="app-a"><parent>app</parent><regex offset="after_regex">(\S+)</regex><order>size, url, shape</order></decoder>
<decoder name="app-b"><parent>app</parent><pcre2 offset="after_parent">b(?:=(\S*))? (.*)</pcre2><order>user, data</order></decoder>
<decoder name="any"><program_name></program_name><prematch>^any</prematch></decoder>
<decoder name="pf"><program_name>^pf$</program_name><plugin_decoder>PF_Decoder</plugin_decoder></decoder>
<decoder name="relay"><program_name>^ossec$</program_name><plugin_decoder>OSSECAlert_Decoder</plugin_decoder></decoder>
<decoder name="sonic"><prematch>^id=firewall </prematch><plugin_decoder>SonicWall_Decoder</plugin_decoder></decoder>
<decoder name="symws"><prematch>^\d\d\d\d\d\d\d\d,</prematch><plugin_decoder>SymantecWS_Decoder</plugin_decoder></decoder>
<decoder name="rest"><prematch>(\d+) </prematch><regex offset="after_prematch">^(\.+)</regex><order>any filename</order></decoder>"#;

const LINES: &[&str] = &[
    "Dec 29 10:00:01 h app[12]: a one 2 three",
    "Dec 29 10:00:01 h app: a one",
    "Dec 29 10:00:01 h app: b=user data é",
    "Dec 29 10:00:01 h auth|security:info su: b=x y",
    "Mar  6 12:00:00 h pf: rule 2/(match) pass in on xl0: 10.1.1.1.6667 > 10.1.2.2.80: P 1:2(1)",
    "Mar  6 12:00:00 h ossec: Alert Level: 9; Rule: 101 - text; Location: a->b; srcip: 10.0.0.1; user: bob;  x",
    "id=firewall pri=6 c=1 m=97 src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN proto=tcp/80 result=404 dstname=w arg=/a/b",
    "20070717,73613,1=5,11=10.1.1.3,60=u,10=userc,3=1,2=1",
    "12 rest of it",
    "any",
    "",
];

#[test]
fn no_bytes_make_decoding_panic() {
    let decoders = good(DECODERS);
    let mut bench = Bench::default();
    let mut accumulator = Accumulator::default();
    let mut key = Vec::new();
    let mut seed = 0xD1B5_4A32_D192_ED03_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for round in 0..60_000 {
        let mut line = if round % 8 == 0 {
            (0..random(120)).map(|_| random(256) as u8).collect()
        } else {
            LINES[random(LINES.len())].as_bytes().to_vec()
        };
        for _ in 0..random(5) {
            let at = random(line.len() + 1);
            match random(5) {
                0 if at < line.len() => line[at] = b" ;:,.=()[]\xFF\xC3"[random(12)],
                1 => line.truncate(at),
                2 if at < line.len() => drop(line.remove(at)),
                3 => line.splice(at..at, LINES[random(LINES.len())].bytes()).for_each(drop),
                _ => line.insert(at, random(256) as u8),
            }
        }
        let mut answer = bench.decode(&decoders, &line);
        let full = answer.full.clone();
        for (_, text) in answer.decoded.fields.iter(&full) {
            assert!(text.len() <= full.len());
        }
        if let Some(log) = &answer.decoded.forced_log {
            assert!(full.get(log.clone()).is_some());
        }
        let source = source();
        let header = header::parse(&full);
        let event = Event { full: &full, header, own_host: "own", source: &source, time: Stamp::utc(round / 100) };
        if let Some(decoder) = answer.decoded.decoder {
            let facts = decoders.facts(decoder);
            accumulator.apply(&event, &mut answer.decoded, facts);
            fts::key(&event, &answer.decoded, facts, &mut key);
        }
        let _ = firewall::judge(&full, &mut answer.decoded);
    }
}

#[test]
fn invented_program_names_do_not_pile_up() {
    let decoders = good(DECODERS);
    let mut bench = Bench::default();
    for n in 0..5_000 {
        let answer = bench.decode(&decoders, format!("Dec 29 10:00:01 h app{n}: a x 1").as_bytes());
        assert_eq!(answer.name.as_deref(), Some("app"));
    }
    assert!(bench.scratch.remembered() <= 256);
}

#[test]
fn a_reload_is_not_answered_from_memory_of_the_old_set() {
    let (old, new) = (good(DECODERS), good(&DECODERS.replace("^app|^su$", "^other$")));
    let mut bench = Bench::default();
    let line = b"Dec 29 10:00:01 h app: b=user data";
    assert_eq!(bench.decode(&old, line).name.as_deref(), Some("app"));
    assert_eq!(bench.decode(&new, line).name, None);
    assert_eq!(bench.decode(&old, line).name.as_deref(), Some("app"));
}
