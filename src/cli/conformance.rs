//! `fluxdb conformance`: runs the suite on this host and prints the engine's row.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{CliError, Exit, Result};
use super::session::Session;
use crate::conformance::{self, Options};
use crate::domain::conformance::{Check, Outcome, Row, Server};

/// `fluxdb conformance`
#[derive(Debug, Args)]
pub struct ConformanceArgs {
    /// Engine, see `fluxdb engines`
    pub engine: String,
    /// Version [default: the engine's]
    #[arg(long)]
    pub version: Option<String>,
    /// Image to run instead of the official or locally built one
    #[arg(long, value_name = "REFERENCE")]
    pub image: Option<String>,
    /// Size [default: the smallest that fits the engine]
    #[arg(long)]
    pub sku: Option<String>,
    /// The image is another server that speaks the engine's protocol
    #[arg(long, requires = "image")]
    pub protocol_only: bool,
    /// Put the row into this file (JSON), in place of an older one of the same engine and version; only when nothing failed
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// Runs the suite.
///
/// # Errors
/// A check failed; the suite could not begin.
pub fn conformance(session: &Session, args: &ConformanceArgs) -> Result {
    let config = session.config(&[])?.config;
    let options = Options {
        engine: args.engine.clone(),
        version: args.version.clone(),
        image: args.image.clone(),
        server: if args.protocol_only { Server::ProtocolOnly } else { Server::Real },
        sku: args.sku.clone(),
        config,
    };
    let out = session.out;
    let mut said = move |check: &Check| out.remark(line(check));
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let row =
        threads.block_on(conformance::run(options, &mut said)).map_err(|e| CliError::new(Exit::Failed, e.story()))?;
    if out.json {
        out.value(&super::client::json(&row)?)?;
    } else {
        out.line(summary(&row))?;
    }
    if !row.passed() {
        return Err(CliError::failed(format!("{} {} does not conform; see above.", row.engine, row.version)));
    }
    if let Some(file) = &args.record {
        record(file, row)?;
    }
    Ok(())
}

fn line(check: &Check) -> String {
    match &check.outcome {
        Outcome::Passed => format!("ok    {}", check.name),
        Outcome::NotOffered(why) => format!("none  {}: {why}", check.name),
        Outcome::Failed(why) => format!("FAIL  {}: {why}", check.name),
    }
}

/// One engine's row is one line.
fn summary(row: &Row) -> String {
    let count = |is: fn(&Outcome) -> bool| row.checks.iter().filter(|c| is(&c.outcome)).count();
    format!(
        "{} {}: {} passed, {} not offered, {} failed; ready after {} ms, idle {} MiB; {} on {}",
        row.engine,
        row.version,
        count(|o| matches!(o, Outcome::Passed)),
        count(|o| matches!(o, Outcome::NotOffered(_))),
        count(|o| matches!(o, Outcome::Failed(_))),
        row.ready_ms,
        row.idle_mib,
        row.image,
        row.host
    )
}

fn record(file: &Path, row: Row) -> Result {
    let failed = |e: &dyn std::fmt::Display| CliError::failed(format!("{}: {e}", file.display()));
    let mut rows: Vec<Row> = match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(|e| failed(&e))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(failed(&e)),
    };
    rows.retain(|r| (&r.engine, &r.version) != (&row.engine, &row.version));
    rows.push(row);
    rows.sort_by(|a, b| (&a.engine, &a.version).cmp(&(&b.engine, &b.version)));
    let text = serde_json::to_string_pretty(&rows).map_err(|e| failed(&e))?;
    std::fs::write(file, text + "\n").map_err(|e| failed(&e))
}
