//! Once at start and then every hour: what is too old goes, what belongs to nobody is reported.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::app::App;
use crate::domain::container::Names;
use crate::domain::{InstanceId, Result};
use crate::ops::template;
use crate::store::{audit, idempotency, operations, templates};

const PERIOD: Duration = Duration::from_secs(3600);
/// Transactions in one round that make the audit log shorter.
const BATCHES: usize = 100;
/// After a failed run (Podman away at start), do not wait the whole hour.
const RETRY: Duration = Duration::from_secs(60);

/// Runs until shutdown.
pub async fn run(app: Arc<App>) {
    loop {
        let started = Instant::now();
        let result = once(&app).await;
        if let Err(e) = &result {
            warn!(error = %e.story(), "housekeeping failed");
        }
        app.worker_ran("housekeeping", started.elapsed(), &result);
        let pause = if result.is_ok() { PERIOD } else { RETRY };
        tokio::select! {
            () = app.core.shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One round.
///
/// # Errors
/// `Unavailable` while the runtime is away; from the store.
pub async fn once(app: &App) -> Result<String> {
    let core = &app.core;
    let before = days_ago(core.config.operations.keep_days);
    let operations = core.store.write(move |tx| operations::prune(tx, before)).await?;
    let keys = core.store.write(|tx| idempotency::prune(tx)).await?;
    let strangers = strange_volumes(app).await?;
    let lines = prune_audit(app).await?;
    Ok(format!(
        "{operations} operations, {keys} keys and {lines} lines of the audit log removed, {strangers} volumes of nobody"
    ))
}

fn days_ago(days: u32) -> jiff::Timestamp {
    jiff::Timestamp::now() - jiff::SignedDuration::from_hours(i64::from(days) * 24)
}

/// Removes what is older than `audit.keep_days` from the audit log, in small transactions; the rest of a large heap next time.
async fn prune_audit(app: &App) -> Result<usize> {
    let core = &app.core;
    let days = core.config.audit.keep_days;
    if days == 0 {
        return Ok(0);
    }
    let before = days_ago(days);
    let mut lines = 0;
    for _ in 0..BATCHES {
        let removed = core.store.write(move |tx| audit::prune(tx, before)).await?;
        lines += removed;
        if removed < audit::BATCH || core.shutdown.is_cancelled() {
            break;
        }
    }
    Ok(lines)
}

/// Volumes with our label that belong to no instance and no template are reported, never removed: after the loss of
/// the state they may be all that is left of somebody's data.
async fn strange_volumes(app: &App) -> Result<usize> {
    let core = &app.core;
    let templates: BTreeSet<String> = core.store.read(templates::all).await?.into_iter().map(|t| t.id).collect();
    let mut problems = Vec::new();
    for (name, _) in core.runtime.volumes().await? {
        let id: Option<InstanceId> = template::id_of(&core.owner, &name);
        let known = id
            .is_some_and(|id| core.registry.with(id, |_| ()).is_some() && name == Names::new(&core.owner, id).volume());
        if !known && !templates.contains(&name) {
            problems.push(format!(
                "Volume {name} bears this installation's label but belongs to no instance; it may hold data. Look at it before `podman volume rm {name}`."
            ));
        }
    }
    let count = problems.len();
    app.set_problems("volumes", problems);
    Ok(count)
}
