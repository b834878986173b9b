//! The same `Idempotency-Key` with the same request gets the first answer again.

use serde_json::{Value, json};

use crate::support::{Call, TestApp};

fn create(app: &TestApp, key: &str, name: &str) -> Call {
    app.post("/databases").json(&json!({"name": name, "engine": "redis", "sku": "B1ls"})).header("idempotency-key", key)
}

#[tokio::test]
async fn a_repeated_create_makes_one_instance_and_shows_its_password_again() {
    let app = TestApp::start().await;
    let first = create(&app, "key-1", "demo").send().await;
    assert_eq!(first.header("idempotent-replayed"), "");
    app.settle().await;
    let again = create(&app, "key-1", "demo").send().await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    assert!(again.json()["password"].is_string());
    assert_eq!(app.get("/databases").send().await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_request_can_wait_like_the_first() {
    let app = TestApp::start().await;
    let wait = || {
        let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
        app.post("/databases?wait=20").json(&body).header("idempotency-key", "key-1").send()
    };
    let (first, again) = (wait().await, wait().await);
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (200, 200));
    assert_eq!((again.json(), again.header("idempotent-replayed")), (first.json(), "true"));
    // How long to wait is no part of what is asked.
    let accepted = create(&app, "key-1", "demo").send().await.expect(202);
    assert_eq!(
        (&accepted["operation"]["id"], &accepted["password"]),
        (&first.json()["operation"]["id"], &first.json()["password"])
    );
}

#[tokio::test]
async fn the_same_key_with_another_request_is_refused() {
    let app = TestApp::start().await;
    let made = create(&app, "key-1", "demo").send().await.expect(202);
    app.settle().await;
    create(&app, "key-1", "other").send().await.expect(422);
    let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
    app.delete(&path).header("idempotency-key", "key-1").send().await.expect(422);
    app.get(&path).send().await.expect(200);
}

#[tokio::test]
async fn two_deletes_with_one_key_are_two_requests_when_the_paths_differ() {
    let app = TestApp::start().await;
    let mut paths = Vec::new();
    for name in ["one", "two"] {
        let made = app.create(json!({"name": name, "engine": "redis", "sku": "B1ls"})).await;
        paths.push(format!("/databases/{}", made["instance"]["id"].as_str().unwrap()));
    }
    app.delete(&paths[0]).header("idempotency-key", "k").send().await.expect(202);
    app.delete(&paths[1]).header("idempotency-key", "k").send().await.expect(422);
    app.settle().await;
    let again = app.delete(&paths[0]).header("idempotency-key", "k").send().await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (202, "true"));
    app.get(&paths[1]).send().await.expect(200);
}

#[tokio::test]
async fn a_key_belongs_to_its_caller() {
    let app = TestApp::start().await;
    let other = app.make_token(json!({"name": "other", "permissions": ["databases:write"]})).await;
    create(&app, "k", "demo").send().await.expect(202);
    let theirs = create(&app, "k", "theirs").token(other["secret"].as_str().unwrap()).send().await;
    assert_eq!(theirs.expect(202)["instance"]["name"], "theirs");
    app.settle().await;
}

#[tokio::test]
async fn a_refused_change_does_not_use_up_its_key() {
    let app = TestApp::start().await;
    create(&app, "k", "Not A Name").send().await.expect(422);
    create(&app, "k", "demo").send().await.expect(202);
    app.settle().await;
}

#[tokio::test]
async fn many_at_once_with_one_key_make_one_instance() {
    let app = TestApp::start().await;
    let calls = (0..16).map(|_| create(&app, "k", "demo").send());
    let answers = futures_util::future::join_all(calls).await;
    for answer in &answers {
        // Those that came before the first answer was known are told to ask again.
        assert!(matches!(answer.status.as_u16(), 202 | 409), "{}", answer.text());
    }
    assert!(answers.iter().any(|a| a.status == 202));
    app.settle().await;
    assert_eq!(app.get("/databases").send().await.expect(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.get("/operations").send().await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_is_made_once_and_its_secret_comes_again() {
    let app = TestApp::start().await;
    let make = || {
        let body = json!({"name": "ci", "permissions": ["databases:read"]});
        app.post("/tokens").json(&body).header("idempotency-key", "t").send()
    };
    let (first, again) = (make().await, make().await);
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.body, again.body);
    let path = format!("/tokens/{}", first.json()["token"]["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(app.delete(&path).header("idempotency-key", "d").send().await.status, 204);
    }
    assert_eq!(app.delete(&path).send().await.status, 404);
}

#[tokio::test]
async fn a_client_that_goes_away_finds_its_answer_under_its_key() {
    let app = TestApp::start().await;
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
    let call = app.post("/databases?wait=20").json(&body).header("idempotency-key", "k");
    app.runtime.delay("start", std::time::Duration::from_millis(500));
    let gone = tokio::time::timeout(std::time::Duration::from_millis(200), call.send()).await;
    assert!(gone.is_err());
    app.settle().await;
    let answer = create(&app, "k", "demo").send().await;
    assert_eq!(answer.header("idempotent-replayed"), "true");
    assert_ne!(answer.json()["password"], Value::Null);
}
