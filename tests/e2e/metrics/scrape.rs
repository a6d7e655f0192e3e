//! What a scrape brings.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::http::request;

pub(super) type Labels = BTreeSet<String>;

pub(super) type Families = BTreeMap<String, Option<Labels>>;

/// A scrape's text.
pub(super) struct Scrape(pub(super) String);

impl Scrape {
    pub(super) async fn of(url: &str) -> Self {
        let answer = request("GET", url, &[], "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(answer.header("content-type"), format);
        Self(answer.body)
    }

    /// The value of a series, which is there.
    #[track_caller]
    pub(super) fn value(&self, series: &str) -> f64 {
        let of = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let found = self.0.lines().find_map(of);
        found.unwrap_or_else(|| panic!("no {series} in\n{}", self.0))
    }

    #[track_caller]
    pub(super) fn assert(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            let found = self.value(series);
            assert!(
                (found - value).abs() < 0.5,
                "{series}: {found}, not {value}"
            );
        }
    }

    pub(super) fn samples(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter(|line| !line.starts_with('#'))
    }

    /// The names of all families, with the labels that their samples have, if
    /// there are any.
    pub(super) fn families(&self) -> Families {
        let named = self.0.lines().filter_map(|line| {
            let (name, _) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), None))
        });
        let mut families: Families = named.collect();
        for sample in self.samples() {
            let (name, labels) = sample.split_once(['{', ' ']).unwrap();
            let of_histogram = ["_bucket", "_sum", "_count"];
            let family = of_histogram.iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| families.contains_key(*family));
            let known = families.get_mut(family.unwrap_or(name)).unwrap();
            let known = known.get_or_insert_default();
            if sample.contains('{') {
                let (labels, _) = labels.rsplit_once('}').unwrap();
                let names = labels
                    .split("\",")
                    .filter_map(|each| each.split_once("=\""));
                let names = names.map(|(name, _)| name).filter(|name| *name != "le");
                known.extend(names.map(str::to_owned));
            }
        }
        families
    }
}
