//! Figures: percentiles of what was timed, the lines people read, the raw data beside them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where results go: `$HIDS_BENCH_OUT`, else a folder of the build.
pub fn folder() -> PathBuf {
    let named = std::env::var_os("HIDS_BENCH_OUT").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// One part of a run: what it says is shown at once and kept as `PART.txt`.
pub struct Part {
    name: &'static str,
    file: fs::File,
}

impl Part {
    /// Begins the part; what it said before, on the same day, is forgotten. `load` of the machine comes first.
    pub fn begin(name: &'static str) -> Self {
        let file = fs::File::create(folder().join(format!("{name}.txt"))).unwrap();
        let mut part = Self { name, file };
        let load = fs::read_to_string("/proc/loadavg").unwrap();
        let load: Vec<&str> = load.split(' ').take(3).collect();
        part.say(&format!("load of the machine before: {}", load.join(" ")));
        part
    }

    /// One line for people.
    pub fn say(&mut self, line: &str) {
        eprintln!("{line}");
        writeln!(self.file, "{line}").unwrap();
    }

    /// A row of percentiles, and every sample in `PART-SERIES.csv`.
    pub fn series(&mut self, label: &str, series: &Series) {
        self.say(&format!("{label:46} {series}"));
        let words: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.keep(&format!("{words}.csv"), &series.raw());
    }

    /// Raw data, as `PART-NAME`.
    pub fn keep(&self, name: &str, text: &str) {
        fs::write(folder().join(format!("{}-{name}", self.name)), text).unwrap();
    }
}

/// Times of one kind, in the order in which they were taken.
#[derive(Default)]
pub struct Series {
    times: Vec<Duration>,
    /// What never came within the patience of the one who asked.
    pub missing: usize,
}

impl Series {
    /// One more; `None` is one that never came.
    pub fn note(&mut self, time: Option<Duration>) {
        match time {
            Some(time) => self.times.push(time),
            None => self.missing += 1,
        }
    }

    /// The time within which `percent` of them came (nearest rank).
    pub fn percentile(&self, percent: f64) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
    }

    fn raw(&self) -> String {
        let mut text = String::from("milliseconds\n");
        self.times.iter().for_each(|time| text.push_str(&format!("{:.3}\n", milliseconds(*time))));
        (0..self.missing).for_each(|_| text.push_str("never\n"));
        text
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "n {:4}", self.times.len())?;
        for (name, percent) in [("min", 0.0), ("median", 50.0), ("p90", 90.0), ("p99", 99.0), ("max", 100.0)] {
            write!(f, "  {name} {:.2}", milliseconds(self.percentile(percent)))?;
        }
        f.write_str(" ms")?;
        if self.missing > 0 { write!(f, "  NEVER CAME: {}", self.missing) } else { Ok(()) }
    }
}

/// In milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The middle of a few figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let mut series = Series::default();
    (1..=200).rev().for_each(|n| series.note(Some(Duration::from_millis(n))));
    let ranks = [0.0, 50.0, 99.0, 100.0].map(|percent| series.percentile(percent).as_millis());
    assert_eq!(ranks, [1, 100, 198, 200]);
}
