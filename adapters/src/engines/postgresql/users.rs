//! Roles inside PostgreSQL.

use super::grants::{disarm, grants, take_back};
use super::{AT_ONCE, Postgresql, administrator, makes_roles, password_call};
use crate::quote::pg_ident;
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

impl Users for Postgresql {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let user = pg_ident(&account.username);
        let attributes = match role {
            Role::Superuser => administrator(cx.version.id),
            Role::Readwrite | Role::Read => "LOGIN NOCREATEDB NOCREATEROLE",
            // pg_dump stops at tables with row security otherwise.
            Role::Backup => "LOGIN NOCREATEDB NOCREATEROLE BYPASSRLS",
        };
        let mut calls = vec![
            self.defend(cx),
            Call::sql(format!("CREATE ROLE {user} LOGIN")).tolerating(&["42710"]),
            Call::sql(format!("ALTER ROLE {user} NOCREATEDB NOCREATEROLE NOBYPASSRLS")),
            Call::sql(format!("ALTER ROLE {user} {attributes}")),
            password_call(account),
            take_back(cx, &account.username),
        ];
        if role == Role::Superuser {
            calls.push(Call::sql(format!("GRANT pg_monitor, pg_signal_backend TO {user}")).not_yet(AT_ONCE));
            if makes_roles(cx.version.id) {
                // Its rights, without becoming it: who may do that changes its password.
                let owner = pg_ident(&cx.user.username);
                calls.push(Call::sql(format!("GRANT {owner} TO {user} WITH INHERIT TRUE, SET FALSE")).not_yet(AT_ONCE));
            }
        }
        for database in databases {
            calls.extend(grants(cx, &account.username, role, database));
        }
        calls
    }

    fn drop(&self, cx: &Cx, username: &str, databases: &[String]) -> Vec<Call> {
        let (user, owner) = (pg_ident(username), pg_ident(&cx.user.username));
        // 42704 = no such role.
        let mut calls = vec![self.defend(cx)];
        for database in databases {
            calls.push(disarm(cx, username, database));
            calls.extend(
                [format!("REASSIGN OWNED BY {user} TO {owner}"), format!("DROP OWNED BY {user}")]
                    .map(|text| Call::sql(text).in_database(database).tolerating(&["42704"])),
            );
        }
        calls.push(Call::sql(format!("DROP ROLE IF EXISTS {user}")));
        calls
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY rolname")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).collect()
    }

    fn proofs(&self, cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let sql = |text: &str| vec![Call::sql(text)];
        let reads = Proof::can("reads a table", sql("SELECT count(*) FROM fluxdb_marker"));
        let insert = "INSERT INTO fluxdb_marker (value) VALUES (md5(random()::text))";
        let makes_user = "CREATE ROLE fluxdb_proof_role";
        let makes_database = "CREATE DATABASE fluxdb_proof_database";
        match role {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a row", sql(insert)),
                if makes_roles(cx.version.id) {
                    let drop = Call::sql("DROP ROLE fluxdb_proof_role");
                    Proof::can("makes and drops a role", vec![Call::sql(makes_user), drop])
                } else {
                    Proof::cannot("makes a role", sql(makes_user))
                },
                Proof::can(
                    "makes and drops a database",
                    vec![Call::sql(makes_database), Call::sql("DROP DATABASE fluxdb_proof_database")],
                ),
                Proof::cannot("runs programs", sql("COPY (SELECT 1) TO PROGRAM 'true'")),
                Proof::cannot("reads files of the server", sql("SELECT pg_read_file('/etc/hostname')")),
            ],
            Role::Readwrite => vec![
                reads,
                Proof::can("writes a row", sql(insert)),
                Proof::can(
                    "makes and drops a table",
                    vec![Call::sql("CREATE TABLE fluxdb_proof (i int)"), Call::sql("DROP TABLE fluxdb_proof")],
                ),
                Proof::cannot("drops a table of the owner", sql("DROP TABLE fluxdb_marker")),
                Proof::cannot("makes a role", sql(makes_user)),
                Proof::cannot("makes a database", sql(makes_database)),
            ],
            Role::Read => vec![
                reads,
                Proof::cannot("writes a row", sql(insert)),
                Proof::cannot("makes a table", sql("CREATE TABLE fluxdb_proof (i int)")),
                Proof::cannot("makes a role", sql(makes_user)),
            ],
            Role::Backup => vec![
                reads,
                Proof::can(
                    "locks a table as pg_dump does",
                    sql("BEGIN; LOCK TABLE fluxdb_marker IN ACCESS SHARE MODE; COMMIT"),
                ),
                Proof::cannot("writes a row", sql(insert)),
                Proof::cannot("makes a table", sql("CREATE TABLE fluxdb_proof (i int)")),
                Proof::cannot("makes a database", sql(makes_database)),
            ],
        }
    }
}
