//! How far our own rules come to the same answers as OSSEC's, on the recorded lines of `../shared/golden`. Ids, levels
//! and addresses are compared; our words are our own. The recordings are test input and no part of the project.

use super::own;
use hids::config::shipped;
use hids::correlate::{Firewall, Judge};
use hids::diag::Source;
use hids::rules;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arrival of `t` = 0 in the recordings.
const START: i64 = 1_709_726_400;

fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if path.join("golden/README.md").exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: the recordings in ../shared/golden are not there; our rules were not compared with OSSEC's answers"
    );
    None
}

fn our_ids() -> BTreeSet<u32> {
    let rules = shipped::rules().flat_map(|source| rules::doc::read(&source).0.groups).flat_map(|group| group.rules);
    rules.map(|rule| rule.element.attribute("id").unwrap().parse().unwrap()).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Object(coded) => data_encoding::BASE64.decode(coded["b64"].as_str().unwrap().as_bytes()).unwrap(),
        text => text.as_str().unwrap().as_bytes().to_vec(),
    }
}

fn rows(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.split('\n').filter(|row| !row.is_empty()).map(|row| serde_json::from_str(row).unwrap()).collect()
}

/// Lines of one recorded rule: all, those with the same id, those with the same level, those with the same address.
#[derive(Default)]
struct Tally {
    lines: usize,
    rule: usize,
    level: usize,
    srcip: usize,
}

#[test]
fn lines_that_ossec_gives_a_rule_of_ours() {
    let Some(shared) = shared() else { return };
    let (book, _) = own::book(&[]);
    let ours = our_ids();
    let mut judge = Judge::new(book, Firewall::Untouched);
    let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
    let mut surplus: BTreeMap<(u32, Option<u32>), usize> = BTreeMap::new();
    let show: Option<u32> = std::env::var("SHOW").ok().and_then(|id| id.parse().ok());
    for entry in std::fs::read_dir(shared.join("golden")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Mutants are broken on purpose and lines made from OSSEC's patterns test those patterns.
        if !name.starts_with("stock.") || name.contains("mutants") || name.contains("synth") {
            continue;
        }
        for row in rows(&path) {
            let log = bytes(&row["log"]);
            if log.len() < 2 {
                continue;
            }
            judge.forget();
            let got = own::judge(&mut judge, &log, START);
            let wanted = row["rule"].as_u64().map(|id| id as u32);
            let known = wanted.filter(|id| ours.contains(id));
            let level = row["level"].as_u64().unwrap_or(0);
            let srcip = row["fields"]["srcip"].as_str().unwrap_or_default();
            let our_srcip = got.fields.get("srcip").map_or("", String::as_str);
            if let Some(id) = known {
                let tally = tallies.entry(id).or_default();
                tally.lines += 1;
                tally.rule += usize::from(got.rule == wanted);
                tally.level += usize::from(u64::from(got.level) == level);
                tally.srcip += usize::from(srcip == our_srcip);
                if show == wanted && (got.rule != wanted || srcip != our_srcip) {
                    println!("{:?} {srcip} -> {got:?}\n  {}", wanted, String::from_utf8_lossy(&log));
                }
            } else if let Some(id) = got.rule.filter(|_| got.level > 0) {
                *surplus.entry((id, wanted)).or_default() += 1;
                if show == Some(id) {
                    println!("surplus {id} for {wanted:?} (level {level})\n  {}", String::from_utf8_lossy(&log));
                }
            }
        }
    }
    let mut sum = Tally::default();
    println!("  rule  lines    id  level  srcip");
    for (id, tally) in &tallies {
        println!("{id:6} {:6} {:5} {:6} {:6}", tally.lines, tally.rule, tally.level, tally.srcip);
        sum.lines += tally.lines;
        sum.rule += tally.rule;
        sum.level += tally.level;
        sum.srcip += tally.srcip;
    }
    println!("   all {:6} {:5} {:6} {:6}", sum.lines, sum.rule, sum.level, sum.srcip);
    println!("alerts of ours where OSSEC's answer is a rule that we do not ship:");
    for ((id, wanted), count) in surplus {
        println!("{id:6} for {wanted:?}: {count}");
    }
    assert!(sum.lines > 500, "only {} lines", sum.lines);
    assert!(sum.rule * 100 >= sum.lines * 98, "{} of {} lines end at the same rule", sum.rule, sum.lines);
}

/// The user's own file on top of our rules: sequences of the recordings that lead only to rules of ours or of that file.
#[test]
fn sequences_with_the_users_own_rules() {
    let Some(shared) = shared() else { return };
    let text = std::fs::read_to_string(shared.join("seed/local_rules.xml")).unwrap();
    let (book, told) = own::book(&[Source::new("local_rules.xml", text)]);
    for line in &told {
        println!("{line}");
    }
    assert!(!told.iter().any(|line| line.contains("error")), "the user's own file does not load on our rules");
    let mut ours = our_ids();
    ours.extend([100_201, 100_202, 100_301, 100_401, 100_402, 100_501, 100_601]);
    let mut sequences: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in rows(&shared.join("golden/stateful.user43.jsonl")) {
        sequences.entry(row["seq"].as_str().unwrap().to_owned()).or_default().push(row);
    }
    let (mut whole, mut all, mut lines, mut same_lines) = (0, 0, 0, 0);
    for (name, rows) in sequences {
        if !rows.iter().all(|row| row["rule"].as_u64().is_none_or(|id| ours.contains(&(id as u32)))) {
            continue;
        }
        let mut judge = Judge::new(Arc::clone(&book), Firewall::Untouched);
        all += 1;
        let mut same = true;
        for row in &rows {
            let got = own::judge(&mut judge, &bytes(&row["log"]), START + row["t"].as_i64().unwrap());
            lines += 1;
            let equal = got.rule.map(u64::from) == row["rule"].as_u64() && row["alert"].as_bool() == Some(got.alert);
            same_lines += usize::from(equal);
            if !equal && same {
                println!("{name}: {got:?}\n  {row}");
            }
            same &= equal;
        }
        whole += usize::from(same);
    }
    println!("{whole} of {all} sequences, {same_lines} of {lines} lines");
    assert!(all > 20, "only {all} sequences lead to rules of ours alone");
    assert!(same_lines * 100 >= lines * 99, "{same_lines} of {lines} lines end alike");
}
