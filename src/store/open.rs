//! Opening the file, and moving aside what cannot be opened.

use super::error::{Error, Failure, Kind, guarded};
use super::migrate::{Found, STEPS, Step, migrate};
use redb::{Builder, Database, backends::InMemoryBackend};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The database's cache. The tables are small and mostly written; the page cache serves the rest.
const CACHE: usize = 1024 * 1024;
/// Up to this size every page's checksum is looked at when the file is opened.
const CHECKED_UP_TO: u64 = 256 * 1024 * 1024;

/// An opened database, and what the operator should hear about it.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) notices: Vec<String>,
}

pub(super) fn open(path: &Path) -> Result<Opened, Error> {
    open_with(path, STEPS)
}

/// Opens with given migration steps, so that a test can be a future hids.
pub(super) fn open_with(path: &Path, steps: &[Step]) -> Result<Opened, Error> {
    let mut notices = Vec::new();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::new(Kind::Io, format!("store: {}: {error}", folder.display())))?;
    }
    match attempt(path, steps) {
        Ok((database, Found::New | Found::Schema(_))) => return Ok(Opened { database, notices }),
        Ok((database, Found::Newer(schema))) => {
            drop(database);
            let aside = move_aside(path, "newer")?;
            notices.push(format!(
                "store: {}: written by a newer hids (schema {schema}); kept as {}, beginning with empty state: files \
                 are followed from their ends",
                path.display(),
                aside.display()
            ));
        }
        Err(error) if error.kind() == Kind::Damaged => {
            let aside = move_aside(path, "damaged")?;
            notices.push(format!(
                "store: {}: unreadable ({error}); kept as {}, beginning with empty state: files are followed from \
                 their ends",
                path.display(),
                aside.display()
            ));
        }
        Err(error) => return Err(error),
    }
    for notice in &notices {
        tracing::error!("{notice}");
    }
    let (database, _) = attempt(path, steps)?;
    Ok(Opened { database, notices })
}

/// Opens the file again while running, after a failed write. Here a damaged file is an error: what to do about it is
/// decided at a start, not in between.
pub(super) fn reopen(path: &Path) -> Result<Database, Error> {
    attempt(path, STEPS).map(|(database, _)| database)
}

pub(super) fn volatile() -> Result<Database, Error> {
    let database = guarded(|| Ok(Builder::new().set_cache_size(CACHE).create_with_backend(InMemoryBackend::new())?))?;
    migrate(&database, STEPS)?;
    Ok(database)
}

fn attempt(path: &Path, steps: &[Step]) -> Result<(Database, Found), Error> {
    let at = |error: Error| Error::new(error.kind(), format!("{}: {error}", path.display()));
    // Made first, so that the state is never readable to others, not even for a moment.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .and_then(|file| file.metadata())
        .map_err(|error| Error::new(Kind::Io, format!("store: {}: {error}", path.display())))?;
    if !file.is_file() {
        return Err(Error::new(Kind::Io, format!("store: {}: not a regular file", path.display())));
    }
    let database = guarded(|| {
        Builder::new()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(file.len() <= CHECKED_UP_TO)
            .create(path)
            .map_err(Failure::from)
    })
    .map_err(at)?;
    let found = migrate(&database, steps).map_err(at)?;
    Ok((database, found))
}

fn move_aside(path: &Path, why: &str) -> Result<PathBuf, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut number = 0;
    let aside = loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{why}-{now}"));
        if number > 0 {
            name.push(format!("-{number}"));
        }
        let aside = PathBuf::from(name);
        if !aside.exists() {
            break aside;
        }
        number += 1;
    };
    std::fs::rename(path, &aside)
        .map_err(|error| Error::new(Kind::Io, format!("store: {}: cannot be moved aside: {error}", path.display())))?;
    Ok(aside)
}
