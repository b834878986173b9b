//! Known ways up and out of H2. What an administrator compiles at each start (views, defaults, domains, computed columns)
//! is the most dangerous: `CREATE FORCE VIEW` stores what its maker may not run.

use crate::{Answer, Attack, Call, Cx};

/// A file that every image has and that no query may show.
const FILE: &str = "/etc/passwd";
/// What its first line holds.
const SHOWS: &str = "root:";

fn sql(text: impl Into<String>) -> Vec<Call> {
    vec![Call::sql(text)]
}

fn shows_file(answers: &[Answer]) -> bool {
    answers.iter().any(|a| a.text().contains(SHOWS))
}

fn any_row(answers: &[Answer]) -> bool {
    answers.last().is_some_and(|a| !a.rows().is_empty())
}

pub(super) fn all(cx: &Cx) -> Vec<Attack> {
    let mut all = at_start();
    all.extend(files());
    all.extend(powers());
    all.extend(other_databases(cx.database.as_deref().unwrap_or("defaultdb")));
    all
}

/// Stored by the tenant, compiled by the server when it opens the database.
fn at_start() -> Vec<Attack> {
    let view = |name: &str, query: &str| sql(format!("CREATE FORCE VIEW {name} AS {query}"));
    let columns = |name: &str| {
        sql(format!(
            "SELECT column_name FROM information_schema.columns WHERE table_name = '{name}' AND column_name <> 'table_name'"
        ))
    };
    let read = format!("FILE_READ('{FILE}', NULL)");
    // The inner database's administrator is whoever opens it, and INIT is run by him.
    let linked = format!(
        "LINK_SCHEMA('fluxdb_linked', 'org.h2.Driver', 'jdbc:h2:mem:fluxdb_attack;INIT=CREATE TABLE got AS \
         SELECT FILE_READ(''{FILE}'', NULL) AS text', 'sa', 'sa', 'public')"
    );
    vec![
        Attack::new("reads the first line of a file as the names of a view's columns", columns("fluxdb_leak"))
            .prepared(view(
                "fluxdb_leak",
                &format!("SELECT * FROM CSVREAD('{FILE}', NULL, 'caseSensitiveColumnNames=true')"),
            ))
            .after_restart()
            .gained_when(any_row),
        Attack::new("reads the system account's password as a view's column", columns("fluxdb_leak_password"))
            .prepared(view(
                "fluxdb_leak_password",
                "SELECT * FROM CSVREAD('/fluxdb/system-password', NULL, 'caseSensitiveColumnNames=true')",
            ))
            .after_restart()
            .gained_when(any_row),
        Attack::new("reads an environment with a view that is compiled at start", columns("fluxdb_leak_environ"))
            .prepared(view("fluxdb_leak_environ", "SELECT * FROM CSVREAD('/proc/self/environ')"))
            .after_restart()
            .gained_when(any_row),
        Attack::new("reads a URL with a view that is compiled at start", columns("fluxdb_leak_url"))
            .prepared(view("fluxdb_leak_url", &format!("SELECT * FROM CSVREAD('file:{FILE}')")))
            .after_restart()
            .gained_when(any_row),
        Attack::new("writes a file with a view that is compiled at start", columns("fluxdb_wrote"))
            .prepared(view(
                "fluxdb_wrote",
                "SELECT * FROM CSVREAD('/data/fluxdb_wrote.csv' || SUBSTRING(FILE_WRITE(STRINGTOUTF8('gained'), \
                 '/data/fluxdb_wrote.csv'), 1, 0))",
            ))
            .after_restart()
            .gained_when(any_row),
        Attack::new(
            "reads files through a database in memory that a view opens at start",
            sql("SELECT text FROM fluxdb_linked.got"),
        )
        .prepared(view("fluxdb_linking", &format!("SELECT * FROM CSVREAD((SELECT table_name FROM {linked} LIMIT 1))")))
        .after_restart()
        .gained_when(shows_file),
        Attack::new(
            "reads a file as a column's default",
            [sql("INSERT INTO fluxdb_default (i) VALUES (1)"), sql("SELECT t FROM fluxdb_default")].concat(),
        )
        .prepared(sql(format!("CREATE TABLE fluxdb_default (i int, t varchar DEFAULT {read})")))
        .after_restart()
        .gained_when(shows_file),
        Attack::new(
            "reads a file as a computed column",
            [sql("INSERT INTO fluxdb_computed (i) VALUES (1)"), sql("SELECT t FROM fluxdb_computed")].concat(),
        )
        .prepared(sql(format!("CREATE TABLE fluxdb_computed (i int, t varchar GENERATED ALWAYS AS ({read}))")))
        .after_restart()
        .gained_when(shows_file),
        Attack::new(
            "reads a file as a domain's default",
            [sql("INSERT INTO fluxdb_of_domain (i) VALUES (1)"), sql("SELECT t FROM fluxdb_of_domain")].concat(),
        )
        .prepared(
            [
                sql(format!("CREATE DOMAIN fluxdb_domain AS varchar DEFAULT {read}")),
                sql("CREATE TABLE fluxdb_of_domain (i int, t fluxdb_domain)"),
            ]
            .concat(),
        )
        .after_restart()
        .gained_when(shows_file),
    ]
}

/// Files and other servers, by the account itself.
fn files() -> Vec<Attack> {
    vec![
        Attack::new("reads a file", sql(format!("SELECT FILE_READ('{FILE}', NULL)"))),
        Attack::new("reads a file as CSV", sql(format!("SELECT * FROM CSVREAD('{FILE}')"))),
        Attack::new("reads a URL as CSV", sql("SELECT * FROM CSVREAD('http://127.0.0.1:1/')")),
        Attack::new("writes a file", sql("SELECT FILE_WRITE(STRINGTOUTF8('x'), '/tmp/fluxdb_attack')")),
        Attack::new("writes a file as CSV", sql("CALL CSVWRITE('/tmp/fluxdb_attack.csv', 'SELECT 1')")),
        Attack::new(
            "links a schema of another server",
            sql("SELECT * FROM LINK_SCHEMA('x', '', 'jdbc:h2:mem:', 'sa', '', 'public')"),
        ),
        Attack::new(
            "links a table of another server",
            sql("CREATE LINKED TABLE fluxdb_attack_link ('', 'jdbc:h2:mem:x', 'sa', '', 't')"),
        ),
        Attack::new("runs a script from a file", sql(format!("RUNSCRIPT FROM '{FILE}'"))),
        Attack::new("runs a script from a URL", sql("RUNSCRIPT FROM 'http://127.0.0.1:1/'")),
        Attack::new("dumps the database, with the users' hashes", sql("SCRIPT")),
        Attack::new("dumps the database to a file", sql("SCRIPT TO '/tmp/fluxdb_attack.sql'")),
        Attack::new("copies the database to a file", sql("BACKUP TO '/tmp/fluxdb_attack.zip'")),
    ]
}

/// Java code, users, and settings of the whole server.
fn powers() -> Vec<Attack> {
    let source = "CREATE ALIAS fluxdb_attack AS 'String x() { return System.getProperty(\"user.home\"); }'";
    vec![
        Attack::new("calls Java", sql("CREATE ALIAS fluxdb_attack FOR 'java.lang.System.getProperty(java.lang.String)'")),
        Attack::new("compiles Java", sql(source)),
        Attack::new(
            "runs Java in a trigger",
            [
                sql("CREATE TABLE IF NOT EXISTS fluxdb_triggered (i int)"),
                sql("CREATE FORCE TRIGGER fluxdb_attack BEFORE INSERT ON fluxdb_triggered CALL 'org.h2.samples.TriggerSample'"),
            ]
            .concat(),
        ),
        Attack::new("makes an aggregate of Java", sql("CREATE AGGREGATE fluxdb_attack FOR 'org.h2.api.Aggregate'")),
        Attack::new("makes an administrator", sql("CREATE USER fluxdb_attack PASSWORD 'x' ADMIN")),
        Attack::new("changes the system account's password", sql("ALTER USER \"FLUXDB\" SET PASSWORD 'x'")),
        Attack::new("removes the system account", sql("DROP USER \"FLUXDB\"")),
        Attack::new("becomes an administrator", sql("ALTER USER \"ADMIN\" ADMIN TRUE")),
        Attack::new("grants rights on every schema", sql("GRANT ALTER ANY SCHEMA TO PUBLIC")),
        Attack::new("makes a role", sql("CREATE ROLE fluxdb_attack")),
        Attack::new("ends the server", sql("SHUTDOWN")),
        Attack::new("locks everybody else out", sql("SET EXCLUSIVE 2")),
        Attack::new("ends sessions of others", sql("SELECT ABORT_SESSION(1)")),
        Attack::new("lets commits wait for the disk", sql("SET WRITE_DELAY 60000")),
        Attack::new("lets the database close", sql("SET DB_CLOSE_DELAY 0")),
        Attack::new("lifts a limit", sql("SET CACHE_SIZE 67108864")),
        Attack::new("listens to the database", sql("SET DATABASE_EVENT_LISTENER 'org.h2.samples.ShowProgress'")),
        Attack::new("switches an authenticator on", sql("SET AUTHENTICATOR TRUE")),
        Attack::new("traces what others do", sql("SET TRACE_LEVEL_FILE 3")),
        Attack::new("keeps what others ask", sql("SET QUERY_STATISTICS TRUE")),
        Attack::new("puts a table before the server's own", sql("CREATE TABLE information_schema.users (user_name varchar)")),
        Attack::new("puts a view before the server's own", sql("CREATE VIEW information_schema.settings AS SELECT 1 AS x")),
        Attack::new("puts a table before PostgreSQL's own", sql("CREATE TABLE pg_catalog.pg_type (oid int)")),
        Attack::new("takes the catalogue away", sql("DROP SCHEMA pg_catalog CASCADE")),
    ]
}

/// Over the PostgreSQL protocol a database's name becomes a part of a URL.
fn other_databases(own: &str) -> Vec<Attack> {
    let open = |name: String| vec![Call::sql("SELECT 1").in_database(name)];
    let init = |statement: &str| open(format!("{own};INIT={statement}"));
    vec![
        Attack::new("makes a database in memory", open("mem:fluxdb_attack".into())),
        Attack::new("makes a database in another directory", open("../tmp/fluxdb_attack".into())),
        Attack::new("makes a database by an absolute path", open("/tmp/fluxdb_attack".into())),
        Attack::new("makes a database although that is forbidden", open("fluxdb_attack;FORBID_CREATION=FALSE".into())),
        Attack::new("opens the server's management", open("mem:management_db_9092".into())),
        Attack::new("calls another server", open("tcp://127.0.0.1:9092/fluxdb_attack".into())),
        Attack::new("runs a script in the URL", init(&format!("RUNSCRIPT FROM '{FILE}'"))),
        Attack::new("makes an administrator in the URL", init("CREATE USER fluxdb_attack PASSWORD 'x' ADMIN")),
        Attack::new("lets commits wait in the URL", open(format!("{own};WRITE_DELAY=60000"))),
        Attack::new("logs in over another realm", open(format!("{own};AUTHREALM=NONE"))),
    ]
}
