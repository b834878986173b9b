//! The OpenAPI document: what the handlers say about themselves, and what holds for all of them.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::changes::MAX_WAIT_SECS;
use super::problem::PROBLEM_JSON;
use super::router;
use super::routes::instances::Format;
use crate::api::{Accepted, BASE, Problem};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "fluxdb",
        description = "Databases as a service on one host: PostgreSQL, MariaDB, Redis and Valkey in rootless Podman.\n\n\
            A change answers `202` with an operation to follow at `Location`; `?wait=SECONDS` holds the answer until it has ended (`200`). \
            Refusals are `application/problem+json` with a stable `code`. Times are RFC 3339 in UTC, ids UUIDv7, sizes have their unit in the name.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/api/modules/databases")),
    tags(
        (name = "System", description = "What this daemon and its host are and can do"),
        (name = "Instances", description = "The database servers that we run"),
        (name = "Operations", description = "Long-running work, and everything live"),
        (name = "Tokens", description = "Who may call"),
        (name = "Audit", description = "Who did what"),
        (name = "Images", description = "Images of the engines"),
    ),
    components(schemas(Problem, Accepted, Format)),
)]
struct Base;

/// What the routes are added to.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// The document as it is checked in and served: pretty-printed JSON with sorted keys and a newline at its end.
pub fn document() -> String {
    let (_, described) = router::routes().split_for_parts();
    complete(described)
}

/// Adds what holds for every route: refusals, waiting, repeating, the security scheme. Written once, so that a new
/// route cannot forget it.
pub fn complete(described: utoipa::openapi::OpenApi) -> String {
    let mut document = json!(described);
    document["components"]["securitySchemes"] = json!({"bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, or a JWT of the Flux platform. databases:write implies databases:read.",
    }});
    document["components"]["responses"] = shared_refusals();
    if let Some(paths) = document["paths"].as_object_mut() {
        for item in paths.values_mut().filter_map(Value::as_object_mut) {
            for (method, operation) in item {
                complete_operation(method, operation);
            }
        }
    }
    debug_assert_eq!(document["servers"][0]["url"], BASE);
    format!("{document:#}\n")
}

fn complete_operation(method: &str, operation: &mut Value) {
    let traits = Traits::of(method, operation);
    let tag = operation["tags"][0].as_str().unwrap_or_default().to_lowercase();
    let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
    operation["operationId"] = json!(format!("{tag}_{name}"));
    complete_parameters(operation, &traits);
    complete_responses(operation, &traits);
}

/// What the description of a route says about how it can be answered.
struct Traits {
    secured: bool,
    changes: bool,
    accepts: bool,
    repeatable: bool,
    has_body: bool,
    has_id: bool,
    has_query: bool,
    has_header: bool,
}

impl Traits {
    fn of(method: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let any = |place: &str| parameters.iter().any(|p| p["in"] == place);
        let accepts = operation["responses"].get("202").is_some();
        let repeatable = matches!(method, "post" | "delete");
        Self {
            secured: operation.get("security").is_some(),
            changes: method != "get",
            accepts,
            repeatable,
            has_body: operation.get("requestBody").is_some(),
            has_id: any("path"),
            has_query: any("query") || accepts,
            has_header: any("header") || repeatable,
        }
    }
}

fn complete_parameters(operation: &mut Value, traits: &Traits) {
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    for parameter in &mut parameters {
        not_null(&mut parameter["schema"]);
    }
    if traits.accepts {
        parameters.push(json!({
            "name": "wait", "in": "query", "required": false,
            "description": "Seconds to hold the answer until the operation has ended",
            "schema": {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECS},
        }));
    }
    if traits.repeatable {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key with the same request gets the first answer again, for 24 hours; with another request 422",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }));
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
}

/// A parameter that is absent is absent: there is no null in a query or header.
fn not_null(schema: &mut Value) {
    if let Some(kinds) = schema["type"].as_array() {
        let kinds: Vec<_> = kinds.iter().filter(|k| *k != "null").cloned().collect();
        if let [only] = kinds.as_slice() {
            schema["type"] = only.clone();
        }
    }
    let choices = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let real: Vec<_> = choices.iter().filter(|c| c["type"] != "null").cloned().collect();
    if let [only] = real.as_slice() {
        *schema = only.clone();
    }
}

/// The refusals that mean the same on every route.
const REFUSALS: [(&str, &str); 11] = [
    ("400", "It cannot be read: malformed JSON or header"),
    ("401", "Nobody is known by that token"),
    ("403", "The token does not have the permission, or the operator does not allow it"),
    ("404", "There is no such thing, or the caller may not see it"),
    ("409", "Something is in the way; `operation_id` names the operation, if it is one"),
    ("413", "The body is larger than the server allows"),
    ("415", "The body is not said to be JSON"),
    ("422", "It cannot be so; `errors` names the places"),
    ("429", "Too many failed tries"),
    ("500", "A defect; the daemon's log says more"),
    ("503", "A part that is needed does not answer now"),
];

fn shared_refusals() -> Value {
    let refusals = REFUSALS.map(|(status, text)| {
        let mut response = json!({"description": text});
        complete_response(status, &mut response, false);
        (format!("Problem{status}"), response)
    });
    refusals.into_iter().collect::<Map<_, _>>().into()
}

fn complete_responses(operation: &mut Value, traits: &Traits) {
    let applies = |status: &str| match status {
        "400" => traits.has_body || traits.has_header,
        "401" | "403" | "429" => traits.secured,
        "404" => traits.has_id,
        "409" | "413" => traits.changes,
        "415" => traits.has_body,
        "422" => traits.has_body || traits.has_query || traits.repeatable,
        _ => true,
    };
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        complete_response(status, response, traits.repeatable);
    }
    for (status, _) in REFUSALS.iter().filter(|(status, _)| applies(status)) {
        let shared = || json!({"$ref": format!("#/components/responses/Problem{status}")});
        responses.entry(*status).or_insert_with(shared);
    }
    if traits.accepts {
        responses.entry("200").or_insert_with(|| {
            let mut ended = accepted("Ended within the wait, or nothing long had to be done");
            complete_response("200", &mut ended, traits.repeatable);
            ended
        });
    }
}

fn accepted(text: &str) -> Value {
    json!({"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}}})
}

fn complete_response(status: &str, response: &mut Value, repeatable: bool) {
    let refusal = status.starts_with(['4', '5']);
    if refusal {
        response["content"] = json!({PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}});
    }
    let headers: &[(bool, &str, &str)] = &[
        (true, "X-Request-Id", "Finds the request in the daemon's log"),
        (status == "202", "Location", "Where to follow the operation"),
        (status == "401" || status == "403", "WWW-Authenticate", "What is missing"),
        (status == "429" || status == "503", "Retry-After", "Seconds after which trying again makes sense"),
        (repeatable && !refusal, "Idempotent-Replayed", "`true` when this is the first answer again"),
    ];
    let mut described = response["headers"].as_object().cloned().unwrap_or_else(Map::new);
    for (_, name, text) in headers.iter().filter(|(applies, ..)| *applies) {
        described.insert((*name).to_owned(), json!({"description": text, "schema": {"type": "string"}}));
    }
    response["headers"] = Value::Object(described);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    /// The file that clients are generated from is what this binary serves.
    #[test]
    fn abilities_are_offered_where_there_is_a_route_for_them() {
        let document: serde_json::Value = serde_json::from_str(&super::document()).expect("JSON");
        for ability in crate::app::abilities::ABILITIES {
            let served = document["paths"].get(ability.route).is_some();
            assert_eq!(served, ability.offered, "{} at {}: see app::abilities", ability.name, ability.route);
        }
    }

    #[test]
    fn the_checked_in_document_is_what_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        let now = super::document();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == now,
            "docs/openapi.json differs from the code. If the change is meant: UPDATE_OPENAPI=1 cargo test --lib openapi"
        );
    }
}
