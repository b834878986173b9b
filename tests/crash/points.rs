//! Fail, kill and repeat at every call that an operation makes.

use std::collections::BTreeMap;
use std::time::Duration;

use fluxdb::api::{PatchInstance, UpdateSettings};
use fluxdb::domain::operation::OperationState;
use fluxdb::domain::{Error, InstanceId, OperationId};
use fluxdb::runtime::fake::{At, Fault};
use fluxdb_adapters::{Account, Secret};

use crate::world::{Life, World, caller};

/// What may go wrong at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A refusal for good, before or after it took effect.
    Refused { after: bool },
    /// The runtime was away for a moment.
    Away { after: bool },
    /// The daemon dies there.
    Killed { after: bool },
}

const TROUBLES: [Trouble; 6] = [
    Trouble::Refused { after: false },
    Trouble::Refused { after: true },
    Trouble::Away { after: false },
    Trouble::Away { after: true },
    Trouble::Killed { after: false },
    Trouble::Killed { after: true },
];

impl Trouble {
    fn fault(self) -> Fault {
        let refused = || Error::conflict("test_refusal", "The runtime refuses.");
        let away = || Error::unavailable("podman_unavailable", "Podman is away.");
        match self {
            Trouble::Refused { after: false } => Fault::FailBefore(refused()),
            Trouble::Refused { after: true } => Fault::FailAfter(refused()),
            Trouble::Away { after: false } => Fault::FailBefore(away()),
            Trouble::Away { after: true } => Fault::FailAfter(away()),
            Trouble::Killed { after: false } => Fault::HangBefore,
            Trouble::Killed { after: true } => Fault::HangAfter,
        }
    }
}

/// An operation under test: what comes before it, and how it is asked for.
struct Case {
    name: &'static str,
    world: fn() -> World,
    before: fn(&Life) -> Option<InstanceId>,
    ask: fn(&Life, Option<InstanceId>) -> OperationId,
}

/// A call of an operation: its name, and which one of that name it is.
type Point = (&'static str, usize);

/// Calls of the reconciler and of the request itself: a refusal there is an answer, not an accident.
const NOT_OF_THE_OPERATION: [&str; 4] = ["ping", "host", "containers", "volumes"];

/// The calls of one undisturbed run.
fn calls_of(case: &Case) -> Vec<Point> {
    let world = (case.world)();
    let life = world.start_quiet();
    let id = (case.before)(&life);
    life.settle("before");
    world.runtime.forget_calls();
    let op = life.ended((case.ask)(&life, id));
    assert_eq!(op.state, OperationState::Succeeded, "{}: {op:#?}", case.name);
    let calls = world.runtime.calls();
    life.kill();
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    let points = calls.into_iter().map(|name| {
        let count = seen.entry(name).or_default();
        *count += 1;
        (name, *count)
    });
    points.filter(|(name, _)| !NOT_OF_THE_OPERATION.contains(name)).collect()
}

/// Runs one operation into one trouble, lets everything recover, and checks that nothing is lost or left.
fn check(case: &Case, (name, number): Point, trouble: Trouble) {
    let story = format!("{} with {name} #{number} {trouble:?}", case.name);
    let world = (case.world)();
    let mut life = world.start_quiet();
    let id = (case.before)(&life);
    life.settle(&story);
    world.runtime.forget_calls();
    world.runtime.inject(At::Name(name, number), trouble.fault());
    let killed = matches!(trouble, Trouble::Killed { .. });
    let op = (case.ask)(&life, id);
    if killed {
        life.until(&story, |_| world.runtime.calls().iter().filter(|c| **c == name).count() >= number);
        // The call hangs; let what runs beside it come to its own wait.
        std::thread::sleep(std::time::Duration::from_millis(5));
        life.kill();
        life = world.start();
    }
    let op = life.ended(op);
    match trouble {
        Trouble::Away { .. } | Trouble::Killed { .. } => {
            assert_eq!(op.state, OperationState::Succeeded, "{story}: {op:#?}");
        }
        // Not every call is worth failing for: a template that cannot be made is done without.
        Trouble::Refused { .. } => {}
    }
    life.settle(&story);
    assert_confined(&world, &life, &story);
    let left: Vec<InstanceId> = life.app.core.registry.with_all(|all| all.map(|e| e.record.id).collect());
    for id in left {
        life.deleted(id);
    }
    life.kill();
    world.assert_clean_slate(&story);
}

/// Every server that runs reaches what its record says, and nobody's is left out.
fn assert_confined(world: &World, life: &Life, story: &str) {
    let asked = |id: InstanceId| life.app.core.registry.record(id).map(|r| r.egress());
    let ids: Vec<InstanceId> = life.app.core.registry.with_all(|all| all.map(|e| e.record.id).collect());
    for (name, reach) in world.runtime.reach() {
        let id = ids.iter().find(|id| world.runtime.container_of(**id).as_ref() == Some(&name));
        assert!(reach.is_some(), "{story}: nobody settled what {name} reaches");
        assert_eq!(reach, id.and_then(|id| asked(*id)), "{story}: {name}");
    }
}

fn check_all(case: &Case) {
    let calls = calls_of(case);
    assert!(calls.len() >= 2, "{}: too few calls to mean anything: {calls:?}", case.name);
    let points: Vec<_> = calls.iter().flat_map(|point| TROUBLES.map(|trouble| (*point, trouble))).collect();
    std::thread::scope(|scope| {
        for half in 0..4 {
            let points = &points;
            scope.spawn(move || {
                for (point, trouble) in points.iter().skip(half).step_by(4) {
                    check(case, *point, *trouble);
                }
            });
        }
    });
}

fn nothing(_: &Life) -> Option<InstanceId> {
    None
}

fn one_postgresql(life: &Life) -> Option<InstanceId> {
    Some(life.created("postgresql"))
}

/// A template is there already, as it is for every create but the first.
fn a_template(life: &Life) -> Option<InstanceId> {
    let id = life.created("postgresql");
    life.deleted(id);
    None
}

#[test]
fn create_leaves_all_or_nothing_at_every_point() {
    check_all(&Case {
        name: "create",
        world: || World::new().without_templates(),
        before: nothing,
        ask: |life, _| life.create("postgresql").1,
    });
}

#[test]
fn create_from_a_template_leaves_all_or_nothing_at_every_point() {
    check_all(&Case {
        name: "create from a template",
        world: World::new,
        before: a_template,
        ask: |life, _| life.create("postgresql").1,
    });
}

#[test]
fn the_first_create_makes_its_template_and_leaves_all_or_nothing_at_every_point() {
    check_all(&Case {
        name: "first create",
        world: World::new,
        before: nothing,
        ask: |life, _| life.create("mariadb").1,
    });
}

#[test]
fn create_of_an_engine_with_files_only_leaves_all_or_nothing_at_every_point() {
    check_all(&Case { name: "create", world: World::new, before: nothing, ask: |life, _| life.create("valkey").1 });
}

#[test]
fn delete_finishes_from_every_point() {
    check_all(&Case {
        name: "delete",
        world: || World::new().without_templates(),
        before: one_postgresql,
        ask: |life, id| {
            life.run(
                |app| async move { app.delete_instance(&caller(), id.unwrap()).await.unwrap().operation.unwrap().id },
            )
        },
    });
}

#[test]
fn resize_goes_forward_or_back_from_every_point() {
    check_all(&Case {
        name: "resize",
        world: || World::new().without_templates(),
        before: one_postgresql,
        ask: |life, id| {
            let body = PatchInstance { sku: Some("B2s".into()), ..PatchInstance::default() };
            life.run(|app| async move {
                app.patch_instance(&caller(), id.unwrap(), None, body).await.unwrap().operation.unwrap().id
            })
        },
    });
}

#[test]
fn restart_finishes_from_every_point() {
    check_all(&Case {
        name: "restart",
        world: || World::new().without_templates(),
        before: one_postgresql,
        ask: |life, id| {
            life.run(
                |app| async move { app.restart_instance(&caller(), id.unwrap()).await.unwrap().operation.unwrap().id },
            )
        },
    });
}

#[test]
fn opening_and_closing_outgoing_traffic_goes_forward_or_back_from_every_point() {
    fn ask(life: &Life, id: Option<InstanceId>, open: bool) -> OperationId {
        let body = PatchInstance { egress: Some(open), ..PatchInstance::default() };
        life.run(|app| async move {
            app.patch_instance(&caller(), id.unwrap(), None, body).await.unwrap().operation.unwrap().id
        })
    }
    fn one_open(life: &Life) -> Option<InstanceId> {
        let id = one_postgresql(life);
        life.ended(ask(life, id, true));
        id
    }
    let world = || World::new().without_templates();
    check_all(&Case { name: "open", world, before: one_postgresql, ask: |life, id| ask(life, id, true) });
    check_all(&Case { name: "close", world, before: one_open, ask: |life, id| ask(life, id, false) });
}

#[test]
fn a_restart_that_restores_fluxdbs_account_finishes_from_every_point() {
    check_all(&Case {
        name: "repair_account",
        world: || World::new().without_templates(),
        before: one_postgresql,
        ask: |life, id| {
            life.run(
                |app| async move { app.repair_account(&caller(), id.unwrap()).await.unwrap().operation.unwrap().id },
            )
        },
    });
}

#[test]
fn settings_go_forward_or_back_from_every_point() {
    fn ask(life: &Life, id: Option<InstanceId>, name: &str, value: &str) -> OperationId {
        let body = UpdateSettings { settings: BTreeMap::from([(name.to_owned(), value.to_owned())]) };
        life.run(
            |app| async move { app.update_settings(&caller(), id.unwrap(), body).await.unwrap().operation.unwrap().id },
        )
    }
    let world = || World::new().without_templates();
    let running = |life: &Life, id| ask(life, id, "work_mem", "8192");
    check_all(&Case { name: "settings", world, before: one_postgresql, ask: running });
    let restarted = |life: &Life, id| ask(life, id, "wal_level", "logical");
    check_all(&Case { name: "settings with a restart", world, before: one_postgresql, ask: restarted });
}

/// Somebody changed the system account inside the server.
#[test]
fn who_is_locked_out_gets_in_again() {
    let world = World::new().without_templates();
    let life = world.start_quiet();
    let id = one_postgresql(&life).unwrap();
    life.settle("before");
    life.run(|app| async move {
        let record = app.core.registry.record(id).unwrap();
        let cx = app.core.cx(&record).await.unwrap();
        let lost = Account { password: Secret::new("somebody's own"), ..cx.system.clone() };
        let calls = record.engine().unwrap().set_password(&lost);
        app.core.talk(&record, &cx.system, None, &calls, Duration::from_secs(5)).await.unwrap();
        let refused = app.core.talk(&record, &cx.system, None, &calls, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(refused.code, "login_refused");
    });
    let op = life.run(|app| async move { app.repair_account(&caller(), id).await.unwrap().operation.unwrap().id });
    let op = life.ended(op);
    assert_eq!(op.state, OperationState::Succeeded, "{op:#?}");
    life.settle("after");
    let secrets = life.run(|app| async move {
        let record = app.core.registry.record(id).unwrap();
        let cx = app.core.cx(&record).await.unwrap();
        let ping = [record.engine().unwrap().ping()];
        app.core.talk(&record, &cx.system, None, &ping, Duration::from_secs(5)).await.unwrap();
        let names = fluxdb::domain::container::Names::new(&app.core.owner, id);
        app.core.runtime.secrets(&names.secret("", 0)).await.unwrap()
    });
    assert_eq!(secrets, Vec::<String>::new(), "files of the repair start are left");
    life.deleted(id);
    life.kill();
    world.assert_clean_slate("repair");
}
