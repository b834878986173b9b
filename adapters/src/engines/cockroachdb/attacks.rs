//! Known ways from an ordinary account of CockroachDB to `admin`, to the cluster, or to files and other servers. From the
//! documentation; not yet run.

use crate::quote::{pg_ident, pg_literal};
use crate::{Attack, Call, Cx};

fn each(what: &'static str, texts: &[String]) -> Vec<Attack> {
    texts.iter().map(|text| Attack::new(what, vec![Call::sql(text.as_str())])).collect()
}

pub(super) fn attacks(cx: &Cx) -> Vec<Attack> {
    let (system, name) = (pg_ident(&cx.system.username), pg_literal(&cx.user.username));
    let mut all = each(
        "becomes more than its role",
        &[
            "GRANT admin TO CURRENT_USER".into(),
            format!("GRANT {system} TO CURRENT_USER"),
            format!("SET ROLE {system}"),
            "SET ROLE root".into(),
            "ALTER ROLE CURRENT_USER WITH CREATEROLE".into(),
            "ALTER ROLE CURRENT_USER WITH MODIFYCLUSTERSETTING".into(),
            "GRANT SYSTEM MODIFYCLUSTERSETTING TO CURRENT_USER".into(),
            "CREATE USER fluxdb_attack".into(),
            "UPSERT INTO system.role_members (\"role\", \"member\", \"isAdmin\") VALUES ('admin', current_user, true)"
                .into(),
            "SELECT \"hashedPassword\" FROM system.users".into(),
            format!("UPDATE system.users SET \"hashedPassword\" = '' WHERE username = {name}"),
        ],
    );
    all.extend(each(
        "changes fluxdb's account",
        &[
            format!("ALTER USER {system} WITH PASSWORD 'fluxdb-attack'"),
            format!("ALTER USER {system} WITH NOLOGIN"),
            format!("ALTER USER {system} VALID UNTIL '2000-01-01'"),
            format!("ALTER ROLE {system} SET default_transaction_read_only = on"),
            "ALTER ROLE ALL SET statement_timeout = '1ms'".into(),
            format!("DROP USER {system}"),
            "REVOKE admin FROM root".into(),
        ],
    ));
    all.extend(each(
        "changes the cluster",
        &[
            "SET CLUSTER SETTING server.user_login.timeout = '11s'".into(),
            "SET CLUSTER SETTING server.max_connections_per_gateway = 0".into(),
            "ALTER RANGE default CONFIGURE ZONE USING gc.ttlseconds = 1".into(),
            "SELECT crdb_internal.force_panic('fluxdb')".into(),
            "DROP DATABASE system CASCADE".into(),
        ],
    ));
    all.extend(each(
        "reaches files or other servers",
        &[
            "CREATE EXTERNAL CONNECTION fluxdb_attack AS 'nodelocal://1/x'".into(),
            "BACKUP INTO 'nodelocal://1/fluxdb'".into(),
            "BACKUP INTO 'http://127.0.0.1:1/fluxdb'".into(),
            "IMPORT INTO fluxdb_marker (value) CSV DATA ('nodelocal://1/x')".into(),
            "IMPORT INTO fluxdb_marker (value) CSV DATA ('http://127.0.0.1:1/x')".into(),
            "CREATE CHANGEFEED FOR fluxdb_marker INTO 'http://127.0.0.1:1'".into(),
        ],
    ));
    all
}
