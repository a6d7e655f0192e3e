//! What was measured: a table for people, JSON for machines, two plots.

mod bars;
mod curves;
mod json;
pub(crate) mod svg;
pub(crate) mod table;

use std::{fs, path::Path};

use anyhow::Context as _;

pub(crate) use table::text;

use crate::run::Results;

/// Writes `results.json`, the table and the plots into a folder.
pub(crate) fn write(results: &Results, folder: &Path) -> anyhow::Result<()> {
    let mut files = vec![
        ("results.json", json::text(results)?),
        ("table.md", text(results)),
    ];
    if let Some(measures) = &results.measures {
        files.push(("performance-cpu.svg", bars::plot(measures)));
        files.push(("performance-latency.svg", curves::closed(measures)));
    }
    if !results.open.is_empty() {
        files.push(("performance-open.svg", curves::open(&results.open)));
    }
    save(folder, files)
}

/// Writes texts under these names, and tells where they are.
pub(crate) fn save<'a>(
    folder: &Path,
    files: impl IntoIterator<Item = (&'a str, String)>,
) -> anyhow::Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
