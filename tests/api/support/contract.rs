//! Whether an answer is one that docs/openapi.json promises: status, content type, and the form of a problem.

use std::sync::LazyLock;

use fluxdb::api::BASE;
use hyper::Method;
use serde_json::Value;

use super::Answer;

/// The checked-in document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// Every route of the document: method, path below the base, its description.
pub fn routes() -> impl Iterator<Item = (Method, &'static str, &'static Value)> {
    DOCUMENT["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            (Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path.as_str(), operation)
        })
    })
}

/// Panics when the answer is not as promised. What is no route of the document is not looked at.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    if answer.status.is_client_error() || answer.status.is_server_error() {
        check_problem(path, answer);
    }
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.header("x-request-id").is_empty());
    let Some((_, _, operation)) = routes().find(|(m, template, _)| m == method && matches(template, path)) else {
        return;
    };
    let status = answer.status.as_str();
    let promised = &operation["responses"][status];
    assert!(!promised.is_null(), "{method} {path} answered {status}, which docs/openapi.json does not say: {answer:?}");
    let promised = match promised["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => promised,
    };
    let kind = answer.header("content-type").split(';').next().unwrap();
    match promised["content"].as_object() {
        Some(kinds) => assert!(kinds.contains_key(kind), "{method} {path} {status}: {kind}"),
        None => assert!(answer.body.is_empty(), "{method} {path} {status} has a body"),
    }
}

fn check_problem(path: &str, answer: &Answer) {
    assert_eq!(answer.header("content-type"), "application/problem+json", "{path}: {answer:?}");
    let problem: fluxdb::api::Problem = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem.status, answer.status.as_u16());
    assert_eq!(problem.request_id, answer.header("x-request-id"));
    assert_eq!(problem.instance, path.split('?').next().unwrap());
    assert!(problem.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{problem:?}");
    assert!(!problem.detail.is_empty() && !problem.title.is_empty());
    if matches!(problem.status, 429 | 503) {
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    }
}

fn matches(template: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix(BASE) else { return false };
    let path = path.split('?').next().unwrap_or_default();
    let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    wanted.len() == given.len() && wanted.iter().zip(&given).all(|(w, g)| w.starts_with('{') || w == g)
}
