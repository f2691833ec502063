//! `hids pattern`: one pattern tried on each line, as `ossec-regex` does.

use super::args::{PatternArgs, PatternLanguage};
use super::{Exit, input};
use crate::pattern::{Captures, Language, Pattern, Subject};
use serde_json::json;
use std::io::{BufRead, ErrorKind, Write};

/// Tries the pattern on each line. The exit code is 1 where the pattern does not compile.
pub fn run(args: &PatternArgs) -> Exit {
    let language = match args.language {
        PatternLanguage::OsMatch => Language::OsMatch,
        PatternLanguage::OsRegex => Language::OsRegex,
        PatternLanguage::Pcre2 => Language::Pcre2,
    };
    let pattern = match Pattern::compile(language, &args.pattern) {
        Ok(pattern) => pattern,
        Err(error) => {
            let source = crate::diag::Source::new("pattern", args.pattern.as_str());
            let at = error.offset().unwrap_or(0);
            let span = crate::diag::Span::new(at, args.pattern.len());
            eprintln!("{}", crate::diag::Diagnostic::error(&source, span, error.message()));
            return Exit::No;
        }
    };
    let mut out = std::io::stdout().lock();
    let mut captures = Captures::new();
    let lines = match input::open(args.file.as_deref()) {
        Ok(lines) => lines,
        Err(exit) => return exit,
    };
    for line in lines.split(b'\n') {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                eprintln!("hids: the lines cannot be read on: {error}");
                return Exit::Io;
            }
        };
        captures.clear();
        let matched = pattern.captures(Subject::new(&line), &mut captures).is_some();
        let text = String::from_utf8_lossy(&line);
        let groups: Vec<_> =
            captures.iter().map(|span| String::from_utf8_lossy(&line[span.clone()]).into_owned()).collect();
        let written = if args.json {
            let answer = json!({"line": text, "match": matched, "captures": groups});
            writeln!(out, "{answer}")
        } else if matched {
            let shown: Vec<String> = groups.iter().map(|group| format!("  {}", super::print::escape(group))).collect();
            writeln!(out, "+ {}", super::print::escape(&text))
                .and_then(|()| shown.iter().try_for_each(|group| writeln!(out, "{group}")))
        } else {
            writeln!(out, "- {}", super::print::escape(&text))
        };
        match written {
            Ok(()) => {}
            // Whoever read has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Exit::Done,
            Err(error) => {
                eprintln!("hids: {error}");
                return Exit::Io;
            }
        }
    }
    Exit::Done
}
