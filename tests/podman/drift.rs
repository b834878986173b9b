//! What others do to our containers, volumes, ports and images is repaired, or said; nothing is made up for it.

use std::net::TcpListener;

use fluxdb::api::{Health, Instance, State};
use fluxdb::app::App;
use fluxdb::domain::InstanceId;
use fluxdb_adapters::Call;

use crate::world::{World, caller, sh};

fn write() -> Vec<Call> {
    vec![Call::resp(&["SET", "k", "kept"])]
}

/// A list command on the string fails; on a missing key it would not.
async fn assert_kept(world: &World, instance: &Instance) {
    let lost = world.query(instance, &[Call::resp(&["LLEN", "k"])]).await;
    let error = lost.expect_err("the value is gone");
    assert!(error.public.contains("WRONGTYPE"), "{error:?}");
}

fn is_well(app: &App, id: InstanceId) -> bool {
    let v = app.instance_view(id).unwrap();
    v.state == State::Running && v.health == Health::Up && v.current_operation.is_none() && v.last_error.is_none()
}

fn is_in_error(app: &App, id: InstanceId, code: &str) -> bool {
    let v = app.instance_view(id).unwrap();
    v.state == State::Error && v.last_error.is_some_and(|e| e.code == code)
}

fn started_at(container: &str) -> String {
    sh(&format!("podman inspect --format '{{{{.Id}}}} {{{{.State.Running}}}} {{{{.State.StartedAt}}}}' {container}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_was_removed_stopped_or_killed_runs_again_with_its_data() {
    let world = World::start().await;
    let instance = world.created("demo", "valkey", "B1s").await;
    let id = instance.id;
    let container = world.names(id).container();
    for cruelty in ["podman rm -f -t 5", "podman stop -t 5", "podman kill"] {
        world.query(&instance, &write()).await.unwrap();
        // What was acknowledged a second ago is on disk: appendfsync everysec.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let before = started_at(&container);
        sh(&format!("{cruelty} {container}"));
        world
            .until(cruelty, |app| {
                let now = started_at(&container);
                now != before && now.contains("true") && is_well(app, id)
            })
            .await;
        assert_kept(&world, &instance).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_volume_is_said_and_no_empty_one_takes_its_place() {
    let world = World::start().await;
    let instance = world.created("demo", "valkey", "B1s").await;
    let id = instance.id;
    let volume = world.names(id).volume();
    let stop = world.app.stop_instance(&caller(), id).await.unwrap();
    world.succeeded(stop.operation.unwrap().id).await;
    // Takes the container with it. Stopped first: a running one would be made again between the two removals.
    sh(&format!("podman volume rm -f -t 5 {volume}"));
    assert_eq!(sh(&format!("podman volume exists {volume}; echo $?")), "1", "the volume is still there");
    let start = world.app.start_instance(&caller(), id).await.unwrap();
    let op = world.ended(start.operation.unwrap().id).await;
    assert_eq!(op.error.as_ref().map(|e| e.code.as_str()), Some("volume_missing"), "{op:#?}");
    world.until("the loss is said", |app| is_in_error(app, id, "volume_missing")).await;
    let shown = world.app.instance_view(id).unwrap();
    assert!(shown.last_error.unwrap().detail.contains(&volume));
    world.until("it is seen to be down", |app| app.instance_view(id).unwrap().health == Health::Down).await;
    // A user who asks for a start gets the same answer, and no empty database.
    let path = sh(&format!("podman volume exists {volume}; echo $?"));
    assert_eq!(path, "1", "an empty volume was made");
    world.deleted(id).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_another_program_took_is_said_and_used_again_when_it_is_free() {
    let world = World::start().await;
    let instance = world.created("demo", "valkey", "B1s").await;
    let id = instance.id;
    world.query(&instance, &write()).await.unwrap();
    let stop = world.app.stop_instance(&caller(), id).await.unwrap();
    world.succeeded(stop.operation.unwrap().id).await;
    let other = TcpListener::bind(("127.0.0.1", instance.endpoint.port)).unwrap();
    let start = world.app.start_instance(&caller(), id).await.unwrap();
    let op = world.ended(start.operation.unwrap().id).await;
    assert_eq!(op.error.as_ref().map(|e| e.code.as_str()), Some("port_taken"), "{op:#?}");
    assert!(op.error.unwrap().detail.contains(&instance.endpoint.port.to_string()));
    assert!(is_in_error(&world.app, id, "port_taken"));
    drop(other);
    world.until("it runs when the port is free", |app| is_well(app, id)).await;
    assert_eq!(world.app.instance_view(id).unwrap().endpoint.port, instance.endpoint.port);
    assert_kept(&world, &instance).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_image_is_said_and_the_instance_comes_back_with_it() {
    let image = format!("localhost/fluxdb-test/valkey:{}", std::process::id());
    sh(&format!("podman tag localhost/fluxdb/valkey:8.1 {image}"));
    let reference = image.clone();
    let world = World::start_with(move |c| {
        c.images.overrides.entry("valkey".into()).or_default().insert("8.1".into(), reference);
    })
    .await;
    let instance = world.created("demo", "valkey", "B1s").await;
    assert_eq!(instance.image.reference, image);
    let id = instance.id;
    world.query(&instance, &write()).await.unwrap();
    let container = world.names(id).container();
    sh(&format!("podman untag {image} {image}"));
    assert!(!sh("podman images --format '{{.Repository}}:{{.Tag}}'").contains(&image));
    sh(&format!("podman rm -f -t 5 {container}"));
    world.until("it is said that the image is missing", |app| is_in_error(app, id, "image_unavailable")).await;
    let error = world.app.instance_view(id).unwrap().last_error.unwrap();
    assert!(error.detail.contains("Valkey 8.1") && error.detail.contains("switched off"), "{error:?}");
    sh(&format!("podman tag localhost/fluxdb/valkey:8.1 {image}"));
    world.until("it runs when the image is back", |app| is_well(app, id)).await;
    assert_kept(&world, &instance).await;
    world.deleted(id).await;
    world.end().await;
    sh(&format!("podman untag {image} {image}"));
}
