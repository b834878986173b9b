//! Users by SQL, with the hash of a password. The rights are ClickHouse's own; there is no owner of a table.

use super::{Clickhouse, first_column, is_old, query, sha256_hex, statement};
use crate::quote::{clickhouse_ident, mysql_literal};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// In every database, also those to come. What is missing reads files, calls other servers or ends this one.
const SUPERUSER: &str = "SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, BACKUP, KILL QUERY, dictGet, \
                         SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM RELOAD DICTIONARY, SYSTEM FLUSH LOGS";

/// Rights over users, which some versions know for all users only. No quotas: one for everybody would count for fluxdb's
/// own account too, and keep it out.
const SUPERUSER_ACCESS: &str = "CREATE USER, ALTER USER, DROP USER, CREATE ROLE, ALTER ROLE, DROP ROLE, \
                                CREATE ROW POLICY, ALTER ROW POLICY, DROP ROW POLICY, SHOW ACCESS";

/// The server's own tables are for reading, and nobody hides rows of them from fluxdb.
const NOT_IN_SYSTEM: &str = "REVOKE INSERT, ALTER, CREATE, DROP, TRUNCATE, \
                             CREATE ROW POLICY, ALTER ROW POLICY, DROP ROW POLICY ON system.*";

const READWRITE: &str = "SHOW, SELECT, INSERT, ALTER TABLE, ALTER VIEW, CREATE TABLE, CREATE VIEW, CREATE DICTIONARY, \
                         DROP TABLE, DROP VIEW, DROP DICTIONARY, TRUNCATE, OPTIMIZE, dictGet";

/// What a superuser may do, without the name: also for the users file.
pub(super) fn superuser_grants() -> Vec<String> {
    vec![
        format!("GRANT {SUPERUSER} ON *.* WITH GRANT OPTION"),
        format!("GRANT {SUPERUSER_ACCESS} ON *.* WITH GRANT OPTION"),
        NOT_IN_SYSTEM.to_owned(),
    ]
}

fn grants(user: &str, role: Role, databases: &[String]) -> Vec<String> {
    let each = |rights: &str| -> Vec<String> {
        databases.iter().map(|d| format!("GRANT {rights} ON {}.* TO {user}", clickhouse_ident(d))).collect()
    };
    match role {
        Role::Superuser => vec![
            format!("GRANT {SUPERUSER} ON *.* TO {user} WITH GRANT OPTION"),
            format!("GRANT {SUPERUSER_ACCESS} ON *.* TO {user} WITH GRANT OPTION"),
            format!("{NOT_IN_SYSTEM} FROM {user}"),
        ],
        Role::Readwrite => {
            let mut calls = each(READWRITE);
            calls.push(format!("GRANT CREATE TEMPORARY TABLE ON *.* TO {user}"));
            calls
        }
        Role::Read => each("SHOW, SELECT, dictGet"),
        Role::Backup => each("SHOW, SELECT, dictGet, BACKUP"),
    }
}

impl Users for Clickhouse {
    fn not_in(&self) -> &'static [&'static str] {
        &["18.16"] // accounts stand in its file alone
    }

    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        if is_old(cx) {
            // The name of the missing function is what the user gets to read.
            return vec![statement(None, "SELECT clickhouse_18_16_has_no_users_beside_its_file()")];
        }
        let user = clickhouse_ident(&account.username);
        let identified = format!("IDENTIFIED WITH sha256_hash BY '{}' HOST ANY", sha256_hex(account.password.expose()));
        let mut calls = vec![
            statement(None, format!("CREATE USER IF NOT EXISTS {user} {identified}")),
            statement(None, format!("ALTER USER {user} {identified}")),
            statement(None, format!("REVOKE ALL ON *.* FROM {user}")),
        ];
        calls.extend(grants(&user, role, databases).into_iter().map(|text| statement(None, text)));
        calls
    }

    fn drop(&self, cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        if is_old(cx) {
            Vec::new()
        } else {
            vec![statement(None, format!("DROP USER IF EXISTS {}", clickhouse_ident(username)))]
        }
    }

    fn list(&self, cx: &Cx) -> Vec<Call> {
        if is_old(cx) {
            return vec![query(None, &format!("SELECT {} AS name", mysql_literal(&cx.user.username)))];
        }
        vec![query(
            None,
            &format!(
                "SELECT name FROM system.users WHERE name != {} ORDER BY name",
                mysql_literal(&cx.system.username)
            ),
        )]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        first_column(answers)
    }

    fn proofs(&self, cx: &Cx, role: Role, database: &str) -> Vec<Proof> {
        if is_old(cx) {
            return Vec::new();
        }
        let run = |text: &str| vec![statement(Some(database), text)];
        let reads = Proof::can("reads a table", run("SELECT count() FROM fluxdb_marker"));
        let insert = "INSERT INTO fluxdb_marker SELECT toString(generateUUIDv4())";
        let (makes, drops) =
            ("CREATE TABLE fluxdb_proof (i UInt8) ENGINE = MergeTree ORDER BY i", "DROP TABLE fluxdb_proof SYNC");
        let makes_user = "CREATE USER fluxdb_proof_user IDENTIFIED WITH sha256_hash BY \
                          'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'";
        let makes_database = "CREATE DATABASE fluxdb_proof_database";
        let files = Proof::cannot("reads files of the server", run("SELECT * FROM file('fluxdb', 'LineAsString')"));
        match role {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a row", run(insert)),
                Proof::can("makes and drops a user", [run(makes_user), run("DROP USER fluxdb_proof_user")].concat()),
                Proof::can(
                    "makes and drops a database",
                    [run(makes_database), run("DROP DATABASE fluxdb_proof_database SYNC")].concat(),
                ),
                Proof::cannot("ends the server", run("SYSTEM SHUTDOWN")),
                Proof::cannot(
                    "calls other servers",
                    run("SELECT * FROM url('http://127.0.0.1:8123/', 'LineAsString')"),
                ),
                files,
            ],
            Role::Readwrite => vec![
                reads,
                Proof::can("writes a row", run(insert)),
                Proof::can("makes and drops a table", [run(makes), run(drops)].concat()),
                Proof::cannot("makes a user", run(makes_user)),
                Proof::cannot("makes a database", run(makes_database)),
                files,
            ],
            Role::Read => vec![
                reads,
                Proof::cannot("writes a row", run(insert)),
                Proof::cannot("makes a table", run(makes)),
                Proof::cannot("makes a user", run(makes_user)),
            ],
            Role::Backup => vec![
                reads,
                Proof::can("sees how a table was made", run("SHOW CREATE TABLE fluxdb_marker")),
                Proof::cannot("writes a row", run(insert)),
                Proof::cannot("makes a database", run(makes_database)),
            ],
        }
    }
}
