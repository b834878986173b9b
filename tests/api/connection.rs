//! Connection strings: masked for all, revealed to writers, and then audited.

use serde_json::json;

use crate::support::TestApp;

const PASSWORD: &str = "Canary-Password-4711";

#[tokio::test]
async fn a_password_is_masked_unless_a_writer_asks_for_it() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "postgresql", "password": PASSWORD})).await;
    let path = format!("/databases/{}/connection-string", made["instance"]["id"].as_str().unwrap());
    let reader = app.make_token(json!({"name": "reader", "permissions": ["databases:read"]})).await;
    let reader = reader["secret"].as_str().unwrap();

    let masked = app.get(&path).token(reader).send().await;
    assert!(!masked.text().contains(PASSWORD));
    assert!(masked.expect(200)["value"].as_str().unwrap().contains("***"));
    app.get(&format!("{path}?reveal=true")).token(reader).send().await.refused(403, "permission_denied");

    let shown = app.get(&format!("{path}?reveal=true")).send().await.expect(200);
    assert_eq!((&shown["revealed"], &shown["password"]), (&json!(true), &json!(PASSWORD)));
    assert!(shown["value"].as_str().unwrap().contains(PASSWORD));
    let audit = app.get("/audit").send().await;
    assert!(audit.text().contains("connection-string") && !audit.text().contains(PASSWORD));
}

#[tokio::test]
async fn every_spelling_that_an_engine_has_is_masked() {
    let app = TestApp::start().await;
    for engine in ["postgresql", "mariadb", "redis", "valkey"] {
        let made = app.create(json!({"name": engine, "engine": engine, "password": PASSWORD})).await;
        let path = format!("/databases/{}/connection-string", made["instance"]["id"].as_str().unwrap());
        for format in ["uri", "jdbc", "env", "cli", "yaml", "dotnet"] {
            let answer = app.get(&format!("{path}?format={format}")).send().await;
            assert!(!answer.text().contains(PASSWORD), "{engine} {format}");
            match answer.status.as_u16() {
                200 => assert_eq!(answer.json()["format"], format),
                _ => assert!(answer.refused(422, "format_unsupported")["detail"].is_string()),
            }
        }
        assert_eq!(app.get(&format!("{path}?format=uri")).send().await.status, 200, "{engine}");
    }
}

#[tokio::test]
async fn a_password_is_in_no_answer_that_did_not_ask_for_it() {
    let app = TestApp::start().await;
    let body = json!({"name": "demo", "engine": "mariadb", "password": PASSWORD});
    let accepted = app.post("/databases?wait=20").json(&body).send().await;
    assert_eq!(accepted.status, 200);
    assert!(!accepted.text().contains(PASSWORD), "a password that the caller chose is not repeated");
    let id = accepted.json()["instance"]["id"].as_str().unwrap().to_owned();
    let operation = accepted.json()["operation"]["id"].as_str().unwrap().to_owned();
    for path in [
        "/databases".to_owned(),
        format!("/databases/{id}"),
        format!("/operations/{operation}"),
        "/operations".to_owned(),
        "/audit".to_owned(),
        "/tokens".to_owned(),
        "/status".to_owned(),
    ] {
        assert!(!app.get(&path).send().await.text().contains(PASSWORD), "{path}");
    }
}
