//! Each engine from its creation to its deletion, on a real server.

use fluxdb::api::{Health, PatchInstance, State};
use fluxdb_adapters::Call;

use crate::world::{World, caller, sh};

/// What writes a value, and what fails where it is not there.
pub fn write_and_check(engine: &str) -> (Vec<Call>, Vec<Call>) {
    match engine {
        "postgresql" => (
            vec![Call::sql("CREATE TABLE t (v text)"), Call::sql("INSERT INTO t VALUES ('kept')")],
            vec![Call::sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM t WHERE v = 'kept') = 1; END $$")],
        ),
        "mariadb" => (
            vec![Call::sql("CREATE TABLE t (v int PRIMARY KEY)"), Call::sql("INSERT INTO t VALUES (1)")],
            // Fails on a missing table; a missing row leaves the key free, and then the second insert is fine.
            vec![Call::sql(
                "BEGIN NOT ATOMIC IF (SELECT count(*) FROM t) <> 1 THEN SIGNAL SQLSTATE '45000'; END IF; END",
            )],
        ),
        _ => (
            vec![Call::resp(&["SET", "k", "kept"])],
            // A list command on a string is the error WRONGTYPE; on a missing key it is none.
            vec![
                Call::resp(&["LLEN", "k"]).tolerating(&["WRONGTYPE"]),
                Call::resp(&["RENAMENX", "k", "k2"]),
                Call::resp(&["RENAMENX", "k2", "k"]),
            ],
        ),
    }
}

async fn whole_life(engine: &str) {
    let world = World::start().await;
    let instance = world.created("demo", engine, "B1s").await;
    assert_eq!((instance.state, instance.health), (State::Running, Health::Up));
    let (write, check) = write_and_check(engine);
    world.query(&instance, &write).await.unwrap();
    world.query(&instance, &check).await.unwrap();

    let wrong = world.query_as(&instance, &instance.username, "wrong-password", &check).await.unwrap_err();
    assert_eq!(wrong.code, "login_refused");
    let empty = world.query_as(&instance, &instance.username, "", &check).await.unwrap_err();
    assert_eq!(empty.code, "login_refused", "{empty:?}");

    let id = instance.id;
    let restart = world.app.restart_instance(&caller(), id).await.unwrap();
    world.succeeded(restart.operation.unwrap().id).await;
    world.query(&instance, &check).await.unwrap();

    let stop = world.app.stop_instance(&caller(), id).await.unwrap();
    world.succeeded(stop.operation.unwrap().id).await;
    assert_eq!(world.app.instance_view(id).unwrap().state, State::Stopped);
    assert_eq!(world.query(&instance, &check).await.unwrap_err().code, "endpoint_unreachable");
    let start = world.app.start_instance(&caller(), id).await.unwrap();
    world.succeeded(start.operation.unwrap().id).await;
    world.query(&instance, &check).await.unwrap();

    let container = world.names(id).container();
    sh(&format!("podman rm -f -t 10 {container}"));
    world
        .until("it is made again on its volume", |app| {
            let v = app.instance_view(id).unwrap();
            v.state == State::Running
                && v.health == Health::Up
                && v.current_operation.is_none()
                && !sh(&format!("podman ps -q --filter name={container}")).is_empty()
        })
        .await;
    world.query(&instance, &check).await.unwrap();

    let bigger = PatchInstance { sku: Some("B1ms".into()), ..PatchInstance::default() };
    let resize = world.app.patch_instance(&caller(), id, None, bigger).await.unwrap();
    world.succeeded(resize.operation.unwrap().id).await;
    let after = world.app.instance_view(id).unwrap();
    assert_eq!(
        (after.sku.as_str(), after.size.memory_mib, after.endpoint.port),
        ("B1ms", 2048, instance.endpoint.port)
    );
    if after.limits.enforced {
        assert_eq!(after.limits.effective.memory_bytes, Some(2048 << 20));
    } else {
        assert!(after.limits.reason.is_some());
    }
    world.query(&instance, &check).await.unwrap();

    world.deleted(id).await;
    let owner = &world.app.core.owner;
    assert_eq!(sh(&format!("podman ps -aq --filter label=fluxdb.owner={owner}")), "");
    assert_eq!(sh(&format!("podman volume ls -q --filter label=fluxdb.owner={owner} | grep -F {id}")), "");
    assert_eq!(sh(&format!("podman secret ls --format '{{{{.Name}}}}' | grep -F fluxdb-{owner}")), "");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_lives_and_dies() {
    whole_life("postgresql").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_lives_and_dies() {
    whole_life("mariadb").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_lives_and_dies() {
    whole_life("redis").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_lives_and_dies() {
    whole_life("valkey").await;
}
