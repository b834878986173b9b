//! Users inside CockroachDB. Nobody but fluxdb is a member of `admin`, which may do everything, also to the cluster.

use super::{Cockroachdb, OWN_USERS, password_call};
use crate::quote::pg_ident;
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// Role options of the user's account: may make databases and look after running queries. Not users: CREATEROLE changes the
/// password of everybody who is no admin, and gives away every role but admin (the documentation's "CREATE ROLE").
pub(super) const ADMINISTRATOR: &str = "CREATEDB NOCREATEROLE NOCREATELOGIN VIEWACTIVITY CANCELQUERY";
const NOTHING: &str = "NOCREATEDB NOCREATEROLE NOCREATELOGIN NOVIEWACTIVITY NOCANCELQUERY";

impl Users for Cockroachdb {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let user = pg_ident(&account.username);
        let options = if role == Role::Superuser { ADMINISTRATOR } else { NOTHING };
        let mut calls = vec![
            Call::sql(format!("CREATE USER IF NOT EXISTS {user}")),
            Call::sql(format!("ALTER USER {user} WITH {options}")),
            password_call(account),
        ];
        calls.extend(databases.iter().flat_map(|database| grants(cx, &user, role, database)));
        calls
    }

    fn drop(&self, cx: &Cx, username: &str, databases: &[String]) -> Vec<Call> {
        let (user, owner) = (pg_ident(username), pg_ident(&cx.user.username));
        // 42704 = no such user. DROP OWNED takes grants back, but not defaults for later tables.
        let mut calls: Vec<Call> = databases
            .iter()
            .flat_map(|database| {
                [
                    format!("REASSIGN OWNED BY {user} TO {owner}"),
                    format!("DROP OWNED BY {user}"),
                    format!(
                        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON TABLES FROM {user}"
                    ),
                    format!(
                        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {user}"
                    ),
                ]
                .map(|text| Call::sql(text).in_database(database).tolerating(&["42704"]))
            })
            .collect();
        calls.push(Call::sql(format!("DROP USER IF EXISTS {user}")));
        calls
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT rolname FROM pg_catalog.pg_roles WHERE rolcanlogin ORDER BY rolname")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).filter(|n| !OWN_USERS.contains(&n.as_str())).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let sql = |text: &str| vec![Call::sql(text)];
        let reads = Proof::can("reads a table", sql("SELECT count(*) FROM fluxdb_marker"));
        let insert = "INSERT INTO fluxdb_marker (value) VALUES (gen_random_uuid()::string)";
        let writes = Proof::can("writes a row", sql(insert));
        let no_write = Proof::cannot("writes a row", sql(insert));
        let no_table = Proof::cannot("makes a table", sql("CREATE TABLE fluxdb_proof (i int)"));
        let no_user = Proof::cannot("makes a user", sql("CREATE USER fluxdb_proof_user"));
        let no_database = Proof::cannot("makes a database", sql("CREATE DATABASE fluxdb_proof_database"));
        match role {
            Role::Superuser => vec![
                reads,
                writes,
                no_user,
                Proof::can(
                    "makes and drops a database",
                    vec![
                        Call::sql("CREATE DATABASE IF NOT EXISTS fluxdb_proof_database"),
                        Call::sql("DROP DATABASE fluxdb_proof_database CASCADE"),
                    ],
                ),
                Proof::cannot("changes the system account", sql("ALTER USER fluxdb WITH NOLOGIN")),
                Proof::cannot("changes the cluster", sql("SET CLUSTER SETTING server.user_login.timeout = '11s'")),
            ],
            Role::Readwrite => vec![
                reads,
                writes,
                Proof::can(
                    "makes and drops a table",
                    vec![Call::sql("CREATE TABLE fluxdb_proof (i int)"), Call::sql("DROP TABLE fluxdb_proof")],
                ),
                Proof::cannot("drops a table of the owner", sql("DROP TABLE fluxdb_marker")),
                no_user,
                no_database,
            ],
            Role::Read => vec![reads, no_write, no_table, no_user],
            Role::Backup => vec![reads, no_write, no_table, no_database],
        }
    }
}

/// What a role may do in one database, with its present tables and those that the owner makes later.
fn grants(cx: &Cx, user: &str, role: Role, database: &str) -> Vec<Call> {
    let owner = pg_ident(&cx.user.username);
    let (on_database, on_schema, on_tables, on_sequences) = match role {
        Role::Superuser => ("ALL", "ALL", "ALL", "ALL"),
        Role::Readwrite => ("CONNECT", "USAGE, CREATE", "SELECT, INSERT, UPDATE, DELETE", "USAGE, SELECT, UPDATE"),
        Role::Read => ("CONNECT", "USAGE", "SELECT", "SELECT"),
        Role::Backup => ("CONNECT, BACKUP", "USAGE", "SELECT", "SELECT"),
    };
    let name = pg_ident(database);
    let defaults = |what: &str, rights: &str| {
        let by = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public");
        [format!("{by} REVOKE ALL ON {what} FROM {user}"), format!("{by} GRANT {rights} ON {what} TO {user}")]
    };
    let mut texts = vec![
        format!("REVOKE ALL ON DATABASE {name} FROM {user}"),
        format!("GRANT {on_database} ON DATABASE {name} TO {user}"),
        format!("REVOKE ALL ON SCHEMA public FROM {user}"),
        format!("GRANT {on_schema} ON SCHEMA public TO {user}"),
        format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {user}"),
        format!("GRANT {on_tables} ON ALL TABLES IN SCHEMA public TO {user}"),
        format!("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {user}"),
        format!("GRANT {on_sequences} ON ALL SEQUENCES IN SCHEMA public TO {user}"),
    ];
    texts.extend(defaults("TABLES", on_tables));
    texts.extend(defaults("SEQUENCES", on_sequences));
    texts.into_iter().map(|text| Call::sql(text).in_database(database)).collect()
}
