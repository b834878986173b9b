//! Logins of SQL Server and what they are in databases. Nobody but sa is a sysadmin, who may do everything.

use super::{Mssql, OWN_USERS, ident, literal, make_login, password_call};
use crate::{Account, Answer, Call, Cx, Proof, Role, Users};

/// What someone who looks after the server may do: databases, and looking. Not logins: who may alter any login sets the
/// password of every one that is no sysadmin's.
pub(super) const ADMINISTRATOR: &str = "CREATE ANY DATABASE, VIEW SERVER STATE";
/// With what earlier releases of fluxdb gave.
const EVER: &str = "ALTER ANY LOGIN, CREATE ANY DATABASE, VIEW SERVER STATE";

/// A statement for a tenant's database. A DDL trigger there would run as sa with everything that sa may do (the manual's "DDL
/// Triggers"); as the database's own user `dbo` it is shut into that database. Nobody without the cookie goes back.
pub(super) fn inside(text: &str) -> String {
    format!(
        "DECLARE @fluxdb varbinary(8000); EXECUTE AS USER = N'dbo' WITH COOKIE INTO @fluxdb; {text}; REVERT WITH COOKIE = @fluxdb"
    )
}

/// Statements made by a query, for each row of `from`; `each` is an expression that begins with a text.
fn for_each(each: &str, from: &str) -> String {
    format!("DECLARE @s nvarchar(max) = N''; SELECT @s += {each} FROM {from}; EXEC (@s)")
}

impl Users for Mssql {
    fn role(&self, _role: Role) -> Result<(), &'static str> {
        Ok(())
    }

    fn put(&self, cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        let (user, name) = (ident(&account.username), literal(&account.username));
        let leave = inside(&format!("IF DATABASE_PRINCIPAL_ID({name}) > 4 REVOKE CONNECT FROM {user}"));
        let mut calls = vec![
            make_login(account),
            password_call(account),
            Call::sql(format!("REVOKE {EVER} FROM {user} CASCADE")).in_database("master"),
            Call::sql(format!("REVOKE ALTER ANY LOGIN FROM {} CASCADE", ident(&cx.user.username)))
                .in_database("master"),
            // No way into any database; those that count come below.
            Call::sql(for_each(
                &format!(
                    "N'EXEC ' + QUOTENAME(name) + N'.sys.sp_executesql ' + {}",
                    literal(&format!("{}; ", literal(&leave)))
                ),
                "sys.databases WHERE database_id > 4 AND state = 0",
            )),
        ];
        if role == Role::Superuser {
            calls.push(Call::sql(format!("GRANT {ADMINISTRATOR} TO {user}")).in_database("master"));
        }
        for database in databases {
            calls
                .extend(membership(&account.username, role).map(|text| Call::sql(inside(&text)).in_database(database)));
        }
        calls
    }

    fn drop(&self, cx: &Cx, username: &str, databases: &[String]) -> Vec<Call> {
        let (user, name) = (ident(username), literal(username));
        let owner = literal(&cx.user.username);
        let mut calls: Vec<Call> = databases
            .iter()
            .flat_map(|database| {
                [
                    for_each(
                        "N'ALTER AUTHORIZATION ON SCHEMA::' + QUOTENAME(name) + N' TO dbo; '",
                        &format!("sys.schemas WHERE principal_id = DATABASE_PRINCIPAL_ID({name}) AND schema_id > 4"),
                    ),
                    format!("DROP USER IF EXISTS {user}"),
                ]
                .map(|text| Call::sql(inside(&text)).in_database(database))
            })
            .collect();
        calls.extend([
            // Databases that it owns go to the user's account; its sessions end, or it could not be dropped.
            Call::sql(for_each(
                &format!(
                    "N'ALTER AUTHORIZATION ON DATABASE::' + QUOTENAME(name) + N' TO ' + QUOTENAME({owner}) + N'; '"
                ),
                &format!("sys.databases WHERE owner_sid = SUSER_SID({name})"),
            )),
            Call::sql(for_each(
                "N'KILL ' + CAST(session_id AS nvarchar(11)) + N'; '",
                &format!("sys.dm_exec_sessions WHERE login_name = {name} AND session_id <> @@SPID"),
            )),
            Call::sql(format!("IF SUSER_ID({name}) IS NOT NULL DROP LOGIN {user}")),
        ]);
        calls
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT name FROM sys.sql_logins WHERE name NOT LIKE N'##%' ORDER BY name")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        let own = |name: &String| OWN_USERS.iter().any(|o| o.eq_ignore_ascii_case(name));
        answers.iter().flat_map(Answer::column).filter(|n| !own(n)).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let sql = |text: &str| vec![Call::sql(text)];
        let reads = Proof::can("reads a table", sql("SELECT COUNT(*) FROM dbo.fluxdb_marker"));
        let insert = "INSERT INTO dbo.fluxdb_marker (value) VALUES (CAST(NEWID() AS varchar(64)))";
        let writes = Proof::can("writes a row", sql(insert));
        let no_write = Proof::cannot("writes a row", sql(insert));
        let no_table = Proof::cannot("makes a table", sql("CREATE TABLE dbo.fluxdb_proof (i int)"));
        let makes_table = Proof::can(
            "makes and drops a table",
            vec![Call::sql("CREATE TABLE dbo.fluxdb_proof (i int)"), Call::sql("DROP TABLE dbo.fluxdb_proof")],
        );
        let make_login = "CREATE LOGIN fluxdb_proof_user WITH PASSWORD = N'fluxdb-Proof-1', CHECK_POLICY = OFF";
        let no_login = Proof::cannot("makes a login", sql(make_login));
        let no_database = Proof::cannot("makes a database", sql("CREATE DATABASE fluxdb_proof_database"));
        let no_programs = Proof::cannot("runs programs", sql("EXEC master.sys.xp_cmdshell 'true'"));
        match role {
            Role::Superuser => vec![
                reads,
                writes,
                makes_table,
                no_login,
                Proof::can(
                    "makes and drops a database",
                    vec![
                        Call::sql("CREATE DATABASE fluxdb_proof_database"),
                        Call::sql("DROP DATABASE fluxdb_proof_database"),
                    ],
                ),
                Proof::cannot("changes sa", sql("ALTER LOGIN sa ENABLE")),
                Proof::cannot("changes the server", sql("EXEC sp_configure N'nested triggers', 1")),
                no_programs,
            ],
            Role::Readwrite => vec![reads, writes, makes_table, no_login, no_database, no_programs],
            Role::Read => vec![reads, no_write, no_table, no_login],
            // BACKUP DATABASE needs no right to read.
            Role::Backup => vec![
                Proof::can("makes a checkpoint, as only those who back up may", sql("CHECKPOINT")),
                Proof::cannot("reads a table", sql("SELECT COUNT(*) FROM dbo.fluxdb_marker")),
                no_write,
                no_table,
                no_database,
            ],
        }
    }
}

/// Makes the user in one database, a member of what the role needs and of nothing else.
fn membership(username: &str, role: Role) -> impl Iterator<Item = String> {
    let (user, name) = (ident(username), literal(username));
    let roles: &[&str] = match role {
        Role::Superuser => &["db_owner"],
        Role::Readwrite => &["db_datareader", "db_datawriter", "db_ddladmin"],
        Role::Read => &["db_datareader"],
        Role::Backup => &["db_backupoperator"],
    };
    let leave_roles = for_each(
        "N'ALTER ROLE ' + QUOTENAME(r.name) + N' DROP MEMBER ' + QUOTENAME(u.name) + N'; '",
        &format!(
            "sys.database_role_members m JOIN sys.database_principals r ON r.principal_id = m.role_principal_id \
             JOIN sys.database_principals u ON u.principal_id = m.member_principal_id WHERE u.name = {name}"
        ),
    );
    let mut texts = vec![
        format!("IF DATABASE_PRINCIPAL_ID({name}) IS NULL CREATE USER {user} FOR LOGIN {user}"),
        format!("GRANT CONNECT TO {user}"),
        leave_roles,
    ];
    texts.extend(roles.iter().map(|role| format!("ALTER ROLE {role} ADD MEMBER {user}")));
    texts.into_iter()
}
