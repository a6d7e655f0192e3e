//! Flame graphs of the services, of the very programs that are measured: perf
//! takes the stacks apart by the tables that panics need, so no other build is
//! wanted.

mod graph;
mod stacks;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::{
    case::Case,
    load::{Player, World, closed_loop, world},
    machine::{Machine, Product},
    report::save,
    rounds::PLAYERS,
};
use stacks::Stacks;

/// Each with the name of its file.
const CASES: [(Case, &str); 3] = [
    (Case::Returning, "flame-returning.svg"),
    (Case::New, "flame-new.svg"),
    (Case::Profile1000, "flame-profile-1000.svg"),
];
/// Samples a second on each processor: no divisor of anything that is periodic.
const FREQUENCY: u32 = 199;
/// How much of a stack is kept of each sample, in bytes: the most that perf does.
const STACK: u32 = 65_528;
/// How long the clients are there before it is looked at.
const WARM: Duration = Duration::from_millis(500);

/// What `bench flame` takes.
#[derive(Args)]
pub(crate) struct Flame {
    /// How long each case is looked at, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

/// Draws a graph for each case into `out`. Ctrl-C ends everything.
pub(crate) async fn run(flame: &Flame, out: &Path) -> anyhow::Result<()> {
    ensure!(
        Command::new("perf").arg("--version").output().is_ok(),
        "perf is not installed: on Debian, apt-get install linux-perf"
    );
    tokio::select! {
        done = draw(flame, out) => done,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
}

async fn draw(flame: &Flame, out: &Path) -> anyhow::Result<()> {
    println!("starting PostgreSQL, Redis and the three services");
    let machine = Machine::start();
    let product = Product::start(&machine, 0, &out.join("logs"))?;
    crate::run::ready(&product).await?;
    world::fill(&machine);
    let mut crew = Player::crew(PLAYERS, &product).await?;
    let player = crew.first_mut().context("there are clients")?;
    let world = Arc::new(crate::run::known_world(player).await?);
    let mut tables = String::new();
    for (case, name) in CASES {
        println!("{}", case.name());
        let stacks = look_at(&product, &mut crew, &world, case, flame.seconds, out).await?;
        save(out, [(name, graph::plot(case.name(), &stacks))])?;
        tables += &graph::shares(case.name(), &stacks);
    }
    println!("\n{tables}");
    save(out, [("flame.md", tables)])
}

/// Plays a case and has perf look at the services meanwhile.
async fn look_at(
    product: &Product,
    crew: &mut Vec<Player>,
    world: &Arc<World>,
    case: Case,
    seconds: u32,
    out: &Path,
) -> anyhow::Result<Stacks> {
    let services: Vec<(String, u32)> = product
        .programs()
        .iter()
        .map(|program| (program.name().to_owned(), program.process_id()))
        .collect();
    for player in crew.iter_mut() {
        player.wake().await?;
    }
    let data = Data(out.join("flame.data"));
    let span = WARM + Duration::from_secs(u64::from(seconds)) + WARM;
    let (played, recorded) = tokio::join!(
        closed_loop(crew, world, case, span),
        record(&services, seconds, &data.0)
    );
    played?;
    recorded?;
    let printed = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,pid,tid,ip,sym", "-i"])
        .arg(&data.0)
        .stderr(Stdio::null())
        .output()?;
    ensure!(printed.status.success(), "perf script failed");
    let stacks = Stacks::read(&String::from_utf8_lossy(&printed.stdout), &services);
    ensure!(
        stacks.samples() > 100,
        "perf saw {} samples",
        stacks.samples()
    );
    Ok(stacks)
}

/// A file of perf's, which is large.
struct Data(PathBuf);

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn record(services: &[(String, u32)], seconds: u32, data: &Path) -> anyhow::Result<()> {
    tokio::time::sleep(WARM).await;
    let ids: Vec<String> = services.iter().map(|(_, id)| id.to_string()).collect();
    let mut perf = Command::new("perf");
    // There are machines whose processor counts nothing: the clock serves on all.
    perf.args(["record", "-q", "-e", "cpu-clock"])
        .args(["-F", &FREQUENCY.to_string()])
        .args(["--call-graph", &format!("dwarf,{STACK}")])
        .args(["-p", &ids.join(",")])
        .arg("-o")
        .arg(data)
        // It ends by itself, whatever becomes of this process.
        .args(["--", "sleep", &seconds.to_string()])
        .stdin(Stdio::null());
    let said = tokio::task::spawn_blocking(move || perf.output()).await??;
    ensure!(
        said.status.success(),
        "perf record failed: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    Ok(())
}
