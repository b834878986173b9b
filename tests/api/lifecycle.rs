//! An instance from create to delete, as a client follows it.

use fluxdb::domain::egress::Egress;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::TestApp;

const BASE: &str = "/api/modules/databases";

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[tokio::test]
async fn a_create_answers_202_with_an_operation_to_follow() {
    let app = TestApp::start().await;
    let answer = app.post("/databases").json(&json!({"name": "demo", "engine": "postgresql"})).send().await;
    let accepted = answer.expect(202);
    let operation = text(&accepted, "/operation/id");
    assert_eq!(answer.header("location"), format!("{BASE}/operations/{operation}"));
    assert_eq!(accepted["operation"]["kind"], "create");
    assert_eq!(accepted["instance"]["state"], "CREATING");
    assert_eq!(accepted["instance"]["current_operation"], operation);
    assert!(text(&accepted, "/password").len() >= 20);

    let followed =
        app.get(&format!("//{}", answer.header("location").trim_start_matches('/'))).send().await.expect(200);
    assert_eq!(followed["id"], operation);
    app.settle().await;
    let ended = app.get(&format!("/operations/{operation}")).send().await.expect(200);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let steps = ended["steps"].as_array().unwrap();
    assert!(steps.len() >= 4, "{ended}");
    assert!(steps.iter().all(|s| s["state"] == "succeeded" && s["ended_at"].is_string()), "{ended}");
    assert!(ended["ended_at"].is_string());
}

#[tokio::test]
async fn within_the_wait_a_create_answers_200_with_a_running_instance() {
    let app = TestApp::start().await;
    let body = json!({"name": "demo", "engine": "postgresql"});
    let answer = app.post("/databases?wait=20").json(&body).send().await;
    let done = answer.expect(200);
    assert_eq!(done["operation"]["state"], "succeeded");
    assert_eq!((&done["instance"]["state"], &done["instance"]["health"]), (&json!("RUNNING"), &json!("UP")));
    assert_eq!(done["instance"]["current_operation"], Value::Null);
    assert!(answer.header("location").ends_with(text(&done, "/operation/id")));
    assert!(text(&done, "/password").len() >= 20, "a password is shown in the answer that made it, waited for or not");
    let port = done["instance"]["endpoint"]["port"].as_u64().unwrap();
    assert_eq!(done["instance"]["endpoint"]["host"], "127.0.0.1");
    assert!(text(&done, "/instance/endpoint/uri_masked").contains(&format!(":***@127.0.0.1:{port}")));
}

#[tokio::test]
async fn when_the_wait_is_too_short_the_answer_is_202() {
    let app = TestApp::start().await;
    app.runtime.delay("start", std::time::Duration::from_secs(3));
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
    let answer = app.post("/databases?wait=1").json(&body).send().await;
    assert!(!["succeeded", "failed"].contains(&text(&answer.expect(202), "/operation/state")));
    app.settle().await;
}

#[tokio::test]
async fn a_failed_operation_that_was_waited_for_is_a_409_that_says_why() {
    let app = TestApp::start().await;
    app.runtime.set_tamper(Some(|container| container.no_new_privileges = false));
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
    let problem = app.post("/databases?wait=25").json(&body).send().await.expect(409);
    assert_eq!((text(&problem, "/code"), text(&problem, "/cause/code")), ("operation_failed", "baseline_not_applied"));
    assert!(text(&problem, "/detail").contains(text(&problem, "/cause/detail")), "{problem}");
    let operation = app.get(&format!("/operations/{}", text(&problem, "/operation_id"))).send().await.expect(200);
    assert_eq!((&operation["state"], &operation["error"]), (&json!("failed"), &problem["cause"]));
}

#[tokio::test]
async fn every_engine_is_created_and_deleted_over_http() {
    let app = TestApp::start().await;
    for engine in fluxdb::runtime::fake::ENGINES {
        let made = app.create(json!({"name": format!("a-{engine}"), "engine": engine})).await;
        assert_eq!(made["instance"]["state"], "RUNNING", "{engine}");
        let gone = app.delete(&format!("/databases/{}?wait=20", text(&made, "/instance/id"))).send().await.expect(200);
        assert_eq!((&gone["operation"]["state"], &gone["instance"]), (&json!("succeeded"), &Value::Null), "{engine}");
    }
    let left = app.runtime.everything();
    assert!(left.iter().all(|line| line.contains("template")), "{left:?}");
}

#[tokio::test]
async fn stop_start_and_restart_do_what_they_say() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "mariadb"})).await;
    let path = format!("/databases/{}", text(&made, "/instance/id"));
    for (action, kind, state) in
        [("stop", "stop", "STOPPED"), ("start", "start", "RUNNING"), ("restart", "restart", "RUNNING")]
    {
        let done = app.post(&format!("{path}/{action}?wait=20")).send().await.expect(200);
        assert_eq!(done["operation"]["state"], "succeeded", "{action}: {done}");
        assert_eq!((&done["operation"]["kind"], &done["instance"]["state"]), (&json!(kind), &json!(state)), "{action}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_now_is_refused_and_the_instance_says_so_beforehand() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "redis", "sku": "B1ls"})).await;
    let path = format!("/databases/{}", text(&made, "/instance/id"));
    let start = made["instance"]["allowed_actions"].as_array().unwrap().iter().find(|a| a["name"] == "start").unwrap();
    assert_eq!(start["enabled"], false);
    let problem = app.post(&format!("{path}/start")).send().await.expect(409);
    assert_eq!(problem["detail"], start["reason"]);
    app.post(&format!("{path}/stop?wait=20")).send().await.expect(200);
    app.post(&format!("{path}/restart")).send().await.expect(409);
}

#[tokio::test]
async fn a_protected_instance_is_not_deleted() {
    let app = TestApp::start().await;
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls", "deletion_protection": true});
    let made = app.create(body).await;
    let path = format!("/databases/{}", text(&made, "/instance/id"));
    app.delete(&path).send().await.refused(409, "deletion_protected");
    let changed = app.patch(&path).json(&json!({"deletion_protection": false})).send().await.expect(200);
    assert_eq!((&changed["operation"], &changed["instance"]["deletion_protection"]), (&Value::Null, &json!(false)));
    app.delete(&format!("{path}?wait=20")).send().await.expect(200);
    app.get(&path).send().await.expect(404);
    assert_eq!(app.runtime.everything(), Vec::<String>::new());
}

#[tokio::test]
async fn outgoing_traffic_is_closed_until_it_is_opened_and_no_restart_is_needed() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "redis", "sku": "B1ls"})).await;
    let path = format!("/databases/{}", text(&made, "/instance/id"));
    let network = |instance: &Value| (instance["network"].clone(), instance["badges"].clone());
    let closed = json!({"egress": "closed", "enforced": true, "reason": null});
    let open = json!({"egress": "open", "enforced": true, "reason": null});
    let shown = app.get(&path).send().await.expect(200);
    assert_eq!(network(&shown), (closed.clone(), json!([])));
    let runs = |app: &TestApp| app.runtime.calls().iter().filter(|c| ["start", "stop"].contains(*c)).count();
    let before = runs(&app);
    for (wanted, expected, badges) in [(true, open, json!(["EGRESS_OPEN"])), (false, closed, json!([]))] {
        let done = app.patch(&format!("{path}?wait=20")).json(&json!({"egress": wanted})).send().await.expect(200);
        assert_eq!(
            (&done["operation"]["kind"], &done["operation"]["state"]),
            (&json!("configure"), &json!("succeeded"))
        );
        assert_eq!(network(&done["instance"]), (expected, badges));
    }
    let same = app.patch(&path).json(&json!({"egress": false})).send().await.expect(200);
    assert_eq!(same["operation"], Value::Null, "nothing had to be done");
    assert_eq!(runs(&app), before, "the server was restarted");

    // One that does not run is settled at its start.
    app.post(&format!("{path}/stop?wait=20")).send().await.expect(200);
    let changed = app.patch(&path).json(&json!({"egress": true})).send().await.expect(200);
    assert_eq!((&changed["operation"], &changed["instance"]["network"]["enforced"]), (&Value::Null, &json!(false)));
    let started = app.post(&format!("{path}/start?wait=20")).send().await.expect(200);
    assert_eq!(started["instance"]["network"]["egress"], "open");
    assert_eq!(started["instance"]["badges"], json!(["EGRESS_OPEN"]));
    let made = app.create(json!({"name": "open", "engine": "redis", "sku": "B1ls", "egress": true})).await;
    let shown = app.get(&format!("/databases/{}", text(&made, "/instance/id"))).send().await.expect(200);
    assert_eq!(shown["network"]["egress"], "open");
    assert!(app.runtime.reach().iter().all(|(_, reach)| *reach == Some(Egress::Open)), "{:?}", app.runtime.reach());
}

#[tokio::test]
async fn another_sku_keeps_the_data_and_shows_the_new_size() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "postgresql", "sku": "B1s"})).await;
    let path = format!("/databases/{}", text(&made, "/instance/id"));
    let done = app.patch(&format!("{path}?wait=20")).json(&json!({"sku": "B1ms"})).send().await.expect(200);
    assert_eq!(
        (&done["operation"]["kind"], &done["operation"]["state"]),
        (&json!("resize"), &json!("succeeded")),
        "{done}"
    );
    assert_eq!((&done["instance"]["sku"], &done["instance"]["size"]["memory_mib"]), (&json!("B1ms"), &json!(2048)));
    assert_eq!(done["instance"]["state"], "RUNNING");
}

#[tokio::test]
async fn a_change_on_what_has_changed_since_is_refused() {
    let app = TestApp::start().await;
    let made = app.create(json!({"name": "demo", "engine": "redis", "sku": "B1ls"})).await;
    let path = format!("/databases/{}", text(&made, "/instance/id"));
    let read = app.get(&path).send().await;
    let etag = read.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'));

    let label = |value: &str| json!({"labels": {"team": value}});
    app.patch(&path).json(&label("one")).header("if-match", &etag).send().await.expect(200);
    app.patch(&path).json(&label("two")).header("if-match", &etag).send().await.refused(412, "precondition_failed");
    for never in ["\"999999\"", "\"x\"", "W/\"1\""] {
        app.patch(&path)
            .json(&label("three"))
            .header("if-match", never)
            .send()
            .await
            .refused(412, "precondition_failed");
    }
    app.patch(&path).json(&label("x")).header("if-match", "1").send().await.refused(400, "malformed_header");
    let now = app.get(&path).send().await;
    assert_eq!(now.json()["labels"], json!({"team": "one"}));
    assert_ne!(now.header("etag"), etag);
    app.patch(&path).json(&label("four")).header("if-match", "*").send().await.expect(200);
}

#[tokio::test]
async fn a_dry_run_shows_all_and_makes_nothing() {
    let app = TestApp::start().await;
    let password = "Canary-Password-4711";
    let body = json!({"name": "demo", "engine": "postgresql", "sku": "B1ms", "password": password});
    let answer = app.post("/databases?dry_run=true").json(&body).header("idempotency-key", "k").send().await;
    let shown = answer.expect(200);
    assert_eq!(shown["instance"]["name"], "demo");
    assert_eq!(shown["admission"]["admitted"], true);
    assert_eq!(
        (&shown["container"]["read_only_root"], &shown["container"]["cap_drop"]),
        (&json!(true), &json!(["ALL"]))
    );
    assert!(shown["files"].as_object().unwrap().values().any(|f| f.as_str().unwrap().contains("shared_buffers")));
    assert!(!answer.text().contains(password));
    assert_eq!(app.get("/databases").send().await.expect(200)["items"], json!([]));
    assert_eq!(app.get("/operations").send().await.expect(200)["items"], json!([]));
    assert_eq!(app.runtime.everything(), Vec::<String>::new());

    let huge = json!({"name": "demo", "engine": "postgresql", "sku": "E16s"});
    let verdict = app.post("/databases?dry_run=true").json(&huge).send().await.expect(200);
    assert_eq!(verdict["admission"]["admitted"], false);
}

#[tokio::test]
async fn what_the_host_cannot_hold_is_refused_with_numbers() {
    let app = TestApp::start().await;
    let problem = app
        .post("/databases")
        .json(&json!({"name": "huge", "engine": "postgresql", "sku": "E16s"}))
        .send()
        .await
        .refused(507, "insufficient_capacity");
    assert!(text(&problem, "/detail").contains("131072 MiB"), "{problem}");
    assert_eq!(app.runtime.everything(), Vec::<String>::new());
    let made = app.create(json!({"name": "demo", "engine": "postgresql"})).await;
    let path = format!("/databases/{}", text(&made, "/instance/id"));
    app.patch(&path).json(&json!({"sku": "E16s"})).send().await.refused(507, "insufficient_capacity");
}

#[tokio::test]
async fn an_operation_can_be_cancelled_and_takes_back_what_it_did() {
    let app = TestApp::start().await;
    app.runtime.delay("start", std::time::Duration::from_secs(5));
    let body = json!({"name": "demo", "engine": "redis", "sku": "B1ls"});
    let accepted = app.post("/databases").json(&body).send().await.expect(202);
    let path = format!("/operations/{}", text(&accepted, "/operation/id"));
    let done = app.post(&format!("{path}/cancel?wait=20")).send().await.expect(200);
    assert_eq!(done["operation"]["state"], "cancelled", "{done}");
    app.settle().await;
    assert_eq!(app.runtime.everything(), Vec::<String>::new());
    app.post(&format!("{path}/cancel")).send().await.expect(409);
}

#[tokio::test]
async fn events_tell_what_happens_and_can_be_caught_up_on() {
    let app = TestApp::start().await;
    let live = app.get("/events").open().await;
    assert_eq!(live.status(), 200);
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let made = app.create(json!({"name": "demo", "engine": "redis", "sku": "B1ls"})).await;
    let operation = text(&made, "/operation/id");
    let ended = |e: &Value| e["operation_id"] == operation && e["state"] == "succeeded";
    let events = read_events(live, ended).await;
    assert!(events.iter().any(|e| e["kind"] == "instance"), "{events:?}");
    let ids: Vec<_> = events.iter().map(|e| e["id"].as_u64().unwrap()).collect();
    assert!(ids.is_sorted(), "{ids:?}");

    let again = app.get("/events").header("last-event-id", &ids[0].to_string()).open().await;
    let caught_up = read_events(again, ended).await;
    assert_eq!(caught_up, events[1..]);

    let lost = app.get("/events").header("last-event-id", "1").open().await;
    let events = read_events(lost, |e| e["kind"] == "reset").await;
    assert_eq!(events.len(), 1, "a client that missed events is told to read all again");
}

/// Reads events up to and including the one that is waited for.
async fn read_events(answer: hyper::Response<hyper::body::Incoming>, last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut frames = answer.into_body().into_data_stream();
    let mut text = String::new();
    let mut events = Vec::new();
    let reading = async {
        while let Some(frame) = frames.next().await {
            text.push_str(std::str::from_utf8(&frame.unwrap()).unwrap());
            while let Some((event, rest)) = text.split_once("\n\n") {
                if let Some(data) = event.lines().find_map(|l| l.strip_prefix("data: ")) {
                    let data: Value = serde_json::from_str(data).unwrap();
                    assert!(event.contains(&format!("id: {}", data["id"])), "{event}");
                    events.push(data);
                }
                text = rest.to_owned();
                if events.last().is_some_and(&last) {
                    return;
                }
            }
        }
        panic!("the stream ended");
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(20), reading).await;
    assert!(in_time.is_ok(), "the event did not come; there were {events:?}");
    events
}
