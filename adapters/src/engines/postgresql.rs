//! PostgreSQL. Image contract: the official image's README; formulas: pgtune; the rest: the PostgreSQL manual.

use minijinja::context;

use super::sql::{self, Spelling};
use crate::quote::{percent, pg_ident, pg_literal, shell_word};
use crate::render::{RenderError, render};
use crate::{
    Account, Attack, Call, Category, ConfigTest, Cx, Databases, Endpoint, Engine, FILES_DIR, Facts, File, Floor,
    HttpAuth, Launch, LocalImage, Marker, Metrics, NameKind, PasswordFile, Port, Protocol, Repair,
    SYSTEM_PASSWORD_FILE, Secret, Seed, Settings, Shell, Size, Stop, Template, Tmpfs, Tuned, UriFormat, User, Users,
    Version,
};

mod attacks;
mod databases;
mod grants;
mod metrics;
mod repair;
mod seed;
mod session;
mod settings;
mod users;

pub(crate) static ENGINE: Postgresql = Postgresql { facts: &FACTS, preload: None, extension: None };

/// PostgreSQL, or PostgreSQL with an extension that makes an engine of its own (TimescaleDB).
pub(crate) struct Postgresql {
    pub(super) facts: &'static Facts,
    /// What `shared_preload_libraries` names.
    pub(super) preload: Option<&'static str>,
    /// Made in each inner database.
    pub(super) extension: Option<&'static str>,
}

/// What the family shares; TimescaleDB overrides names, versions and licence.
pub(super) const BASE: Facts = FACTS;

const FACTS: Facts = Facts {
    id: "postgresql",
    title: "PostgreSQL",
    category: Category::Relational,
    license: "PostgreSQL License: free for any use, also as a service",
    protocol: Protocol::Postgres,
    http_auth: HttpAuth::None,
    versions: &[
        Version {
            id: "18",
            reference: "library/postgres:18.6",
            end_of_life: "2030-11-14",
            local: Some(LocalImage { suite: "sid" }),
        },
        Version {
            id: "17",
            reference: "library/postgres:17.11",
            end_of_life: "2029-11-08",
            local: Some(LocalImage { suite: "trixie" }),
        },
        Version { id: "16", reference: "library/postgres:16.15", end_of_life: "2028-11-09", local: None },
        Version {
            id: "15",
            reference: "library/postgres:15.19",
            end_of_life: "2027-11-11",
            local: Some(LocalImage { suite: "bookworm" }),
        },
        Version { id: "14", reference: "library/postgres:14.24", end_of_life: "2026-11-12", local: None },
        Version { id: "13", reference: "library/postgres:13.22", end_of_life: "2025-11-13", local: None },
    ],
    default_version: "17",
    ports: &[Port { name: "sql", number: 5432 }],
    control_port: 0,
    user: User { uid: 999, gid: 999 },
    // One layout for every major: the volume above the versioned data directory, as the image of 18 and later has it.
    volume_path: "/var/lib/postgresql",
    tmpfs: &[
        Tmpfs::new("/run/postgresql", 4), //
        Tmpfs::new("/tmp", 64),
    ],
    shm_mib: 256, // the least; parallel queries allocate there
    stop: Stop { signal: 2, grace_secs: 90, says: Some("database system is shut down") }, // SIGINT = fast shutdown; SIGTERM would wait for clients
    floor: Floor { memory_mib: 256, pids: 256, nofile: 4096 },
    templates: &[
        Template {
            name: "postgresql.conf",
            source: include_str!("../../../config_templates/postgresql/postgresql.conf.j2"),
        },
        Template { name: "pg_hba.conf", source: include_str!("../../../config_templates/postgresql/pg_hba.conf.j2") },
    ],
    system_user: "postgres",
    default_username: "admin",
    default_database: Some("defaultdb"),
    single_account: false,
    extra_caps: &[],
    caveats: &[CAVEAT_ROLES, CAVEAT_BACKUP, CAVEAT_SHARED],
};

pub(super) const CAVEAT_ROLES: &str = "Before 16 users are made through fluxdb alone: there who may make roles (CREATEROLE) may also make himself superuser";
pub(super) const CAVEAT_SHARED: &str = "Everybody sees the names of all roles and databases of the instance, and may connect to the database postgres; role superuser sees everybody's statements but fluxdb's and ends everybody's sessions but fluxdb's";
pub(super) const CAVEAT_BACKUP: &str = "A user of role backup reads what fluxdb's users make; tables of roles that were made by SQL (16 and later) from when it is set again";

/// A role or database that is there, or (23505) that another session has made at the same moment: that of a daemon that was
/// killed goes on until its statement is done.
const THERE: &[&str] = &["42710", "42P04", "23505"];

/// "tuple concurrently updated", by such a session.
const AT_ONCE: &[&str] = &["XX000"];

/// ALTER SYSTEM writes `postgresql.auto.conf`, which counts before the rendered file.
const FORGET_CHANGES: &str = r#"rm -f "$PGDATA/postgresql.auto.conf" && exec docker-entrypoint.sh "$@""#;

/// Role attributes of who looks after the server: may make databases, and roles where that is safe; never a superuser, who runs
/// programs. Before 16 CREATEROLE is a way to superuser: it may grant every role that is no superuser itself, also
/// `pg_execute_server_program`, and change every such account (release notes of 16, "Restrict the privileges of CREATEROLE").
fn administrator(version: &str) -> &'static str {
    if makes_roles(version) { "LOGIN CREATEDB CREATEROLE" } else { "LOGIN CREATEDB NOCREATEROLE" }
}

/// Whether an account of a tenant may be let make roles.
fn makes_roles(version: &str) -> bool {
    major(version) >= 16
}

fn major(version: &str) -> u32 {
    version.parse().unwrap_or_default()
}

static SPELLING: Spelling = Spelling {
    scheme: "postgresql",
    jdbc: "postgresql",
    env: &["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"],
    cli: |to| {
        let uri = format!(
            "postgresql://{}@{}:{}/{}",
            percent(&to.account.username),
            to.host,
            to.port,
            percent(to.database.unwrap_or_default())
        );
        format!("psql {}", shell_word(&uri))
    },
};

fn data_dir(version: &str) -> String {
    format!("/var/lib/postgresql/{version}/docker")
}

/// Checksums and UTF-8; a password from everyone from the first moment on (the default trusts all local connections).
fn initdb_arguments(version: &str) -> String {
    let mut arguments = vec!["--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8"];
    if major(version) >= 15 {
        arguments.push("--locale-provider=libc"); // not known before 15
    }
    arguments.extend(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]);
    arguments.join(" ")
}

impl Engine for Postgresql {
    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn tuning(&self, cx: &Cx) -> minijinja::Value {
        let memory = cx.size.memory_mib;
        let connections = self.max_connections(&cx.size);
        let shared_buffers = memory / 4;
        let maintenance = (memory / 16).clamp(16, 2048);
        let workers = cx.size.vcpu.max(8);
        // pgtune: what is left is shared out over every connection and worker, three sorts each.
        let work_mem_kib = ((memory - shared_buffers) * 1024 / ((connections + workers) * 3)).max(1024);
        let max_wal_size = (cx.size.storage_gib * 1024 / 5).clamp(256, 4096);
        context! {
            version => major(cx.version.id),
            max_connections => connections,
            shared_buffers_mib => shared_buffers,
            effective_cache_size_mib => memory / 4 * 3,
            maintenance_work_mem_mib => maintenance,
            work_mem_kib => work_mem_kib,
            max_worker_processes => workers,
            max_parallel_workers => cx.size.vcpu,
            max_parallel_workers_per_gather => cx.size.vcpu.div_ceil(2).min(4),
            // At most a fifth of the volume for WAL.
            max_wal_size_mib => max_wal_size,
            max_slot_wal_keep_size_mib => max_wal_size / 2,
            // A quarter of the volume for one session's sorts and hashes.
            temp_file_limit_mib => cx.size.storage_gib * 256,
            huge_pages => if shared_buffers >= 2048 { "try" } else { "off" },
            files => FILES_DIR,
            preload => self.preload,
            user_settings => settings::lines(cx),
        }
    }

    fn launch(&self, cx: &Cx) -> Result<Launch, RenderError> {
        let tuning = self.tuning(cx);
        let mut files = vec![File { name: SYSTEM_PASSWORD_FILE, content: cx.system.password.clone() }];
        for template in self.facts.templates {
            files.push(File { name: template.name, content: Secret::new(render(template, &tuning)?) });
        }
        Ok(Launch {
            // What was set at once stands in the rendered file by now; what was taken back must not count again.
            entrypoint: Some(["sh", "-c", FORGET_CHANGES, "sh"].map(Into::into).into()),
            argv: vec!["postgres".into(), "-c".into(), format!("config_file={FILES_DIR}/postgresql.conf")],
            env: vec![
                ("POSTGRES_USER", cx.system.username.clone()),
                ("POSTGRES_PASSWORD_FILE", format!("{FILES_DIR}/{SYSTEM_PASSWORD_FILE}")),
                ("PGDATA", data_dir(cx.version.id)),
                ("POSTGRES_INITDB_ARGS", initdb_arguments(cx.version.id)),
            ],
            files,
        })
    }

    fn ping(&self) -> Call {
        Call::sql("SELECT 1")
    }

    fn provision(&self, cx: &Cx) -> Vec<Call> {
        let user = pg_ident(&cx.user.username);
        let mut calls = vec![
            self.defend(cx),
            Call::sql(format!("CREATE ROLE {user} {}", administrator(cx.version.id))).tolerating(THERE),
            password_call(&cx.user),
            Call::sql(format!("GRANT pg_monitor, pg_signal_backend TO {user}")).tolerating(&["23505"]).not_yet(AT_ONCE),
        ];
        if let Some(database) = cx.database.as_deref() {
            calls.extend(self.create_database(cx, database));
        }
        if self.extension == Some("timescaledb") {
            // Its image has it in both. The template comes last: nobody makes databases while a session is in it.
            calls.push(databases::fresh_uuid());
            calls.push(databases::fresh_uuid().in_database("template1"));
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
        let mut argv: Vec<String> = ["psql", "-h", "127.0.0.1", "-U", username].map(Into::into).into();
        if let Some(database) = database {
            argv.extend(["-d".into(), database.to_owned()]);
        }
        Shell { argv, password_env: "PGPASSWORD" }
    }

    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String> {
        if name.is_empty() || name.len() > 63 {
            return Err("must be 1 to 63 bytes long".into()); // longer names are cut without a word
        }
        if name.contains('\0') {
            return Err("must not contain NUL".into());
        }
        match kind {
            NameKind::User if name.starts_with("pg_") => {
                Err("must not start with pg_, which the server reserves".into())
            }
            NameKind::User if ["postgres", "public", "none"].contains(&name) => Err(format!("{name:?} is reserved")),
            NameKind::Database if ["postgres", "template0", "template1"].contains(&name) => {
                Err(format!("{name:?} is made by the server itself"))
            }
            NameKind::User | NameKind::Database => Ok(()),
        }
    }

    fn max_connections(&self, size: &Size) -> u32 {
        (size.memory_mib / 20).clamp(25, 500)
    }

    /// Parallel queries put what their processes share there, up to `work_mem` for each hash table: two thirds of what
    /// `shared_buffers` leaves, so that a query ends with an error before the kernel ends the server.
    fn shm_mib(&self, cx: &Cx) -> u32 {
        let set = cx.settings.get("shared_buffers").and_then(|v| v.parse().ok());
        let buffers = set.unwrap_or(cx.size.memory_mib / 4);
        (cx.size.memory_mib.saturating_sub(buffers) * 2 / 3).max(self.facts.shm_mib.min(cx.size.memory_mib / 2))
    }

    fn marker(&self, _cx: &Cx, value: &str) -> Marker {
        sql::marker(pg_literal(value), "ON CONFLICT DO NOTHING")
    }

    fn tuned(&self, cx: &Cx) -> Vec<Tuned> {
        let shown = |name: &str| format!("SELECT setting FROM pg_settings WHERE name = '{name}'");
        let first = |a: &crate::Answer| a.first().map(Into::into);
        let pages = cx.size.memory_mib / 4 * 128; // of 8 KiB
        vec![
            Tuned {
                what: "shared_buffers",
                call: Call::sql(shown("shared_buffers")),
                expect: pages.to_string(),
                read: first,
            },
            Tuned {
                what: "max_connections",
                call: Call::sql(shown("max_connections")),
                expect: self.max_connections(&cx.size).to_string(),
                read: first,
            },
        ]
    }

    fn config_test(&self, _cx: &Cx) -> Option<ConfigTest> {
        // It reads the whole file to say one value of it.
        let script = "d=$(mktemp -d) && cat > $d/postgresql.conf && postgres -D $d -C max_connections; code=$?; rm -r $d; exit $code";
        Some(ConfigTest { file: "postgresql.conf", script, wrong: "no_such_parameter = 1" })
    }

    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::FirstStart
    }

    fn attacks(&self, cx: &Cx) -> Vec<Attack> {
        attacks::attacks(self, cx)
    }

    fn repair(&self, cx: &Cx) -> Result<Repair, RenderError> {
        self.repair_start(cx)
    }

    fn seed(&self) -> Option<&dyn Seed> {
        Some(self)
    }

    fn identifiers(&self, _cx: &Cx) -> Vec<Call> {
        vec![
            Call::sql("SELECT system_identifier FROM pg_control_system()"),
            Call::sql("SELECT rolpassword FROM pg_authid WHERE rolname = current_user"),
        ]
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

/// The server hashes it; log_statement is off in the rendered configuration, so it is in no log.
fn password_call(account: &Account) -> Call {
    let (user, password) = (pg_ident(&account.username), pg_literal(account.password.expose()));
    Call::sql(format!("ALTER ROLE {user} PASSWORD {password}")).not_yet(AT_ONCE)
}
