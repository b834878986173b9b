//! Databases inside PostgreSQL.

use super::{AT_ONCE, Postgresql, THERE, major};
use crate::quote::pg_ident;
use crate::{Answer, Call, Cx, Databases};

impl Postgresql {
    /// It is the tenant's only when everything that the system account runs in it has been run.
    pub(super) fn create_database(&self, cx: &Cx, name: &str) -> Vec<Call> {
        let (database, owner) = (pg_ident(name), pg_ident(&cx.user.username));
        let mut calls = vec![
            // FILE_COPY and WAL_LOG cost about the same for an empty database. 55006 = somebody else copies the template.
            Call::sql(format!("CREATE DATABASE {database}")).tolerating(THERE).not_yet(&["55006"]),
            Call::sql(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC")).not_yet(AT_ONCE),
        ];
        if major(cx.version.id) < 15 {
            // As it is since 15: nobody but the owner makes anything in it, and the owner everything.
            calls.push(
                Call::sql(format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO {owner}"))
                    .in_database(name)
                    .not_yet(AT_ONCE),
            );
        }
        calls.extend(self.extension.map(|extension| Call::sql(extend(extension)).in_database(name)));
        calls.push(Call::sql(format!("ALTER DATABASE {database} OWNER TO {owner}")).not_yet(AT_ONCE));
        calls
    }
}

/// TimescaleDB's identifier of a database, which a copy would share with its template.
const OWN_UUID: &str = "IF to_regclass('_timescaledb_catalog.metadata') IS NOT NULL THEN \
     UPDATE _timescaledb_catalog.metadata SET value = gen_random_uuid()::text WHERE key = 'uuid'; \
     UPDATE _timescaledb_catalog.metadata SET value = now()::text WHERE key = 'install_timestamp'; END IF;";

/// Gives the database the session is in an identifier of its own.
pub(super) fn fresh_uuid() -> Call {
    Call::sql(block(OWN_UUID))
}

fn block(body: &str) -> String {
    format!("DO $fluxdb$ BEGIN {body} END $fluxdb$")
}

/// Makes the extension in a database that still is the system account's. A script that runs as superuser where somebody else
/// could have put functions and operators may run those; that somebody may make the (trusted) extension himself.
fn extend(extension: &str) -> String {
    block(&format!(
        "IF EXISTS (SELECT FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
         WHERE d.datname = current_database() AND r.rolname = current_user) \
         THEN EXECUTE 'CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public'; {OWN_UUID} END IF;"
    ))
}

impl Databases for Postgresql {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        let mut calls = vec![self.defend(cx)];
        calls.extend(self.create_database(cx, name));
        calls
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        // FORCE ends the sessions that are in it.
        vec![Call::sql(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", pg_ident(name)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).filter(|n| n != "postgres").collect()
    }
}
