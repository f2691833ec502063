//! What survives a restart, as bytes: OSSEC keeps it in files, a lane hands it to whoever keeps its positions.
//!
//! A head, then three parts, each with its length (64 bits, little-endian): the keys of [`Seen`](super::seen::Seen),
//! the ignore list, the texts of `check_diff`. Texts stand with their length (32 bits) before them.

use super::state::State;

/// First bytes: a name and a version.
const MAGIC: &[u8; 8] = b"hidsmem1";

/// The bytes are no whole export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what was kept of a guest's memory is damaged or of another version")
    }
}

impl std::error::Error for Damaged {}

fn put(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text);
}

pub(super) fn export(state: &State) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in state.quiet.lines() {
        put(&mut lines, line);
    }
    let mut texts = Vec::new();
    for (host, rule, text) in state.differences.iter() {
        put(&mut texts, host);
        texts.extend(rule.to_le_bytes());
        put(&mut texts, text);
    }
    let mut out = MAGIC.to_vec();
    for part in [state.seen.export(), lines, texts] {
        out.extend((part.len() as u64).to_le_bytes());
        out.extend(part);
    }
    out
}

pub(super) fn import(state: &mut State, bytes: &[u8]) -> Result<(), Damaged> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(Damaged)?;
    let mut parts = [&[][..]; 3];
    for part in &mut parts {
        let length: [u8; 8] = take(&mut rest, 8)?.try_into().map_err(|_| Damaged)?;
        *part = take(&mut rest, usize::try_from(u64::from_le_bytes(length)).map_err(|_| Damaged)?)?;
    }
    if !rest.is_empty() {
        return Err(Damaged);
    }
    let [keys, mut lines, mut texts] = parts;
    let mut listed = Vec::new();
    while !lines.is_empty() {
        listed.push(text(&mut lines)?);
    }
    let mut outputs = Vec::new();
    while !texts.is_empty() {
        let host = text(&mut texts)?;
        let rule = number(&mut texts)?;
        outputs.push((host, rule, text(&mut texts)?));
    }
    if !state.seen.import(keys) {
        return Err(Damaged);
    }
    for line in listed {
        state.quiet.put(line);
    }
    for (host, rule, text) in outputs {
        state.differences.put(host.into(), rule, text);
    }
    state.changes += 1;
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Damaged> {
    let (head, tail) = rest.split_at_checked(length).ok_or(Damaged)?;
    *rest = tail;
    Ok(head)
}

fn number(rest: &mut &[u8]) -> Result<u32, Damaged> {
    Ok(u32::from_le_bytes(take(rest, 4)?.try_into().map_err(|_| Damaged)?))
}

fn text<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
    let length = number(rest)? as usize;
    take(rest, length)
}
