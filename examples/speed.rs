use hids::cli::replay::{ReplayOptions, replay};
use hids::correlate::*;
use hids::decode::{self, Decoders};
use hids::diag::Source;
use hids::event::{self, Event, Origin, Stamp, header};
use hids::rules::{self, Lists, RuleSet};
use hids::xml;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
fn src(p: &Path) -> Arc<Source> {
    Source::new(p.display().to_string(), String::from_utf8_lossy(&std::fs::read(p).unwrap()))
}
fn cpu() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}
fn main() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = shared.join("ossec-ruleset");
    let (roots, _) = xml::parse(&src(&shared.join("golden/conf/stock.conf")));
    let names: Vec<String> = roots
        .iter()
        .flat_map(|r| &r.children)
        .filter(|s| s.name == "rules")
        .flat_map(|s| &s.children)
        .filter(|c| c.name == "include")
        .map(|e| e.text.clone())
        .collect();
    let t = Instant::now();
    let (docs, _) = decode::doc::read(&src(&folder.join("decoder.xml")));
    let (decoders, _) = Decoders::compile(docs, 256);
    let files = names.iter().map(|n| rules::doc::read(&src(&folder.join("rules").join(n))).0).collect();
    let (rules, found) = RuleSet::compile(files, &decoders, &Default::default(), Lists::default());
    eprintln!("compile {:?}, {} warnings", t.elapsed(), found.iter().count());
    if std::env::var_os("WARN").is_some() {
        for d in found.iter() {
            eprintln!("{d}");
        }
    }
    let book = Arc::new(Book { decoders, rules, options: Default::default() });
    let text = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|l| l.len() > 1).collect();
    let source =
        event::Source { guest: None, path: "x".into(), location: "x".into(), label: "x".into(), origin: Origin::Log };
    for _ in 0..3 {
        let c = cpu();
        let mut n = 0usize;
        let mut buf = Vec::new();
        for l in &lines {
            let full = header::clean(l, &mut buf);
            let h = header::parse(full);
            n += h.log.start;
        }
        eprintln!("header  {:.0} ns/line ({n})", (cpu() - c) * 1e9 / lines.len() as f64);
        let mut scratch = decode::Scratch::default();
        let mut decoded = decode::Decoded::default();
        let c = cpu();
        for l in &lines {
            let full = header::clean(l, &mut buf);
            let event =
                Event { full, header: header::parse(full), own_host: "h", source: &source, time: Stamp::utc(0) };
            book.decoders.decode(&event, &mut scratch, &mut decoded);
            n += decoded.decoder.is_some() as usize;
        }
        eprintln!("+decode {:.0} ns/line ({n})", (cpu() - c) * 1e9 / lines.len() as f64);
        let mut judge = Judge::new(Arc::clone(&book), Firewall::Daemon);
        let c = cpu();
        let (mut a, mut r) = (0, 0);
        for (i, l) in lines.iter().enumerate() {
            let j = judge.weigh(l, &source, "h", Stamp::utc(1_709_726_401 + i as i64 / 40));
            if let Some(v) = j.verdict() {
                r += 1;
                a += v.alert as usize;
            }
        }
        let t = cpu() - c;
        eprintln!(
            "judge   {:.0} ns/line = {:.0} lines/s; {r} rules, {a} alerts, kept {:?}",
            t * 1e9 / lines.len() as f64,
            lines.len() as f64 / t,
            judge.size()
        );
    }
    let options = ReplayOptions { host: "h".into(), now: Stamp::utc(1_800_000_000), ..Default::default() };
    let file: Box<dyn std::io::BufRead> = Box::new(std::io::Cursor::new(text));
    let summary = replay(book, vec![("/x".into(), file)], &options, &mut std::io::sink()).unwrap();
    eprintln!("{summary}");
}
