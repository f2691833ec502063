//! metrics: registry, naming and label rules; each room registers its own.
//!
//! Holds the [`Registry`]. Comes in: what rooms count ([`Counter`], [`Gauge`], [`Histogram`], singly or as a [`Family`]
//! over labels) and what can only be asked at the moment of a scrape ([`Registry::collect`]). Goes out: the text that
//! Prometheus reads ([`Registry::text`]). Touches nothing but `/proc/self`.
//!
//! The rules: names are `hids_<room>_<noun>_<unit>`, counters end in `_total`, units are base units; labels come from
//! small sets (guest, source, level), never an address, a user or a path that a guest chose. A family holds at most
//! [`MOST_SERIES`] series (or its own cap); what goes beyond is counted under `other`. When a guest is deleted,
//! [`Registry::forget`] drops its series; while it is merely stopped they stay.
#![forbid(unsafe_code)]

mod process;
mod scrape;

pub use scrape::Scrape;

use prometheus::proto;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The media type of [`Registry::text`] (Prometheus's text format).
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Series that one family holds at most, unless it has a cap of its own.
pub const MOST_SERIES: usize = 10_000;

/// The label value under which everything beyond a cap is counted.
pub const OTHER: &str = "other";

/// How the single metrics inside a family are called: unseen, since the family writes its own name and labels.
const INNER: &str = "hids";

/// Label values are cut here, in bytes.
const LONGEST_VALUE: usize = 200;

/// A number that only grows.
pub type Counter = prometheus::IntCounter;
/// A number that rises and falls.
pub type Gauge = prometheus::Gauge;
/// A distribution of measured values.
pub type Histogram = prometheus::Histogram;

/// Counters that differ in `N` labels.
pub type Counters<const N: usize> = Family<Counter, N>;
/// Gauges that differ in `N` labels.
pub type Gauges<const N: usize> = Family<Gauge, N>;
/// Histograms that differ in `N` labels.
pub type Histograms<const N: usize> = Family<Histogram, N>;

/// Metrics of one name that differ in the values of `N` labels. Clones share their series.
pub struct Family<M, const N: usize>(Arc<Shelf<M, N>>);

struct Shelf<M, const N: usize> {
    name: &'static str,
    help: &'static str,
    kind: proto::MetricType,
    labels: [&'static str; N],
    cap: usize,
    make: Box<dyn Fn() -> M + Send + Sync>,
    series: Mutex<BTreeMap<[Box<str>; N], M>>,
}

impl<M, const N: usize> Clone for Family<M, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M, const N: usize> fmt::Debug for Family<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Family({})", self.0.name)
    }
}

/// A lock is only ever held for a look-up, so what a panicking thread left is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(LONGEST_VALUE)]
}

impl<M: Clone, const N: usize> Family<M, N> {
    /// Gives the metric with these label values, made with value 0 if it is new. Keep it: asking again is a look-up
    /// under a lock. Beyond the family's cap the last label becomes `other`.
    pub fn with(&self, values: [&str; N]) -> M {
        let key = values.map(|value| Box::from(cut(value)));
        let mut series = locked(&self.0.series);
        if let Some(metric) = series.get(&key) {
            return metric.clone();
        }
        let mut key = key;
        if series.len() >= self.0.cap
            && let Some(last) = key.last_mut()
        {
            *last = Box::from(OTHER);
            // Far beyond the cap even the labels in front are given up, so that the family stays bounded.
            if series.len() >= self.0.cap.saturating_mul(2) {
                key = std::array::from_fn(|_| Box::from(OTHER));
            }
        }
        series.entry(key).or_insert_with(|| (self.0.make)()).clone()
    }

    /// Drops the series with these label values.
    pub fn remove(&self, values: [&str; N]) {
        locked(&self.0.series).remove(&values.map(|value| Box::from(cut(value))));
    }
}

/// What the registry asks of a family, whatever it counts.
trait Listed: Send + Sync {
    fn family(&self) -> proto::MetricFamily;
    fn forget(&self, label: &str, value: &str);
    fn any(&self) -> &dyn std::any::Any;
}

impl<M, const N: usize> Listed for Family<M, N>
where
    M: prometheus::core::Metric + Send + Sync + 'static,
{
    fn family(&self) -> proto::MetricFamily {
        let shelf = &self.0;
        let series = locked(&shelf.series);
        let metrics = series.iter().map(|(values, metric)| {
            let mut shown = metric.metric();
            shown.set_label(scrape::labels(shelf.labels.iter().zip(values).map(|(name, value)| (*name, &**value))));
            shown
        });
        scrape::family(shelf.name, shelf.help, shelf.kind, metrics.collect())
    }

    fn forget(&self, label: &str, value: &str) {
        if let Some(at) = self.0.labels.iter().position(|name| *name == label) {
            locked(&self.0.series).retain(|values, _| *values[at] != *cut(value));
        }
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

type Collect = Box<dyn Fn(&mut Scrape) + Send + Sync>;

#[derive(Default)]
struct Inner {
    families: Mutex<BTreeMap<&'static str, Box<dyn Listed>>>,
    collects: Mutex<Vec<Arc<Collect>>>,
}

/// All metrics of the process. Clones share it; tests make their own.
#[derive(Clone, Default)]
pub struct Registry(Arc<Inner>);

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(locked(&self.0.families).keys()).finish()
    }
}

impl Registry {
    /// Makes an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// A registry that also tells `hids_build_info` and the `process_*` metrics.
    pub fn of_process() -> Self {
        let registry = Self::new();
        registry.collect(process::collect);
        registry
    }

    /// Registers one counter.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.counters(name, help, []).with([])
    }

    /// Registers counters that differ in labels.
    pub fn counters<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Counters<N> {
        self.counters_capped(name, help, labels, MOST_SERIES)
    }

    /// Registers counters with a cap of their own; what goes beyond is counted under `other`.
    pub fn counters_capped<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        cap: usize,
    ) -> Counters<N> {
        let make = Box::new(|| Counter::new(INNER, INNER).unwrap_or_else(|error| unreachable!("a constant: {error}")));
        self.list(name, help, proto::MetricType::COUNTER, labels, cap, make)
    }

    /// Registers one gauge.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        self.gauges(name, help, []).with([])
    }

    /// Registers gauges that differ in labels.
    pub fn gauges<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Gauges<N> {
        let make = Box::new(|| Gauge::new(INNER, INNER).unwrap_or_else(|error| unreachable!("a constant: {error}")));
        self.list(name, help, proto::MetricType::GAUGE, labels, MOST_SERIES, make)
    }

    /// Registers one histogram with these upper bounds, in the unit that the name ends in.
    pub fn histogram(&self, name: &'static str, help: &'static str, bounds: &'static [f64]) -> Histogram {
        self.histograms(name, help, [], bounds).with([])
    }

    /// Registers histograms that differ in labels.
    pub fn histograms<const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        bounds: &'static [f64],
    ) -> Histograms<N> {
        debug_assert!(bounds.is_sorted(), "{name}: bounds rise");
        let make = Box::new(move || {
            let options = prometheus::HistogramOpts::new(INNER, INNER).buckets(bounds.to_vec());
            Histogram::with_opts(options).unwrap_or_else(|error| unreachable!("rising bounds: {error}"))
        });
        self.list(name, help, proto::MetricType::HISTOGRAM, labels, MOST_SERIES, make)
    }

    /// Registers something that is asked at every scrape, for values that live in a snapshot elsewhere. It must be
    /// quick, and it must not touch files of guests.
    pub fn collect(&self, ask: impl Fn(&mut Scrape) + Send + Sync + 'static) {
        locked(&self.0.collects).push(Arc::new(Box::new(ask)));
    }

    /// Drops, in all families, the series whose label has this value: a guest was deleted.
    pub fn forget(&self, label: &str, value: &str) {
        for family in locked(&self.0.families).values() {
            family.forget(label, value);
        }
    }

    /// Writes all metrics in Prometheus's text format, sorted by name.
    pub fn text(&self) -> String {
        let mut scrape = Scrape::default();
        for family in locked(&self.0.families).values() {
            scrape.add(family.family());
        }
        // Asked outside the lock: whoever answers may register a metric.
        let collects: Vec<_> = locked(&self.0.collects).clone();
        for ask in collects {
            ask(&mut scrape);
        }
        scrape.text()
    }

    /// Gives the family of that name, made if it is new. The same name asked for with other labels or another kind is
    /// a bug of ours; the second family then counts unseen rather than ending the daemon.
    fn list<M, const N: usize>(
        &self,
        name: &'static str,
        help: &'static str,
        kind: proto::MetricType,
        labels: [&'static str; N],
        cap: usize,
        make: Box<dyn Fn() -> M + Send + Sync>,
    ) -> Family<M, N>
    where
        M: prometheus::core::Metric + Clone + Send + Sync + 'static,
    {
        debug_assert!(name.starts_with("hids_"), "{name}: our metrics are called hids_…");
        debug_assert_eq!(
            kind == proto::MetricType::COUNTER,
            name.ends_with("_total"),
            "{name}: counters end in _total"
        );
        let family = Family(Arc::new(Shelf { name, help, kind, labels, cap, make, series: Mutex::default() }));
        let mut families = locked(&self.0.families);
        if let Some(known) = families.get(name) {
            if let Some(known) = known.any().downcast_ref::<Family<M, N>>()
                && known.0.labels == labels
            {
                return known.clone();
            }
            debug_assert!(false, "{name}: registered twice, differently");
            return family;
        }
        families.insert(name, Box::new(family.clone()));
        family
    }
}

#[cfg(test)]
pub(crate) mod tests;
