//! Users of Neo4j Community: each of them is an administrator.

use serde_json::json;

use super::{Neo4j, cypher, system, text, values};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

const ENTERPRISE: &str = "Neo4j Community has no roles: every user is an administrator; roles are in Enterprise";

/// As parameters, so that neither name nor password stands in a statement.
pub(super) fn password_call(account: &Account) -> Call {
    system(
        "ALTER USER $name SET PASSWORD $password CHANGE NOT REQUIRED",
        &json!({ "name": account.username, "password": account.password.expose() }),
    )
    // It is the password already, which the server refuses; any other refusal shows at the login that follows.
    .tolerating(&["400"])
}

pub(super) fn put(account: &Account) -> Vec<Call> {
    vec![
        system(
            "CREATE USER $name IF NOT EXISTS SET PASSWORD $password CHANGE NOT REQUIRED",
            &json!({ "name": account.username, "password": account.password.expose() }),
        ),
        password_call(account),
    ]
}

/// The user of an instance that has just been started. A first try may have been given up and still be at work in the
/// server: then `IF NOT EXISTS` ends as "already exists", with the code of any other refusal. So the user is looked for.
pub(super) fn provision(account: &Account) -> Vec<Call> {
    let mut calls = put(account);
    calls[0].tolerate = &["400"];
    let look = system("SHOW USERS YIELD user WHERE user = $name RETURN user", &json!({ "name": account.username }));
    calls.insert(1, look.checked(missing).not_yet(&[MISSING]));
    calls
}

/// No code of the server's.
const MISSING: &str = "user_missing";

fn missing(answer: &Answer) -> Option<String> {
    values(answer).is_empty().then(|| MISSING.to_owned())
}

impl Users for Neo4j {
    fn role(&self, role: Role) -> Result<(), &'static str> {
        match role {
            Role::Superuser => Ok(()),
            Role::Readwrite | Role::Read | Role::Backup => Err(ENTERPRISE),
        }
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, _databases: &[String]) -> Vec<Call> {
        match role {
            Role::Superuser => put(account),
            Role::Readwrite | Role::Read | Role::Backup => Vec::new(),
        }
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![system("DROP USER $name IF EXISTS", &json!({ "name": username }))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![system("SHOW USERS YIELD user", &json!({}))]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let names = answers.iter().flat_map(values).filter_map(|row| row.first().map(text));
        names.filter(|n| n != "neo4j").collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let none = json!({});
        match role {
            Role::Superuser => vec![
                Proof::can("reads a node", vec![cypher("neo4j", "MATCH (m:FluxdbMarker) RETURN count(m)", &none)]),
                Proof::can(
                    "writes and removes a node",
                    vec![
                        cypher("neo4j", "CREATE (:FluxdbProof)", &none),
                        cypher("neo4j", "MATCH (p:FluxdbProof) DELETE p", &none),
                    ],
                ),
                Proof::can(
                    "makes and drops a user",
                    vec![
                        system("CREATE USER fluxdbproof SET PASSWORD 'proof-of-user'", &none),
                        system("DROP USER fluxdbproof", &none),
                    ],
                ),
                Proof::cannot(
                    "reads files of the server",
                    vec![cypher("neo4j", "LOAD CSV FROM 'file:///etc/hostname' AS line RETURN line", &none)],
                ),
            ],
            Role::Readwrite | Role::Read | Role::Backup => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    /// A first try that was given up may have made the user by now, or be about to.
    #[test]
    fn a_user_that_is_there_already_is_none_that_failed() {
        let account = Account { username: "admin".into(), password: Secret::new("Canary0Password") };
        let calls = provision(&account);
        assert_eq!(calls[0].tolerate, ["400"]);
        let look = calls[1].check.expect("it looks");
        let answer = |rows| Answer::Json(json!({"data": {"fields": ["user"], "values": rows}}));
        assert_eq!(look(&answer(json!([["admin"]]))), None);
        let code = look(&answer(json!([]))).expect("missing");
        assert!(calls[1].not_yet.contains(&code.as_str()), "asked again");
        // Elsewhere a refusal is the server's word on the name or the password.
        assert!(put(&account)[0].tolerate.is_empty());
    }
}
