//! 10,000 people ask for a code at one moment, and the imitated delivery takes
//! a second: how late the answers are, and what the processes hold meanwhile.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use http::{Method, StatusCode};
use tokio::sync::{Semaphore, watch};

use crate::{
    load::{address_of, histogram, micros, rest::Rest, world::crowd_phone},
    memory::Memory,
    program::Program,
};

/// How long the delivery takes.
pub(crate) const DELAY_MS: u32 = 1_000;
/// How many client addresses they come from.
const ADDRESSES: u32 = 250;
/// How often the memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many connections are made at once.
const AT_ONCE: usize = 200;

/// What came of it.
pub(crate) struct Crowd {
    pub(crate) people: u32,
    /// Who got something else than a code, and what the last of them got.
    pub(crate) refused: u32,
    pub(crate) refusal: Option<String>,
    /// From the common moment to the answer, in microseconds.
    pub(crate) times: Histogram<u64>,
    /// All processes together at one time, in KiB: when they had nothing
    /// to do, when everybody was connected, and at the most.
    pub(crate) before: u64,
    pub(crate) connected: u64,
    pub(crate) peak: u64,
    /// The same for each process, at its own most.
    pub(crate) peaks: Vec<(String, u64)>,
}

impl Crowd {
    /// The slowest but one in a hundred, without the delivery, in seconds.
    pub(crate) fn late(&self) -> f64 {
        let slow = Duration::from_micros(self.times.value_at_quantile(0.99));
        slow.as_secs_f64() - f64::from(DELAY_MS) / 1_000.0
    }
}

/// Connects them all, has them ask, and waits for the last answer.
pub(crate) async fn come(
    http: SocketAddr,
    programs: &[&Program],
    people: u32,
) -> anyhow::Result<Crowd> {
    let processes: Vec<(String, u32)> = programs
        .iter()
        .map(|program| (program.name().to_owned(), program.process_id()))
        .collect();
    let ids: Vec<u32> = processes.iter().map(|&(_, id)| id).collect();
    let resident = move |ids: &[u32]| ids.iter().map(|&id| Memory::resident(id)).sum::<u64>();
    let before = resident(&ids);
    let connections = connect(http, people).await?;
    let connected = resident(&ids);
    let (go, gone) = watch::channel(None::<Instant>);
    let asking: Vec<_> = connections
        .into_iter()
        .zip(0..)
        .map(|(mut rest, number)| {
            let mut gone = gone.clone();
            tokio::spawn(async move {
                let begun = *gone.wait_for(Option::is_some).await?;
                let phone = crowd_phone(number);
                let body = format!(r#"{{"phone_number":"{phone}"}}"#);
                let answer = rest.send(Method::POST, "/api/v1/auths/", &[], body).await?;
                answer.expect(StatusCode::OK)?;
                Ok::<_, anyhow::Error>(begun.map(|begun| begun.elapsed()).unwrap_or_default())
            })
        })
        .collect();
    let over = Arc::new(AtomicBool::new(false));
    let most = Arc::new(AtomicU64::new(connected));
    let looker = {
        let (over, most) = (over.clone(), most.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(resident(&ids), Ordering::Relaxed);
                std::thread::sleep(LOOK_EVERY);
            }
        })
    };
    go.send_replace(Some(Instant::now()));
    let mut times = histogram()?;
    let (mut refused, mut refusal) = (0, None);
    for asking in asking {
        match asking.await? {
            Ok(time) => times.saturating_record(micros(time)),
            Err(error) => {
                refused += 1;
                refusal = Some(format!("{error:#}"));
            }
        }
    }
    over.store(true, Ordering::Relaxed);
    let _ = looker.join();
    let peaks = processes
        .into_iter()
        .map(|(name, id)| (name, Memory::of(id).peak))
        .collect();
    Ok(Crowd {
        people,
        refused,
        refusal,
        times,
        before,
        connected,
        peak: most.load(Ordering::Relaxed),
        peaks,
    })
}

/// Connects everybody, some at a time: a listener's queue is not the matter here.
async fn connect(http: SocketAddr, people: u32) -> anyhow::Result<Vec<Rest>> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let connecting: Vec<_> = (0..people)
        .map(|number| {
            let turns = turns.clone();
            tokio::spawn(async move {
                let _turn = turns.acquire().await?;
                Rest::connect(address_of(number % ADDRESSES), http).await
            })
        })
        .collect();
    let mut connections = Vec::new();
    for connecting in connecting {
        let connected = connecting.await?;
        connections.push(connected.context("not everybody could connect")?);
    }
    Ok(connections)
}
