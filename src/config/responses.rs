//! `<command>`, `<active-response>`, `<gateway>`, `<limits>` and the white list, turned into what responses need.

use super::doc::{Document, Item, Part, last};
use super::places::Places;
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use crate::pattern::{Language, Pattern};
use crate::respond::config::{
    Backend, Config, GATEWAY_PROGRAM, Gateway, Limits, Overrides, Response, ResponseLog, Switch, Transport,
};
use crate::respond::white::WhiteList;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One `<command>`.
struct Command {
    name: String,
    executable: String,
    expect_srcip: bool,
    timeout_allowed: bool,
}

/// What the configuration says about responses, and what it asks for that is not done yet (names of programs).
pub fn read(document: &Document, source: &Arc<Source>, places: &Places) -> (Config, Vec<String>, Diagnostics) {
    let mut reader = Reader { source, found: Diagnostics::default(), commands: Vec::new() };
    let mut config = Config {
        limits: limits(document),
        guests_respond: Switch(document.last("guests", "respond").is_none_or(Item::is_yes)),
        log: Some(ResponseLog {
            path: places.responses_log(),
            program: places.scripts().join(GATEWAY_PROGRAM).display().to_string(),
        }),
        ..Config::default()
    };
    for part in &document.parts {
        match part.name {
            "command" => reader.command(part),
            "active-response" => config.responses.extend(reader.response(part)),
            "gateway" => config.gateways.extend(reader.gateway(part)),
            "guests" => config.guests.extend(part.all("guest").filter_map(overrides)),
            _ => {}
        }
    }
    let white: Vec<&Item> =
        document.sections("global").flat_map(|part| &part.items).filter(|i| i.name.ends_with("_list")).collect();
    let white = white.iter().filter(|item| matches!(item.name, "white_list" | "allow_list"));
    config.white_list = white.clone().map(|item| item.text.clone()).collect();
    let cited = white.map(|item| (item.text.as_str(), Some((Arc::clone(source), item.span))));
    reader.found.append(WhiteList::read(cited).1);
    for problem in config.problems() {
        let span = document.sections("gateway").next().map_or(Span::default(), |part| part.span);
        reader.found.push(Diagnostic::error(source, span, problem));
    }
    let left_out = config.left_out().iter().map(|response| response.executable.clone()).collect();
    (config, left_out, reader.found)
}

fn limits(document: &Document) -> Limits {
    let number = |name, default| document.last("limits", name).map_or(default, |item| item.number() as u32);
    let default = Limits::default();
    Limits {
        blocks_per_minute: number("blocks_per_minute", default.blocks_per_minute),
        blocks_live: number("blocks_live", default.blocks_live),
        blocks_live_total: number("blocks_live_total", default.blocks_live_total),
    }
}

/// The overrides for one guest, under its name.
fn overrides(guest: &Item) -> Option<(String, Overrides)> {
    let name = guest.element.attribute("name")?;
    let limits = last(&guest.inner, "limits").map(|item| item.inner.as_slice()).unwrap_or_default();
    let number = |name| last(limits, name).map(|item: &Item| item.number() as u32);
    let overrides = Overrides {
        respond: last(&guest.inner, "respond").map(Item::is_yes),
        dry_run: last(&guest.inner, "dry_run").map(Item::is_yes),
        blocks_per_minute: number("blocks_per_minute"),
        blocks_live: number("blocks_live"),
    };
    Some((name.to_owned(), overrides))
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    found: Diagnostics,
    commands: Vec<Command>,
}

impl Reader<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.found.push(Diagnostic::error(self.source, span, message).help(help));
    }

    fn command(&mut self, part: &Part) {
        let text = |name| part.last(name).map(|item| item.text.clone());
        let (Some(name), Some(executable), Some(expect)) = (text("name"), text("executable"), text("expect")) else {
            let help = "a command needs <name>, <executable> and <expect> (which may be empty)";
            return self.error(part.span, "an incomplete <command>", help);
        };
        if executable.contains("/..") || executable.contains('/') {
            let message = format!("<executable> {executable:?} is a path");
            return self.error(
                part.span,
                message,
                "it takes the plain name of a program in the folder of response scripts",
            );
        }
        let expect_srcip = expect.split([',', ' ']).any(|word| word == "srcip");
        let timeout_allowed = part.last("timeout_allowed").is_some_and(Item::is_yes);
        self.commands.push(Command { name, executable, expect_srcip, timeout_allowed });
    }

    fn response(&mut self, part: &Part) -> Option<Response> {
        // A section that is switched off, or that holds only <repeated_offenders>, needs nothing else.
        let off = part.last("disabled").is_some_and(Item::is_yes);
        if off || part.items.iter().all(|item| item.name == "repeated_offenders") {
            return None;
        }
        let Some(command) = part.last("command") else {
            self.error(part.span, "an <active-response> without <command>", "name a <command> that stands above it");
            return None;
        };
        self.location(part);
        let Some(known) = self.commands.iter().find(|known| known.name == command.text) else {
            let message = format!("no <command> above is called {:?}", command.text);
            let names: Vec<&str> = self.commands.iter().map(|known| known.name.as_str()).collect();
            let help = format!("the commands above: {}", names.join(", "));
            self.error(command.span, message, &help);
            return None;
        };
        let (executable, expect_srcip, may_end) = (known.executable.clone(), known.expect_srcip, known.timeout_allowed);
        let timeout = self.timeout(part, may_end)?;
        let rules_id = part.last("rules_id").map(|item| self.rule_ids(item)).unwrap_or_default();
        let rules_group = part.last("rules_group").and_then(|item| self.group(item));
        let level = part.last("level").map(|item| item.number() as u32);
        if level.is_none() && rules_id.is_empty() && part.last("rules_group").is_none() {
            let warning = "this <active-response> names no level, rules_id or rules_group: it never runs";
            self.found.push(Diagnostic::warning(self.source, part.span, warning));
        }
        Some(Response {
            command: command.text.clone(),
            executable,
            expect_srcip,
            level,
            rules_id,
            rules_group,
            timeout,
            disabled: off,
        })
    }

    fn location(&mut self, part: &Part) {
        const KNOWN: [&str; 8] =
            ["local", "server", "analysisd", "AS", "analysis-server", "defined-agent", "all", "any"];
        match part.last("location") {
            None => self.error(part.span, "an <active-response> without <location>", "hids runs it here: say local"),
            Some(item) if !KNOWN.iter().any(|word| item.text.contains(word)) => {
                let message = format!("<location> says {:?}", item.text);
                self.error(item.span, message, "it takes local, server or all (all run here)");
            }
            Some(item) if item.text.contains("defined-agent") => {
                let warning = "there are no agents: this <active-response> runs here";
                self.found.push(Diagnostic::warning(self.source, item.span, warning));
            }
            Some(_) => {}
        }
    }

    /// The leading digits count, as OSSEC reads them; anything behind them is told.
    fn timeout(&mut self, part: &Part, may_end: bool) -> Option<Duration> {
        let Some(item) = part.last("timeout") else { return Some(Duration::ZERO) };
        let digits: String = item.text.chars().take_while(char::is_ascii_digit).collect();
        if digits.len() != item.text.len() {
            let warning = format!("<timeout> {:?} is read as {} seconds", item.text, digits.parse().unwrap_or(0u64));
            self.found.push(Diagnostic::warning(self.source, item.span, warning).help("write seconds, digits only"));
        }
        let seconds = digits.parse().unwrap_or(0);
        if seconds != 0 && !may_end {
            let message = "the command does not allow a timeout";
            self.error(item.span, message, "say <timeout_allowed>yes</timeout_allowed> in its <command>");
            return None;
        }
        Some(Duration::from_secs(seconds))
    }

    /// Numbers between commas; OSSEC stops at the first other character, hids says so.
    fn rule_ids(&mut self, item: &Item) -> Vec<u32> {
        let mut ids = Vec::new();
        for word in item.text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(id) => ids.push(id),
                Err(_) => {
                    let message = format!("<rules_id> names {word:?}");
                    self.error(item.span, message, "it takes rule ids, separated by commas");
                }
            }
        }
        ids
    }

    fn group(&mut self, item: &Item) -> Option<Pattern> {
        match Pattern::compile(Language::OsRegex, &item.text) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.error(item.span, format!("<rules_group>: {error}"), "it is an os_regex on the rule's group text");
                None
            }
        }
    }

    fn gateway(&mut self, part: &Part) -> Option<Gateway> {
        let text = |name| part.last(name).map(|item| item.text.clone());
        let transport = match part.last("transport").map(|item| item.text.as_str()) {
            Some("ssh") => match text("address") {
                Some(address) => Transport::Ssh {
                    address,
                    port: part.last("port").map(|item| item.number() as u16),
                    identity_file: text("identity_file").map(PathBuf::from),
                    known_hosts: text("known_hosts").map(PathBuf::from),
                },
                None => {
                    self.error(part.span, "a <gateway> by ssh without <address>", "name it as USER@HOST");
                    return None;
                }
            },
            Some("local") => Transport::Local,
            Some(_) => match text("guest") {
                Some(guest) => Transport::Nsenter { guest },
                None => {
                    self.error(part.span, "a <gateway> by nsenter without <guest>", "name the gateway guest");
                    return None;
                }
            },
            None => {
                self.error(part.span, "a <gateway> without <transport>", "it is nsenter, ssh or local");
                return None;
            }
        };
        let name = match &transport {
            Transport::Nsenter { guest } => guest.clone(),
            Transport::Ssh { address, .. } => address.clone(),
            Transport::Local => "local".to_owned(),
        };
        let yes = |name| part.last(name).is_some_and(Item::is_yes);
        Some(Gateway {
            name,
            transport,
            set_v4: text("set_v4"),
            set_v6: text("set_v6"),
            backend: match part.last("backend").map(|item| item.text.as_str()) {
                Some("nftables") => Backend::Nftables,
                _ => Backend::Ipset,
            },
            dry_run: yes("dry_run"),
            create_sets: yes("create_sets"),
            ipv6_prefix: part.last("ipv6_prefix").map_or(128, |item| item.number() as u8),
            cut_established: yes("cut_established"),
        })
    }
}
