//! Measures the product beside the least that its work can cost.
//!
//! ```text
//! bench                what ./scripts/bench runs: everything, some six minutes
//! bench --quick        the same in a short run, to see that it works
//! bench --only CASE    one case (or several)
//! bench growth         the same operations at 10,000 and at 1,000,000 users
//! bench scale-out      one, two and three of each service
//! bench beside DIR     this build and another one, by turns
//! bench flame          flame graphs of the services, by perf
//! bench peer           beside a service of one process in Node.js
//! ```
//!
//! `run` is the order of things; `load` plays the clients, `floor` does the
//! parts of the work alone, `proc` reads what the processes used.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod beside;
mod case;
mod cpu;
mod crowd;
mod flame;
mod floor;
mod growth;
mod load;
mod machine;
mod memory;
mod number;
mod open;
mod peer;
mod program;
mod report;
mod rounds;
mod run;
mod scale;
mod up;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use case::Topic;

/// Measures the product beside the least that its work can cost.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// A short run, to see that everything works: its figures mean little
    #[arg(long)]
    quick: bool,
    /// Only this; may be given several times
    #[arg(long, value_name = "CASE")]
    only: Vec<Topic>,
    /// Where the JSON and the plots go
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "target/bench"
    )]
    out: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

/// Other things to measure, and what the program runs of itself, as processes of
/// their own.
#[derive(Subcommand)]
enum Part {
    /// What each operation costs at 10,000 and at 1,000,000 users
    Growth(growth::Growth),
    /// What an operation costs in this build and in another one, by turns
    Beside(beside::Beside),
    /// Where the time of the three services goes, by perf
    Flame(flame::Flame),
    /// The same beside a service of one process in Node.js
    Peer(peer::Peer),
    /// What several of each service cost and do
    ScaleOut(scale::ScaleOut),
    /// Answers with nothing behind it
    #[command(hide = true)]
    FloorServer,
    /// Does one part of the work at a time
    #[command(hide = true)]
    FloorWorker(floor::worker::Stores),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    kit::crypto::install();
    // A connection is a descriptor, and shells start programs with 1,024.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let done = runtime().and_then(|runtime| match arguments.part {
        None => {
            let length = if arguments.quick {
                run::Length::Quick
            } else {
                run::Length::Full
            };
            runtime.block_on(run::run(length, &arguments.only, &arguments.out))
        }
        Some(Part::Growth(growth)) => runtime.block_on(growth::run(&growth, &arguments.out)),
        Some(Part::Beside(beside)) => runtime.block_on(beside::run(&beside, &arguments.out)),
        Some(Part::Peer(peer)) => runtime.block_on(peer::run(&peer, &arguments.out)),
        Some(Part::ScaleOut(scale)) => runtime.block_on(scale::run(&scale, &arguments.out)),
        Some(Part::Flame(flame)) => runtime.block_on(flame::run(&flame, &arguments.out)),
        Some(Part::FloorServer) => runtime.block_on(floor::server::serve()),
        Some(Part::FloorWorker(stores)) => runtime.block_on(floor::worker::work(&stores)),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// As tokio has it, for the floors as well: a thread for each core.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Runtime::new()?)
}
