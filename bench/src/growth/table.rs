//! The tables, in Markdown, and all figures as JSON.

use super::{
    Results, Turn,
    operation::Operation,
    sizing::{Line, Measured, PATTERN, Pattern},
};
use crate::{
    number::{Spread, number},
    report::table::{spread, table},
    rounds::Round,
};

/// How many times the small size an operation may cost at the large one.
const TARGET: f64 = 1.2;

/// All of it.
pub(super) fn text(results: &Results) -> String {
    [
        costs(results),
        processes(results),
        relations(results),
        held(results),
        sizing(results),
    ]
    .concat()
}

fn count(users: u64) -> String {
    let power = users.checked_ilog10().unwrap_or(0);
    let digits: String = power.to_string().chars().filter_map(raised).collect();
    format!("10{digits}")
}

fn raised(digit: char) -> Option<char> {
    let place = usize::try_from(digit.to_digit(10)?).ok()?;
    "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(place)
}

fn costs(results: &Results) -> String {
    let [small, large] = results.users.map(|users| format!("{} users", count(users)));
    let total = |turn: &Turn| turn.round.total();
    let rows = results.rounds.iter().map(|(what, turns)| {
        let [of_small, of_large] = [&turns[0], &turns[1]];
        let ratio = Spread::of(&Results::ratios(turns));
        let wal = |turns: &[Turn]| {
            if what.writes() {
                let kilobytes = Spread::of_each(turns, |turn| turn.wal / 1e3);
                format!("{:.1}", kilobytes.median)
            } else {
                "–".to_owned()
            }
        };
        vec![
            what.name().to_owned(),
            spread(Spread::of_each(of_small, total), 0),
            spread(Spread::of_each(of_large, total), 0),
            format!(
                "**{:.2}** ({:.2}–{:.2})",
                ratio.median, ratio.least, ratio.most
            ),
            wal(of_small),
            wal(of_large),
        ]
    });
    let title = format!(
        "Processor time of an operation, in µs: median of {} rounds (least–most); target: \
         within {TARGET} ×; shared_buffers {}. Last columns: write-ahead log, kB each",
        results
            .rounds
            .first()
            .map_or(0, |(_, [turns, _])| turns.len()),
        results.shared_buffers
    );
    table(
        &title,
        &[
            "operation",
            &small,
            &large,
            "large / small",
            "WAL, small",
            "WAL, large",
        ],
        rows,
    )
}

fn processes(results: &Results) -> String {
    let names: Vec<&str> = results
        .by_process(Operation::New)
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let heads: Vec<&str> = ["operation"].into_iter().chain(names).collect();
    let rows = results.rounds.iter().map(|(what, turns)| {
        let of = |turns: &[Turn], place: usize| {
            let tell = |round: &Round| round.by_process.get(place).map_or(0.0, |one| one.1);
            Spread::of_each(turns, |turn| tell(&turn.round)).median
        };
        let each = (0..heads.len() - 1)
            .map(|place| format!("{:.0} / {:.0}", of(&turns[0], place), of(&turns[1], place)));
        std::iter::once(what.name().to_owned())
            .chain(each)
            .collect()
    });
    table("The same by process, small / large", &heads, rows)
}

fn relations(results: &Results) -> String {
    let [small, large] = &results.relations;
    let heads = results.users.map(|users| format!("{} users", count(users)));
    let rows = large.iter().map(|relation| {
        let before = small.iter().find(|other| other.name == relation.name);
        let kind = if relation.name == relation.table {
            "table"
        } else {
            "index"
        };
        vec![
            format!("{kind} {}", relation.name),
            relation.rows.to_string(),
            before.map_or("–".to_owned(), |before| format!("{:.0}", before.each())),
            format!("{:.0}", relation.each()),
            format!("{:.1}", number(relation.bytes) / 1e6),
        ]
    });
    table(
        "Tables and indexes: bytes a row, all that is free in them included",
        &["relation", "rows, large", &heads[0], &heads[1], "MB, large"],
        rows,
    )
}

fn held(results: &Results) -> String {
    let rows = results.held.iter().map(|held| {
        let kinds: Vec<String> = held
            .kinds
            .iter()
            .map(|kind| {
                format!(
                    "{} {:.0} B for {:.0} s",
                    kind.name,
                    kind.bytes / f64::from(held.times),
                    kind.life()
                )
            })
            .collect();
        vec![
            held.what.clone(),
            held.times.to_string(),
            format!("{:.0}", held.each()),
            held.held_a_second()
                .map(|bytes| format!("{:.0}", bytes / 1e3))
                .join(" + "),
            kinds.join(", "),
        ]
    });
    table(
        "What is in Redis after it was done so often: bytes each; what one a second holds all \
         the time, in kB (bytes × life), for less than a day + for longer; keys by kind, bytes \
         for each time, and their life",
        &[
            "what",
            "times",
            "bytes each",
            "one a second, kB",
            "of which keys",
        ],
        rows,
    )
}

/// The figures for many users, with their formulas.
pub(super) fn lines(results: &Results) -> Vec<Line> {
    let held = |place: usize| {
        results
            .held
            .get(place)
            .map_or([0.0; 2], super::Held::held_a_second)
    };
    let measured = Measured {
        relations: &results.relations[1],
        new: results.by_process(Operation::New),
        returning: results.by_process(Operation::Returning),
        profile: results.by_process(Operation::Profile20),
        refresh: results.by_process(Operation::Refresh),
        wal: [Operation::New, Operation::Returning, Operation::Refresh]
            .map(|what| results.wal(what)),
        held: [held(0), held(2)],
    };
    PATTERN.lines(&measured)
}

fn sizing(results: &Results) -> String {
    let Pattern {
        users,
        active,
        profiles,
        refreshes,
        days,
        new,
        kept,
        not_entered,
        peak,
        used,
    } = PATTERN;
    let title = format!(
        "For {:.0} million users, derived. Assumed: {:.0} % come on a day, each for {profiles} \
         profiles with 20 followers and {refreshes} refreshes; a user signs in every {days} days, \
         {:.0} % of these are new; a session's row is kept for {kept} days; for each sign-in \
         {not_entered} codes are asked for and not entered; the busiest hour is {peak} × the \
         mean; a core is used to {:.0} % then",
        users / 1e6,
        active * 100.0,
        new * 100.0,
        used * 100.0
    );
    let rows = lines(results).into_iter().map(|line| {
        let digits = [100.0, 10.0]
            .iter()
            .filter(|above| line.value < **above)
            .count();
        vec![
            line.what,
            format!("{:.digits$} {}", line.value, line.unit),
            line.formula.to_owned(),
        ]
    });
    table(&title, &["what", "how much", "formula"], rows)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn powers_of_ten_are_written_as_such() {
        assert_eq!(count(10_000), "10⁴");
        assert_eq!(count(1_000_000), "10⁶");
    }
}
