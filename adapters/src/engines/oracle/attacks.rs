//! Known ways from an ordinary account of Oracle to SYSTEM, to files and programs, or to other servers. From the documentation;
//! not yet run.

use super::{block, ident, sql};
use crate::{Attack, Cx};

pub(super) fn attacks(cx: &Cx) -> Vec<Attack> {
    let system = ident(&cx.system.username);
    let statements = [
        format!("ALTER USER {system} IDENTIFIED BY \"fluxdbAttack1\""),
        format!("ALTER USER {system} ACCOUNT LOCK"),
        format!("CREATE TABLE {system}.dba_users (username varchar2(128))"),
        format!("CREATE TABLE {system}.fluxdb_attack (i int)"),
        "GRANT DBA TO PUBLIC".into(),
        "SET ROLE DBA".into(),
        "ALTER USER PDBADMIN IDENTIFIED BY \"fluxdbAttack1\" ACCOUNT UNLOCK".into(),
        "CREATE USER fluxdb_attack NO AUTHENTICATION".into(),
        "SELECT password FROM sys.user$".into(),
        "ALTER SESSION SET CONTAINER = CDB$ROOT".into(),
        "CREATE DIRECTORY fluxdb_attack AS '/etc'".into(),
        "CREATE LIBRARY fluxdb_attack AS '/lib/libc.so.6'".into(),
        "CREATE DATABASE LINK fluxdb_attack CONNECT TO x IDENTIFIED BY x USING '127.0.0.1/x'".into(),
        "CREATE PUBLIC SYNONYM fluxdb_attack FOR dual".into(),
        "ALTER SYSTEM SET open_cursors = 100".into(),
    ];
    let mut all: Vec<Attack> =
        statements.map(|text| Attack::new("reaches what is the server's", vec![sql(text)])).into();
    all.extend(
        [
            "DECLARE f utl_file.file_type; BEGIN f := utl_file.fopen('/etc', 'hostname', 'r'); END;",
            "DECLARE r varchar2(4000); BEGIN r := utl_http.request('http://127.0.0.1:1/'); END;",
            "CREATE TRIGGER fluxdb_attack BEFORE DDL ON DATABASE BEGIN NULL; END;",
            "BEGIN dbms_scheduler.create_job('fluxdb_attack', 'EXECUTABLE', '/bin/true', enabled => TRUE); END;",
        ]
        .map(|text| Attack::new("reaches files, programs, other servers or others' statements", vec![block(text)])),
    );
    all
}
