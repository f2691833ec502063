//! What a gateway has to be told of one block now.

use super::block::{Aim, Block, State};
use super::clock::Millis;
use super::reach::ipset::TIMEOUT_MAX;
use super::reach::{Op, Sets};
use ipnet::IpNet;

/// What is to be done about a block on one gateway.
pub(super) enum Step {
    /// The gateway is to be told this.
    Tell(Op),
    /// Nothing is to be told; this is how it stands.
    Is(State),
}

/// What a gateway has to be told of a block now, if anything.
pub(super) fn step(block: &Block, lane: usize, sets: Option<&Sets>, dry: bool, now: Millis) -> Step {
    let told = block.places.get(lane).is_some_and(|place| place.told);
    let facts = sets.and_then(|sets| sets.of(&block.net));
    let whole = block.net.prefix_len() == block.net.max_prefix_len();
    let exact = facts.is_some_and(|facts| !whole && !facts.networks);
    // A set of single addresses: of a prefix that was only widened, the attacker itself.
    let net = if exact { block.address.map(IpNet::from) } else { Some(block.net) };
    match (block.aim, facts, net) {
        (Aim::Stand, ..) if dry || block.dry => Step::Is(State::DryRun),
        (Aim::Stand, None, _) => {
            let family = if matches!(block.net, IpNet::V4(_)) { "IPv4" } else { "IPv6" };
            Step::Is(State::Failed(format!("the gateway has no set for {family}")))
        }
        (Aim::Stand, Some(facts), None) => {
            Step::Is(State::Failed(format!("set {} holds single addresses, no networks", facts.name)))
        }
        (Aim::Stand, Some(facts), Some(net)) => {
            // At least one second: 0 would be for ever.
            let left = block.until.map_or(0, |until| (until.saturating_sub(now).saturating_add(999) / 1_000).max(1));
            let timeout = facts.timeout.then(|| u64::try_from(left).unwrap_or(0));
            Step::Tell(Op::Add { net, timeout })
        }
        // The set lets go by itself what it was given a time for.
        (Aim::Expire, Some(facts), _) if facts.timeout => Step::Is(State::Gone),
        (_, Some(_), Some(net)) if told && !dry => Step::Tell(Op::Delete { net }),
        _ => Step::Is(State::Gone),
    }
}

/// Whether what a set has left of an entry is enough; it may be longer, and two seconds are rounding.
pub(super) fn lasts(left: Option<u64>, wanted: Option<u64>) -> bool {
    match (left, wanted) {
        (None, _) | (_, None) | (Some(0), _) => true,
        (Some(_), Some(0)) => false,
        // What is longer than a set can hold is asked for again when half of it is over.
        (Some(left), Some(wanted)) if wanted > TIMEOUT_MAX => left > TIMEOUT_MAX / 2,
        (Some(left), Some(wanted)) => left + 2 >= wanted,
    }
}
