//! All of it, for machines.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::{
    load::Times,
    memory::Memory,
    number::{Spread, number},
    open::Open,
    rounds::{Measured, Measures},
    run::Results,
};

/// The percentiles that are told.
const QUANTILES: [f64; 6] = [0.5, 0.9, 0.95, 0.99, 0.999, 1.0];

/// A JSON document.
pub(super) fn text(results: &Results) -> serde_json::Result<String> {
    let measures = results.measures.as_ref();
    let plan = results.plan.as_ref().map(|plan| {
        json!({
            "rounds": plan.rounds,
            "case_seconds": plan.case.as_secs_f64(),
            "part_seconds": plan.part.as_secs_f64(),
            "open_seconds": plan.open.as_secs_f64(),
        })
    });
    let crowd = results.crowd.as_ref().map(|crowd| {
        json!({
            "requests": crowd.people,
            "refused": crowd.refused,
            "p99_less_delay_seconds": crowd.late(),
            "times_us": quantiles(&crowd.times),
            "kib": {
                "before": crowd.before,
                "connected": crowd.connected,
                "peak": crowd.peak,
                "peak_of_each": pairs(&crowd.peaks, |kib| json!(kib)),
            },
        })
    });
    serde_json::to_string_pretty(&json!({
        "plan": plan,
        "cases": measures.map(cases),
        "parts_us": measures.map(parts),
        "open": results.open.iter().map(open).collect::<Value>(),
        "idle_kib": pairs(&results.idle, memory),
        "after_kib": pairs(&results.after, memory),
        "crowd": crowd,
    }))
}

fn cases(measures: &Measures) -> Value {
    let one = |measured: &Measured| {
        let case = measured.case;
        let rounds: Value = measured
            .rounds
            .iter()
            .map(|round| {
                json!({
                    "cpu_us": pairs(&round.by_process, |micros| json!(micros)),
                    "operations_a_second": round.rate,
                })
            })
            .collect();
        json!({
            "case": case.name(),
            "operations": measured.times.whole.len(),
            "cpu_us": spread(measured.spread(crate::rounds::Round::total)),
            "floor_us": spread(Spread::of(&measures.cost(&case.floor()))),
            "ratio": spread(Spread::of(&measures.ratios(measured, &case.floor()))),
            "target": case.target(),
            "ratio_to_own_steps": spread(Spread::of(&measures.ratios(measured, &case.own_steps()))),
            "bare_way_us": spread(Spread::of(&measured.bare)),
            "ratio_to_bare_way": spread(Spread::of(&measured.to_bare())),
            "floor_is": case.floor().iter().map(|(part, times)| json!([part.name(), times])).collect::<Value>(),
            "times_us": times(&measured.times, case.steps()),
            "rounds": rounds,
        })
    };
    measures.cases.iter().map(one).collect()
}

fn parts(measures: &Measures) -> Value {
    let mut all: Vec<_> = measures
        .parts
        .iter()
        .map(|(part, costs)| (part.name(), json!(costs)))
        .collect();
    all.sort_by_key(|(name, _)| *name);
    all.into_iter().collect()
}

fn open(open: &Open) -> Value {
    json!({
        "case": open.case.name(),
        "a_second": open.rate,
        "times_us": times(&open.times, open.case.steps()),
        "behind_at_the_end": open.late,
    })
}

fn times(times: &Times, steps: &[&str]) -> Value {
    let steps = steps.iter().zip(&times.steps);
    json!({
        "whole": quantiles(&times.whole),
        "steps": steps.map(|(name, one)| ((*name).to_owned(), quantiles(one))).collect::<Value>(),
    })
}

fn quantiles(histogram: &Histogram<u64>) -> Value {
    let at = |quantile: f64| {
        let name = format!("p{}", number(percent_tenths(quantile)) / 10.0);
        (name, json!(histogram.value_at_quantile(quantile)))
    };
    QUANTILES.into_iter().map(at).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 1,000"
)]
fn percent_tenths(quantile: f64) -> u64 {
    (quantile * 1_000.0).round() as u64
}

fn spread(spread: Spread) -> Value {
    json!({
        "median": spread.median,
        "least": spread.least,
        "most": spread.most,
        "middle_half": spread.middle_half,
    })
}

fn memory(memory: &Memory) -> Value {
    json!({"rss": memory.resident, "pss": memory.proportional, "peak": memory.peak})
}

fn pairs<N: ToString, T>(all: &[(N, T)], tell: impl Fn(&T) -> Value) -> Value {
    all.iter()
        .map(|(name, one)| (name.to_string(), tell(one)))
        .collect()
}
