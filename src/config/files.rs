//! Reading the user's files, for diagnostics that cite them.

use crate::diag::{Diagnostic, Severity, Source};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Most that a configuration, rule or decoder file may hold; OSSEC's largest has 0.3 MB.
const LARGEST: u64 = 32 << 20;

/// Reads a user's file. Bytes that are no UTF-8 are read as Latin-1 was in OSSEC's old files: the file still loads, and
/// the second value says so.
pub fn read(path: &Path) -> io::Result<(Arc<Source>, Option<Diagnostic>)> {
    let size = std::fs::metadata(path)?.len();
    if size > LARGEST {
        return Err(io::Error::other(format!("it has {size} bytes, {LARGEST} are the most")));
    }
    let bytes = std::fs::read(path)?;
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok((Source::new(name, text), None)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text: String = error.into_bytes().iter().map(|byte| char::from(*byte)).collect();
            let source = Source::new(name, text);
            // One char per byte was read, so the byte's index is the char's.
            let start = source.text.char_indices().nth(at).map_or(0, |(offset, _)| offset);
            let span = crate::diag::Span::new(start, start + 2);
            let warning = Diagnostic::warning(&source, span, "a byte that is no UTF-8: the file is read as Latin-1");
            Ok((source, Some(warning)))
        }
    }
}

/// What to say of a file that cannot be read.
pub fn unreadable(what: &str, path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::global(Severity::Error, format!("{what} {} cannot be read: {error}", path.display()))
}
