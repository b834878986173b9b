//! Known ways from an ordinary login of SQL Server to sysadmin, to files and programs, or to other servers. From the
//! documentation; not yet run.

use super::literal;
use crate::{Answer, Attack, Call, Cx, FILES_DIR, SYSTEM_PASSWORD_FILE};

fn each(what: &'static str, texts: &[String]) -> Vec<Attack> {
    texts.iter().map(|text| Attack::new(what, vec![Call::sql(text.as_str())])).collect()
}

fn is_sysadmin(answers: &[Answer]) -> bool {
    answers.last().and_then(Answer::first).is_some_and(|v| v == "1")
}

pub(super) fn attacks(cx: &Cx) -> Vec<Attack> {
    let secret = literal(&format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}"));
    let mut all = vec![trap(cx)];
    all.extend(each(
        "becomes sysadmin or another login",
        &[
            "DECLARE @s nvarchar(400) = N'ALTER SERVER ROLE sysadmin ADD MEMBER ' + QUOTENAME(SUSER_SNAME()); EXEC (@s)".into(),
            "EXECUTE AS LOGIN = N'sa'".into(),
            "ALTER LOGIN sa WITH PASSWORD = N'fluxdb-Attack-1'".into(),
            "ALTER LOGIN sa DISABLE".into(),
            "CREATE LOGIN fluxdb_attack WITH PASSWORD = N'fluxdb-Attack-1', CHECK_POLICY = OFF".into(),
            "DECLARE @s nvarchar(400) = N'GRANT CONTROL SERVER TO ' + QUOTENAME(SUSER_SNAME()); EXEC (@s)".into(),
            "DECLARE @s nvarchar(400) = N'ALTER DATABASE ' + QUOTENAME(DB_NAME()) + N' SET TRUSTWORTHY ON'; EXEC (@s)".into(),
            "DECLARE @s nvarchar(400) = N'ALTER AUTHORIZATION ON DATABASE::' + QUOTENAME(DB_NAME()) + N' TO sa'; EXEC (@s)".into(),
            "SELECT password_hash FROM sys.sql_logins WHERE name = N'sa' AND password_hash IS NOT NULL; \
             IF @@ROWCOUNT = 0 RAISERROR (N'hidden', 16, 1)"
                .into(),
        ],
    ));
    all.extend(each(
        "reaches files, programs or other servers",
        &[
            "EXEC master.sys.xp_cmdshell 'true'".into(),
            format!("SELECT BulkColumn FROM OPENROWSET(BULK {secret}, SINGLE_CLOB) f"),
            "SELECT * FROM OPENROWSET('MSOLEDBSQL', 'Server=127.0.0.1;UID=sa;PWD=x', 'SELECT 1')".into(),
            "EXEC master.dbo.sp_addlinkedserver N'fluxdb_attack'".into(),
            "CREATE ASSEMBLY fluxdb_attack FROM 0x4D5A WITH PERMISSION_SET = UNSAFE".into(),
            "CREATE SERVER AUDIT fluxdb_attack TO FILE (FILEPATH = N'/tmp')".into(),
            "CREATE EVENT SESSION fluxdb_attack ON SERVER ADD EVENT sqlserver.sql_batch_completed".into(),
            "EXEC sp_configure N'show advanced options', 1; RECONFIGURE".into(),
            "CREATE TRIGGER fluxdb_attack ON ALL SERVER FOR LOGON AS ROLLBACK".into(),
            "SHUTDOWN WITH NOWAIT".into(),
            "DBCC TRACEON (1, -1)".into(),
        ],
    ));
    all
}

/// A trigger that fires when fluxdb puts or drops a user in the tenant's database.
fn trap(cx: &Cx) -> Attack {
    let user = super::ident(&cx.user.username).replace('\'', "''");
    let text = format!(
        "CREATE OR ALTER TRIGGER fluxdb_attack ON DATABASE FOR DDL_DATABASE_LEVEL_EVENTS AS \
         IF IS_SRVROLEMEMBER('sysadmin') = 1 EXEC (N'ALTER SERVER ROLE sysadmin ADD MEMBER {user}')"
    );
    Attack::new("had a trigger run as sa", vec![Call::sql("SELECT CAST(IS_SRVROLEMEMBER('sysadmin') AS nvarchar(1))")])
        .prepared(vec![Call::sql(text)])
        .after_restart()
        .gained_when(is_sysadmin)
}
