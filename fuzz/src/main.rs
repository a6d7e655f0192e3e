//! Feeds the targets for as long as is asked.
//!
//! ```text
//! fuzz                        every target, its usual number of inputs
//! fuzz all|TARGET TIMES SEED  TIMES that number, made from SEED
//! fuzz TARGET FILE…           these inputs
//! fuzz --seeds FOLDER         writes the seeds that are no files, for libFuzzer
//! ```
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal"
)]

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use fuzz::{TARGETS, Target, replay, run, target};

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => Ok(feed(TARGETS, 1, 1)),
        ["--seeds", folder] => write_seeds(Path::new(folder)),
        [name, times, seed] if times.parse::<u32>().is_ok() => {
            match (chosen(name), times.parse(), seed.parse()) {
                (Some(targets), Ok(times), Ok(seed)) => Ok(feed(targets, times, seed)),
                _ => Ok(usage()),
            }
        }
        [name, paths @ ..] if !paths.is_empty() => match target(name) {
            Some(target) => read(target, paths),
            None => Ok(usage()),
        },
        _ => Ok(usage()),
    }
}

fn chosen(name: &str) -> Option<&'static [Target]> {
    if name == "all" {
        return Some(TARGETS);
    }
    target(name).map(std::slice::from_ref)
}

fn feed(targets: &'static [Target], times: u32, seed: u64) -> ExitCode {
    println!("seed {seed}");
    for target in targets {
        let begun = Instant::now();
        match run(target, times, seed) {
            Ok((inputs, taken)) => println!(
                "{:20} {inputs:9} inputs, {taken:9} taken, {:6.2} s",
                target.name,
                begun.elapsed().as_secs_f32()
            ),
            Err(failure) => {
                eprintln!("\n{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn read(target: &'static Target, paths: &[&str]) -> io::Result<ExitCode> {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    Ok(match replay(target, &paths)? {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    })
}

fn write_seeds(folder: &Path) -> io::Result<ExitCode> {
    for target in TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("made-{number}")), seed)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn usage() -> ExitCode {
    eprintln!("usage: fuzz [all|TARGET TIMES SEED | TARGET FILE... | --seeds FOLDER]");
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    eprintln!("targets: {}", names.join(", "));
    ExitCode::from(2)
}
