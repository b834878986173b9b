//! Looking at instances: list, show, url.

use serde_json::Value;

use super::args::{ListArgs, NameArg, UrlArgs};
use super::client::typed;
use super::exit::Result;
use super::output::{Rows, age, mib, when};
use super::session::Session;
use crate::api::{ConnectionString, Instance};
use crate::domain::host::HostLimits;

/// `fluxdb list`
///
/// # Errors
/// As the API says.
pub fn list(session: &Session, args: &ListArgs) -> Result {
    let client = session.client()?;
    let state = args.state.as_deref().map(str::to_ascii_uppercase);
    let filters = [
        ("engine", args.engine.as_deref()),
        ("state", state.as_deref()),
        ("label", args.label.as_deref()),
        ("region", args.region.as_deref()),
        ("q", args.query.as_deref()),
        ("project", session.global.project.as_deref()),
    ];
    let query: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let items = client.list("/databases", &query, None)?;
    let empty = if query.is_empty() {
        "There is no instance yet. Make one: fluxdb create demo --engine postgresql"
    } else {
        "No instance is like that."
    };
    session.out.items(items, table, empty)
}

fn table(items: Vec<Value>) -> Result<Rows> {
    let mut rows = Rows::new(&["name", "engine", "sku", "state", "health", "endpoint", "project", "age", "remarks"]);
    for item in items {
        let i: Instance = typed(item)?;
        rows.push([
            i.name,
            format!("{} {}", i.engine, i.version),
            i.sku,
            i.state.as_str().to_owned(),
            word(&i.health),
            format!("{}:{}", i.endpoint.host, i.endpoint.port),
            i.project,
            age(&i.created_at),
            i.badges.join(" "),
        ]);
    }
    Ok(rows)
}

/// `fluxdb show`
///
/// # Errors
/// As the API says.
pub fn show(session: &Session, args: &NameArg) -> Result {
    let client = session.client()?;
    let (i, answer) = session.find(&client, &args.name)?;
    if session.out.json {
        return session.out.value(&answer.body);
    }
    let labels: Vec<_> = i.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let actions: Vec<_> = i.allowed_actions.iter().filter(|a| a.enabled).map(|a| a.name.as_str()).collect();
    let image = format!("{} {}", i.image.reference, short_digest(&i.image.digest));
    let limits = match &i.limits.reason {
        Some(reason) if !i.limits.enforced => format!("not enforced: {reason}"),
        _ if i.limits.enforced => format!("enforced: {}", limits(&i.limits.effective)),
        _ => format!("asked: {}", limits(&i.limits.asked)),
    };
    let network = match (&i.network.reason, i.network.enforced) {
        (Some(reason), false) => format!("{}, not enforced: {reason}", i.network.egress.as_str()),
        _ => i.network.egress.as_str().to_owned(),
    };
    session.out.pairs(&[
        ("Name", i.name),
        ("Id", i.id.to_string()),
        ("Project", i.project),
        ("Region", i.region),
        ("State", i.state.as_str().to_owned()),
        ("Health", [word(&i.health), i.health_reason.unwrap_or_default()].join(" ").trim().to_owned()),
        ("Wanted", word(&i.desired)),
        ("Badges", i.badges.join(" ")),
        ("Last error", i.last_error.map(|e| format!("{} ({})", e.detail, e.code)).unwrap_or_default()),
        ("Operation", i.current_operation.map(|id| id.to_string()).unwrap_or_default()),
        ("Possible", actions.join(", ")),
        ("Engine", format!("{} {}", i.engine, i.version)),
        ("Image", image.trim().to_owned()),
        (
            "SKU",
            format!(
                "{}: {} vCPU, {}, {} GiB storage, {} connections",
                i.sku,
                i.size.vcpu,
                mib(i.size.memory_mib.into()),
                i.size.storage_gib,
                i.size.connections
            ),
        ),
        ("Limits", limits),
        ("Egress", network),
        ("Endpoint", format!("{}:{}{}", i.endpoint.host, i.endpoint.port, if i.endpoint.tls { " (TLS)" } else { "" })),
        ("Account", i.username),
        ("Database", i.database.unwrap_or_default()),
        ("URL", i.endpoint.uri_masked),
        ("Labels", labels.join(" ")),
        ("Protected", if i.deletion_protection { "yes".into() } else { "no".into() }),
        ("Created", when(&i.created_at)),
        ("Changed", when(&i.updated_at)),
    ])
}

/// `fluxdb url`
///
/// # Errors
/// As the API says.
pub fn url(session: &Session, args: &UrlArgs) -> Result {
    let client = session.client()?;
    let (instance, _) = session.find(&client, &args.name)?;
    let mut query = vec![("format", args.format.as_str())];
    query.extend(args.database.as_deref().map(|d| ("database", d)));
    query.extend(args.reveal.then_some(("reveal", "true")));
    let answer = client.get(&format!("/databases/{}/connection-string", instance.id), &query)?;
    if session.out.json {
        return session.out.value(&answer.body);
    }
    let string: ConnectionString = typed(answer.body)?;
    session.out.line(string.value.trim_end())
}

/// A unit variant as the API spells it.
pub fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Limits in words.
pub fn limits(limits: &HostLimits) -> String {
    let mut parts = Vec::new();
    let mut add = |name: &str, value: Option<String>| parts.extend(value.map(|v| format!("{name} {v}")));
    let memory = |n: u64| mib(n / 1024 / 1024);
    add("memory", limits.memory_bytes.map(memory));
    add("memory+swap", limits.memory_swap_bytes.map(memory));
    add("kept memory", limits.memory_reservation_bytes.map(memory));
    add("cpu", limits.cpu_quota_us.map(|q| format!("{:.1}", q as f64 / crate::domain::sku::CPU_PERIOD_US as f64)));
    add("shares", limits.cpu_shares.map(|s| s.to_string()));
    add("pids", limits.pids.map(|p| p.to_string()));
    add("swappiness", limits.swappiness.map(|s| s.to_string()));
    add("oom score", limits.oom_score_adj.map(|s| s.to_string()));
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

/// A digest as people compare it.
pub fn short_digest(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}
