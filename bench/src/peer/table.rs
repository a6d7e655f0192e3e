//! The tables of the two, in Markdown, and the figures as JSON.

use serde_json::{Value, json};

use super::{Results, Turns};
use crate::{
    crowd::Crowd,
    number::{Spread, ratios},
    report::table::{middle, table},
    rounds::Round,
};

/// All of it.
pub(super) fn text(results: &Results) -> String {
    cases(results) + &processes(results) + &crowds(results)
}

fn cases(results: &Results) -> String {
    let rows = results.cases.iter().map(|(case, turns)| {
        let [product, peer] = turns;
        let cost = |turns: &Turns| middle(of(turns, Round::total).scaled(1e-3), 2);
        let rate = |turns: &Turns| format!("{:.0}", of(turns, |round| round.rate).median);
        let slow = |turns: &Turns| {
            let at = |quantile| turns.times.whole.value_at_quantile(quantile);
            format!("{} / {}", millis(at(0.5)), millis(at(0.99)))
        };
        vec![
            case.name().to_owned(),
            cost(product),
            cost(peer),
            format!("**{}**", middle(ratio(turns), 2)),
            rate(product),
            rate(peer),
            slow(product),
            slow(peer),
        ]
    });
    table(
        "Processor time of an operation, in ms: median of the rounds (their middle half); 32 clients",
        &[
            "case",
            "product",
            "peer",
            "product / peer",
            "a second",
            "peer",
            "p50 / p99, ms",
            "peer",
        ],
        rows,
    )
}

fn processes(results: &Results) -> String {
    let rows = results.cases.iter().map(|(case, [_, peer])| {
        let each = 0..peer
            .rounds
            .first()
            .map_or(0, |round| round.by_process.len());
        let costs = each.map(|place| {
            let tell = |round: &Round| round.by_process.get(place).map_or(0.0, |one| one.1);
            format!("{:.0}", of(peer, tell).median)
        });
        std::iter::once(case.name().to_owned())
            .chain(costs)
            .collect()
    });
    table(
        "The peer's by process, in µs",
        &["case", "node", "postgresql", "redis"],
        rows,
    )
}

fn crowds(results: &Results) -> String {
    let rows = ["product", "peer"].iter().zip(&results.crowds);
    let rows = rows.map(|(who, crowd)| {
        vec![
            (*who).to_owned(),
            crowd.people.to_string(),
            crowd.refused.to_string(),
            format!("{:.2} s", crowd.late()),
            format!("{:.0}", mebibytes(crowd)),
        ]
    });
    table(
        "Codes asked for at one moment, 1 s of delivery",
        &["who", "requests", "refused", "p99 − delay", "peak, MiB"],
        rows,
    )
}

/// All figures.
pub(super) fn json(results: &Results) -> serde_json::Result<String> {
    let turns = |turns: &Turns| -> Value {
        let rounds = turns.rounds.iter().map(|round| {
            let each = round.by_process.iter();
            let each: serde_json::Map<String, Value> = each
                .map(|(name, micros)| ((*name).to_owned(), json!(micros)))
                .collect();
            json!({ "micros": each, "a_second": round.rate })
        });
        rounds.collect()
    };
    let cases: Vec<Value> = results
        .cases
        .iter()
        .map(|(case, [product, peer])| {
            json!({ "case": case.name(), "product": turns(product), "peer": turns(peer) })
        })
        .collect();
    let crowds = results.crowds.iter().map(|crowd| {
        json!({
            "requests": crowd.people, "refused": crowd.refused,
            "late_seconds": crowd.late(), "peak_mebibytes": mebibytes(crowd),
        })
    });
    let crowds: Vec<Value> = crowds.collect();
    serde_json::to_string_pretty(&json!({ "cases": cases, "crowds": crowds }))
}

fn of(turns: &Turns, tell: impl Fn(&Round) -> f64) -> Spread {
    Spread::of_each(&turns.rounds, tell)
}

/// How many times what the peer uses the product does, round by round.
fn ratio([product, peer]: &[Turns; 2]) -> Spread {
    Spread::of(&ratios(&product.rounds, &peer.rounds, Round::total))
}

fn mebibytes(crowd: &Crowd) -> f64 {
    crate::number::number(crowd.peak) / 1024.0
}

fn millis(micros: u64) -> String {
    format!("{:.1}", crate::number::number(micros) * 1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_one_round() {
        let turns = |totals: [f64; 3]| {
            let mut turns = Turns::new().unwrap();
            turns.rounds.extend(totals.map(|micros| Round {
                by_process: vec![("one", micros / 2.0), ("another", micros / 2.0)],
                rate: 1.0,
            }));
            turns
        };
        let found = ratio(&[turns([1.0, 2.0, 9.0]), turns([2.0, 2.0, 3.0])]);
        assert!((found.median - 1.0).abs() < 1e-9);
        assert!((found.least - 0.5).abs() < 1e-9 && (found.most - 3.0).abs() < 1e-9);
    }
}
