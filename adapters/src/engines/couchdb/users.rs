//! Users of CouchDB: documents in `_users` with roles. Each database names the roles that count in it, once and for all,
//! so that giving a user rights changes the user's document alone.

use serde_json::json;

use super::{Couchdb, path};
use crate::quote::percent;
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// Administrates every database that fluxdb makes.
pub(super) const OWNER: &str = "fluxdb:owner";
/// Whoever has it writes nothing.
const READER: &str = "fluxdb:reader";

/// Changes a document as it is found, or makes it: a PUT would have to say which revision it replaces.
const EDIT: &str = "function (doc, req) { \
    var want = JSON.parse(req.body); \
    if (want.remove) { if (doc) { doc._deleted = true; } return [doc, '{}']; } \
    doc = doc || { _id: req.id, type: 'user', name: want.name, roles: [] }; \
    if (want.password) { doc.password = want.password; } \
    if (want.roles) { doc.roles = want.roles; } \
    return [doc, '{}']; }";

const REFUSE_READERS: &str = "function (doc, old, user) { \
    if (user.roles.indexOf('_admin') < 0 && user.roles.indexOf('fluxdb:reader') >= 0) { \
    throw({ forbidden: 'this user may read only' }); } }";

/// Makes [`EDIT`] known to the server; 409 = it is.
pub(super) fn editor() -> Call {
    let document = json!({"language": "javascript", "updates": {"edit": EDIT}});
    Call::json("PUT", "/_users/_design/fluxdb", &document).tolerating(&["409"])
}

/// Runs [`EDIT`] on a user's document. Two at once: the second one finds another revision and must try again.
pub(super) fn edit(username: &str, change: &serde_json::Value) -> Call {
    let id = percent(&format!("org.couchdb.user:{username}"));
    Call::json("PUT", format!("/_users/_design/fluxdb/_update/edit/{id}"), change).not_yet(&["409"])
}

/// Makes a user or brings it to this password and these roles.
pub(super) fn put(account: &Account, roles: &[String]) -> Call {
    let change = json!({"name": account.username, "password": account.password.expose(), "roles": roles});
    edit(&account.username, &change)
}

fn admin(database: &str) -> String {
    format!("fluxdb:admin:{database}")
}

fn member(database: &str) -> String {
    format!("fluxdb:member:{database}")
}

/// Says which roles count in a database, and keeps its readers from writing; 409 = that is there.
pub(super) fn secure(database: &str) -> [Call; 2] {
    let rights = json!({
        "admins": {"names": [], "roles": [OWNER, admin(database)]},
        "members": {"names": [], "roles": [member(database)]},
    });
    let document = json!({"language": "javascript", "validate_doc_update": REFUSE_READERS});
    [
        Call::json("PUT", format!("{}/_security", path(database)), &rights),
        Call::json("PUT", format!("{}/_design/fluxdb", path(database)), &document).tolerating(&["409"]),
    ]
}

impl Users for Couchdb {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let mut roles: Vec<String> = match role {
            Role::Superuser => databases.iter().map(|d| admin(d)).collect(),
            Role::Readwrite | Role::Read | Role::Backup => databases.iter().map(|d| member(d)).collect(),
        };
        if matches!(role, Role::Read | Role::Backup) {
            roles.push(READER.into());
        }
        vec![put(account, &roles)]
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![edit(username, &json!({"remove": true}))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/_users/_all_docs?startkey=%22org.couchdb.user%3A%22&endkey=%22org.couchdb.user%3B%22")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let rows = answers.iter().filter_map(|a| a.json().pointer("/rows")?.as_array()).flatten();
        rows.filter_map(|r| Some(r.pointer("/id")?.as_str()?.strip_prefix("org.couchdb.user:")?.to_owned())).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, database: &str) -> Vec<Proof> {
        let here = path(database);
        let get = |path: String| vec![Call::get(path)];
        let writes = || vec![Call::json("POST", here.clone(), &json!({"value": "proof"}))];
        let reads = Proof::can("reads documents", get(format!("{here}/_all_docs?limit=1")));
        let design = || {
            let document = json!({"views": {}});
            vec![Call::json("PUT", format!("{here}/_design/fluxdb_proof"), &document).tolerating(&["409"])]
        };
        let users = Proof::cannot("reads other users", get("/_users/_all_docs".into()));
        let makes_database = Proof::cannot("makes a database", vec![Call::http("PUT", "/fluxdb_proof", None)]);
        let settings = Proof::cannot("reads settings", get("/_node/_local/_config".into()));
        match role {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a document", writes()),
                Proof::can("makes a design document", design()),
                users,
                makes_database,
                settings,
            ],
            Role::Readwrite => vec![
                reads,
                Proof::can("writes a document", writes()),
                Proof::cannot("makes a design document", design()),
                users,
                makes_database,
                settings,
            ],
            Role::Read | Role::Backup => vec![
                reads,
                Proof::can("follows changes", get(format!("{here}/_changes?limit=1"))),
                Proof::cannot("writes a document", writes()),
                users,
                makes_database,
            ],
        }
    }
}
