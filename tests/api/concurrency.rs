//! Two changes of one instance at a time: the second is told which operation is in the way.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn a_busy_instance_refuses_changes_and_names_the_operation() {
    let app = TestApp::start().await;
    app.runtime.delay("start", Duration::from_secs(1));
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
    let accepted = app.post("/databases").json(&body).send().await.expect(202);
    let path = format!("/databases/{}", accepted["instance"]["id"].as_str().unwrap());
    for call in [
        app.post(&format!("{path}/stop")),
        app.post(&format!("{path}/restart")),
        app.delete(&path),
        app.patch(&path).json(&json!({"sku": "B1s"})),
    ] {
        let problem = call.send().await.refused(409, "operation_in_progress");
        assert_eq!(problem["operation_id"], accepted["operation"]["id"], "{problem}");
        assert_eq!(problem["retryable"], true);
    }
    app.settle().await;
    let done = app.post(&format!("{path}/stop?wait=20")).send().await.expect(200);
    assert_eq!(done["instance"]["state"], "STOPPED");
}

#[tokio::test]
async fn of_many_creates_of_one_name_one_wins() {
    let app = TestApp::start().await;
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
    let answers = futures_util::future::join_all((0..12).map(|_| app.post("/databases").json(&body).send())).await;
    let won = answers.iter().filter(|a| a.status == 202).count();
    assert_eq!(won, 1);
    for lost in answers.iter().filter(|a| a.status != 202) {
        lost.refused(409, "name_taken");
    }
    app.settle().await;
}

#[tokio::test]
async fn of_many_deletes_all_end_with_the_instance_gone() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "redis", "sku": "B1ls"})).await;
    let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
    let answers = futures_util::future::join_all((0..8).map(|_| app.delete(&path).send())).await;
    assert_eq!(answers.iter().filter(|a| a.status == 202).count(), 1);
    assert!(answers.iter().all(|a| matches!(a.status.as_u16(), 202 | 404 | 409)));
    app.settle().await;
    app.get(&path).send().await.expect(404);
    assert_eq!(app.runtime.everything(), Vec::<String>::new());
}

#[tokio::test]
async fn together_creates_never_promise_more_than_the_host_has() {
    let app = TestApp::start().await;
    let capacity = app.get("/system-info").send().await.expect(200)["memory_mib_allocatable"].as_u64().unwrap();
    let calls = (0..24).map(|n| {
        app.post("/databases").json(&json!({"name": format!("n{n}"), "engine": "redis", "sku": "B1ms"})).send()
    });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|a| matches!(a.status.as_u16(), 202 | 507)));
    let accepted = answers.iter().filter(|a| a.status == 202).count() as u64;
    assert!(accepted * 2048 <= capacity, "{accepted} of 2048 MiB on {capacity} MiB");
    app.settle().await;
    let ports: std::collections::BTreeSet<_> = app.get("/databases").send().await.expect(200)["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["endpoint"]["port"].as_u64().unwrap())
        .collect();
    assert_eq!(ports.len() as u64, accepted, "every instance has a port of its own");
    let _: Value = app.get("/status").send().await.expect(200);
}
