//! Promises of the store, on real files.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::migrate::Migration;
use super::*;
use crate::api::{AuditEntry, Token};
use crate::domain::instance::{Desired, Grant, InstanceRecord, StoredError};
use crate::domain::operation::{OperationKind, OperationRecord, OperationState, Progress, StepState};
use crate::domain::{InstanceId, OperationId, TokenId};

fn temp() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("fluxdb.sqlite"), 2).unwrap();
    (dir, store)
}

fn instance(name: &str, port: u16) -> InstanceRecord {
    let now = Timestamp::now();
    InstanceRecord {
        id: InstanceId::generate(),
        name: name.into(),
        engine: "postgresql".into(),
        version: "17".into(),
        image_reference: String::new(),
        image_digest: String::new(),
        sku: "B1ms".into(),
        size: Grant { vcpu: 1, memory_mib: 2048, storage_gib: 32 },
        project: "default".into(),
        region: "local".into(),
        labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        desired: Desired::Running,
        revision: 1,
        restart_revision: 1,
        more_ports: vec![],
        settings: BTreeMap::new(),
        username: "app".into(),
        database: Some("app".into()),
        host_ip: "127.0.0.1".into(),
        port,
        seeded_from: None,
        initialized_at: Some(now),
        deletion_protection: true,
        egress: true,
        last_error: Some(StoredError { code: "x".into(), detail: "y".into(), retryable: true }),
        created_at: now,
        updated_at: now,
        row_version: 1,
    }
}

fn operation(instance: Option<InstanceId>, kind: OperationKind, project: &str) -> OperationRecord {
    let now = Timestamp::now();
    OperationRecord {
        id: OperationId::generate(),
        kind,
        instance_id: instance,
        project: project.into(),
        state: OperationState::Pending,
        phase: String::new(),
        progress: Progress::default(),
        params: serde_json::json!({"a": 1}),
        deadline_at: now,
        error: None,
        created_by: "admin".into(),
        created_at: now,
        ended_at: None,
    }
}

#[tokio::test]
async fn an_instance_comes_back_as_it_went_in() {
    let (_dir, store) = temp();
    let record = instance("demo", 21000);
    let wanted = record.clone();
    let (found, named, all) = store
        .write(move |db| {
            instances::insert(db, &record)?;
            Ok((instances::find(db, record.id)?, instances::find_by_name(db, "default", "demo")?, instances::all(db)?))
        })
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&wanted));
    assert_eq!(named, found);
    assert_eq!(all, [wanted]);
}

#[tokio::test]
async fn a_taken_name_and_a_taken_port_are_told_apart() {
    let (_dir, store) = temp();
    store.write(|db| instances::insert(db, &instance("demo", 21000))).await.unwrap();
    let name = store.write(|db| instances::insert(db, &instance("demo", 21001))).await.unwrap_err();
    assert_eq!(
        (name.kind, name.code, name.fields[0].pointer.as_str()),
        (ErrorKind::AlreadyExists, "name_taken", "/name")
    );
    let port = store.write(|db| instances::insert(db, &instance("other", 21000))).await.unwrap_err();
    assert_eq!((port.kind, port.code, port.fields[0].pointer.as_str()), (ErrorKind::Conflict, "port_taken", "/port"));
    let both = store
        .write(|db| {
            let mut other = instance("other", 21001);
            instances::insert(db, &other)?;
            other.name = "demo".into();
            instances::update(db, &mut other)
        })
        .await
        .unwrap_err();
    assert_eq!(both.code, "name_taken");
    assert_eq!(store.read(instances::count).await.unwrap(), 1, "the failed transaction left nothing");
}

#[tokio::test]
async fn the_second_of_two_writers_is_told() {
    let (_dir, store) = temp();
    let mut first = instance("demo", 21000);
    let mut second = first.clone();
    let (first, second) = store
        .write(move |db| {
            instances::insert(db, &first)?;
            first.desired = Desired::Stopped;
            instances::update(db, &mut first)?;
            Ok((first, instances::update(db, &mut second).unwrap_err()))
        })
        .await
        .unwrap();
    assert_eq!((first.row_version, second.code), (2, "concurrent_change"));
    let id = first.id;
    let stored = store.read(move |db| instances::find(db, id)).await.unwrap().unwrap();
    assert_eq!(stored, first);
    let mut gone = instance("gone", 21009);
    let error = store.write(move |db| instances::update(db, &mut gone)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn only_what_should_run_is_promised_and_deleting_twice_is_fine() {
    let (_dir, store) = temp();
    let (a, mut b, c) = (instance("a", 21000), instance("b", 21001), instance("c", 21002));
    b.desired = Desired::Stopped;
    let id = c.id;
    store
        .write(move |db| {
            for record in [&a, &b, &c] {
                instances::insert(db, record)?;
            }
            assert_eq!(instances::allocated(db, None)?, (2, 4096));
            assert_eq!(instances::allocated(db, Some(id))?, (1, 2048));
            assert_eq!(instances::ports(db, "127.0.0.1")?.into_iter().collect::<Vec<_>>(), [21000, 21001, 21002]);
            assert!(instances::ports(db, "0.0.0.0")?.is_empty());
            let row = credentials::CredentialRow { username: "app".into(), hash: "h".into(), ciphertext: vec![1, 2] };
            credentials::put(db, id, credentials::Role::User, &row)?;
            credentials::put(db, id, credentials::Role::User, &row)?;
            assert!(credentials::find(db, id, credentials::Role::System, "app")?.is_none());
            assert_eq!(credentials::find(db, id, credentials::Role::User, "app")?.unwrap().ciphertext, [1, 2]);
            instances::delete(db, id)?;
            instances::delete(db, id)?;
            assert!(credentials::find(db, id, credentials::Role::User, "app")?.is_none(), "gone with its instance");
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn one_operation_at_a_time_holds_an_instance() {
    let (_dir, store) = temp();
    let id = InstanceId::generate();
    let first = operation(Some(id), OperationKind::Resize, "default");
    let first_id = first.id;
    store.write(move |db| operations::insert(db, &first)).await.unwrap();
    let refused = store
        .write(move |db| operations::insert(db, &operation(Some(id), OperationKind::Stop, "default")))
        .await
        .unwrap_err();
    assert_eq!((refused.code, refused.operation), ("operation_in_progress", Some(first_id)));
    assert!(refused.public.contains("resize"), "{refused}");
    assert!(store.read(move |db| operations::ensure_free(db, id)).await.is_err());
    store
        .write(move |db| {
            assert!(operations::set_state(db, first_id, OperationState::Cancelled, None)?);
            operations::ensure_free(db, id)?;
            operations::insert(db, &operation(Some(id), OperationKind::Stop, "default"))?;
            // Operations on no instance do not stand in each other's way.
            operations::insert(db, &operation(None, OperationKind::ImagePull, ""))?;
            operations::insert(db, &operation(None, OperationKind::ImagePull, ""))?;
            assert_eq!(operations::open(db)?.len(), 3);
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn the_journal_tells_what_was_begun_and_what_ended() {
    let (_dir, store) = temp();
    let op = operation(None, OperationKind::ImageBuild, "");
    let id = op.id;
    store
        .write(move |db| {
            operations::insert(db, &op)?;
            assert_eq!(operations::find(db, id)?.unwrap(), op);
            operations::begin_step(db, id, 0, "volume")?;
            let progress = Progress { current: 5, max: u64::MAX, unit: "bytes".into() };
            operations::set_progress(db, id, "copying", &progress)?;
            let running = operations::find(db, id)?.unwrap();
            assert_eq!((running.state, running.phase.as_str()), (OperationState::Running, "copying"));
            assert_eq!((running.progress.current, running.progress.max), (5, i64::MAX as u64));

            operations::set_step(db, id, 0, StepState::Succeeded, "made")?;
            let done = operations::steps(db, id)?.remove(0);
            assert!(done.state == StepState::Succeeded && done.ended_at.is_some() && done.detail == "made");
            operations::set_step(db, id, 0, StepState::Undoing, "")?;
            assert_eq!(operations::steps(db, id)?[0].detail, "made");
            operations::begin_step(db, id, 0, "volume")?;
            let again = operations::steps(db, id)?.remove(0);
            assert!(again.state == StepState::Started && again.ended_at.is_none());
            assert_eq!(operations::find(db, id)?.unwrap().progress, Progress::default());
            assert!(operations::set_step(db, id, 7, StepState::Failed, "").is_err());

            let why = StoredError { code: "x".into(), detail: "y".into(), retryable: false };
            assert!(operations::set_state(db, id, OperationState::Cancelling, Some(&why))?);
            assert!(operations::find(db, id)?.unwrap().ended_at.is_none());
            assert!(operations::set_state(db, id, OperationState::Failed, None)?);
            assert!(!operations::set_state(db, id, OperationState::Running, None)?, "what ended stays ended");
            let ended = operations::find(db, id)?.unwrap();
            assert!(ended.error == Some(why) && ended.ended_at.is_some());

            assert_eq!(operations::prune(db, Timestamp::now() - SignedDuration::from_hours(1))?, 0);
            assert_eq!(operations::prune(db, Timestamp::now() + SignedDuration::from_hours(1))?, 1);
            assert!(operations::steps(db, id)?.is_empty());
            assert!(operations::begin_step(db, id, 1, "late").is_err());
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_page_of_operations_shows_only_what_may_be_seen() {
    let (_dir, store) = temp();
    store
        .write(|db| {
            let id = InstanceId::generate();
            let ops = [
                operation(Some(id), OperationKind::Create, "red"),
                operation(Some(InstanceId::generate()), OperationKind::Create, "blue"),
                operation(None, OperationKind::ImagePull, ""),
            ];
            for op in &ops {
                operations::insert(db, op)?;
            }
            let ids = |f: operations::Filter| -> Result<Vec<OperationId>> {
                Ok(operations::list(db, &operations::Filter { limit: f.limit.max(1), ..f })?
                    .iter()
                    .map(|o| o.id)
                    .collect())
            };
            let all = operations::Filter { limit: 10, ..Default::default() };
            assert_eq!(ids(all.clone())?, [ops[2].id, ops[1].id, ops[0].id]);
            assert_eq!(ids(operations::Filter { limit: 1, ..all.clone() })?, [ops[2].id]);
            assert_eq!(ids(operations::Filter { before: Some(ops[1].id), ..all.clone() })?, [ops[0].id]);
            let red = operations::Filter { projects: Some(vec!["red".into()]), ..all.clone() };
            assert_eq!(ids(red)?, [ops[2].id, ops[0].id]);
            assert_eq!(ids(operations::Filter { instance_id: Some(id), ..all.clone() })?, [ops[0].id]);
            let ended = operations::Filter { state: Some(OperationState::Succeeded), ..all };
            assert!(ids(ended)?.is_empty());
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn tokens_audit_templates_and_values_come_back() {
    let (_dir, store) = temp();
    store
        .write(|db| {
            let id = TokenId::generate();
            let token = Token {
                id,
                name: "ci".into(),
                permissions: vec!["databases:read".into()],
                projects: vec!["red".into()],
                expires_at: None,
                last_used_at: None,
                created_at: Timestamp::now().to_string(),
            };
            let row = tokens::TokenRow { token, lookup: "abc".into(), hash: "secret-hash".into() };
            assert!(!format!("{row:?}").contains("secret-hash"));
            tokens::insert(db, &row)?;
            let mut twin = row.clone();
            twin.token.id = TokenId::generate();
            twin.lookup = "other".into();
            assert_eq!(tokens::insert(db, &twin).unwrap_err().code, "name_taken");
            tokens::touch(db, id, Timestamp::now())?;
            assert!(tokens::find(db, "abc")?.unwrap().token.last_used_at.is_some());
            assert_eq!(tokens::all(db)?.len(), 1);
            assert!(tokens::delete(db, id)? && !tokens::delete(db, id)?);

            let entry = |instance| AuditEntry {
                id: 0,
                at: Timestamp::now().to_string(),
                actor: "ci".into(),
                token_id: Some(id),
                ip: "::1".into(),
                user_agent: "t".into(),
                route: "POST /databases".into(),
                instance_id: instance,
                operation_id: None,
                params: serde_json::json!({}),
                result: "accepted".into(),
            };
            let on = InstanceId::generate();
            audit::append(db, "red", &entry(Some(on)))?;
            audit::append(db, "", &entry(None))?;
            let ids = |instance, projects: Option<&[String]>, before| -> Result<Vec<i64>> {
                Ok(audit::list(db, instance, projects, before, 10)?.iter().map(|e| e.id).collect())
            };
            assert_eq!(ids(None, None, None)?, [2, 1]);
            assert_eq!(ids(None, None, Some(2))?, [1]);
            assert_eq!(ids(Some(on), None, None)?, [1]);
            assert_eq!(ids(None, Some(&["red".into()]), None)?, [1]);
            assert_eq!(ids(Some(on), Some(&["blue".into()]), None)?, [0i64; 0]);

            let template = templates::TemplateRow {
                id: "v1".into(),
                engine: "redis".into(),
                version: "8".into(),
                image_digest: "sha256:1".into(),
                ready: false,
                ciphertext: vec![9],
            };
            templates::put(db, &template)?;
            templates::put(db, &templates::TemplateRow { id: "v2".into(), ready: true, ..template.clone() })?;
            assert!(templates::get(db, "v1")?.is_none(), "one for each image");
            assert!(templates::find(db, "redis", "8", "sha256:1")?.unwrap().ready);
            templates::delete(db, "v2")?;
            templates::delete(db, "v2")?;
            assert!(templates::all(db)?.is_empty());

            meta::set(db, meta::ENABLED, "true")?;
            meta::set(db, meta::ENABLED, "false")?;
            assert_eq!(meta::get(db, meta::ENABLED)?.as_deref(), Some("false"));
            assert_eq!(meta::get(db, "nothing")?, None);
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_key_is_reserved_once_and_forgotten_after_a_day() {
    let (_dir, store) = temp();
    store
        .write(|db| {
            let op = OperationId::generate();
            let row = idempotency::IdempotencyRow {
                actor: "ci".into(),
                key: "k".into(),
                route: "POST /databases".into(),
                body_sha256: "00".into(),
                operation_id: Some(op),
                status: None,
                ciphertext: None,
            };
            idempotency::reserve(db, &row)?;
            let again = idempotency::reserve(db, &row).unwrap_err();
            assert_eq!((again.code, again.operation), ("idempotency_key_in_use", Some(op)));
            idempotency::complete(db, "ci", "k", 202, &[1])?;
            idempotency::complete(db, "ci", "k", 500, &[2])?;
            idempotency::complete(db, "ci", "never reserved", 200, &[3])?;
            let kept = idempotency::find(db, "ci", "k")?.unwrap();
            assert_eq!((kept.status, kept.ciphertext), (Some(202), Some(vec![1])), "the first answer stays");
            assert!(idempotency::find(db, "other", "k")?.is_none());

            db.execute(r#"UPDATE "620600_databases_idempotency" SET created_at = '2001-01-01T00:00:00Z'"#, [])?;
            assert!(idempotency::find(db, "ci", "k")?.is_none());
            idempotency::reserve(db, &row)?;
            db.execute(r#"UPDATE "620600_databases_idempotency" SET created_at = '2001-01-01T00:00:00Z'"#, [])?;
            assert_eq!(idempotency::prune(db)?, 1);
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_panic_is_an_error_and_leaves_nothing() {
    let (_dir, store) = temp();
    let error = store
        .write(|db| -> Result<()> {
            meta::set(db, "k", "v")?;
            panic!("on purpose")
        })
        .await
        .unwrap_err();
    assert!(error.kind == ErrorKind::Internal && error.story().contains("on purpose"));
    assert!(!error.public.contains("on purpose"));
    assert!(store.read(|_| -> Result<()> { panic!("again") }).await.is_err());
    assert_eq!(store.read(|db| meta::get(db, "k")).await.unwrap(), None);
    store.write(|db| meta::set(db, "k", "w")).await.unwrap();
}

#[tokio::test]
async fn a_reader_cannot_write_and_an_error_rolls_back() {
    let (_dir, store) = temp();
    assert!(store.read(|db| meta::set(db, "k", "v")).await.is_err());
    let refused = store
        .write(|db| {
            meta::set(db, "k", "v")?;
            Err::<(), _>(Error::not_found("thing"))
        })
        .await;
    assert_eq!(refused.unwrap_err().code, "not_found");
    assert_eq!(store.read(|db| meta::get(db, "k")).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_begun_is_finished_although_nobody_waits() {
    let (_dir, store) = temp();
    let writing = store.clone();
    let (begun, was_begun) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        writing
            .write(move |db| {
                begun.send(()).ok();
                std::thread::sleep(Duration::from_millis(50));
                meta::set(db, "k", "v")
            })
            .await
    });
    was_begun.await.unwrap();
    task.abort();
    store.write(|_| Ok(())).await.unwrap();
    assert_eq!(store.read(|db| meta::get(db, "k")).await.unwrap().as_deref(), Some("v"));
}

fn line(at: String) -> AuditEntry {
    AuditEntry {
        id: 0,
        at,
        actor: "ci".into(),
        token_id: None,
        ip: "::1".into(),
        user_agent: "t".into(),
        route: "POST /databases".into(),
        instance_id: None,
        operation_id: None,
        params: serde_json::json!({}),
        result: "accepted".into(),
    }
}

#[tokio::test]
async fn the_audit_log_goes_in_batches_from_its_old_end() {
    let (_dir, store) = temp();
    let now = jiff::Timestamp::now();
    let at = move |days: i64| (now - jiff::SignedDuration::from_hours(days * 24)).to_string();
    let removed = store
        .write(move |tx| {
            for n in 0..i64::try_from(audit::BATCH).unwrap() + 5 {
                let days = if n < i64::try_from(audit::BATCH).unwrap() + 3 { 400 } else { 1 };
                audit::append(tx, "", &line(at(days)))?;
            }
            let before = now - jiff::SignedDuration::from_hours(365 * 24);
            assert_eq!(audit::oldest(tx)?, Some(at(400)));
            Ok([audit::prune(tx, before)?, audit::prune(tx, before)?, audit::prune(tx, before)?])
        })
        .await
        .unwrap();
    assert_eq!(removed, [audit::BATCH, 3, 0]);
    let left = store.read(|db| Ok((audit::list(db, None, None, None, 10)?.len(), audit::oldest(db)?))).await.unwrap();
    assert_eq!(left, (2, Some((now - jiff::SignedDuration::from_hours(24)).to_string())));
}

#[tokio::test]
async fn an_unknown_word_names_table_and_column() {
    let (_dir, store) = temp();
    let mut op = operation(None, OperationKind::ImagePull, "");
    op.project = "p".into();
    let id = op.id;
    let error = store
        .write(move |db| {
            operations::insert(db, &op)?;
            db.execute(r#"UPDATE "620600_databases_operations" SET kind = 'teleport'"#, [])?;
            operations::find(db, id)
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    let story = error.story();
    assert!(story.contains("kind") && story.contains("620600_databases_operations"), "{story}");
}

#[test]
fn file_and_directory_are_ours_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let path = data.join("fluxdb.sqlite");
    drop(Store::open(&path, 1).unwrap());
    let mode = |p: &Path| p.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&path)), (0o700, 0o600));
    for name in ["fluxdb.sqlite-wal", "fluxdb.sqlite-shm"] {
        let beside = data.join(name);
        assert!(!beside.exists() || mode(&beside) == 0o600, "{name}");
    }
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    drop(Store::open(&path, 1).unwrap());
    assert_eq!((mode(&data), mode(&path)), (0o700, 0o600));
}

static STEPS: &[Migration] = &[
    Migration { number: 1, name: "one", up: "CREATE TABLE one (a)", down: "DROP TABLE one" },
    Migration { number: 2, name: "two", up: "CREATE TABLE two (a)", down: "DROP TABLE two" },
    Migration { number: 3, name: "three", up: "CREATE TABLE three (a)", down: "DROP TABLE three" },
    Migration { number: 4, name: "four", up: "CREATE TABLE four (a)", down: "DROP TABLE four" },
    Migration { number: 5, name: "five", up: "CREATE TABLE five (a)", down: "DROP TABLE five" },
];

fn tables(db: &Connection) -> Vec<String> {
    let mut statement = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").unwrap();
    statement.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn an_end_between_two_steps_is_carried_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sqlite");
    drop(open::prepare(&path, &STEPS[..1]).unwrap());
    let db = open::prepare(&path, &STEPS[..2]).unwrap();
    assert_eq!(tables(&db), ["one", "two"]);
    drop(db);
    let copy = rusqlite::Connection::open(dir.path().join("s.sqlite.before-002")).unwrap();
    assert_eq!(tables(&copy), ["one"], "the copy is from before the step");
}

#[test]
fn a_step_that_fails_leaves_the_one_before_and_says_where_the_copy_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sqlite");
    drop(open::prepare(&path, &STEPS[..1]).unwrap());
    let broken =
        [STEPS[0], STEPS[1], Migration { number: 3, name: "bad", up: "CREATE TABLE three (a); NONSENSE", down: "" }];
    let error = open::prepare(&path, &broken).unwrap_err();
    assert_eq!(error.code, "store_migration");
    assert!(error.public.contains("before-002"), "{error}");
    let db = open::prepare(&path, &STEPS[..3]).unwrap();
    assert_eq!(tables(&db), ["one", "two", "three"]);
}

#[test]
fn only_the_last_three_copies_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sqlite");
    for n in 1..=STEPS.len() {
        drop(open::prepare(&path, &STEPS[..n]).unwrap());
    }
    let left: Vec<_> = (1..=5).filter(|n| dir.path().join(format!("s.sqlite.before-{n:03}")).exists()).collect();
    assert_eq!(left, [3, 4, 5]);
    assert_eq!(migrate::latest_copy(&path), Some(dir.path().join("s.sqlite.before-005")));
    let newer = open::prepare(&path, &STEPS[..4]).unwrap_err();
    assert_eq!(newer.code, "store_newer");
}

/// Run by hand: `cargo test --release --lib store::tests::speed -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a promise"]
#[allow(clippy::print_stderr)]
async fn speed() {
    let (_dir, store) = temp();
    let id = store
        .write(|db| {
            let records: Vec<_> = (0..1000).map(|n| instance(&format!("i{n}"), 21000 + n)).collect();
            records.iter().try_for_each(|r| instances::insert(db, r))?;
            Ok(records[500].id)
        })
        .await
        .unwrap();
    let report = |what: &str, mut took: Vec<Duration>| {
        took.sort();
        eprintln!("{what}: median {:?}, p99 {:?}", took[took.len() / 2], took[took.len() * 99 / 100]);
    };
    let mut took = Vec::new();
    for _ in 0..2000 {
        let at = std::time::Instant::now();
        store.read(move |db| instances::find(db, id)).await.unwrap().unwrap();
        took.push(at.elapsed());
    }
    report("one instance", took);
    let mut took = Vec::new();
    for _ in 0..100 {
        let at = std::time::Instant::now();
        assert_eq!(store.read(instances::all).await.unwrap().len(), 1000);
        took.push(at.elapsed());
    }
    report("1000 instances", took);
    let mut took = Vec::new();
    for n in 0..200 {
        let at = std::time::Instant::now();
        store.write(move |db| meta::set(db, "k", &n.to_string())).await.unwrap();
        took.push(at.elapsed());
    }
    report("a write", took);
}
