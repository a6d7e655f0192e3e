//! One service gets so small a share of a core that it is what all others wait for;
//! then two and three of it get as much each. What they do then is what a replica
//! adds, which two cores could not tell otherwise.
//!
//! The first core is that service's, and is shared with programs that only count:
//! the scheduler gives all who want to run there the same. Everything else, the
//! clients too, has the other cores.

use std::{path::Path, sync::Arc, time::Instant};

use super::{Plan, Up, cores, of};
use crate::{
    case::Case,
    cpu::Who,
    load::World,
    machine::{Machine, Runs, Service},
    program::Program,
    rounds::Round,
};

/// Programs that count, beside the service.
const BUSY: usize = 8;
/// Clients: enough for the service to have work whenever its turn comes.
const CLIENTS: u32 = 384;
pub(super) const MOST: usize = 3;

/// So many replicas of a service, round by round.
pub(super) struct Measured {
    pub(super) service: Service,
    pub(super) case: Case,
    pub(super) replicas: usize,
    pub(super) rounds: Vec<Slice>,
}

/// A turn.
pub(super) struct Slice {
    pub(super) round: Round,
    /// What part of a core the service used, all replicas together.
    pub(super) share: f64,
}

/// The share that so many replicas can have.
pub(super) fn fair(replicas: usize) -> f64 {
    let replicas = crate::number::number(replicas as u64);
    replicas / (replicas + crate::number::number(BUSY as u64))
}

/// `None` where there is one core alone.
pub(super) async fn measure(
    machine: &Machine,
    world: &Arc<World>,
    plan: Plan,
    logs: &Path,
) -> anyhow::Result<Option<Vec<Measured>>> {
    let cores = cores::count();
    if cores < 2 {
        return Ok(None);
    }
    let others = format!("1-{}", cores - 1);
    cores::bind(Who::Process(std::process::id()), &others)?;
    for (_, who) in machine.servers() {
        cores::bind(who, &others)?;
    }
    println!("a small share of a core for one service at a time");
    let count = ["taskset", "-c", "0", "/bin/sh", "-c", "while :; do :; done"];
    let mut all = Vec::new();
    for (service, case) in [
        (Service::Gateway, Case::Profile20),
        (Service::Auth, Case::Returning),
        (Service::Profile, Case::Profile20),
    ] {
        let mut up = Vec::new();
        for replicas in 1..=MOST {
            let logs = logs.join(format!("{}-{replicas}", service.name()));
            let runs = |each: Service| {
                let (replicas, cores) = if each == service {
                    (replicas, "0")
                } else {
                    (1, &*others)
                };
                Runs {
                    replicas,
                    cores: Some(cores.to_owned()),
                }
            };
            let mut started = Up::start(machine, CLIENTS, &logs, runs).await?;
            started.turn(world, case, plan.span / 4).await?;
            up.push(started);
        }
        let first = all.len();
        all.extend((1..=MOST).map(|replicas| Measured {
            service,
            case,
            replicas,
            rounds: Vec::new(),
        }));
        let line = count.map(ToOwned::to_owned);
        let busy: Vec<Program> = (0..BUSY)
            .map(|_| Program::kept("busy", &line, Path::new("/dev/null")))
            .collect::<Result<_, _>>()?;
        for _ in 0..plan.rounds.min(4) {
            for (measured, up) in all.iter_mut().skip(first).zip(&mut up) {
                measured
                    .rounds
                    .push(slice(up, world, measured.service, case, plan).await?);
            }
        }
        drop(busy);
    }
    Ok(Some(all))
}

async fn slice(
    up: &mut Up,
    world: &Arc<World>,
    service: Service,
    case: Case,
    plan: Plan,
) -> anyhow::Result<Slice> {
    let own: Vec<Who> = up
        .product
        .counted()
        .into_iter()
        .filter(|(name, _)| *name == service.name())
        .map(|(_, who)| who)
        .collect();
    let (begun, before) = (Instant::now(), crate::rounds::used(&own));
    let round = up.turn(world, case, plan.span * 2).await?;
    let used = crate::rounds::used(&own).saturating_sub(before);
    let share = used.as_secs_f64() / begun.elapsed().as_secs_f64();
    anyhow::ensure!(of(&round, service.name()) > 0.0, "it did nothing");
    Ok(Slice { round, share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_share_with_those_that_count() {
        assert!((fair(1) - 1.0 / 9.0).abs() < 1e-9);
        assert!((fair(2) - 0.2).abs() < 1e-9);
    }
}
