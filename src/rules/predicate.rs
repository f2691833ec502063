//! What a rule asks of one event, without any memory (spec/rules.md 6).
//!
//! A rule file's conditions are collected in `Conditions`, which knows OSSEC's pairs and which of them survive an
//! overwrite, and lowered to a short list of [`Test`]s in the order in which OSSEC runs them.

use super::address::Addresses;
use super::builtin::Builtin;
use super::list::Listed;
use super::schedule::{Days, Hours};
use crate::event::Field;
use crate::pattern::Pattern;

/// The conditions that exist in a pcre2 form as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Pair {
    Match,
    Regex,
    Program,
    Host,
    User,
    Id,
    Url,
    Status,
    Data,
    SourcePort,
    DestinationPort,
    SourceGeo,
    DestinationGeo,
}

pub(super) const PAIRS: usize = 13;

impl Pair {
    pub(super) const ALL: [(Pair, &'static str); PAIRS] = [
        (Pair::Match, "match"),
        (Pair::Regex, "regex"),
        (Pair::Program, "program_name"),
        (Pair::Host, "hostname"),
        (Pair::User, "user"),
        (Pair::Id, "id"),
        (Pair::Url, "url"),
        (Pair::Status, "status"),
        (Pair::Data, "extra_data"),
        (Pair::SourcePort, "srcport"),
        (Pair::DestinationPort, "dstport"),
        (Pair::SourceGeo, "srcgeoip"),
        (Pair::DestinationGeo, "dstgeoip"),
    ];

    /// The pair that an element's lower-case name belongs to, and whether it is the pcre2 form.
    pub(super) fn named(name: &str) -> Option<(Pair, bool)> {
        if name == "pcre2" {
            return Some((Pair::Regex, true));
        }
        // `regex` has no twin of the name `regex_pcre2`.
        let (name, pcre2) = match name.strip_suffix("_pcre2") {
            Some(head) if head != "regex" => (head, true),
            Some(_) => return None,
            None => (name, false),
        };
        Pair::ALL.iter().find(|(_, known)| *known == name).map(|(pair, _)| (*pair, pcre2))
    }

    /// The element's name in one of its forms.
    pub(super) fn name(self, pcre2: bool) -> String {
        match (Pair::ALL[self as usize].1, pcre2) {
            ("regex", true) => "pcre2".to_owned(),
            (name, true) => format!("{name}_pcre2"),
            (name, false) => name.to_owned(),
        }
    }

    fn is_geo(self) -> bool {
        matches!(self, Pair::SourceGeo | Pair::DestinationGeo)
    }

    /// Belongs to the conditions that are looked at only if the rule as last read has one of them ("extra" in
    /// spec/rules.md 4.8).
    pub(super) fn is_extra(self) -> bool {
        matches!(self, Pair::Host | Pair::User | Pair::Status | Pair::Data) || self.is_geo()
    }

    /// The same for addresses and ports.
    pub(super) fn is_packet(self) -> bool {
        matches!(self, Pair::SourcePort | Pair::DestinationPort)
    }
}

/// All conditions of one rule.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub decoded_as: Option<u16>,
    pub os: [Option<Pattern>; PAIRS],
    pub pcre2: [Option<Pattern>; PAIRS],
    pub action: Option<Box<[u8]>>,
    pub fields: Vec<(String, Pattern)>,
    pub srcip: Addresses,
    pub dstip: Addresses,
    pub builtin: Option<Builtin>,
    pub maxsize: u32,
    pub time: Option<Hours>,
    pub days: Option<Days>,
    pub check_diff: bool,
    pub if_fts: bool,
    pub lists: Vec<Listed>,
    /// The rule as last read has an address or port condition: without, those kept from an older rule are not tested.
    pub packet: bool,
    /// The same for the "extra" conditions.
    pub extra: bool,
}

impl Conditions {
    /// Takes the place of an older rule's conditions; what OSSEC does not replace stays (spec/rules.md 4.8).
    pub(super) fn overwrite(self, old: &mut Conditions) {
        let mut os = self.os;
        for (pair, _) in Pair::ALL {
            if pair.is_geo() {
                os[pair as usize] = old.os[pair as usize].take();
            }
        }
        let kept = std::mem::take(old);
        *old = Conditions { os, pcre2: kept.pcre2, fields: kept.fields, lists: kept.lists, ..self };
    }

    /// Lowers the conditions to tests in OSSEC's order (spec/rules.md 6.1). The last ones change memory when tested.
    pub(super) fn lower(self) -> Vec<Test> {
        let Conditions { mut os, mut pcre2, .. } = self;
        let mut tests = Vec::new();
        // Of a pair, the os form decides and the pcre2 form is dead.
        let mut decisive = |pair: Pair| os[pair as usize].take().or_else(|| pcre2[pair as usize].take());
        tests.extend(self.decoded_as.map(Test::Decoder));
        tests.extend(decisive(Pair::Program).map(Test::Program));
        tests.extend(decisive(Pair::Id).map(|p| Test::Field(Field::Id, p)));
        tests.extend(decisive(Pair::Match).map(Test::Log));
        tests.extend(decisive(Pair::Regex).map(Test::Log));
        tests.extend(self.action.map(Test::Action));
        // This pair alone is no pair when it comes to testing: both are asked. `decisive` would hide the second.
        let url = [decisive(Pair::Url), decisive(Pair::Url)];
        tests.extend(url.into_iter().flatten().map(|p| Test::Field(Field::Url, p)));
        tests.extend(self.fields.into_iter().map(|(name, pattern)| Test::Dynamic(name, pattern)));
        let ports = [(Field::SrcPort, decisive(Pair::SourcePort)), (Field::DstPort, decisive(Pair::DestinationPort))];
        if self.packet {
            let addresses = [(Field::SrcIp, self.srcip), (Field::DstIp, self.dstip)];
            tests.extend(addresses.into_iter().filter(|(_, l)| !l.is_empty()).map(|(f, l)| Test::Address(f, l)));
            tests.extend(ports.into_iter().filter_map(|(field, p)| Some(Test::Field(field, p?))));
        }
        if self.extra {
            tests.extend(self.builtin.map(Test::Builtin));
            tests.extend(decisive(Pair::User).map(Test::User));
            let geo = decisive(Pair::SourceGeo).or_else(|| decisive(Pair::DestinationGeo));
            tests.extend(geo.map(|_| Test::Never));
            tests.extend((self.maxsize > 0).then_some(Test::Longer(self.maxsize as usize)));
            tests.extend(self.time.map(Test::Time));
            tests.extend(self.days.map(Test::Days));
            tests.extend(decisive(Pair::Data).map(|p| Test::Field(Field::Data, p)));
            tests.extend(decisive(Pair::Host).map(Test::Host));
            tests.extend(decisive(Pair::Status).map(|p| Test::Field(Field::Status, p)));
            tests.extend(self.check_diff.then_some(Test::Differs));
        }
        tests.extend(self.if_fts.then_some(Test::FirstTime));
        tests.extend(self.lists.into_iter().map(Test::Listed));
        tests
    }
}

/// One test. A field that is present, even empty, is tested; an absent one fails.
#[derive(Debug)]
pub enum Test {
    /// The decoder's id.
    Decoder(u16),
    /// The program.
    Program(Pattern),
    /// A fixed field.
    Field(Field, Pattern),
    /// The shortened log.
    Log(Pattern),
    /// The action, byte for byte.
    Action(Box<[u8]>),
    /// A dynamic field, by name.
    Dynamic(String, Pattern),
    /// Source or destination address.
    Address(Field, Addresses),
    /// A condition that is code.
    Builtin(Builtin),
    /// Destination user if present, else source user.
    User(Pattern),
    /// Needs what no event has (geo texts).
    Never,
    /// The log has at least so many bytes (`maxsize`).
    Longer(usize),
    /// The hour of arrival.
    Time(Hours),
    /// The day of arrival.
    Days(Days),
    /// The host.
    Host(Pattern),
    /// The log differs from the last one of this rule and host; remembers it.
    Differs,
    /// The event's key was never seen; remembers it.
    FirstTime,
    /// A list says so.
    Listed(Listed),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_their_names() {
        for (pair, name) in Pair::ALL {
            assert_eq!(Pair::named(name), Some((pair, false)));
            assert_eq!(Pair::named(&pair.name(true)), Some((pair, true)));
        }
        assert_eq!(Pair::named("pcre2"), Some((Pair::Regex, true)));
        assert_eq!(Pair::named("regex_pcre2"), None);
        assert_eq!(Pair::named("action_pcre2"), None);
    }
}
