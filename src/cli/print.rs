//! How answers look: aligned tables for people, JSON for programs.
//!
//! Whatever a guest wrote is shown escaped ([`escape`]): no sequence of his reaches the terminal. [`Table`] does it for
//! every cell by itself. Colours appear on a terminal only, and never where `NO_COLOR` is set (<https://no-color.org>).

mod lists;
mod moment;

pub use lists::{alert_line, alerts, allowed, blocks, effects, guest, guests, sources, status, why};
pub use moment::{absolute, bytes, duration, relative};

use comfy_table::{CellAlignment, ContentArrangement, ContentLineStyle, TableStyle};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

/// How much attention a row deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As usual.
    #[default]
    Plain,
    /// Of no interest now: a stopped guest, a block that has ended.
    Dim,
    /// To be looked at.
    Warn,
    /// Wrong, or an attack.
    Bad,
}

impl Tone {
    /// The tone of a rule's level.
    pub fn of_level(level: u32) -> Self {
        match level {
            0..=6 => Tone::Plain,
            7..=11 => Tone::Warn,
            _ => Tone::Bad,
        }
    }

    /// Wraps one line into the tone's colour (ECMA-48, section 8.3.117).
    pub fn paint(self, line: &str, colour: bool) -> String {
        let code = match self {
            Tone::Plain => return line.to_owned(),
            Tone::Dim => "2",
            Tone::Warn => "33",
            Tone::Bad => "31",
        };
        if colour { format!("\x1b[{code}m{line}\x1b[0m") } else { line.to_owned() }
    }
}

/// Tells whether standard output is a terminal that wants colours.
pub fn colour() -> bool {
    io::stdout().is_terminal() && colours_wanted()
}

/// Tells whether colours are wanted where there is a terminal.
pub fn colours_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !set("NO_COLOR") && !dumb
}

/// Shows control characters and what changes the direction of text as escapes: C0, DEL, C1, bidirectional controls,
/// line and paragraph separators, invisible characters. Everything else stays as it is, backslashes included.
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\0'..='\x1f' | '\x7f' => {
                // Writing to a text cannot fail.
                let _ = write!(shown, "\\x{:02x}", u32::from(c));
            }
            '\u{80}'..='\u{9f}'                       // C1
            | '\u{61c}' | '\u{200e}' | '\u{200f}'     // marks of direction
            | '\u{202a}'..='\u{202e}'                 // embeddings and overrides
            | '\u{2066}'..='\u{2069}'                 // isolates
            | '\u{2028}' | '\u{2029}'                 // separators
            | '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// As [`escape`], for bytes; what is not UTF-8 shows as U+FFFD.
pub fn escape_bytes(bytes: &[u8]) -> String {
    escape(&String::from_utf8_lossy(bytes))
}

/// Where a column's texts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table with one heading line and one line a row.
#[derive(Debug, Clone)]
pub struct Table {
    heads: Vec<(&'static str, Side)>,
    rows: Vec<(Tone, Vec<String>)>,
}

impl Table {
    /// A table with these columns.
    pub fn new<const N: usize>(heads: [(&'static str, Side); N]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; its cells are escaped here, and an empty one shows as `-`.
    pub fn row<const N: usize>(&mut self, tone: Tone, cells: [String; N]) {
        let shown = |cell: &String| if cell.is_empty() { "-".to_owned() } else { escape(cell) };
        self.rows.push((tone, cells.iter().map(shown).collect()));
    }

    /// Tells whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Draws it: the heading, then the rows, columns two blanks apart, no blanks at the ends of lines.
    pub fn draw(&self, colour: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(TableStyle::new().content_lines(ContentLineStyle::none()));
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.heads.iter().map(|(name, _)| *name));
        for (_, cells) in &self.rows {
            table.add_row(cells.iter().map(String::as_str));
        }
        let last = self.heads.len().saturating_sub(1);
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if at == last { 0 } else { 2 }));
            if self.heads.get(at).is_some_and(|(_, side)| *side == Side::Right) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut drawn = String::new();
        for (at, line) in table.lines().enumerate() {
            let line = line.trim_end();
            match at.checked_sub(1).and_then(|row| self.rows.get(row)) {
                Some((tone, _)) => drawn.push_str(&tone.paint(line, colour)),
                None if colour => drawn.push_str(&format!("\x1b[1m{line}\x1b[0m")),
                None => drawn.push_str(line),
            }
            drawn.push('\n');
        }
        drawn
    }
}

/// One JSON array of items that are JSON texts already, one item a line.
pub fn json_array(items: &[impl AsRef<str>]) -> String {
    let mut array = String::from("[");
    for (at, item) in items.iter().enumerate() {
        array.push_str(if at == 0 { "\n" } else { ",\n" });
        array.push_str(item.as_ref());
    }
    array.push_str(if items.is_empty() { "]\n" } else { "\n]\n" });
    array
}

/// One JSON array of items.
///
/// # Errors
/// What serialising said.
pub fn json_items<T: Serialize>(items: &[T]) -> serde_json::Result<String> {
    let texts: Vec<String> = items.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(json_array(&texts))
}

/// Writes to standard output at once. `false`: whoever reads has gone (`| head`), so there is no point in going on.
///
/// # Errors
/// What writing said, but for the gone reader.
pub fn out(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
