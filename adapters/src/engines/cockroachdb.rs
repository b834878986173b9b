//! CockroachDB, one node. Written from its documentation; no server was to be had to try it on.

use minijinja::context;

use super::sql::{self, Spelling};
use crate::quote::{percent, pg_ident, pg_literal, shell_word};
use crate::render::{RenderError, render};
use crate::{
    Account, Answer, Attack, Call, Category, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor, HttpAuth,
    Launch, Marker, Metrics, NameKind, PasswordFile, Port, Protocol, Repair, SYSTEM_PASSWORD_FILE, Secret, Settings,
    Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users, Version,
};

mod attacks;
mod metrics;
mod settings;
mod users;

pub(crate) static ENGINE: Cockroachdb = Cockroachdb;

pub(crate) struct Cockroachdb;

static FACTS: Facts = Facts {
    id: "cockroachdb",
    title: "CockroachDB",
    category: Category::Relational,
    license: "CockroachDB Software License: own use only (free below 10 million dollars of revenue, with telemetry); selling it as a service needs an agreement",
    protocol: Protocol::Postgres,
    http_auth: HttpAuth::None,
    versions: &[
        Version { id: "26.2", reference: "cockroachdb/cockroach:v26.2.2", end_of_life: "2027-10-27", local: None },
        Version { id: "25.4", reference: "cockroachdb/cockroach:v25.4.11", end_of_life: "2027-05-03", local: None },
        Version { id: "25.2", reference: "cockroachdb/cockroach:v25.2.19", end_of_life: "2026-11-12", local: None },
        Version { id: "24.3", reference: "cockroachdb/cockroach:v24.3.33", end_of_life: "2026-05-18", local: None },
    ],
    default_version: "25.4",
    ports: &[Port { name: "sql", number: 26257 }, Port { name: "http", number: 8080 }],
    control_port: 0,
    user: User { uid: 1000, gid: 1000 }, // the image names none: it would be root
    volume_path: "/cockroach/cockroach-data",
    tmpfs: &[Tmpfs::new("/tmp", 64)],
    shm_mib: 64,
    stop: Stop { signal: 15, grace_secs: 120, says: Some("server drained and shutdown completed") },
    floor: Floor { memory_mib: 2048, pids: 512, nofile: 15_000 },
    templates: &[Template {
        name: "start.sh",
        source: include_str!("../../../config_templates/cockroachdb/start.sh.j2"),
    }],
    system_user: "fluxdb",
    default_username: "app",         // admin is the name of the server's own role
    default_database: Some("appdb"), // defaultdb and postgres are made by the server
    single_account: false,
    extra_caps: &[],
    caveats: &[
        "Passwords are checked (SCRAM); connections are not encrypted: the server runs with --accept-sql-without-tls, which its makers call a preview",
        "Without a licence key the server slows itself down to 5 transactions at a time when telemetry cannot be sent for 7 days",
        "Users are made through fluxdb alone: who may make users there may also change everybody's password",
        "One node: no replication. BACKUP to the node's own disk is disabled; to other storage it needs an external connection",
        "pg_dump does not work with it",
    ],
};

static SPELLING: Spelling = Spelling {
    scheme: "postgresql",
    jdbc: "postgresql",
    env: &["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"],
    cli: |to| {
        let uri = format!(
            "postgresql://{}@{}:{}/{}?sslmode=disable",
            percent(&to.account.username),
            to.host,
            to.port,
            percent(to.database.unwrap_or_default())
        );
        format!("cockroach sql --url {}", shell_word(&uri))
    },
};

/// Names that the server keeps for itself.
const OWN_USERS: [&str; 6] = ["root", "admin", "node", "public", "none", FACTS.system_user];
const OWN_DATABASES: [&str; 4] = ["system", "defaultdb", "postgres", "crdb_internal"];

impl Engine for Cockroachdb {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        context! {
            data => FACTS.volume_path,
            port => FACTS.ports[0].number,
            http_port => FACTS.ports[1].number,
            system_user => FACTS.system_user,
            files => FILES_DIR,
            // A quarter each, as recommended; together with the 64 MiB for graphs below the 75 % that the server warns of.
            cache_mib => cx.size.memory_mib / 4,
            sql_memory_mib => cx.size.memory_mib / 4,
            // Room for the log of the storage engine and for compactions.
            store_gib => (cx.size.storage_gib * 9 / 10).max(1),
            user_settings => settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        self.start(cx, false)
    }

    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::FirstStart
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        Ok(Repair::Start(self.start(cx, true)?))
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        attacks::attacks(cx)
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let user = pg_ident(&cx.user.username);
        let mut calls = vec![
            // From 26.1 on the tables with the metrics are closed otherwise; 42704 = an older server.
            Call::sql(format!("ALTER ROLE {} SET allow_unsafe_internals = on", pg_ident(&cx.system.username)))
                .tolerating(&["42704", "22023"]),
            Call::sql(format!(
                "SET CLUSTER SETTING server.max_connections_per_gateway = {}",
                settings::connections(self, cx)
            )),
            Call::sql(format!("CREATE USER IF NOT EXISTS {user}")),
            Call::sql(format!("ALTER USER {user} WITH {}", users::ADMINISTRATOR)),
            password_call(&cx.user),
        ];
        calls.extend(settings::stored(cx));
        if let Some(database) = cx.database.as_deref() {
            calls.extend(self.create(cx, database));
        }
        calls
    }

    fn set_password(&self, account: &Account) -> Vec<Call> {
        vec![password_call(account)]
    }

    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret> {
        Some(sql::connection_string(&SPELLING, format, to))
    }

    fn shell(&self, username: &str, database: Option<&str>) -> Shell {
        let database = database.map(percent).unwrap_or_default();
        let port = FACTS.ports[0].number;
        let url = format!("postgresql://{}@127.0.0.1:{port}/{database}?sslmode=disable", percent(username));
        Shell { argv: vec!["cockroach".into(), "sql".into(), "--url".into(), url], password_env: "PGPASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 63 {
            return Err("must be 1 to 63 bytes long".into());
        }
        match kind {
            NameKind::User => {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
                if !name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') || !name.chars().all(plain) {
                    return Err(
                        "must begin with a lower case letter or _, then lower case letters, digits, . _ -".into()
                    );
                }
                if OWN_USERS.contains(&name) || name.starts_with("pg_") || name.starts_with("crdb_internal") {
                    return Err(format!("{name:?} is reserved"));
                }
            }
            NameKind::Database => {
                if name.chars().any(char::is_control) {
                    return Err("must not contain control characters".into());
                }
                if OWN_DATABASES.contains(&name) {
                    return Err(format!("{name:?} is made by the server itself"));
                }
            }
        }
        Ok(())
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 20).clamp(25, 2000)
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        sql::marker(pg_literal(value), "ON CONFLICT DO NOTHING")
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        vec![Tuned {
            what: "server.max_connections_per_gateway",
            call: Call::sql("SHOW CLUSTER SETTING server.max_connections_per_gateway"),
            expect: settings::connections(self, cx),
            read: |a| a.first().map(Into::into),
        }]
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

    fn open_paths(&self, _version: &str) -> &'static [crate::OpenPath] {
        // From the manual; not yet run.
        &[crate::OpenPath {
            port: 1,
            path: "/*",
            tells: "over TLS alone: the files of the console, whether the node is well, and at /_status/vars counts and sizes of node and stores",
        }]
    }

    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[
            "/_admin/v1/health",
            "/_admin/v1/users",
            "/_admin/v1/settings",
            "/_admin/v1/databases",
            "/_status/nodes",
            "/_status/sessions",
            "/_status/load",
            "/debug/",
            "/debug/pprof/goroutine?debug=1",
            "/api/v2/health/",
            "/api/v2/databases/",
        ]
    }
}

impl Cockroachdb {
    /// `repair`: the system account is set by who the machine knows, whatever was done to it.
    fn start(&self, cx: &Cx, repair: bool) -> Result<Launch, RenderError> {
        let tuning = context! { repair, ..self.tuning(cx) };
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in FACTS.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            entrypoint: Some(vec!["sh".into()]),
            argv: vec![format!("{FILES_DIR}/start.sh")],
            env: vec![
                ("PATH", "/cockroach:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
                ("HOME", "/tmp".into()), // the client keeps its history there
            ],
            files,
        })
    }
}

impl Databases for Cockroachdb {
    fn create(&self, cx: &Cx, name: &str) -> Vec<Call> {
        let (database, owner) = (pg_ident(name), pg_ident(&cx.user.username));
        vec![
            Call::sql(format!("CREATE DATABASE IF NOT EXISTS {database}")),
            Call::sql(format!("ALTER DATABASE {database} OWNER TO {owner}")),
            // Everyone may connect and make tables otherwise.
            Call::sql(format!("REVOKE ALL ON DATABASE {database} FROM public")),
            Call::sql("REVOKE ALL ON SCHEMA public FROM public").in_database(name),
            Call::sql(format!("GRANT ALL ON SCHEMA public TO {owner} WITH GRANT OPTION")).in_database(name),
        ]
    }

    fn drop(&self, _cx: &Cx, name: &str) -> Vec<Call> {
        vec![Call::sql(format!("DROP DATABASE IF EXISTS {} CASCADE", pg_ident(name)))]
    }

    fn list(&self, _cx: &Cx) -> Vec<Call> {
        vec![Call::sql("SELECT datname FROM pg_catalog.pg_database ORDER BY datname")]
    }

    fn names(&self, answers: &[Answer]) -> Vec<String> {
        answers.iter().flat_map(Answer::column).filter(|n| !OWN_DATABASES.contains(&n.as_str())).collect()
    }
}

fn password_call(account: &Account) -> Call {
    let (user, password) = (pg_ident(&account.username), pg_literal(account.password.expose()));
    Call::sql(format!("ALTER USER {user} WITH PASSWORD {password}"))
}
