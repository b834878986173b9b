//! Users in the native realm of Elasticsearch: a role of ours for each role.

use serde_json::{Value, json};

use super::{Elasticsearch, percent};
use crate::engines::lucene::MARKER_INDEX;
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// Accounts that every server has.
pub(super) const BUILT_IN: &[&str] = &[
    "elastic",
    "kibana",
    "kibana_system",
    "logstash_system",
    "beats_system",
    "apm_system",
    "remote_monitoring_user",
    "fluxdb",
];

fn path(username: &str) -> String {
    format!("/_security/user/{}", percent(username))
}

/// The user with this password and role; replaces what there was.
pub(super) fn put(account: &Account, role: Role) -> Call {
    let body = json!({ "password": account.password.expose(), "roles": [format!("fluxdb_{}", role.as_str())] });
    Call::json("PUT", path(&account.username), &body)
}

/// What the roles may do. Restricted indices, where users and passwords are, are never meant by a pattern.
fn rights(role: Role) -> Value {
    let (cluster, indices): (&[&str], &[&str]) = match role {
        Role::Superuser => (
            &["monitor", "manage_index_templates", "manage_ingest_pipelines", "manage_ilm", "manage_own_api_key"],
            &["all"],
        ),
        Role::Readwrite => (&["monitor"], &["read", "write", "create_index", "view_index_metadata"]),
        Role::Read => (&["monitor"], &["read", "view_index_metadata"]),
        Role::Backup => (&["monitor", "monitor_snapshot"], &["read", "view_index_metadata", "monitor"]),
    };
    json!({ "cluster": cluster, "indices": [{ "names": ["*"], "privileges": indices }] })
}

/// Makes all of our roles, or brings them up to date.
pub(super) fn roles() -> Vec<Call> {
    let role = |r: Role| Call::json("PUT", format!("/_security/role/fluxdb_{}", r.as_str()), &rights(r));
    Role::ALL.map(role).into()
}

impl Users for Elasticsearch {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, _databases: &[String]) -> Vec<Call> {
        let mut calls = roles();
        calls.push(put(account, role));
        calls
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![Call::http("DELETE", path(username), None).tolerating(&["404"])]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/_security/user")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let users = answers.iter().filter_map(|a| a.json().as_object());
        users.flat_map(|o| o.keys().cloned()).filter(|n| !BUILT_IN.contains(&n.as_str())).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let document = json!({ "value": "proof" });
        let write = |id: &str| vec![Call::json("PUT", format!("/{MARKER_INDEX}/_doc/{id}"), &document)];
        let index = |method| Call::http(method, "/fluxdb-proof", None);
        let reads = Proof::can("searches", vec![Call::get(format!("/{MARKER_INDEX}/_search"))]);
        let sees_users = Proof::cannot("sees the users", vec![Call::get("/_security/user")]);
        let drops = Proof::cannot("removes an index", vec![Call::http("DELETE", format!("/{MARKER_INDEX}"), None)]);
        match role {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a document", write("proof")),
                Proof::can("makes and removes an index", vec![index("PUT").tolerating(&["400"]), index("DELETE")]),
                sees_users,
                Proof::cannot(
                    "changes settings of the cluster",
                    vec![Call::json(
                        "PUT",
                        "/_cluster/settings",
                        &json!({ "persistent": { "search.max_buckets": 10 } }),
                    )],
                ),
            ],
            Role::Readwrite => vec![
                reads,
                Proof::can("writes a document", write("proof")),
                Proof::can("makes an index", vec![index("PUT").tolerating(&["400"])]),
                drops,
                sees_users,
            ],
            Role::Read | Role::Backup => vec![
                reads,
                Proof::cannot("writes a document", write("proof-2")),
                Proof::cannot("makes an index", vec![Call::http("PUT", "/fluxdb-proof-2", None)]),
                drops,
                sees_users,
            ],
        }
    }
}
