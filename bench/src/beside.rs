//! This build of the product beside another one: what a change costs or saves. Both
//! work on the same databases and play by short turns, since what else happens on a
//! machine changes from one minute to the next by more than most changes bring.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{bail, ensure};
use clap::Args;

use crate::{
    case::{Case, Topic},
    load::world,
    machine::{Machine, Runs},
    number::{Spread, ratios},
    report::table::{middle, table},
    rounds::{PLAYERS, Round},
    up::{self, Up},
};

/// What `bench beside` takes.
#[derive(Args)]
pub(crate) struct Beside {
    /// Where the other build's gateway, auth-service and profile-service are
    built: PathBuf,
    /// How often each has its turn
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this; may be given several times
    #[arg(long, value_name = "CASE")]
    only: Vec<Topic>,
}

/// How long a turn is.
const SPAN: Duration = Duration::from_millis(400);

/// A case in both builds, round by round; this one's first.
struct Measured {
    case: Case,
    rounds: [Vec<Round>; 2],
}

/// Measures, prints the tables, and writes them to `out`. Ctrl-C ends everything.
pub(crate) async fn run(beside: &Beside, out: &Path) -> anyhow::Result<()> {
    let logs = out.join("logs");
    let all = tokio::select! {
        all = measure(beside, &logs) => all?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let text = text(&all);
    println!("\n{text}");
    crate::report::save(out, [("beside.md", text)])
}

async fn measure(beside: &Beside, logs: &Path) -> anyhow::Result<Vec<Measured>> {
    let cases = Case::among(&beside.only);
    ensure!(!cases.is_empty(), "what is asked for is no closed loop");
    println!("starting PostgreSQL, Redis and both builds");
    let machine = Machine::start();
    let built = [None, Some(&beside.built)];
    let mut both = Vec::new();
    for (built, name) in built.into_iter().zip(["this", "other"]) {
        let runs = |_| Runs {
            built: built.cloned(),
            ..Runs::ONCE
        };
        both.push(Up::start(&machine, PLAYERS, &logs.join(name), runs).await?);
    }
    world::fill(&machine);
    let mut all: Vec<Measured> = cases
        .into_iter()
        .map(|case| Measured {
            case,
            rounds: [Vec::new(), Vec::new()],
        })
        .collect();
    let world = Arc::new(both[0].known_world().await?);
    for measured in &all {
        for up in &mut both {
            up.turn(&world, measured.case, SPAN).await?;
        }
    }
    for round in 0..beside.rounds {
        for measured in &mut all {
            // Each is the first as often as the other.
            for place in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                let turn = both[place].turn(&world, measured.case, SPAN).await?;
                measured.rounds[place].push(turn);
            }
        }
    }
    Ok(all)
}

fn text(all: &[Measured]) -> String {
    let costs = all.iter().map(|measured| {
        let [this, other] = &measured.rounds;
        let ratio = Spread::of(&ratios(this, other, Round::total));
        let [this, other] = medians(measured, Round::total);
        vec![
            measured.case.name().to_owned(),
            this,
            other,
            format!("**{}**", middle(ratio, 3)),
        ]
    });
    let names = all.iter().flat_map(|measured| {
        let first = measured.rounds[0].first();
        let names = first.map_or(&[][..], |round| &round.by_process);
        names.iter().map(move |&(name, _)| (measured, name))
    });
    let processes = names.map(|(measured, name)| {
        let [this, other] = medians(measured, |round| up::of(round, name));
        vec![format!("{}: {name}", measured.case.name()), this, other]
    });
    table(
        "Processor time of an operation, in µs, medians; their ratio with the middle half of the rounds",
        &["case", "this build", "the other", "this / other"],
        costs,
    ) + &table(
        "The same by process",
        &["case and process", "this build", "the other"],
        processes,
    )
}

/// What the rounds of each build tell.
fn medians(measured: &Measured, tell: impl Fn(&Round) -> f64) -> [String; 2] {
    let rounds = measured.rounds.each_ref();
    rounds.map(|rounds| format!("{:.0}", Spread::of_each(rounds, &tell).median))
}
