//! What several of each service cost and do, as far as a few cores can tell.

mod alone;
mod cores;
mod replicas;
mod table;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::bail;
use clap::Args;

use crate::{
    case::Case,
    cpu::Who,
    load::{Player, World, world},
    machine::{Machine, Product, Runs, Service},
    rounds::Round,
};

/// What `bench scale-out` takes.
#[derive(Args)]
pub(crate) struct ScaleOut {
    /// A short run, to see that it works
    #[arg(long)]
    quick: bool,
}

/// How long, and how often.
#[derive(Clone, Copy)]
struct Plan {
    rounds: usize,
    span: Duration,
}

/// Services that are up, and clients of theirs.
struct Up {
    crew: Vec<Player>,
    counted: Vec<(&'static str, Who)>,
    // Last: the clients are gone before.
    product: Product,
}

impl Up {
    async fn start(
        machine: &Machine,
        clients: u32,
        logs: &Path,
        runs: impl Fn(Service) -> Runs,
    ) -> anyhow::Result<Self> {
        let product = Product::start_as(machine, 0, logs, runs)?;
        crate::run::ready(&product).await?;
        let mut counted = product.counted();
        counted.extend(machine.servers());
        Ok(Self {
            crew: Player::crew(clients, &product).await?,
            counted,
            product,
        })
    }

    async fn turn(
        &mut self,
        world: &Arc<World>,
        case: Case,
        span: Duration,
    ) -> anyhow::Result<Round> {
        for player in &mut self.crew {
            player.wake().await?;
        }
        let (mut round, _) =
            crate::rounds::turn(&mut self.crew, world, &self.counted, case, span).await?;
        round.by_process = by_name(&round.by_process);
        Ok(round)
    }
}

/// Replicas of one service together.
fn by_name(each: &[(&'static str, f64)]) -> Vec<(&'static str, f64)> {
    let mut all: Vec<(&'static str, f64)> = Vec::new();
    for &(name, micros) in each {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += micros,
            None => all.push((name, micros)),
        }
    }
    all
}

/// What a name used in a round, in microseconds an operation.
fn of(round: &Round, name: &str) -> f64 {
    let found = round.by_process.iter().find(|(known, _)| *known == name);
    found.map_or(0.0, |(_, micros)| *micros)
}

struct Results {
    replicas: Vec<replicas::Measured>,
    alone: Option<Vec<alone::Measured>>,
}

/// Measures, prints the tables, and writes them to `out`. Ctrl-C ends everything.
pub(crate) async fn run(scale: &ScaleOut, out: &Path) -> anyhow::Result<()> {
    let logs = out.join("logs");
    let results = tokio::select! {
        results = measure(scale, &logs) => results?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let text = table::text(&results);
    println!("\n{text}");
    crate::report::save(
        out,
        [
            ("scale-out.md", text),
            ("scale-out.json", table::json(&results)?),
        ],
    )
}

async fn measure(scale: &ScaleOut, logs: &Path) -> anyhow::Result<Results> {
    let plan = if scale.quick {
        Plan {
            rounds: 2,
            span: Duration::from_millis(400),
        }
    } else {
        Plan {
            rounds: 5,
            span: Duration::from_millis(1_200),
        }
    };
    println!("starting PostgreSQL and Redis");
    // Every process may have 17 connections, and many run at once here.
    let machine = Machine::start_with(&["max_connections = 700"]);
    let first = Product::start(&machine, 0, logs)?;
    crate::run::ready(&first).await?;
    world::fill(&machine);
    let mut player = Player::connect(0, &first).await?;
    let world = Arc::new(crate::run::known_world(&mut player).await?);
    drop((player, first));
    let replicas = replicas::measure(&machine, &world, plan, logs).await?;
    let alone = alone::measure(&machine, &world, plan, logs).await?;
    Ok(Results { replicas, alone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_count_together() {
        let each = [("gateway", 1.0), ("redis", 2.0), ("gateway", 3.0)];
        let round = Round {
            by_process: by_name(&each),
            rate: 1.0,
        };
        assert_eq!(round.by_process, [("gateway", 4.0), ("redis", 2.0)]);
        assert!((of(&round, "gateway") - 4.0).abs() < 1e-9);
        assert!(of(&round, "postgresql").abs() < 1e-9);
    }
}
