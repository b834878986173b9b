//! fluxdb's own questions: what a tenant made is never run by them, the server ends them in time, and a server that hangs has two
//! sessions of ours at most.

use std::time::{Duration, Instant};

use fluxdb::api::{Health, Instance};
use fluxdb::domain::ErrorKind;
use fluxdb_adapters::{Answer, Call};

use crate::world::{PASSWORD, World, caller, sh};

/// Functions by the names that fluxdb's questions use, for whatever types they may be called with, each of which notes who ran it.
fn traps() -> Vec<Call> {
    let mut calls = vec![
        Call::sql("CREATE TABLE public.trapped (who text)"),
        Call::sql("GRANT ALL ON public.trapped TO PUBLIC"),
        Call::sql(
            "CREATE FUNCTION public.note() RETURNS bigint LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO public.trapped VALUES (current_user); RETURN 1; END $$",
        ),
    ];
    let one =
        ["pg_database_size(oid)", "pg_database_size(name)", "pg_database_size(int)", "pg_postmaster_start_time()"];
    let more =
        ["current_setting(text)", "current_setting(varchar)", "sum(bigint)", "format(text, name, text)", "now()"];
    calls.extend(one.iter().chain(&more).map(|f| {
        Call::sql(format!("CREATE FUNCTION public.{f} RETURNS bigint LANGUAGE sql AS 'SELECT public.note()'"))
    }));
    // A view and an operator of the server's own names.
    calls.extend([
        Call::sql("CREATE VIEW public.pg_stat_database AS SELECT public.note() AS numbackends"),
        Call::sql("CREATE VIEW public.pg_database AS SELECT public.note() AS oid, ''::name AS datname, false AS datistemplate"),
        Call::sql("CREATE FUNCTION public.equals(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT public.note() = 2'"),
        Call::sql("CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.equals)"),
    ]);
    calls
}

async fn who_was_trapped(world: &World, instance: &Instance) -> Vec<String> {
    let record = world.app.core.registry.record(instance.id).unwrap();
    let system = world.app.core.cx(&record).await.unwrap().system;
    let call = Call::sql("SELECT DISTINCT who FROM public.trapped ORDER BY who")
        .in_database(instance.database.clone().unwrap());
    let answers = world.app.core.talk(&record, &system, None, &[call], LIMIT).await.unwrap();
    answers.iter().flat_map(Answer::column).collect()
}

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_made_under_the_servers_names_is_not_run_by_us() {
    let world = World::start().await;
    let instance = world.created("trapped", "postgresql", "B1s").await;
    let core = &world.app.core;
    let record = core.registry.record(instance.id).unwrap();
    let (engine, cx) = (record.engine().unwrap(), core.cx(&record).await.unwrap());
    let own = instance.database.clone().unwrap();
    world.query(&instance, &traps()).await.unwrap();
    let database = |what: &str| format!("ALTER DATABASE {own} SET {what}");
    let sets = [
        database("search_path = public, pg_catalog"),
        database("standard_conforming_strings = off"),
        "ALTER ROLE admin SET search_path = public, pg_catalog".to_owned(),
        // Together: after the first of them no session could set another.
        ["statement_timeout = 1", "transaction_timeout = 300", "default_transaction_read_only = on"]
            .map(database)
            .join("; "),
    ];
    world.query(&instance, &sets.map(Call::sql)).await.unwrap();
    // The traps work: whoever has the path falls into them.
    let falls =
        ["SET transaction_timeout = 0", "SET default_transaction_read_only = off", "SELECT pg_database_size(1::int)"];
    world.query(&instance, &falls.map(Call::sql)).await.unwrap();
    assert_eq!(who_was_trapped(&world, &instance).await, ["admin"]);

    let metrics = engine.metrics().unwrap();
    let there = |calls: Vec<Call>| {
        calls.into_iter().map(|c| if c.database.is_none() { c.in_database(&own) } else { c }).collect::<Vec<_>>()
    };
    for calls in [metrics.calls(&cx), there(metrics.calls(&cx))] {
        let answers = core.poll(&record, &cx.system, &calls, LIMIT).await.unwrap();
        assert!(metrics.parse(&answers).iter().any(|m| m.name == "data_bytes" && m.value > 1e6), "{answers:?}");
    }
    let users = engine.users().unwrap();
    let account = fluxdb_adapters::Account {
        username: "someone'\\".into(),
        password: fluxdb_adapters::Secret::new("it's\\' odd"),
    };
    let mut work = there(engine.settings().unwrap().read(&cx));
    work.extend(engine.databases().unwrap().create(&cx, &own));
    work.extend(there(users.put(&cx, &account, fluxdb_adapters::Role::Backup, std::slice::from_ref(&own))));
    work.extend(there(users.list(&cx)));
    work.extend(there(users.drop(&cx, &account.username, std::slice::from_ref(&own))));
    // Longer than the tenant lets a transaction take.
    work.push(Call::sql("SELECT pg_sleep(1)").in_database(&own));
    core.talk(&record, &cx.system, None, &work, LIMIT).await.unwrap();
    assert_eq!(who_was_trapped(&world, &instance).await, ["admin"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_tenants_lock_is_ended_in_the_server() {
    let world = World::start().await;
    let instance = world.created("locked", "postgresql", "B1s").await;
    let core = world.app.core.clone();
    let record = core.registry.record(instance.id).unwrap();
    let cx = core.cx(&record).await.unwrap();
    let own = instance.database.clone().unwrap();
    world.query(&instance, &[Call::sql("CREATE TABLE t (i int)")]).await.unwrap();
    let lock = {
        let (core, record, user, own) = (core.clone(), record.clone(), cx.user.clone(), own.clone());
        let holds = Call::sql("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(12)");
        tokio::spawn(async move { core.talk(&record, &user, Some(own), &[holds], Duration::from_secs(20)).await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        let (begun, asks) = (Instant::now(), Call::sql("SELECT count(*) FROM public.t").in_database(&own));
        let e = core.poll(&record, &cx.system, &[asks], Duration::from_secs(4)).await.unwrap_err();
        assert_eq!((e.kind, e.code), (ErrorKind::Timeout, "query_timeout"), "{}", e.story());
        assert!(e.public.contains("lock timeout") && begun.elapsed() < Duration::from_secs(4), "{}", e.public);
    }
    // Also what would compute for ever.
    let asks = [Call::sql("SELECT pg_sleep(3600)")];
    let e = core.talk(&record, &cx.system, None, &asks, Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(e.code, "query_timeout", "{}", e.story());
    let waiting = [Call::sql(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'postgres' AND state = 'active' AND pid <> pg_backend_pid()",
    )];
    let answers = core.talk(&record, &cx.system, None, &waiting, LIMIT).await.unwrap();
    assert_eq!(answers[0].first().as_deref(), Some("0"));
    assert!(lock.await.unwrap().is_ok());
    world.end().await;
}

/// For so many seconds every server process of fluxdb's account is stopped as soon as it is there; how many there were at most.
fn stop_our_backends(container: &str, seconds: u32) -> u32 {
    let script = format!(
        r#"end=$(($(date +%s) + {seconds})); most=0
        while [ $(date +%s) -lt $end ]; do n=0
          for p in /proc/[0-9]*; do
            case "$(tr "\0" " " < $p/cmdline 2> /dev/null)" in
              "postgres: postgres postgres "*) n=$((n + 1)); kill -STOP ${{p#/proc/}};;
            esac
          done
          [ $n -le $most ] || most=$n; sleep 0.1
        done; echo $most"#
    );
    let output = std::process::Command::new("podman").args(["exec", container, "sh", "-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    said.parse().unwrap_or_else(|_| panic!("{said:?}, {}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_has_two_sessions_of_ours_and_is_watched_again_when_it_goes_on() {
    let world = World::start_with(|config| config.workers.health_period_secs = 1).await;
    let instance = world.created("hangs", "postgresql", "B1s").await;
    let id = instance.id;
    let container = world.names(id).container();
    let stopping = {
        let container = container.clone();
        tokio::task::spawn_blocking(move || stop_our_backends(&container, 25))
    };
    // Until the program that stops them has begun, which takes its time on a busy machine.
    let begun = async {
        while world.app.settings(&caller(), id).await.unwrap().degraded.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun).await.expect("its sessions are stopped");
    // People look at it meanwhile.
    for _ in 0..3 {
        let looks = [(); 3].map(|()| {
            let app = world.app.clone();
            tokio::spawn(async move { app.settings(&caller(), id).await.unwrap().degraded })
        });
        for look in looks {
            assert!(look.await.unwrap().is_some(), "the server does not answer");
        }
    }
    world.until("it is down", |app| app.instance_view(id).unwrap().health == Health::Down).await;
    let reason = world.app.instance_view(id).unwrap().health_reason.unwrap();
    assert!(reason.contains("asked nothing more until it does"), "{reason}");
    let most = stopping.await.unwrap();
    println!("at most {most} sessions of fluxdb in the server that hung");
    assert!((1..=2).contains(&most), "{most} sessions of fluxdb in a server that hangs");

    sh(&format!("podman exec {container} sh -c 'kill -CONT -1'"));
    world.until("it is up again", |app| app.instance_view(id).unwrap().health == Health::Up).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sessions =
        Call::sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_stat_activity WHERE usename = 'postgres') <= 2; END $$");
    world.query_as(&instance, &instance.username, PASSWORD, &[sessions]).await.unwrap();
    assert!(world.app.settings(&caller(), id).await.unwrap().degraded.is_none());
    world.end().await;
}
