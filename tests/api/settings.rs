//! Engine settings: the catalogue, what is refused, and what is taken over.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::TestApp;

async fn made(app: &TestApp) -> String {
    let made = app.create(json!({"name": "demo", "engine": "postgresql"})).await;
    format!("/databases/{}/settings", made["instance"]["id"].as_str().unwrap())
}

fn named<'a>(settings: &'a Value, name: &str) -> &'a Value {
    let items = settings["items"].as_array().unwrap();
    items.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("{name} is not in {settings}"))
}

#[tokio::test]
async fn what_is_set_is_shown_and_what_is_left_out_goes_back() {
    let app = TestApp::start().await;
    let path = made(&app).await;
    let before = app.get(&path).send().await.expect(200);
    assert_eq!(named(&before, "work_mem")["apply"], "dynamic");
    assert_eq!(named(&before, "work_mem")["set"], Value::Null);

    let body = json!({"settings": {"work_mem": "8192", "wal_level": "logical"}});
    let changed = app.call(Method::PUT, &format!("{path}?wait=20")).json(&body).send().await.expect(200);
    assert_eq!(
        (&changed["operation"]["kind"], &changed["operation"]["state"]),
        (&json!("configure"), &json!("succeeded"))
    );
    let after = app.get(&path).send().await.expect(200);
    assert_eq!(named(&after, "work_mem")["set"], "8192");
    assert_eq!(named(&after, "wal_level")["set"], "logical");

    let same = app.call(Method::PUT, &path).json(&body).send().await.expect(200);
    assert_eq!(same["operation"], Value::Null, "nothing is to be done");
    app.call(Method::PUT, &format!("{path}?wait=20")).json(&json!({"settings": {}})).send().await.expect(200);
    assert_eq!(named(&app.get(&path).send().await.expect(200), "work_mem")["set"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_so_is_refused_with_its_place_and_changes_nothing() {
    let app = TestApp::start().await;
    let path = made(&app).await;
    for (name, value) in [
        ("work_mem", "a lot"),
        ("work_mem", "-5"),
        ("work_mem", "99999999999999999999"),
        ("wal_level", "minimal'; DROP TABLE x"),
        ("timezone", "UTC'\n"),
        ("jit", "on"),
        ("no_such_setting", "1"),
        ("a/b~c", "1"),
    ] {
        let refused = app.call(Method::PUT, &path).json(&json!({"settings": {name: value}})).send().await;
        let problem = refused.expect(422);
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert_eq!(pointer, format!("/settings/{}", name.replace('~', "~0").replace('/', "~1")));
    }
    app.call(Method::PUT, &path).json(&json!({"settings": {"work_mem": 8192}})).send().await.expect(422);
    assert_eq!(named(&app.get(&path).send().await.expect(200), "work_mem")["set"], Value::Null);
    let create = json!({"name": "other", "engine": "postgresql", "settings": {"work_mem": "x"}});
    let problem = app.post("/databases").json(&create).send().await.expect(422);
    assert_eq!(problem["errors"][0]["pointer"], "/settings/work_mem");
}

#[tokio::test]
async fn an_instance_is_created_with_settings() {
    let app = TestApp::start().await;
    let made =
        app.create(json!({"name": "demo", "engine": "redis", "settings": {"maxmemory-policy": "allkeys-lru"}})).await;
    let path = format!("/databases/{}/settings", made["instance"]["id"].as_str().unwrap());
    assert_eq!(named(&app.get(&path).send().await.expect(200), "maxmemory-policy")["set"], "allkeys-lru");
}

/// A limit of a container cannot be raised while it runs.
#[tokio::test]
async fn a_dynamic_setting_restarts_only_where_the_container_is_too_small_for_it() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "mariadb", "sku": "D2s"})).await;
    let path = format!("/databases/{}/settings?wait=20", made["instance"]["id"].as_str().unwrap());
    for (connections, restarts) in [("600", false), ("1800", false), ("2300", true)] {
        let body = json!({"settings": {"max_connections": connections}});
        let done = app.call(Method::PUT, &path).json(&body).send().await.expect(200);
        let steps = done["operation"]["steps"].as_array().unwrap();
        assert_eq!(steps.iter().any(|s| s["name"] == "container"), restarts, "{connections}: {steps:#?}");
    }
}
