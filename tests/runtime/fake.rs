//! The in-memory runtime: the contract, and that its faults, drift and servers do what tests rely on.

use std::sync::Arc;
use std::time::Duration;

use fluxdb::domain::egress::Egress;
use fluxdb::domain::host::HostClass;
use fluxdb::domain::{Error, ErrorKind};
use fluxdb::runtime::fake::{At, FakeRuntime, Fault};
use fluxdb::runtime::{ContainerRuntime, Seeded};
use fluxdb::wire::fake::FakeWire;
use fluxdb::wire::{Target, Wire};
use fluxdb_adapters::{Account, Secret};
use tokio::sync::mpsc;

use crate::contract;
use crate::support::{Instance, Rig, free_port};

const LIMIT: Duration = Duration::from_secs(5);

fn rig(runtime: &FakeRuntime) -> Rig<'_> {
    Rig { runtime, owner: "fake", class: HostClass::RootlessV2 }
}

fn target(instance: &Instance, account: &Account) -> Target {
    let facts = instance.record.engine().unwrap().facts();
    Target {
        protocol: facts.protocol,
        http_auth: facts.http_auth,
        host: "127.0.0.1".into(),
        port: instance.record.port,
        account: account.clone(),
        database: None,
        tls: None,
        ours: false,
    }
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let runtime = FakeRuntime::with_images();
    contract::all(&rig(&runtime)).await;
}

#[tokio::test]
async fn a_fault_strikes_once_before_or_after_the_effect() {
    let runtime = FakeRuntime::with_images();
    let lost = || Error::unavailable("podman_unavailable", "lost");
    runtime.inject(At::Name("put_secret", 1), Fault::FailBefore(lost()));
    runtime.inject(At::Number(2), Fault::FailAfter(lost()));
    runtime.put_secret("s", &Secret::new("x")).await.unwrap_err();
    assert_eq!(runtime.secret_names(), Vec::<String>::new());
    runtime.put_secret("s", &Secret::new("x")).await.unwrap_err();
    assert_eq!(runtime.secret_names(), ["s"]);
    runtime.put_secret("s", &Secret::new("x")).await.unwrap();
    assert_eq!(runtime.calls(), ["put_secret"; 3]);
}

#[tokio::test]
async fn a_hanging_call_is_noticed_and_its_effect_stays() {
    let runtime = FakeRuntime::with_images();
    runtime.inject(At::Name("put_secret", 1), Fault::HangAfter);
    let task = tokio::spawn({
        let runtime = Arc::clone(&runtime);
        async move { runtime.put_secret("s", &Secret::new("x")).await }
    });
    assert_eq!(tokio::time::timeout(LIMIT, runtime.hung()).await.unwrap(), 1);
    task.abort();
    assert_eq!(runtime.everything(), ["secret s"]);
}

#[tokio::test]
async fn an_unavailable_runtime_says_so_and_its_servers_go_on() {
    let runtime = FakeRuntime::with_images();
    let rig = rig(&runtime);
    let instance = rig.plan("postgresql", free_port());
    rig.make(&instance).await;
    runtime.start(&instance.plan.spec.name, Egress::Closed).await.unwrap();
    runtime.set_available(false);
    let error = runtime.containers().await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "podman_unavailable"));
    let engine = instance.record.engine().unwrap();
    let wire = FakeWire::new(Arc::clone(&runtime));
    wire.run(&target(&instance, &instance.first()), &[engine.ping()], LIMIT).await.unwrap();
}

/// What the daemon does for each new instance, seeded or not, on every engine.
#[tokio::test]
async fn servers_know_the_accounts_that_they_were_given() {
    for engine in fluxdb::runtime::fake::ENGINES.iter().filter_map(|id| fluxdb_adapters::find(id)) {
        let id = engine.facts().id;
        let runtime = FakeRuntime::with_images();
        let rig = rig(&runtime);
        let wire = FakeWire::new(Arc::clone(&runtime));
        let template = rig.plan_with(id, free_port(), "template-Pa55", "nobody");
        rig.make(&template).await;
        runtime.start(&template.plan.spec.name, Egress::Closed).await.unwrap();
        wire.run(&target(&template, &template.first()), &[engine.ping()], LIMIT).await.unwrap();
        runtime.stop(&template.plan.spec.name, LIMIT).await.unwrap();

        let copy = rig.plan(id, free_port());
        rig.make_volume(&copy).await;
        let (from, to) = (&template.volume, &copy.volume);
        if engine.seed().is_some() {
            let seeded = runtime.seed_volume(from, to, id, 77).await.unwrap();
            assert!(matches!(seeded, Seeded::Copied { .. }));
            assert_eq!(runtime.volume_content(to).unwrap().system_identifier, 77);
        }
        rig.make_container(&copy).await;
        runtime.start(&copy.plan.spec.name, Egress::Closed).await.unwrap();
        let (system, user) = (target(&copy, &copy.cx.system), target(&copy, &copy.cx.user));
        if engine.seed().is_some() {
            let refused = wire.run(&system, &[engine.ping()], LIMIT).await.unwrap_err();
            assert_eq!(refused.code, "login_refused", "{id}: the copy still has the template's password");
            wire.run(&target(&copy, &template.first()), &engine.set_password(&copy.cx.system), LIMIT).await.unwrap();
        }
        for _ in 0..2 {
            wire.run(&system, &engine.provision(&copy.cx), LIMIT).await.unwrap();
        }
        let user = Target { database: copy.cx.database.clone(), ..user };
        wire.run(&user, &[engine.ping()], LIMIT).await.unwrap();
        let wrong = Account { password: Secret::new("wrong"), ..copy.cx.user.clone() };
        let error = wire.run(&target(&copy, &wrong), &[engine.ping()], LIMIT).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Unauthenticated, "login_refused"));
    }
}

#[tokio::test]
async fn images_come_from_the_registry_or_from_a_build() {
    let runtime = FakeRuntime::new();
    let (progress, mut lines) = mpsc::channel(16);
    assert_eq!(runtime.pull_image("x:1", progress.clone()).await.unwrap_err().code, "image_pull_failed");
    runtime.set_registry_reachable(false);
    assert_eq!(runtime.pull_image("x:1", progress.clone()).await.unwrap_err().code, "registry_unreachable");
    runtime.set_registry_reachable(true);
    runtime.publish_image("x:1");
    let pulled = runtime.pull_image("x:1", progress.clone()).await.unwrap();
    assert_eq!(runtime.find_image("x:1").await.unwrap(), Some(pulled));
    assert!(lines.recv().await.is_some());
    runtime.build_image("redis", "8.0", "r:8", progress.clone()).await.unwrap();
    let error = runtime.build_image("redis", "0", "r:0", progress).await.unwrap_err();
    assert_eq!(error.code, "image_build_unsupported");
}
