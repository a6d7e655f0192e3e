//! One, two and three of each service, by turns: whether an operation costs more
//! when there are more of them. There are more clients then, too: a service that has
//! a third of the work to do is woken up for less of it at once, which is a cost of
//! having too many and not of coordination.

use std::{path::Path, sync::Arc};

use super::Plan;
use crate::{
    case::Case,
    load::World,
    machine::{Machine, Runs, Service},
    number::{Spread, ratios},
    rounds::{PLAYERS, Round},
    up::Up,
};

/// How many there are of the gateway, auth-service and profile-service.
pub(super) const SHAPES: [[usize; 3]; 6] = [
    [1, 1, 1],
    [2, 1, 1],
    [1, 2, 1],
    [1, 1, 2],
    [2, 2, 2],
    [3, 3, 3],
];
/// What is played.
pub(super) const CASES: [Case; 3] = [Case::New, Case::Returning, Case::Profile20];

/// A case with so many replicas, round by round.
pub(super) struct Measured {
    pub(super) case: Case,
    pub(super) shape: [usize; 3],
    pub(super) rounds: Vec<Round>,
}

impl Measured {
    /// How many times as much as the other it costs, round by round.
    pub(super) fn to(&self, other: &Self, tell: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(&ratios(&self.rounds, &other.rounds, tell))
    }
}

pub(super) async fn measure(
    machine: &Machine,
    world: &Arc<World>,
    plan: Plan,
    logs: &Path,
) -> anyhow::Result<Vec<Measured>> {
    let mut up = Vec::new();
    for shape in SHAPES {
        let [gateways, auths, profiles] = shape;
        println!("starting {gateways} + {auths} + {profiles} processes");
        let logs = logs.join(format!("{gateways}-{auths}-{profiles}"));
        let runs = |service| Runs {
            replicas: shape[place(service)],
            ..Runs::ONCE
        };
        let most = shape.into_iter().max().unwrap_or(1);
        let clients = PLAYERS * u32::try_from(most)?;
        up.push(Up::start(machine, clients, &logs, runs).await?);
    }
    let mut all: Vec<Measured> = CASES
        .iter()
        .flat_map(|&case| SHAPES.map(|shape| (case, shape)))
        .map(|(case, shape)| Measured {
            case,
            shape,
            rounds: Vec::new(),
        })
        .collect();
    for case in CASES {
        for up in &mut up {
            up.turn(world, case, plan.span / 4).await?;
        }
    }
    for round in 1..=plan.rounds {
        println!("round {round} of {}", plan.rounds);
        for of_case in all.chunks_mut(SHAPES.len()) {
            for (measured, up) in of_case.iter_mut().zip(&mut up) {
                let round = up.turn(world, measured.case, plan.span).await?;
                measured.rounds.push(round);
            }
        }
    }
    Ok(all)
}

fn place(service: Service) -> usize {
    match service {
        Service::Gateway => 0,
        Service::Auth => 1,
        Service::Profile => 2,
    }
}
