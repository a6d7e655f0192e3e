//! What a process counts, for Prometheus to read.
//!
//! Labels have few values, all of them known beforehand: nothing that a client
//! sends becomes one. What is counted with every request is looked up once and
//! kept ([`requests`]).

mod page;
mod process;
pub mod requests;

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::{HistogramOpts, Opts, Registry, TextEncoder};

pub use page::{CONTENT_TYPE, Listening, listen};
pub use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// Upper bounds for what takes from a fraction of a millisecond to the longest
/// time that a request may take, in seconds.
pub const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0,
];

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
    known: Mutex<BTreeMap<String, Known>>,
    looks: Mutex<Vec<Look>>,
}

type Look = Box<dyn Fn() + Send + Sync>;

/// A family, and with what it was asked for first.
struct Known {
    family: Family,
    help: String,
    labels: Vec<String>,
}

#[derive(Clone)]
enum Family {
    Counters(IntCounterVec),
    Gauges(IntGaugeVec),
    Histograms(HistogramVec),
    /// Of seconds and their fractions: none of ours, but processes have one.
    Seconds(prometheus::Counter),
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Metrics {
    /// Metrics that begin with those of the process itself: its CPU time, memory,
    /// files and threads, and the version of the program.
    pub fn of_process() -> Self {
        let metrics = Self::default();
        process::add_to(&metrics);
        metrics
    }

    /// What only grows; the name ends in `_total`.
    ///
    /// # Panics
    /// When the name or a label is none that Prometheus takes, or the name is
    /// known with other labels or of another kind: a fault of the code, found
    /// when it starts.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        assert!(name.ends_with("_total"), "{name} is a counter");
        let family = self.family(name, help, labels, || {
            IntCounterVec::new(Opts::new(name, help), labels).map(Family::Counters)
        });
        match family {
            Family::Counters(family) => family,
            _ => panic!("{name} is a counter and something else"),
        }
    }

    /// A counter without labels.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.counters(name, help, &[]).with_label_values(NONE)
    }

    /// Counters of which each has one of these `values` of the label, in their
    /// order. All are there from the start, at 0, so that a rate sees the first
    /// event too.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn counters_of<const N: usize>(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: [&str; N],
    ) -> [IntCounter; N] {
        let family = self.counters(name, help, &[label]);
        values.map(|value| family.with_label_values(&[value]))
    }

    /// What goes up and down.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let family = self.family(name, help, labels, || {
            IntGaugeVec::new(Opts::new(name, help), labels).map(Family::Gauges)
        });
        match family {
            Family::Gauges(family) => family,
            _ => panic!("{name} is a gauge and something else"),
        }
    }

    /// A gauge without labels.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.gauges(name, help, &[]).with_label_values(NONE)
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
        let family = self.family(name, help, labels, || {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            HistogramVec::new(options, labels).map(Family::Histograms)
        });
        match family {
            Family::Histograms(family) => family,
            _ => panic!("{name} is a histogram and something else"),
        }
    }

    /// A histogram without labels.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let family = self.histograms(name, help, &[], buckets);
        family.with_label_values(NONE)
    }

    fn seconds(&self, name: &str, help: &str) -> prometheus::Counter {
        let family = self.family(name, help, &[], || {
            prometheus::Counter::new(name, help).map(Family::Seconds)
        });
        match family {
            Family::Seconds(family) => family,
            _ => panic!("{name} is seconds and something else"),
        }
    }

    /// Looks before each rendering: for gauges of what is there anyway, which
    /// then costs nothing in between. It must not wait.
    pub fn before_each(&self, look: impl Fn() + Send + Sync + 'static) {
        self.looks().push(Box::new(look));
    }

    // A panic leaves both of these as they were.
    fn looks(&self) -> MutexGuard<'_, Vec<Look>> {
        self.0.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn family(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        make: impl FnOnce() -> prometheus::Result<Family>,
    ) -> Family {
        let mut known = self.known();
        if let Some(known) = known.get(name) {
            assert_eq!(known.labels, labels, "the labels of {name}");
            return known.family.clone();
        }
        let made = make().and_then(|family| {
            self.0.registry.register(match &family {
                Family::Counters(family) => Box::new(family.clone()),
                Family::Gauges(family) => Box::new(family.clone()),
                Family::Histograms(family) => Box::new(family.clone()),
                Family::Seconds(family) => Box::new(family.clone()),
            })?;
            Ok(family)
        });
        match made {
            Ok(family) => {
                let labels = labels.iter().map(|&label| label.to_owned()).collect();
                let first = Known {
                    family: family.clone(),
                    help: help.to_owned(),
                    labels,
                };
                known.insert(name.to_owned(), first);
                family
            }
            Err(error) => panic!("the metric {name}: {error}"),
        }
    }

    /// All of it in Prometheus's text format (version 0.0.4). A family that has
    /// counted nothing yet is named all the same.
    pub fn render(&self) -> String {
        self.looks().iter().for_each(|look| look());
        let families = self.0.registry.gather();
        let mut text = String::new();
        // Only a writer can fail, and a String never does.
        let _ = TextEncoder::new().encode_utf8(&families, &mut text);
        let told = |name: &str| families.iter().any(|family| family.name() == name);
        for (name, known) in self.known().iter().filter(|(name, _)| !told(name)) {
            let (help, kind) = (&known.help, known.family.kind());
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        text
    }
}

/// The values of no labels.
const NONE: &[&str] = &[];

impl Family {
    fn kind(&self) -> &'static str {
        match self {
            Self::Counters(_) | Self::Seconds(_) => "counter",
            Self::Gauges(_) => "gauge",
            Self::Histograms(_) => "histogram",
        }
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

    #[test]
    fn counters_of_known_values_are_there_before_they_count() {
        let metrics = Metrics::default();
        let [_, bad] = metrics.counters_of("done_total", "Done.", "outcome", ["good", "bad"]);
        bad.inc();
        let text = metrics.render();
        assert!(text.contains("done_total{outcome=\"good\"} 0\n"), "{text}");
        assert!(text.contains("done_total{outcome=\"bad\"} 1\n"), "{text}");
    }

    #[test]
    fn a_family_without_samples_is_named() {
        let metrics = Metrics::default();
        metrics.histograms("took_seconds", "How long.", &["of"], SECONDS);
        let text = "# HELP took_seconds How long.\n# TYPE took_seconds histogram\n";
        assert_eq!(metrics.render(), text);
    }

    #[test]
    fn a_gauge_may_be_looked_up_before_each_rendering() {
        let metrics = Metrics::default();
        let (gauge, depth) = (metrics.gauge("depth", "Depth."), Arc::new(Mutex::new(7)));
        let seen = depth.clone();
        metrics.before_each(move || gauge.set(*seen.lock().unwrap()));
        assert!(metrics.render().ends_with("depth 7\n"));
        *depth.lock().unwrap() = 3;
        assert!(metrics.render().ends_with("depth 3\n"));
    }

    #[test]
    #[should_panic(expected = "the labels of calls_total")]
    fn a_family_has_its_labels_for_good() {
        let metrics = Metrics::default();
        metrics.counters("calls_total", "Calls.", &["service"]);
        metrics.counters("calls_total", "Calls.", &["method"]);
    }

    #[test]
    #[should_panic(expected = "calls is a counter")]
    fn a_counters_name_says_so() {
        Metrics::default().counter("calls", "Calls.");
    }
}
