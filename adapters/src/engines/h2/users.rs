//! Users of H2. Names are upper case inside the server whatever a client writes, hence the quoted upper case here.

use super::H2;
use crate::quote::{pg_ident, sql_literal};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// Rights beyond those on the schema `public`. To make tables, H2 knows one right only, and it counts for every schema.
const MAKES_TABLES: &str = "ALTER ANY SCHEMA";
const WRITES: &str = "SELECT, INSERT, UPDATE, DELETE ON SCHEMA public";
const READS: &str = "SELECT ON SCHEMA public";

/// What the user's own account is granted; also the role `readwrite`.
pub(super) const OWNER: &[&str] = &[WRITES, MAKES_TABLES];

fn ident(username: &str) -> String {
    pg_ident(&username.to_ascii_uppercase())
}

/// The server hashes it.
pub(super) fn password_call(account: &Account) -> Call {
    Call::sql(format!(
        "ALTER USER {} SET PASSWORD {}",
        ident(&account.username),
        sql_literal(account.password.expose())
    ))
}

pub(super) fn put(account: &Account, rights: &[&str]) -> Vec<Call> {
    let user = ident(&account.username);
    let mut calls = vec![
        Call::sql(format!("CREATE USER IF NOT EXISTS {user} PASSWORD {}", sql_literal(account.password.expose()))),
        password_call(account),
    ];
    calls.extend([MAKES_TABLES, WRITES].map(|right| Call::sql(format!("REVOKE {right} FROM {user}"))));
    calls.extend(rights.iter().map(|right| Call::sql(format!("GRANT {right} TO {user}"))));
    calls
}

impl Users for H2 {
    fn role(&self, role: Role) -> Result<(), &'static str> {
        match role {
            Role::Readwrite | Role::Read => Ok(()),
            Role::Superuser => {
                Err("an administrator of H2 runs Java code and reads files inside the server, so no user is one")
            }
            Role::Backup => Err("only an administrator of H2 may run SCRIPT or BACKUP, and no user is one"),
        }
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, _databases: &[String]) -> Vec<Call> {
        match role {
            Role::Readwrite => put(account, OWNER),
            Role::Read => put(account, &[READS]),
            Role::Superuser | Role::Backup => Vec::new(),
        }
    }

    /// Tables have no owner; a schema that the user made keeps it from being dropped (90107) until the schema is dropped.
    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![Call::sql(format!("DROP USER IF EXISTS {}", ident(username)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT lower(user_name) FROM information_schema.users WHERE NOT is_admin ORDER BY user_name")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let sql = |text: &str| vec![Call::sql(text)];
        let reads = Proof::can("reads a table", sql("SELECT count(*) FROM fluxdb_marker"));
        let insert = "INSERT INTO fluxdb_marker (word) VALUES (CAST(random_uuid() AS varchar))";
        let closed = [
            Proof::cannot("makes a user", sql("CREATE USER fluxdb_proof PASSWORD 'x'")),
            Proof::cannot("reads files of the server", sql("SELECT file_read('/etc/hostname')")),
            Proof::cannot("runs Java code", sql("CREATE ALIAS fluxdb_proof FOR 'java.lang.System.getProperty'")),
            Proof::cannot("dumps the database", sql("SCRIPT")),
        ];
        let mut proofs = match role {
            Role::Readwrite => vec![
                reads,
                Proof::can("writes a row", sql(insert)),
                Proof::can(
                    "makes and drops a table",
                    vec![Call::sql("CREATE TABLE fluxdb_proof (i int)"), Call::sql("DROP TABLE fluxdb_proof")],
                ),
            ],
            Role::Read => vec![
                reads,
                Proof::cannot("writes a row", sql(insert)),
                Proof::cannot("makes a table", sql("CREATE TABLE fluxdb_proof (i int)")),
                Proof::cannot("drops a table", sql("DROP TABLE fluxdb_marker")),
            ],
            Role::Superuser | Role::Backup => return Vec::new(),
        };
        proofs.extend(closed);
        proofs
    }
}
