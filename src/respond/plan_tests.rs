//! Which verdicts lead to a block, and of whom.

use super::*;
use crate::correlate::Previous;
use crate::decode::{self, Decoded};
use crate::event::{Event, Header, Source, Stamp, Value};
use crate::guest::Name;
use crate::pattern::{Language, Pattern};
use crate::respond::config::{Gateway, Overrides, Switch};
use std::time::Duration;

const NOW: Millis = 1_709_726_400_000;

fn response(level: Option<u32>) -> Response {
    Response {
        command: "ipset-drop".into(),
        executable: "ipset.sh".into(),
        expect_srcip: true,
        level,
        timeout: Duration::from_secs(1_800),
        ..Response::default()
    }
}

fn config(responses: Vec<Response>) -> Config {
    Config { responses, gateways: vec![Gateway::default()], ..Config::default() }
}

/// A verdict to be bent: guest, level, source address, and so on.
struct Case {
    guest: Option<&'static str>,
    origin: Origin,
    level: u32,
    id: u32,
    groups: &'static str,
    srcip: Option<&'static [u8]>,
    decoder: &'static str,
    category: Category,
    forced: bool,
    respond: bool,
    stamp: i64,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            guest: Some("12-ssh"),
            origin: Origin::Log,
            level: 10,
            id: 5712,
            groups: "syslog,sshd,authentication_failures,",
            srcip: Some(b"198.51.100.7"),
            decoder: "sshd",
            category: Category::Syslog,
            forced: false,
            respond: true,
            stamp: NOW / 1_000,
        }
    }
}

impl Case {
    fn plan(&self, config: &Config, freshness: Freshness) -> Result<Wish, No> {
        let source = Source {
            guest: self.guest.map(Name::new),
            path: "/var/log/auth.log".into(),
            location: "/var/lib/lxc/12-ssh/rootfs/var/log/auth.log".into(),
            label: "/var/log/auth.log".into(),
            origin: self.origin,
        };
        let rule = rules::Facts {
            id: self.id,
            level: self.level,
            groups: self.groups.into(),
            description: Some("brute force".into()),
            ..rules::Facts::default()
        };
        let event = Event {
            full: b"line",
            header: Header { log: 0..4, ..Header::default() },
            own_host: "12-ssh",
            source: &source,
            time: Stamp::utc(self.stamp),
        };
        let mut decoded = Decoded { category: self.category, ..Decoded::default() };
        decoded.forced_rule = self.forced.then_some(Some(5712));
        if let Some(srcip) = self.srcip {
            decoded.fields.set(Field::SrcIp, Value::Owned(srcip.into()));
        }
        let decoder = decode::Facts { name: self.decoder.into(), ..decode::Facts::default() };
        let verdict = Verdict {
            rule: &rule,
            event: &event,
            decoded: &decoded,
            decoder: Some(&decoder),
            previous: Previous::None,
            fired_times: 1,
            alert: true,
            respond: self.respond,
        };
        plan(config, &verdict, freshness, NOW)
    }

    fn live(&self, config: &Config) -> Result<Wish, No> {
        self.plan(config, Freshness::Live)
    }
}

#[test]
fn level_id_and_group_are_each_enough() {
    let by_id = Response { rules_id: vec![1, 5712], ..response(None) };
    let pattern = Pattern::compile(Language::OsRegex, "authentication_fail").unwrap();
    let by_group = Response { rules_group: Some(pattern), ..response(None) };
    let never = Response { rules_id: vec![9], level: Some(11), ..response(None) };
    for (sections, expected) in [
        (vec![response(Some(6))], true),
        (vec![response(Some(10))], true),
        (vec![response(Some(11))], false),
        (vec![by_id.clone()], true),
        (vec![by_group], true),
        (vec![never.clone()], false),
        (vec![response(None)], false),
        (vec![Response { rules_id: vec![5712], level: Some(15), ..response(None) }], true),
        (vec![never, by_id.clone()], true),
        (vec![Response { disabled: true, ..by_id.clone() }], false),
        (vec![Response { executable: "other.sh".into(), ..by_id.clone() }], false),
        (vec![Response { expect_srcip: false, ..by_id }], false),
    ] {
        let got = Case::default().live(&config(sections.clone()));
        assert_eq!(got.is_ok(), expected, "{sections:?}: {got:?}");
    }
    let no_gateway = Config { gateways: Vec::new(), ..config(vec![response(Some(1))]) };
    assert_eq!(Case::default().live(&no_gateway), Err(No::NotAsked));
}

#[test]
fn a_wish_says_who_how_long_and_why() {
    let wish = Case::default().live(&config(vec![response(Some(6))])).unwrap();
    assert_eq!(
        wish,
        Wish {
            address: "198.51.100.7".parse().unwrap(),
            until: Some(NOW + 1_800_000),
            guest: "12-ssh".into(),
            rule: 5712,
            reason: "brute force".into(),
            dry: false,
        }
    );
    let host = Case { guest: None, ..Case::default() };
    assert_eq!(&*host.live(&config(vec![response(Some(6))])).unwrap().guest, "host");
}

#[test]
fn the_longest_of_several_sections_counts_and_no_undo_is_longest() {
    let long = Response { timeout: Duration::from_secs(3_600), ..response(Some(1)) };
    let endless = Response { timeout: Duration::ZERO, ..response(Some(1)) };
    let until = |sections| Case::default().live(&config(sections)).unwrap().until;
    assert_eq!(until(vec![response(Some(6)), long.clone()]), Some(NOW + 3_600_000));
    assert_eq!(until(vec![long.clone(), response(Some(6))]), Some(NOW + 3_600_000));
    assert_eq!(until(vec![long, endless]), None);
}

#[test]
fn what_is_no_address_blocks_nobody() {
    let config = config(vec![response(Some(6))]);
    for (text, expected) in [
        (&b"198.51.100.7"[..], Ok("198.51.100.7")),
        (b"::ffff:198.51.100.7", Ok("198.51.100.7")),
        (b"2001:DB8::1", Ok("2001:db8::1")),
        (b"", Err(No::NoAddress)),
        (b"-", Err(No::NoAddress)),
        (b"evil.example.org", Err(No::NotAnAddress)),
        (b"198.51.100.7; reboot", Err(No::NotAnAddress)),
        (b"198.51.100.7\n", Err(No::NotAnAddress)),
        (b"198.51.100.0/24", Err(No::NotAnAddress)),
        (b"fe80::1%eth0", Err(No::NotAnAddress)),
        (b"010.1.1.1", Err(No::NotAnAddress)),
        (b"\xff\xfe", Err(No::NotAnAddress)),
    ] {
        let case = Case { srcip: Some(text), ..Case::default() };
        let got = case.live(&config).map(|wish| wish.address.to_string());
        assert_eq!(got.as_deref().map_err(|no| *no), expected, "{:?}", String::from_utf8_lossy(text));
    }
    assert_eq!(Case { srcip: None, ..Case::default() }.live(&config), Err(No::NoAddress));
}

#[test]
fn rules_and_guests_that_may_not_respond_do_not() {
    let mut config = config(vec![response(Some(0))]);
    assert_eq!(Case { respond: false, ..Case::default() }.live(&config), Err(No::NotAsked));
    assert_eq!(Case { level: 0, ..Case::default() }.live(&config), Err(No::NotAsked));
    assert_eq!(Case::default().plan(&config, Freshness::Again), Err(No::NotAsked));
    config.guests_respond = Switch(false);
    assert_eq!(Case::default().live(&config), Err(No::GuestOff));
    assert!(Case { guest: None, ..Case::default() }.live(&config).is_ok(), "the switch is the guests'");
    config
        .guests
        .insert("12-ssh".into(), Overrides { respond: Some(true), dry_run: Some(true), ..Overrides::default() });
    assert!(Case::default().live(&config).unwrap().dry);
    config.guests_respond = Switch(true);
    config.guests.insert("12-ssh".into(), Overrides { respond: Some(false), ..Overrides::default() });
    assert_eq!(Case::default().live(&config), Err(No::GuestOff));
}

#[test]
fn own_and_forged_events_never_block() {
    let config = config(vec![response(Some(1))]);
    for case in [
        Case { origin: Origin::Own, ..Case::default() },
        Case { forced: true, ..Case::default() },
        Case { category: Category::Ossec, ..Case::default() },
        Case { decoder: "ossec", ..Case::default() },
        Case { decoder: "ossec-alert", ..Case::default() },
        Case { decoder: "ar_log", ..Case::default() },
        Case { decoder: "hids", ..Case::default() },
    ] {
        assert_eq!(case.live(&config), Err(No::Own), "{}", case.decoder);
    }
}

#[test]
fn what_is_read_late_blocks_for_what_is_left() {
    let sections = config(vec![response(Some(6))]);
    let late = |ago: i64, config: &Config| {
        Case { stamp: NOW / 1_000 - ago, ..Case::default() }.plan(config, Freshness::Late).map(|wish| wish.until)
    };
    assert_eq!(late(600, &sections), Ok(Some(NOW + 1_200_000)));
    assert_eq!(late(1_799, &sections), Ok(Some(NOW + 1_000)));
    assert_eq!(late(1_800, &sections), Err(No::TooLate));
    assert_eq!(late(99_999_999, &sections), Err(No::TooLate));
    assert_eq!(late(-500, &sections), Ok(Some(NOW + 1_800_000)), "a stamp from the future gains nothing");
    let endless = config(vec![Response { timeout: Duration::ZERO, ..response(Some(6)) }]);
    assert_eq!(late(99_999_999, &endless), Ok(None));
    let live = Case { stamp: NOW / 1_000 - 9_999, ..Case::default() };
    assert_eq!(live.live(&sections).unwrap().until, Some(NOW + 1_800_000), "a live line's time is its arrival");
}
