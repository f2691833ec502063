//! The two comma lists of a decoder: `order` and `fts` (spec/decoders.md 8 and 11).

use crate::event::Field;

/// Where a capture goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Fixed(Field),
    Dynamic(String),
}

impl Word {
    /// Reads one entry; `None` for an empty one.
    ///
    /// A word ends at the space behind it. A known word loses all spaces in front, a dynamic name only the first, so in
    /// `id,  size` the field is called ` size`.
    fn read(entry: &str) -> Option<Self> {
        let trimmed = entry.trim_start_matches(' ');
        let word = trimmed.split(' ').next().filter(|word| !word.is_empty())?;
        Some(match word {
            "dstuser" | "user" => Word::Fixed(Field::DstUser),
            "srcuser" => Word::Fixed(Field::SrcUser),
            "srcip" => Word::Fixed(Field::SrcIp),
            "dstip" => Word::Fixed(Field::DstIp),
            "srcport" => Word::Fixed(Field::SrcPort),
            "dstport" => Word::Fixed(Field::DstPort),
            "protocol" => Word::Fixed(Field::Protocol),
            "action" => Word::Fixed(Field::Action),
            "id" => Word::Fixed(Field::Id),
            "url" => Word::Fixed(Field::Url),
            "data" | "extra_data" => Word::Fixed(Field::Data),
            "status" => Word::Fixed(Field::Status),
            "system_name" => Word::Fixed(Field::SystemName),
            _ if word.contains("filename") => Word::Fixed(Field::FileName),
            _ => {
                let blanks = entry.len() - trimmed.len();
                Word::Dynamic(entry[blanks.min(1)..blanks + word.len()].to_owned())
            }
        })
    }
}

/// Reads an `order` list; the index of an empty entry as error.
pub(super) fn order(text: &str) -> Result<Vec<Word>, usize> {
    text.split(',').enumerate().map(|(at, entry)| Word::read(entry).ok_or(at)).collect()
}

/// Words that a part of `fts` is searched for, in the order of the search, and their value in OSSEC's sum. Because
/// `user` comes first, `srcuser` means the destination user.
const FTS: [(&str, u32); 8] = [
    ("user", USER),
    ("srcip", SRCIP),
    ("dstip", DSTIP),
    ("id", ID),
    ("location", LOCATION),
    ("data", DATA),
    ("system_name", SYSTEM_NAME),
    ("name", 512),
];

pub(super) const ID: u32 = 8;
pub(super) const DATA: u32 = 16;
pub(super) const SYSTEM_NAME: u32 = 32;
pub(super) const SRCIP: u32 = 64;
pub(super) const DSTIP: u32 = 128;
pub(super) const LOCATION: u32 = 256;
pub(super) const USER: u32 = 2_048;

/// The value of one part of an `fts` list; `None` where it holds none of the words.
pub(super) fn fts(part: &str) -> Option<u32> {
    FTS.into_iter().find_map(|(word, value)| part.contains(word).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_ossec_reads_them() {
        let dynamic = |name: &str| Word::Dynamic(name.to_owned());
        for (text, expected) in [
            ("user", vec![Word::Fixed(Field::DstUser)]),
            ("  srcip , data", vec![Word::Fixed(Field::SrcIp), Word::Fixed(Field::Data)]),
            ("id,  size", vec![Word::Fixed(Field::Id), dynamic(" size")]),
            (" size", vec![dynamic("size")]),
            ("Bar Baz", vec![dynamic("Bar")]),
            ("SrcIP, Log Filename x", vec![dynamic("SrcIP"), dynamic("Log")]),
            ("the_filename", vec![Word::Fixed(Field::FileName)]),
            ("id,\nurl", vec![Word::Fixed(Field::Id), dynamic("\nurl")]),
        ] {
            assert_eq!(order(text), Ok(expected), "{text:?}");
        }
        assert_eq!(order("id,"), Err(1));
        assert_eq!(order(""), Err(0));
        assert_eq!(order("id, ,url"), Err(1));
    }

    #[test]
    fn fts_words_are_found_inside_parts() {
        assert_eq!(fts(" srcuser"), Some(USER));
        assert_eq!(fts("extra_data"), Some(DATA));
        assert_eq!(fts("system_name"), Some(SYSTEM_NAME));
        assert_eq!(fts("name"), Some(512));
        assert_eq!(fts("srcip "), Some(SRCIP));
        assert_eq!(fts("url"), None);
    }
}
