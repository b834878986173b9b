//! Things that change behind our back: each is repaired, or said, never papered over.

use fluxdb::api::{Health, Instance, PatchInstance, State};
use fluxdb::app::App;
use fluxdb::domain::egress::Egress;
use fluxdb::domain::operation::{OperationKind, OperationState};
use fluxdb::domain::{Error, ErrorKind, InstanceId};
use fluxdb::runtime::RuntimeEvent;
use fluxdb::runtime::fake::{At, Fault};
use fluxdb::workers::health::{self, Round};

use crate::world::{Life, World, caller};

fn view(app: &App, id: InstanceId) -> Instance {
    app.instance_view(id).unwrap()
}

fn is_up(app: &App, id: InstanceId) -> bool {
    let v = view(app, id);
    v.state == State::Running && v.health == Health::Up && v.current_operation.is_none()
}

/// What Podman would say about a container that changed.
fn tell(world: &World, id: InstanceId, action: &str) {
    world.runtime.emit(RuntimeEvent::Container { instance: id, action: action.into() });
}

fn world_with_one() -> (World, Life, InstanceId) {
    let world = World::new().without_templates();
    let life = world.start_quiet();
    let id = life.created("postgresql");
    (world, life, id)
}

#[test]
fn a_removed_container_is_made_again_on_its_volume() {
    let (world, life, id) = world_with_one();
    let container = world.runtime.container_of(id).unwrap();
    let volume = world.runtime.volume_names().pop().unwrap();
    let before = world.runtime.volume_content(&volume).unwrap();
    world.runtime.lose_container(&container);
    tell(&world, id, "remove");
    life.until("it is made again", |app| world.runtime.container_of(id).is_some() && is_up(app, id));
    assert_eq!(world.runtime.volume_content(&volume).unwrap(), before, "the data stayed");
    life.kill();
}

#[test]
fn a_stopped_container_is_started_again() {
    let (world, life, id) = world_with_one();
    let container = world.runtime.container_of(id).unwrap();
    world.runtime.end_container(&container, 137);
    tell(&world, id, "died");
    life.until("it runs again", |app| {
        world.runtime.container_states().iter().all(|(_, s)| *s == fluxdb::runtime::ContainerState::Running)
            && is_up(app, id)
    });
    let ops = life.run(|app| async move { app.list_operations(&caller(), Default::default()).await.unwrap() });
    assert_eq!(ops.items[0].kind, OperationKind::Repair, "the repair can be seen");
    life.kill();
}

#[test]
fn a_container_that_was_restarted_by_hand_is_confined_again_before_it_is_up() {
    let (world, life, id) = world_with_one();
    let container = world.runtime.container_of(id).unwrap();
    let reach = || world.runtime.reach().into_iter().find(|(name, _)| *name == container).and_then(|(_, reach)| reach);
    assert_eq!(reach(), Some(Egress::Closed));
    for _ in 0..3 {
        // A server that does not come up is confined all the same, and without waiting for its repair.
        world.runtime.set_refusals_after_start(1_000_000);
        world.runtime.restart_container(&container);
        assert_eq!(reach(), None, "the new run has a network that nobody settled");
        life.until("it is confined", |_| reach() == Some(Egress::Closed));
        assert!(!is_up(&life.app, id), "it did not answer yet");
        world.runtime.set_refusals_after_start(0);
        world.runtime.restart_container(&container);
        life.until("it is up again", |app| is_up(app, id));
        assert_eq!(reach(), Some(Egress::Closed));
    }
    life.kill();
}

#[test]
fn a_host_that_cannot_close_outgoing_traffic_says_so_and_an_opened_one_has_its_badge() {
    let world = World::new().without_templates();
    world.runtime.set_confining(Err("Outgoing traffic is not closed: there is no tool.".into()));
    let life = world.start_quiet();
    let id = life.created("postgresql");
    let shown = view(&life.app, id);
    assert_eq!((shown.network.egress, shown.network.enforced), (Egress::Closed, false));
    assert_eq!(shown.network.reason.as_deref(), Some("Outgoing traffic is not closed: there is no tool."));
    assert!(shown.badges.contains(&"EGRESS_NOT_ENFORCED".to_owned()), "{:?}", shown.badges);

    world.runtime.set_confining(Ok(()));
    let patch = |open| {
        let body = PatchInstance { egress: Some(open), ..PatchInstance::default() };
        let op = life.run(|app| async move { app.patch_instance(&caller(), id, None, body).await.unwrap().operation });
        assert_eq!(life.ended(op.unwrap().id).state, OperationState::Succeeded);
        let shown = view(&life.app, id);
        (shown.network.egress, shown.network.enforced, shown.badges)
    };
    assert_eq!(patch(true), (Egress::Open, true, vec!["EGRESS_OPEN".to_owned()]));
    assert_eq!(patch(false), (Egress::Closed, true, vec![]));
    life.kill();
}

#[test]
fn a_server_that_stops_answering_is_degraded_then_down_then_up_again() {
    let (world, life, id) = world_with_one();
    let round = || {
        let Round { due, silent, .. } = life.run(|app| async move { health::once(&app).await });
        (due, silent)
    };
    assert_eq!(round(), (1, 0));
    assert_eq!(view(&life.app, id).health, Health::Up);
    for (missed, expected) in [Health::Degraded, Health::Degraded, Health::Down, Health::Down].into_iter().enumerate() {
        world.runtime.forget_calls();
        let silence = Error::new(ErrorKind::Timeout, "query_timeout", "The server did not answer within 5 s.");
        world.runtime.inject(At::Name("wire", 1), Fault::FailBefore(silence));
        assert_eq!(round(), (1, 1));
        let v = view(&life.app, id);
        assert_eq!((v.health, v.state), (expected, State::Running), "after {} checks", missed + 1);
        assert_eq!(v.health_reason.as_deref(), Some("The server did not answer within 5 s."));
    }
    assert_eq!(round(), (1, 0));
    let v = view(&life.app, id);
    assert_eq!((v.health, v.health_reason), (Health::Up, None));

    // What was found of one run says nothing of the next.
    world.runtime.forget_calls();
    world.runtime.inject(At::Name("wire", 1), Fault::FailBefore(Error::unavailable("endpoint_unreachable", "gone")));
    assert_eq!(round(), (1, 1));
    let restart =
        life.run(|app| async move { app.restart_instance(&caller(), id).await.unwrap().operation.unwrap().id });
    life.until("it was restarted", |app| {
        let ended = life.run(|app| async move { app.get_operation(&caller(), restart).await.unwrap() });
        ended.state == OperationState::Succeeded && is_up(app, id)
    });
    life.kill();
}

#[test]
fn a_server_that_ended_without_a_word_of_podman_is_found_by_the_health_check() {
    let (world, life, id) = world_with_one();
    world.runtime.end_container(&world.runtime.container_of(id).unwrap(), 137);
    assert_eq!(view(&life.app, id).health, Health::Up, "nobody knows yet");
    assert_eq!(life.run(|app| async move { health::once(&app).await }), Round { due: 1, silent: 1, busy: 0 });
    assert!(!is_up(&life.app, id), "it is known");
    life.until("it runs again", |app| is_up(app, id));
    life.kill();
}

#[test]
fn after_a_reboot_what_should_run_runs_and_what_should_not_does_not() {
    let world = World::new().without_templates();
    let life = world.start_quiet();
    let running = life.created("postgresql");
    let accepted = life.run(|app| async move {
        let body = fluxdb::api::CreateInstance { name: "other".into(), engine: "valkey".into(), ..Default::default() };
        app.create_instance(&caller(), body).await.unwrap()
    });
    let stopped = accepted.instance.unwrap().id;
    life.ended(accepted.operation.unwrap().id);
    let op = life.run(|app| async move { app.stop_instance(&caller(), stopped).await.unwrap().operation.unwrap().id });
    life.ended(op);
    life.kill();
    world.runtime.reboot();
    let life = world.start();
    life.until("the one that should run runs", |app| is_up(app, running));
    life.until("the other is seen", |app| view(app, stopped).state == State::Stopped);
    life.kill();
}

#[test]
fn a_restarted_daemon_leaves_running_servers_alone() {
    let (world, life, id) = world_with_one();
    life.kill();
    world.runtime.forget_calls();
    let life = world.start_quiet();
    life.until("it is seen to be up", |app| is_up(app, id));
    let calls = world.runtime.calls();
    for touching in ["create", "start", "stop", "remove", "put_secret"] {
        assert!(!calls.contains(&touching), "{touching} in {calls:?}");
    }
    life.kill();
}

#[test]
fn a_lost_volume_is_said_and_no_empty_database_takes_its_place() {
    let (world, life, id) = world_with_one();
    let container = world.runtime.container_of(id).unwrap();
    let volume = world.runtime.volume_names().pop().unwrap();
    world.runtime.lose_container(&container);
    world.runtime.lose_volume(&volume);
    tell(&world, id, "remove");
    life.until("it is an error", |app| view(app, id).state == State::Error);
    assert_eq!(view(&life.app, id).last_error.unwrap().code, "volume_missing");
    assert!(world.runtime.volume_names().is_empty(), "no new volume was made");
    life.deleted(id);
    life.kill();
    world.assert_clean_slate("deleting an instance without its volume");
}

#[test]
fn a_taken_port_is_said_and_used_again_once_it_is_free() {
    let (world, life, id) = world_with_one();
    let port = view(&life.app, id).endpoint.port;
    let container = world.runtime.container_of(id).unwrap();
    world.runtime.end_container(&container, 0);
    world.runtime.take_port(port);
    tell(&world, id, "died");
    life.until("it is an error", |app| view(app, id).state == State::Error);
    assert_eq!(view(&life.app, id).last_error.unwrap().code, "port_taken");
    world.runtime.free_port(port);
    life.until("it comes back by itself", |app| {
        app.core.wake.notify_one();
        is_up(app, id)
    });
    assert_eq!(view(&life.app, id).last_error, None);
    life.kill();
}

#[test]
fn while_the_runtime_is_away_reads_work_and_changes_are_refused_at_once() {
    let (world, life, id) = world_with_one();
    world.runtime.set_available(false);
    life.app.core.wake.notify_one();
    life.until("it is noticed", |app| view(app, id).health == Health::Unknown);
    assert!(view(&life.app, id).badges.contains(&"UNOBSERVED".to_owned()));
    let refused = life.run(|app| async move { app.stop_instance(&caller(), id).await.unwrap_err() });
    assert_eq!((refused.code, refused.retry_after_secs.is_some()), ("podman_unavailable", true));
    world.runtime.set_available(true);
    life.app.core.wake.notify_one();
    life.until("it is seen again", |app| is_up(app, id));
    life.kill();
}

#[test]
fn an_operation_waits_for_a_runtime_that_goes_away_in_the_middle() {
    let world = World::new().without_templates();
    let life = world.start_quiet();
    let away = || Error::unavailable("podman_unavailable", "Podman is away.");
    for n in 1..=3 {
        world.runtime.inject(At::Name("create_volume", n), Fault::FailBefore(away()));
    }
    let (_, op) = life.create("valkey");
    assert_eq!(life.ended(op).state, OperationState::Succeeded);
    life.kill();
}

#[test]
fn a_removed_image_is_got_again_when_it_is_needed() {
    let (world, life, id) = world_with_one();
    let image = view(&life.app, id).image.reference;
    let container = world.runtime.container_of(id).unwrap();
    world.runtime.lose_container(&container);
    world.runtime.lose_image(&image);
    world.runtime.set_registry_reachable(false);
    world.runtime.set_buildable(true);
    tell(&world, id, "remove");
    life.until("it is built and made again", |app| world.runtime.container_of(id).is_some() && is_up(app, id));
    life.kill();
}

#[test]
fn a_cancelled_create_leaves_nothing() {
    let world = World::new().without_templates();
    let life = world.start_quiet();
    world.runtime.inject(At::Name("start", 1), Fault::HangBefore);
    let (_, op) = life.create("postgresql");
    life.until("it hangs", |_| world.runtime.calls().contains(&"start"));
    life.run(|app| async move { app.cancel_operation(&caller(), op).await.unwrap() });
    let op = life.ended(op);
    assert_eq!(op.state, OperationState::Cancelled, "{op:#?}");
    life.kill();
    world.assert_clean_slate("a cancelled create");
}

#[test]
fn a_busy_instance_says_which_operation_is_in_the_way() {
    let (world, life, id) = world_with_one();
    world.runtime.inject(At::Name("stop", 1), Fault::HangBefore);
    let op = life.run(|app| async move { app.stop_instance(&caller(), id).await.unwrap().operation.unwrap().id });
    let body = PatchInstance { sku: Some("B2s".into()), ..PatchInstance::default() };
    let refused = life.run(|app| async move { app.patch_instance(&caller(), id, None, body).await.unwrap_err() });
    assert_eq!((refused.code, refused.operation), ("operation_in_progress", Some(op)));
    life.kill();
}

#[test]
fn a_container_that_is_not_as_asked_is_never_started() {
    let world = World::new().without_templates();
    let life = world.start_quiet();
    world.runtime.set_tamper(Some(|detail| detail.no_new_privileges = false));
    world.runtime.forget_calls();
    let (_, op) = life.create("postgresql");
    let op = life.ended(op);
    assert_eq!(op.error.unwrap().code, "baseline_not_applied");
    assert!(!world.runtime.calls().contains(&"start"));
    life.kill();
    world.assert_clean_slate("a refused container");
}

#[test]
fn a_container_of_nobody_is_reported_and_left_alone() {
    let (world, life, id) = world_with_one();
    // The row vanishes, as after restoring an old copy of the state.
    life.app.core.registry.remove(id);
    life.app.core.wake.notify_one();
    life.until("it is reported", |app| !life.run(|_| app.status()).problems.is_empty());
    assert!(world.runtime.container_of(id).is_some(), "it may hold somebody's data");
    life.kill();
}

#[test]
fn the_audit_log_is_kept_as_long_as_the_operator_says() {
    for (keep_days, left) in [(365, 1), (0, 2)] {
        let mut world = World::new();
        world.config.audit.keep_days = keep_days;
        let life = world.start();
        let lines = life.run(|app| async move {
            for days in [400, 10] {
                let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(days * 24);
                let error = Error::not_found("thing");
                let entry = fluxdb::api::AuditEntry {
                    at: at.to_string(),
                    ..caller().audit(None, None, serde_json::json!({}), error.code)
                };
                app.core.store.write(move |tx| fluxdb::store::audit::append(tx, "", &entry)).await.unwrap();
            }
            fluxdb::workers::housekeeping::once(&app).await.unwrap();
            app.list_audit(&caller(), None, None, None).await.unwrap().items.len()
        });
        assert_eq!(lines, left, "keep_days = {keep_days}");
    }
}
