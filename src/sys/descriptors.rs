//! How many descriptors the process may have (getrlimit(2)).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What counts as no limit.
const ENDLESS: u64 = 1 << 20;

/// Lifts the limit to what the process is allowed: shells and old service managers begin with 1,024. Gives the limit that
/// is then in force.
pub fn raise() -> u64 {
    let limits = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits });
    limit()
}

/// The limit in force.
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(ENDLESS)
}
