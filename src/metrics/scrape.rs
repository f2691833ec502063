//! One scrape: what Prometheus is told this time.

use prometheus::proto::{self, MetricType};
use prometheus::{Encoder as _, TextEncoder};
use std::collections::BTreeMap;

/// Collects the answer to one scrape.
#[derive(Debug, Default)]
pub struct Scrape(BTreeMap<String, proto::MetricFamily>);

impl Scrape {
    /// Tells a value that rises and falls.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, pairs: &[(&'static str, &str)], value: f64) {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        let mut metric = proto::Metric::from_label(labels(pairs.iter().copied()));
        metric.set_gauge(gauge);
        self.add(family(name, help, MetricType::GAUGE, vec![metric]));
    }

    /// Tells a value that only grows; the name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &'static str, pairs: &[(&'static str, &str)], value: f64) {
        debug_assert!(name.ends_with("_total"), "{name}: counters end in _total");
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        let mut metric = proto::Metric::from_label(labels(pairs.iter().copied()));
        metric.set_counter(counter);
        self.add(family(name, help, MetricType::COUNTER, vec![metric]));
    }

    /// Adds to the family of that name. One of another kind is left out: the page must stay readable.
    pub(super) fn add(&mut self, mut family: proto::MetricFamily) {
        match self.0.get_mut(family.name()) {
            None => {
                self.0.insert(family.name().to_owned(), family);
            }
            Some(known) if known.get_field_type() == family.get_field_type() => {
                let mut metrics = known.take_metric();
                metrics.append(&mut family.take_metric());
                known.set_metric(metrics);
            }
            Some(_) => debug_assert!(false, "{}: told with two kinds", family.name()),
        }
    }

    /// Writes it in the text format. Of two series with equal labels the first is told: the second would make the
    /// whole page unreadable.
    pub(super) fn text(mut self) -> String {
        let mut text = String::new();
        for family in self.0.values_mut() {
            let mut metrics = family.take_metric();
            let key = |metric: &proto::Metric| -> Vec<(String, String)> {
                metric.get_label().iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect()
            };
            metrics.sort_by_cached_key(key);
            metrics.dedup_by(|later, first| later.get_label() == first.get_label());
            if metrics.is_empty() {
                continue;
            }
            family.set_metric(metrics);
            let mut one = Vec::new();
            if let Err(error) = TextEncoder::new().encode(std::slice::from_ref(family), &mut one) {
                tracing::error!(metric = family.name(), %error, "a metric cannot be told");
                continue;
            }
            text.push_str(&String::from_utf8_lossy(&one));
        }
        text
    }
}

pub(super) fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<proto::Metric>) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

pub(super) fn labels<'a>(pairs: impl Iterator<Item = (&'static str, &'a str)>) -> Vec<proto::LabelPair> {
    pairs
        .map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        })
        .collect()
}
