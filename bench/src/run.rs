//! The order of things.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::bail;
use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::{
    case::{Case, Topic},
    crowd::{self, Crowd},
    floor::Floor,
    load::{Player, World, address_of, rest::Rest, world},
    machine::{Machine, Product},
    memory::Memory,
    open::{self, Open},
    report,
    rounds::{self, Measures, PLAYERS, Plan, Players},
};

/// How long the whole of it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// Some six minutes.
    Full,
    /// Some forty seconds.
    Quick,
}

/// How long the processes have nothing to do before their memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// How long everything may take to be there.
const READY_WITHIN: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// What part of the most that it does the product is given at a fixed rate.
const OPEN_SHARES: [f64; 2] = [0.5, 0.8];

/// What was measured, as far as it was asked for.
#[derive(Default)]
pub(crate) struct Results {
    /// What each process holds that has served nothing yet.
    pub(crate) idle: Vec<(String, Memory)>,
    pub(crate) measures: Option<Measures>,
    pub(crate) open: Vec<Open>,
    /// After the rounds.
    pub(crate) after: Vec<(String, Memory)>,
    pub(crate) crowd: Option<Crowd>,
    pub(crate) plan: Option<Plan>,
}

/// Measures what is asked for, or all of it; prints it, and writes it to `out`.
/// Ctrl-C ends everything.
pub(crate) async fn run(length: Length, only: &[Topic], out: &Path) -> anyhow::Result<()> {
    let logs = out.join("logs");
    let results = tokio::select! {
        results = measure(length, only, &logs) => results?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    print!("\n{}", report::text(&results));
    report::write(&results, out)
}

async fn measure(length: Length, only: &[Topic], logs: &Path) -> anyhow::Result<Results> {
    let wanted = |topic: Topic| only.is_empty() || only.contains(&topic);
    let cases = Case::among(only);
    let mut results = Results::default();
    println!("starting PostgreSQL, Redis and the three services");
    let machine = Machine::start();
    let product = Product::start(&machine, 0, logs)?;
    ready(&product).await?;
    if wanted(Topic::Idle) {
        tokio::time::sleep(SETTLE).await;
        results.idle = memory(&product);
    }
    if !cases.is_empty() || wanted(Topic::Open) {
        loops(&machine, &product, &cases, length, &wanted, &mut results).await?;
    }
    results.after = memory(&product);
    drop(product);
    if wanted(Topic::Crowd) {
        println!("a crowd");
        let product = Product::start(&machine, crowd::DELAY_MS, logs)?;
        ready(&product).await?;
        let people = match length {
            Length::Full => 10_000,
            Length::Quick => 2_000,
        };
        results.crowd = Some(crowd::come(product.http, &product.programs(), people).await?);
    }
    Ok(results)
}

async fn loops(
    machine: &Machine,
    product: &Product,
    cases: &[Case],
    length: Length,
    wanted: &impl Fn(Topic) -> bool,
    results: &mut Results,
) -> anyhow::Result<()> {
    let plan = match length {
        Length::Full => Plan {
            rounds: 24,
            case: Duration::from_millis(600),
            part: Duration::from_millis(200),
            open: Duration::from_secs(6),
        },
        Length::Quick => Plan {
            rounds: 2,
            case: Duration::from_millis(600),
            part: Duration::from_millis(250),
            open: Duration::from_millis(1_200),
        },
    };
    println!("filling the databases");
    world::fill(machine);
    let mut crew = Player::crew(PLAYERS, product).await?;
    let mut world = World::default();
    if let Some(player) = crew.first_mut() {
        world = known_world(player).await?;
    }
    let world = Arc::new(world);
    if !cases.is_empty() {
        let mut floor = Floor::start(machine).await?;
        let mut counted = product.counted();
        counted.extend(machine.servers());
        let players = Players {
            crew: &mut crew,
            world: &world,
            floor: &mut floor,
            counted,
        };
        results.measures = Some(rounds::play(players, cases, plan).await?);
        results.plan = Some(plan);
    }
    if wanted(Topic::Open) {
        println!("at a fixed rate");
        let mut crew = Player::crew(open::PLAYERS, product).await?;
        for case in [Case::New, Case::Returning, Case::Profile20] {
            let most = most(results, case, &mut crew, &world).await?;
            for share in OPEN_SHARES {
                for player in &mut crew {
                    player.wake().await?;
                }
                let open = open::play(&mut crew, &world, case, most * share, plan.open).await?;
                results.open.push(open);
            }
        }
    }
    Ok(())
}

/// How many a second there are in a closed loop.
async fn most(
    results: &Results,
    case: Case,
    crew: &mut Vec<Player>,
    world: &Arc<World>,
) -> anyhow::Result<f64> {
    let measured = results.measures.iter().flat_map(|all| &all.cases);
    if let Some(measured) = measured.into_iter().find(|one| one.case == case) {
        return Ok(measured.spread(|round| round.rate).median);
    }
    let span = Duration::from_secs(1);
    let done = crate::load::closed_loop(crew, world, case, span).await?;
    Ok(crate::number::number(done.operations) / done.elapsed.as_secs_f64())
}

/// Signs in all who have followers.
pub(crate) async fn known_world(player: &mut Player) -> anyhow::Result<World> {
    let mut tokens = [Vec::new(), Vec::new()];
    for (tokens, phones) in tokens.iter_mut().zip(world::followed_phones()) {
        for phone in phones {
            let (_, code) = player.ask(&phone).await?;
            tokens.push(player.sign_in(&code).await?);
        }
    }
    let [with_20, with_1000] = tokens;
    Ok(World::new(with_20, with_1000))
}

fn memory(product: &Product) -> Vec<(String, Memory)> {
    let programs = product.programs();
    programs
        .iter()
        .map(|program| (program.name().to_owned(), Memory::of(program.process_id())))
        .collect()
}

/// Waits until everything behind the gateway can be used.
pub(crate) async fn ready(product: &Product) -> anyhow::Result<()> {
    ready_at(product.http).await
}

/// The same behind whatever listens there.
pub(crate) async fn ready_at(http: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut rest = Rest::connect(address_of(0), http).await?;
    loop {
        let answer = rest
            .send(Method::GET, "/readyz", &[], String::new())
            .await?;
        if answer.status == StatusCode::OK {
            return Ok(());
        }
        if begun.elapsed() > READY_WITHIN {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("not ready: {body}");
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
