//! The product beside a service that does the documented requests in one process, as
//! it is commonly written (bench/peer/server.mjs): the same clients, the same servers,
//! by turns.

mod fill;
mod table;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use testkit::PrivateRedis;

use crate::{
    case::Case,
    cpu::Who,
    crowd::{self, Crowd},
    load::{Player, Times, World, world},
    machine::{Machine, Product},
    program::Program,
    rounds::{self, PLAYERS, Round},
};

/// What `bench peer` takes.
#[derive(Args)]
pub(crate) struct Peer {
    /// A short run, to see that it works
    #[arg(long)]
    quick: bool,
    /// Where server.mjs is, with the packages that it needs
    #[arg(long, value_name = "DIR", default_value = "target/bench/peer")]
    installed: PathBuf,
}

/// How long, how often, and how many come at one moment.
struct Plan {
    rounds: usize,
    span: Duration,
    people: u32,
}

const CASES: [Case; 5] = [
    Case::New,
    Case::Returning,
    Case::Profile20,
    Case::Profile1000,
    Case::WrongCode,
];

/// One of the two: its clients, and what it uses.
struct Side {
    crew: Vec<Player>,
    world: Arc<World>,
    counted: Vec<(&'static str, Who)>,
}

/// What one of the two did in a case, round by round.
struct Turns {
    rounds: Vec<Round>,
    times: Times,
}

impl Turns {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            rounds: Vec::new(),
            times: Times::new()?,
        })
    }
}

/// The product's first.
struct Results {
    cases: Vec<(Case, [Turns; 2])>,
    crowds: [Crowd; 2],
}

/// Measures, prints the tables, and writes them to `out`. Ctrl-C ends everything.
pub(crate) async fn run(peer: &Peer, out: &Path) -> anyhow::Result<()> {
    let plan = if peer.quick {
        Plan {
            rounds: 2,
            span: Duration::from_millis(600),
            people: 2_000,
        }
    } else {
        Plan {
            rounds: 24,
            span: Duration::from_millis(600),
            people: 10_000,
        }
    };
    let logs = out.join("logs");
    let results = tokio::select! {
        results = measure(&plan, &peer.installed, &logs) => results?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let text = table::text(&results);
    println!("\n{text}");
    crate::report::save(
        out,
        [("peer.md", text), ("peer.json", table::json(&results)?)],
    )
}

async fn measure(plan: &Plan, installed: &Path, logs: &Path) -> anyhow::Result<Results> {
    let script = installed.join("server.mjs");
    ensure!(
        script.exists(),
        "{} is not there: run ./scripts/bench peer",
        script.display()
    );
    println!("starting PostgreSQL, Redis, the three services and the peer");
    let machine = Machine::start();
    let redis = PrivateRedis::start();
    let database = machine.postgres.create_database("peer");
    fill::fill(&machine.postgres, &database);
    let product = Product::start(&machine, 0, logs)?;
    crate::run::ready(&product).await?;
    world::fill(&machine);
    let start = |delay_ms: u32| {
        let line = [
            "node",
            &*script.display().to_string(),
            &redis.url(),
            &database,
            &delay_ms.to_string(),
        ]
        .map(ToOwned::to_owned);
        let mut program = Program::kept("peer", &line, &logs.join("peer.log"))?;
        let http: SocketAddr = program.line_after("listens on http://")?.parse()?;
        Ok::<_, anyhow::Error>((program, http))
    };
    let (peer, http) = start(0)?;
    crate::run::ready_at(http).await?;
    let postgres = Who::WithChildren(machine.postgres.process_id());
    let of_product = Side::new(&product, product.http, {
        let mut counted = product.counted();
        counted.extend(machine.servers());
        counted
    });
    let of_peer = Side::new(
        &product,
        http,
        vec![
            ("peer", Who::Process(peer.process_id())),
            ("postgresql", postgres),
            ("redis", Who::Process(redis.process_id())),
        ],
    );
    let mut sides = [of_product.await?, of_peer.await?];
    let mut cases = Vec::new();
    for case in CASES {
        for side in &mut sides {
            side.turn(case, plan.span / 4).await?;
        }
        cases.push((case, [Turns::new()?, Turns::new()?]));
    }
    for round in 1..=plan.rounds {
        println!("round {round} of {}", plan.rounds);
        for (case, turns) in &mut cases {
            for (side, turns) in sides.iter_mut().zip(turns) {
                let (round, times) = side.turn(*case, plan.span).await?;
                turns.rounds.push(round);
                turns.times.add(&times)?;
            }
        }
    }
    drop((sides, peer, product));
    println!("a crowd");
    let product = Product::start(&machine, crowd::DELAY_MS, logs)?;
    crate::run::ready(&product).await?;
    let of_product = crowd::come(product.http, &product.programs(), plan.people).await?;
    drop(product);
    let (peer, http) = start(crowd::DELAY_MS)?;
    crate::run::ready_at(http).await?;
    let of_peer = crowd::come(http, &[&peer], plan.people).await?;
    Ok(Results {
        cases,
        crowds: [of_product, of_peer],
    })
}

impl Side {
    /// Clients that ask there by HTTP; what they would ask by gRPC, nobody does here.
    async fn new(
        product: &Product,
        http: SocketAddr,
        counted: Vec<(&'static str, Who)>,
    ) -> anyhow::Result<Self> {
        let mut crew = Vec::new();
        for number in 0..PLAYERS {
            crew.push(Player::connect_to(http, number, product).await?);
        }
        let first = crew.first_mut().context("no clients")?;
        let world = Arc::new(crate::run::known_world(first).await?);
        Ok(Self {
            crew,
            world,
            counted,
        })
    }

    async fn turn(&mut self, case: Case, span: Duration) -> anyhow::Result<(Round, Times)> {
        rounds::begin(&mut self.crew, &self.world, case, span).await?;
        rounds::turn(&mut self.crew, &self.world, &self.counted, case, span).await
    }
}
