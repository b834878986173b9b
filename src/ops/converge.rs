//! Brings one instance to what was asked, step by step, from whatever is there.

use std::time::Duration;

use tracing::{info, warn};

use super::drive::Op;
use super::{Core, image, ready};
use crate::api::Network;
use crate::domain::container::{LABEL_SPEC, Names, Plan};
use crate::domain::instance::{Desired, InstanceRecord, Intent, Observed, SpecHash, Step, next_step};
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::runtime::{ContainerDetail, ContainerState, ContainerSummary};
use crate::store::instances;

/// More steps than any way from one state to another takes; beyond it something undoes what we do.
const MOST_STEPS: usize = 24;

/// Repeats `next_step` until there is none.
///
/// # Errors
/// The first step's that trying again does not help; `does_not_settle`.
pub async fn converge(op: &Op, id: InstanceId) -> Result<()> {
    let core = &op.core;
    // Whatever was seen before the operation began may be old.
    core.registry.see(id, Observed::Unknown);
    for _ in 0..MOST_STEPS {
        let Some(record) = core.registry.record(id) else { return Ok(()) };
        let seen = core.registry.observed(id);
        let step = match intended(core, &record, &seen).await? {
            Some(step) => step,
            None => {
                if record.last_error.is_some() {
                    core.change_record(id, |r| r.last_error = None).await?;
                }
                return Ok(());
            }
        };
        if step == Step::Observe {
            // Looking changes nothing, so it is not worth a line in the journal; but it too waits for the runtime.
            observe_until_seen(core, &record).await?;
            continue;
        }
        op.step(step.name(), || act(op, id, step)).await?;
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "does_not_settle",
        "The instance does not come to rest: something else keeps changing its container. Look for other tools that manage it.",
    ))
}

/// The next step, or `None` at rest.
async fn intended(core: &Core, record: &InstanceRecord, seen: &Observed) -> Result<Option<Step>> {
    let spec = match seen {
        Observed::Unknown => return Ok(Some(Step::Observe)),
        // A container of this revision that runs is left alone, even where a newer fluxdb would make it otherwise:
        // an upgrade of the control plane must not restart every server. The next restart picks the news up.
        Observed::Present { running: true, spec, .. } if is_current(spec, record) => spec.clone(),
        Observed::Present { .. } if record.desired == Desired::Running => {
            spec_label(record.revision, &core.plan(record).await?.0)
        }
        Observed::Present { spec, .. } => spec.clone(),
        Observed::Absent => SpecHash(String::new()),
    };
    Ok(next_step(&Intent { desired: record.desired, spec }, seen))
}

/// Revision and hash: what the label on a container says.
fn spec_label(revision: u32, plan: &Plan) -> SpecHash {
    SpecHash(format!("r{revision}-{}", plan.hash.0))
}

/// Whether a running container with this label may go on: it was made for this revision of the record, or for an earlier
/// one since which nothing changed that takes a restart.
pub fn is_current(label: &SpecHash, record: &InstanceRecord) -> bool {
    let revision = label.0.split_once('-').and_then(|(r, _)| r.strip_prefix('r')?.parse::<u32>().ok());
    revision.is_some_and(|r| (record.restart_revision..=record.revision).contains(&r))
}

/// What a container's summary says, keeping `ready` where it was ready and nothing says otherwise.
pub fn observed_from(summary: &ContainerSummary, ready: bool) -> Observed {
    let spec = SpecHash(summary.labels.get(LABEL_SPEC).cloned().unwrap_or_default());
    match summary.state {
        ContainerState::Running => Observed::Present { running: true, ready, spec },
        ContainerState::Created | ContainerState::Exited => Observed::Present { running: false, ready: false, spec },
        ContainerState::Other => Observed::Unknown,
    }
}

async fn observe_until_seen(core: &Core, record: &InstanceRecord) -> Result<()> {
    let name = Names::new(&core.owner, record.id).container();
    let mut pause = Duration::from_millis(50);
    loop {
        let seen = match core.runtime.inspect(&name).await {
            Ok(None) => Observed::Absent,
            Ok(Some(detail)) => observed_from(&detail.summary, false),
            Err(e) if e.kind == ErrorKind::Unavailable => Observed::Unknown,
            Err(e) => return Err(e),
        };
        if seen != Observed::Unknown {
            core.registry.see(record.id, seen);
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Does one step. Notes `Unknown` before it touches the runtime and the truth after.
async fn act(op: &Op, id: InstanceId, step: Step) -> Result<String> {
    let core = &op.core;
    let Some(record) = core.registry.record(id) else { return Ok("it is gone".into()) };
    let names = Names::new(&core.owner, id);
    let before = core.registry.observed(id);
    core.registry.see(id, Observed::Unknown);
    match step {
        Step::Observe => Ok(String::new()),
        Step::Create => {
            let detail = create_container(op, &record).await?;
            core.registry.see(id, observed_from(&detail.summary, false));
            Ok(format!("{} on port {}", record.image_reference, record.port))
        }
        Step::Start => {
            core.runtime.start(&names.container(), record.egress()).await?;
            if let Observed::Present { spec, .. } = before {
                core.registry.see(id, Observed::Present { running: true, ready: false, spec });
            }
            Ok(String::new())
        }
        Step::AwaitReady => {
            let detail = ready::await_ready(core, &record).await?;
            if let Observed::Present { spec, .. } = before {
                core.registry.see(id, Observed::Present { running: true, ready: true, spec });
            }
            if let Some(record) = core.registry.record(id) {
                core.announce_instance(&record, "RUNNING", "");
            }
            Ok(detail)
        }
        Step::Stop => {
            let grace = Duration::from_secs(u64::from(record.engine()?.facts().stop.grace_secs));
            core.runtime.stop(&names.container(), grace).await?;
            if let Observed::Present { spec, .. } = before {
                core.registry.see(id, Observed::Present { running: false, ready: false, spec });
            }
            core.registry.update(id, |e| {
                e.limits.effective = crate::domain::host::HostLimits::default();
                e.network = Network::default();
            });
            Ok(String::new())
        }
        Step::Remove => {
            core.runtime.remove(&names.container()).await?;
            core.registry.see(id, Observed::Absent);
            Ok(String::new())
        }
        Step::Purge => {
            purge(core, id).await?;
            Ok("nothing is left".into())
        }
    }
}

/// Puts the files, makes the container, and compares it with what was asked.
async fn create_container(op: &Op, record: &InstanceRecord) -> Result<ContainerDetail> {
    let core = &op.core;
    let names = Names::new(&core.owner, record.id);
    let record = image::ensure(op, record.id).await?;
    if !core.runtime.volume_exists(&names.volume()).await? {
        // Never a silent fresh start: whoever connects would find an empty database.
        return Err(Error::new(
            ErrorKind::Conflict,
            "volume_missing",
            format!(
                "The data volume {} is gone. It was removed outside of fluxdb; restore it under this name, or delete the instance.",
                names.volume()
            ),
        ));
    }
    let (mut plan, _) = core.plan(&record).await?;
    plan.spec.labels.insert(LABEL_SPEC.into(), spec_label(record.revision, &plan).0);
    put_files(core, &plan).await?;
    let detail = create_verified(core, &plan).await?;
    drop_old_files(core, &names, record.revision).await?;
    Ok(detail)
}

/// Creates a container and compares what Podman made with the specification; one that differs is removed, not started.
pub(super) async fn create_verified(core: &Core, plan: &Plan) -> Result<ContainerDetail> {
    let detail = core.runtime.create(&plan.spec).await?;
    let class = core.class().await?;
    let Err(differences) = crate::domain::verify::verify(&plan.spec, &detail, class) else { return Ok(detail) };
    core.runtime.remove(&plan.spec.name).await?;
    Err(Error::new(
        ErrorKind::Unsupported,
        "baseline_not_applied",
        format!(
            "The container was not made as asked, so it was not started: {}. This Podman ignores a security setting; update it.",
            differences.join("; ")
        ),
    ))
}

/// Puts every file of a plan, a few at a time.
pub(super) async fn put_files(core: &Core, plan: &Plan) -> Result<()> {
    futures_util::future::try_join_all(plan.files.iter().map(|(name, content)| core.runtime.put_secret(name, content)))
        .await?;
    Ok(())
}

/// Removes the files of earlier revisions.
async fn drop_old_files(core: &Core, names: &Names, revision: u32) -> Result<()> {
    if revision == 1 {
        return Ok(());
    }
    let keep = names.secret("", revision);
    for secret in core.runtime.secrets(&names.secret_prefix()).await? {
        if !secret.starts_with(&keep) {
            core.runtime.remove_secret(&secret).await?;
        }
    }
    Ok(())
}

/// Removes everything of an instance: container, files, volume, and last the row.
///
/// # Errors
/// `Unavailable` while the runtime is away; whatever is left then is found again by its name.
pub async fn purge(core: &Core, id: InstanceId) -> Result<()> {
    let names = Names::new(&core.owner, id);
    core.runtime.remove(&names.container()).await?;
    for secret in core.runtime.secrets(&names.secret_prefix()).await? {
        core.runtime.remove_secret(&secret).await?;
    }
    core.runtime.remove_volume(&names.volume()).await?;
    core.store.write(move |tx| instances::delete(tx, id)).await?;
    if let Some(record) = core.registry.record(id) {
        core.registry.remove(id);
        core.announce_instance(&record, "DELETED", "");
    }
    info!(instance.id = %id, "nothing is left of the instance");
    Ok(())
}

/// The last lines of a container's output, for an error; never fails.
pub(super) async fn last_lines(core: &Core, container: &str, lines: u32) -> String {
    match core.runtime.logs(container, lines).await {
        Ok(lines) => lines.join("\n"),
        Err(e) => {
            warn!(container, error = %e.story(), "could not read the log");
            String::new()
        }
    }
}
