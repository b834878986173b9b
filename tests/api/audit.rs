//! The audit log: who did what, with what result, without secrets.

use serde_json::{Value, json};

use crate::support::TestApp;

async fn entries(app: &TestApp) -> Vec<Value> {
    app.get("/audit?limit=1000").send().await.expect(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_change_is_written_down() {
    let app = TestApp::start().await;
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls", "password": "Canary-Password-4711"});
    let call = app.post("/databases?wait=20").json(&body).header("user-agent", "tests/1");
    let made = call.send().await.expect(200);
    let entries = entries(&app).await;
    let entry = entries.iter().find(|e| e["route"] == "POST /databases").unwrap();
    assert_eq!(
        (&entry["result"], &entry["ip"], &entry["user_agent"]),
        (&json!("accepted"), &json!("127.0.0.1"), &json!("tests/1"))
    );
    assert_eq!((&entry["instance_id"], &entry["operation_id"]), (&made["instance"]["id"], &made["operation"]["id"]));
    assert!(entry["actor"].is_string() && entry["token_id"].is_string());
    assert!(!json!(entries).to_string().contains("Canary"));
}

#[tokio::test]
async fn a_refused_change_is_written_down_with_its_reason() {
    let app = TestApp::start().await;
    let reader = app.make_token(json!({"name": "reader", "permissions": ["databases:read"]})).await;
    let made = app.create(json!({"name": "demo", "engine": "redis", "sku": "B1ls", "deletion_protection": true})).await;
    let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
    app.delete(&path).token(reader["secret"].as_str().unwrap()).send().await.expect(403);
    app.delete(&path).send().await.expect(409);
    let entries = entries(&app).await;
    let results: Vec<_> = entries
        .iter()
        .filter(|e| e["route"] == "DELETE /databases/{id}")
        .map(|e| (&e["actor"], &e["result"]))
        .collect();
    assert_eq!(results.len(), 2, "{entries:?}");
    assert_eq!(results[0].1, "deletion_protected");
    assert_eq!(results[1], (&json!("reader"), &json!("permission_denied")));
}

#[tokio::test]
async fn reads_are_not_written_down() {
    let app = TestApp::start().await;
    let before = entries(&app).await.len();
    app.get("/databases").send().await;
    app.get("/operations").send().await;
    assert_eq!(entries(&app).await.len(), before);
}
