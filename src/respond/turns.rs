//! A queue that serves guests in turn, so that one guest's flood makes no other guest wait behind it.

use ipnet::IpNet;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Networks that wait, each once, by the guest they belong to. As many as there are blocks at most.
#[derive(Debug, Default)]
pub struct Turns {
    waiting: HashMap<Arc<str>, VecDeque<IpNet>>,
    order: VecDeque<Arc<str>>,
    queued: HashSet<IpNet>,
}

impl Turns {
    /// Lets a network wait, unless it does so already.
    pub fn push(&mut self, guest: &Arc<str>, net: IpNet) {
        if !self.queued.insert(net) {
            return;
        }
        let line = self.waiting.entry(Arc::clone(guest)).or_default();
        if line.is_empty() {
            self.order.push_back(Arc::clone(guest));
        }
        line.push_back(net);
    }

    /// The next one: one of each guest, round and round.
    pub fn pop(&mut self) -> Option<IpNet> {
        let guest = self.order.pop_front()?;
        let line = self.waiting.get_mut(&guest)?;
        let net = line.pop_front()?;
        self.queued.remove(&net);
        if line.is_empty() {
            self.waiting.remove(&guest);
        } else {
            self.order.push_back(guest);
        }
        Some(net)
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_guest_does_not_delay_another() {
        let mut turns = Turns::default();
        let (loud, calm): (Arc<str>, Arc<str>) = ("loud".into(), "calm".into());
        for last in 0..100 {
            turns.push(&loud, format!("10.0.0.{last}/32").parse().unwrap());
        }
        turns.push(&loud, "10.0.0.5/32".parse().unwrap());
        turns.push(&calm, "192.0.2.1/32".parse().unwrap());
        let order: Vec<String> = std::iter::from_fn(|| turns.pop()).map(|net| net.to_string()).collect();
        assert_eq!(order[..3], ["10.0.0.0/32", "192.0.2.1/32", "10.0.0.1/32"]);
        assert_eq!(order.len(), 101);
        assert!(turns.is_empty());
        turns.push(&calm, "192.0.2.1/32".parse().unwrap());
        assert_eq!(turns.pop(), Some("192.0.2.1/32".parse().unwrap()));
    }
}
