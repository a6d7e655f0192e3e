//! Feeds a target.

use std::{
    fmt, fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use crate::{
    Target,
    mutate::{Generator, mutant},
};

/// How many inputs that were taken are kept to be changed further.
const KEPT: usize = 256;

/// A target did not bear an input.
#[derive(Debug)]
pub struct Failure {
    target: &'static str,
    origin: String,
    input: Vec<u8>,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            origin,
            input,
        } = self;
        write!(
            formatter,
            "{target} failed ({origin}) with\n\n  \"{}\"\n",
            input.escape_ascii()
        )?;
        let path = std::env::temp_dir().join(format!("fuzz-{target}"));
        if fs::write(&path, input).is_ok() {
            let path = path.display();
            write!(
                formatter,
                "\nAgain: cargo run -p fuzz -- {target} {path}\n\
                 When it is mended, keep the file in fuzz/corpus/{target}/."
            )?;
        }
        Ok(())
    }
}

/// Reads every seed, and `times` the usual number of inputs made from them.
/// Returns how many were read and how many of them taken.
///
/// # Errors
/// When the target did not bear one of them.
pub fn run(target: &'static Target, times: u32, seed: u64) -> Result<(u64, u64), Failure> {
    let mut random = Generator::new(seed);
    let mut pool = Vec::new();
    let (mut read, mut taken) = (0, 0);
    for (origin, input) in seeds(target) {
        taken += u64::from(bear(target, &input, || origin)?);
        read += 1;
        pool.push(input);
    }
    let seeds = pool.len();
    for number in 0..u64::from(target.inputs) * u64::from(times) {
        let input = mutant(&mut random, &pool, target.words);
        let origin = || format!("seed {seed}, input {number}");
        read += 1;
        if !bear(target, &input, origin)? {
            continue;
        }
        taken += 1;
        if pool.len() < seeds + KEPT {
            pool.push(input);
        } else {
            let place = seeds + random.below(KEPT);
            pool[place] = input;
        }
    }
    Ok((read, taken))
}

/// Reads the files at `paths`.
///
/// # Errors
/// When a file cannot be read.
pub fn replay(target: &'static Target, paths: &[PathBuf]) -> io::Result<Result<(), Failure>> {
    for path in paths {
        let input = fs::read(path)?;
        if let Err(failure) = bear(target, &input, || path.display().to_string()) {
            return Ok(Err(failure));
        }
    }
    Ok(Ok(()))
}

fn bear(
    target: &'static Target,
    input: &[u8],
    origin: impl FnOnce() -> String,
) -> Result<bool, Failure> {
    catch_unwind(AssertUnwindSafe(|| (target.read)(input))).map_err(|_| Failure {
        target: target.name,
        origin: origin(),
        input: input.to_vec(),
    })
}

/// Every seed of a target and where it is from, in an order that does not
/// depend on the file system.
fn seeds(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let entries = fs::read_dir(&folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file = |path: PathBuf| (path.display().to_string(), fs::read(&path).unwrap());
    let made = (target.seeds)()
        .into_iter()
        .map(|seed| ("a made seed".to_owned(), seed));
    let seeds: Vec<_> = paths.into_iter().map(file).chain(made).collect();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    seeds
}
