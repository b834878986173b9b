//! Logs: structured, on standard error, as text for people or JSON for programs.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Starts logging for the whole process. The second time it is an error: the first set-up stays.
///
/// # Errors
/// A filter that cannot be read, or logging that was started before.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(tells_no_statement));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => registry.with(layer.with_ansi(colours())).try_init()?,
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_current_span(true)).try_init()?,
    }
    Ok(())
}

/// Libraries that write what they send, passwords included, when they are asked for details: they never are.
const TALKATIVE: [&str; 2] = ["tokio_postgres", "podman_api"];

fn tells_no_statement(event: &Metadata<'_>) -> bool {
    let from = event.target().split("::").next().unwrap_or_default();
    *event.level() <= Level::INFO || !TALKATIVE.contains(&from)
}

fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
