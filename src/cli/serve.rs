//! Running the daemon, and the helper process that it keeps in the user namespace.

use clap::Args;

use super::exit::{CliError, Result};
use super::session::Session;
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
