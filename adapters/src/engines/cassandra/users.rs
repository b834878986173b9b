//! Roles and keyspaces of Cassandra; ScyllaDB takes the same statements.

use super::{Cassandra, FACTS, literal};
use crate::quote::pg_ident;
use crate::{Account, Answer, Call, Cx, Databases, Proof, Role, Users};

pub(in super::super) fn password(account: &Account) -> Call {
    let (name, password) = (pg_ident(&account.username), literal(account.password.expose()));
    Call::sql(format!("ALTER ROLE {name} WITH PASSWORD = {password}"))
}

/// A role that may log in, with this password.
pub(in super::super) fn role(account: &Account) -> [Call; 2] {
    let (name, password) = (pg_ident(&account.username), literal(account.password.expose()));
    [
        Call::sql(format!("CREATE ROLE IF NOT EXISTS {name} WITH LOGIN = true AND PASSWORD = {password}")),
        Call::sql(format!("ALTER ROLE {name} WITH SUPERUSER = false AND LOGIN = true AND PASSWORD = {password}")),
    ]
}

/// What the user's account may do beside its keyspaces: make keyspaces and roles, which are its own then. Rights on all
/// keyspaces would be rights on the passwords in `system_auth`; ALTER on all roles, on the password of fluxdb.
pub(in super::super) fn owner(username: &str) -> Vec<Call> {
    let name = pg_ident(username);
    [
        format!("GRANT CREATE ON ALL KEYSPACES TO {name}"),
        format!("GRANT CREATE ON ALL ROLES TO {name}"),
        format!("GRANT DESCRIBE ON ALL ROLES TO {name}"),
    ]
    .map(Call::sql)
    .into()
}

pub(in super::super) fn create_keyspace(cx: &Cx, name: &str, replication: &str) -> Vec<Call> {
    let (keyspace, user) = (pg_ident(name), pg_ident(&cx.user.username));
    vec![
        Call::sql(format!("CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}")),
        Call::sql(format!("GRANT ALL PERMISSIONS ON KEYSPACE {keyspace} TO {user}")),
    ]
}

pub(in super::super) fn put(account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
    let name = pg_ident(&account.username);
    // There is no statement that takes back everything; whoever is made anew has nothing.
    let mut calls = vec![Call::sql(format!("DROP ROLE IF EXISTS {name}"))];
    calls.extend(self::role(account));
    let rights: &[&str] = match role {
        Role::Superuser => {
            calls.extend(owner(&account.username));
            &["ALL PERMISSIONS"]
        }
        Role::Readwrite => &["SELECT", "MODIFY", "CREATE"],
        Role::Read | Role::Backup => &["SELECT"],
    };
    for database in databases {
        let keyspace = pg_ident(database);
        calls.extend(rights.iter().map(|r| Call::sql(format!("GRANT {r} ON KEYSPACE {keyspace} TO {name}"))));
    }
    calls
}

pub(in super::super) fn names(answers: &[Answer]) -> Vec<String> {
    let ours = [FACTS.system_user, "cassandra"];
    answers.iter().flat_map(Answer::column).filter(|n| !ours.contains(&n.as_str())).collect()
}

pub(in super::super) fn keyspaces(answers: &[Answer]) -> Vec<String> {
    answers.iter().flat_map(Answer::column).filter(|n| n != "system" && !n.starts_with("system_")).collect()
}

/// `accounts`: the table of roles with their passwords.
pub(in super::super) fn proofs(role: Role, replication: &str, accounts: &str) -> Vec<Proof> {
    let sql = |text: &str| vec![Call::sql(text)];
    let reads = Proof::can("reads a table", sql("SELECT value FROM fluxdb_marker"));
    let insert = "INSERT INTO fluxdb_marker (value) VALUES ('proof')";
    let table = "CREATE TABLE IF NOT EXISTS fluxdb_proof (i int PRIMARY KEY)";
    let keyspace = format!("CREATE KEYSPACE IF NOT EXISTS fluxdb_proof WITH replication = {replication}");
    let makes_role = "CREATE ROLE IF NOT EXISTS fluxdb_proof";
    let passwords = Proof::cannot("reads the passwords of others", sql(&format!("SELECT role FROM {accounts}")));
    match role {
        Role::Superuser => vec![
            reads,
            Proof::can("writes a row", sql(insert)),
            Proof::can("makes and drops a role", vec![Call::sql(makes_role), Call::sql("DROP ROLE fluxdb_proof")]),
            Proof::can(
                "makes and drops a keyspace",
                vec![Call::sql(keyspace), Call::sql("DROP KEYSPACE fluxdb_proof")],
            ),
            passwords,
            Proof::cannot("changes fluxdb's password", sql("ALTER ROLE fluxdb WITH PASSWORD = 'x'")),
            Proof::cannot("makes a superuser", sql("CREATE ROLE fluxdb_proof WITH SUPERUSER = true")),
        ],
        Role::Readwrite => vec![
            reads,
            Proof::can("writes a row", sql(insert)),
            Proof::can("makes a table", sql(table)),
            Proof::cannot("drops a table of the owner", sql("DROP TABLE fluxdb_marker")),
            Proof::cannot("makes a keyspace", sql(&keyspace)),
            Proof::cannot("makes a role", sql(makes_role)),
            passwords,
        ],
        Role::Read | Role::Backup => vec![
            reads,
            Proof::can("reads the schema", sql("SELECT table_name FROM system_schema.tables")),
            Proof::cannot("writes a row", sql(insert)),
            Proof::cannot("makes a table", sql("CREATE TABLE fluxdb_proof_read (i int PRIMARY KEY)")),
            Proof::cannot("makes a role", sql(makes_role)),
            passwords,
        ],
    }
}

const REPLICATION: &str = "{'class': 'SimpleStrategy', 'replication_factor': 1}";

impl Users for Cassandra {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        put(account, role, databases)
    }

    /// Tables have no owner, so nothing must be given to anybody.
    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![Call::sql(format!("DROP ROLE IF EXISTS {}", pg_ident(username)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT role FROM system_auth.roles")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        names(answers)
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        proofs(role, REPLICATION, "system_auth.roles")
    }
}

impl Databases for Cassandra {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        create_keyspace(cx, name, REPLICATION)
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![Call::sql(format!("DROP KEYSPACE IF EXISTS {}", pg_ident(name)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT keyspace_name FROM system_schema.keyspaces")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        keyspaces(answers)
    }
}
