//! Journeys at a fixed rate, whether the earlier ones are done or not: a time is
//! from the moment when a journey was to begin, so that a product that stands
//! still for a while does not hide those who would have come meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    case::Case,
    load::{Player, Times, World, at_once},
    number::number,
};

/// Clients that are there to begin journeys.
pub(crate) const PLAYERS: u32 = 128;

/// What a fixed rate did.
pub(crate) struct Open {
    pub(crate) case: Case,
    /// Journeys that were to begin in a second.
    pub(crate) rate: f64,
    pub(crate) times: Times,
    /// How many were still under way at the end of the time.
    pub(crate) late: u64,
}

/// Plays `case` so many times a second for so long.
pub(crate) async fn play(
    crew: &mut Vec<Player>,
    world: &Arc<World>,
    case: Case,
    rate: f64,
    span: Duration,
) -> anyhow::Result<Open> {
    let gap = Duration::from_secs_f64(1.0 / rate.max(1.0));
    let beginnings = (span.as_secs_f64() / gap.as_secs_f64()).floor();
    let turns = Arc::new(Semaphore::new(0));
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now() + Duration::from_millis(20);
    // A thread that sleeps is on time to some 50 µs; Tokio's timer, to 1 ms.
    let clock = {
        let turns = turns.clone();
        std::thread::spawn(move || {
            let mut intended = begun;
            while intended < begun + span {
                std::thread::sleep(intended.saturating_duration_since(Instant::now()));
                turns.add_permits(1);
                intended += gap;
            }
            turns.close();
        })
    };
    let played = at_once(crew, |mut player| {
        let (world, turns, next) = (world.clone(), turns.clone(), next.clone());
        async move {
            let (mut times, mut late) = (Times::new()?, 0);
            loop {
                match turns.acquire().await {
                    Ok(turn) => turn.forget(),
                    // The time is over: those that were to begin still do.
                    Err(_) if number(next.load(Ordering::Relaxed)) < beginnings => {}
                    Err(_) => break,
                }
                let place = next.fetch_add(1, Ordering::Relaxed);
                if number(place) >= beginnings {
                    break;
                }
                let intended = begun + gap.mul_f64(number(place));
                let Some(steps) = player.play(case, &world).await? else {
                    break;
                };
                times.note(intended.elapsed(), &steps);
                late += u64::from(begun.elapsed() > span);
            }
            Ok((player, (times, late)))
        }
    });
    let (mut times, mut late) = (Times::new()?, 0);
    for (of_one, late_of_one) in played.await? {
        times.add(&of_one)?;
        late += late_of_one;
    }
    let _ = clock.join();
    Ok(Open {
        case,
        rate,
        times,
        late,
    })
}
