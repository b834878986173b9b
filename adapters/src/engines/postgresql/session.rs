//! What holds for the system account's own sessions, whatever a tenant sets for its databases.

use super::{AT_ONCE, Postgresql, major, makes_roles};
use crate::quote::pg_ident;
use crate::{Call, Cx};

/// A tenant may set these for a database that it owns (`ALTER DATABASE .. SET`), and they would then hold for fluxdb's sessions
/// there, too: `role` would make them the tenant's, `local_preload_libraries` would end them at login. A value that the
/// account itself has comes before a database's. `FROM CURRENT` takes the empty value, which cannot be written down.
const SETTINGS: [&str; 13] = [
    "search_path = pg_catalog",
    "role = 'none'",
    "local_preload_libraries FROM CURRENT",
    "default_tablespace FROM CURRENT",
    "default_table_access_method = 'heap'",
    "standard_conforming_strings = on",
    "password_encryption = 'scram-sha-256'",
    "statement_timeout = 0",
    "lock_timeout = 0",
    "idle_in_transaction_session_timeout = 0",
    "default_transaction_read_only = off",
    "check_function_bodies = on",
    // Who may see all statements (pg_monitor) would see the passwords in ours.
    "track_activities = off",
];
const SINCE_14: &str = "idle_session_timeout = 0";
const SINCE_17: &str = "transaction_timeout = 0";

/// Before 16: takes back what earlier releases of fluxdb let tenants have, and what they could give themselves with it.
const NO_WAY_UP: &str = "DO $fluxdb$ DECLARE r record; BEGIN \
     FOR r IN SELECT rolname AS name FROM pg_roles WHERE rolcreaterole AND NOT rolsuper LOOP \
       EXECUTE format('ALTER ROLE %I NOCREATEROLE', r.name); END LOOP; \
     FOR r IN SELECT g.rolname AS given, u.rolname AS name FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid \
       JOIN pg_roles u ON u.oid = m.member WHERE u.rolname !~ '^pg_' AND g.rolname IN ('pg_execute_server_program', \
       'pg_read_server_files', 'pg_write_server_files', 'pg_read_all_data', 'pg_write_all_data') LOOP \
       EXECUTE format('REVOKE %I FROM %I CASCADE', r.given, r.name); END LOOP; END $fluxdb$";

impl Postgresql {
    /// Statements that bring the system account and the databases that no tenant owns to what they have to be.
    pub(super) fn defences(&self, cx: &Cx) -> Vec<String> {
        let system = pg_ident(&cx.system.username);
        let major = major(cx.version.id);
        let newer = [(14, SINCE_14), (17, SINCE_17)].into_iter().filter(|(since, _)| major >= *since).map(|(_, s)| s);
        let mut texts: Vec<String> =
            SETTINGS.into_iter().chain(newer).map(|s| format!("ALTER ROLE {system} SET {s}")).collect();
        // Whoever sits in template1 keeps everybody from making databases.
        texts.push("REVOKE ALL ON DATABASE template1 FROM PUBLIC".into());
        if !makes_roles(cx.version.id) {
            texts.push(NO_WAY_UP.into());
        }
        if major < 15 {
            // Everybody may make functions and operators there otherwise, where the system account's session is.
            texts.push("REVOKE CREATE ON SCHEMA public FROM PUBLIC".into());
        }
        texts
    }

    /// The same as one call, which may be run again and comes before whatever enters a tenant's database.
    pub(super) fn defend(&self, cx: &Cx) -> Call {
        Call::sql(self.defences(cx).join("; ")).not_yet(AT_ONCE)
    }
}
