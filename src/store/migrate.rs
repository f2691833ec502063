//! From an older schema to the present one, in one transaction.

use super::Table;
use super::error::{Error, Failure, Kind, guarded};
use redb::{Database, ReadableTable, WriteTransaction};

/// One step: brings schema n to n + 1. It must leave alone what it does not know.
pub(super) type Step = fn(&WriteTransaction) -> Result<(), Failure>;

/// The steps from schema 1 on; the present schema is one more than their number. Never change a step once released:
/// add one.
pub(super) const STEPS: &[Step] = &[];

/// Key of the schema's number (u32, little endian) in [`Table::Meta`].
const SCHEMA: &[u8] = b"schema";

/// What a migration found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A new file.
    New,
    /// A file of this schema, now brought up to the present one.
    Schema(u32),
    /// A file of a newer hids, left untouched.
    Newer(u32),
}

/// Makes all tables, and runs the steps that the file has not seen.
pub(super) fn migrate(database: &Database, steps: &[Step]) -> Result<Found, Error> {
    let present = steps.len() as u32 + 1;
    let raw = guarded(|| {
        let writing = database.begin_write()?;
        let raw = writing.open_table(Table::Meta.definition())?.get(SCHEMA)?.map(|value| value.value().to_vec());
        let schema = raw.as_deref().map(|raw| <[u8; 4]>::try_from(raw).map(u32::from_le_bytes).unwrap_or(0));
        let first = match schema {
            None => present,
            // Zero never was a schema; whoever reads the answer calls the file damaged.
            Some(0) => return Ok(schema),
            Some(schema) if schema > present => return Ok(Some(schema)),
            Some(schema) => schema,
        };
        for step in &steps[first as usize - 1..] {
            step(&writing)?;
        }
        for table in Table::ALL {
            writing.open_table(table.definition())?;
        }
        if schema != Some(present) {
            writing.open_table(Table::Meta.definition())?.insert(SCHEMA, present.to_le_bytes().as_slice())?;
        }
        writing.commit()?;
        Ok(schema)
    })?;
    match raw {
        None => Ok(Found::New),
        Some(0) => Err(Error::new(Kind::Damaged, "store: the schema's number is unreadable")),
        Some(schema) if schema > present => Ok(Found::Newer(schema)),
        Some(schema) => Ok(Found::Schema(schema)),
    }
}
