//! What roles may do inside databases. Everything here is run by the system account in databases that tenants own, so each
//! name that is not in `pg_catalog` is spelled out, and nothing that is stored in the database is called.

use super::major;
use crate::quote::{pg_ident, pg_literal};
use crate::{Call, Cx, Role};

/// Schemas of the database that are not the server's own.
const SCHEMAS: &str = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";
/// The same without those of extensions, whose tables are for nobody else to change.
const PLAIN_SCHEMAS: &str = "SELECT nspname FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')";
/// Accounts that fluxdb made: nobody administers them. Those that a tenant made are the tenant's to give away.
const OURS: &str = "SELECT rolname FROM pg_roles r WHERE NOT rolsuper AND rolcanlogin AND rolname !~ '^pg_' \
     AND NOT EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid AND m.admin_option)";
/// Accounts of the role `backup`: nobody else may pass over row security.
const BACKUPS: &str = "SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper";

fn block(declare: &str, body: &str, database: &str) -> Call {
    Call::sql(format!("DO $fluxdb$ DECLARE {declare}; BEGIN {body} END $fluxdb$")).in_database(database)
}

/// Takes back memberships and the right to connect anywhere.
pub(super) fn take_back(cx: &Cx, username: &str) -> Call {
    let (name, owner) = (pg_literal(username), pg_literal(&cx.user.username));
    Call::sql(format!(
        "DO $fluxdb$ DECLARE n text; BEGIN \
         FOR n IN SELECT datname FROM pg_database WHERE datallowconn LOOP \
           EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', n, {name}); END LOOP; \
         FOR n IN SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid \
           JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = {name} \
           AND (r.rolname LIKE 'pg\\_%' OR r.rolname = {owner}) LOOP \
           EXECUTE format('REVOKE %I FROM %I', n, {name}); END LOOP; END $fluxdb$"
    ))
}

/// What a role may do in one database, with its present tables and those that are made later.
pub(super) fn grants(cx: &Cx, username: &str, role: Role, database: &str) -> Vec<Call> {
    let (user, owner) = (pg_ident(username), pg_ident(&cx.user.username));
    let (on_database, on_schema, on_tables, on_sequences) = match role {
        Role::Superuser => ("ALL", "ALL", "ALL", "ALL"),
        Role::Readwrite => ("CONNECT, TEMPORARY", "USAGE, CREATE", "SELECT, INSERT, UPDATE, DELETE", "ALL"),
        Role::Read | Role::Backup => ("CONNECT", "USAGE", "SELECT", "SELECT"),
    };
    let by = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT");
    let mut calls = vec![
        Call::sql(format!("GRANT {on_database} ON DATABASE {} TO {user}", pg_ident(database))),
        empty(username, database),
    ];
    calls.extend(
        [
            format!("GRANT {on_schema} ON SCHEMA public TO {user}"),
            format!("GRANT {on_tables} ON ALL TABLES IN SCHEMA public TO {user}"),
            format!("GRANT {on_sequences} ON ALL SEQUENCES IN SCHEMA public TO {user}"),
            format!("{by} {on_tables} ON TABLES TO {user}"),
            format!("{by} {on_sequences} ON SEQUENCES TO {user}"),
        ]
        .map(|text| Call::sql(text).in_database(database)),
    );
    match role {
        // From 16 on it has the owner's rights by membership.
        Role::Superuser if major(cx.version.id) < 16 => {
            let makers = format!("SELECT {}::text", pg_literal(&cx.user.username));
            calls.push(everywhere(username, PLAIN_SCHEMAS, &["ALL", "ALL", "ALL"], &makers, database));
        }
        // Not pg_read_all_data: who has that reads pg_authid, hence everybody's password verifier.
        Role::Backup => calls.push(everywhere(username, SCHEMAS, &["USAGE", "SELECT", "SELECT"], OURS, database)),
        Role::Superuser | Role::Readwrite | Role::Read => {}
    }
    if matches!(role, Role::Superuser | Role::Readwrite) {
        calls.push(seen_by_backups(username, database));
    }
    calls
}

/// Takes back what the user has in every schema, and what it would have in what is made later.
fn empty(username: &str, database: &str) -> Call {
    let name = pg_literal(username);
    let body = format!(
        "FOR n IN {SCHEMAS} LOOP \
           EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', n, {name}); \
           EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM %I', n, {name}); \
           EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', n, {name}); END LOOP; \
         FOR d IN SELECT r.rolname AS maker, n.nspname AS place, CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' \
             ELSE 'SCHEMAS' END AS what FROM pg_default_acl a JOIN pg_roles r ON r.oid = a.defaclrole \
             LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace WHERE defaclobjtype IN ('r', 'S', 'n') \
             AND EXISTS (SELECT FROM aclexplode(a.defaclacl) x JOIN pg_roles u ON u.oid = x.grantee WHERE u.rolname = {name}) LOOP \
           EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE ALL ON %s FROM %I', d.maker, \
             CASE WHEN d.place IS NULL THEN '' ELSE format('IN SCHEMA %I', d.place) END, d.what, {name}); END LOOP;"
    );
    block("n text; d record", &body, database)
}

/// Rights on schemas, tables and sequences, present ones and those that the roles in `makers` make later.
fn everywhere(
    username: &str,
    schemas: &str,
    [schema, table, sequence]: &[&str; 3],
    makers: &str,
    database: &str,
) -> Call {
    let name = pg_literal(username);
    let body = format!(
        "FOR n IN {schemas} LOOP \
           EXECUTE format('GRANT {schema} ON SCHEMA %I TO %I', n, {name}); \
           EXECUTE format('GRANT {table} ON ALL TABLES IN SCHEMA %I TO %I', n, {name}); \
           EXECUTE format('GRANT {sequence} ON ALL SEQUENCES IN SCHEMA %I TO %I', n, {name}); END LOOP; \
         FOR n IN {makers} LOOP \
           EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT {schema} ON SCHEMAS TO %I', n, {name}); \
           EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT {table} ON TABLES TO %I', n, {name}); \
           EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT {sequence} ON SEQUENCES TO %I', n, {name}); END LOOP;"
    );
    block("n text", &body, database)
}

/// Whoever makes tables makes them readable for the backups that are there already.
fn seen_by_backups(username: &str, database: &str) -> Call {
    let name = pg_literal(username);
    let body = format!(
        "FOR n IN {BACKUPS} LOOP \
           EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT USAGE ON SCHEMAS TO %I', {name}, n); \
           EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON TABLES TO %I', {name}, n); \
           EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON SEQUENCES TO %I', {name}, n); END LOOP;"
    );
    block("n text", &body, database)
}

/// Takes from what a user made the rights of its owner, before it becomes somebody else's: a function that runs as its owner, a
/// view or a rule would then work with the rights of the new one for whoever the old one let use it.
pub(super) fn disarm(cx: &Cx, username: &str, database: &str) -> Call {
    let name = pg_literal(username);
    let invoker = if major(cx.version.id) >= 15 {
        "IF o.kind = 'v' THEN EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', o.name); END IF;"
    } else {
        ""
    };
    let body = format!(
        "FOR o IN SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner \
             WHERE r.rolname = {name} AND p.prosecdef LOOP \
           EXECUTE format('ALTER ROUTINE %s SECURITY INVOKER', o.name); END LOOP; \
         FOR o IN SELECT w.rulename AS rule, c.oid::regclass AS name FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class \
             JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = {name} AND w.rulename <> '_RETURN' LOOP \
           EXECUTE format('DROP RULE %I ON %s', o.rule, o.name); END LOOP; \
         FOR o IN SELECT c.oid::regclass AS name, c.relkind AS kind, ARRAY(SELECT DISTINCT x.grantee FROM aclexplode(c.relacl) x \
               WHERE x.grantee <> c.relowner UNION SELECT x.grantee FROM pg_attribute t, aclexplode(t.attacl) x \
               WHERE t.attrelid = c.oid AND x.grantee <> c.relowner) AS held FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner \
             WHERE r.rolname = {name} AND c.relkind IN ('v', 'm') LOOP {invoker} \
           FOREACH g IN ARRAY o.held LOOP \
             EXECUTE format('REVOKE ALL ON %s FROM %s CASCADE', o.name, \
               CASE g WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g)) END); END LOOP; END LOOP;"
    );
    block("o record; g oid", &body, database)
}
