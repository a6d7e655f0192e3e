//! The tables, in Markdown, and all figures as JSON.

use serde_json::{Value, json};

use super::{
    Results,
    alone::{self, Turn},
    replicas::{CASES, Measured, SHAPES},
};
use crate::{
    case::Case,
    number::{Spread, ratios},
    report::table::{spread, table},
    rounds::Round,
    up::of,
};

const NAMES: [&str; 5] = [
    "gateway",
    "auth-service",
    "profile-service",
    "postgresql",
    "redis",
];

/// All of it.
pub(super) fn text(results: &Results) -> String {
    let alone = results.alone.as_deref();
    [
        replicas(&results.replicas),
        bottlenecks(&results.replicas),
        alone.map_or_else(one_core, of_one_core),
    ]
    .concat()
}

fn one_core() -> String {
    "One core: none can be had by a service alone.\n".to_owned()
}

fn replicas(all: &[Measured]) -> String {
    let rows = all.chunks(SHAPES.len()).flat_map(|of_case| {
        of_case.iter().map(|measured| {
            let [gateways, auths, profiles] = measured.shape;
            let first = &of_case[0];
            let ratio = measured.to(first, Round::total);
            let own = |name: &'static str| {
                format!("{:.2}", measured.to(first, |round| of(round, name)).median)
            };
            let total = Spread::of_each(&measured.rounds, Round::total);
            let rate = Spread::of_each(&measured.rounds, |round| round.rate);
            let mut row = vec![
                format!(
                    "{}: {gateways} + {auths} + {profiles}",
                    measured.case.name()
                ),
                spread(total.scaled(1e-3), 2),
                format!(
                    "**{:.2}** ({:.2}–{:.2})",
                    ratio.median, ratio.least, ratio.most
                ),
            ];
            row.extend(NAMES.map(|name| {
                if cost(first, name) < 1.0 {
                    "–".to_owned()
                } else {
                    own(name)
                }
            }));
            row.push(format!("{:.0}", rate.median));
            row
        })
    });
    let heads: Vec<&str> = ["replicas", "ms", "to 1 + 1 + 1"]
        .into_iter()
        .chain(NAMES)
        .chain(["a second"])
        .collect();
    table(
        "Processor time of an operation with so many of the gateway, auth-service and \
         profile-service on all cores together, and as many times 32 clients as there are of \
         the most; the ratio of each round, in all and by process",
        &heads,
        rows,
    )
}

/// What a process costs with one of each, in microseconds.
fn cost(measured: &Measured, name: &str) -> f64 {
    Spread::of_each(&measured.rounds, |round| of(round, name)).median
}

/// How many operations a second one core of a process holds.
fn of_a_core(micros: f64) -> Option<f64> {
    (micros >= 1.0).then(|| 1e6 / micros)
}

fn bottlenecks(all: &[Measured]) -> String {
    let first: Vec<&Measured> = all
        .chunks(SHAPES.len())
        .map(|of_case| &of_case[0])
        .collect();
    let more = |name: &str| match name {
        "postgresql" => "more cores of one machine; several databases are not built",
        "redis" => "one core each: masters of a cluster",
        _ => "another replica",
    };
    let rows = NAMES.map(|name| {
        let each = first.iter().map(|measured| {
            let micros = cost(measured, name);
            of_a_core(micros).map_or("–".to_owned(), |held| {
                format!("{held:.0} ({micros:.0} µs)")
            })
        });
        let mut row = vec![name.to_owned()];
        row.extend(each);
        row.push(more(name).to_owned());
        row
    });
    let heads: Vec<&str> = ["process"]
        .into_iter()
        .chain(CASES.map(Case::name))
        .chain(["more of it"])
        .collect();
    table(
        "What one whole core of each process holds, operations a second: 10⁶ ÷ µs, with one of each",
        &heads,
        rows,
    )
}

fn of_one_core(all: &[alone::Measured]) -> String {
    let spread_of = |measured: &alone::Measured, tell: &dyn Fn(&Turn) -> f64| {
        Spread::of_each(&measured.rounds, tell)
    };
    let rows = all.chunks(alone::MOST).flat_map(|of_service| {
        of_service.iter().map(|measured| {
            let name = measured.service.name();
            let own = |turn: &Turn| of(&turn.round, name);
            let first = &of_service[0].rounds;
            let ratios = ratios(&measured.rounds, first, own);
            let micros = spread_of(measured, &own);
            let held = of_a_core(micros.median);
            vec![
                format!("{} of {name}, {}", measured.replicas, measured.case.name()),
                spread(micros, 0),
                spread(Spread::of(&ratios), 2),
                spread(spread_of(measured, &|turn| turn.share), 2),
                spread(spread_of(measured, &|turn| turn.round.rate), 0),
                held.map_or("–".to_owned(), |held| format!("{held:.0}")),
            ]
        })
    });
    table(
        "A service that has one core for itself, everything else on the others",
        &[
            "replicas",
            "µs of the service each",
            "to one replica",
            "share of its core used",
            "a second",
            "a whole core holds",
        ],
        rows,
    )
}

/// All of it, for machines.
pub(super) fn json(results: &Results) -> serde_json::Result<String> {
    let round = |round: &Round| {
        let by_process: Value = round
            .by_process
            .iter()
            .map(|(name, micros)| ((*name).to_owned(), json!(micros)))
            .collect();
        json!({"cpu_us": by_process, "operations_a_second": round.rate})
    };
    let replicas = results.replicas.iter().map(|measured| {
        json!({
            "case": measured.case.name(),
            "replicas": measured.shape,
            "rounds": measured.rounds.iter().map(round).collect::<Value>(),
        })
    });
    let alone = results.alone.iter().flatten().map(|measured| {
        let rounds = measured.rounds.iter();
        json!({
            "service": measured.service.name(),
            "case": measured.case.name(),
            "replicas": measured.replicas,
            "rounds": rounds
                .map(|turn| json!({"cores": turn.share, "round": round(&turn.round)}))
                .collect::<Value>(),
        })
    });
    serde_json::to_string_pretty(&json!({
        "replicas": replicas.collect::<Value>(),
        "alone": alone.collect::<Value>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_holds_as_many_as_fit_into_a_second() {
        assert!(of_a_core(250.0).is_some_and(|held| (held - 4_000.0).abs() < 1e-9));
        assert_eq!(of_a_core(0.2), None);
    }
}
