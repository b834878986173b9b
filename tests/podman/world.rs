//! A daemon in this process on real Podman (that of whoever runs the tests; in CI that is root).

use std::sync::Arc;
use std::time::Duration;

use fluxdb::api::{CreateInstance, Instance, Operation};
use fluxdb::app::{App, Caller, Identity, Permission};
use fluxdb::config::Config;
use fluxdb::daemon;
use fluxdb::domain::container::Names;
use fluxdb::domain::operation::OperationState;
use fluxdb::domain::{InstanceId, OperationId};
use fluxdb::runtime::podman::PodmanRuntime;
use fluxdb::store::Store;
use fluxdb::vault::Vault;
use fluxdb::wire::live::LiveWire;
use fluxdb::wire::{Target, Wire};
use fluxdb_adapters::{Account, Call, Secret};

use crate::host;
pub use crate::host::sh;

pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub app: Arc<App>,
    dir: tempfile::TempDir,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// The same, with a few settings changed.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().to_owned();
        config.images.pull = false;
        config.images.build = false;
        config.admission.memory_overcommit = 100.0;
        config.admission.cpu_overcommit = 100.0;
        change(&mut config);
        let store = Store::open(&dir.path().join(daemon::STATE_FILE), 1).unwrap();
        let vault = Vault::open(&store, dir.path(), None).await.unwrap();
        let owner = daemon::installation(&store).await.unwrap();
        let runtime = Arc::new(PodmanRuntime::connect(&config.podman, &owner, dir.path()).await.unwrap());
        let app = daemon::open(store, runtime, Arc::new(LiveWire::default()), vault, config, owner).await.unwrap();
        daemon::start_workers(&app);
        Self { app, dir }
    }

    pub async fn ended(&self, id: OperationId) -> Operation {
        let op = self.app.wait_operation(id, PATIENCE).await.unwrap();
        assert!(op.state.ended(), "operation did not end: {op:#?}");
        op
    }

    pub async fn succeeded(&self, id: OperationId) -> Operation {
        let op = self.ended(id).await;
        assert_eq!(op.state, OperationState::Succeeded, "{op:#?}");
        op
    }

    /// Creates an instance with a known password and waits until it is ready.
    pub async fn created(&self, name: &str, engine: &str, sku: &str) -> Instance {
        let body = CreateInstance {
            name: name.into(),
            engine: engine.into(),
            sku: Some(sku.into()),
            password: Some(PASSWORD.into()),
            ..CreateInstance::default()
        };
        let accepted = self.app.create_instance(&caller(), body).await.unwrap();
        let op = self.succeeded(accepted.operation.unwrap().id).await;
        for step in &op.steps {
            println!("{engine} {name}: {} {} -> {:?}: {}", step.name, step.started_at, step.ended_at, step.detail);
        }
        self.app.instance_view(accepted.instance.unwrap().id).unwrap()
    }

    pub async fn deleted(&self, id: InstanceId) {
        let accepted = self.app.delete_instance(&caller(), id).await.unwrap();
        self.succeeded(accepted.operation.unwrap().id).await;
    }

    /// Runs calls as the user through the published endpoint.
    pub async fn query(&self, instance: &Instance, calls: &[Call]) -> fluxdb::domain::Result<()> {
        self.query_as(instance, &instance.username, PASSWORD, calls).await
    }

    pub async fn query_as(
        &self,
        instance: &Instance,
        username: &str,
        password: &str,
        calls: &[Call],
    ) -> fluxdb::domain::Result<()> {
        let engine = fluxdb_adapters::find(&instance.engine).unwrap();
        let target = Target {
            protocol: engine.facts().protocol,
            http_auth: engine.facts().http_auth,
            host: instance.endpoint.host.clone(),
            port: instance.endpoint.port,
            account: Account { username: username.into(), password: Secret::new(password) },
            database: instance.database.clone(),
            tls: None,
            ours: false,
        };
        LiveWire::default().run(&target, calls, Duration::from_secs(5)).await.map(|_| ())
    }

    pub fn names(&self, id: InstanceId) -> Names {
        Names::new(&self.app.core.owner, id)
    }

    pub async fn until(&self, story: &str, is_so: impl Fn(&App) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_so(&self.app) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "waited in vain: {story}");
    }

    /// Ends the daemon and removes whatever bears its label, also after a failed test.
    pub async fn end(self) {
        self.app.core.shutdown.cancel();
        self.app.core.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.app.core.tasks.wait()).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.app.core.shutdown.cancel();
        host::Account::own().sweep(&self.app.core.owner);
        // First its directory: without it the one that keeps the service running cannot start it again.
        let _ = std::fs::remove_dir_all(self.dir.path());
        host::end_service(&self.dir.path().join("podman.sock"));
    }
}

pub const PASSWORD: &str = "Canary'\"`$\\ 7c2e!";

pub fn caller() -> Caller {
    Caller {
        identity: Identity { actor: "test".into(), token_id: None, permission: Permission::Write, projects: None },
        ip: "127.0.0.1".into(),
        user_agent: "test".into(),
        route: "TEST".into(),
        idempotency: None,
    }
}
