//! Services that are up, and clients of theirs: several of these may play by turns.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;

use crate::{
    case::Case,
    cpu::Who,
    load::{Player, World},
    machine::{Machine, Product, Runs, Service},
    rounds::{self, Round},
};

/// Services that are up, and clients of theirs.
pub(crate) struct Up {
    crew: Vec<Player>,
    counted: Vec<(&'static str, Who)>,
    // Last: the clients are gone before.
    pub(crate) product: Product,
}

impl Up {
    /// Starts them on a machine's servers, and connects so many clients.
    pub(crate) async fn start(
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

    /// Signs in all who have followers.
    pub(crate) async fn known_world(&mut self) -> anyhow::Result<World> {
        let first = self.crew.first_mut().context("no clients")?;
        crate::run::known_world(first).await
    }

    /// Plays a case for so long.
    pub(crate) async fn turn(
        &mut self,
        world: &Arc<World>,
        case: Case,
        span: Duration,
    ) -> anyhow::Result<Round> {
        rounds::begin(&mut self.crew, world, case, span).await?;
        let (mut round, _) = rounds::turn(&mut self.crew, world, &self.counted, case, span).await?;
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
pub(crate) fn of(round: &Round, name: &str) -> f64 {
    let found = round.by_process.iter().find(|(known, _)| *known == name);
    found.map_or(0.0, |(_, micros)| *micros)
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
