//! Initialised data directories, one for each engine, version and image: made once, copied for each new instance.
//!
//! Initialising takes most of a database's first start. A template's password is random and known to the daemon
//! alone; each copy gets another before it is called ready, and its own identifiers where the engine has some.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use fluxdb_adapters::{Account, Cx, Secret};
use tracing::{info, warn};

use super::core::template_context;
use super::drive::Op;
use super::{Core, converge, ready};
use crate::domain::bootstrap;
use crate::domain::container::{self, LABEL_KIND, Names};
use crate::domain::egress::Egress;
use crate::domain::instance::{Desired, InstanceRecord};
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::store::templates::{self, TemplateRow};
use crate::vault::passwords;

/// Chooses a template for a new instance, making it first where there is none. Never fails for want of a template:
/// the instance is initialised in the ordinary way then, and the answer says why.
///
/// # Errors
/// `Unavailable` while the runtime is away; from the store.
pub async fn choose(op: &Op, id: InstanceId) -> Result<String> {
    let core = &op.core;
    let record = core.registry.record(id).ok_or_else(|| Error::not_found("instance"))?;
    if !core.config.images.templates {
        return Ok("not used: switched off in the configuration".into());
    }
    if record.engine()?.seed().is_none() {
        return Ok("not needed: the engine starts on an empty directory at once".into());
    }
    if core.host().is_some_and(|h| !h.local) {
        return Ok("not used: the data directories are on another machine".into());
    }
    let row = match find_or_make(core, &record).await {
        Ok(row) => row,
        Err(e) if e.kind == ErrorKind::Unavailable => return Err(e),
        Err(e) => {
            warn!(instance.id = %id, error = %e.story(), "could not make a template");
            return Ok(format!("not used: {}", e.public));
        }
    };
    let volume = row.id.clone();
    core.change_record(id, move |r| r.seeded_from = Some(volume)).await?;
    Ok(row.id)
}

async fn find(core: &Core, record: &InstanceRecord) -> Result<Option<TemplateRow>> {
    let (engine, version, digest) = (record.engine.clone(), record.version.clone(), record.image_digest.clone());
    let row = core.store.read(move |db| templates::find(db, &engine, &version, &digest)).await?;
    match row {
        // Its volume may have been removed behind our back.
        Some(row) if row.ready && core.runtime.volume_exists(&row.id).await? => Ok(Some(row)),
        _ => Ok(None),
    }
}

async fn find_or_make(core: &Core, record: &InstanceRecord) -> Result<TemplateRow> {
    if let Some(row) = find(core, record).await? {
        return Ok(row);
    }
    let _one_at_a_time = core.template_lock.lock().await;
    if let Some(row) = find(core, record).await? {
        return Ok(row);
    }
    let (engine, version, digest) = (record.engine.clone(), record.version.clone(), record.image_digest.clone());
    if let Some(left) = core.store.read(move |db| templates::find(db, &engine, &version, &digest)).await? {
        discard(core, &left).await?;
    }
    make(core, record).await
}

/// The instance that a template is while it is made: like the one that asked, but with names of its own.
fn stand_in(record: &InstanceRecord, port: u16, more_ports: &[u16]) -> InstanceRecord {
    InstanceRecord {
        id: InstanceId::generate(),
        name: format!("template-{}-{}", record.engine, record.version),
        revision: 1,
        restart_revision: 1,
        settings: BTreeMap::new(),
        more_ports: more_ports.to_vec(),
        labels: BTreeMap::new(),
        desired: Desired::Running,
        host_ip: Ipv4Addr::LOCALHOST.to_string(),
        port,
        seeded_from: None,
        initialized_at: None,
        last_error: None,
        ..record.clone()
    }
}

async fn make(core: &Core, record: &InstanceRecord) -> Result<TemplateRow> {
    let started = std::time::Instant::now();
    let more: Vec<u16> = (1..record.engine()?.facts().ports.len()).map(|_| free_port()).collect::<Result<_>>()?;
    let stand_in = stand_in(record, free_port()?, &more);
    let names = Names::new(&core.owner, stand_in.id);
    let password = passwords::generate();
    let cx = stand_in.cx(&stand_in.host_ip, password.clone(), password)?;
    // The password that its copies begin with: the one of the template's only start.
    let login = bootstrap::first_account(stand_in.engine()?, &cx).unwrap_or_else(|| cx.system.clone());
    let row = TemplateRow {
        id: names.volume(),
        engine: record.engine.clone(),
        version: record.version.clone(),
        image_digest: record.image_digest.clone(),
        ready: false,
        ciphertext: core.vault.seal(&template_context(&names.volume()), &login.password)?,
    };
    // Written before anything is made, so that a crash leaves a row that says what to clean up.
    {
        let row = row.clone();
        core.store.write(move |tx| templates::put(tx, &row)).await?;
    }
    if let Err(e) = initialise(core, &stand_in, &names, &cx, &login).await {
        if let Err(left) = discard(core, &row).await {
            warn!(template = %row.id, error = %left.story(), "could not discard a failed template yet");
        }
        return Err(e);
    }
    let row = TemplateRow { ready: true, ..row };
    {
        let row = row.clone();
        core.store.write(move |tx| templates::put(tx, &row)).await?;
    }
    info!(template = %row.id, engine = %row.engine, version = %row.version, duration_ms = %started.elapsed().as_millis(), "template made");
    Ok(row)
}

async fn initialise(core: &Core, stand_in: &InstanceRecord, names: &Names, cx: &Cx, login: &Account) -> Result<()> {
    let facts = stand_in.engine()?.facts();
    let mut plan = container::plan(&core.owner, stand_in, cx, core.class().await?)?;
    plan.spec.labels.insert(LABEL_KIND.into(), "template".into());
    let mut labels = container::labels(&core.owner, stand_in.id);
    labels.insert(LABEL_KIND.into(), "template".into());
    core.runtime.create_volume(&names.volume(), &labels, facts.user.uid, facts.user.gid).await?;
    converge::put_files(core, &plan).await?;
    core.runtime.create(&plan.spec).await?;
    // Nobody has opened it for a template, and a first start that needs the network would not work closed either.
    core.runtime.start(&names.container(), Egress::Closed).await?;
    ready::await_login(core, stand_in, login).await?;
    core.runtime.stop(&names.container(), Duration::from_secs(u64::from(facts.stop.grace_secs))).await?;
    remove_container(core, names).await
}

async fn remove_container(core: &Core, names: &Names) -> Result<()> {
    core.runtime.remove(&names.container()).await?;
    for secret in core.runtime.secrets(&names.secret_prefix()).await? {
        core.runtime.remove_secret(&secret).await?;
    }
    Ok(())
}

/// Removes a template with all that belongs to it.
///
/// # Errors
/// `Unavailable` while the runtime is away.
pub async fn discard(core: &Core, row: &TemplateRow) -> Result<()> {
    if let Some(id) = id_of(&core.owner, &row.id) {
        remove_container(core, &Names::new(&core.owner, id)).await?;
    }
    core.runtime.remove_volume(&row.id).await?;
    let id = row.id.clone();
    core.store.write(move |tx| templates::delete(tx, &id)).await
}

/// The id in a template volume's name.
pub fn id_of(owner: &str, volume: &str) -> Option<InstanceId> {
    volume.strip_prefix(&format!("fluxdb-{owner}-"))?.strip_suffix("-data")?.parse().ok()
}

/// Discards what a crash left half made. At start, before anything else uses templates.
///
/// # Errors
/// `Unavailable` while the runtime is away.
pub async fn discard_unfinished(core: &Core) -> Result<()> {
    // A request may already be making one: that one is not left over.
    let _one_at_a_time = core.template_lock.lock().await;
    for row in core.store.read(templates::all).await? {
        if !row.ready {
            info!(template = %row.id, "discarding a template that was never finished");
            discard(core, &row).await?;
        }
    }
    Ok(())
}

/// The password inside a fresh copy of this template.
///
/// # Errors
/// `Internal` when the template is unknown.
pub async fn password(core: &Core, id: &str) -> Result<Secret> {
    let key = id.to_owned();
    let row = core.store.read(move |db| templates::get(db, &key)).await?;
    let row = row.ok_or_else(|| Error::internal(format!("template {id} is not in the store")))?;
    core.vault.open_sealed(&template_context(id), &row.ciphertext)
}

/// A port that nothing listens on now; only for the seconds in which a template is made.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0)).map_err(Error::internal)?;
    Ok(listener.local_addr().map_err(Error::internal)?.port())
}
