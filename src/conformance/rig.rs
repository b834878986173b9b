//! A daemon in this process for one run of the suite, and the instance that is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fluxdb_adapters::{Account, Answer, Call, Cx, Engine, Secret};

use super::failed;
use crate::api::{Accepted, CreateInstance, Instance, Operation};
use crate::app::{App, Caller, Identity, Permission};
use crate::config::Config;
use crate::daemon;
use crate::domain::conformance::{Check, Row, Server};
use crate::domain::container::Names;
use crate::domain::instance::InstanceRecord;
use crate::domain::operation::OperationState;
use crate::domain::{Error, ErrorKind, InstanceId, Result};
use crate::runtime::podman::PodmanRuntime;
use crate::store::Store;
use crate::vault::{Vault, passwords};
use crate::wire::live::LiveWire;

/// How long one call to the server may take.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);
/// How long one operation may take.
const OPERATION_LIMIT: Duration = Duration::from_secs(400);

/// What to run the suite on.
#[derive(Clone, Debug)]
pub struct Options {
    /// Engine id.
    pub engine: String,
    /// Version id; the default one when absent.
    pub version: Option<String>,
    /// Own image instead of the official or locally built one.
    pub image: Option<String>,
    /// Whose server that is.
    pub server: Server,
    /// SKU; the smallest that fits when absent.
    pub sku: Option<String>,
    /// Podman, images, deadlines; its data directory is not used.
    pub config: Config,
}

/// One run.
pub struct Rig {
    /// The daemon.
    pub app: Arc<App>,
    /// The adapter.
    pub engine: &'static dyn Engine,
    /// The instance once it was asked for.
    pub instance: Option<Instance>,
    /// Its password as the user chose it.
    pub password: Secret,
    /// What was asked for.
    pub options: Options,
    /// From the request to the first authenticated answer.
    pub ready: Duration,
    /// Memory of the idle server, MiB.
    pub idle_mib: u64,
    /// Further instances, until they are removed.
    others: Vec<InstanceId>,
    dir: std::path::PathBuf,
    runtime: Arc<PodmanRuntime>,
}

impl Rig {
    /// Starts a daemon with a state of its own.
    ///
    /// # Errors
    /// No such engine or version; a state that cannot be made; no Podman.
    pub async fn start(mut options: Options) -> Result<Self> {
        let engine = fluxdb_adapters::find(&options.engine).ok_or_else(|| Error::not_found("engine"))?;
        let facts = engine.facts();
        let version = options.version.clone().unwrap_or_else(|| facts.default_version.to_owned());
        if facts.version(&version).is_none() {
            let known: Vec<_> = facts.versions.iter().map(|v| v.id).collect();
            return Err(Error::invalid("--version", format!("is not one of {}", known.join(", "))));
        }
        if let Some(image) = &options.image {
            options.config.images.overrides =
                BTreeMap::from([(facts.id.to_owned(), BTreeMap::from([(version.clone(), image.clone())]))]);
        }
        options.version = Some(version);
        let dir = std::env::temp_dir().join(format!("fluxdb-conformance-{:08x}", rand::random::<u32>()));
        let mut config = options.config.clone();
        config.data.dir.clone_from(&dir);
        config.admission.memory_overcommit = 100.0;
        config.admission.cpu_overcommit = 100.0;
        config.operations.ready_deadline_secs = config.operations.ready_deadline_secs.max(300);
        crate::app::activation::make_private_dir(&config.data)?;
        let store = Store::open(&dir.join(daemon::STATE_FILE), 1)?;
        let vault = Vault::open(&store, &dir, None).await?;
        let owner = daemon::installation(&store).await?;
        let runtime = Arc::new(PodmanRuntime::connect(&config.podman, &owner, &dir).await?);
        let app = daemon::open(store, runtime.clone(), Arc::new(LiveWire::default()), vault, config, owner).await?;
        app.core.refresh_host().await?;
        daemon::start_workers(&app);
        let password = passwords::generate();
        let (ready, others) = (Duration::ZERO, Vec::new());
        Ok(Self { app, engine, instance: None, password, options, ready, idle_mib: 0, others, dir, runtime })
    }

    /// Asks for the instance and waits until it is ready.
    pub async fn create(&mut self) -> Result<Operation> {
        let body = self.request("", Some(self.password.expose().to_owned()));
        let asked = Instant::now();
        let accepted = self.app.create_instance(&caller(), body).await?;
        self.instance.clone_from(&accepted.instance);
        let operation = self.ended(accepted).await?;
        // The steps after "ready" read the limits back and hash passwords.
        let ready = operation.steps.iter().find(|s| s.name == "ready").and_then(|s| s.ended_at.clone());
        let created: Option<jiff::Timestamp> = operation.created_at.parse().ok();
        let until = ready.and_then(|t| t.parse::<jiff::Timestamp>().ok());
        self.ready = match (created, until) {
            (Some(from), Some(to)) => Duration::try_from(to.duration_since(from)).unwrap_or(asked.elapsed()),
            _ => asked.elapsed(),
        };
        Ok(operation)
    }

    /// A second instance like the first, of the same template.
    pub(super) async fn another(&mut self) -> Result<Other> {
        let accepted = self.app.create_instance(&caller(), self.request("-2", None)).await?;
        let id = accepted.instance.as_ref().map(|i| i.id).ok_or_else(|| Error::internal("nothing was made"))?;
        self.others.push(id);
        self.ended(accepted).await?;
        Ok(Other { id })
    }

    /// Removes it again.
    pub(super) async fn remove_other(&mut self, id: InstanceId) -> Result<()> {
        let accepted = self.app.delete_instance(&caller(), id).await?;
        self.ended(accepted).await?;
        self.others.retain(|other| *other != id);
        Ok(())
    }

    /// Podman itself.
    pub(super) fn podman(&self) -> &PodmanRuntime {
        &self.runtime
    }

    /// The smallest instance of the engine.
    fn request(&self, suffix: &str, password: Option<String>) -> CreateInstance {
        let facts = self.engine.facts();
        let fits = |s: &&crate::domain::sku::Sku| s.size.memory_mib >= facts.floor.memory_mib;
        let smallest = crate::domain::sku::SKUS.iter().filter(fits).min_by_key(|s| s.size.memory_mib);
        CreateInstance {
            name: format!("conformance-{}{suffix}", facts.id),
            engine: facts.id.to_owned(),
            version: self.options.version.clone(),
            sku: self.options.sku.clone().or_else(|| smallest.map(|s| s.id.to_owned())),
            password,
            ..CreateInstance::default()
        }
    }

    /// Waits for an operation to succeed.
    pub async fn ended(&self, accepted: Accepted) -> Result<Operation> {
        let Some(operation) = accepted.operation else { return failed("nothing was begun") };
        let operation = self.app.wait_operation(operation.id, OPERATION_LIMIT).await?;
        if operation.state == OperationState::Succeeded {
            return Ok(operation);
        }
        let why = operation.error.map_or_else(|| "no reason".to_owned(), |e| e.detail);
        failed(format!("{} ended as {}: {why}", operation.kind.as_str(), operation.state.as_str()))
    }

    /// The instance as it was asked for.
    pub fn instance(&self) -> Result<&Instance> {
        self.instance.as_ref().ok_or_else(|| Error::internal("there is no instance"))
    }

    /// The instance as the API shows it now.
    pub fn shown(&self) -> Result<Instance> {
        let id = self.instance()?.id;
        self.app.instance_view(id).ok_or_else(|| Error::not_found("instance"))
    }

    /// Its record.
    pub fn record(&self) -> Result<Arc<InstanceRecord>> {
        let id = self.instance()?.id;
        self.app.core.registry.record(id).ok_or_else(|| Error::not_found("instance"))
    }

    /// What the adapter is told.
    pub async fn cx(&self) -> Result<Cx> {
        self.app.core.cx(&*self.record()?).await
    }

    /// Name of its container.
    pub fn container(&self) -> Result<String> {
        Ok(Names::new(&self.app.core.owner, self.instance()?.id).container())
    }

    /// Calls as the user's account, in its database.
    pub async fn as_user(&self, calls: &[Call]) -> Result<Vec<Answer>> {
        let user = self.cx().await?.user;
        self.as_account(&user, self.record()?.database.clone(), calls).await
    }

    /// Calls as the account that fluxdb uses.
    pub async fn as_system(&self, calls: &[Call]) -> Result<Vec<Answer>> {
        let system = self.cx().await?.system;
        self.as_account(&system, None, calls).await
    }

    /// Calls as any account. A server that is busy starting is asked again for a while.
    pub async fn as_account(&self, account: &Account, database: Option<String>, calls: &[Call]) -> Result<Vec<Answer>> {
        let record = self.record()?;
        let started = Instant::now();
        loop {
            match self.app.core.talk(&record, account, database.clone(), calls, CALL_LIMIT).await {
                Err(e) if e.kind == ErrorKind::Unavailable && started.elapsed() < CALL_LIMIT => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                other => return other,
            }
        }
    }

    /// The row of this run.
    pub async fn row(&self, checks: Vec<Check>) -> Row {
        let host = self.app.core.host();
        let class = self.app.core.class().await.map_or_else(|_| "unknown".to_owned(), |c| format!("{c:?}"));
        Row {
            engine: self.engine.facts().id.to_owned(),
            version: self.options.version.clone().unwrap_or_default(),
            image: self.image(),
            server: self.options.server,
            date: jiff::Timestamp::now().to_string().chars().take(10).collect(),
            host: format!("podman {}, {class}", host.map_or_else(String::new, |h| h.podman_version.clone())),
            ready_ms: u64::try_from(self.ready.as_millis()).unwrap_or(u64::MAX),
            idle_mib: self.idle_mib,
            checks,
        }
    }

    fn image(&self) -> String {
        self.instance.as_ref().map(|i| i.image.reference.clone()).unwrap_or_default()
    }

    /// Removes what is left, whatever happened before: by label, so only what this run made.
    pub async fn end(self) {
        let core = &self.app.core;
        for id in self.instance.iter().map(|i| i.id).chain(self.others) {
            if core.registry.record(id).is_some() {
                let _ = crate::ops::converge::purge(core, id).await;
            }
        }
        for row in core.store.read(crate::store::templates::all).await.unwrap_or_default() {
            let _ = crate::ops::template::discard(core, &row).await;
        }
        core.shutdown.cancel();
        core.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(20), core.tasks.wait()).await;
        // It is found by its socket, which is in the directory.
        self.runtime.end_service().await;
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A further instance.
pub struct Other {
    /// Its id.
    pub id: InstanceId,
}

/// Who asks: the suite itself.
pub fn caller() -> Caller {
    Caller {
        identity: Identity {
            actor: "conformance".into(),
            token_id: None,
            permission: Permission::Write,
            projects: None,
        },
        ip: "127.0.0.1".into(),
        user_agent: "fluxdb conformance".into(),
        route: "conformance".into(),
        idempotency: None,
    }
}
