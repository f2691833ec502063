//! Sets kept by programs: what to say, and where to say it. Where the kernel is at hand it is told directly: a program
//! takes some 2 ms to start, a netlink message 0.1 ms. The programs remain for everything else, and for what fails.

use super::call::{Answer, Call, Run};
use super::{Entry, Error, Kind, Op, Reach, Sets};
use crate::sys::ipset::Change;
use std::net::IpAddr;
use std::time::Duration;

/// One run of a program has this long. Far above any measured time; a hanging one must not hold the worker for ever.
const LIMIT: Duration = Duration::from_secs(10);

/// Text that goes into one run: it fits into a pipe, and a line of an ssh session.
const TEXT_MAX: usize = 32 << 10;

/// What a backend's program wants to hear and how it answers.
pub trait Language {
    /// Reads what kind of sets they are.
    ///
    /// # Errors
    ///
    /// As [`Reach::describe_sets`].
    fn describe(&self, run: &mut dyn Run, create: bool) -> Result<Sets, Error>;

    /// The same as changes that the kernel can be told without a program; none where it must be the program.
    fn changes(&self, _ops: &[Op]) -> Vec<Change<'_>> {
        Vec::new()
    }

    /// Appends one operation to a run's text.
    fn say(&self, op: &Op, into: &mut String);

    /// The run that puts a text into effect.
    fn call<'a>(&self, text: &'a str) -> Call<'a>;

    /// What a failed run means; the index counts the operations of that run.
    fn blame(&self, answer: &Answer) -> Error;

    /// Reads everything that stands in the sets.
    ///
    /// # Errors
    ///
    /// As [`Reach::list`].
    fn list(&self, run: &mut dyn Run) -> Result<Vec<Entry>, Error>;
}

/// A gateway whose sets are kept by programs.
pub struct Programs<L> {
    language: L,
    run: Box<dyn Run>,
}

impl<L: Language> Programs<L> {
    /// Speaks a backend's language at a place.
    pub fn new(language: L, run: Box<dyn Run>) -> Self {
        Self { language, run }
    }
}

/// Runs a question whose failure concerns the whole gateway.
pub(super) fn ask(language: &dyn Language, run: &mut dyn Run, call: Call<'_>) -> Result<String, Error> {
    let answer = run.run(call, LIMIT)?;
    if answer.ok { Ok(answer.text) } else { Err(Error { op: None, ..language.blame(&answer) }) }
}

impl<L: Language> Reach for Programs<L> {
    fn connect(&mut self) -> Result<(), Error> {
        self.run.connect()
    }

    fn lost(&mut self) -> bool {
        self.run.lost()
    }

    fn describe_sets(&mut self, create: bool) -> Result<Sets, Error> {
        self.language.describe(&mut *self.run, create)
    }

    fn apply(&mut self, ops: &[Op]) -> Result<(), Error> {
        let changes = self.language.changes(ops);
        if !changes.is_empty() {
            match self.run.change(&changes) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) if error.kind() == Kind::Changed => return Err(error),
                // The program finds out which one is refused and why, or that nothing is wrong.
                _ => {}
            }
        }
        let mut text = String::new();
        let mut first = 0;
        for (at, op) in ops.iter().enumerate() {
            self.language.say(op, &mut text);
            if text.len() >= TEXT_MAX || at + 1 == ops.len() {
                let answer = self.run.run(self.language.call(&text), LIMIT)?;
                if !answer.ok {
                    let error = self.language.blame(&answer);
                    return Err(Error { op: error.op.map(|op| op + first).filter(|op| *op <= at), ..error });
                }
                text.clear();
                first = at + 1;
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<Entry>, Error> {
        self.language.list(&mut *self.run)
    }

    fn cut(&mut self, addresses: &[IpAddr]) -> Result<(), Error> {
        for address in addresses {
            let answer = self.run.run(Call::Cut(*address), LIMIT)?;
            // conntrack(8) fails too where there was nothing to end.
            if !answer.ok && !answer.text.contains("0 flow entries") {
                let kind = if answer.text.contains("not found") { Kind::NoProgram } else { Kind::Other };
                return Err(Error::new(kind, format!("conntrack: {}", answer.text.trim())));
            }
        }
        Ok(())
    }
}
