//! All figures, for machines.

use serde_json::{Value, json};

use super::{Results, Turn, sizing::Line, table::lines};
use crate::number::Spread;

/// All of it, for machines.
pub(super) fn text(results: &Results) -> serde_json::Result<String> {
    let turn = |turn: &Turn| {
        let by_process = turn.round.by_process.iter();
        let by_process: Value = by_process
            .map(|(name, micros)| ((*name).to_owned(), json!(micros)))
            .collect();
        json!({"cpu_us": by_process, "wal_bytes": turn.wal, "operations_a_second": turn.round.rate})
    };
    let operations = results.rounds.iter().map(|(what, turns)| {
        let ratio = Spread::of(&Results::ratios(turns));
        json!({
            "operation": what.name(),
            "ratio": {"median": ratio.median, "least": ratio.least, "most": ratio.most},
            "small": turns[0].iter().map(turn).collect::<Value>(),
            "large": turns[1].iter().map(turn).collect::<Value>(),
        })
    });
    let relations = |place: usize| -> Value {
        let all = results.relations[place].iter();
        all.map(super::Relation::json).collect()
    };
    serde_json::to_string_pretty(&json!({
        "users": results.users,
        "shared_buffers": results.shared_buffers,
        "operations": operations.collect::<Value>(),
        "relations": {"small": relations(0), "large": relations(1)},
        "redis": results.held.iter().map(super::Held::json).collect::<Value>(),
        "sizing": lines(results).iter().map(Line::json).collect::<Value>(),
    }))
}
