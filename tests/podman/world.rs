//! A daemon in this process on real Podman (that of whoever runs the tests; in CI that is root).

use std::process::Command;
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

pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub app: Arc<App>,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().to_owned();
        config.images.pull = false;
        config.admission.memory_overcommit = 4.0;
        let store = Store::open(&dir.path().join(daemon::STATE_FILE), 1).unwrap();
        let vault = Vault::open(&store, dir.path(), None).await.unwrap();
        let owner = daemon::installation(&store).await.unwrap();
        let runtime = Arc::new(PodmanRuntime::connect(&config.podman, &owner, dir.path()).await.unwrap());
        let app = daemon::open(store, runtime, Arc::new(LiveWire), vault, config, owner).await.unwrap();
        daemon::start_workers(&app);
        Self { app, _dir: dir }
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
            host: instance.endpoint.host.clone(),
            port: instance.endpoint.port,
            account: Account { username: username.into(), password: Secret::new(password) },
            database: instance.database.clone(),
        };
        LiveWire.run(&target, calls, Duration::from_secs(5)).await
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
        let owner = &self.app.core.owner;
        let filter = format!("label=fluxdb.owner={owner}");
        sh(&format!("podman ps -aq --filter {filter} | xargs -r podman rm -f -t 2"));
        sh(&format!("podman volume ls -q --filter {filter} | xargs -r podman volume rm -f"));
        sh(&format!("podman secret ls --format '{{{{.Name}}}}' | grep -F fluxdb-{owner}- | xargs -r podman secret rm"));
    }
}

pub const PASSWORD: &str = "Canary'\"`$\\ 7c2e!";

/// Output of a shell command; its failure is not an error.
pub fn sh(command: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(command).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn caller() -> Caller {
    Caller {
        identity: Identity { actor: "test".into(), token_id: None, permission: Permission::Write, projects: None },
        ip: "127.0.0.1".into(),
        user_agent: "test".into(),
        route: "TEST".into(),
        idempotency: None,
    }
}
