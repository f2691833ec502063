//! `hids check`: everything that is wrong with configuration, decoders and rules, at once.

use super::Exit;
use crate::config::{self, Loaded, Places};
use crate::diag::{Diagnostic, Severity};
use serde_json::json;

/// Prints all findings, then what is not done yet, then a summary. 78: the configuration is wrong; 1: a decoder, a rule
/// or a list is wrong and left out; 0: only warnings, or nothing.
pub fn run(places: &Places, as_json: bool) -> Exit {
    let loaded = config::load(places);
    if as_json {
        let findings: Vec<_> = loaded.findings().map(finding).collect();
        match serde_json::to_string_pretty(&findings) {
            Ok(text) => println!("{text}"),
            Err(_) => return Exit::Software,
        }
    } else {
        for finding in loaded.findings() {
            println!("{finding}\n");
        }
        tell(places, &loaded);
    }
    if loaded.configuration.has_errors() {
        Exit::Config
    } else if loaded.judgement.has_errors() {
        Exit::No
    } else {
        Exit::Done
    }
}

fn tell(places: &Places, loaded: &Loaded) {
    let (errors, warnings) = (loaded.count(Severity::Error), loaded.count(Severity::Warning));
    let Some(config) = &loaded.config else {
        println!(
            "{}: {errors} errors, {warnings} warnings: hids run would not start",
            places.configuration().display()
        );
        return;
    };
    if !config.later.is_empty() {
        println!("This configuration asks for what hids does not do yet:");
        config.later.iter().for_each(|what| println!("  - {what}"));
        println!();
    }
    if places.base().is_some() && !config.collection.one_history {
        println!(
            "Each guest is judged on its own. OSSEC has one history for all logs together; for that say\n\
             <guests><correlation>all</correlation></guests>\n"
        );
    }
    let name = if config.embedded {
        "the embedded configuration".into()
    } else {
        places.configuration().display().to_string()
    };
    println!(
        "{name}: {errors} errors, {warnings} warnings; {} decoders, {} rules, {} locations, {} responses, {} gateways",
        config.book.decoders.names().count(),
        config.book.rules.len(),
        config.collection.files.len(),
        config.respond.responses.iter().filter(|response| !response.disabled).count(),
        config.respond.gateways.len(),
    );
}

/// A finding as `--json` shows it.
fn finding(diagnostic: &Diagnostic) -> serde_json::Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = diagnostic.place.as_ref().map(|(source, span)| (source.name.as_str(), source.position(span.start)));
    json!({
        "severity": severity,
        "message": diagnostic.message,
        "file": place.map(|(file, _)| file),
        "line": place.map(|(_, (line, _))| line),
        "column": place.map(|(_, (_, column))| column),
        "help": diagnostic.help,
    })
}
