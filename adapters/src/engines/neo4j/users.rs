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
