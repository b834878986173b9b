//! Making, starting, restarting and resizing an instance, and taking a failed one back.

use serde::{Deserialize, Serialize};

use super::converge::{converge, purge};
use super::drive::Op;
use super::{image, template};
use crate::domain::container::{self, Names};
use crate::domain::instance::{Desired, Grant};
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::runtime::Seeded;
use crate::store::credentials::{self, Role};

/// Makes an instance whose row, port and passwords are already in the store.
///
/// # Errors
/// The first step's; everything is taken back then.
pub async fn create(op: &Op) -> Result<()> {
    let id = op.instance()?;
    op.step_once("image", || async move {
        let record = image::ensure(op, id).await?;
        Ok(record.image_reference.clone())
    })
    .await?;
    op.step_once("template", || template::choose(op, id)).await?;
    op.step_once("volume", || make_volume(op, id)).await?;
    converge(op, id).await?;
    op.step("credentials", || hash_passwords(op, id)).await
}

/// Brings an instance to what was asked, whatever that is.
///
/// # Errors
/// As [`converge`].
pub async fn start(op: &Op) -> Result<()> {
    converge(op, op.instance()?).await
}

/// Takes a failed create back: nothing is left but the operation.
///
/// # Errors
/// As [`purge`].
pub async fn undo_create(op: &Op) -> Result<()> {
    let id = op.instance()?;
    // From here on it is a deletion, also for the reconciler, should this be interrupted.
    match op.core.change_record(id, |r| r.desired = Desired::Deleted).await {
        Ok(_) => {}
        Err(e) if e.kind == ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    purge(&op.core, id).await
}

/// What a resize has to remember to be taken back; the operation's parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResizeParams {
    /// SKU before.
    pub previous_sku: String,
    /// What it granted.
    pub previous_size: Grant,
    /// SKU after.
    pub sku: String,
}

/// Gives an instance its old size back and brings it up with it.
///
/// # Errors
/// As [`converge`].
pub async fn undo_resize(op: &Op) -> Result<()> {
    let id = op.instance()?;
    let params: ResizeParams = serde_json::from_value(op.record.params.clone()).map_err(Error::internal)?;
    op.core
        .change_record(id, move |r| {
            if r.sku != params.previous_sku || r.size != params.previous_size {
                r.sku = params.previous_sku;
                r.size = params.previous_size;
                r.revision += 1;
                r.restart_revision = r.revision;
            }
        })
        .await?;
    converge(op, id).await
}

/// Makes the data volume, as a copy of a template where one was chosen.
async fn make_volume(op: &Op, id: InstanceId) -> Result<String> {
    let core = &op.core;
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    let engine = record.engine()?;
    let facts = engine.facts();
    let name = Names::new(&core.owner, id).volume();
    let labels = container::labels(&core.owner, id);
    core.runtime.create_volume(&name, &labels, facts.user.uid, facts.user.gid).await?;
    let Some(from) = record.seeded_from.clone() else { return Ok("empty".into()) };
    match core.runtime.seed_volume(&from, &name, facts.id, rand::random()).await? {
        Seeded::Copied { bytes, reflinked } => Ok(format!(
            "{} MiB {}",
            bytes >> 20,
            if reflinked { "shared with the template" } else { "copied from the template" }
        )),
        Seeded::Unsupported(reason) => {
            // A half-made copy must not be taken for an initialised directory.
            core.runtime.remove_volume(&name).await?;
            core.runtime.create_volume(&name, &labels, facts.user.uid, facts.user.gid).await?;
            core.change_record(id, |r| r.seeded_from = None).await?;
            Ok(format!("empty; no copy of the template: {reason}"))
        }
    }
}

/// Adds the argon2id hashes; they cost too much for the request that made the passwords.
async fn hash_passwords(op: &Op, id: InstanceId) -> Result<String> {
    let core = &op.core;
    let Some(record) = core.registry.record(id) else { return Ok("it is gone".into()) };
    let cx = core.cx(&record).await?;
    for (role, account) in [(Role::System, &cx.system), (Role::User, &cx.user)] {
        let hash = core.vault.hash_password(&account.password).await?;
        let username = account.username.clone();
        core.store
            .write(move |tx| {
                let Some(mut row) = credentials::find(tx, id, role, &username)? else { return Ok(()) };
                row.hash = hash;
                credentials::put(tx, id, role, &row)
            })
            .await?;
    }
    Ok(String::new())
}
