//! Following one path over all its files: what it names now, and what it named before and has not been read to its end.
//!
//! A tail takes turns. A turn reads at most one portion, from the oldest file that has something, and never waits: where
//! it cannot go on (a full lane, a rewritten file, a hanging read) it says so.

use super::Config;
use super::cursor::Cursor;
use super::fetch::Portion;
use super::followed::{Absorbed, Followed, Harvest, Role};
use super::report::{Counters, Health};
use crate::event::{Batch, Freshness, Intake, Origin, Receipt, Source};
use crate::sys::crew::{Crew, Stuck};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Files of one path that are followed at the same time.
pub(super) const GENERATIONS: usize = 16;
/// How long a read on an odd file system may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// When to try again what hung or failed.
const RETRY: Duration = Duration::from_secs(5);
/// How long to wait when too many batches are under way.
const BREATH: Duration = Duration::from_millis(50);
/// A rotation is announced at most this often.
const ANNOUNCE: Duration = Duration::from_secs(10);

/// One path's files.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Oldest first.
    pub(super) files: VecDeque<Followed>,
    /// The last of `files` is what the path names.
    pub(super) has_current: bool,
    /// Read to their ends and let go of; still to be noted down.
    pub(super) retired: Vec<Cursor>,
    /// Inodes whose saved rows are to be deleted.
    pub(super) erased: Vec<u64>,
    /// Lines before this stamp are not judged again.
    pub(super) again_since: i64,
    /// Not to be tried before.
    pub(super) not_before: Option<Instant>,
    pub(super) health: Health,
    /// When the path was last looked at.
    pub(super) sighted: Option<SystemTime>,
    renamed: bool,
    announced: Option<Instant>,
    announcements: Vec<String>,
}

/// What a turn works with.
pub(super) struct Turn<'a> {
    pub(super) intake: &'a Intake,
    pub(super) source: &'a Arc<Source>,
    pub(super) counters: &'a Counters,
    pub(super) own: &'a Counters,
    pub(super) config: &'a Config,
    pub(super) crew: &'a Crew,
    pub(super) portion: &'a mut Portion,
    pub(super) now: Instant,
    pub(super) wall: SystemTime,
    /// The guest ends: everything is read out and let go of.
    pub(super) ending: bool,
    /// Its owner holds so many files open that none is kept without need.
    pub(super) crowded: bool,
}

/// How a turn ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct TurnEnd {
    /// There is more to read at once.
    pub(super) more: bool,
    /// The lane is full: come back when it has room.
    pub(super) full: bool,
    /// The folder must be looked at.
    pub(super) look: bool,
    /// Come back then, at the latest.
    pub(super) due: Option<Instant>,
}

impl TurnEnd {
    fn at(&mut self, due: Instant) {
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
    }
}

impl Tail {
    /// What the path names at the moment.
    pub(super) fn current(&mut self) -> Option<&mut Followed> {
        if self.has_current { self.files.back_mut() } else { None }
    }

    /// Tells whether there is, or will be, something to save.
    pub(super) fn has_unsaved(&self) -> bool {
        !self.retired.is_empty()
            || !self.erased.is_empty()
            || self.files.iter().any(|file| file.role == Role::Follow && file.pending.has_unsaved())
    }

    /// Says once in a while, in OSSEC's words, that something happened to the file.
    pub(super) fn announce(&mut self, text: String, now: Instant) {
        if self.announced.is_none_or(|last| now - last >= ANNOUNCE) {
            self.announced = Some(now);
            self.announcements.push(text);
        }
    }

    /// Reads one portion.
    pub(super) fn turn(&mut self, with: &mut Turn<'_>) -> TurnEnd {
        let mut end = TurnEnd::default();
        if let Some(until) = self.not_before.filter(|until| *until > with.now && !with.ending) {
            end.at(until);
            return end;
        }
        self.not_before = None;
        let mut index = 0;
        while index < self.files.len() {
            if !with.intake.has_room() {
                self.health = Health::Waiting;
                end.full = true;
                return end;
            }
            if self.health == Health::Waiting {
                self.health = Health::Good;
            }
            self.hand_in_announcements(with);
            match self.step(index, with) {
                Step::Next => index += 1,
                Step::Removed => {}
                Step::More => {
                    end.more = true;
                    return end;
                }
                Step::Rewritten => {
                    end.look = true;
                    break;
                }
                Step::Breath => {
                    end.at(with.now + BREATH);
                    return end;
                }
                Step::Failed(health) => {
                    self.health = health;
                    self.not_before = Some(with.now + RETRY);
                    end.at(with.now + RETRY);
                    end.look = true;
                    return end;
                }
            }
        }
        end.look |= std::mem::take(&mut self.renamed);
        let newest = self.files.len().saturating_sub(1 + usize::from(self.has_current));
        for (index, file) in self.files.iter().enumerate() {
            if let Some(due) = file.flush_due(self.idle(file, with.config)) {
                end.at(due);
            }
            if (file.replaced.is_some() && index < newest) || file.links == 0 {
                // Its batches may still be under way: then it is looked at again a little later.
                end.at((file.grown.max(file.replaced.unwrap_or(file.grown)) + with.config.grace).max(with.now + BREATH));
            }
        }
        end
    }

    fn step(&mut self, index: usize, with: &mut Turn<'_>) -> Step {
        let file = &mut self.files[index];
        if file.rewritten {
            return Step::Rewritten;
        }
        let Some(open) = file.file.clone() else {
            // Let go of; it only waits for its batches.
            if std::mem::take(&mut file.must_flush) {
                let harvest = file.flush();
                self.hand_in(index, harvest, with);
                return Step::Next;
            }
            if file.gone && file.pending.is_idle() {
                self.remove(index);
                return Step::Removed;
            }
            return Step::Next;
        };
        if let Role::Again(until) = file.role
            && file.read() >= until
        {
            self.files.remove(index);
            return Step::Removed;
        }
        if file.pending.is_full() {
            return Step::Breath;
        }
        let (offset, seam, most) = (file.read(), file.seam(), file.appetite());
        let fetched = if file.odd {
            with.crew.run(PATIENCE, move || {
                let mut portion = Portion::default();
                portion.fetch(&open, offset, seam, most).map(|()| portion)
            })
        } else {
            Ok(with.portion.fetch(&open, offset, seam, most).map(|()| std::mem::take(with.portion)))
        };
        let portion = match fetched {
            Ok(Ok(portion)) => portion,
            Ok(Err(error)) => return Step::Failed(Health::Unreadable(error.to_string())),
            Err(stuck @ (Stuck::TimeOver | Stuck::TooMany)) => return Step::Failed(Health::Stuck(stuck.to_string())),
            Err(stuck) => return Step::Failed(Health::Unreadable(stuck.to_string())),
        };
        if matches!(self.health, Health::Stuck(_) | Health::Unreadable(_)) {
            self.health = Health::Good;
        }
        let file = &mut self.files[index];
        let (changed, modified) = std::mem::replace(&mut file.changed, (portion.changed, portion.modified));
        // New facts with old contents: another name, or none. The folder's watch does not tell where a link leads here.
        let renamed = changed != 0 && changed != portion.changed && modified == portion.modified;
        let absorbed = file.absorb(&portion, with.now);
        // The buffer goes back to its thread.
        *with.portion = portion;
        match absorbed {
            Absorbed::Some(harvest) => {
                let more = harvest.taken > 0 || harvest.lost > 0 || !harvest.lines.is_empty();
                self.hand_in(index, harvest, with);
                if more { Step::More } else { Step::Next }
            }
            Absorbed::Quiet => {
                self.renamed |= renamed;
                self.rest(index, with)
            }
            Absorbed::Rewritten if file.role != Role::Follow => {
                self.files.remove(index);
                Step::Removed
            }
            Absorbed::Rewritten => {
                self.files[index].rewritten = true;
                Step::Rewritten
            }
        }
    }

    /// A file has been read to its present end.
    fn rest(&mut self, index: usize, with: &mut Turn<'_>) -> Step {
        let idle = self.idle(&self.files[index], with.config);
        let is_current = self.has_current && index + 1 == self.files.len();
        let newest = !with.crowded && index + 1 + usize::from(self.has_current) == self.files.len();
        let file = &mut self.files[index];
        if file.role != Role::Follow {
            self.files.remove(index);
            return Step::Removed;
        }
        let due = file.flush_due(idle).is_some_and(|due| due <= with.now);
        if due || (with.ending && file.flush_due(idle).is_some()) {
            let harvest = file.flush();
            self.hand_in(index, harvest, with);
        }
        let file = &mut self.files[index];
        if with.ending {
            return Step::Next;
        }
        // The last one that was rotated away stays open too: its writer may not have been told for long.
        if (is_current || newest) && file.links > 0 {
            return Step::Next;
        }
        let since = file.replaced.map_or(file.grown, |replaced| replaced.max(file.grown));
        if with.now - since >= with.config.grace && file.pending.is_idle() && !file.has_unfinished() {
            self.retired.push(file.cursor(with.wall, true));
            if is_current {
                self.has_current = false;
            }
            self.remove(index);
            return Step::Removed;
        }
        Step::Next
    }

    fn remove(&mut self, index: usize) {
        if self.has_current && index + 1 == self.files.len() {
            self.has_current = false;
        }
        self.files.remove(index);
    }

    fn idle(&self, file: &Followed, config: &Config) -> Duration {
        if file.waits_for_lines() { config.group_flush.min(config.idle_flush) } else { config.idle_flush }
    }

    fn hand_in(&mut self, index: usize, mut harvest: Harvest, with: &mut Turn<'_>) {
        let again_since = self.again_since;
        let file = &mut self.files[index];
        let freshness = harvest.freshness.unwrap_or(Freshness::Live);
        let mark = file.mark();
        if freshness == Freshness::Again {
            if let Some(stamp) = with.config.rejudge.and_then(|rejudge| rejudge.stamp) {
                let now = seconds(with.wall);
                let bytes = &harvest.bytes;
                harvest.lines.retain(|line| {
                    stamp(&bytes[line.start as usize..line.end as usize], now).is_none_or(|at| at >= again_since)
                });
            }
        } else {
            for counters in [with.counters, with.own] {
                Counters::add(&counters.lines, harvest.lines.len() as u64);
                Counters::add(&counters.lost, harvest.lost);
                Counters::add(&counters.cut, harvest.cut);
                Counters::add(&counters.read, harvest.taken);
                if !harvest.lines.is_empty() {
                    counters.event_at(with.wall);
                }
            }
        }
        if harvest.lines.is_empty() {
            file.pending.push(mark, None);
            return;
        }
        let receipt = if freshness == Freshness::Again {
            Receipt::none()
        } else {
            let (receipt, progress) = Receipt::new();
            file.pending.push(mark, Some(progress));
            receipt
        };
        with.intake.hand_in(Batch {
            source: Arc::clone(with.source),
            inode: file.inode,
            bytes: harvest.bytes,
            lines: harvest.lines,
            freshness,
            read_at: Instant::now(),
            receipt,
        });
    }

    fn hand_in_announcements(&mut self, with: &mut Turn<'_>) {
        for text in self.announcements.drain(..) {
            let source = Source {
                guest: with.source.guest.clone(),
                path: "ossec-logcollector".into(),
                location: "ossec-logcollector".into(),
                label: "ossec-logcollector".into(),
                origin: Origin::Own,
            };
            let end = text.len() as u32;
            with.intake.hand_in(Batch {
                source: Arc::new(source),
                inode: 0,
                bytes: text.into_bytes(),
                lines: vec![crate::event::Line { start: 0, end, offset: 0, cut: false }],
                freshness: Freshness::Live,
                read_at: Instant::now(),
                receipt: Receipt::none(),
            });
        }
    }
}

/// Seconds since 1970.
pub(super) fn seconds(wall: SystemTime) -> i64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Counts and tells bytes that can no longer be read.
pub(super) fn tell_lost(source: &Source, counters: [&Counters; 2], bytes: u64, why: &str) {
    if bytes > 0 {
        for counters in counters {
            Counters::add(&counters.lost, bytes);
        }
        if counters[0].may_tell(SystemTime::now()) {
            tracing::warn!("collect: {}: at least {bytes} bytes lost: {why}", source.location);
        }
    }
}

enum Step {
    /// Nothing more here; the next file.
    Next,
    /// The file is no more; the next one has taken its index.
    Removed,
    More,
    Rewritten,
    Breath,
    Failed(Health),
}
