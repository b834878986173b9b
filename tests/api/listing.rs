//! Lists: pages, filters, order.

use serde_json::{Value, json};

use crate::support::TestApp;

async fn three(app: &TestApp) {
    for (name, engine, project, labels) in [
        ("bravo", "redis", "web", json!({"env": "test"})),
        ("alpha", "valkey", "web", json!({"env": "live"})),
        ("charlie", "redis", "shop", json!({})),
    ] {
        let body = json!({"name": name, "engine": engine, "sku": "B1ls", "project": project, "labels": labels});
        app.create(body).await;
    }
}

async fn names(app: &TestApp, query: &str) -> Vec<String> {
    let page = app.get(&format!("/databases?{query}")).send().await.expect(200);
    page["items"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_list_can_be_filtered_and_sorted() {
    let app = TestApp::start().await;
    three(&app).await;
    for (query, wanted) in [
        ("", vec!["bravo", "alpha", "charlie"]),
        ("sort=name", vec!["alpha", "bravo", "charlie"]),
        ("sort=-name", vec!["charlie", "bravo", "alpha"]),
        ("sort=-created_at", vec!["charlie", "alpha", "bravo"]),
        ("engine=redis", vec!["bravo", "charlie"]),
        ("engine=nope", vec![]),
        ("project=web", vec!["bravo", "alpha"]),
        ("label=env", vec!["bravo", "alpha"]),
        ("label=env%3Dlive", vec!["alpha"]),
        ("q=ha", vec!["alpha", "charlie"]),
        ("state=RUNNING&engine=valkey", vec!["alpha"]),
        ("state=STOPPED", vec![]),
        ("q=%25", vec![]),
        ("q='%20OR%201=1%20--", vec![]),
    ] {
        assert_eq!(names(&app, query).await, wanted, "{query}");
    }
}

#[tokio::test]
async fn pages_hold_every_instance_once() {
    let app = TestApp::start().await;
    three(&app).await;
    for sort in ["name", "-name", "created_at", "-created_at"] {
        let whole = names(&app, &format!("sort={sort}")).await;
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("/databases?limit=1&sort={sort}{token}")).send().await.expect(200);
            let items = page["items"].as_array().unwrap();
            assert_eq!(items.len(), 1);
            seen.push(items[0]["name"].as_str().unwrap().to_owned());
            match &page["next_page_token"] {
                Value::Null => break,
                next => token = format!("&page_token={}", next.as_str().unwrap()),
            }
        }
        assert_eq!(seen, whole, "{sort}");
    }
}

#[tokio::test]
async fn operations_and_audit_have_pages_newest_first() {
    let app = TestApp::start().await;
    three(&app).await;
    for list in ["/operations", "/audit"] {
        let whole = app.get(list).send().await.expect(200)["items"].as_array().unwrap().clone();
        assert!(whole.len() >= 3, "{list}");
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("{list}?limit=2{token}")).send().await.expect(200);
            seen.extend(page["items"].as_array().unwrap().clone());
            match &page["next_page_token"] {
                Value::Null => break,
                next => token = format!("&page_token={}", next.as_str().unwrap()),
            }
        }
        assert_eq!(seen, whole, "{list}");
    }
    let one = app.get("/operations?state=succeeded&limit=1").send().await.expect(200);
    let instance = one["items"][0]["instance_id"].as_str().unwrap();
    let of_it = app.get(&format!("/operations?instance={instance}")).send().await.expect(200);
    assert_eq!(of_it["items"].as_array().unwrap().len(), 1);
    let none = app.get("/operations?state=failed").send().await.expect(200);
    assert_eq!(none["items"], json!([]));
}
