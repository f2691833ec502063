//! The commands that ask the running daemon.

use super::Exit;
use super::args::{self, AlertFilter, AlertsCommand, BlocksCommand, GuestsCommand, SourcesCommand};
use super::print::{self, Table, escape};
use crate::alert::Filter;
use crate::config::Places;
use crate::control::api::{self, BlockFilter, BlockOrder, Effect, Question};
use crate::control::client::Told;
use crate::control::{Client, Error, Kind, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a question came to: a text to print, or how the command ends.
type Answer = Result<String, Exit>;

/// A table, or what to say in place of an empty one.
fn table(table: &Table, empty: &str) -> String {
    if table.is_empty() { empty.to_owned() } else { table.draw(print::colour()) }
}

fn client(places: &Places) -> Client {
    Client::new(places.socket())
}

/// Says what went wrong, with a next step, and how the command ends.
fn failed(error: &Error) -> Exit {
    eprintln!("hids: {}", escape(&error.to_string()));
    match error.kind() {
        Kind::NotRunning => {
            eprintln!("Start it with `hids run`; another installation is named with -D or -c.");
            Exit::NotRunning
        }
        Kind::NoPermission => {
            eprintln!("Ask as root, or as a member of the group hids.");
            Exit::Permission
        }
        _ => match error.exit_code() {
            1 => Exit::No,
            2 => Exit::Usage,
            69 => Exit::NotRunning,
            77 => Exit::Permission,
            78 => Exit::Config,
            _ => Exit::Io,
        },
    }
}

fn finish(answer: Answer) -> Exit {
    match answer {
        Ok(text) => match print::out(&text) {
            Ok(_) => Exit::Done,
            Err(_) => Exit::Io,
        },
        Err(exit) => exit,
    }
}

fn json<T: Serialize>(item: &T) -> Answer {
    serde_json::to_string_pretty(item).map(|text| text + "\n").map_err(|_| Exit::Software)
}

fn json_list<T: Serialize>(items: &[T]) -> Answer {
    print::json_items(items).map_err(|_| Exit::Software)
}

fn list<T: DeserializeOwned>(places: &Places, question: &Question) -> Result<Vec<T>, Exit> {
    client(places).list(question).map(|list| list.items).map_err(|error| failed(&error))
}

fn one<T: DeserializeOwned>(places: &Places, question: &Question) -> Result<T, Exit> {
    client(places).one(question).map_err(|error| failed(&error))
}

/// `hids status`.
pub fn status(places: &Places, as_json: bool) -> Exit {
    finish(one::<api::Status>(places, &Question::Status).and_then(|status| {
        if as_json { json(&status) } else { Ok(print::status(&status, Time::now(), print::colour())) }
    }))
}

/// `hids guests …`.
pub fn guests(places: &Places, command: &GuestsCommand) -> Exit {
    finish(match command {
        GuestsCommand::List { json } => list::<api::Guest>(places, &Question::Guests).and_then(|guests| {
            if *json {
                json_list(&guests)
            } else {
                Ok(table(&print::guests(&guests, Time::now()), "no guests: is <lxc_path> right? See `hids check`.\n"))
            }
        }),
        GuestsCommand::Show { name, json: as_json } => {
            one::<api::GuestDetail>(places, &Question::Guest { name: name.clone() }).and_then(|detail| {
                if *as_json { json(&detail) } else { Ok(print::guest(&detail, Time::now(), print::colour())) }
            })
        }
    })
}

/// `hids sources …`.
pub fn sources(places: &Places, command: &SourcesCommand) -> Exit {
    let SourcesCommand::List { guest, json } = command;
    finish(list::<api::Source>(places, &Question::Sources { guest: guest.clone() }).and_then(|sources| {
        if *json {
            json_list(&sources)
        } else {
            Ok(table(&print::sources(&sources, Time::now()), "nothing is followed\n"))
        }
    }))
}

/// `hids alerts …`.
pub fn alerts(places: &Places, command: &AlertsCommand) -> Exit {
    match command {
        AlertsCommand::List { filter, limit, json } => {
            let Some(filter) = meant(filter) else { return Exit::Usage };
            let question = Question::Alerts { filter, limit: *limit };
            finish(client(places).texts(&question).map_err(|error| failed(&error)).map(|mut found| {
                found.items.reverse();
                if *json {
                    return print::json_array(&found.items);
                }
                let alerts: Vec<_> = found.items.iter().filter_map(|line| api::brief(line)).collect();
                table(&print::alerts(&alerts), "no such alerts\n")
            }))
        }
        AlertsCommand::Follow { filter, json } => {
            let Some(filter) = meant(filter) else { return Exit::Usage };
            follow(places, &Question::Follow { filter }, *json)
        }
    }
}

fn follow(places: &Places, question: &Question, json: bool) -> Exit {
    let mut incoming = match client(places).ask(question) {
        Ok(incoming) => incoming,
        Err(error) => return failed(&error),
    };
    loop {
        let line = match incoming.next() {
            Ok(Told::Item(line)) if json => line + "\n",
            Ok(Told::Item(line)) => match api::brief(&line) {
                Some(alert) => print::alert_line(&alert, print::colour()),
                None => continue,
            },
            Ok(Told::Missed(count)) => {
                eprintln!("hids: {count} alerts passed too fast to be shown: see `hids alerts list`");
                continue;
            }
            Ok(Told::End { .. }) => return Exit::Done,
            Err(error) => return failed(&error),
        };
        match print::out(&line) {
            Ok(true) => {}
            Ok(false) => return Exit::Done,
            Err(_) => return Exit::Io,
        }
    }
}

/// The filter that was typed. What cannot be read is said on stderr.
fn meant(typed: &AlertFilter) -> Option<Filter> {
    let time = |text: &Option<String>| match text {
        None => Some(None),
        Some(text) => {
            let ago = args::duration(text).map(|ago| Time::now().0 - ago.as_secs() as i64);
            let read = ago.or_else(|| Time::parse(text).map(|time| time.0));
            if read.is_none() {
                eprintln!("hids: {text:?} is no time: write 10m, 2h or 3d for so long ago, or 2026-11-24T20:37:20Z");
            }
            read.map(Some)
        }
    };
    Some(Filter {
        guest: typed.guest.clone(),
        level: typed.level,
        rules: typed.rule.into_iter().collect(),
        group: typed.group.clone(),
        source: typed.source.clone(),
        address: typed.srcip.clone(),
        since: time(&typed.since)?,
        until: time(&typed.until)?,
    })
}

/// `hids blocks …`.
pub fn blocks(places: &Places, command: &BlocksCommand) -> Exit {
    match command {
        BlocksCommand::List { json } => {
            finish(list::<api::Block>(places, &Question::Blocks(BlockFilter::default())).and_then(|blocks| {
                if *json {
                    json_list(&blocks)
                } else {
                    Ok(table(&print::blocks(&blocks, Time::now()), "nobody is blocked\n"))
                }
            }))
        }
        BlocksCommand::Add { address, timeout, reason, force, json } => {
            if args::address(address).is_none() {
                eprintln!("hids: {address:?} is no address and no network: write 198.51.100.7 or 2001:db8::/64");
                return Exit::Usage;
            }
            let Some(time) = args::duration(timeout) else {
                eprintln!("hids: {timeout:?} is no span of time: write 90 (seconds), 30m, 2h or 1d");
                return Exit::Usage;
            };
            let order = BlockOrder {
                address: address.clone(),
                seconds: Some(time.as_secs()).filter(|seconds| *seconds > 0),
                gateway: None,
                reason: Some(reason.clone()),
                force: *force,
            };
            effects(places, &Question::Block(order), *json)
        }
        BlocksCommand::Remove { address, json } => {
            effects(places, &Question::Unblock { address: address.clone(), gateway: None }, *json)
        }
        BlocksCommand::Why { address, json: as_json } => {
            let question = Question::Why { address: address.clone() };
            finish(
                one::<api::Why>(places, &question).and_then(|why| {
                    if *as_json { json(&why) } else { Ok(print::why(&why, Time::now(), print::colour())) }
                }),
            )
        }
        BlocksCommand::Sync { json } => effects(places, &Question::Sync { gateway: None }, *json),
    }
}

fn effects(places: &Places, question: &Question, json: bool) -> Exit {
    let effects: Vec<Effect> = match list(places, question) {
        Ok(effects) => effects,
        Err(exit) => return exit,
    };
    let text = if json {
        match json_list(&effects) {
            Ok(text) => text,
            Err(exit) => return exit,
        }
    } else {
        print::effects(&effects, print::colour())
    };
    match print::out(&text) {
        Err(_) => Exit::Io,
        Ok(_) if effects.iter().all(|effect| effect.done) => Exit::Done,
        Ok(_) => Exit::No,
    }
}
