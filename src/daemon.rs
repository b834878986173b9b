//! The daemon: puts the parts together, resumes what a crash or shutdown left open, serves, and ends in order.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::app::{App, activation, tokens};
use crate::config::Config;
use crate::domain::Result;
use crate::ops::{Core, drive, template};
use crate::runtime::ContainerRuntime;
use crate::runtime::podman::PodmanRuntime;
use crate::store::lock::DataLock;
use crate::store::{Store, instances, meta, operations};
use crate::vault::Vault;
use crate::wire::Wire;
use crate::wire::live::LiveWire;
use crate::workers::{health, housekeeping, reconcile};

/// Name of the state file in the data directory.
pub const STATE_FILE: &str = "fluxdb.sqlite";

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps the daemon from starting: configuration, state, address in use.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let data_dir = config.data.dir.clone();
    activation::make_private_dir(&config.data)?;
    // Before anything is touched: a second daemon on the same state, on whatever port, gets no further than this.
    let _lock = DataLock::take(&data_dir)?;
    let store = Store::open(&data_dir.join(STATE_FILE), config.data.readers)?;
    let vault = Vault::open(&store, &data_dir, config.data.master_key_file.as_deref()).await?;
    let owner = installation(&store).await?;
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("cannot listen on {}; does fluxdb run already?", config.server.listen))?;
    let runtime = Arc::new(PodmanRuntime::connect(&config.podman, &owner, &data_dir).await?);
    let app = open(store, runtime, Arc::new(LiveWire::default()), vault, config, owner).await?;
    announce(tokens::ensure_admin_token(&app.core.store, &app.core.vault, &data_dir).await?);
    info!(listen = %listener.local_addr()?, installation = %app.core.owner, version = env!("CARGO_PKG_VERSION"), "fluxdb is up");
    start_workers(&app);
    let core = app.core.clone();
    let mut server = tokio::spawn(crate::http::serve(app, listener, core.shutdown.clone()));
    tokio::select! {
        signal = wait_for_signal() => signal?,
        ended = &mut server => {
            core.shutdown.cancel();
            return ended.context("the HTTP server ended by itself");
        }
    }
    info!("shutting down: what runs is parked in the journal and resumed at the next start");
    let grace = Duration::from_secs(core.config.server.shutdown_secs);
    core.shutdown.cancel();
    core.tasks.close();
    if tokio::time::timeout(grace, core.tasks.wait()).await.is_err() {
        warn!("some work did not stop within {grace:?}; the journal resumes it at the next start");
    }
    match tokio::time::timeout(grace, server).await {
        Ok(ended) => ended.context("the HTTP server ended badly"),
        Err(_) => {
            warn!("some requests did not end within {grace:?}");
            Ok(())
        }
    }
}

/// Says where the first token is; shows it once, and only to a person.
#[expect(
    clippy::print_stderr,
    reason = "the operator's own terminal at the first start; a log is no place for a token"
)]
fn announce(token: tokens::AdminToken) {
    match token {
        tokens::AdminToken::Made { path, token } => {
            if std::io::stderr().is_terminal() {
                eprintln!("First administrator token (shown once): {}", token.expose());
            }
            info!("the first administrator token is in {}", path.display());
        }
        tokens::AdminToken::Kept { .. } => {}
        tokens::AdminToken::FileGone { path } => {
            warn!(
                "{} is gone; the local command line needs FLUXDB_TOKEN, or `fluxdb token reset-admin`",
                path.display()
            );
        }
    }
}

async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Puts the parts together and reads the state. Nothing runs in the background yet; tests start here.
///
/// # Errors
/// From the store, or a configuration that cannot work.
pub async fn open(
    store: Store,
    runtime: Arc<dyn ContainerRuntime>,
    wire: Arc<dyn Wire>,
    vault: Arc<Vault>,
    config: Config,
    owner: String,
) -> Result<Arc<App>> {
    let enabled = store.read(|db| meta::get(db, meta::ENABLED)).await?.is_none_or(|v| v != "false");
    let core = Arc::new(Core::new(store, runtime, wire, vault, config, owner));
    for record in core.store.read(instances::all).await? {
        core.registry.put(record);
    }
    Ok(Arc::new(App::new(core, enabled)?))
}

/// Resumes open operations and starts the workers. A disabled module gets neither.
pub fn start_workers(app: &Arc<App>) {
    if !app.enabled {
        warn!("the module is disabled: no workers, no changes; `fluxdb enable` switches it on");
        return;
    }
    let core = &app.core;
    let starting = app.clone();
    core.tasks.spawn(async move {
        tokio::select! {
            () = starting.core.shutdown.cancelled() => {}
            () = recover(&starting) => {
                let core = &starting.core;
                core.tasks.spawn(reconcile::run(starting.clone()));
                core.tasks.spawn(health::run(starting.clone()));
                core.tasks.spawn(housekeeping::run(starting.clone()));
            }
        }
    });
}

/// Takes up what was open. Waits for the runtime as long as it takes: nothing is concluded from its silence.
pub async fn recover(app: &Arc<App>) {
    let core = &app.core;
    // Operations first of all hold their instances, so that nothing else begins on them.
    let open = loop {
        match core.store.read(operations::open).await {
            Ok(open) => break open,
            Err(e) => {
                warn!(error = %e.story(), "could not read open operations");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    };
    for op in &open {
        if let Some(id) = op.instance_id {
            core.registry.update(id, |e| e.operation = Some((op.id, op.kind)));
        }
    }
    let mut pause = Duration::from_millis(100);
    loop {
        let ready = async {
            core.refresh_host().await?;
            template::discard_unfinished(core).await
        };
        match ready.await {
            Ok(()) => break,
            Err(e) => {
                warn!(error = %e.story(), "waiting for the container runtime");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
        }
    }
    for op in open {
        info!(operation.id = %op.id, "resuming {}", op.kind.as_str());
        drive::spawn(core, op);
    }
}

/// This installation's id, made at the first start.
///
/// # Errors
/// From the store.
pub async fn installation(store: &Store) -> Result<String> {
    store
        .write(|tx| {
            if let Some(id) = meta::get(tx, meta::INSTALLATION)? {
                return Ok(id);
            }
            let id = format!("{:08x}", rand::random::<u32>());
            meta::set(tx, meta::INSTALLATION, &id)?;
            Ok(id)
        })
        .await
}
