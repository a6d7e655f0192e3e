//! Measures the product beside the least that its work can cost.
//!
//! ```text
//! bench                what ./scripts/bench runs: everything, some five minutes
//! bench --quick        the same in a short run, to see that it works
//! bench --only CASE    one case (or several)
//! ```
//!
//! `run` is the order of things; `load` plays the clients, `floor` does the
//! parts of the work alone, `proc` reads what the processes used.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

mod case;
mod cpu;
mod crowd;
mod floor;
mod load;
mod machine;
mod memory;
mod number;
mod open;
mod program;
mod report;
mod rounds;
mod run;

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
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What the program runs of itself, as processes of their own.
#[derive(Subcommand)]
enum Part {
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

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Runtime::new()?)
}
