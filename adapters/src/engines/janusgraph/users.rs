//! Accounts of JanusGraph: vertices of a graph of their own, all with the same powers.

use serde_json::json;

use super::{JanusGraph, gremlin, texts, traversal};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

const ALL_EQUAL: &str = "JanusGraph has no roles: whoever gets in may read and write the graph";

const GRAPH: &str =
    "credentials.traversal(org.apache.tinkerpop.gremlin.groovy.jsr223.dsl.credential.CredentialTraversalSource)";

/// The threads that check passwords keep their transaction, and with it what they saw first: it must be ended.
const DONE: &str =
    ".iterate(); credentials.tx().commit(); credentials.openTransactions.toList().each { it.rollback() }; username";

/// Makes the account or gives it the password, which the server hashes.
pub(super) fn put(account: &Account) -> Call {
    gremlin(
        &format!("{GRAPH}.user(username, password){DONE}"),
        &json!({ "username": account.username, "password": account.password.expose() }),
    )
}

impl Users for JanusGraph {
    fn role(&self, role: Role) -> Result<(), &'static str> {
        match role {
            Role::Superuser => Ok(()),
            Role::Readwrite | Role::Read | Role::Backup => Err(ALL_EQUAL),
        }
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, _databases: &[String]) -> Vec<Call> {
        match role {
            Role::Superuser => vec![put(account)],
            Role::Readwrite | Role::Read | Role::Backup => Vec::new(),
        }
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![gremlin(&format!("{GRAPH}.users(username).drop(){DONE}"), &json!({ "username": username }))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![gremlin("credentials.traversal().V().hasLabel('user').values('username').toList()", &json!({}))]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(texts).filter(|n| n != super::FACTS.system_user).collect()
    }

    fn proofs(&self, cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let none = json!({});
        let other = Account { username: "fluxdbproof".into(), password: cx.user.password.clone() };
        match role {
            Role::Superuser => vec![
                Proof::can("reads a vertex", vec![traversal("g.V().hasLabel('fluxdbMarker').limit(1).count()", &none)]),
                // With iterate(): elements in an answer are read after the commit, in a transaction that stays open.
                Proof::can(
                    "writes and removes vertices and an edge",
                    vec![
                        traversal(
                            "g.addV('fluxdbProof').as('a').addV('fluxdbProof').addE('fluxdbKnows').from('a').iterate()",
                            &none,
                        ),
                        traversal("g.V().hasLabel('fluxdbProof').drop().iterate()", &none),
                    ],
                ),
                Proof::cannot("runs a script", vec![gremlin("1 + 1", &none)]),
                Proof::cannot("makes a user", vec![put(&other)]),
            ],
            Role::Readwrite | Role::Read | Role::Backup => Vec::new(),
        }
    }
}
