//! How the cost of each operation grows with the users: the same at two sizes, by
//! turns in the same run, and what tables, indexes and challenges take.

mod act;
mod challenges;
mod fill;
mod json;
mod operation;
mod side;
mod sizes;
mod sizing;
mod table;

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::{
    growth::{
        challenges::Held,
        operation::Operation,
        side::{Side, Turn},
        sizes::Relation,
    },
    machine::Machine,
    number::{Spread, ratios},
};

/// Disk that a user at the large size takes while it runs, in bytes: both databases,
/// and the write-ahead log.
const DISK_A_USER: u64 = 3_000;
/// At the small size.
const SMALL: u64 = 10_000;
/// Of which a ratio is taken each.
const ROUNDS: u64 = 12;

/// What `bench growth` takes.
#[derive(Args)]
pub(crate) struct Growth {
    /// Users at the large size: a power of ten. 10000000 takes some 30 GB of disk
    #[arg(long, default_value_t = 1_000_000)]
    users: u64,
    /// A short run with 100,000 users, to see that it works
    #[arg(long)]
    quick: bool,
    /// `shared_buffers` of PostgreSQL, as in postgresql.conf
    #[arg(long, default_value = "128MB")]
    shared_buffers: String,
}

/// All that was measured.
struct Results {
    users: [u64; 2],
    rounds: Vec<(Operation, [Vec<Turn>; 2])>,
    relations: [Vec<Relation>; 2],
    held: Vec<Held>,
    shared_buffers: String,
}

impl Results {
    /// How many times the small size the large one costs, round by round.
    fn ratios(turns: &[Vec<Turn>; 2]) -> Vec<f64> {
        let [small, large] = turns;
        ratios(large, small, |turn| turn.round.total())
    }

    /// What each process used at the large size, in microseconds.
    fn by_process(&self, what: Operation) -> Vec<(&'static str, f64)> {
        let turns = self.rounds.iter().find(|(each, _)| *each == what);
        let Some((_, [_, large])) = turns else {
            return Vec::new();
        };
        let names = large.first().map(|turn| turn.round.by_process.as_slice());
        let names = names.unwrap_or_default().iter().map(|(name, _)| *name);
        names
            .enumerate()
            .map(|(place, name)| {
                let tell = |turn: &Turn| turn.round.by_process.get(place).map_or(0.0, |one| one.1);
                (name, Spread::of_each(large, tell).median)
            })
            .collect()
    }

    fn wal(&self, what: Operation) -> f64 {
        let turns = self.rounds.iter().find(|(each, _)| *each == what);
        turns.map_or(0.0, |(_, [_, large])| {
            Spread::of_each(large, |turn| turn.wal).median
        })
    }
}

/// Measures, prints the tables, and writes them to `out`. Ctrl-C ends everything.
pub(crate) async fn run(growth: &Growth, out: &Path) -> anyhow::Result<()> {
    let logs = out.join("logs");
    let results = tokio::select! {
        results = measure(growth, &logs) => results?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let text = table::text(&results);
    println!("\n{text}");
    crate::report::save(
        out,
        [("growth.md", text), ("growth.json", json::text(&results)?)],
    )
}

async fn measure(growth: &Growth, logs: &Path) -> anyhow::Result<Results> {
    let (users, rounds) = if growth.quick {
        (100_000, 2)
    } else {
        (growth.users, ROUNDS)
    };
    let power = (5..10)
        .map(|power| 10_u64.pow(power))
        .any(|each| each == users);
    ensure!(power, "--users is a power of ten from 100,000 on");
    room_for(users)?;
    println!("starting PostgreSQL, and Redis and the three services for each size");
    let buffers = format!("shared_buffers = {}", growth.shared_buffers);
    let machine = Machine::start_with(&[&buffers, "max_wal_size = 1GB"]);
    let other = machine.beside();
    let mut small = Side::start(machine, SMALL, &logs.join("small")).await?;
    let mut large = Side::start(other, users, &logs.join("large")).await?;
    let mut all: Vec<(Operation, [Vec<Turn>; 2])> =
        Operation::ALL.map(|what| (what, Default::default())).into();
    for round in 0..rounds {
        println!("round {} of {rounds}", round + 1);
        small.begin().await?;
        large.begin().await?;
        for (what, [of_small, of_large]) in &mut all {
            if round % 2 == 0 {
                of_small.push(small.turn(*what, round).await?);
                of_large.push(large.turn(*what, round).await?);
            } else {
                of_large.push(large.turn(*what, round).await?);
                of_small.push(small.turn(*what, round).await?);
            }
        }
    }
    println!("challenges in Redis");
    let held = challenges::measure(|| small.beside(), &logs.join("challenges")).await?;
    Ok(Results {
        users: [SMALL, users],
        rounds: all,
        relations: [small.relations.clone(), large.relations.clone()],
        held,
        shared_buffers: growth.shared_buffers.clone(),
    })
}

/// Refuses to fill the disk: asks `df` for what is free where servers are put.
fn room_for(users: u64) -> anyhow::Result<()> {
    let df = std::process::Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(std::env::temp_dir())
        .output()
        .context("cannot run df")?;
    let free = free(&String::from_utf8_lossy(&df.stdout)).context("df says nothing")?;
    let needed = users * DISK_A_USER;
    ensure!(
        free > needed,
        "{users} users take up to {} GB of disk, and {} are free",
        needed / 1_000_000_000,
        free / 1_000_000_000
    );
    Ok(())
}

/// The number under a line of heads.
fn free(printed: &str) -> Option<u64> {
    printed.lines().nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Round;

    #[test]
    fn a_ratio_is_of_one_round() {
        let turn = |micros| Turn {
            round: Round {
                by_process: vec![("gateway", micros), ("redis", 10.0)],
                rate: 1.0,
            },
            wal: 0.0,
        };
        let turns = [
            vec![turn(90.0), turn(190.0)],
            vec![turn(110.0), turn(290.0)],
        ];
        let ratios = Results::ratios(&turns);
        assert_eq!(ratios.len(), 2);
        assert!((ratios[0] - 1.2).abs() < 1e-9 && (ratios[1] - 1.5).abs() < 1e-9);
    }

    #[test]
    fn what_df_prints_is_read() {
        assert_eq!(free("     Avail\n41234567890\n"), Some(41_234_567_890));
        assert_eq!(free("Avail\n"), None);
    }
}
