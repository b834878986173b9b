//! Users of Oracle, local to each pluggable database; a user is also the schema of its tables.

use super::{Oracle, block, ident, lines, literal, password, sql};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// Not DBA, nor anything with ANY outside of one schema: who makes tables and indexes in SYSTEM's schema has them used by SYSTEM,
/// who alters users takes any account of the database, and who makes directories reads and writes files of the server.
const ADMINISTRATOR: &str = "CREATE SESSION, ALTER SESSION, UNLIMITED TABLESPACE, CREATE TABLE, CREATE VIEW, CREATE SEQUENCE, \
     CREATE PROCEDURE, CREATE TRIGGER, CREATE TYPE, CREATE SYNONYM, CREATE MATERIALIZED VIEW";
/// What role superuser has in the schema of the user's account.
const IN_SCHEMA: [&str; 11] = [
    "CREATE ANY TABLE",
    "ALTER ANY TABLE",
    "DROP ANY TABLE",
    "CREATE ANY INDEX",
    "ALTER ANY INDEX",
    "DROP ANY INDEX",
    "SELECT ANY TABLE",
    "INSERT ANY TABLE",
    "UPDATE ANY TABLE",
    "DELETE ANY TABLE",
    "SELECT ANY SEQUENCE",
];
/// What earlier releases of fluxdb gave, and nobody has any more.
const NO_MORE: &str = "'CREATE USER', 'ALTER USER', 'DROP USER', 'CREATE ROLE', 'CREATE ANY TABLE', 'ALTER ANY TABLE', \
     'DROP ANY TABLE', 'CREATE ANY INDEX', 'ALTER ANY INDEX', 'DROP ANY INDEX', 'SELECT ANY TABLE', 'INSERT ANY TABLE', \
     'UPDATE ANY TABLE', 'DELETE ANY TABLE'";
const OWN_SCHEMA: &str =
    "CREATE TABLE, CREATE VIEW, CREATE SEQUENCE, CREATE PROCEDURE, CREATE TRIGGER, CREATE TYPE, CREATE SYNONYM";

/// Makes the user in one database or brings it to this password.
pub(super) fn make(account: &Account, database: &str) -> Vec<Call> {
    let (user, password) = (ident(&account.username), password(&account.password));
    [
        format!("CREATE USER IF NOT EXISTS {user} IDENTIFIED BY {password}"),
        format!("ALTER USER {user} IDENTIFIED BY {password} ACCOUNT UNLOCK"),
    ]
    .map(|text| sql(text).in_database(database))
    .into()
}

/// What the user's account has.
pub(super) fn owner(username: &str, database: &str) -> Vec<Call> {
    let user = ident(username);
    [
        format!("GRANT {ADMINISTRATOR} TO {user}"),
        format!("GRANT SELECT_CATALOG_ROLE TO {user}"),
        format!("ALTER USER {user} DEFAULT TABLESPACE USERS"),
    ]
    .map(|text| sql(text).in_database(database))
    .into()
}

/// Takes from the user's account what it had by an earlier release.
fn defend(username: &str, database: &str) -> Call {
    let name = literal(&username.to_uppercase());
    block(&format!(
        "BEGIN FOR r IN (SELECT privilege p FROM sys.dba_sys_privs WHERE grantee = {name} AND privilege IN ({NO_MORE})) \
         LOOP EXECUTE IMMEDIATE 'REVOKE ' || r.p || ' FROM ' || sys.dbms_assert.enquote_name({name}, FALSE); END LOOP; END;"
    ))
    .in_database(database)
}

/// Takes every privilege and role back.
fn take_back(username: &str, database: &str) -> Call {
    let name = literal(&username.to_uppercase());
    block(&format!(
        "DECLARE u VARCHAR2(130) := SYS.DBMS_ASSERT.ENQUOTE_NAME({name}, FALSE); BEGIN \
         FOR r IN (SELECT privilege p FROM sys.dba_sys_privs WHERE grantee = {name} \
                   UNION ALL SELECT '\"' || granted_role || '\"' FROM sys.dba_role_privs WHERE grantee = {name} \
                   UNION ALL SELECT privilege || ' ON SCHEMA \"' || schema || '\"' FROM sys.dba_schema_privs WHERE grantee = {name}) \
         LOOP EXECUTE IMMEDIATE 'REVOKE ' || r.p || ' FROM ' || u; END LOOP; END;"
    ))
    .in_database(database)
}

impl Users for Oracle {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let (user, schema) = (ident(&account.username), ident(&cx.user.username));
        let mut calls = Vec::new();
        for database in databases {
            calls.push(defend(&cx.user.username, database));
            calls.extend(make(account, database));
            calls.push(take_back(&account.username, database));
            let on_schema = |rights: &str| format!("GRANT {rights} ON SCHEMA {schema} TO {user}");
            let texts = match role {
                Role::Superuser => {
                    calls.extend(owner(&account.username, database));
                    IN_SCHEMA.iter().map(|right| on_schema(right)).collect()
                }
                Role::Readwrite => vec![
                    format!("GRANT CREATE SESSION, {OWN_SCHEMA} TO {user}"),
                    format!("ALTER USER {user} DEFAULT TABLESPACE USERS QUOTA UNLIMITED ON USERS"),
                    on_schema("SELECT ANY TABLE"),
                    on_schema("INSERT ANY TABLE"),
                    on_schema("UPDATE ANY TABLE"),
                    on_schema("DELETE ANY TABLE"),
                    on_schema("SELECT ANY SEQUENCE"),
                ],
                Role::Read => vec![format!("GRANT CREATE SESSION TO {user}"), on_schema("READ ANY TABLE")],
                // What expdp needs to write out everything; its files go where the server's directories point.
                Role::Backup => vec![format!("GRANT CREATE SESSION, DATAPUMP_EXP_FULL_DATABASE TO {user}")],
            };
            calls.extend(texts.into_iter().map(|text| sql(text).in_database(database)));
        }
        calls
    }

    fn drop(&self, _cx: &Cx, username: &str, databases: &[String]) -> Vec<Call> {
        // Tables are in the user's schema and cannot be given away: they go with it. ORA-01940: sessions end first.
        let name = literal(&username.to_uppercase());
        let sessions = format!(
            "BEGIN FOR s IN (SELECT sid, serial# n FROM sys.v_$session WHERE username = {name}) LOOP \
             EXECUTE IMMEDIATE 'ALTER SYSTEM KILL SESSION ''' || s.sid || ',' || s.n || ''' IMMEDIATE'; END LOOP; END;"
        );
        databases
            .iter()
            .flat_map(|database| {
                [
                    block(&sessions).in_database(database),
                    sql(format!("DROP USER IF EXISTS {} CASCADE", ident(username))).in_database(database),
                ]
            })
            .collect()
    }

    fn list(&self, cx: &Cx) -> Vec<Call> {
        let call = sql("SELECT username FROM sys.dba_users WHERE oracle_maintained = 'N' ORDER BY username");
        vec![call.in_database(cx.database.as_deref().unwrap_or("FREEPDB1"))]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        lines(answers).filter(|n| n != "PDBADMIN" && n != "OPS$ORACLE").collect()
    }

    fn proofs(&self, cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let table = format!("{}.fluxdb_marker", ident(&cx.user.username));
        let one = |text: String| vec![sql(text)];
        let reads = Proof::can("reads a table", one(format!("SELECT count(*) FROM {table}")));
        let insert = format!("INSERT INTO {table} (value) VALUES (rawtohex(sys_guid()))");
        let writes = Proof::can("writes a row", one(insert.clone()));
        let no_write = Proof::cannot("writes a row", one(insert));
        let own = "fluxdb_proof";
        let makes_table = Proof::can(
            "makes and drops a table",
            vec![sql(format!("CREATE TABLE {own} (i int)")), sql(format!("DROP TABLE {own} PURGE"))],
        );
        let no_drop = Proof::cannot("drops a table of the owner", one(format!("DROP TABLE {table}")));
        let no_user = Proof::cannot("makes a user", one("CREATE USER fluxdb_proof_user NO AUTHENTICATION".into()));
        let no_files =
            Proof::cannot("reaches files of the server", one("CREATE DIRECTORY fluxdb_proof_dir AS '/etc'".into()));
        match role {
            Role::Superuser => vec![
                reads,
                writes,
                makes_table,
                no_user,
                Proof::cannot("changes the system account", one("ALTER USER system ACCOUNT UNLOCK".into())),
                no_files,
            ],
            Role::Readwrite => vec![reads, writes, makes_table, no_drop, no_user, no_files],
            Role::Read => vec![
                reads,
                no_write,
                Proof::cannot("makes a table", one(format!("CREATE TABLE {own} (i int)"))),
                no_user,
            ],
            Role::Backup => vec![reads, no_write, no_drop, no_user],
        }
    }
}
