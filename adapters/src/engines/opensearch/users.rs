//! Users of OpenSearch's security plugin: a role of ours for each role, given to the user itself.

use serde_json::{Value, json};

use super::{FACTS, OpenSearch, percent};
use crate::engines::lucene::MARKER_INDEX;
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

pub(super) const API: &str = "/_plugins/_security/api";

pub(super) fn path(username: &str) -> String {
    format!("{API}/internalusers/{}", percent(username))
}

/// The user with this password and role; replaces what there was.
pub(super) fn put(account: &Account, role: Role) -> Call {
    let roles = json!([format!("fluxdb_{}", role.as_str())]);
    let body = json!({ "password": account.password.expose(), "opendistro_security_roles": roles });
    Call::json("PUT", path(&account.username), &body)
}

/// Names that do not begin with a dot, and data streams. Behind a dot plugins keep what they run: a monitor, a policy or a
/// detector with "roles": ["all_access"] in it would run as that, whoever wrote it.
const OWN: &[&str] = &["/[^.].*/", ".ds-*"];

/// What OpenSearch Dashboards keeps when it logs in as the user.
const DASHBOARDS: &str = ".kibana*";

/// What the roles may do.
fn rights(role: Role) -> Value {
    let (cluster, indices): (&[&str], &[&str]) = match role {
        Role::Superuser => (
            &[
                "cluster_composite_ops",
                "cluster_monitor",
                "indices:admin/template/*",
                "indices:admin/index_template/*",
                "cluster:admin/component_template/*",
                "cluster:admin/ingest/*",
                "cluster:admin/script/*",
                "cluster:admin/search/pipeline/*",
            ],
            &["indices_all"],
        ),
        Role::Readwrite => (&["cluster_composite_ops", "cluster:monitor/main"], &["crud", "create_index"]),
        Role::Read => (&["cluster_composite_ops_ro", "cluster:monitor/main"], &["read"]),
        Role::Backup => (
            &["cluster_composite_ops_ro", "cluster_monitor"],
            &[
                "read",
                "indices_monitor",
                "indices:admin/get",
                "indices:admin/mappings/get",
                "indices:admin/aliases/get",
            ],
        ),
    };
    let mut patterns = OWN.to_vec();
    if role == Role::Superuser {
        patterns.push(DASHBOARDS);
    }
    json!({
        "cluster_permissions": cluster,
        "index_permissions": [{ "index_patterns": patterns, "allowed_actions": indices }],
    })
}

/// Makes all of our roles, or brings them up to date.
pub(super) fn roles() -> Vec<Call> {
    let role = |r: Role| Call::json("PUT", format!("{API}/roles/fluxdb_{}", r.as_str()), &rights(r));
    Role::ALL.map(role).into()
}

impl Users for OpenSearch {
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
        vec![Call::get(format!("{API}/internalusers"))]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let users = answers.iter().filter_map(|a| a.json().as_object());
        users.flat_map(|o| o.keys().cloned()).filter(|n| n != FACTS.system_user).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let document = json!({ "value": "proof" });
        let write = |id: &str| vec![Call::json("PUT", format!("/{MARKER_INDEX}/_doc/{id}"), &document)];
        let index = |method| Call::http(method, "/fluxdb-proof", None);
        let reads = Proof::can("searches", vec![Call::get(format!("/{MARKER_INDEX}/_search"))]);
        let sees_users = Proof::cannot("sees the users", vec![Call::get(format!("{API}/internalusers"))]);
        let drops = Proof::cannot("removes an index", vec![Call::http("DELETE", format!("/{MARKER_INDEX}"), None)]);
        match role {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a document", write("proof")),
                Proof::can("makes and removes an index", vec![index("PUT").tolerating(&["400"]), index("DELETE")]),
                sees_users,
                Proof::cannot(
                    "makes itself more",
                    vec![Call::json("PUT", format!("{API}/internalusers/fluxdb-proof"), &json!({ "password": "x" }))],
                ),
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
