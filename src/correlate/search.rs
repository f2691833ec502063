//! The search through earlier events (spec/rules.md 8.2 to 8.4).

use super::history::History;
use super::list::{List, hash};
use super::said::{Now, Text};
use crate::pattern::Subject;
use crate::rules::{Counted, Counting, Relations};
use std::sync::Arc;

/// As many earlier lines go with an alert.
const SHOWN: usize = 11;

/// A counting rule, with what the search must know of it.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub counting: &'a Counting,
    pub frequency: u32,
    pub level: u32,
}

/// Texts that must be equal, by relation; the last two are not asked when all events are searched.
const SAME: [(Relations, Text); 6] = [
    (Relations::SAME_SOURCE_IP, Text::SourceIp),
    (Relations::SAME_ID, Text::Id),
    (Relations::SAME_USER, Text::User),
    (Relations::SAME_LOCATION, Text::Host),
    (Relations::SAME_SOURCE_PORT, Text::SourcePort),
    (Relations::SAME_DESTINATION_PORT, Text::DestinationPort),
];

/// Searches the rule's list. On a match marks are set, `mark` (the current event's) included, and `previous` holds the
/// lines that led to it, newest first.
pub(super) fn search(
    history: &mut History,
    now: &Now<'_>,
    wanted: Wanted<'_>,
    mark: &mut u32,
    previous: &mut Vec<Arc<[u8]>>,
) -> bool {
    let found = match wanted.counting.counted {
        Counted::Never => None,
        Counted::Sid(list) => hunt_list(history, history.sid(list), now, wanted),
        Counted::Group(list) => hunt_list(history, history.group(list), now, wanted),
        Counted::All => hunt(history, history.all().rev(), now, wanted),
    };
    let Some(found) = found else { return false };
    *mark = wanted.level;
    history.mark(found.oldest, wanted.level);
    history.mark(found.newest, wanted.level);
    // With a sid list all counted events are shown, else all but the oldest.
    let shown = wanted.frequency as usize + usize::from(matches!(wanted.counting.counted, Counted::Sid(_)));
    previous.clear();
    let lines = found.counted[..found.count].iter().take(shown);
    previous.extend(lines.filter_map(|number| Some(Arc::clone(&history.memory(history.entry(*number))?.line))));
    true
}

struct Found {
    newest: u64,
    oldest: u64,
    /// The newest counted events, newest first, as many as can be shown.
    counted: [u64; SHOWN],
    /// How many of them there are.
    count: usize,
}

fn hunt_list(history: &History, list: &List, now: &Now<'_>, wanted: Wanted<'_>) -> Option<Found> {
    // Where the list holds too few events of this address at all, nothing in it needs to be looked at.
    if wanted.counting.relations.has(Relations::SAME_SOURCE_IP) {
        let source = hash(Some(now.text(Text::SourceIp)?));
        if !list.may_hold(source, wanted.frequency) {
            return None;
        }
    }
    hunt(history, list.numbers().iter().rev().copied(), now, wanted)
}

fn hunt(history: &History, events: impl Iterator<Item = u64>, now: &Now<'_>, wanted: Wanted<'_>) -> Option<Found> {
    let Wanted { counting, frequency, level } = wanted;
    let all = counting.counted == Counted::All;
    let mut needed = [(Text::SourceIp, &[][..]); SAME.len()];
    let mut count_needed = 0;
    for (relation, text) in SAME {
        let untested = all && matches!(text, Text::Host | Text::SourcePort | Text::DestinationPort);
        if counting.relations.has(relation) && !untested {
            // Without the text here no earlier event counts.
            needed[count_needed] = (text, now.text(text)?);
            count_needed += 1;
        }
    }
    let needed = &needed[..count_needed];
    let other_url = match counting.relations.has(Relations::DIFFERENT_URL) {
        true => Some(now.text(Text::Url)?),
        false => None,
    };
    if counting.relations.has(Relations::DIFFERENT_SOURCE_GEO) {
        return None;
    }
    let source = counting.relations.has(Relations::SAME_SOURCE_IP).then(|| hash(now.text(Text::SourceIp)));
    let mut newest = None;
    let mut counted = [0; SHOWN];
    let mut count = 0u32;
    for number in events {
        let newest = *newest.get_or_insert(number);
        let entry = history.entry(number);
        if now.event.time.seconds.saturating_sub(entry.time) > counting.timeframe || entry.mark >= level {
            return None;
        }
        if source.is_some_and(|source| source != entry.source) {
            continue;
        }
        let Some(memory) = history.memory(entry) else { continue };
        if all {
            let fits = |log| counting.regex.as_ref().is_none_or(|regex| regex.is_match(Subject::new(log)));
            if memory.category != now.category || !fits(memory.log()) {
                continue;
            }
        }
        if needed.iter().any(|(text, value)| memory.text(*text) != Some(*value)) {
            continue;
        }
        if let Some(url) = other_url
            && memory.text(Text::Url).is_none_or(|earlier| earlier == url)
        {
            continue;
        }
        if let Some(place) = counted.get_mut(count as usize) {
            *place = number;
        }
        count += 1;
        if count > frequency {
            return Some(Found { newest, oldest: number, counted, count: SHOWN.min(count as usize) });
        }
    }
    None
}
