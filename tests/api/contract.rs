//! What docs/openapi.json promises of every route.

use std::collections::BTreeSet;

use crate::support::contract::{DOCUMENT, routes};

#[test]
fn every_route_says_how_it_refuses() {
    for (method, path, operation) in routes() {
        let responses = operation["responses"].as_object().unwrap();
        let has = |status: &str| responses.contains_key(status);
        let secured = !operation["security"].is_null();
        let name = format!("{method} {path}");
        assert!(has("500") && has("503"), "{name}");
        assert_eq!(secured, has("401") && has("403") && has("429"), "{name}");
        assert_eq!(path.contains('{'), has("404"), "{name}");
        assert!(operation["requestBody"].is_null() || (has("400") && has("413") && has("415") && has("422")), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{name} has no text");
    }
}

#[test]
fn operation_ids_are_unique() {
    let ids: Vec<_> = routes().map(|(_, _, o)| o["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
}

#[test]
fn every_body_has_an_example() {
    for (method, path, operation) in routes().filter(|(_, _, o)| !o["requestBody"].is_null()) {
        let examples = &operation["requestBody"]["content"]["application/json"]["examples"];
        assert!(examples.as_object().is_some_and(|e| !e.is_empty()), "{method} {path}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let text = DOCUMENT.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(DOCUMENT.pointer(reference).is_some(), "{reference}");
    }
}
