//! Tokens: shown once, limited as asked, gone at once.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_secret_is_shown_once() {
    let app = TestApp::start().await;
    let made = app.make_token(json!({"name": "ci", "permissions": ["databases:write"], "expires_in_days": 30})).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.len() >= 32);
    assert!(made["token"]["expires_at"].is_string());
    let list = app.get("/tokens").send().await;
    assert!(!list.text().contains(secret));
    assert!(list.expect(200)["items"].as_array().unwrap().iter().any(|t| t["name"] == "ci"));
    app.get("/databases").token(secret).send().await.expect(200);
}

#[tokio::test]
async fn a_deleted_token_stops_working_at_once() {
    let app = TestApp::start().await;
    let made = app.make_token(json!({"name": "ci", "permissions": ["databases:read"]})).await;
    let secret = made["secret"].as_str().unwrap();
    app.get("/databases").token(secret).send().await.expect(200);
    let answer = app.delete(&format!("/tokens/{}", made["token"]["id"].as_str().unwrap())).send().await;
    assert_eq!(answer.status, 204);
    app.get("/databases").token(secret).send().await.expect(401);
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let app = TestApp::start().await;
    let body = json!({"name": "ci", "permissions": ["databases:read"]});
    app.make_token(body.clone()).await;
    app.post("/tokens").json(&body).send().await.refused(409, "name_taken");
}

#[tokio::test]
async fn too_many_failures_have_to_wait_but_a_good_token_goes_on() {
    let app = TestApp::start_with(|config| config.auth.failures = 5).await;
    let mut last = 401;
    for n in 0..8 {
        let answer = app.get("/databases").token(&format!("wrong-{n}")).send().await;
        last = answer.status.as_u16();
        assert!(matches!(last, 401 | 429), "{}", answer.text());
    }
    assert_eq!(last, 429);
    assert_eq!(app.get("/status").anonymous().send().await.status, 200);
}
