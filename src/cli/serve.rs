//! Running the daemon, and the helper process that it keeps in the user namespace.

use clap::Args;

use super::exit::{CliError, Result};
use super::output::Rows;
use super::session::Session;
use crate::config::{Loaded, keys};
use crate::{daemon, telemetry};

/// Threads for what blocks (argon2, files): each costs memory, and the daemon is to stay small.
const BLOCKING_THREADS: usize = 8;

/// Run the daemon in the foreground.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on [default: 127.0.0.1:7620]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Podman's socket [default: found by itself]
    #[arg(long, value_name = "URL")]
    pub podman_url: Option<String>,
    /// `text` or `json`
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// What to log, such as `info` or `fluxdb=debug`
    #[arg(long, value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// Read the configuration, say where each setting came from, and end
    #[arg(long)]
    pub check: bool,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps the daemon from starting.
pub fn serve(session: &Session, args: &ServeArgs) -> Result {
    let loaded = session.config(&[
        ("--listen", "server.listen", args.listen.clone()),
        ("--podman-url", "podman.url", args.podman_url.clone()),
        ("--log-format", "log.format", args.log_format.clone()),
        ("--log-filter", "log.filter", args.log_filter.clone()),
    ])?;
    if args.check {
        return check(session, &loaded);
    }
    telemetry::init(&loaded.config.log).map_err(|e| CliError::failed(format!("{e:#}")))?;
    if let Some(file) = &loaded.file {
        tracing::info!("configuration read from {}", file.display());
    }
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()?;
    threads.block_on(daemon::run(loaded.config)).map_err(|e| CliError::failed(format!("{e:#}")))
}

/// Every setting as it would be used, and where it came from.
fn check(session: &Session, loaded: &Loaded) -> Result {
    let table = toml::Table::try_from(&loaded.config).map_err(|e| CliError::failed(e.to_string()))?;
    if session.out.json {
        return session.out.value(&super::client::json(&loaded.config)?);
    }
    let mut rows = Rows::new(&["setting", "value", "from"]);
    for key in keys::all() {
        let mut parts = key.path.split('.');
        let first = parts.next().and_then(|part| table.get(part));
        let Some(value) = parts.fold(first, |value, part| value.and_then(|v| v.get(part))) else { continue };
        let from = loaded.sources.get(&key.path).map_or_else(|| "default".to_owned(), ToString::to_string);
        rows.push([key.path, value.to_string(), from]);
    }
    session.out.table(&rows)
}
