//! What several of each service cost and do, as far as a few cores can tell.

mod alone;
mod cores;
mod replicas;
mod table;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::bail;
use clap::Args;

use crate::{
    load::{Player, world},
    machine::{Machine, Product},
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
