//! What a process counts, for Prometheus to read.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::{HistogramOpts, HistogramVec, Opts, Registry, TextEncoder};

pub use prometheus::{IntCounterVec, IntGaugeVec};

/// The metrics of a process. Clones share them, and whoever asks for a name a
/// second time gets the same family: services in one process count together,
/// and tell themselves apart by a label.
///
/// Names and units are Prometheus's: seconds, bytes, `_total` for what only
/// grows.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Families>);

#[derive(Default)]
struct Families {
    registry: Registry,
    known: Mutex<BTreeMap<String, Family>>,
}

#[derive(Clone)]
enum Family {
    Counters(IntCounterVec),
    Gauges(IntGaugeVec),
    Histograms(HistogramVec),
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Metrics {
    /// What only grows; the name ends in `_total`.
    ///
    /// # Panics
    /// When the name or a label is none that Prometheus takes, or the name is
    /// one of another kind: a fault of the code, found when it starts.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let family = self.family(name, || {
            IntCounterVec::new(Opts::new(name, help), labels).map(Family::Counters)
        });
        match family {
            Family::Counters(family) => family,
            _ => panic!("{name} is a counter and something else"),
        }
    }

    /// What goes up and down.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let family = self.family(name, || {
            IntGaugeVec::new(Opts::new(name, help), labels).map(Family::Gauges)
        });
        match family {
            Family::Gauges(family) => family,
            _ => panic!("{name} is a gauge and something else"),
        }
    }

    /// How often something took how long, or was how much; `buckets` are upper
    /// bounds.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        let family = self.family(name, || {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            HistogramVec::new(options, labels).map(Family::Histograms)
        });
        match family {
            Family::Histograms(family) => family,
            _ => panic!("{name} is a histogram and something else"),
        }
    }

    fn family(&self, name: &str, make: impl FnOnce() -> prometheus::Result<Family>) -> Family {
        // A panic below leaves the map as it was.
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = known.get(name) {
            return family.clone();
        }
        let made = make().and_then(|family| {
            self.0.registry.register(match &family {
                Family::Counters(family) => Box::new(family.clone()),
                Family::Gauges(family) => Box::new(family.clone()),
                Family::Histograms(family) => Box::new(family.clone()),
            })?;
            Ok(family)
        });
        match made {
            Ok(family) => {
                known.insert(name.to_owned(), family.clone());
                family
            }
            Err(error) => panic!("the metric {name}: {error}"),
        }
    }

    /// All of it in Prometheus's text format (version 0.0.4).
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Only a writer can fail, and a String never does.
        let _ = TextEncoder::new().encode_utf8(&self.0.registry.gather(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_one_however_often_it_is_asked_for() {
        let metrics = Metrics::default();
        for service in ["auth-service", "profile-service"] {
            let calls = metrics
                .clone()
                .counters("calls_total", "Calls.", &["service"]);
            calls.with_label_values(&[service]).inc();
        }
        let text = metrics.render();
        assert!(text.contains("# TYPE calls_total counter"), "{text}");
        for service in ["auth-service", "profile-service"] {
            let line = format!("calls_total{{service=\"{service}\"}} 1\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
