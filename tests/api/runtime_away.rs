//! While Podman is away reads work, changes are refused with a time to come back.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn while_podman_is_away_changes_are_refused_and_reads_work() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "postgresql"})).await;
    let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
    app.runtime.set_available(false);
    for call in [
        app.post("/databases").json(&json!({"name": "new", "engine": "redis", "sku": "B1ls"})),
        app.post(&format!("{path}/stop")),
        app.post(&format!("{path}/restart")),
        app.delete(&path),
        app.post("/images/build").json(&json!({"engine": "redis"})),
    ] {
        let answer = call.send().await;
        let problem = answer.refused(503, "podman_unavailable");
        assert_eq!(problem["retryable"], true);
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    }
    for read in [
        "/databases",
        &path,
        &format!("{path}/connection-string"),
        "/operations",
        "/audit",
        "/tokens",
        "/engines",
        "/skus",
        "/requirements",
    ] {
        app.get(read).send().await.expect(200);
    }
    let status = app.get("/status").send().await.expect(200);
    assert_eq!((&status["podman_reachable"], &status["status"]), (&json!(false), &json!("degraded")));
    assert_eq!(app.get("/podman/status").send().await.expect(200)["reachable"], false);
    assert_eq!(app.get("/databases").send().await.expect(200)["items"].as_array().unwrap().len(), 1);

    app.runtime.set_available(true);
    let done = app.post(&format!("{path}/stop?wait=20")).send().await.expect(200);
    assert_eq!(done["instance"]["state"], "STOPPED");
}

#[tokio::test]
async fn what_needs_no_podman_is_changed_without_it() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "redis", "sku": "B1ls"})).await;
    let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
    app.runtime.set_available(false);
    let changed = app.patch(&path).json(&json!({"labels": {"a": "b"}})).send().await.expect(200);
    assert_eq!(changed["instance"]["labels"], json!({"a": "b"}));
    app.make_token(json!({"name": "t", "permissions": ["databases:read"]})).await;
}
