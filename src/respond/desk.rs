//! The desk: all blocks in memory, what is still to be written down, and what each gateway is still to be told.
//!
//! Pure bookkeeping: it knows no file, no thread and no clock. Whoever holds its lock holds it for microseconds.

use super::block::{Aim, Block, BlockView, Place, State};
use super::clock::Millis;
use super::config::Config;
use super::lane::{End, Lane, Task};
use super::ledger::{Line, Record};
use super::limit::{Limit, Tallies};
use super::plan::{Wish, later};
use super::reach::Op;
use super::runlog::Run;
use super::spare::Spare;
use super::step::{Step, step};
use super::turns::Turns;
use ipnet::IpNet;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new block.
    New,
    /// The attacker is blocked already: counted, and the end moved if it is later now.
    Merged,
    /// A limit holds it back.
    Held(Limit),
}

/// All blocks.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) blocks: HashMap<IpNet, Block>,
    tallies: Tallies,
    revision: u64,
    unwritten: Turns,
    gone: Vec<IpNet>,
    runs: Vec<Run>,
    pub lanes: Vec<Lane>,
    /// The scribe is to write what is in hand, and end.
    pub closing: bool,
    /// The workers are to end.
    pub stop: bool,
    /// The earliest end of any block.
    next_end: Option<Millis>,
}

impl Desk {
    /// Takes over what an earlier run wrote down. What is over, or spared by now, is taken out.
    pub fn load(&mut self, records: Vec<Record>, spare: &Spare, now: Millis) {
        for record in records {
            let revision = self.fresh_revision();
            let mut block = Block::from_record(record, now, revision, self.lanes.len());
            if block.aim == Aim::Stand && spare.why(&block.net, block.forced).is_some() {
                block.aim = Aim::Remove;
            }
            if block.aim == Aim::Stand {
                self.tallies.stands(block.guest.as_ref());
                self.next_end = earlier(self.next_end, block.until);
            } else {
                block.places.iter_mut().for_each(|place| place.state = State::Removing);
            }
            let (net, turn) = (block.net, block.turn());
            self.blocks.insert(net, block);
            self.tell_all(net, &turn);
        }
        self.finish_all();
    }

    fn fresh_revision(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    fn tell_all(&mut self, net: IpNet, turn: &Arc<str>) {
        for lane in &mut self.lanes {
            lane.queue.push(turn, net);
        }
    }

    /// A verdict's wish: merged with what stands, or a new block if no limit holds it back.
    pub fn wish(
        &mut self,
        net: IpNet,
        wish: Wish,
        alert: Option<&str>,
        read_at: Instant,
        config: &Config,
        now: Millis,
    ) -> Outcome {
        if let Some(block) = self.blocks.get_mut(&net)
            && block.aim == Aim::Stand
        {
            block.count = block.count.saturating_add(1);
            let until = later(block.until, wish.until);
            let real = block.dry && !wish.dry;
            // Whole seconds are what sets count in; less than that is not worth a word.
            let moved = match (block.until, until) {
                (Some(old), Some(new)) => new - old >= 1_000,
                (old, new) => old != new,
            };
            if moved || real {
                block.until = until;
                block.dry &= wish.dry;
                self.revise(net);
            }
            return Outcome::Merged;
        }
        if let Some(limit) = self.tallies.holds(&wish.guest, config.limits(&wish.guest), now) {
            return Outcome::Held(limit);
        }
        self.tallies.adds(&wish.guest, now);
        let exact = IpNet::from(wish.address);
        self.put(Block {
            net,
            address: (exact != net).then_some(wish.address),
            since: now,
            until: wish.until,
            count: 1,
            guest: Some(wish.guest),
            rule: Some(wish.rule),
            reason: wish.reason,
            alert: alert.map(Arc::from),
            forced: false,
            dry: wish.dry,
            aim: Aim::Stand,
            revision: 0,
            read_at: Some(read_at),
            places: Vec::new(),
        });
        Outcome::New
    }

    /// A block by hand. One that stands takes the new end, whether later or earlier.
    pub fn add(&mut self, net: IpNet, until: Option<Millis>, reason: &str, forced: bool, now: Millis) {
        let standing = self.blocks.get(&net).filter(|block| block.aim == Aim::Stand).cloned();
        let block = match standing {
            Some(block) => {
                Block { until, forced: block.forced || forced, dry: false, reason: Arc::from(reason), ..block }
            }
            None => Block {
                net,
                address: None,
                since: now,
                until,
                count: 1,
                guest: None,
                rule: None,
                reason: Arc::from(reason),
                alert: None,
                forced,
                dry: false,
                aim: Aim::Stand,
                revision: 0,
                read_at: None,
                places: Vec::new(),
            },
        };
        self.put(block);
    }

    /// Puts a block on the desk, over what may still be on its way out.
    fn put(&mut self, mut block: Block) {
        let before = self.blocks.get(&block.net).map(|old| (old.aim, old.places.clone()));
        let fresh = before.as_ref().is_none_or(|(aim, _)| *aim != Aim::Stand);
        block.places = before.map_or_else(|| vec![Place::default(); self.lanes.len()], |(_, places)| places);
        if fresh {
            self.runs.push(Run::add(&block));
        }
        let net = block.net;
        self.blocks.insert(net, block);
        self.revise(net);
    }

    /// Marks a block as changed: to be written down, and then to be told to the gateways.
    fn revise(&mut self, net: IpNet) {
        let revision = self.fresh_revision();
        let Some(block) = self.blocks.get_mut(&net) else { return };
        block.revision = revision;
        let state = if block.aim == Aim::Stand { State::Pending } else { State::Removing };
        for place in &mut block.places {
            // What is in force stays so while its time is moved.
            if place.state != State::Active || block.aim != Aim::Stand {
                place.state = state.clone();
            }
        }
        if block.aim == Aim::Stand {
            self.next_end = earlier(self.next_end, block.until);
        }
        let turn = block.turn();
        self.unwritten.push(&turn, net);
    }

    /// Takes a block out. Tells whether there was one.
    pub fn remove(&mut self, net: &IpNet) -> bool {
        match self.blocks.get_mut(net) {
            Some(block) if block.aim == Aim::Stand => block.aim = Aim::Remove,
            Some(_) => return true,
            None => return false,
        }
        self.ends(*net);
        self.revise(*net);
        true
    }

    fn ends(&mut self, net: IpNet) {
        if let Some(block) = self.blocks.get(&net) {
            self.tallies.ends(block.guest.as_ref());
            self.runs.push(Run::delete(block));
        }
    }

    /// Ends what is over. Gives how many.
    pub fn expire(&mut self, now: Millis) -> usize {
        if self.next_end.is_none_or(|end| end > now) {
            return 0;
        }
        let standing = self.blocks.values().filter(|block| block.aim == Aim::Stand);
        let (mut over, mut next) = (Vec::new(), None);
        for block in standing {
            match block.until {
                Some(until) if until <= now => over.push(block.net),
                until => next = earlier(next, until),
            }
        }
        self.next_end = next;
        for net in &over {
            self.ends(*net);
            if let Some(block) = self.blocks.get_mut(net) {
                block.aim = Aim::Expire;
                block.places.iter_mut().for_each(|place| place.state = State::Removing);
                let turn = block.turn();
                self.tell_all(*net, &turn);
            }
        }
        // A block that no gateway was told of is over at once, though no worker may come by.
        let untold = |block: &Block| block.places.iter().all(|place| !place.told);
        for net in &over {
            if let Some(block) = self.blocks.get_mut(net)
                && untold(block)
            {
                block.places.iter_mut().for_each(|place| place.state = State::Gone);
                self.finish(*net);
            }
        }
        over.len()
    }

    /// Takes out what is spared by now. Gives whom.
    pub fn sweep(&mut self, spare: &Spare) -> Vec<IpNet> {
        let standing = self.blocks.values().filter(|block| block.aim == Aim::Stand);
        let spared: Vec<IpNet> =
            standing.filter(|b| spare.why(&b.net, b.forced).is_some()).map(|block| block.net).collect();
        for net in &spared {
            self.remove(net);
        }
        spared
    }

    /// When the next block ends.
    pub fn next_end(&self) -> Option<Millis> {
        self.next_end
    }

    /// Whether something is to be written down.
    pub fn has_ink(&self) -> bool {
        !self.unwritten.is_empty() || !self.gone.is_empty() || !self.runs.is_empty()
    }

    /// Takes what is to be written down: lines for the ledger, runs for the log, and the networks to hand back to
    /// [`written`](Self::written).
    pub fn take_ink(&mut self, most: usize, now: Millis) -> (Vec<Line>, Vec<Run>, Vec<IpNet>) {
        let mut lines: Vec<Line> = self.gone.drain(..).map(|net| Line::Gone { net }).collect();
        let mut nets = Vec::new();
        while nets.len() < most
            && let Some(net) = self.unwritten.pop()
        {
            if let Some(block) = self.blocks.get(&net) {
                lines.push(Line::Block(block.record(now)));
                nets.push(net);
            }
        }
        (lines, std::mem::take(&mut self.runs), nets)
    }

    /// These have been written down: the gateways may be told.
    pub fn written(&mut self, nets: &[IpNet]) {
        for net in nets {
            if let Some(turn) = self.blocks.get(net).map(Block::turn) {
                self.tell_all(*net, &turn);
            }
        }
    }

    /// Whether a gateway is to be told something.
    pub fn has_work(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| !lane.queue.is_empty())
    }

    /// Takes up to that many tasks for a gateway, guests in turn.
    pub fn take_tasks(&mut self, lane: usize, most: usize, now: Millis) -> Vec<Task> {
        let mut tasks = Vec::new();
        while tasks.len() < most {
            let Some(Lane { queue, sets, dry, .. }) = self.lanes.get_mut(lane) else { break };
            let Some(net) = queue.pop() else { break };
            let Some(block) = self.blocks.get_mut(&net) else { continue };
            let step = step(block, lane, sets.as_ref(), *dry, now);
            let Some(place) = block.places.get_mut(lane) else { continue };
            if matches!(step, Step::Is(_)) {
                place.settled = block.revision;
            }
            match step {
                Step::Tell(op) => {
                    let fresh = !place.told;
                    place.told |= matches!(op, Op::Add { .. });
                    tasks.push(Task { net, revision: block.revision, op, fresh });
                }
                Step::Is(state) => {
                    place.state = state;
                    self.finish(net);
                }
            }
        }
        tasks
    }

    /// Notes how a task ended. Gives, for a block newly in force, when its line was read.
    pub fn settle(&mut self, lane: usize, task: &Task, end: End) -> Option<Instant> {
        let block = self.blocks.get_mut(&task.net)?;
        let turn = block.turn();
        let place = block.places.get_mut(lane)?;
        match end {
            End::Again => {
                if place.state == State::Active {
                    place.state = State::Pending;
                }
                self.lanes.get_mut(lane)?.queue.push(&turn, task.net);
                return None;
            }
            // Changed meanwhile: the queue holds it again, and the newer wish will be told after this one.
            _ if block.revision != task.revision => return None,
            End::Failed(why) => {
                place.state = State::Failed(why);
                place.settled = task.revision;
            }
            End::Done if matches!(task.op, Op::Add { .. }) => {
                place.state = State::Active;
                place.settled = task.revision;
                let last = !block.places.iter().any(|place| place.state == State::Pending);
                return if last { block.read_at.take() } else { block.read_at };
            }
            End::Done => {
                place.state = State::Gone;
                place.told = false;
                self.finish(task.net);
            }
        }
        None
    }

    fn finish(&mut self, net: IpNet) {
        let over =
            |block: &Block| block.aim != Aim::Stand && block.places.iter().all(|place| place.state == State::Gone);
        if self.blocks.get(&net).is_some_and(over) {
            self.blocks.remove(&net);
            self.gone.push(net);
        }
    }

    fn finish_all(&mut self) {
        let nets: Vec<IpNet> = self.blocks.keys().copied().collect();
        nets.into_iter().for_each(|net| self.finish(net));
    }

    /// Gives the desk the gateways of a new configuration; those that stay keep what they know. Ids of lanes no longer
    /// there may still be told to end by their [`Lane::retired`].
    pub fn replace_lanes(&mut self, lanes: Vec<Lane>) {
        let old: HashMap<u64, usize> = self.lanes.iter().enumerate().map(|(at, lane)| (lane.id, at)).collect();
        let from: Vec<Option<usize>> = lanes.iter().map(|lane| old.get(&lane.id).copied()).collect();
        for block in self.blocks.values_mut() {
            let mut places = std::mem::take(&mut block.places);
            block.places = from
                .iter()
                .map(|at| at.and_then(|at| places.get_mut(at)).map(std::mem::take).unwrap_or_default())
                .collect();
        }
        let mut before: Vec<Option<Lane>> = std::mem::take(&mut self.lanes).into_iter().map(Some).collect();
        self.lanes = lanes
            .into_iter()
            .zip(&from)
            .map(|(lane, at)| at.and_then(|at| before.get_mut(at).and_then(Option::take)).unwrap_or(lane))
            .collect();
        let all: Vec<(IpNet, Arc<str>)> = self.blocks.values().map(|block| (block.net, block.turn())).collect();
        for (net, turn) in all {
            self.tell_all(net, &turn);
        }
        self.finish_all();
    }

    /// Whether IPv6 attackers can be blocked by prefix: no set is known to hold single addresses only.
    pub fn takes_networks(&self) -> bool {
        self.lanes.iter().filter_map(|lane| lane.sets.as_ref()?.v6.as_ref()).all(|set| set.networks)
    }

    /// The position of a gateway's lane.
    pub fn lane(&self, id: u64) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.id == id)
    }

    /// Every block on every gateway, in the order of addresses.
    pub fn views(&self) -> Vec<BlockView> {
        let mut blocks: Vec<&Block> = self.blocks.values().collect();
        blocks.sort_by_key(|block| block.net);
        blocks.into_iter().flat_map(|block| self.rows(block)).collect()
    }

    /// One block on every gateway.
    pub fn view(&self, net: &IpNet) -> Vec<BlockView> {
        self.blocks.get(net).map(|block| self.rows(block).collect()).unwrap_or_default()
    }

    fn rows<'a>(&'a self, block: &'a Block) -> impl Iterator<Item = BlockView> + 'a {
        self.lanes.iter().zip(&block.places).map(|(lane, place)| {
            let set = if matches!(block.net, IpNet::V4(_)) { &lane.set_v4 } else { &lane.set_v6 };
            block.view(place, &lane.name, set.as_deref())
        })
    }

    /// Whether something of a block is still to be told to a gateway.
    pub fn unsettled(&self, net: &IpNet) -> bool {
        let open = |block: &Block, place: &Place| {
            matches!(place.state, State::Pending | State::Removing) || place.settled != block.revision
        };
        self.blocks.get(net).is_some_and(|block| block.places.iter().any(|place| open(block, place)))
    }

    /// Number of places by state, in the order of [`State::WORDS`].
    pub fn counts(&self) -> [u64; State::WORDS.len()] {
        let mut counts = [0; State::WORDS.len()];
        for place in self.blocks.values().flat_map(|block| &block.places) {
            if let Some(at) = State::WORDS.iter().position(|word| *word == place.state.word()) {
                counts[at] += 1;
            }
        }
        counts
    }

    /// Number of blocks, those on their way out included.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// All blocks for the ledger.
    pub fn records(&self, now: Millis) -> Vec<Record> {
        self.blocks.values().map(|block| block.record(now)).collect()
    }
}

fn earlier(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
