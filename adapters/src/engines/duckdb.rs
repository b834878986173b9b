//! DuckDB, which is a library: a small server of ours (images/duckdb) serves its databases over PostgreSQL's wire protocol.
//! What the library does not have (users, named databases) is the server's, told by `FLUXDB {...}` as the system account.

use minijinja::context;

use super::sql::{self, Spelling};
use crate::quote::{percent, pg_literal, shell_word};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth,
    Launch, LocalImage, Marker, Metric, Metrics, NameKind, Port, Proof, Protocol, Repair, Role, Secret, Settings,
    Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod attacks;
mod settings;
mod types;
mod verifier;

pub(crate) static ENGINE: Duckdb = Duckdb;

/// DuckDB behind a server.
pub(crate) struct Duckdb;

static FACTS: Facts = Facts {
    id: "duckdb",
    title: "DuckDB",
    category: Category::Embedded,
    license: "MIT: free for any use, also as a service",
    protocol: Protocol::Postgres,
    http_auth: HttpAuth::None,
    versions: &[Version {
        id: "2.0",
        reference: "fluxdb/duckdb:2.0.0",
        end_of_life: "2027-06-30",
        local: Some(LocalImage { suite: "trixie" }),
    }],
    default_version: "2.0",
    ports: &[Port { name: "sql", number: 5432 }],
    control_port: 0,
    user: User { uid: 999, gid: 999 },
    volume_path: "/data",
    tmpfs: &[Tmpfs::new("/tmp", 16)],
    shm_mib: 16,
    stop: Stop { signal: 15, grace_secs: 60, says: Some("all databases are closed") },
    floor: Floor { memory_mib: 256, pids: 128, nofile: 4096 },
    templates: &[Template {
        name: "server.json",
        source: include_str!("../../../config_templates/duckdb/server.json.j2"),
    }],
    system_user: "fluxdb",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "DuckDB is a library. The server around it is part of fluxdb: there is no official image, so it must be built where it runs.",
        "It speaks PostgreSQL's wire protocol and DuckDB's dialect: psql, psycopg and JDBC run statements, but what asks PostgreSQL's catalogues (most graphical tools, object mappers that read schemas) may fail. No TLS, no COPY over the wire.",
        "Statements cannot read or write files (COPY, EXPORT, ATTACH), call other servers or load extensions. What a query can still read is its own database's file, log and temporary files.",
        "Each database is a file and may use the whole memory limit, so large queries in several databases at a time, by whomever, can end the server; queries over two databases are not possible.",
        "infinity in dates and times comes as the last day of the year 9999; intervals and nanoseconds come as text.",
    ],
};

static SPELLING: Spelling = Spelling {
    scheme: "postgresql",
    jdbc: "postgresql",
    env: &["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"],
    cli: |to| {
        let (user, database) = (percent(&to.account.username), percent(to.database.unwrap_or_default()));
        format!("psql {}", shell_word(&format!("postgresql://{user}@{}:{}/{database}", to.host, to.port)))
    },
};

/// A statement for the server itself.
fn administer(what: &str, value: &serde_json::Value) -> Call {
    Call::sql(format!("FLUXDB {{{}: {}}}", json(&what.into()), json(value)))
}

/// JSON in which strings hold no quotes and backslashes, but for the escapes of everything unusual.
fn json(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => {
            let units = text.encode_utf16().map(|u| match u8::try_from(u) {
                Ok(b) if b.is_ascii_alphanumeric() || b == b'_' => char::from(b).to_string(),
                _ => format!("\\u{u:04x}"),
            });
            format!("\"{}\"", units.collect::<String>())
        }
        serde_json::Value::Array(all) => format!("[{}]", all.iter().map(json).collect::<Vec<_>>().join(", ")),
        serde_json::Value::Object(all) => {
            let pairs: Vec<String> =
                all.iter().map(|(k, v)| format!("{}: {}", json(&k.as_str().into()), json(v))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// `databases`: none = all of them, also those to come.
fn put_user(account: &Account, role: &str, databases: Option<&[String]>) -> Call {
    let (name, password) = (&account.username, account.password.expose());
    let user = serde_json::json!({"name": name, "password": password, "role": role, "databases": databases});
    administer("put_user", &user)
}

impl Engine for Duckdb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let system = verifier::verifier(&cx.system.password, cx.unique);
        context! {
            port => FACTS.ports[0].number,
            dir => FACTS.volume_path,
            system => context! { salt => system.salt, stored => system.stored, server => system.server },
            system_user => cx.system.username.as_str(),
            max_connections => self.max_connections(&cx.size),
            settings => settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = Vec::new();
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch { entrypoint: None, argv: vec![format!("{FILES_DIR}/server.json")], env: Vec::new(), files })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let mut calls: Vec<Call> =
            cx.database.iter().map(|d| administer("create_database", &d.as_str().into())).collect();
        calls.push(put_user(&cx.user, "owner", None));
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        if account.username == FACTS.system_user {
            return Vec::new(); // a verifier stands in a rendered file
        }
        let user = serde_json::json!({"name": account.username, "password": account.password.expose()});
        vec![administer("set_password", &user)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        Some(sql::connection_string(&SPELLING, format, to))
    }

    fn shell(&self, _username: &str, _database: Option<&str>) -> Shell {
        let says = "this image has no client of its server: use psql from outside";
        Shell { argv: ["echo", says].map(Into::into).into(), password_env: "PGPASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 63 {
            return Err("must be 1 to 63 bytes long".into()); // a database is a file, with three bytes for each unusual one
        }
        if name.chars().any(char::is_control) {
            return Err("must not contain control characters".into());
        }
        let reserved: &[&str] = match kind {
            NameKind::User => &["fluxdb", "postgres"],
            NameKind::Database => &["fluxdb", "postgres", "memory", "system", "temp"],
        };
        if reserved.contains(&name) { Err(format!("{name:?} is reserved")) } else { Ok(()) }
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 32).clamp(16, 500)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        sql::marker(pg_literal(value), "ON CONFLICT DO NOTHING")
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let first: fn(&Answer) -> Option<String> = |a| a.first().map(Into::into);
        vec![
            Tuned {
                what: "threads",
                call: Call::sql("SELECT value FROM duckdb_settings() WHERE name = 'threads'"),
                expect: cx.size.vcpu.to_string(),
                read: first,
            },
            Tuned {
                what: "memory_limit",
                call: Call::sql("SELECT value FROM duckdb_settings() WHERE name = 'memory_limit'"),
                expect: settings::shown_as(settings::memory_limit_mib(&cx.size)),
                read: first,
            },
        ]
    }

    fn attacks(&self, _cx: &Cx) -> Vec<Attack> {
        attacks::all()
    }

    /// The account stands in the rendered file alone.
    fn repair(&self, _cx: &Cx) -> Result<Repair, RenderError> {
        Ok(Repair::Restart)
    }

    fn users(&self) -> Option<&dyn Users> {
        Some(self)
    }

    fn databases(&self) -> Option<&dyn Databases> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn metrics(&self) -> Option<&dyn Metrics> {
        Some(self)
    }
}

impl Databases for Duckdb {
    fn create(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![administer("create_database", &name.into())]
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![administer("drop_database", &name.into())]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![administer("databases", &true.into())]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).collect()
    }
}

impl Users for Duckdb {
    fn role(&self, role: Role) -> Result<(), &'static str> {
        match role {
            Role::Readwrite | Role::Read => Ok(()),
            Role::Superuser => Err("DuckDB has no users; the server around it lets nobody but fluxdb make them"),
            Role::Backup => Err("DuckDB makes its backups as files of the server, which no user may write"),
        }
    }

    fn put(&self, _cx: &Cx, account: &Account, role: Role, databases: &[String]) -> Vec<Call> {
        vec![put_user(account, role.as_str(), Some(databases))]
    }

    fn drop(&self, _cx: &Cx, username: &str, _databases: &[String]) -> Vec<Call> {
        vec![administer("drop_user", &username.into())]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![administer("users", &true.into())]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).collect()
    }

    fn proofs(&self, _cx: &Cx, role: Role, _database: &str) -> Vec<Proof> {
        let sql = |text: &str| vec![Call::sql(text)];
        let reads = Proof::can("reads a table", sql("SELECT count(*) FROM fluxdb_marker"));
        let insert = "INSERT INTO fluxdb_marker (value) VALUES (uuid()::varchar)";
        let makes_user = vec![administer("drop_user", &"fluxdb_proof".into())];
        let files = Proof::cannot("reads files of the server", sql("SELECT * FROM read_text('/etc/hostname')"));
        let users = Proof::cannot("changes users", makes_user);
        let types = types::proof();
        match role {
            Role::Read => vec![
                reads,
                types,
                Proof::cannot("writes a row", sql(insert)),
                Proof::cannot("makes a table", sql("CREATE TABLE fluxdb_proof (i int)")),
                Proof::cannot("writes by EXPLAIN ANALYZE", sql(&format!("EXPLAIN ANALYZE {insert}"))),
                Proof::cannot("deletes in a WITH", sql("WITH x AS (DELETE FROM fluxdb_marker RETURNING value) FROM x")),
                Proof::cannot("deletes in a second statement", sql("SELECT 1; DELETE FROM fluxdb_marker")),
                Proof::cannot(
                    "deletes in a second statement while the first is described",
                    vec![Call::bound("SELECT $1; DELETE FROM fluxdb_marker", &["x"])],
                ),
                Proof::cannot("deletes behind a comment", sql("/* SELECT */ DELETE FROM fluxdb_marker")),
                Proof::cannot(
                    "begins a transaction that may write",
                    ["/**/ BEGIN TRANSACTION READ WRITE", "DELETE FROM fluxdb_marker"].map(Call::sql).into(),
                ),
                Proof::cannot(
                    "leaves the transaction that may not write",
                    vec![Call::sql(
                        "SELECT 1; COMMIT; BEGIN; WITH x AS (DELETE FROM fluxdb_marker RETURNING value) FROM x",
                    )],
                ),
                Proof::cannot(
                    "deletes by a prepared statement",
                    ["PREPARE p AS DELETE FROM fluxdb_marker", "EXECUTE p"].map(Call::sql).into(),
                ),
                Proof::cannot("makes a macro", sql("CREATE MACRO fluxdb_proof(x) AS x")),
                Proof::can(
                    "finds all rows still there",
                    vec![
                        Call::sql("SELECT count(*) FROM fluxdb_marker")
                            .checked(|answer| (answer.first().as_deref() == Some("0")).then(|| "rows are gone".into())),
                    ],
                ),
                files,
                users,
            ],
            _ => vec![
                reads,
                types,
                types::stored(),
                Proof::can("writes a row", sql(insert)),
                Proof::can(
                    "makes and drops a table",
                    vec![Call::sql("CREATE TABLE fluxdb_proof (i int)"), Call::sql("DROP TABLE fluxdb_proof")],
                ),
                Proof::cannot("changes the server's limits", sql("SET memory_limit = '1TB'")),
                files,
                users,
            ],
        }
    }
}

impl Metrics for Duckdb {
    fn calls(&self, _cx: &Cx) -> Vec<Call> {
        vec![administer("metrics", &true.into())]
    }

    fn parse(&self, answers: &[Answer]) -> Vec<Metric> {
        let units = [
            ("connections", "count"),
            ("connections_max", "count"),
            ("databases", "count"),
            ("queries_total", "count"),
            ("data_bytes", "bytes"),
            ("memory_bytes", "bytes"),
            ("uptime_seconds", "seconds"),
        ];
        let rows = answers.iter().flat_map(Answer::rows);
        rows.filter_map(|row| {
            let (name, value) = (row.first()?.as_deref()?, row.get(1)?.as_deref()?);
            let (name, unit) = units.into_iter().find(|(n, _)| *n == name)?;
            Some(Metric { name, unit, value: value.parse().ok()? })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_hold_no_quotes() {
        let value = serde_json::json!({"a": ["x\"'`\\", null, true]});
        let text = json(&value);
        assert_eq!(text, r#"{"a": ["x\u0022\u0027\u0060\u005c", null, true]}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }
}
