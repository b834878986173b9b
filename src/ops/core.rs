//! What every operation works with: the parts below, and the few things that live in memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use fluxdb_adapters::{Account, Cx, Secret};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bus::{Bus, Change};
use super::registry::Registry;
use crate::config::Config;
use crate::domain::container::{Plan, plan};
use crate::domain::host::{HostClass, HostInfo};
use crate::domain::instance::InstanceRecord;
use crate::domain::operation::OperationRecord;
use crate::domain::{Error, InstanceId, OperationId, Result};
use crate::runtime::ContainerRuntime;
use crate::store::credentials::{self, Role};
use crate::store::{Store, instances};
use crate::vault::Vault;
use crate::wire::lanes::Lanes;
use crate::wire::{Target, Wire};

/// The parts below, and what lives in memory.
pub struct Core {
    /// State.
    pub store: Store,
    /// Containers.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// Servers.
    pub wire: Arc<dyn Wire>,
    /// Passwords.
    pub vault: Arc<Vault>,
    /// What the operator set.
    pub config: Config,
    /// Installation id: in the names and labels of all that this daemon makes.
    pub owner: String,
    /// Instances in memory.
    pub registry: Registry,
    /// Who watches.
    pub bus: Bus,
    /// "Look now": what to do comes from the store and the runtime, never from the poke.
    pub wake: Notify,
    /// Ends everything.
    pub shutdown: CancellationToken,
    /// Everything that runs in the background.
    pub tasks: TaskTracker,
    /// One program at a time asks something in a container; and whether it is for a poll.
    pub(super) programs: Lanes<(InstanceId, bool), ()>,
    /// One image is pulled or built at a time: two would fight over disk and CPU.
    pub(super) image_lock: tokio::sync::Mutex<()>,
    /// One template is made or discarded at a time; the one that waited finds it made.
    pub(super) template_lock: tokio::sync::Mutex<()>,
    host: RwLock<Option<Arc<HostInfo>>>,
    cancels: Mutex<HashMap<OperationId, CancellationToken>>,
}

impl Core {
    /// Puts the parts together. Nothing is read or started yet.
    pub fn new(
        store: Store,
        runtime: Arc<dyn ContainerRuntime>,
        wire: Arc<dyn Wire>,
        vault: Arc<Vault>,
        config: Config,
        owner: String,
    ) -> Self {
        Self {
            store,
            runtime,
            wire,
            vault,
            config,
            owner,
            registry: Registry::default(),
            bus: Bus::new(),
            wake: Notify::new(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            programs: Lanes::default(),
            image_lock: tokio::sync::Mutex::new(()),
            template_lock: tokio::sync::Mutex::new(()),
            host: RwLock::new(None),
            cancels: Mutex::new(HashMap::new()),
        }
    }

    /// What the host is, as last read.
    pub fn host(&self) -> Option<Arc<HostInfo>> {
        self.host.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads what the host is; keeps the old answer when the runtime is away.
    ///
    /// # Errors
    /// As [`ContainerRuntime::host`].
    pub async fn refresh_host(&self) -> Result<Arc<HostInfo>> {
        let info = Arc::new(self.runtime.host().await?);
        let before = self.host.write().unwrap_or_else(PoisonError::into_inner).replace(info.clone());
        if before.is_none_or(|b| HostClass::of(&b) != HostClass::of(&info)) {
            self.registry.invalidate();
        }
        Ok(info)
    }

    /// What the host is; asks the runtime the first time.
    ///
    /// # Errors
    /// `Unavailable` while the runtime was never reached.
    pub async fn refresh_host_if_unknown(&self) -> Result<Arc<HostInfo>> {
        match self.host() {
            Some(host) => Ok(host),
            None => self.refresh_host().await,
        }
    }

    /// What the host can enforce; asks the runtime the first time.
    ///
    /// # Errors
    /// `Unavailable` while the runtime was never reached.
    pub async fn class(&self) -> Result<HostClass> {
        Ok(HostClass::of(&*self.refresh_host_if_unknown().await?))
    }

    /// Changes a record in one transaction, starting from what is in the store, and takes it over in memory.
    ///
    /// # Errors
    /// `NotFound` when the row is gone.
    pub async fn change_record<F>(&self, id: InstanceId, change: F) -> Result<Arc<InstanceRecord>>
    where
        F: FnOnce(&mut InstanceRecord) + Send + 'static,
    {
        let record = self
            .store
            .write(move |tx| {
                let mut record = instances::find(tx, id)?.ok_or_else(|| Error::not_found("instance"))?;
                let before = record.clone();
                change(&mut record);
                if record != before {
                    instances::update(tx, &mut record)?;
                }
                Ok(record)
            })
            .await?;
        let record = self.registry.put(record);
        Ok(record)
    }

    /// What the adapter needs to know about an instance, with its passwords.
    ///
    /// # Errors
    /// `Internal` when a password is missing or cannot be opened.
    pub async fn cx(&self, record: &InstanceRecord) -> Result<Cx> {
        let facts = record.engine()?.facts();
        let system_user = facts.system_user;
        let (id, user) = (record.id, record.username.clone());
        let (system, own) = self
            .store
            .read(move |db| {
                Ok((
                    credentials::find(db, id, Role::System, system_user)?,
                    credentials::find(db, id, Role::User, &user)?,
                ))
            })
            .await?;
        let open = |row: Option<credentials::CredentialRow>, role: Role| {
            let row = row.ok_or_else(|| Error::internal(format!("instance {id} has no {role:?} password")))?;
            self.vault.open_sealed(&credential_context(id, role, &row.username), &row.ciphertext)
        };
        let host = self.config.endpoints.host.as_deref().unwrap_or(&record.host_ip);
        record.cx(host, open(system, Role::System)?, open(own, Role::User)?)
    }

    /// The container that an instance should have.
    ///
    /// # Errors
    /// As [`Core::cx`] and [`plan`].
    pub async fn plan(&self, record: &InstanceRecord) -> Result<(Plan, Cx)> {
        let cx = self.cx(record).await?;
        Ok((plan(&self.owner, record, &cx, self.class().await?)?, cx))
    }

    /// Where to reach an instance from here.
    ///
    /// # Errors
    /// As [`InstanceRecord::engine`].
    pub fn target(&self, record: &InstanceRecord, account: &Account, database: Option<String>) -> Result<Target> {
        let ip: IpAddr = record.host_ip.parse().map_err(Error::internal)?;
        // What is published on every address is reached on loopback.
        let host = match ip {
            ip if ip.is_unspecified() && ip.is_ipv4() => "127.0.0.1".to_owned(),
            ip if ip.is_unspecified() => "::1".to_owned(),
            ip => ip.to_string(),
        };
        let facts = record.engine()?.facts();
        let port = record.ports().nth(facts.control_port);
        Ok(Target {
            protocol: facts.protocol,
            http_auth: facts.http_auth,
            host,
            port: port.ok_or_else(|| Error::internal("an instance without the port that fluxdb talks to"))?,
            account: account.clone(),
            ours: facts.single_account || account.username == facts.system_user,
            database,
            // No engine is configured to speak it yet.
            tls: None,
        })
    }

    /// Tells those who watch that an operation moved.
    pub fn announce_operation(&self, op: &OperationRecord, state: &str, detail: &str) {
        self.bus.publish(Change {
            kind: "operation",
            project: &op.project,
            instance_id: op.instance_id,
            operation_id: Some(op.id),
            state,
            detail,
        });
    }

    /// Tells those who watch that an instance changed.
    pub fn announce_instance(&self, record: &InstanceRecord, state: &str, detail: &str) {
        self.bus.publish(Change {
            kind: "instance",
            project: &record.project,
            instance_id: Some(record.id),
            operation_id: None,
            state,
            detail,
        });
    }

    pub(super) fn cancel_token(&self, op: OperationId) -> CancellationToken {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner).entry(op).or_default().clone()
    }

    pub(super) fn forget_cancel(&self, op: OperationId) {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner).remove(&op);
    }

    /// Makes a running operation stop at once and take back what it did. The store must already say `cancelling`.
    pub fn cancel(&self, op: OperationId) {
        if let Some(token) = self.cancels.lock().unwrap_or_else(PoisonError::into_inner).get(&op) {
            token.cancel();
        }
    }
}

/// Binds a password's ciphertext to its place, so that rows cannot be swapped.
pub fn credential_context(id: InstanceId, role: Role, username: &str) -> String {
    format!("credential:{id}:{role:?}:{username}")
}

/// Binds a template's password to its place.
pub fn template_context(id: &str) -> String {
    format!("template:{id}")
}

/// A secret shown as nothing; for rendered files in a dry run.
pub fn masked() -> Secret {
    Secret::new("***")
}
