//! One service has a core for itself, and everything else, the clients too, has the
//! others: what it costs when nobody takes its core away, how far it uses it, and
//! whether two of it on that one core cost more than one.

use std::{path::Path, sync::Arc, time::Instant};

use super::{Plan, cores};
use crate::{
    case::Case,
    cpu::Who,
    load::World,
    machine::{Machine, Runs, Service},
    rounds::Round,
    up::{Up, of},
};

/// Clients.
const CLIENTS: u32 = 64;
/// Replicas of the service.
pub(super) const MOST: usize = 2;

/// So many replicas of a service, round by round.
pub(super) struct Measured {
    pub(super) service: Service,
    pub(super) case: Case,
    pub(super) replicas: usize,
    pub(super) rounds: Vec<Turn>,
}

/// A turn.
pub(super) struct Turn {
    pub(super) round: Round,
    /// What part of its core the service used, all replicas together.
    pub(super) share: f64,
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
    println!("a core for one service at a time");
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
                    built: None,
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
        for _ in 0..plan.rounds {
            for (measured, up) in all.iter_mut().skip(first).zip(&mut up) {
                measured
                    .rounds
                    .push(turn(up, world, measured.service, case, plan).await?);
            }
        }
    }
    Ok(Some(all))
}

async fn turn(
    up: &mut Up,
    world: &Arc<World>,
    service: Service,
    case: Case,
    plan: Plan,
) -> anyhow::Result<Turn> {
    let own: Vec<Who> = up
        .product
        .counted()
        .into_iter()
        .filter(|(name, _)| *name == service.name())
        .map(|(_, who)| who)
        .collect();
    let (begun, before) = (Instant::now(), crate::rounds::used(&own));
    let round = up.turn(world, case, plan.span).await?;
    let used = crate::rounds::used(&own).saturating_sub(before);
    let share = used.as_secs_f64() / begun.elapsed().as_secs_f64();
    anyhow::ensure!(of(&round, service.name()) > 0.0, "it did nothing");
    Ok(Turn { round, share })
}
