//! A world that outlives the daemon: the in-memory runtime and the directory with the state. Each `life` is one
//! daemon on it; dropping a life is `kill -9`: nothing is tidied up.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fluxdb::api::{CreateInstance, Operation};
use fluxdb::app::vault::Vault;
use fluxdb::app::{App, Caller, Identity, Permission};
use fluxdb::config::Config;
use fluxdb::daemon;
use fluxdb::domain::operation::OperationState;
use fluxdb::domain::{InstanceId, OperationId};
use fluxdb::runtime::fake::FakeRuntime;
use fluxdb::store::Store;
use fluxdb::wire::fake::FakeWire;

/// Longer than anything here takes; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub runtime: Arc<FakeRuntime>,
    dir: tempfile::TempDir,
    pub config: Config,
}

/// One daemon, from its start to its death.
pub struct Life {
    pub app: Arc<App>,
    threads: Option<tokio::runtime::Runtime>,
}

impl World {
    pub fn new() -> Self {
        let runtime = FakeRuntime::with_images();
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().to_owned();
        config.admission.memory_overcommit = 100.0;
        config.admission.cpu_overcommit = 100.0;
        config.operations.ready_deadline_secs = 5;
        // Calls are counted; a test asks for a round of health checks when it wants one.
        config.workers.health_period_secs = 3600;
        Self { runtime, dir, config }
    }

    pub fn without_templates(mut self) -> Self {
        self.config.images.templates = false;
        self
    }

    /// Starts a daemon: opens the state, resumes what is open, starts the workers.
    pub fn start(&self) -> Life {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (runtime, config, path) = (self.runtime.clone(), self.config.clone(), self.dir.path().to_owned());
        let app = threads.block_on(async move {
            let store = Store::open(&path.join(daemon::STATE_FILE), 1).unwrap();
            let vault = Arc::new(Vault::with_key([7; 32], "test"));
            let owner = daemon::installation(&store).await.unwrap();
            let wire = Arc::new(FakeWire::new(runtime.clone()));
            let app = daemon::open(store, runtime, wire, vault, config, owner).await.unwrap();
            daemon::start_workers(&app);
            app
        });
        Life { app, threads: Some(threads) }
    }

    /// Starts a daemon and waits until its workers have looked once, so that no call of theirs comes in between.
    pub fn start_quiet(&self) -> Life {
        let life = self.start();
        let looked = |app: &App| life.run(|_| app.status()).workers.len() == 2;
        life.until("the workers look", looked);
        life
    }

    /// What is left in the runtime, kept templates aside.
    pub fn left_over(&self) -> Vec<String> {
        let life = self.start();
        let templates: Vec<String> = life.run(async |app| {
            let rows = app.core.store.read(fluxdb::store::templates::all).await.unwrap();
            assert!(rows.iter().all(|t| t.ready), "a half-made template is left");
            rows.into_iter().map(|t| format!("volume {}", t.id)).collect()
        });
        life.kill();
        self.runtime.everything().into_iter().filter(|thing| !templates.contains(thing)).collect()
    }

    /// Nothing is left: no container, volume, secret, row, open operation, or step that was begun and not ended.
    pub fn assert_clean_slate(&self, story: &str) {
        assert_eq!(self.left_over(), Vec::<String>::new(), "left over after {story}");
        let db = rusqlite::Connection::open(self.dir.path().join(daemon::STATE_FILE)).unwrap();
        for (what, sql) in [
            ("instances", r#"SELECT count(*) FROM "620600_databases_instances""#),
            ("credentials", r#"SELECT count(*) FROM "620600_databases_credentials""#),
            ("open operations", r#"SELECT count(*) FROM "620600_databases_operations" WHERE ended_at IS NULL"#),
        ] {
            let count: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(count, 0, "{what} left after {story}");
        }
    }
}

impl Life {
    pub fn run<T, F: Future<Output = T>>(&self, work: impl FnOnce(Arc<App>) -> F) -> T {
        self.threads.as_ref().unwrap().block_on(work(self.app.clone()))
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        let threads = self.threads.take().unwrap();
        threads.shutdown_timeout(Duration::from_millis(200));
    }

    /// Waits for an operation to end.
    pub fn ended(&self, id: OperationId) -> Operation {
        let op = self.run(|app| async move { app.wait_operation(id, PATIENCE).await.unwrap() });
        assert!(op.state.ended(), "operation did not end: {op:#?}");
        op
    }

    /// Waits until no operation is open.
    pub fn settle(&self, story: &str) {
        self.until(story, |app| app.core.registry.with_all(|all| all.filter(|e| e.operation.is_some()).count() == 0));
    }

    /// Waits until something is true.
    pub fn until(&self, story: &str, is_so: impl Fn(&App) -> bool) {
        let started = Instant::now();
        while !is_so(&self.app) {
            assert!(started.elapsed() < PATIENCE, "waited in vain: {story}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn create(&self, engine: &str) -> (InstanceId, OperationId) {
        let body = CreateInstance { name: "demo".into(), engine: engine.into(), ..CreateInstance::default() };
        let accepted = self.run(|app| async move { app.create_instance(&caller(), body).await.unwrap() });
        (accepted.instance.unwrap().id, accepted.operation.unwrap().id)
    }

    /// Creates an instance and waits for it.
    pub fn created(&self, engine: &str) -> InstanceId {
        let (id, op) = self.create(engine);
        let op = self.ended(op);
        assert_eq!(op.state, OperationState::Succeeded, "{op:#?}");
        id
    }

    /// Deletes an instance and waits until it is gone.
    pub fn deleted(&self, id: InstanceId) {
        let accepted = self.run(|app| async move { app.delete_instance(&caller(), id).await });
        match accepted {
            Ok(accepted) => {
                let op = self.ended(accepted.operation.unwrap().id);
                assert_eq!(op.state, OperationState::Succeeded, "{op:#?}");
            }
            Err(e) => assert_eq!(e.code, "instance_not_found", "{e:?}"),
        }
    }
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
