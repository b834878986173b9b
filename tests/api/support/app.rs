//! Starts and stops the daemon under test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fluxdb::app::App;
use fluxdb::app::tokens::{self, AdminToken};
use fluxdb::config::Config;
use fluxdb::runtime::fake::FakeRuntime;
use fluxdb::store::Store;
use fluxdb::vault::Vault;
use fluxdb::wire::fake::FakeWire;
use fluxdb::{daemon, http};
use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Call;

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon on the in-memory runtime, with a data directory of its own.
pub struct TestApp {
    /// What runs the containers.
    pub runtime: Arc<FakeRuntime>,
    app: Arc<App>,
    address: SocketAddr,
    admin: String,
    server: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl TestApp {
    /// With the default configuration, without templates: what is in the runtime is then of instances only.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// The same, with a few settings changed.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let runtime = FakeRuntime::with_images();
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().to_owned();
        config.images.templates = false;
        config.operations.ready_deadline_secs = 5;
        change(&mut config);

        let store = Store::open(&dir.path().join(daemon::STATE_FILE), 1).unwrap();
        let vault = Arc::new(Vault::with_key([7; 32], "test"));
        let owner = daemon::installation(&store).await.unwrap();
        let wire = Arc::new(FakeWire::new(runtime.clone()));
        let app = daemon::open(store, runtime.clone(), wire, vault, config, owner).await.unwrap();
        daemon::start_workers(&app);
        let admin = match tokens::ensure_admin_token(&app.core.store, &app.core.vault, dir.path()).await.unwrap() {
            AdminToken::Made { token, .. } => token.expose().to_owned(),
            other => panic!("a fresh directory has no token: {other:?}"),
        };

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(http::serve(app.clone(), listener, app.core.shutdown.clone()));
        Self { runtime, app, address, admin, server: Some(server), _dir: dir }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A request by the administrator.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(self.address, method, path).token(&self.admin)
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Makes an instance and waits until it runs.
    pub async fn create(&self, body: Value) -> Value {
        let done = self.post("/databases?wait=20").json(&body).send().await.expect(200);
        assert_eq!(done["operation"]["state"], "succeeded", "{done}");
        done
    }

    /// Makes a token: the answer with its secret.
    pub async fn make_token(&self, body: Value) -> Value {
        self.post("/tokens").json(&body).send().await.expect(201)
    }

    /// Waits until no operation is open.
    pub async fn settle(&self) {
        let started = Instant::now();
        loop {
            let open = self.get("/operations?limit=1000").send().await.expect(200);
            let open = open["items"].as_array().unwrap().iter().filter(|o| o["ended_at"] == json!(null)).count();
            if open == 0 {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{open} operations did not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks the daemon to go down; what is answered ends when the server has.
    pub fn shut_down(mut self) -> JoinHandle<()> {
        self.app.core.shutdown.cancel();
        self.server.take().unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.core.shutdown.cancel();
    }
}
