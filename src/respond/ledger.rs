//! Who is blocked until when, on disk: what `kill -9` must not make us forget (decision 5).
//!
//! One text line per change, appended in one write before a gateway is told, each with its own checksum, so that a torn
//! or damaged line costs itself alone. Synced by a thread of its own within 100 ms. Rewritten at start and when large.

use super::clock::Millis;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The file's name in the state folder.
pub const FILE: &str = "blocks.ledger";

/// Appended lines are collected this long before they are synced.
const SYNC_DELAY: Duration = Duration::from_millis(20);

/// Below this size the file is never rewritten while running.
const LARGE: u64 = 4 << 20;

/// A block as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whom.
    #[serde(with = "as_text")]
    pub net: IpNet,
    /// The attacker, where `net` is wider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<std::net::IpAddr>,
    /// When it began.
    pub since: Millis,
    /// When it ends; `None`: never.
    pub until: Option<Millis>,
    /// When this was written: the rest of the time is never longer than it was then, whatever the clock did since.
    pub at: Millis,
    /// How often the attacker was seen.
    pub count: u64,
    /// Whose event led to it; `None`: by hand.
    pub guest: Option<String>,
    /// The rule; `None`: by hand.
    pub rule: Option<u32>,
    /// Why.
    pub reason: String,
    /// The alert that led to it, as alerts.log numbers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// The white list was overridden.
    #[serde(default)]
    pub forced: bool,
    /// Only recorded.
    #[serde(default)]
    pub dry: bool,
    /// It is to be taken out of the sets.
    #[serde(default)]
    pub removing: bool,
}

/// One line of the ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Line {
    /// This is how things stand with a network.
    Block(Record),
    /// A network is in no set any more.
    Gone {
        /// Whom.
        #[serde(with = "as_text")]
        net: IpNet,
    },
}

/// The open file.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    size: u64,
    /// The last write failed or was cut short: the next one begins a new line.
    torn: bool,
    shared: Arc<Syncing>,
    syncer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Syncing {
    state: Mutex<SyncState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct SyncState {
    file: Option<File>,
    dirty: bool,
    stop: bool,
}

impl Syncing {
    fn lock(&self) -> MutexGuard<'_, SyncState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            while !state.dirty && !state.stop {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stop && !state.dirty {
                return;
            }
            if !state.stop {
                drop(state);
                std::thread::sleep(SYNC_DELAY);
                state = self.lock();
            }
            state.dirty = false;
            let file = state.file.as_ref().map(File::try_clone);
            drop(state);
            // An error shows at the next write as well; what it could not keep, the sets' own timeouts end.
            if let Some(Ok(file)) = file {
                let _ = file.sync_data();
            }
        }
    }
}

/// What an earlier run wrote down.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The blocks that are not gone, in no order.
    pub records: Vec<Record>,
    /// Damaged lines, the torn last one not counted.
    pub damaged: usize,
}

impl Ledger {
    /// Opens the ledger in the state folder, reads it, and rewrites it without what is over.
    ///
    /// # Errors
    ///
    /// The system's: a folder that is not there, no permission, a full disk.
    pub fn open(folder: &Path) -> io::Result<(Self, Loaded)> {
        let path = folder.join(FILE);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(mut file) => drop(file.read_to_end(&mut bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let loaded = read(&bytes);
        let shared = Arc::new(Syncing::default());
        let file = append_to(&path)?;
        let torn = bytes.last().is_some_and(|last| *last != b'\n');
        let mut ledger = Self { path, file, size: bytes.len() as u64, torn, shared, syncer: None };
        ledger.hand_over()?;
        // A full disk must not keep the daemon from starting: then it goes on in the old file.
        let _ = ledger.rewrite(&loaded.records);
        let syncing = Arc::clone(&ledger.shared);
        let named = std::thread::Builder::new().name("hids-ledger".into());
        ledger.syncer = Some(named.spawn(move || syncing.run())?);
        Ok((ledger, loaded))
    }

    /// Appends lines in one write. They reach the disk within 100 ms.
    ///
    /// # Errors
    ///
    /// The system's; the lines may then be partly written, and are to be appended again.
    pub fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = String::new();
        if self.torn {
            text.push('\n');
        }
        for line in lines {
            text.push_str(&written(line)?);
        }
        self.torn = true;
        self.file.write_all(text.as_bytes())?;
        self.torn = false;
        self.size += text.len() as u64;
        self.shared.lock().dirty = true;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Whether so much of the file is over that it should be rewritten.
    pub fn is_large(&self, live: usize) -> bool {
        self.size > LARGE && self.size > 2_000 * live as u64
    }

    /// Replaces the file by one that holds these blocks alone.
    ///
    /// # Errors
    ///
    /// The system's; the old file then stays in use.
    pub fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut text = String::new();
        for record in records {
            text.push_str(&written(&Line::Block(record.clone()))?);
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.file = append_to(&self.path)?;
        self.size = text.len() as u64;
        self.torn = false;
        self.hand_over()
    }

    fn hand_over(&self) -> io::Result<()> {
        self.shared.lock().file = Some(self.file.try_clone()?);
        Ok(())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
        if let Some(syncer) = self.syncer.take() {
            let _ = syncer.join();
        }
    }
}

/// Networks as people write them.
mod as_text {
    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(net: &IpNet, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(net)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<IpNet, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// `CHECKSUM JSON\n`, the checksum being the first eight digits of the JSON's SHA-256.
fn written(line: &Line) -> io::Result<String> {
    let json = serde_json::to_string(line)?;
    Ok(format!("{} {json}\n", checksum(json.as_bytes())))
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(bytes: &[u8]) -> Loaded {
    let mut live: HashMap<IpNet, Record> = HashMap::new();
    let mut damaged = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let whole = line.ends_with(b"\n");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        match parse(line) {
            Some(Line::Block(record)) => drop(live.insert(record.net, record)),
            Some(Line::Gone { net }) => drop(live.remove(&net)),
            None => damaged += usize::from(whole),
        }
    }
    Loaded { records: live.into_values().collect(), damaged }
}

fn parse(line: &[u8]) -> Option<Line> {
    let (sum, json) = line.split_at_checked(8)?;
    let json = json.strip_prefix(b" ")?;
    if checksum(json).as_bytes() != sum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(net: &str, until: Millis) -> Record {
        Record {
            net: net.parse().unwrap(),
            address: None,
            since: 1_000,
            until: Some(until),
            at: 1_000,
            count: 1,
            guest: Some("web1".into()),
            rule: Some(5712),
            reason: "brute \"force\"\n".into(),
            alert: None,
            forced: false,
            dry: false,
            removing: false,
        }
    }

    fn nets(loaded: &Loaded) -> Vec<String> {
        let mut nets: Vec<String> = loaded.records.iter().map(|r| r.net.to_string()).collect();
        nets.sort();
        nets
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, loaded) = Ledger::open(folder.path()).unwrap();
        assert!(loaded.records.is_empty());
        let gone = Line::Gone { net: "192.0.2.1/32".parse().unwrap() };
        ledger.append(&[Line::Block(record("192.0.2.1/32", 5)), Line::Block(record("2001:db8::/64", 6))]).unwrap();
        ledger.append(&[Line::Block(record("192.0.2.2/32", 7)), gone]).unwrap();
        ledger.append(&[Line::Block(record("2001:db8::/64", 9))]).unwrap();
        drop(ledger);
        let (mut ledger, loaded) = Ledger::open(folder.path()).unwrap();
        assert_eq!((nets(&loaded), loaded.damaged), (vec!["192.0.2.2/32".into(), "2001:db8::/64".into()], 0));
        assert!(loaded.records.contains(&record("2001:db8::/64", 9)));
        let size = fs::metadata(folder.path().join(FILE)).unwrap().len();
        assert_eq!(size, ledger.size, "rewritten at start");
        ledger.append(&[Line::Block(record("192.0.2.3/32", 8))]).unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(folder.path()).unwrap().1.records.len(), 3);
    }

    #[test]
    fn a_cut_at_any_byte_costs_the_cut_line_alone() {
        let lines: Vec<String> =
            (1..=3).map(|n| written(&Line::Block(record(&format!("192.0.2.{n}/32"), n))).unwrap()).collect();
        let text = lines.concat();
        for cut in 0..=text.len() {
            let whole = lines
                .iter()
                .scan(0, |end, line| {
                    *end += line.len();
                    Some(*end)
                })
                // The line end itself may be missing.
                .filter(|end| *end <= cut + 1)
                .count();
            let loaded = read(&text.as_bytes()[..cut]);
            assert_eq!((loaded.records.len(), loaded.damaged), (whole, 0), "cut at {cut}");
            // What is appended after a start on such a file is not lost either.
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FILE), &text.as_bytes()[..cut]).unwrap();
            if cut % 50 == 0 {
                let (mut ledger, _) = Ledger::open(folder.path()).unwrap();
                ledger.append(&[Line::Block(record("198.51.100.1/32", 4))]).unwrap();
                drop(ledger);
                assert_eq!(Ledger::open(folder.path()).unwrap().1.records.len(), whole + 1);
            }
        }
    }

    #[test]
    fn a_flipped_byte_costs_its_line_alone() {
        let text =
            (1..=3).map(|n| written(&Line::Block(record(&format!("192.0.2.{n}/32"), n))).unwrap()).collect::<String>();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 0x20;
            // A lost line end takes the line behind it along.
            let kept = if text.as_bytes()[at] == b'\n' { 1 } else { 2 };
            assert!(read(&bytes).records.len() >= kept, "flipped at {at}");
        }
    }

    #[test]
    fn after_a_torn_write_the_next_line_stands_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(folder.path()).unwrap();
        ledger.append(&[Line::Block(record("192.0.2.1/32", 5))]).unwrap();
        ledger.file.write_all(b"12345678 {\"op\":\"blo").unwrap();
        ledger.torn = true;
        ledger.append(&[Line::Block(record("192.0.2.2/32", 5))]).unwrap();
        drop(ledger);
        let loaded = Ledger::open(folder.path()).unwrap().1;
        assert_eq!((loaded.records.len(), loaded.damaged), (2, 1));
    }
}
