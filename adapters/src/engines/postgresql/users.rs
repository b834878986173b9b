//! Roles inside PostgreSQL. `pg_read_all_data` is known since 14.

use super::{Postgresql, USER_ATTRIBUTES, password_call};
use crate::quote::{pg_ident, pg_literal};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

impl Users for Postgresql {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let user = pg_ident(&account.username);
        let old = cx.version.id == "13";
        let attributes = match role {
            Role::Superuser => USER_ATTRIBUTES.to_owned(),
            Role::Readwrite | Role::Read => "LOGIN NOCREATEDB NOCREATEROLE".to_owned(),
            // pg_dump stops at tables with row security otherwise.
            Role::Backup => "LOGIN NOCREATEDB NOCREATEROLE BYPASSRLS".to_owned(),
        };
        let mut calls = vec![
            Call::sql(format!("CREATE ROLE {user} LOGIN")).tolerating(&["42710"]),
            Call::sql(format!("ALTER ROLE {user} NOCREATEDB NOCREATEROLE NOBYPASSRLS")),
            Call::sql(format!("ALTER ROLE {user} {attributes}")),
            password_call(account),
            take_back(&account.username),
        ];
        let all_data = match role {
            Role::Superuser if !old => Some("pg_monitor, pg_signal_backend, pg_read_all_data, pg_write_all_data"),
            Role::Superuser => Some("pg_monitor, pg_signal_backend"),
            Role::Backup if !old => Some("pg_read_all_data"),
            Role::Readwrite | Role::Read | Role::Backup => None,
        };
        calls.extend(all_data.map(|roles| Call::sql(format!("GRANT {roles} TO {user}"))));
        for database in databases {
            calls.extend(grants(cx, &user, role, database));
        }
        calls
    }

    fn drop(&self, cx: &Cx, username: &str, databases: &[String]) -> Vec<Call> {
        let (user, owner) = (pg_ident(username), pg_ident(&cx.user.username));
        // 42704 = no such role.
        let mut calls: Vec<Call> = databases
            .iter()
            .flat_map(|d| {
                [format!("REASSIGN OWNED BY {user} TO {owner}"), format!("DROP OWNED BY {user}")]
                    .map(|text| Call::sql(text).in_database(d).tolerating(&["42704"]))
            })
            .collect();
        calls.push(Call::sql(format!("DROP ROLE IF EXISTS {user}")));
        calls
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY rolname")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let sql = |text: &str| vec![Call::sql(text)];
        let reads = Proof::can("reads a table", sql("SELECT count(*) FROM fluxdb_marker"));
        let insert = "INSERT INTO fluxdb_marker (value) VALUES (md5(random()::text))";
        let makes_user = "CREATE ROLE fluxdb_proof_role";
        let makes_database = "CREATE DATABASE fluxdb_proof_database";
        match role {
            Role::Superuser => vec![
                reads,
                Proof::can("writes a row", sql(insert)),
                Proof::can(
                    "makes and drops a role",
                    vec![Call::sql(makes_user), Call::sql("DROP ROLE fluxdb_proof_role")],
                ),
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

/// Takes back memberships and the right to connect anywhere; whatever else is left in a database cannot be reached then.
fn take_back(username: &str) -> Call {
    let name = pg_literal(username);
    Call::sql(format!(
        "DO $fluxdb$ DECLARE n text; BEGIN \
         FOR n IN SELECT datname FROM pg_database WHERE datallowconn LOOP \
           EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', n, {name}); END LOOP; \
         FOR n IN SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid \
           JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = {name} AND r.rolname LIKE 'pg\\_%' LOOP \
           EXECUTE format('REVOKE %I FROM %I', n, {name}); END LOOP; END $fluxdb$"
    ))
}

/// What a role may do in one database, with its present tables and those that the owner makes later.
fn grants(cx: &Cx, user: &str, role: Role, database: &str) -> Vec<Call> {
    let owner = pg_ident(&cx.user.username);
    let (on_database, on_schema, on_tables, on_sequences) = match role {
        Role::Superuser => ("ALL", "ALL", "ALL", "ALL"),
        Role::Readwrite => ("CONNECT, TEMPORARY", "USAGE, CREATE", "SELECT, INSERT, UPDATE, DELETE", "ALL"),
        Role::Read | Role::Backup => ("CONNECT", "USAGE", "SELECT", "SELECT"),
    };
    let revoke = ["ALL TABLES IN SCHEMA public", "ALL SEQUENCES IN SCHEMA public", "SCHEMA public"]
        .map(|what| Call::sql(format!("REVOKE ALL ON {what} FROM {user}")).in_database(database));
    let defaults = |rights: &str, what: &str| {
        let by = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public");
        [
            Call::sql(format!("{by} REVOKE ALL ON {what} FROM {user}")).in_database(database),
            Call::sql(format!("{by} GRANT {rights} ON {what} TO {user}")).in_database(database),
        ]
    };
    let mut calls = vec![Call::sql(format!("GRANT {on_database} ON DATABASE {} TO {user}", pg_ident(database)))];
    calls.extend(revoke);
    calls.extend([
        Call::sql(format!("GRANT {on_schema} ON SCHEMA public TO {user}")).in_database(database),
        Call::sql(format!("GRANT {on_tables} ON ALL TABLES IN SCHEMA public TO {user}")).in_database(database),
        Call::sql(format!("GRANT {on_sequences} ON ALL SEQUENCES IN SCHEMA public TO {user}")).in_database(database),
    ]);
    calls.extend(defaults(on_tables, "TABLES"));
    calls.extend(defaults(on_sequences, "SEQUENCES"));
    calls
}
