//! Sets are compared with the desk, not assumed (decision 6).

use super::block::{Block, State};
use super::clock::Millis;
use super::desk::Desk;
use super::lane::{Lane, Report};
use super::reach::Op;
use super::step::{Step, lasts, step};
use ipnet::IpNet;
use std::collections::HashMap;

impl Desk {
    /// Compares a gateway's sets with the desk: what was lost is put in again, what is over is taken out, what is
    /// foreign is left alone. `have`: what stands in the sets, with the seconds left.
    pub fn reconcile(&mut self, lane: usize, have: &HashMap<IpNet, Option<u64>>, now: Millis) -> Report {
        let mut report = Report::default();
        let mut again = Vec::new();
        let Some(Lane { sets, dry, .. }) = self.lanes.get(lane) else { return report };
        let mut ours = 0;
        for block in self.blocks.values_mut() {
            let step = step(block, lane, sets.as_ref(), *dry, now);
            let Some(place) = block.places.get_mut(lane) else { continue };
            match step {
                Step::Is(state) => {
                    place.state = state;
                    again.push(block.net);
                }
                Step::Tell(Op::Delete { net }) => {
                    ours += usize::from(have.contains_key(&net));
                    again.push(block.net);
                }
                Step::Tell(Op::Add { net, timeout }) => match have.get(&net) {
                    Some(left) => {
                        ours += 1;
                        place.told = true;
                        if lasts(*left, timeout) {
                            report.agree += 1;
                            place.state = State::Active;
                            place.settled = block.revision;
                        } else {
                            again.push(block.net);
                        }
                    }
                    None => {
                        if place.state == State::Active {
                            report.lost += 1;
                            place.state = State::Pending;
                        }
                        again.push(block.net);
                    }
                },
            }
        }
        report.foreign = have.len().saturating_sub(ours);
        for net in again {
            if let Some(turn) = self.blocks.get(&net).map(Block::turn)
                && let Some(lane) = self.lanes.get_mut(lane)
            {
                lane.queue.push(&turn, net);
            }
        }
        report
    }

    /// What takes our entries out of those sets of a gateway that would keep them for ever.
    pub fn farewell(&self, lane: usize) -> Vec<Op> {
        let Some(sets) = self.lanes.get(lane).and_then(|lane| lane.sets.as_ref()) else { return Vec::new() };
        let told = self.blocks.values().filter(|block| block.places.get(lane).is_some_and(|place| place.told));
        let kept = told.filter(|block| sets.of(&block.net).is_some_and(|facts| !facts.timeout));
        kept.map(|block| Op::Delete { net: block.net }).collect()
    }
}
