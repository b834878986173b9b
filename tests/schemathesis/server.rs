//! The real API on the in-memory runtime, for tests from outside: `cargo run --example fake_server -- DIRECTORY`.
//!
//! DIRECTORY gets the state, the administrator's token (`admin.token`) and, once it listens, its address (`url`).
//! It serves until its standard input is closed, so that it never outlives the script that began it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use fluxdb::api::BASE;
use fluxdb::app::tokens;
use fluxdb::config::Config;
use fluxdb::runtime::fake::FakeRuntime;
use fluxdb::store::Store;
use fluxdb::vault::Vault;
use fluxdb::wire::fake::FakeWire;
use fluxdb::{daemon, http};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() {
    let dir = PathBuf::from(std::env::args_os().nth(1).expect("usage: fake_server DIRECTORY"));
    let mut config = Config::default();
    config.data.dir = dir.clone();
    // Wrong tokens are sent on purpose, by the hundred, from the address of the right one.
    config.auth.failures = u32::MAX;
    config.operations.ready_deadline_secs = 5;

    let runtime = FakeRuntime::with_images();
    let store = Store::open(&dir.join(daemon::STATE_FILE), 2).unwrap();
    let vault = Arc::new(Vault::with_key([7; 32], "test"));
    let owner = daemon::installation(&store).await.unwrap();
    let wire = Arc::new(FakeWire::new(runtime.clone()));
    let app = daemon::open(store, runtime, wire, vault, config, owner).await.unwrap();
    daemon::start_workers(&app);
    tokens::ensure_admin_token(&app.core.store, &app.core.vault, &dir).await.unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    std::fs::write(dir.join("url"), format!("http://{}{BASE}\n", listener.local_addr().unwrap())).unwrap();
    let shutdown = app.core.shutdown.clone();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        shutdown.cancel();
    });
    http::serve(app.clone(), listener, app.core.shutdown.clone()).await;
}
