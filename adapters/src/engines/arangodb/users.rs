//! Users of ArangoDB and their levels: `rw`, `ro`, `none`, for a database and for its collections; `*` is the rest.

use serde_json::json;

use super::{Arangodb, FACTS, path};
use crate::quote::percent;
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

fn user(username: &str) -> String {
    format!("/_api/user/{}", percent(username))
}

pub(super) fn password(account: &Account) -> Call {
    let change = json!({"passwd": account.password.expose(), "active": true});
    Call::json("PATCH", user(&account.username), &change)
}

/// Makes a user, or gives it the password; 409 = it is there.
pub(super) fn make(account: &Account) -> [Call; 2] {
    let new = json!({"user": account.username, "passwd": account.password.expose(), "active": true});
    [Call::json("POST", "/_api/user", &new).tolerating(&["409"]), password(account)]
}

/// A level in a database (percent-encoded, or `*`), and one in its collections.
fn grant(username: &str, database: &str, level: &str, collections: &str) -> [Call; 2] {
    let base = format!("{}/database/{database}", user(username));
    [
        Call::json("PUT", base.clone(), &json!({"grant": level})),
        Call::json("PUT", format!("{base}/*"), &json!({"grant": collections})),
    ]
}

/// May log in at `_system`, where the version is asked for, and sees nothing of what is in it. Only for those who may read
/// everywhere: the server takes a level in `_system` for one in every database that has no other.
fn visitor(username: &str) -> [Call; 2] {
    grant(username, "_system", "ro", "none")
}

/// Everything in every database but `_system`: who may write there is root.
pub(super) fn owner(username: &str) -> Vec<Call> {
    visitor(username).into_iter().chain(grant(username, "*", "rw", "rw")).collect()
}

impl Users for Arangodb {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let name = &account.username;
        // Rights of before go with the user; what there is in databases belongs to nobody.
        let mut calls = self.drop(_cx, name, databases);
        calls.extend(make(account));
        match role {
            Role::Superuser => calls.extend(owner(name)),
            // arangodump reads every database; rights in _system's own collections it has none.
            Role::Backup => {
                calls.extend(visitor(name));
                calls.extend(grant(name, "*", "ro", "ro"));
            }
            Role::Readwrite | Role::Read => {
                let level = if role == Role::Read { "ro" } else { "rw" };
                calls.extend(databases.iter().flat_map(|d| grant(name, &percent(d), level, level)));
            }
        }
        calls
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![Call::http("DELETE", user(username), None).tolerating(&["404"])]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::get("/_api/user")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let all = answers.iter().filter_map(|a| a.json().pointer("/result")?.as_array()).flatten();
        all.filter_map(|u| u.pointer("/user")?.as_str())
            .filter(|n| *n != FACTS.system_user)
            .map(str::to_owned)
            .collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, database: &str) -> Vec<Proof> {
        let api = format!("{}/_api", path(database));
        let post = |what: &str, body: serde_json::Value| vec![Call::json("POST", format!("{api}/{what}"), &body)];
        let reads = Proof::can(
            "reads documents",
            post("cursor", json!({"query": "FOR d IN fluxdb_marker LIMIT 1 RETURN d._key"})),
        );
        let writes = || post("document/fluxdb_marker", json!({"value": "proof"}));
        let makes = || {
            let mut calls = post("collection", json!({"name": "fluxdb_proof"}));
            calls.push(Call::http("DELETE", format!("{api}/collection/fluxdb_proof"), None));
            calls
        };
        let makes_one = || post("collection", json!({"name": "fluxdb_proof"}));
        // Asked for in its own database: elsewhere it would be the login that is refused.
        let user = Proof::cannot("makes a user", post("user", json!({"user": "fluxdb_proof", "passwd": "proof"})));
        let makes_database = Proof::cannot("makes a database", post("database", json!({"name": "fluxdb_proof"})));
        match role {
            Role::Superuser | Role::Readwrite => vec![
                reads,
                Proof::can("writes a document", writes()),
                Proof::can("makes and drops a collection", makes()),
                user,
                makes_database,
            ],
            Role::Read | Role::Backup => vec![
                reads,
                Proof::cannot("writes a document", writes()),
                Proof::cannot("makes a collection", makes_one()),
                user,
                makes_database,
            ],
        }
    }
}
