//! One list of earlier events: those of a watched rule, or of a group.

use std::collections::VecDeque;

/// The hash of a source address; 0 without one. Any hash will do: it only saves comparisons.
pub(super) fn hash(address: Option<&[u8]>) -> u32 {
    let fold = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
    address.map_or(0, |address| address.iter().fold(2_166_136_261, fold) | 1)
}

/// One list: numbers of events, oldest first, and how many of them have a source address of some hash.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    numbers: VecDeque<u64>,
    /// By the low bits of the hash; a power of two, at least as many as there are numbers.
    counts: Vec<u32>,
}

impl List {
    /// The numbers, oldest first.
    pub(super) fn numbers(&self) -> &VecDeque<u64> {
        &self.numbers
    }

    /// Tells whether more than so many events may have a source address of this hash. A no is certain, so a flood from
    /// ever new addresses is not searched for the sake of each.
    pub(super) fn may_hold(&self, source: u32, more_than: u32) -> bool {
        self.place(source).is_some_and(|place| self.counts[place] > more_than)
    }

    fn place(&self, source: u32) -> Option<usize> {
        // The low bits of a product depend on few of the factors' bits, so the high ones are folded in.
        let mixed = source ^ source >> 15;
        (!self.counts.is_empty()).then(|| mixed as usize & (self.counts.len() - 1))
    }

    /// Adds the newest event; `source_of` gives the hash of an event already in the list.
    pub(super) fn push(&mut self, number: u64, source: u32, source_of: impl Fn(u64) -> u32) {
        self.numbers.push_back(number);
        if self.numbers.len() > self.counts.len() {
            self.counts = vec![0; self.numbers.len().next_power_of_two().max(16) * 2];
            for at in 0..self.numbers.len() - 1 {
                self.count(source_of(self.numbers[at]));
            }
        }
        self.count(source);
    }

    fn count(&mut self, source: u32) {
        if let Some(place) = self.place(source) {
            self.counts[place] += 1;
        }
    }

    /// Takes the oldest event out.
    pub(super) fn pop(&mut self, source: u32) {
        if self.numbers.pop_front().is_some()
            && let Some(place) = self.place(source)
        {
            self.counts[place] = self.counts[place].saturating_sub(1);
        }
    }

    pub(super) fn clear(&mut self) {
        if !self.numbers.is_empty() {
            self.numbers.clear();
            self.counts.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_what_comes_and_goes() {
        let mut list = List::default();
        let source_of = |number: u64| hash(Some(&(number % 7).to_le_bytes()));
        for number in 0..1_000 {
            list.push(number, source_of(number), source_of);
            if number >= 100 {
                list.pop(source_of(number - 100));
            }
            let newest = list.numbers().iter().filter(|n| *n % 7 == number % 7).count() as u32;
            assert!(list.may_hold(source_of(number), newest - 1), "{number}");
        }
        assert_eq!(list.numbers().len(), 100);
        let absent = (0..100u64).filter(|n| list.may_hold(hash(Some(&(n + 1_000).to_le_bytes())), 0)).count();
        assert!(absent < 20, "{absent} of 100 addresses that never came");
        list.clear();
        assert!(!list.may_hold(source_of(0), 0));
    }
}
