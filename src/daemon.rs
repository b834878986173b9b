//! The daemon: puts the parts together, resumes what a crash or shutdown left open, serves, and ends in order.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::app::App;
use crate::config::Config;
use crate::domain::Result;
use crate::ops::{Core, drive, template};
use crate::runtime::ContainerRuntime;
use crate::store::{Store, instances, meta, operations};
use crate::vault::Vault;
use crate::wire::Wire;
use crate::workers::{housekeeping, reconcile};

/// Name of the state file in the data directory.
pub const STATE_FILE: &str = "fluxdb.sqlite";

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
