//! Writing down how far files have been dealt with: all changed positions in one commit, four times a second.

use super::engine::Engine;
use super::followed::Role;
use super::look::{shelve, shelve_retired};
use super::owner::{Owner, alive_key, alive_value};
use super::place::Place;
use super::shelf::{Saved, key};
use super::tail::Tail;
use crate::store::Table;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

impl Engine {
    /// Commits changed positions until the collector is stopped. Runs on a thread of its own: a commit takes as long as
    /// the disk does.
    pub(super) fn write_down(self: &Arc<Self>) {
        loop {
            {
                let mut unsaved = self.unsaved();
                while unsaved.is_empty() {
                    if self.stopped.load(Ordering::Acquire) {
                        return;
                    }
                    unsaved = self.saving.wait(unsaved).unwrap_or_else(PoisonError::into_inner);
                }
            }
            std::thread::sleep(self.config().commit);
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            self.commit();
        }
    }

    /// Notes all changed positions and commits what is noted. Tells whether batches are still under way somewhere.
    pub(super) fn commit(&self) -> bool {
        let places = std::mem::take(&mut *self.unsaved());
        let mut under_way = false;
        for place in places {
            place.unsaved.store(false, Ordering::Release);
            let open = match place.try_tail() {
                Some(mut tail) => self.note_place(&place, &mut tail),
                None => true,
            };
            if open {
                under_way = true;
                if !place.unsaved.swap(true, Ordering::AcqRel) {
                    self.unsaved().push(place);
                }
            }
        }
        let result = self.store.commit_noted();
        if result.is_ok() {
            let mut departed = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
            departed.retain(|_, places| places.iter().any(|place| place.unsaved.load(Ordering::Acquire)));
        }
        let mut trouble = self.store_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (result, trouble.is_some()) {
            (Ok(_), true) => {
                tracing::info!("collect: positions are committed again");
                *trouble = None;
            }
            (Ok(_), false) => {}
            (Err(error), told) => {
                if !told {
                    tracing::error!("collect: positions are held: {error}");
                }
                *trouble = Some(error.to_string());
                under_way = true;
            }
        }
        under_way
    }

    /// Notes what a place has to save; tells whether batches are still under way.
    fn note_place(&self, place: &Place, tail: &mut Tail) -> bool {
        let owner = &place.owner;
        // Not now: what came after the last look is still to be found at the next start.
        let looked = tail.sighted.unwrap_or_else(SystemTime::now);
        let all = self.finishing.load(Ordering::Acquire);
        let erased = std::mem::take(&mut tail.erased);
        for inode in &erased {
            self.store.note(Table::Positions, &key(&owner.key, &place.path, *inode), None);
        }
        shelve_retired(owner, &self.store, &place.path, tail);
        let (mut open, mut any) = (false, false);
        for file in tail.files.iter_mut().filter(|file| file.role == Role::Follow) {
            let changed = file.pending.settle();
            open |= !file.pending.is_idle();
            if !file.gone && (changed || all || !erased.is_empty()) {
                let row = key(&owner.key, &place.path, file.inode);
                self.store.note(Table::Positions, &row, Some(file.cursor(looked, false).encode()));
                any = true;
            }
        }
        if any && owner.noted.load(Ordering::Acquire) {
            self.store.note(Table::Known, &alive_key(&owner.key), Some(alive_value(owner.last_look())));
        }
        place.publish(tail);
        open
    }

    /// Notes the positions of all of an owner's places.
    pub(super) fn note_positions(&self, owner: &Owner) {
        for place in owner.places() {
            if let Some(mut tail) = place.tail_soon() {
                self.note_place(&place, &mut tail);
                if tail.has_unsaved() {
                    self.save_soon(&place);
                }
            }
        }
    }

    /// Takes a place's open files back onto its owner's shelf, with the batches that are still under way.
    pub(super) fn retire_place(&self, owner: &Owner, place: &Arc<Place>) {
        let Some(mut tail) = place.tail_soon() else { return };
        self.note_place(place, &mut tail);
        for saved in unload(&mut tail) {
            shelve(owner, &self.store, &place.path, saved);
        }
        drop(tail);
        place.release();
    }

    /// Commits until nothing is under way or the deadline is over; tells whether all is saved.
    pub(super) fn commit_until(&self, deadline: Instant) -> bool {
        loop {
            if !self.commit() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Takes the files out of a tail, as cursors that go on where they were handed on, if their batches are not dropped.
pub(super) fn unload(tail: &mut Tail) -> Vec<Saved> {
    let looked = tail.sighted.unwrap_or_else(SystemTime::now);
    let files = std::mem::take(&mut tail.files);
    tail.has_current = false;
    let mut saved = Vec::new();
    for mut file in files {
        if file.role != Role::Follow || file.gone {
            continue;
        }
        file.pending.settle();
        let settled = file.cursor(looked, false);
        let under_way = !file.pending.is_idle() && !file.pending.is_held();
        if under_way {
            let mark = file.mark();
            let pending = std::mem::take(&mut file.pending);
            saved.push(Saved { cursor: settled.at(&mark), pending: Some(pending) });
        } else {
            saved.push(Saved { cursor: settled, pending: None });
        }
    }
    saved
}
