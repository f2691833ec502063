//! From lines to events: formats in which one event has several lines, or a line is rewritten (spec/collect.md 5).
//!
//! An [`Assembler`] holds at most one unfinished event, bounded like a line. Unlike OSSEC's readers it keeps it from one
//! read to the next, so that an event written in two steps is one event.

use super::Format;
use super::lines::LINE_MAX;

/// OSSEC's limit of lines of one audit event.
const AUDIT_LINES: usize = 16;

/// An event that came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assembled {
    /// Its text.
    pub(super) text: Vec<u8>,
    /// Offset of its first line in the file.
    pub(super) offset: u64,
    /// Something did not fit.
    pub(super) cut: bool,
}

/// What became of a line.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Events that are complete now, in order: the one before, then perhaps this line itself.
    pub(super) events: Vec<Assembled>,
    /// Bytes left out: what did not fit, or is no event of the format.
    pub(super) lost: u64,
}

/// The unfinished event of one file.
#[derive(Debug)]
pub(super) struct Assembler {
    format: Format,
    open: Option<Assembled>,
    lines: usize,
    /// mysql: the last time stamp; audit: the present event's id.
    mark: Vec<u8>,
}

impl Assembler {
    /// Begins with nothing in hand.
    pub(super) fn new(format: Format) -> Self {
        Self { format, open: None, lines: 0, mark: Vec::new() }
    }

    /// Tells whether every line passes as it is, so that nobody needs to ask.
    pub(super) fn passes(&self) -> bool {
        matches!(self.format, Format::Lines | Format::Foreign(_) | Format::MultiLine(0 | 1))
    }

    /// Offset of the unfinished event's first line; where reading must begin again after a restart.
    pub(super) fn open_from(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.offset)
    }

    /// Tells whether an event is unfinished that may be complete already: nothing but time will say.
    pub(super) fn is_open_ended(&self) -> bool {
        self.open.is_some() && !matches!(self.format, Format::MultiLine(_))
    }

    /// Ends the unfinished event: no more of it will come.
    pub(super) fn flush(&mut self) -> Option<Assembled> {
        self.lines = 0;
        // A snort-full event without its last line, or some lines of a group, are still worth judging.
        self.open.take()
    }

    /// Takes the next line.
    pub(super) fn take(&mut self, line: &[u8], offset: u64, cut: bool) -> Outcome {
        let mut outcome = Outcome::default();
        let bare = line.strip_suffix(b"\r").unwrap_or(line);
        match self.format {
            Format::MultiLine(count) if count > 1 => {
                self.add(bare, offset, cut, &mut outcome);
                if self.lines >= usize::from(count) {
                    outcome.events.extend(self.flush());
                }
            }
            Format::Indented => match bare.first() {
                None => outcome.events.extend(self.flush()),
                Some(b' ' | b'\t') => self.add(bare, offset, cut, &mut outcome),
                Some(_) => self.begin(bare, offset, cut, &mut outcome),
            },
            Format::Mysql => self.mysql(bare, offset, cut, &mut outcome),
            Format::Postgresql => self.postgresql(bare, offset, cut, &mut outcome),
            Format::Mssql => {
                if shaped(bare, b"dddd-dd-dd dd:dd:dd") {
                    self.begin(bare, offset, cut, &mut outcome);
                } else if bare.len() > 2 && self.open.is_some() {
                    self.add(bare, offset, cut, &mut outcome);
                } else {
                    outcome.lost += bare.len() as u64;
                }
            }
            Format::SnortFull => self.snort(bare, offset, cut, &mut outcome),
            Format::Audit => self.audit(bare, offset, cut, &mut outcome),
            Format::Lines | Format::Foreign(_) | Format::MultiLine(_) => {
                outcome.events.push(Assembled { text: line.to_vec(), offset, cut });
            }
        }
        outcome
    }

    fn begin(&mut self, line: &[u8], offset: u64, cut: bool, outcome: &mut Outcome) {
        outcome.events.extend(self.flush());
        self.add(line, offset, cut, outcome);
    }

    /// Joins a line to the unfinished event with one blank, or begins one with it.
    fn add(&mut self, line: &[u8], offset: u64, cut: bool, outcome: &mut Outcome) {
        self.lines += 1;
        let open = self.open.get_or_insert_with(|| Assembled { text: Vec::new(), offset, cut: false });
        if self.lines > 1 {
            open.text.push(b' ');
        }
        let room = LINE_MAX.saturating_sub(open.text.len());
        let fits = line.len().min(room);
        open.text.extend_from_slice(&line[..fits]);
        open.text.truncate(LINE_MAX);
        open.cut |= cut || fits < line.len();
        outcome.lost += (line.len() - fits) as u64;
    }

    /// The two legacy forms, and the ISO forms of today's servers, all with the prefix that decoders depend on.
    fn mysql(&mut self, line: &[u8], offset: u64, cut: bool, outcome: &mut Outcome) {
        let legacy = shaped(line, b"dddddd dd:dd:dd") || shaped(line, b"dddddd  d:dd:dd");
        let iso = shaped(line, b"dddd-dd-ddTdd:dd:dd")
            || shaped(line, b"dddd-dd-dd dd:dd:dd")
            || shaped(line, b"dddd-dd-dd  d:dd:dd");
        let mut text = b"MySQL log: ".to_vec();
        if legacy {
            self.mark = line[..15].to_vec();
            text.extend_from_slice(&self.mark);
            text.push(b' ');
            text.extend_from_slice(line[15..].trim_ascii_start());
        } else if iso {
            let end =
                if line[10] == b'T' { line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()) } else { 19 };
            self.mark = line[..end.min(64)].to_vec();
            text.extend_from_slice(line);
        } else if let Some(rest) = line.strip_prefix(b"\t\t      ").filter(|_| !self.mark.is_empty()) {
            text.extend_from_slice(&self.mark);
            text.push(b' ');
            text.extend_from_slice(rest.trim_ascii_start());
        } else {
            outcome.lost += line.len() as u64;
            return;
        }
        let over = text.len().saturating_sub(LINE_MAX);
        text.truncate(LINE_MAX);
        outcome.lost += over as u64;
        outcome.events.push(Assembled { text, offset, cut: cut || over > 0 });
    }

    fn postgresql(&mut self, line: &[u8], offset: u64, cut: bool, outcome: &mut Outcome) {
        let bracketed = line.len() > 32 && shaped(line, b"[dddd-dd-dd dd:dd:dd");
        if bracketed || shaped(line, b"dddd-dd-dd dd:dd:dd") {
            self.begin(line, offset, cut, outcome);
        } else if line.first() == Some(&b'\t') && self.open.is_some() {
            self.add(line, offset, cut, outcome);
        } else {
            outcome.lost += line.len() as u64;
        }
    }

    /// `[**] [g:s:r] msg [**]`, `[Classification: …] [Priority: n]`, and the dated line without its date.
    fn snort(&mut self, line: &[u8], offset: u64, cut: bool, outcome: &mut Outcome) {
        if line.starts_with(b"[**] [") {
            self.begin(line, offset, cut, outcome);
        } else if self.open.is_some() && line.starts_with(b"[Classification: ") {
            self.add(line, offset, cut, outcome);
        } else if self.open.is_some() && shaped(line, b"dd/dd-dd:dd:dd") {
            if self.lines == 1 {
                self.add(b"[Classification: Preprocessor] [Priority: 3]", offset, false, outcome);
            }
            let text = line.iter().position(|byte| *byte == b' ').map_or(&line[..0], |blank| &line[blank + 1..]);
            self.add(text, offset, cut, outcome);
            outcome.events.extend(self.flush());
        } else {
            outcome.lost += line.len() as u64;
        }
    }

    /// Lines of one `msg=audit(time:serial)`, compared whole (OSSEC compares a prefix).
    fn audit(&mut self, line: &[u8], offset: u64, cut: bool, outcome: &mut Outcome) {
        let Some(id) = audit_id(line) else {
            outcome.lost += line.len() as u64;
            return;
        };
        if self.open.is_none() || self.mark != id {
            self.mark = id.to_vec();
            self.begin(line, offset, cut, outcome);
        } else if self.lines < AUDIT_LINES {
            self.add(line, offset, cut, outcome);
        } else {
            outcome.lost += line.len() as u64;
        }
    }
}

/// `time:serial` of an audit line, `node=` before it or not.
fn audit_id(line: &[u8]) -> Option<&[u8]> {
    let after =
        if line.starts_with(b"node=") { &line[line.iter().position(|byte| *byte == b' ')? + 1..] } else { line };
    if !after.starts_with(b"type=") {
        return None;
    }
    let start = memchr::memmem::find(after, b"msg=audit(")? + b"msg=audit(".len();
    let length = memchr::memchr(b')', &after[start..])?;
    (length <= 64).then(|| &after[start..start + length])
}

/// Tells whether a line begins with a shape: `d` is a digit, anything else itself.
fn shaped(line: &[u8], shape: &[u8]) -> bool {
    line.len() >= shape.len()
        && line.iter().zip(shape).all(|(byte, want)| if *want == b'd' { byte.is_ascii_digit() } else { byte == want })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All events of some lines, the last one flushed, and the bytes left out.
    fn events(format: Format, lines: &[&str]) -> (Vec<String>, u64) {
        let mut assembler = Assembler::new(format);
        let mut found = Vec::new();
        let (mut offset, mut lost) = (0, 0);
        for line in lines {
            let outcome = assembler.take(line.as_bytes(), offset, false);
            offset += line.len() as u64 + 1;
            lost += outcome.lost;
            found.extend(outcome.events);
        }
        found.extend(assembler.flush());
        (found.into_iter().map(|event| String::from_utf8(event.text).unwrap()).collect(), lost)
    }

    #[test]
    fn groups_of_lines() {
        let lines = ["m1", "m2", "m3", "m4", "m5"];
        assert_eq!(events(Format::MultiLine(3), &lines).0, ["m1 m2 m3", "m4 m5"]);
        assert_eq!(events(Format::MultiLine(0), &lines).0, lines);
    }

    #[test]
    fn indented_lines_continue_with_their_indentation() {
        let lines = ["  first", "h1", "  c1", "\tc2", "h2", "", "  alone", "h3"];
        assert_eq!(events(Format::Indented, &lines).0, ["  first", "h1   c1 \tc2", "h2", "  alone", "h3"]);
    }

    #[test]
    fn mysql_lines_old_and_new_bear_the_prefix() {
        let lines = [
            "no stamp",
            "070823 21:01:30    Connect root@localhost",
            "\t\t      1 Query show",
            "231124  4:05:06 [Note] x",
            "2023-01-01T10:11:12.123456Z 0 [Warning] y",
            "2023-01-01 10:11:12 0 [Note] z",
            "2023-01-01  9:11:12 0 [Note] z",
        ];
        let (found, lost) = events(Format::Mysql, &lines);
        assert_eq!(
            found,
            [
                "MySQL log: 070823 21:01:30 Connect root@localhost",
                "MySQL log: 070823 21:01:30 1 Query show",
                "MySQL log: 231124  4:05:06 [Note] x",
                "MySQL log: 2023-01-01T10:11:12.123456Z 0 [Warning] y",
                "MySQL log: 2023-01-01 10:11:12 0 [Note] z",
                "MySQL log: 2023-01-01  9:11:12 0 [Note] z",
            ]
        );
        assert_eq!(lost, 8);
    }

    #[test]
    fn postgresql_statements_over_lines() {
        let lines =
            ["[2024-01-01 10:00:00.000 UTC] LOG:  select", "\tfrom x", "2024-01-01 10:00:00.000 UTC [1] LOG: y", "?"];
        let want = ["[2024-01-01 10:00:00.000 UTC] LOG:  select \tfrom x", "2024-01-01 10:00:00.000 UTC [1] LOG: y"];
        assert_eq!(events(Format::Postgresql, &lines), (want.map(str::to_owned).to_vec(), 1));
    }

    #[test]
    fn snort_alerts_are_joined_and_lose_their_date() {
        let lines = [
            "[**] [1:1390:5] SHELLCODE x86 [**]",
            "[Classification: Executable code] [Priority: 1] ",
            "03/30-10:49:39.000000 198.51.100.7:80 -> 192.0.2.1:1024",
            "TCP TTL:64",
            "[**] [111:2:1] spp_stream4 [**]",
            "03/30-10:49:40.000000 198.51.100.7 -> 192.0.2.1",
        ];
        let want = [
            "[**] [1:1390:5] SHELLCODE x86 [**] [Classification: Executable code] [Priority: 1]  \
             198.51.100.7:80 -> 192.0.2.1:1024",
            "[**] [111:2:1] spp_stream4 [**] [Classification: Preprocessor] [Priority: 3] 198.51.100.7 -> 192.0.2.1",
        ];
        assert_eq!(events(Format::SnortFull, &lines), (want.map(str::to_owned).to_vec(), 10));
    }

    #[test]
    fn audit_lines_of_one_serial_are_one_event_and_a_prefix_is_another_serial() {
        let lines = [
            "type=SYSCALL msg=audit(1.1:12): a",
            "type=CWD msg=audit(1.1:12): b",
            "type=PATH msg=audit(1.1:1): c",
            "node=x type=PATH msg=audit(1.1:1): d",
            "junk",
        ];
        let want = [
            "type=SYSCALL msg=audit(1.1:12): a type=CWD msg=audit(1.1:12): b",
            "type=PATH msg=audit(1.1:1): c node=x type=PATH msg=audit(1.1:1): d",
        ];
        assert_eq!(events(Format::Audit, &lines), (want.map(str::to_owned).to_vec(), 4));
    }

    #[test]
    fn an_event_is_bounded_like_a_line() {
        let mut assembler = Assembler::new(Format::MultiLine(60));
        let line = vec![b'x'; 1_000];
        let mut lost = 0;
        for n in 0..59 {
            lost += assembler.take(&line, n * 1_001, false).lost;
        }
        assert_eq!(assembler.open_from(), Some(0));
        let event = assembler.flush().unwrap();
        assert_eq!((event.text.len(), event.cut), (LINE_MAX, true));
        assert_eq!(lost, 59_000 - LINE_MAX as u64 + 6);
    }
}
