//! The table of faults.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// What came of one fault, or of several of one kind.
#[derive(Clone, Default)]
pub(crate) struct Row {
    pub(crate) times: usize,
    /// Requests from the fault until the calm after it.
    pub(crate) requests: usize,
    /// How many of them failed, by kind.
    pub(crate) failures: BTreeMap<String, usize>,
    /// From the fault until the last failed request had ended; `None` when none
    /// failed.
    pub(crate) recovery: Option<Duration>,
    /// The longest time that a request took.
    pub(crate) slowest: Duration,
    /// What was acknowledged and is missing.
    pub(crate) lost: usize,
}

impl Row {
    fn add(&mut self, other: Row) {
        self.times += other.times;
        self.requests += other.requests;
        for (kind, number) in other.failures {
            *self.failures.entry(kind).or_default() += number;
        }
        self.recovery = self.recovery.max(other.recovery);
        self.slowest = self.slowest.max(other.slowest);
        self.lost += other.lost;
    }

    fn failures(&self) -> String {
        if self.failures.is_empty() {
            return "none".to_owned();
        }
        let kinds = self.failures.iter();
        let kinds: Vec<_> = kinds
            .map(|(kind, number)| format!("{number} × {kind}"))
            .collect();
        kinds.join(", ")
    }
}

/// The faults so far, those of one kind in one row, in the order of the first.
#[derive(Default)]
pub(crate) struct Report(Vec<(String, Row)>);

impl Report {
    pub(crate) fn add(&mut self, fault: &str, row: Row) {
        println!("{}", line(fault, &row));
        match self.0.iter_mut().find(|(name, _)| name == fault) {
            Some((_, sum)) => sum.add(row),
            None => self.0.push((fault.to_owned(), row)),
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter().map(|(_, row)| row)
    }

    /// In Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from(
            "| fault | times | requests | failures told | longest recovery | slowest answer | lost |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for (fault, row) in &self.0 {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "{}", line(fault, row));
        }
        table
    }
}

fn line(fault: &str, row: &Row) -> String {
    let recovery = row.recovery.map_or("–".to_owned(), |time| {
        format!("{:.1} s", time.as_secs_f64())
    });
    format!(
        "| {fault} | {} | {} | {} | {recovery} | {:.1} s | {} |",
        row.times,
        row.requests,
        row.failures(),
        row.slowest.as_secs_f64(),
        row.lost
    )
}
