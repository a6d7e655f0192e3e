//! The clients: whole journeys, over connections that stay open.

mod account;
pub(crate) mod grpc;
mod player;
pub(crate) mod rest;
pub(crate) mod world;

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;

pub(crate) use account::Pair;
pub(crate) use player::{Player, another};
pub(crate) use world::{TRIES, World};

use crate::case::Case;

/// The most steps that a journey has.
const MOST_STEPS: usize = 3;
/// The longest time that is told apart.
const LONGEST: Duration = Duration::from_mins(1);

/// Times in microseconds, of whole operations and of their steps.
#[derive(Clone)]
pub(crate) struct Times {
    pub(crate) whole: Histogram<u64>,
    pub(crate) steps: Vec<Histogram<u64>>,
}

impl Times {
    /// Of nothing yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let whole = histogram()?;
        Ok(Self {
            steps: vec![whole.clone(); MOST_STEPS],
            whole,
        })
    }

    /// Notes an operation and its steps.
    pub(crate) fn note(&mut self, whole: Duration, steps: &Steps) {
        self.whole.saturating_record(micros(whole));
        for (histogram, step) in self.steps.iter_mut().zip(&steps.0) {
            histogram.saturating_record(micros(*step));
        }
    }

    /// Takes others in.
    pub(crate) fn add(&mut self, others: &Self) -> anyhow::Result<()> {
        self.whole.add(&others.whole)?;
        for (histogram, other) in self.steps.iter_mut().zip(&others.steps) {
            histogram.add(other)?;
        }
        Ok(())
    }
}

/// For times in microseconds, to three digits.
pub(crate) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, micros(LONGEST), 3)?)
}

/// Whole microseconds, none of them 0.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// How long the steps of an operation took.
#[derive(Default)]
pub(crate) struct Steps(Vec<Duration>);

impl Steps {
    /// Times a step.
    pub(crate) async fn time<T>(&mut self, step: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = step.await;
        self.0.push(begun.elapsed());
        done
    }
}

/// The address that a client comes from: each has its own, so that the limits of
/// one address are never the matter.
pub(crate) fn address_of(client: u32) -> Ipv4Addr {
    const OF_A_PART: u32 = 250;
    let part = |number: u32| u8::try_from(number % OF_A_PART).unwrap_or(0);
    let (middle, high) = (client / OF_A_PART, client / OF_A_PART / OF_A_PART);
    Ipv4Addr::new(127, 1 + part(high), part(middle), 1 + part(client))
}

/// What a closed loop did.
pub(crate) struct Done {
    pub(crate) operations: u64,
    pub(crate) elapsed: Duration,
    pub(crate) times: Times,
}

/// Has every player do this at once; what each made of it.
pub(crate) async fn at_once<T, F>(
    players: &mut Vec<Player>,
    play: impl FnMut(Player) -> F,
) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = anyhow::Result<(Player, T)>> + Send + 'static,
    T: Send + 'static,
{
    let playing: Vec<_> = players.drain(..).map(play).map(tokio::spawn).collect();
    let mut all = Vec::new();
    for playing in playing {
        let (player, made) = playing.await??;
        players.push(player);
        all.push(made);
    }
    Ok(all)
}

/// Every player plays one operation after the other until the time is over or
/// the world has no more for them; those under way are played to their end.
pub(crate) async fn closed_loop(
    players: &mut Vec<Player>,
    world: &Arc<World>,
    case: Case,
    span: Duration,
) -> anyhow::Result<Done> {
    let begun = Instant::now();
    let played = at_once(players, |mut player| {
        let world = world.clone();
        async move {
            let mut times = Times::new()?;
            while begun.elapsed() < span {
                let started = Instant::now();
                let Some(steps) = player.play(case, &world).await? else {
                    break;
                };
                times.note(started.elapsed(), &steps);
            }
            Ok((player, times))
        }
    });
    let played = played
        .await
        .with_context(|| format!("{} did not go through", case.name()))?;
    let mut times = Times::new()?;
    for of_one in &played {
        times.add(of_one)?;
    }
    Ok(Done {
        operations: times.whole.len(),
        elapsed: begun.elapsed(),
        times,
    })
}

#[cfg(test)]
mod tests {
    use super::address_of;

    #[test]
    fn each_client_has_an_address_of_its_own() {
        for (client, address) in [(0, "127.1.0.1"), (249, "127.1.0.250"), (250, "127.1.1.1")] {
            assert_eq!(address_of(client).to_string(), address);
        }
        assert_eq!(address_of(65_536).to_string(), "127.2.12.37");
    }
}
