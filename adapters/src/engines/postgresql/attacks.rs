//! Known ways from an ordinary PostgreSQL account to superuser, to the server's files, or to fluxdb's own sessions.
//! Sources: the manual's "Predefined Roles", the release notes' security sections, and what was tried for issue 8.

use super::{Postgresql, major};
use crate::quote::{pg_ident, pg_literal};
use crate::{Answer, Attack, Call, Cx, FILES_DIR, SYSTEM_PASSWORD_FILE};

fn sql(text: &str) -> Vec<Call> {
    vec![Call::sql(text)]
}

/// One statement that must be refused.
fn one(what: &'static str, text: &str) -> Attack {
    Attack::new(what, sql(text))
}

/// Each of these statements in an attack of its own.
fn each(what: &'static str, texts: &[String]) -> Vec<Attack> {
    texts.iter().map(|text| one(what, text)).collect()
}

fn any_true(answers: &[Answer]) -> bool {
    answers.iter().flat_map(Answer::column).any(|cell| cell == "t")
}

/// A statement of fluxdb's that is shown as it is.
fn statements_shown(answers: &[Answer]) -> bool {
    let hidden = ["", "<insufficient privilege>", "<command string disabled>"];
    answers.iter().flat_map(Answer::column).any(|query| !hidden.contains(&query.as_str()))
}

pub(super) fn attacks(engine: &Postgresql, cx: &Cx) -> Vec<Attack> {
    let mut all = roles(cx);
    all.extend(predefined_roles());
    all.extend(code());
    all.extend(server(cx));
    all.extend(control_plane(cx));
    if engine.extension == Some("timescaledb") {
        all.extend(timescale(cx));
    }
    all
}

/// Becoming another account.
fn roles(cx: &Cx) -> Vec<Attack> {
    let (system, user) = (pg_ident(&cx.system.username), pg_ident(&cx.user.username));
    let name = pg_literal(&cx.user.username);
    let mut all = vec![
        Attack::new("becomes the system account by membership", sql(&format!("SET ROLE {system}")))
            .prepared(sql(&format!("GRANT {system} TO CURRENT_USER"))),
        one("becomes the system account", &format!("SET SESSION AUTHORIZATION {system}")),
        // The account itself may of course.
        one(
            "changes the user's account",
            &format!(
                "DO $$ BEGIN IF current_user = {name} THEN RAISE EXCEPTION 'its own'; END IF; \
                 EXECUTE 'ALTER ROLE ' || quote_ident({name}) || ' VALID UNTIL ''infinity'''; END $$"
            ),
        ),
        one(
            "becomes the user's account",
            &format!(
                "DO $$ BEGIN IF current_user = {name} THEN RAISE EXCEPTION 'its own'; END IF; \
                 EXECUTE 'SET ROLE ' || quote_ident({name}); END $$"
            ),
        ),
        one("reads the password verifiers", "SELECT rolpassword FROM pg_catalog.pg_authid"),
        one("reads the password verifiers", "SELECT passwd FROM pg_catalog.pg_shadow"),
    ];
    all.extend(each(
        "changes the system account",
        &[
            format!("ALTER ROLE {system} PASSWORD 'fluxdb-attack'"),
            format!("ALTER ROLE {system} NOLOGIN"),
            format!("ALTER ROLE {system} VALID UNTIL '2000-01-01'"),
            format!("ALTER ROLE {system} CONNECTION LIMIT 0"),
            format!("ALTER ROLE {system} RENAME TO fluxdb_attack"),
            format!("ALTER ROLE {system} SET role = {user}"),
            format!("ALTER ROLE {system} IN DATABASE postgres SET search_path = public"),
            "ALTER ROLE ALL SET search_path = public".into(),
            format!("REASSIGN OWNED BY {system} TO CURRENT_USER"),
            format!("DROP ROLE {system}"),
        ],
    ));
    all.extend(each(
        "has more attributes than its role",
        &[
            "ALTER ROLE CURRENT_USER SUPERUSER".into(),
            "ALTER ROLE CURRENT_USER REPLICATION".into(),
            "ALTER ROLE CURRENT_USER BYPASSRLS".into(),
            "CREATE ROLE fluxdb_attack_s SUPERUSER".into(),
            "CREATE ROLE fluxdb_attack_r REPLICATION".into(),
        ],
    ));
    if major(cx.version.id) < 16 {
        all.push(one("makes roles, which leads to superuser before 16", "CREATE ROLE fluxdb_attack_c"));
        all.push(one("lets itself make roles", "ALTER ROLE CURRENT_USER CREATEROLE"));
    }
    all
}

/// The predefined roles that reach files and programs.
fn predefined_roles() -> Vec<Attack> {
    let secret = format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}");
    let grant = |role: &str| sql(&format!("GRANT {role} TO CURRENT_USER"));
    let through = |role: &str| {
        [
            "DROP ROLE IF EXISTS fluxdb_attack_m".to_owned(),
            format!("CREATE ROLE fluxdb_attack_m IN ROLE {role} ROLE CURRENT_USER"),
        ]
        .map(Call::sql)
        .into()
    };
    let program = "COPY (SELECT 1) TO PROGRAM 'true'";
    vec![
        Attack::new("runs a program through COPY", sql(program)).prepared(grant("pg_execute_server_program")),
        Attack::new("runs a program through a role of its own", sql(program))
            .prepared(through("pg_execute_server_program")),
        Attack::new("reads a file of the server", sql(&format!("SELECT pg_read_file('{secret}')")))
            .prepared(grant("pg_read_server_files")),
        Attack::new(
            "reads a file of the server through COPY",
            sql(&format!(
                "CREATE TEMPORARY TABLE fluxdb_attack_file (line text); COPY fluxdb_attack_file FROM '{secret}'"
            )),
        )
        .prepared(grant("pg_read_server_files")),
        Attack::new("writes a file of the server", sql("COPY (SELECT 1) TO '/tmp/fluxdb_attack'"))
            .prepared(grant("pg_write_server_files")),
        Attack::new("lists a directory of the server", sql("SELECT pg_ls_dir('.')"))
            .prepared(grant("pg_read_server_files")),
        Attack::new("reads all data, the accounts as well", sql("SELECT rolpassword FROM pg_catalog.pg_authid"))
            .prepared(grant("pg_read_all_data")),
    ]
}

/// Code in the server's process, and files through functions.
fn code() -> Vec<Attack> {
    let mut all = each(
        "loads code or reaches files",
        &[
            "file_fdw",
            "dblink",
            "postgres_fdw",
            "adminpack",
            "plpython3u",
            "plperlu",
            "pageinspect",
            "xml2",
            "pg_surgery",
        ]
        .map(|name| format!("CREATE EXTENSION {name}")),
    );
    all.extend(each(
        "loads code or reaches files",
        &[
            "CREATE LANGUAGE plpython3u",
            "CREATE FUNCTION fluxdb_attack(cstring) RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system'",
            "CREATE FUNCTION fluxdb_attack(int) RETURNS int LANGUAGE internal AS 'int4abs'",
            "LOAD 'auto_explain'",
            "SET session_preload_libraries = 'auto_explain'",
            "SET dynamic_library_path = '/tmp'",
            "SELECT lo_import('/etc/hostname')",
            "SELECT lo_export(0, '/tmp/fluxdb_attack')",
            "SELECT pg_stat_file('postgresql.auto.conf')",
            "CREATE TABLESPACE fluxdb_attack LOCATION '/tmp'",
            "CREATE FOREIGN DATA WRAPPER fluxdb_attack",
            "CREATE EVENT TRIGGER fluxdb_attack ON ddl_command_start EXECUTE FUNCTION pg_catalog.now()",
        ]
        .map(Into::into),
    ));
    all
}

/// Settings, logs and streams of the whole server.
fn server(cx: &Cx) -> Vec<Attack> {
    let mut all = each(
        "changes the server",
        &[
            "ALTER SYSTEM SET work_mem = '1MB'",
            "SELECT pg_reload_conf()",
            "SELECT pg_rotate_logfile()",
            "SELECT pg_promote()",
            "SET log_statement = 'all'",
            "SET log_min_duration_statement = 0",
            "SET temp_file_limit = -1",
            "ALTER ROLE CURRENT_USER SET log_statement = 'all'",
        ]
        .map(Into::into),
    );
    if major(cx.version.id) >= 15 {
        all.push(one("changes the server", "GRANT SET, ALTER SYSTEM ON PARAMETER log_statement TO CURRENT_USER"));
    }
    all.extend(each(
        "holds back the write-ahead log or reads it",
        &[
            "SELECT pg_create_physical_replication_slot('fluxdb_attack', true)",
            "SELECT pg_create_logical_replication_slot('fluxdb_attack', 'pgoutput')",
            "CREATE PUBLICATION fluxdb_attack FOR ALL TABLES",
            "CREATE SUBSCRIPTION fluxdb_attack CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)",
        ]
        .map(Into::into),
    ));
    all
}

/// fluxdb's own sessions and the databases they are in.
fn control_plane(cx: &Cx) -> Vec<Attack> {
    let system = pg_literal(&cx.system.username);
    let from = format!("FROM pg_catalog.pg_stat_activity WHERE usename = {system}");
    let mut all = vec![
        Attack::new("ends fluxdb's session", sql(&format!("SELECT pg_terminate_backend(pid) {from}")))
            .gained_when(any_true),
        Attack::new("cancels fluxdb's statement", sql(&format!("SELECT pg_cancel_backend(pid) {from}")))
            .gained_when(any_true),
        Attack::new("reads fluxdb's statements", sql(&format!("SELECT query {from}"))).gained_when(statements_shown),
        Attack::new("sits in the template of every database", vec![Call::sql("SELECT 1").in_database("template1")]),
        Attack::new(
            "puts a function where fluxdb's session is",
            vec![
                Call::sql("CREATE FUNCTION public.pg_database_size(int) RETURNS bigint LANGUAGE sql AS 'SELECT 1'")
                    .in_database("postgres"),
            ],
        ),
    ];
    all.extend(each(
        "changes a database of fluxdb's",
        &[
            "ALTER DATABASE postgres SET role = 'none'".into(),
            "ALTER DATABASE postgres ALLOW_CONNECTIONS false".into(),
            "ALTER DATABASE postgres CONNECTION LIMIT 0".into(),
            "DROP DATABASE postgres".into(),
        ],
    ));
    if let Some(database) = cx.database.as_deref() {
        all.push(traps(&pg_ident(database), &pg_ident(&cx.user.username)));
    }
    all
}

/// What a tenant can leave in its own database for the system account to run into: that one works there when users are put and
/// dropped. Each function leaves a table behind that only a superuser can have filled.
fn traps(database: &str, user: &str) -> Attack {
    let body = "LANGUAGE plpgsql AS $f$ BEGIN \
         IF current_setting('is_superuser') = 'on' THEN CREATE TABLE IF NOT EXISTS public.fluxdb_trapped (i int); END IF; \
         RETURN 'x'; END $f$";
    let mut prepare: Vec<Call> = [
        "format(text, name, text) RETURNS text",
        "format(text, name, name) RETURNS text",
        "quote_ident(name) RETURNS text",
        "pg_database_size(int) RETURNS text",
    ]
    .map(|head| Call::sql(format!("CREATE FUNCTION public.{head} {body}")))
    .into();
    prepare.push(Call::sql(format!(
        "CREATE FUNCTION public.fluxdb_eq(name, text) RETURNS boolean {}",
        body.replace("'x'", "true")
    )));
    prepare.push(Call::sql("CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.fluxdb_eq)"));
    for setting in
        ["search_path = public, pg_catalog", &format!("role = {user}"), "default_transaction_read_only = off"]
    {
        prepare.push(Call::sql(format!("ALTER DATABASE {database} SET {setting}")));
    }
    Attack::new("had its own function run by the system account", sql("SELECT 'public.fluxdb_trapped'::regclass"))
        .prepared(prepare)
        .after_restart()
}

/// What TimescaleDB runs in the background, as the owner that its catalogue names.
fn timescale(cx: &Cx) -> Vec<Attack> {
    let system = pg_literal(&cx.system.username);
    each(
        "has a job run as the system account",
        &[
            format!("UPDATE _timescaledb_config.bgw_job SET owner = {system}::regrole"),
            format!(
                "INSERT INTO _timescaledb_config.bgw_job (application_name, schedule_interval, max_runtime, max_retries, retry_period, \
                 proc_schema, proc_name, owner, scheduled) \
                 VALUES ('x', '1s', '1s', 1, '1s', 'public', 'x', {system}::regrole, true)"
            ),
            "UPDATE _timescaledb_catalog.hypertable SET schema_name = 'pg_catalog'".into(),
            "DELETE FROM _timescaledb_catalog.metadata".into(),
            "SET timescaledb.license = 'timescale'".into(),
        ],
    )
}
