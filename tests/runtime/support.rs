//! An instance and its container, as the daemon would plan them.

use std::collections::BTreeMap;

use fluxdb::domain::container::{self, LABEL_OWNER, Plan};
use fluxdb::domain::host::HostClass;
use fluxdb::domain::instance::{Desired, Grant, InstanceRecord};
use fluxdb::domain::{InstanceId, bootstrap};
use fluxdb::runtime::ContainerRuntime;
use fluxdb_adapters::{Account, Cx, Secret};

/// A runtime and what a test may use of it.
pub struct Rig<'a> {
    pub runtime: &'a dyn ContainerRuntime,
    pub owner: &'a str,
    pub class: HostClass,
}

/// One instance: its record, what its engine is told, and its container.
pub struct Instance {
    pub record: InstanceRecord,
    pub cx: Cx,
    pub plan: Plan,
    pub volume: String,
}

impl Instance {
    /// The system account at the first start, before anybody gave it another password.
    pub fn first(&self) -> Account {
        let engine = self.record.engine().expect("engine");
        bootstrap::first_account(engine, &self.cx).unwrap_or_else(|| self.cx.system.clone())
    }
}

impl Rig<'_> {
    /// Plans an instance of the engine's default version. Nothing is made yet.
    pub fn plan(&self, engine: &str, port: u16) -> Instance {
        self.plan_with(engine, port, "system-Pa55", "user-Pa55")
    }

    /// The same with these passwords.
    pub fn plan_with(&self, engine: &str, port: u16, system: &str, user: &str) -> Instance {
        let facts = fluxdb_adapters::find(engine).expect("engine").facts();
        let now = jiff::Timestamp::now();
        let record = InstanceRecord {
            id: InstanceId::generate(),
            name: "contract".into(),
            engine: engine.into(),
            version: facts.default_version.into(),
            image_reference: image(engine),
            image_digest: String::new(),
            sku: "B1ls".into(),
            size: Grant { vcpu: 1, memory_mib: 512, storage_gib: 8 },
            project: "default".into(),
            region: "local".into(),
            labels: BTreeMap::new(),
            desired: Desired::Running,
            revision: 1,
            restart_revision: 1,
            more_ports: vec![],
            settings: BTreeMap::new(),
            username: facts.default_username.into(),
            database: facts.default_database.map(Into::into),
            host_ip: "127.0.0.1".into(),
            port,
            seeded_from: None,
            initialized_at: None,
            deletion_protection: false,
            egress: false,
            last_error: None,
            created_at: now,
            updated_at: now,
            row_version: 1,
        };
        let cx = record.cx("127.0.0.1", Secret::new(system), Secret::new(user)).expect("cx");
        let plan = container::plan(self.owner, &record, &cx, self.class).expect("plan");
        let volume = plan.spec.volume.clone();
        Instance { record, cx, plan, volume }
    }

    /// Makes volume, files and container.
    pub async fn make(&self, instance: &Instance) -> fluxdb::runtime::ContainerDetail {
        self.make_volume(instance).await;
        self.make_container(instance).await
    }

    /// Makes the volume alone.
    pub async fn make_volume(&self, instance: &Instance) {
        let user = instance.record.engine().expect("engine").facts().user;
        let labels = container::labels(self.owner, instance.record.id);
        self.runtime.create_volume(&instance.volume, &labels, user.uid, user.gid).await.expect("volume");
    }

    /// Puts the files and makes the container.
    pub async fn make_container(&self, instance: &Instance) -> fluxdb::runtime::ContainerDetail {
        for (name, content) in &instance.plan.files {
            self.runtime.put_secret(name, content).await.expect("secret");
        }
        self.runtime.create(&instance.plan.spec).await.expect("create")
    }

    /// Removes container, volume and files.
    pub async fn purge(&self, instance: &Instance) {
        self.runtime.remove(&instance.plan.spec.name).await.expect("remove");
        self.runtime.remove_volume(&instance.volume).await.expect("remove volume");
        for (name, _) in &instance.plan.files {
            self.runtime.remove_secret(name).await.expect("remove secret");
        }
    }

    /// Removes everything that bears the owner's label: what a failed test left.
    pub async fn sweep(&self) {
        for container in self.runtime.containers().await.expect("containers") {
            self.runtime.remove(&container.name).await.expect("remove");
        }
        for (name, labels) in self.runtime.volumes().await.expect("volumes") {
            assert_eq!(labels.get(LABEL_OWNER).map(String::as_str), Some(self.owner));
            self.runtime.remove_volume(&name).await.expect("remove volume");
        }
        for name in self.runtime.secrets(&format!("fluxdb-{}-", self.owner)).await.expect("secrets") {
            self.runtime.remove_secret(&name).await.expect("remove secret");
        }
    }
}

/// The locally built image of an engine's default version.
pub fn image(engine: &str) -> String {
    let facts = fluxdb_adapters::find(engine).expect("engine").facts();
    format!("localhost/fluxdb/{engine}:{}", facts.default_version)
}

/// A port that nothing listens on at this moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}
