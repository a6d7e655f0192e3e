//! The tables, in Markdown: docs/performance.md has them as they are printed.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::{
    case::Case,
    crowd::Crowd,
    memory::Memory,
    number::{Spread, number},
    open::Open,
    rounds::{Measured, Measures},
    run::Results,
};

/// The bound on what waits for a delivery, in MiB and in seconds.
const CROWD_TARGET: &str = "under 1 s and 150 MiB";
const IDLE_TARGET: &str = "under 15 MiB each";

/// All that was measured.
pub(crate) fn text(results: &Results) -> String {
    let mut text = String::new();
    if let Some(measures) = &results.measures {
        text += &ratios(measures);
        text += &processes(measures);
        text += &parts(measures);
    }
    if !results.open.is_empty() {
        text += &open(&results.open);
    }
    if !results.idle.is_empty() {
        text += &idle(&results.idle, &results.after);
    }
    if let Some(all) = &results.crowd {
        text += &crowd(all);
    }
    text
}

/// A table in Markdown under a line that says what it is.
pub(crate) fn table(
    title: &str,
    heads: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let numbers = " ---: |".repeat(heads.len() - 1);
    let mut text = format!("{title}\n\n| {} |\n| --- |{numbers}\n", heads.join(" | "));
    for row in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text + "\n"
}

fn ratios(measures: &Measures) -> String {
    let rows = measures.cases.iter().map(|measured| {
        let case = measured.case;
        let floor = Spread::of(&measures.cost(&case.floor()));
        let ratio = Spread::of(&measures.ratios(measured, &case.floor()));
        let own = Spread::of(&measures.ratios(measured, &case.own_steps()));
        vec![
            case.name().to_owned(),
            middle(measured.spread(|round| round.total() / 1e3), 2),
            middle(floor.scaled(1e-3), 2),
            format!("**{}**", middle(ratio, 2)),
            case.target()
                .map_or("–".to_owned(), |most| format!("≤ {most}")),
            format!("{:.2}", own.median),
            bare(measured),
            format!("{:.0}", measured.spread(|round| round.rate).median),
            times(&measured.times.whole),
        ]
    });
    table(
        "Processor time of an operation, in ms: median of the rounds (their middle half); 32 clients",
        &[
            "case",
            "product",
            "floor",
            "product / floor",
            "target",
            "/ own steps",
            "/ bare way",
            "a second",
            "p50 / p99 / p99.9, ms",
        ],
        rows,
    )
}

/// What the bare way costs, and how many times that the product does.
fn bare(measured: &Measured) -> String {
    let ratio = Spread::of(&measured.to_bare());
    if measured.bare.is_empty() {
        return "–".to_owned();
    }
    let of = Spread::of(&measured.bare).median / 1e3;
    format!("{} of {of:.2}", middle(ratio, 2))
}

fn processes(measures: &Measures) -> String {
    let names: Vec<&str> = measures
        .cases
        .first()
        .and_then(|measured| measured.rounds.first())
        .map(|round| round.by_process.iter().map(|(name, _)| *name).collect())
        .unwrap_or_default();
    let heads: Vec<&str> = ["case"].into_iter().chain(names.iter().copied()).collect();
    let rows = measures.cases.iter().map(|measured| {
        let each = (0..names.len()).map(|place| format!("{:.0}", of_process(measured, place)));
        std::iter::once(measured.case.name().to_owned())
            .chain(each)
            .collect()
    });
    table("The same by process, in µs", &heads, rows)
}

/// What the process at this place used, in microseconds.
pub(super) fn of_process(measured: &Measured, place: usize) -> f64 {
    let tell = |round: &crate::rounds::Round| round.by_process.get(place).map_or(0.0, |one| one.1);
    measured.spread(tell).median
}

fn parts(measures: &Measures) -> String {
    let cases: Vec<Case> = measures.cases.iter().map(|one| one.case).collect();
    let rows = Case::parts_of(&cases).into_iter().map(|part| {
        let costs = measures.parts.get(&part).cloned().unwrap_or_default();
        vec![part.name().to_owned(), middle(Spread::of(&costs), 0)]
    });
    table(
        "Parts of the floors, in µs",
        &["part", "processor time"],
        rows,
    )
}

fn open(all: &[Open]) -> String {
    let rows = all.iter().map(|open| {
        vec![
            open.case.name().to_owned(),
            format!("{:.0}", open.rate),
            times(&open.times.whole),
            millis(open.times.whole.max()),
            open.late.to_string(),
        ]
    });
    table(
        "At a fixed rate: from the moment when it was to begin",
        &[
            "case",
            "a second",
            "p50 / p99 / p99.9, ms",
            "longest, ms",
            "behind at the end",
        ],
        rows,
    )
}

fn idle(before: &[(String, Memory)], after: &[(String, Memory)]) -> String {
    let rows = before.iter().zip(after).map(|((name, idle), (_, after))| {
        vec![
            name.clone(),
            mib(idle.resident),
            mib(idle.proportional),
            mib(after.resident),
            mib(after.peak),
        ]
    });
    table(
        &format!("Memory in MiB; target: {IDLE_TARGET} when idle"),
        &[
            "process",
            "idle, RSS",
            "idle, PSS",
            "after the rounds, RSS",
            "peak",
        ],
        rows,
    )
}

fn crowd(crowd: &Crowd) -> String {
    let each: Vec<String> = crowd
        .peaks
        .iter()
        .map(|(name, peak)| format!("{name} {}", mib(*peak)))
        .collect();
    let row = vec![
        crowd.people.to_string(),
        crowd.refused.to_string(),
        format!("**{:.2} s**", crowd.late()),
        millis(crowd.times.max()),
        format!("**{}**", mib(crowd.peak)),
        format!("{} / {}", mib(crowd.before), mib(crowd.connected)),
        each.join(", "),
    ];
    let mut text = table(
        &format!("Codes asked for at one moment, 1 s of delivery; target: {CROWD_TARGET}"),
        &[
            "requests",
            "refused",
            "p99 − delay",
            "last answer, ms",
            "peak of all three, MiB",
            "before / connected",
            "peak of each",
        ],
        [row],
    );
    if let Some(refusal) = &crowd.refusal {
        let _ = writeln!(text, "The last refusal: {refusal}\n");
    }
    text
}

/// The median, and the least and the most in brackets.
pub(crate) fn spread(spread: Spread, digits: usize) -> String {
    within(spread.median, [spread.least, spread.most], digits)
}

/// The median, and the middle half in brackets.
pub(crate) fn middle(spread: Spread, digits: usize) -> String {
    within(spread.median, spread.middle_half, digits)
}

fn within(median: f64, [from, to]: [f64; 2], digits: usize) -> String {
    format!("{median:.digits$} ({from:.digits$}–{to:.digits$})")
}

fn times(histogram: &Histogram<u64>) -> String {
    let at = |quantile| millis(histogram.value_at_quantile(quantile));
    format!("{} / {} / {}", at(0.5), at(0.99), at(0.999))
}

fn millis(micros: u64) -> String {
    format!("{:.1}", number(micros) / 1e3)
}

fn mib(kib: u64) -> String {
    format!("{:.1}", number(kib) / 1024.0)
}
