//! `hids replay`: whole files judged as fast as the machine can, as the daemon would.
//!
//! Lines are judged at their own times, as the daemon judges what it reads late (design, decision 4): never before the
//! previous event, never after now. Several files are merged by those times.

#[cfg(test)]
mod tests;

use super::{lines, logtest};
use crate::alert::{self, Meta, Place};
use crate::correlate::{Book, Commons, Firewall, Judge, Judgement};
use crate::event::{Source, Stamp, header};
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How files are judged.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// Judge as lines of this guest.
    pub guest: Option<String>,
    /// The host's name, which stands where a line names no host.
    pub host: String,
    /// Now: no line is judged later.
    pub now: Stamp,
    /// Judge only, write no alerts.
    pub quiet: bool,
}

/// What replaying came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files read.
    pub files: usize,
    /// Lines judged.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Alerts found, those of all guests together included.
    pub alerts: u64,
    /// Lines that were longer than the limit.
    pub cut: u64,
    /// Wall time.
    pub elapsed: Duration,
    /// CPU time of this thread.
    pub cpu: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |time: Duration| match time.as_secs_f64() {
            seconds if seconds > 0.0 => self.events as f64 / seconds,
            _ => 0.0,
        };
        write!(
            f,
            "{} events of {} files in {:.3} s ({:.0} events/s), {:.3} s of CPU ({:.0} events/s), {} alerts",
            self.events,
            self.files,
            self.elapsed.as_secs_f64(),
            rate(self.elapsed),
            self.cpu.as_secs_f64(),
            rate(self.cpu),
            self.alerts
        )?;
        match self.cut {
            0 => Ok(()),
            cut => write!(f, ", {cut} lines cut at {} bytes", lines::LONGEST),
        }
    }
}

/// One file, and the line of it that waits to be judged.
struct Input {
    reader: Box<dyn BufRead>,
    source: Source,
    line: Vec<u8>,
    /// Offset of the line, and of what follows it.
    offset: u64,
    next: u64,
    /// The line's own stamp, and the time at which it is judged.
    stamp: Option<Stamp>,
    time: i64,
    ended: bool,
}

impl Input {
    /// Reads the next line that is long enough to be judged.
    fn advance(&mut self, now: Stamp, summary: &mut Summary) -> io::Result<()> {
        loop {
            let Some(read) = lines::next(&mut self.reader, &mut self.line)? else {
                self.ended = true;
                return Ok(());
            };
            self.offset = self.next;
            self.next += read.taken;
            summary.bytes += read.taken;
            summary.cut += u64::from(read.cut);
            if self.line.len() < 2 {
                continue;
            }
            self.stamp = header::stamp(&self.line, now);
            if let Some(stamp) = self.stamp {
                self.time = stamp.seconds.clamp(self.time.min(now.seconds), now.seconds);
            }
            return Ok(());
        }
    }
}

/// Judges all lines of the files, given with their names; alerts go to `out` as JSON lines.
///
/// # Errors
/// What reading and writing say.
pub fn replay(
    book: Arc<Book>,
    files: Vec<(String, Box<dyn BufRead>)>,
    options: &ReplayOptions,
    out: &mut impl Write,
) -> io::Result<Summary> {
    let (started, cpu) = (Instant::now(), cpu_time());
    let mut summary = Summary { files: files.len(), ..Summary::default() };
    let mut inputs = Vec::new();
    for (name, reader) in files {
        let source = logtest::source(options.guest.as_deref(), &name);
        let mut input =
            Input { reader, source, line: Vec::new(), offset: 0, next: 0, stamp: None, time: i64::MIN, ended: false };
        input.advance(options.now, &mut summary)?;
        inputs.push(input);
    }
    let mut judge = Judge::new(Arc::clone(&book), Firewall::Daemon);
    let mut commons = Commons::new(book);
    let own_host = options.guest.as_deref().unwrap_or(&options.host);
    let mut buffer = Vec::with_capacity(1 << 17);
    let mut clock = i64::MIN;
    while let Some(at) = earliest(&inputs) {
        let input = &mut inputs[at];
        clock = clock.max(input.time);
        // As long as no line had a time, it is now.
        let seconds = if clock == i64::MIN { options.now.seconds } else { clock };
        let time = Stamp { seconds, offset: options.now.offset };
        let judgement = judge.weigh(&input.line, &input.source, own_host, time);
        let place = Place { inode: 0, offset: input.offset };
        summary.events += 1;
        write_alert(&judgement, time, place, input.stamp, options.quiet, &mut summary, &mut buffer);
        if let Some(offer) = judgement.offer() {
            let beyond = commons.weigh(&offer);
            write_alert(&beyond, time, place, input.stamp, options.quiet, &mut summary, &mut buffer);
        }
        if buffer.len() >= 1 << 16 {
            out.write_all(&buffer)?;
            buffer.clear();
        }
        input.advance(options.now, &mut summary)?;
    }
    out.write_all(&buffer)?;
    out.flush()?;
    summary.elapsed = started.elapsed();
    summary.cpu = cpu_time().saturating_sub(cpu);
    Ok(summary)
}

/// The input whose line is judged next.
fn earliest(inputs: &[Input]) -> Option<usize> {
    let open = inputs.iter().enumerate().filter(|(_, input)| !input.ended);
    open.min_by_key(|(_, input)| input.time).map(|(at, _)| at)
}

fn write_alert(
    judgement: &Judgement<'_>,
    time: Stamp,
    place: Place,
    stamp: Option<Stamp>,
    quiet: bool,
    summary: &mut Summary,
    buffer: &mut Vec<u8>,
) {
    let Some(verdict) = judgement.verdict().filter(|verdict| verdict.alert) else { return };
    summary.alerts += 1;
    if quiet {
        return;
    }
    let id = alert::Id { epoch: time.seconds, number: summary.alerts };
    let meta = Meta { id, arrival: time, nanos: 0, place, event_time: stamp };
    alert::format::json::write(buffer, &verdict, &meta);
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
