//! The host's own sets.

use super::call::{Answer, Call, Run};
use super::{Error, Kind};
use crate::sys::ipset::{self, Change};
use std::time::Duration;

/// Runs programs where hids itself runs.
#[derive(Debug, Clone, Copy)]
pub struct Local;

impl Run for Local {
    fn connect(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn lost(&mut self) -> bool {
        false
    }

    fn run(&mut self, call: Call<'_>, limit: Duration) -> Result<Answer, Error> {
        call.run_here(limit)
    }

    fn change(&mut self, changes: &[Change<'_>]) -> Option<Result<(), Error>> {
        Some(ipset::change(changes).map_err(|error| Error::new(Kind::Other, format!("ipset: {error}"))))
    }
}
