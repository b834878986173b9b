//! Who may call what: every route of the OpenAPI document, by every kind of caller.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Call, TestApp, contract};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Needs {
    Nothing,
    Read,
    Write,
}

/// What a token of another project gets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Elsewhere {
    /// The route is not about one project.
    Same,
    /// The thing does not exist for it.
    Hidden,
    /// A list without the other project's things.
    Filtered,
    /// It may not.
    Forbidden,
}

struct Row {
    method: Method,
    path: &'static str,
    needs: Needs,
    elsewhere: Elsewhere,
    body: fn() -> Value,
}

fn row(method: Method, path: &'static str, needs: Needs, elsewhere: Elsewhere, body: fn() -> Value) -> Row {
    Row { method, path, needs, elsewhere, body }
}

/// One row for each route. `DELETE` comes last for its instance.
fn matrix() -> Vec<Row> {
    use Elsewhere::{Filtered, Forbidden, Hidden, Same};
    use Needs::{Nothing, Read, Write};
    let none = || Value::Null;
    vec![
        row(Method::GET, "/status", Nothing, Same, none),
        row(Method::GET, "/requirements", Nothing, Same, none),
        row(Method::GET, "/system-info", Nothing, Same, none),
        row(Method::GET, "/podman/status", Nothing, Same, none),
        row(Method::GET, "/engines", Nothing, Same, none),
        row(Method::GET, "/engines/{engine}", Nothing, Same, none),
        row(Method::GET, "/skus", Nothing, Same, none),
        row(Method::POST, "/podman/install", Write, Same, none),
        row(Method::GET, "/databases", Read, Filtered, none),
        row(
            Method::POST,
            "/databases",
            Write,
            Forbidden,
            || json!({"name": "made-by-matrix", "engine": "redis", "sku": "B1ls"}),
        ),
        row(Method::GET, "/databases/{id}", Read, Hidden, none),
        row(Method::PATCH, "/databases/{id}", Write, Hidden, || json!({"labels": {"a": "b"}})),
        row(Method::POST, "/databases/{id}/start", Write, Hidden, none),
        row(Method::POST, "/databases/{id}/stop", Write, Hidden, none),
        row(Method::POST, "/databases/{id}/restart", Write, Hidden, none),
        row(Method::GET, "/databases/{id}/connection-string", Read, Hidden, none),
        row(Method::GET, "/databases/{id}/settings", Read, Hidden, none),
        row(Method::PUT, "/databases/{id}/settings", Write, Hidden, || json!({"settings": {}})),
        row(Method::GET, "/operations", Read, Filtered, none),
        row(Method::GET, "/operations/{id}", Read, Hidden, none),
        row(Method::POST, "/operations/{id}/cancel", Write, Hidden, none),
        row(Method::GET, "/events", Read, Same, none),
        row(Method::GET, "/tokens", Write, Filtered, none),
        row(
            Method::POST,
            "/tokens",
            Write,
            Forbidden,
            || json!({"name": "by-matrix", "permissions": ["databases:read"]}),
        ),
        row(Method::DELETE, "/tokens/{id}", Write, Hidden, none),
        row(Method::GET, "/audit", Write, Filtered, none),
        row(Method::GET, "/images", Read, Same, none),
        row(Method::POST, "/images/pull", Write, Same, || json!({"engine": "redis"})),
        row(Method::POST, "/images/build", Write, Same, || json!({"engine": "redis"})),
        row(Method::DELETE, "/databases/{id}", Write, Hidden, none),
    ]
}

struct World {
    app: TestApp,
    instance: String,
    operation: String,
    token: String,
}

impl World {
    async fn make() -> Self {
        let app = TestApp::start_with(|config| config.auth.failures = 10_000).await;
        let made = app.create(json!({"name": "mine", "engine": "redis", "sku": "B1ls"})).await;
        let id = |pointer: &str| made.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let token = app.make_token(json!({"name": "victim", "permissions": ["databases:read"]})).await;
        Self {
            instance: id("/instance/id"),
            operation: id("/operation/id"),
            token: token["token"]["id"].as_str().unwrap().to_owned(),
            app,
        }
    }

    fn call(&self, row: &Row) -> Call {
        let id = match row.path.split('/').nth(1).unwrap() {
            "databases" => &self.instance,
            "operations" => &self.operation,
            "tokens" => &self.token,
            _ => "",
        };
        let path = row.path.replace("{id}", id).replace("{engine}", "redis");
        let call = self.app.call(row.method.clone(), &path).anonymous();
        match (row.body)() {
            Value::Null => call,
            body => call.json(&body),
        }
    }

    /// Status of the answer; a stream is not read to its end, which does not come.
    async fn status(&self, row: &Row, token: &str) -> u16 {
        let call = self.call(row);
        let call = if token.is_empty() { call } else { call.token(token) };
        if row.path == "/events" { call.open().await.status().as_u16() } else { call.send().await.status.as_u16() }
    }
}

#[test]
fn every_route_of_the_document_has_a_row() {
    let documented: BTreeSet<_> = contract::routes().map(|(m, p, _)| format!("{m} {p}")).collect();
    let rows: BTreeSet<_> = matrix().iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    assert_eq!(documented, rows, "the permission matrix and docs/openapi.json name different routes");
}

#[test]
fn the_document_says_which_permission_is_needed() {
    for row in matrix() {
        let (_, _, operation) = contract::routes().find(|(m, p, _)| *m == row.method && *p == row.path).unwrap();
        let said = match operation["security"][0]["bearer"][0].as_str() {
            None => Needs::Nothing,
            Some("databases:read") => Needs::Read,
            Some(other) => {
                assert_eq!(other, "databases:write");
                Needs::Write
            }
        };
        assert_eq!(said, row.needs, "{} {}", row.method, row.path);
    }
}

#[tokio::test]
async fn without_a_known_token_only_open_routes_answer() {
    let world = World::make().await;
    for row in matrix() {
        for token in ["", "nonsense", "fluxdb_0123456789abcdef_0123456789abcdef0123456789abcdef", "a.b.c"] {
            let status = world.status(&row, token).await;
            let name = format!("{} {} with {token:?}: {status}", row.method, row.path);
            match row.needs {
                Needs::Nothing => assert_eq!(status, 200, "{name}"),
                Needs::Read | Needs::Write => assert_eq!(status, 401, "{name}"),
            }
        }
    }
    world.app.settle().await;
    assert_eq!(world.app.get("/databases").send().await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_read_token_changes_nothing() {
    let world = World::make().await;
    let reader = world.app.make_token(json!({"name": "reader", "permissions": ["databases:read"]})).await;
    let reader = reader["secret"].as_str().unwrap();
    for row in matrix() {
        let status = world.status(&row, reader).await;
        let name = format!("{} {}: {status}", row.method, row.path);
        match row.needs {
            Needs::Nothing | Needs::Read => assert_eq!(status, 200, "{name}"),
            Needs::Write => assert_eq!(status, 403, "{name}"),
        }
    }
    let answer = world.app.get(&format!("/databases/{}", world.instance)).send().await.expect(200);
    assert_eq!((&answer["desired"], &answer["labels"]), (&json!("running"), &json!({})));
}

#[tokio::test]
async fn a_write_token_may_do_all() {
    let world = World::make().await;
    let writer = world.app.make_token(json!({"name": "writer", "permissions": ["databases:write"]})).await;
    let writer = writer["secret"].as_str().unwrap();
    for row in matrix() {
        world.app.settle().await;
        let status = world.status(&row, writer).await;
        // The operator has not allowed this daemon to install packages, so that nobody may.
        let expected =
            if row.path == "/podman/install" { status == 403 } else { (200..300).contains(&status) || status == 409 };
        assert!(expected, "{} {}: {status}", row.method, row.path);
    }
}

#[tokio::test]
async fn a_token_of_another_project_sees_and_changes_nothing_here() {
    let world = World::make().await;
    let wanted = json!({"name": "other", "permissions": ["databases:write"], "projects": ["other"]});
    let other = world.app.make_token(wanted).await;
    let other = other["secret"].as_str().unwrap();
    for row in matrix() {
        let status = world.status(&row, other).await;
        let name = format!("{} {}: {status}", row.method, row.path);
        match row.elsewhere {
            Elsewhere::Hidden => assert_eq!(status, 404, "{name}"),
            Elsewhere::Forbidden => assert_eq!(status, 403, "{name}"),
            Elsewhere::Same => assert!(status < 500 && !matches!(status, 401 | 404), "{name}"),
            Elsewhere::Filtered => {
                let answer: Answer = world.call(&row).token(other).send().await;
                let items = answer.expect(200)["items"].clone();
                assert!(!items.to_string().contains(&world.instance), "{name}: {items}");
            }
        }
    }
    world.app.settle().await;
    let instance = world.app.get(&format!("/databases/{}", world.instance)).send().await.expect(200);
    assert_eq!(instance["state"], "RUNNING");
}

#[tokio::test]
async fn a_refusal_says_how_to_authenticate() {
    let app = TestApp::start().await;
    let nobody = app.get("/databases").anonymous().send().await;
    nobody.refused(401, nobody.json()["code"].as_str().unwrap());
    assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"fluxdb\"");
    let unknown = app.get("/databases").token("nonsense").send().await;
    assert!(unknown.header("www-authenticate").contains("invalid_token"));
    let basic = app.get("/databases").header("authorization", "Basic YTpi").send().await;
    assert_eq!(basic.status, 401);
}
