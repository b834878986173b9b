//! What a client may get wrong: each is a 4xx problem that names the place, and nothing is made.

use serde_json::{Value, json};

use crate::support::TestApp;

/// A create that would be fine but for one field.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"name": "fine", "engine": "postgresql", "sku": "B1ms"});
    body[field] = value;
    body
}

async fn assert_nothing_made(app: &TestApp) {
    assert_eq!(app.get("/databases").send().await.expect(200)["items"], json!([]));
    assert_eq!(app.get("/operations").send().await.expect(200)["items"], json!([]));
    assert_eq!(app.runtime.everything(), Vec::<String>::new());
}

#[tokio::test]
async fn a_field_that_cannot_be_so_is_named_and_nothing_is_made() {
    let app = TestApp::start().await;
    let cases = [
        ("name", json!("")),
        ("name", json!("has space")),
        ("name", json!("has'quote")),
        ("name", json!("has\"quote")),
        ("name", json!("nul\0l")),
        ("name", json!("n".repeat(10_240))),
        ("name", json!("naïve")),
        ("name", json!("\u{202e}gnp")),
        ("name", json!("データ")),
        ("name", json!("1st")),
        ("name", json!("-a")),
        ("name", json!("a-")),
        ("name", json!("Upper")),
        ("name", json!("a/../b")),
        ("name", json!("a\nb")),
        ("name", json!(7)),
        ("name", json!(null)),
        ("name", json!(["a"])),
        ("engine", json!("oracle9")),
        ("engine", json!("")),
        ("engine", json!("PostgreSQL")),
        ("engine", json!("../etc")),
        ("engine", json!("\0")),
        ("version", json!("0")),
        ("version", json!("")),
        ("version", json!(17)),
        ("version", json!("17; rm -rf /")),
        ("sku", json!("Z9xl")),
        ("sku", json!("")),
        ("sku", json!("b1MS")),
        ("sku", json!(1)),
        ("storage_gib", json!(0)),
        ("storage_gib", json!(-1)),
        ("storage_gib", json!(1.5)),
        ("storage_gib", json!("8")),
        ("storage_gib", json!(16_385)),
        ("storage_gib", json!(4_294_967_296_u64)),
        ("storage_gib", json!(u64::MAX)),
        ("port", json!(0)),
        ("port", json!(80)),
        ("port", json!(-1)),
        ("port", json!(65_536)),
        ("port", json!("5432")),
        ("project", json!("")),
        ("project", json!("a b")),
        ("region", json!("\"")),
        ("username", json!("")),
        ("username", json!("postgres")),
        ("username", json!("u".repeat(10_240))),
        ("username", json!("nul\0")),
        ("database", json!("")),
        ("database", json!("template1")),
        ("password", json!("")),
        ("password", json!("short")),
        ("password", json!("p".repeat(10_240))),
        ("password", json!("long enough \0 but not printable")),
        ("password", json!("long enough\nbut two lines")),
        ("labels", json!("a=b")),
        ("labels", json!(["a"])),
        ("labels", json!(null)),
        ("deletion_protection", json!("yes")),
        ("deletion_protection", json!(1)),
        ("egress", json!("open")),
    ];
    for (field, value) in cases {
        let answer = app.post("/databases").json(&with(field, value.clone())).send().await;
        assert_eq!(answer.status, 422, "{field} = {value}: {}", answer.text());
        let problem = answer.refused(422, "invalid_request");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
        assert_eq!(pointers, [&json!(format!("/{field}"))], "{value}: {problem}");
        assert!(answer.body.len() < 8_192, "{field}: the answer repeats what was sent: {} bytes", answer.body.len());
    }
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn a_label_that_cannot_be_so_is_named() {
    let app = TestApp::start().await;
    for (labels, pointer) in [
        (json!({"a": 1}), "/labels/a"),
        (json!({"a/b": 1}), "/labels/a~1b"),
        (json!({"a": "v".repeat(64)}), "/labels/a"),
        (json!({"": "v"}), "/labels"),
        (json!({"k".repeat(64): "v"}), "/labels"),
        (json!({"a": "nul\0"}), "/labels/a"),
    ] {
        let problem = app.post("/databases").json(&with("labels", labels)).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("k{n}"), json!("v"))).collect();
    let problem =
        app.post("/databases").json(&with("labels", many.into())).send().await.refused(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/labels");
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = TestApp::start().await;
    let body = json!({"name": "A", "engine": "nope", "sku": "nope", "storage_gib": 0, "port": 1});
    let problem = app.post("/databases").json(&body).send().await.refused(422, "invalid_request");
    let mut pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/engine", "/name", "/port", "/sku", "/storage_gib"]);
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_name() {
    let app = TestApp::start().await;
    for (path, body, pointer) in [
        ("/databases", json!({"name": "a", "engine": "redis", "nmae": "b"}), "/nmae"),
        ("/databases", json!({"name": "a", "engine": "redis", "a/b~c": 1}), "/a~1b~0c"),
        ("/tokens", json!({"name": "a", "permissions": [], "admin": true}), "/admin"),
        ("/images/pull", json!({"engine": "redis", "registry": "evil"}), "/registry"),
        ("/images/build", json!({"engine": "redis", "dockerfile": "FROM x"}), "/dockerfile"),
    ] {
        let problem = app.post(path).json(&body).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let app = TestApp::start().await;
    for (path, body, pointer) in [
        ("/databases", json!({"name": "a"}), "/engine"),
        ("/databases", json!({"engine": "redis"}), "/name"),
        ("/tokens", json!({"name": "a"}), "/permissions"),
        ("/images/pull", json!({}), "/engine"),
    ] {
        let problem = app.post(path).json(&body).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_refused_with_line_and_column() {
    let app = TestApp::start().await;
    let nested = format!("{{\"name\":\"a\",\"labels\":{}", "[".repeat(50_000));
    for body in [
        "",
        " ",
        "{",
        "}",
        "{\"name\":}",
        "{\"name\":\"a\"",
        "{'name':'a'}",
        "nul",
        "{\"name\":\"\\ud800\"}",
        "\u{feff}{}",
    ] {
        let problem = app.post("/databases").raw(body.to_owned()).send().await.refused(400, "malformed_json");
        assert!(problem["detail"].as_str().unwrap().contains("line "), "{problem}");
    }
    let not_utf8 = app.post("/databases").raw(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']).send().await;
    assert_eq!(not_utf8.status, 400);
    let trailing = app.post("/databases").raw("{\"name\":\"a\",\"engine\":\"redis\"} {}").send().await;
    trailing.refused(400, "malformed_json");
    let deep = app.post("/databases").raw(nested).send().await;
    assert!(deep.status.is_client_error());
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn a_key_given_twice_is_refused_by_name() {
    let app = TestApp::start().await;
    let body = "{\"name\":\"a\",\"engine\":\"redis\",\"name\":\"b\"}";
    let problem = app.post("/databases").raw(body).send().await.refused(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/name");
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let app = TestApp::start().await;
    for body in ["[]", "null", "7", "\"x\"", "true"] {
        app.post("/databases").raw(body).send().await.refused(422, "invalid_request");
    }
}

#[tokio::test]
async fn a_body_that_is_not_said_to_be_json_is_refused() {
    let app = TestApp::start().await;
    let body = "{\"name\":\"a\",\"engine\":\"redis\"}";
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"] {
        let call = app.post("/databases").raw(body).header("content-type", kind);
        call.send().await.refused(415, "unsupported_media_type");
    }
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"] {
        let call = app.post("/databases?dry_run=true").raw(body).header("content-type", kind);
        assert_eq!(call.send().await.status, 200, "{kind}");
    }
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let app = TestApp::start_with(|config| config.server.body_limit_bytes = 4096).await;
    let body = json!({"name": "a", "engine": "redis", "labels": {"a": "v".repeat(5000)}});
    app.post("/databases").json(&body).send().await.refused(413, "body_too_large");
    let keyed = app.post("/databases").json(&body).header("idempotency-key", "k");
    keyed.send().await.refused(413, "body_too_large");
    app.post("/podman/install").raw(vec![b' '; 5000]).send().await.refused(413, "body_too_large");
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn what_is_no_id_is_not_found() {
    let app = TestApp::start().await;
    let long = "x".repeat(4000);
    for id in ["x", "1", "..%2f..", "%00", "%ff", "%20", "00000000-0000-0000-0000-00000000000g", &long] {
        for path in
            [format!("/databases/{id}"), format!("/databases/{id}/connection-string"), format!("/operations/{id}")]
        {
            app.get(&path).send().await.refused(404, "not_found");
        }
        for path in [format!("/databases/{id}/start"), format!("/operations/{id}/cancel")] {
            app.post(&path).send().await.refused(404, "not_found");
        }
        assert_eq!(app.delete(&format!("/tokens/{id}")).send().await.status, 404);
        assert_eq!(app.get(&format!("/engines/{id}")).send().await.status, 404);
    }
    let unknown = fluxdb::domain::InstanceId::generate();
    assert_eq!(app.get(&format!("/databases/{unknown}")).send().await.status, 404);
    assert_eq!(app.delete(&format!("/databases/{unknown}")).send().await.status, 404);
    assert_eq!(app.get(&format!("/operations/{unknown}")).send().await.status, 404);
}

#[tokio::test]
async fn a_query_parameter_that_cannot_be_so_is_named() {
    let app = TestApp::start().await;
    let id = fluxdb::domain::InstanceId::generate();
    for (path, name) in [
        ("/databases?limit=0".to_owned(), "?limit"),
        ("/databases?limit=-1".to_owned(), "?limit"),
        ("/databases?limit=x".to_owned(), "?limit"),
        ("/databases?limit=100000".to_owned(), "?limit"),
        ("/databases?limit=".to_owned(), "?limit"),
        ("/databases?state=HAPPY".to_owned(), "?state"),
        ("/databases?sort=password".to_owned(), "?sort"),
        ("/databases?page_token=nonsense".to_owned(), "?page_token"),
        ("/databases?page_token=%00".to_owned(), "?page_token"),
        ("/databases?colour=red".to_owned(), "?colour"),
        ("/operations?state=HAPPY".to_owned(), "?state"),
        ("/operations?instance=x".to_owned(), "?instance"),
        ("/operations?page_token=nonsense".to_owned(), "?page_token"),
        ("/operations?limit=0".to_owned(), "?limit"),
        ("/audit?page_token=nonsense".to_owned(), "?page_token"),
        ("/audit?limit=0".to_owned(), "?limit"),
        ("/audit?instance=x".to_owned(), "?instance"),
        (format!("/databases/{id}/connection-string?format=odbc"), "?format"),
        (format!("/databases/{id}/connection-string?reveal=maybe"), "?reveal"),
    ] {
        let problem = app.get(&path).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], name, "{path}: {problem}");
    }
    let body = json!({"name": "a", "engine": "redis"});
    for (query, name) in [
        ("wait=601", "?wait"),
        ("wait=-1", "?wait"),
        ("wait=x", "?wait"),
        ("dry_run=maybe", "?dry_run"),
        ("now=1", "?now"),
    ] {
        let problem = app.post(&format!("/databases?{query}")).json(&body).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], name, "{problem}");
    }
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_refused() {
    let app = TestApp::start().await;
    let body = json!({"name": "a", "engine": "redis"});
    for key in ["", &"k".repeat(256), "tab\tin it", "\u{e9}"] {
        let call = app.post("/databases").json(&body).header("idempotency-key", key);
        call.send().await.refused(400, "malformed_header");
    }
    let events = app.get("/events").header("last-event-id", "yesterday").send().await;
    events.refused(400, "malformed_header");
    assert_nothing_made(&app).await;
}

#[tokio::test]
async fn a_patch_is_checked_like_a_create() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "mine", "engine": "redis", "sku": "B1ls"})).await;
    let path = format!("/databases/{}", made["instance"]["id"].as_str().unwrap());
    for (body, pointer) in [
        (json!({"name": "A B"}), "/name"),
        (json!({"sku": "nope"}), "/sku"),
        (json!({"storage_gib": 0}), "/storage_gib"),
        (json!({"storage_gib": 1}), "/storage_gib"),
        (json!({"labels": {"a": "v".repeat(64)}}), "/labels/a"),
        (json!({"engine": "postgresql"}), "/engine"),
        (json!({"deletion_protection": "no"}), "/deletion_protection"),
        (json!({"egress": "closed"}), "/egress"),
    ] {
        let problem = app.patch(&path).json(&body).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let now = app.get(&path).send().await.expect(200);
    assert_eq!((&now["name"], &now["sku"]), (&json!("mine"), &json!("B1ls")));
}

#[tokio::test]
async fn a_taken_name_is_refused_and_nothing_more_is_made() {
    let app = TestApp::start().await;
    app.create(json!({"name": "twin", "engine": "redis", "sku": "B1ls"})).await;
    let before = app.runtime.everything();
    let answer = app.post("/databases").json(&json!({"name": "twin", "engine": "valkey", "sku": "B1ls"})).send().await;
    let problem = answer.refused(409, "name_taken");
    assert_eq!(problem["errors"][0]["pointer"], "/name");
    assert_eq!(app.runtime.everything(), before);
    // The same name in another project is another instance.
    app.create(json!({"name": "twin", "engine": "redis", "sku": "B1ls", "project": "other"})).await;
}

#[tokio::test]
async fn a_taken_port_is_refused() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "first", "engine": "redis", "sku": "B1ls"})).await;
    let port = &made["instance"]["endpoint"]["port"];
    let body = json!({"name": "second", "engine": "redis", "sku": "B1ls", "port": port});
    let problem = app.post("/databases").json(&body).send().await.refused(409, "port_taken");
    assert_eq!(problem["errors"][0]["pointer"], "/port");
}

#[tokio::test]
async fn a_token_that_cannot_be_so_is_refused() {
    let app = TestApp::start().await;
    for (body, pointer) in [
        (json!({"name": "", "permissions": ["databases:read"]}), "/name"),
        (json!({"name": "n".repeat(64), "permissions": ["databases:read"]}), "/name"),
        (json!({"name": "nul\0", "permissions": ["databases:read"]}), "/name"),
        (json!({"name": "a", "permissions": []}), "/permissions"),
        (json!({"name": "a", "permissions": ["root"]}), "/permissions/0"),
        (json!({"name": "a", "permissions": ["databases:read"], "projects": ["A B"]}), "/projects/0"),
        (json!({"name": "a", "permissions": ["databases:read"], "expires_in_days": 0}), "/expires_in_days"),
        (json!({"name": "a", "permissions": ["databases:read"], "expires_in_days": 3651}), "/expires_in_days"),
    ] {
        let problem = app.post("/tokens").json(&body).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_is_refused() {
    let app = TestApp::start().await;
    for path in ["/images/pull", "/images/build"] {
        let problem = app.post(path).json(&json!({"engine": "nope"})).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/engine");
        let body = json!({"engine": "redis", "version": "0"});
        let problem = app.post(path).json(&body).send().await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/version");
    }
    assert_nothing_made(&app).await;
}

/// Each engine is refused in a size with less memory than its floor, with both numbers, and nothing is made of it.
#[tokio::test]
async fn a_size_below_the_engines_floor_is_refused_with_both_numbers() {
    let app = TestApp::start().await;
    let smallest = fluxdb::domain::sku::find("B1ls").unwrap().size.memory_mib;
    let mut refused = 0;
    for facts in fluxdb_adapters::all().iter().map(|e| e.facts()).filter(|f| f.floor.memory_mib > smallest) {
        let body = json!({"name": "small", "engine": facts.id, "sku": "B1ls"});
        let problem = app.post("/databases").json(&body).send().await.expect(422).to_string();
        let needs = format!("has {smallest} MiB; {} needs {} MiB", facts.title, facts.floor.memory_mib);
        assert!(problem.contains("/sku") && problem.contains(&needs), "{}: {problem}", facts.id);
        refused += 1;
    }
    assert!(refused > 3, "{refused} engines need more than {smallest} MiB");
    assert_nothing_made(&app).await;
}
