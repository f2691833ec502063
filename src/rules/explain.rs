//! What a rule really requires, in words.

use super::predicate::Test;
use super::{Counted, Counting, Relations, Rule, RuleSet};
use crate::pattern::{Language, Pattern};

const RELATIONS: [(Relations, &str); 7] = [
    (Relations::SAME_SOURCE_IP, "the same srcip"),
    (Relations::SAME_ID, "the same id"),
    (Relations::SAME_USER, "the same dstuser"),
    (Relations::SAME_LOCATION, "the same host"),
    (Relations::SAME_SOURCE_PORT, "the same srcport"),
    (Relations::SAME_DESTINATION_PORT, "the same dstport"),
    (Relations::DIFFERENT_URL, "another url"),
];

impl RuleSet {
    /// What a rule asks beside its parents, one sentence each that goes on from "it"; what it counts comes last.
    pub fn requirements(&self, id: u32) -> Vec<String> {
        let Some(rule) = self.index_of(id).map(|index| self.rule(index)) else { return Vec::new() };
        let mut said: Vec<String> = rule.tests.iter().map(say).collect();
        said.extend(rule.counting.as_ref().map(|counting| self.say_counting(rule, counting)));
        if rule.ignore > 0 {
            said.push(format!("is silent for {} s after an alert", rule.ignore));
        }
        if rule.noalert {
            said.push("is an answer only through its children".to_owned());
        }
        said
    }

    fn say_counting(&self, rule: &Rule, counting: &Counting) -> String {
        let mine = |other: &&Rule| {
            let places = if rule.global { &other.commons } else { &other.lane };
            match counting.counted {
                Counted::Sid(list) => places.sid == Some(list),
                Counted::Group(list) => places.groups.contains(&list),
                _ => false,
            }
        };
        let ids: Vec<String> = self.iter().filter(mine).map(|rule| rule.facts.id.to_string()).collect();
        let of = match counting.counted {
            Counted::Never => return "never fires: the rule that it counts was not read before it".to_owned(),
            Counted::Sid(_) => format!("of rule {}", ids.join(", ")),
            Counted::Group(_) if ids.len() > 8 => format!("of {} rules of its group", ids.len()),
            Counted::Group(_) => format!("of the rules {}", ids.join(", ")),
            Counted::All => match &counting.regex {
                Some(regex) => format!("whose log matches {}", quote(regex)),
                None => "of any rule".to_owned(),
            },
        };
        let with: Vec<&str> =
            RELATIONS.iter().filter(|(known, _)| counting.relations.has(*known)).map(|(_, name)| *name).collect();
        let with = if with.is_empty() { String::new() } else { format!(", with {}", with.join(", ")) };
        let over = if rule.global { ", over all guests" } else { "" };
        let number = ordinal(rule.facts.frequency + 2);
        format!("fires on the {number} event {of} within {} s{with}{over}", counting.timeframe)
    }
}

fn say(test: &Test) -> String {
    match test {
        Test::Decoder(_) => "asks for its decoder (decoded_as)".to_owned(),
        Test::Program(pattern) => format!("asks that the program matches {}", quote(pattern)),
        Test::Field(field, pattern) => format!("asks that {} matches {}", field.label(), quote(pattern)),
        Test::Log(pattern) => format!("asks that the log matches {}", quote(pattern)),
        Test::Action(action) => format!("asks that action is {}", String::from_utf8_lossy(action)),
        Test::Dynamic(name, pattern) => format!("asks that {name} matches {}", quote(pattern)),
        Test::Address(field, _) => format!("asks that its list covers {}", field.label()),
        Test::Builtin(builtin) => format!("asks the built-in condition {builtin:?}"),
        Test::User(pattern) => format!("asks that dstuser, or without one srcuser, matches {}", quote(pattern)),
        Test::Never => "never matches: it asks for the country of an address".to_owned(),
        Test::Longer(size) => format!("asks for a log of at least {size} bytes"),
        Test::Time(_) => "holds at certain hours".to_owned(),
        Test::Days(_) => "holds on certain days".to_owned(),
        Test::Host(pattern) => format!("asks that the host matches {}", quote(pattern)),
        Test::Differs => "asks that the log differs from the last one of this host".to_owned(),
        Test::FirstTime => "asks that the event's key was never seen".to_owned(),
        Test::Listed(_) => "asks a list".to_owned(),
    }
}

fn quote(pattern: &Pattern) -> String {
    const LONGEST: usize = 60;
    let language = match pattern.language() {
        Language::OsMatch => "os_match",
        Language::OsRegex => "os_regex",
        Language::Pcre2 => "pcre2",
    };
    let text = pattern.as_str();
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{shown}` ({language})")
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn ordinals() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 22, 113].map(ordinal),
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "22nd", "113th"]
        );
    }
}
