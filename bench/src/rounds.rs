//! The product's cases and the parts of their floors, by turns: what changes on
//! the machine meanwhile meets both alike.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    case::Case,
    cpu::Who,
    floor::{Floor, Part},
    load::{Player, Times, World, at_once, closed_loop},
    number::{Spread, micros_each, number, quotients},
};

/// Clients at once, each with its own connections.
pub(crate) const PLAYERS: u32 = 32;

/// How often, and for how long: many short rounds, since a shared machine changes by more
/// from one minute to the next than what is to be told.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) case: Duration,
    pub(crate) part: Duration,
    /// At a fixed rate.
    pub(crate) open: Duration,
}

/// What a case did in a round.
#[derive(Default)]
pub(crate) struct Round {
    /// Processor time of each process, in microseconds an operation.
    pub(crate) by_process: Vec<(&'static str, f64)>,
    /// Operations a second.
    pub(crate) rate: f64,
}

impl Round {
    /// All processes together.
    pub(crate) fn total(&self) -> f64 {
        self.by_process.iter().map(|(_, micros)| micros).sum()
    }
}

/// What a case did in all rounds.
pub(crate) struct Measured {
    pub(crate) case: Case,
    pub(crate) rounds: Vec<Round>,
    /// The same without what is not necessary, in microseconds an operation.
    pub(crate) bare: Vec<f64>,
    pub(crate) times: Times,
}

/// All cases, and what the parts cost in each round, in microseconds.
pub(crate) struct Measures {
    pub(crate) cases: Vec<Measured>,
    pub(crate) parts: HashMap<Part, Vec<f64>>,
}

impl Measured {
    /// How many times the bare way it costs, round by round.
    pub(crate) fn to_bare(&self) -> Vec<f64> {
        let bare = self.bare.iter().copied();
        quotients(self.rounds.iter().map(Round::total), bare)
    }

    /// Of what each round tells.
    pub(crate) fn spread(&self, tell: impl Fn(&Round) -> f64) -> Spread {
        Spread::of_each(&self.rounds, tell)
    }
}

impl Measures {
    /// The cost of these parts together, round by round.
    pub(crate) fn cost(&self, parts: &[(Part, u32)]) -> Vec<f64> {
        let rounds = self.parts.values().map(Vec::len).min().unwrap_or(0);
        (0..rounds)
            .map(|round| crate::floor::sum(parts, |part| self.parts[&part][round]))
            .collect()
    }

    /// How many times its floor a case costs, round by round.
    pub(crate) fn ratios(&self, measured: &Measured, parts: &[(Part, u32)]) -> Vec<f64> {
        quotients(measured.rounds.iter().map(Round::total), self.cost(parts))
    }
}

/// Everything that takes part.
pub(crate) struct Players<'a> {
    pub(crate) crew: &'a mut Vec<Player>,
    pub(crate) world: &'a Arc<World>,
    pub(crate) floor: &'a mut Floor,
    pub(crate) counted: Vec<(&'static str, Who)>,
}

/// Plays the rounds, after a short one that nobody counts.
pub(crate) async fn play(
    mut players: Players<'_>,
    cases: &[Case],
    plan: Plan,
) -> anyhow::Result<Measures> {
    let parts = Case::parts_of(cases);
    let mut measures = Measures {
        cases: Vec::new(),
        parts: parts.iter().map(|&part| (part, Vec::new())).collect(),
    };
    for &case in cases {
        players.play(case, plan.case / 4).await?;
        measures.cases.push(Measured {
            case,
            rounds: Vec::new(),
            bare: Vec::new(),
            times: Times::new()?,
        });
        players.floor.way(case, plan.case / 4).await?;
    }
    for &part in &parts {
        players.floor.measure(part, plan.part / 4).await?;
    }
    for round in 1..=plan.rounds {
        println!("round {round} of {}", plan.rounds);
        // The parts are put between the cases, some after each.
        let some = parts.len().div_ceil(cases.len().max(1)).max(1);
        let mut waiting = parts.chunks(some);
        for measured in &mut measures.cases {
            let (round, times) = players.play(measured.case, plan.case).await?;
            measured.rounds.push(round);
            measured.times.add(&times)?;
            let bare = players.floor.way(measured.case, plan.case * 2 / 3).await?;
            measured.bare.extend(bare);
            for &part in waiting.next().unwrap_or_default() {
                let cost = players.floor.measure(part, plan.part).await?;
                measures.parts.entry(part).or_default().push(cost);
            }
        }
    }
    Ok(measures)
}

impl Players<'_> {
    async fn play(&mut self, case: Case, span: Duration) -> anyhow::Result<(Round, Times)> {
        begin(self.crew, self.world, case, span).await?;
        turn(self.crew, self.world, &self.counted, case, span).await
    }
}

/// Has all that a case needs, so that only the case itself is counted.
pub(crate) async fn begin(
    crew: &mut Vec<Player>,
    world: &Arc<World>,
    case: Case,
    span: Duration,
) -> anyhow::Result<()> {
    for player in crew.iter_mut() {
        player.wake().await?;
    }
    if case == Case::WrongCode {
        prepare_wrong(crew, world, span).await?;
    }
    Ok(())
}

/// Asks for as many codes as so long will need.
async fn prepare_wrong(
    crew: &mut Vec<Player>,
    world: &Arc<World>,
    span: Duration,
) -> anyhow::Result<()> {
    const A_SECOND: u64 = 10_000 / crate::load::TRIES;
    let count = u64::try_from(span.as_millis())? * A_SECOND / 1_000 + 1;
    let each = count.div_ceil(u64::from(PLAYERS));
    let asked = at_once(crew, |mut player| {
        let world = world.clone();
        async move {
            let mut fresh = Vec::new();
            for _ in 0..each {
                fresh.push(player.one_to_miss(&world.wrong_phone()).await?);
            }
            Ok((player, fresh))
        }
    });
    world.put_challenges(asked.await?.concat());
    Ok(())
}

/// Plays a case for so long, and counts what these use for it.
pub(crate) async fn turn(
    crew: &mut Vec<Player>,
    world: &Arc<World>,
    counted: &[(&'static str, Who)],
    case: Case,
    span: Duration,
) -> anyhow::Result<(Round, Times)> {
    let before = used_each(counted);
    let done = closed_loop(crew, world, case, span).await?;
    let by_process = since(&before, counted, done.operations);
    let rate = number(done.operations) / done.elapsed.as_secs_f64();
    Ok((Round { by_process, rate }, done.times))
}

/// What each of these has used so far.
pub(crate) fn used_each(counted: &[(&'static str, Who)]) -> Vec<Duration> {
    counted.iter().map(|(_, who)| who.used()).collect()
}

/// What each has used since then, in microseconds an operation.
pub(crate) fn since(
    before: &[Duration],
    counted: &[(&'static str, Who)],
    operations: u64,
) -> Vec<(&'static str, f64)> {
    let each = counted.iter().zip(before);
    each.map(|(&(name, who), &before)| {
        let used = who.used().saturating_sub(before);
        (name, micros_each(used, operations))
    })
    .collect()
}

/// What these have used so far, together.
pub(crate) fn used(counted: &[Who]) -> Duration {
    counted.iter().map(|who| who.used()).sum()
}
